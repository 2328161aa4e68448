"""What runs gave to each other, for the oracle: every read is held against every write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from catalog.domain import ids
from oracle_events import Name, Node

RunKey = tuple[Name, str]
Dropped = Callable[[Name, int], float]
"""When a dataset was last dropped before a moment."""
FOREVER = float("inf")


@dataclass(frozen=True)
class Use:
    """A run read or wrote a dataset (by its one name) from a moment on, until it stopped, in the version of a label.

    What a batch run does is done at one moment.
    """

    run: RunKey
    name: Name
    at: int
    label: str | None
    until: float

    @property
    def order(self) -> tuple[int, int]:
        return self.at, run_id(self.run)

    @property
    def is_streaming(self) -> bool:
        return self.until > self.at


def run_id(run: RunKey) -> int:
    return ids.run_id(ids.job_id(*run[0]), run[1])


def node_of(run: RunKey) -> Node:
    return ("RUN", *run[0], run[1])


def writers(read: Use, writes: Iterable[Use], dropped: Dropped) -> Iterator[RunKey]:
    """Whose writes a run read: those of the version it names, else what was there, and what came while it read."""
    left = undone_by_none(read.name, writes, read.at, dropped)
    others = [write for write in left if write.run != read.run]
    labelled = [write for write in others if read.label is not None and write.label == read.label]
    for candidates, otherwise in ((labelled, labelled[:1]), (others, [])):
        before = [write for write in candidates if write.at <= read.at]
        if found := before[-1:] or otherwise:
            yield found[0].run
            break
    if read.label is None or read.is_streaming:
        yield from (write.run for write in others if write.at <= read.until and write.until > read.at)


def undone_by_none(name: Name, writes: Iterable[Use], moment: int, dropped: Dropped) -> list[Use]:
    """The writes of a dataset that no drop before a moment undid, in order of time."""
    mine = (write for write in writes if write.name == name and write.at > dropped(name, moment))
    return sorted(mine, key=lambda write: write.order)
