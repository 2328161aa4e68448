"""What became of the events of one request, in numbers: for its line in the log, and for the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from catalog.domain.errors import Forbidden
from catalog.ingest.accept import Outcome, Receipt, Refused

OUTCOMES: Final = ("accepted", "duplicate", "quarantined", "refused")
"""How an event can end: exactly one of these. What is refused is not kept; its sender has it still."""


@dataclass(slots=True)
class Tally:
    """The events of one request. A body in which none could be told apart counts as one.

    `received` is counted when they arrive and the outcomes when they end: a way out that forgets to count them shows.
    `forbidden` are those of the quarantined that their sender may not send.
    """

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    quarantined: int = 0
    refused: int = 0
    forbidden: int = 0
    receipt: str = ""

    @property
    def unsettled(self) -> int:
        """Those of which is not known yet how they end."""
        return self.received - self.accepted - self.duplicate - self.quarantined - self.refused

    def settle(self, outcome: Outcome | BaseException) -> None:
        """Count how one event ended; an error is that it could not be kept."""
        if isinstance(outcome, Receipt):
            self.duplicate += outcome.duplicate
            self.accepted += not outcome.duplicate
        elif isinstance(outcome, Refused):
            self.quarantined += 1
            self.forbidden += isinstance(outcome.reason, Forbidden)
        else:
            self.refused += 1

    def keep(self, receipt: str) -> None:
        """Count a body that went into quarantine as a whole."""
        self.received += 1
        self.quarantined += 1
        self.receipt = receipt

    def give_up(self) -> None:
        """The request ends here: whatever arrived and is not settled, its sender keeps."""
        self.received = max(self.received, 1)
        self.refused += self.unsettled
