"""What may explain that something failed, in the order in which one would look at it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import pairwise
from typing import Final

from catalog.domain.changes import Column

FEWEST_PAUSES: Final = 3
"""A dataset written fewer times than this and once more has no habit that it could break."""


class Reason(Enum):
    """What is known of a candidate, in the order of the list: what failed, then what changed or is missing."""

    FAILED = "FAILED"
    ABORTED = "ABORTED"
    ASSERTION_FAILED = "ASSERTION_FAILED"
    UNFINISHED = "UNFINISHED"
    SCHEMA_CHANGED = "SCHEMA_CHANGED"
    NOT_REFRESHED = "NOT_REFRESHED"

    @property
    def is_failure(self) -> bool:
        """Whether something went wrong, and not only otherwise than before."""
        return self in {Reason.FAILED, Reason.ABORTED, Reason.ASSERTION_FAILED}


_PLACE: Final = {reason: place for place, reason in enumerate(Reason)}


def rank(reason: Reason, distance: int, at: int) -> tuple[bool, int, int, int]:
    """What candidates are ordered by: failures first, the nearest first, then by reason, then the latest first."""
    return not reason.is_failure, distance, _PLACE[reason], -at


def overdue(written: Sequence[int], moment: int) -> int | None:
    """The longest pause there was between writes, if the one before `moment` is longer than it; else None.

    Args:
        written: when a dataset was written, in any order; microseconds since 1970 UTC.
        moment: until when it was not written again.
    """
    times = sorted({at for at in written if at <= moment})
    pauses = [later - earlier for earlier, later in pairwise(times)]
    if len(pauses) < FEWEST_PAUSES or moment - times[-1] <= max(pauses):
        return None
    return max(pauses)


def schema_change(before: Iterable[Column], after: Iterable[Column]) -> str:
    """What one schema has that the other has not, in words; empty where only the order of columns differs."""
    old, new = ({column.name: column.type for column in columns} for columns in (before, after))
    added = [f"{name} {type or ''}".strip() for name, type in new.items() if name not in old]
    removed = [name for name in old if name not in new]
    retyped = [f"{n} {old[n] or 'no type'} to {t or 'no type'}" for n, t in new.items() if n in old and old[n] != t]
    said = (("added", added), ("removed", removed), ("retyped", retyped))
    return "; ".join(f"{how} {', '.join(names)}" for how, names in said if names)


def pause(micros: int) -> str:
    """A length of time in words, to the minute."""
    minutes = micros // 60_000_000
    days, hours = divmod(minutes // 60, 24)
    parts = ((days, "d"), (hours, "h"), (minutes % 60, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "less than a minute"
