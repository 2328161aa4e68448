"""Rewriting a stretch of intervals gives what writing all of them at once would have given."""

from __future__ import annotations

from collections import defaultdict
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from catalog.domain.timeline import Interval, Window, joined, restitch, segments_of, without

END = 12
keys = st.frozensets(st.sampled_from("abc"))
points = st.lists(st.tuples(st.integers(0, END - 1), keys), max_size=6).map(lambda p: sorted(p, key=lambda x: x[0]))
intervals = st.lists(st.builds(lambda a, n: Interval(a, a + n), st.integers(0, 10), st.integers(0, 5)), max_size=5)


def held(stored: dict[str, list[Interval]]) -> list[frozenset[str]]:
    """Which keys hold at each moment."""
    return [
        frozenset(key for key, spans in stored.items() if any(s.start <= at < s.end for s in spans))
        for at in range(END)
    ]


def state(changes: list[tuple[int, frozenset[str]]], at: int) -> frozenset[str]:
    past = [keys for start, keys in changes if start <= at]
    return past[-1] if past else frozenset()


def stored(changes: list[tuple[int, frozenset[str]]]) -> dict[str, list[Interval]]:
    result: dict[str, list[Interval]] = defaultdict(list)
    for segment in segments_of(changes, END):
        for key in segment.keys:
            result[key].append(Interval(segment.start, segment.end))
    return {key: joined(spans) for key, spans in result.items()}


@given(points, points, st.integers(0, END - 1), st.integers(1, END))
def test_a_rewritten_stretch_holds_the_new_and_the_rest_the_old(
    old: list[tuple[int, frozenset[str]]], new: list[tuple[int, frozenset[str]]], start: int, length: int
) -> None:
    window = Interval(start, min(start + length, END))
    existing = stored(old)
    at_start = (window.start, state(new, window.start))
    inside = [at_start, *((at, keys) for at, keys in new if window.start < at < window.end)]
    gone, fresh = restitch(existing, segments_of(inside, window.end), window)
    result = {key: set(spans) for key, spans in existing.items()}
    for key, span in gone:
        result[key].remove(span)
    for key, span in fresh:
        result.setdefault(key, set()).add(span)
    expected = [state(new if window.start <= at < window.end else old, at) for at in range(END)]

    assert held({key: list(spans) for key, spans in result.items()}) == expected
    assert all(joined(spans) == sorted(spans) for spans in result.values()), "neighbours are joined"


@given(intervals, intervals)
def test_what_is_without_holes_has_the_moments_outside_them(one: list[Interval], other: list[Interval]) -> None:
    def moments(spans: list[Interval]) -> set[int]:
        return {at for span in spans for at in range(span.start, span.end)}

    assert moments(without(one, other)) == moments(one) - moments(other)


class Counted(int):
    """A moment that knows how often moments were compared."""

    compared: ClassVar[int] = 0

    def __lt__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) < int(other)

    def __le__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) <= int(other)

    def __gt__(self, other: int) -> bool:
        return Counted(other) < self

    def __ge__(self, other: int) -> bool:
        return Counted(other) <= self


def test_twice_as_many_holes_cost_about_twice_as_much() -> None:
    def compared(many: int) -> int:
        holes = [Interval(Counted(10 * at), Counted(10 * at + 5)) for at in range(many)]
        before = Counted.compared
        assert len(without([Interval(Counted(0), Counted(10 * many))], holes)) == many
        return Counted.compared - before

    assert compared(2000) < 3 * compared(1000)


def test_a_window_is_closed_and_an_interval_half_open() -> None:
    assert Window(5, 5).holds(5, 6)
    assert not Window(5, 5).holds(4, 5)
    assert Window(2, 5).holds(5, 9)
    assert not Window(2, 5).holds(6, 9)
