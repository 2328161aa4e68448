"""Which statements hold when, and how the intervals of edges follow from that.

All times are microseconds since 1970 UTC. Intervals are half open; FOREVER ends the open ones. A *moment window*
of a question is closed: [t, t] for `asOf`, [a, b] for `during`, everything for `cumulative`, the end of time for now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

FOREVER = (1 << 63) - 1
BEGINNING = -(1 << 63)

K = TypeVar("K", bound=Hashable)


class Window(NamedTuple):
    """The closed range of moments a question is about."""

    first: int
    last: int

    def holds(self, start: int, end: int) -> bool:
        """Whether the half-open interval [start, end) has a moment in this window."""
        return start <= self.last and end > self.first

    @property
    def moment(self) -> int | None:
        """The moment that what is said of things is as of: the last one. None is now."""
        return None if self.last == FOREVER - 1 else self.last


NOW = Window(FOREVER - 1, FOREVER - 1)
ALWAYS = Window(BEGINNING, FOREVER - 1)


class Segment(NamedTuple, Generic[K]):
    """From `start` until `end` (excluded) exactly these keys hold."""

    start: int
    end: int
    keys: frozenset[K]


class Interval(NamedTuple):
    """A key held during [start, end)."""

    start: int
    end: int


def segments_of(points: Sequence[tuple[int, frozenset[K]]], end: int) -> list[Segment[K]]:
    """Segments from change points in order of time, each holding until the next; the last until `end`.

    Points of the same time: the last one counts.
    """
    segments = []
    ends = [*(start for start, _ in points[1:]), end]
    for (start, keys), following in zip(points, ends, strict=False):
        if start < following:
            segments.append(Segment(start, following, keys))
    return segments


def restitch(
    existing: Mapping[K, Iterable[Interval]], segments: Sequence[Segment[K]], window: Interval
) -> tuple[list[tuple[K, Interval]], list[tuple[K, Interval]]]:
    """What to delete and what to insert so that within `window` exactly `segments` hold.

    `existing` must have every interval that touches the window, its edges included: what stands outside stays,
    and neighbours of the same key are joined, so that the result does not depend on how it was built up (law 1).
    """
    wanted: dict[K, list[Interval]] = defaultdict(list)
    for key, intervals in existing.items():
        for start, end in intervals:
            if start < window.start:
                wanted[key].append(Interval(start, min(end, window.start)))
            if end > window.end:
                wanted[key].append(Interval(max(start, window.end), end))
    for segment in segments:
        for key in segment.keys:
            wanted[key].append(Interval(segment.start, segment.end))
    before = {(key, interval) for key, intervals in existing.items() for interval in intervals}
    after = {(key, interval) for key, intervals in wanted.items() for interval in joined(intervals)}
    return list(before - after), list(after - before)


def joined(intervals: Iterable[Interval]) -> list[Interval]:
    """The same moments in as few intervals as possible, in order."""
    result: list[Interval] = []
    for start, end in sorted(intervals):
        if result and start <= result[-1].end:
            result[-1] = Interval(result[-1].start, max(end, result[-1].end))
        elif start < end:
            result.append(Interval(start, end))
    return result


def without(intervals: Iterable[Interval], holes: Iterable[Interval]) -> list[Interval]:
    """The moments of `intervals` that are in none of `holes`."""
    rest: list[Interval] = []
    gaps = joined(holes)
    place = 0
    for start, end in joined(intervals):
        # What ends before this interval begins is behind all that follow; the last gap may reach into the next.
        while place < len(gaps) and gaps[place].end <= start:
            place += 1
        left = start
        while place < len(gaps) and gaps[place].start < end:
            if left < gaps[place].start:
                rest.append(Interval(left, gaps[place].start))
            left = gaps[place].end
            if left > end:
                break
            place += 1
        if left < end:
            rest.append(Interval(left, end))
    return rest
