"""Where boxes stand and how lines run: layers from left to right, no box on another.

The method is the usual one for layered drawings. Graphviz was refused after a trial: this has fewer crossings on
drawings with rows, is smaller and always ends; see docs/decisions/0007.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from catalog.pictures.layers import Layered, Line, closing, layered
from catalog.pictures.order import offsets, ordered, stacked

BETWEEN_LAYERS: Final = 84.0
"""Room between two layers, in pixels; lines make it wider, up to twice that."""

_SETTLING: Final = 12
_STRAIGHT: Final = 8.0
"""How much more two bends of one line pull at each other than anything else does: long lines run straight."""
_ASIDE: Final = 7.0
"""How far below the others a line ends that runs from right to left, in pixels."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """Left upper corners and widths of the boxes, and of each line the points of its cubic curves: 1, and 3 for each.

    A line that was turned to break a cycle leaves its source at the left and comes to its target from the right.
    """

    corners: list[Point]
    widths: list[float]
    paths: list[list[Point]]
    width: float
    height: float


def arranged(sizes: Sequence[tuple[float, float]], lines: Sequence[Line]) -> Layout:
    """Lay out boxes of these widths and heights; each becomes as wide as its layer.

    The same question has the same answer. Where boxes form a cycle, the line back to the first of them is the one
    that runs from right to left.
    """
    turned = closing(len(sizes), [line for line in lines if line.source != line.target])
    onward = [_turned(line) if line[0::2] in turned else line for line in lines]
    found = layered([height for _, height in sizes], [line for line in onward if line.source != line.target])
    tops = _settled(found, ordered(found))
    sides = _sides([width for width, _ in sizes], found)
    across = [sides[found.layer[box]] for box in range(len(sizes))]
    chains = iter(found.chains)
    paths = []
    for line, asked in zip(onward, lines, strict=True):
        if line.source == line.target:
            paths.append(
                _loop(across[line.source][1], tops[line.source] + line.leaves, tops[line.source] + line.enters)
            )
        else:
            path = _run(line, next(chains), found, sides, tops)
            paths.append(path if line is asked else path[::-1])
    boxes = [(left, tops[box], right - left, sizes[box][1]) for box, (left, right) in enumerate(across)]
    return _fitted(boxes, paths)


def _turned(line: Line) -> Line:
    return Line(line.target, line.enters + _ASIDE, line.source, line.leaves + _ASIDE)


def _fitted(boxes: Sequence[tuple[float, float, float, float]], paths: Sequence[Sequence[Point]]) -> Layout:
    """Everything moved to where the drawing begins at 0. A box has its left, its top, its width and its height."""
    points = [point for path in paths for point in path]
    points += [(left + width, top + height) for left, top, width, height in boxes]
    top = min([top for _, top, _, _ in boxes] + [y for _, y in points], default=0.0)
    return Layout(
        [(x, y - top) for x, y, _, _ in boxes],
        [width for _, _, width, _ in boxes],
        [[(x, y - top) for x, y in path] for path in paths],
        max((x for x, _ in points), default=0.0),
        max((y for _, y in points), default=0.0) - top,
    )


def _settled(layered: Layered, order: Sequence[Sequence[int]]) -> list[float]:
    """The top of every item, so that lines are short and bend little."""
    tops = stacked(layered, order)
    for number in range(_SETTLING):
        for items in order if number % 2 == 0 else reversed(order):
            _settle(layered, items, tops)
    return tops


def _settle(layered: Layered, items: Sequence[int], tops: list[float]) -> None:
    """Move the items of a layer as near as can be to what they are connected to, in their order and apart.

    That is least squares under an order: those who want to stand in each other's place become one block.
    """
    below = offsets(layered, items)
    blocks: list[tuple[float, float, int]] = []  # where it begins, what it weighs, how many items it has
    for item, offset in zip(items, below, strict=True):
        wanted, weight = _wanted(layered, item, tops)
        begin, count = wanted - offset, 1
        while blocks and blocks[-1][0] >= begin:
            other, heavy, more = blocks.pop()
            begin = (other * heavy + begin * weight) / (heavy + weight)
            weight, count = weight + heavy, count + more
        blocks.append((begin, weight, count))
    begins = (begin for begin, _, count in blocks for _ in range(count))
    for item, begin, offset in zip(items, begins, below, strict=True):
        tops[item] = begin + offset


def _wanted(layered: Layered, item: int, tops: Sequence[float]) -> tuple[float, float]:
    """The top an item would like to have, and how much it would."""
    total = weights = 0.0
    for other, top in _pulls(layered, item, tops):
        weight = _STRAIGHT if layered.is_bend(item) and layered.is_bend(other) else 1.0
        total += top * weight
        weights += weight
    return (total / weights, weights) if weights else (tops[item], 0.01)


def _pulls(layered: Layered, item: int, tops: Sequence[float]) -> Iterator[tuple[int, float]]:
    """What an item is connected to, and the top it would have if that line ran level."""
    for piece in layered.before[item]:
        yield piece.left, tops[piece.left] + piece.leaves - piece.enters
    for piece in layered.behind[item]:
        yield piece.right, tops[piece.right] + piece.enters - piece.leaves


def _sides(widths: Sequence[float], layered: Layered) -> list[tuple[float, float]]:
    """The left and right side of each layer."""
    layers = max(layered.layer, default=-1) + 1
    widest, lines = [0.0] * layers, [0] * layers
    for item, at in enumerate(layered.layer):
        lines[at] += len(layered.behind[item])
        if not layered.is_bend(item):
            widest[at] = max(widest[at], widths[item])
    sides = []
    left = 0.0
    for width, behind in zip(widest, lines, strict=True):
        sides.append((left, left + width))
        left += width + BETWEEN_LAYERS + min(BETWEEN_LAYERS, behind)
    return sides


def _run(
    line: Line, chain: Sequence[int], layered: Layered, sides: Sequence[tuple[float, float]], tops: Sequence[float]
) -> list[Point]:
    """A line's curves: level where it leaves and enters, and across every layer it passes."""
    path = [(sides[layered.layer[line.source]][1], tops[line.source] + line.leaves)]
    for bend in chain[1:-1]:
        left, right = sides[layered.layer[bend]]
        _curve(path, (left, tops[bend]))
        _curve(path, (right, tops[bend]))
    _curve(path, (sides[layered.layer[line.target]][0], tops[line.target] + line.enters))
    return path


def _curve(path: list[Point], to: Point) -> None:
    x, y = path[-1]
    middle = (x + to[0]) / 2
    path += [(middle, y), (middle, to[1]), to]


def _loop(x: float, leaves: float, enters: float) -> list[Point]:
    """A line from a box to itself, on its right side."""
    if leaves == enters:
        leaves, enters = leaves - 7, enters + 7
    far = x + min(BETWEEN_LAYERS - 30, 34 + abs(enters - leaves) / 8)
    return [(x, leaves), (far, leaves), (far, enters), (x, enters)]
