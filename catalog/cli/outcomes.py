"""What became of records that were read, and how that is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

from catalog.cli.console import say, tell_json, tell_table
from catalog.domain.names import visible

if TYPE_CHECKING:
    from catalog.domain.event import Tolerated

_KEPT: Final = 1_000
_SHOWN: Final = 20


class Record(Protocol):
    """Where something was read: a line of a file, an offset of a partition."""

    @property
    def path(self) -> str:
        """The file or partition."""
        ...

    @property
    def position(self) -> int:
        """Where in it."""
        ...

    @property
    def place(self) -> str:
        """Both, for people."""
        ...


class Fate(Enum):
    """What became of a record."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicates"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Sent:
    """The outcome of one record; `reason` and what follows are for those that were refused."""

    fate: Fate
    warnings: tuple[Tolerated, ...] = ()
    reason: str = ""
    pointer: str = ""
    fix: str = ""
    receipt: str = ""


@dataclass(slots=True)
class _Warned:
    count: int
    place: str
    example: Tolerated


@dataclass(slots=True)
class Tally:
    """The outcomes of all records: counted, and the first of each sort kept, so that memory stays bounded."""

    counts: dict[Fate, int] = field(default_factory=lambda: dict.fromkeys(Fate, 0))
    refused: list[tuple[Record, Sent]] = field(default_factory=list)
    warned: dict[str, _Warned] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(self.counts.values())

    def add(self, record: Record, sent: Sent) -> None:
        """Count one."""
        self.counts[sent.fate] += 1
        if sent.fate is Fate.QUARANTINED and len(self.refused) < _KEPT:
            self.refused.append((record, sent))
        for warning in sent.warnings:
            self.warned.setdefault(warning.code, _Warned(0, record.place, warning)).count += 1

    def tell(self, *, as_json: bool) -> None:
        """Print the counts; on standard error, what was refused and what was tolerated."""
        counts = {fate.value: count for fate, count in self.counts.items()}
        counts["warnings"] = sum(warned.count for warned in self.warned.values())
        if as_json:
            tell_json({**counts, "refused": self._refused(), "tolerated": self._tolerated()})
            return
        tell_table(("outcome", "events"), list(counts.items()))
        for code, warned in self.warned.items():
            often = "once" if warned.count == 1 else f"{warned.count} times, first"
            said = f"{warned.example.detail} ({_at(warned.place, warned.example.pointer)})"
            say(visible(f"warning: {code} {often}: {said}"))
        for record, sent in self.refused[:_SHOWN]:
            receipt = f" [{sent.receipt}]" if sent.receipt else ""
            say(visible(f"{_at(record.place, sent.pointer)}: {sent.reason}{receipt}"))
            if sent.fix:
                say(visible(f"    fix: {sent.fix}"))
        more = self.counts[Fate.QUARANTINED] - _SHOWN
        if more > 0:
            say(f"... and {more} more.")

    def _refused(self) -> list[dict[str, object]]:
        return [
            {
                "file": record.path, "line": record.position, "reason": sent.reason, "pointer": sent.pointer,
                "fix": sent.fix, "receipt": sent.receipt,
            }
            for record, sent in self.refused
        ]  # fmt: skip

    def _tolerated(self) -> list[dict[str, object]]:
        return [
            {
                "code": code, "count": warned.count, "first": warned.place, "pointer": warned.example.pointer,
                "detail": warned.example.detail,
            }
            for code, warned in self.warned.items()
        ]  # fmt: skip


def _at(place: str, pointer: str) -> str:
    return f"{place} at {pointer}" if pointer else place
