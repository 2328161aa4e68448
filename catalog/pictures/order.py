"""The order within the layers: few crossings.

Sweeps to and fro sort each layer by the mean of what its items are connected to; then neighbours change places for
as long as that saves crossings. Lines count by the height they end at, so that two into one box can cross.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from catalog.pictures.layers import Layered

BETWEEN_BOXES: Final = 28.0
BETWEEN_BENDS: Final = 10.0

_SWEEPS: Final = 24
_EXCHANGES: Final = 12
_PATIENCE: Final = 6
_WORK: Final = 40_000
"""What all sweeps, and all exchanges, may look at: large drawings get fewer of them. Counted, not timed, so that a
busy machine draws the same picture."""

_End = tuple[int, float]
"""The place of an item in its layer, and the height at which a line ends there."""


def ordered(layered: Layered) -> list[list[int]]:
    """The items of each layer from top to bottom."""
    order = layered.items()
    best, fewest, idle = [[*items] for items in order], crossings(layered, order), 0
    tops = stacked(layered, order)
    for number in range(_rounds(layered, _SWEEPS)):
        if not fewest or idle == _PATIENCE:
            break
        rightward = number % 2 == 0
        for items in order[1:] if rightward else order[-2::-1]:
            _sort(layered, items, tops, rightward=rightward)
        now = crossings(layered, order)
        idle += 1
        if now < fewest:
            best, fewest, idle = [[*items] for items in order], now, 0
    if fewest:
        _exchange(layered, best)
    return best


def _rounds(layered: Layered, most: int) -> int:
    """How many rounds there is time for, one at the least."""
    return max(1, min(most, _WORK // (1 + sum(map(len, layered.behind)))))


def stacked(layered: Layered, order: Sequence[Sequence[int]]) -> list[float]:
    """The top of each item where every layer is as low as can be, with its middle at the height 0."""
    tops = [0.0] * len(layered.layer)
    for items in order:
        _stack(layered, items, tops)
    return tops


def offsets(layered: Layered, items: Sequence[int]) -> list[float]:
    """How far each item of a layer is below the first, at the least."""
    found = [0.0]
    for upper, lower in pairwise(items):
        bend = layered.is_bend(upper) or layered.is_bend(lower)
        found.append(found[-1] + layered.heights[upper] + (BETWEEN_BENDS if bend else BETWEEN_BOXES))
    return found


def crossings(layered: Layered, order: Sequence[Sequence[int]]) -> int:
    """How often lines cross."""
    place = _places(layered, order)
    count = 0
    for items in order[:-1]:
        ends = sorted(
            ((place[piece.left], piece.leaves), (place[piece.right], piece.enters))
            for item in items
            for piece in layered.behind[item]
        )
        above: list[_End] = []
        for _, end in ends:
            count += len(above) - bisect_right(above, end)
            insort(above, end)
    return count


def _sort(layered: Layered, items: list[int], tops: list[float], *, rightward: bool) -> None:
    """Sort a layer by the mean height of what its items are connected to at one side; what has nothing stays."""
    wanted = {}
    for item in items:
        if rightward:
            ends = [tops[piece.left] + piece.leaves - piece.enters for piece in layered.before[item]]
        else:
            ends = [tops[piece.right] + piece.enters - piece.leaves for piece in layered.behind[item]]
        if ends:
            wanted[item] = sum(ends) / len(ends) + layered.heights[item] / 2
    connected = iter(sorted(wanted, key=wanted.__getitem__))
    items[:] = [next(connected) if item in wanted else item for item in items]
    _stack(layered, items, tops)


def _stack(layered: Layered, items: Sequence[int], tops: list[float]) -> None:
    below = offsets(layered, items)
    middle = (below[-1] + layered.heights[items[-1]]) / 2
    for item, offset in zip(items, below, strict=True):
        tops[item] = offset - middle


def _places(layered: Layered, order: Sequence[Sequence[int]]) -> list[int]:
    place = [0] * len(layered.layer)
    for items in order:
        for number, item in enumerate(items):
            place[item] = number
    return place


def _exchange(layered: Layered, order: Sequence[list[int]]) -> None:
    """Let neighbours change places wherever that saves crossings."""
    place = _places(layered, order)
    for _ in range(_rounds(layered, _EXCHANGES)):
        saved = 0
        for items in order:
            ends = [_ends(layered, item, place) for item in items]
            for upper, lower in pairwise(range(len(items))):
                saving = sum(
                    _crossed(above, below) - _crossed(below, above)
                    for above, below in zip(ends[upper], ends[lower], strict=True)
                )
                if saving > 0:
                    saved += saving
                    items[upper], items[lower] = items[lower], items[upper]
                    ends[upper], ends[lower] = ends[lower], ends[upper]
            for number, item in enumerate(items):
                place[item] = number
        if not saved:
            break


def _ends(layered: Layered, item: int, place: Sequence[int]) -> tuple[list[_End], list[_End]]:
    """Where the lines of an item end in the layer before it, and in the one behind it."""
    return (
        sorted((place[piece.left], piece.leaves) for piece in layered.before[item]),
        sorted((place[piece.right], piece.enters) for piece in layered.behind[item]),
    )


def _crossed(above: Sequence[_End], below: Sequence[_End]) -> int:
    """How often the lines of an item cross those of the item below it, at one side."""
    return sum(len(above) - bisect_right(above, end) for end in below)
