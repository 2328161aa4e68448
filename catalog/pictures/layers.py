"""What stands in which layer: every box behind all it comes from, whatever cycles there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

_MOST_BENDS: Final = 4_000
"""How often all lines together may bend; beyond it the longest run straight, through what stands in their way."""


class Line(NamedTuple):
    """A line from a box to another; heights are below the top of each, in pixels."""

    source: int
    leaves: float
    target: int
    enters: float


class Piece(NamedTuple):
    """A line's part between two items of neighbouring layers; heights are below the top of each."""

    left: int
    leaves: float
    right: int
    enters: float


@dataclass(slots=True)
class Layered:
    """Items in layers. They are the boxes, and behind them by number the bends: where a line passes a layer."""

    boxes: int
    layer: list[int]
    heights: list[float]
    chains: list[list[int]]
    """The items each line goes through, from left to right."""
    before: list[list[Piece]]
    """The pieces that end at each item."""
    behind: list[list[Piece]]
    """The pieces that begin at each item."""

    def is_bend(self, item: int) -> bool:
        """Whether it is a bend, no box."""
        return item >= self.boxes

    def items(self) -> list[list[int]]:
        """The items of each layer, boxes first."""
        found: list[list[int]] = [[] for _ in range(max(self.layer, default=-1) + 1)]
        for item, at in enumerate(self.layer):
            found[at].append(item)
        return found


def closing(boxes: int, lines: Sequence[Line]) -> set[tuple[int, int]]:
    """The pairs of boxes whose lines lead back to where a walk along the lines came from."""
    after: list[dict[int, None]] = [{} for _ in range(boxes)]
    for line in lines:
        after[line.source][line.target] = None
    found = set()
    on_the_way, done = [False] * boxes, [False] * boxes
    for first in range(boxes):
        walk = [] if done[first] else [(first, iter(after[first]))]
        on_the_way[first] = bool(walk)
        while walk:
            box, ways = walk[-1]
            following = next(ways, None)
            if following is None:
                walk.pop()
                on_the_way[box], done[box] = False, True
            elif on_the_way[following]:
                found.add((box, following))
            elif not done[following]:
                on_the_way[following] = True
                walk.append((following, iter(after[following])))
    return found


def layered(heights: Sequence[float], lines: Sequence[Line]) -> Layered:
    """Boxes of these heights in layers, and the bends of the lines between them. There must be no cycle."""
    layer = _layers(len(heights), lines)
    longest = _longest_bent(lines, layer)
    chains = []
    for line in lines:
        passed = range(layer[line.source] + 1, layer[line.target])
        bends = range(len(layer), len(layer) + len(passed)) if len(passed) < longest else ()
        layer += passed if bends else ()
        chains.append([line.source, *bends, line.target])
    found = Layered(
        len(heights), layer, [*heights] + [0.0] * (len(layer) - len(heights)), chains,
        [[] for _ in layer], [[] for _ in layer],
    )  # fmt: skip
    for line, chain in zip(lines, chains, strict=True):
        for left, right in pairwise(chain):
            leaves = line.leaves if left == line.source else 0.0
            piece = Piece(left, leaves, right, line.enters if right == line.target else 0.0)
            found.behind[left].append(piece)
            found.before[right].append(piece)
    return found


def _layers(boxes: int, lines: Sequence[Line]) -> list[int]:
    """The layer of each box. What comes from nothing stands just before what it goes to."""
    after: dict[int, set[int]] = defaultdict(set)
    waiting = [0] * boxes
    for line in lines:
        if line.target not in after[line.source]:
            after[line.source].add(line.target)
            waiting[line.target] += 1
    sources = [box for box in range(boxes) if not waiting[box]]
    layer = [0] * boxes
    walk = [*sources]
    while walk:
        box = walk.pop()
        for following in after[box]:
            layer[following] = max(layer[following], layer[box] + 1)
            waiting[following] -= 1
            if not waiting[following]:
                walk.append(following)
    for box in sources:
        layer[box] = min((layer[following] for following in after[box]), default=1) - 1
    return layer


def _longest_bent(lines: Sequence[Line], layer: Sequence[int]) -> int:
    """Over how many layers a line may run and still bend in each."""
    bends = 0
    for span in sorted(layer[line.target] - layer[line.source] for line in lines):
        bends += span - 1
        if bends > _MOST_BENDS:
            return span - 1
    return len(layer)
