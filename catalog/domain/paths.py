"""The shortest ways from one node of a graph to another, none of which comes by a node twice.

Best first: a way is judged by its length so far and by how far its end is from the goal, which one search backwards
from the goal says exactly. So no step is wasted where nothing goes in circles, and what would is bounded. Refused:
networkx, whose import takes longer than most questions and 28 MB, and whose search cannot be stopped on the way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Final, NamedTuple

MAX_STEPS: Final = 500_000
"""How many hops a search may look at, of all ways together: most of a second, and 50 MB at worst."""

Arcs = Mapping[int, Sequence[int]]
"""Where each node leads to."""


class Arc(NamedTuple):
    """A hop."""

    source: int
    target: int


@dataclass(frozen=True, slots=True)
class Found:
    """Ways, the shortest first. `more`: there is at least one beyond them; `cut`: the search was given up."""

    ways: tuple[tuple[Arc, ...], ...]
    more: bool = False
    cut: bool = False


class _Way(NamedTuple):
    """A way as its last hop and the way before it, so that a thousand ways share how they begin."""

    arc: Arc
    before: _Way | None

    def arcs(self) -> tuple[Arc, ...]:
        return tuple(reversed([way.arc for way in self._back()]))

    def comes_by(self, node: int) -> bool:
        return any(node in way.arc for way in self._back())

    def _back(self) -> Iterator[_Way]:
        way: _Way | None = self
        while way is not None:
            yield way
            way = way.before


def shortest(
    arcs: Arcs,
    start: int,
    goal: int,
    most: int,
    *,
    kin: Arcs | None = None,
    max_steps: int = MAX_STEPS,
) -> Found:
    """The `most` shortest ways; equally short ones in an order that follows that of the arcs.

    Args:
        arcs: the graph.
        start: where every way begins.
        goal: where it ends.
        most: how many are wanted, 0 or more.
        kin: nodes that stand for each other, as a column and its whole dataset do: a step from one may be an arc of
            the other, and who comes to one has come to the other. No way goes from kin to kin without an arc.
        max_steps: how many hops the search may look at before it gives up.
    """
    kin = kin or {}
    distance = _distances(arcs, goal, kin)
    begun, ended = {start, *kin.get(start, ())}, {goal, *kin.get(goal, ())}
    if start not in distance or begun & ended:
        return Found(())
    found: list[tuple[Arc, ...]] = []
    order = count()
    waiting: list[tuple[int, int, int, _Way | None]] = [(distance[start], 0, next(order), None)]
    steps = 0
    while waiting:
        _, short, _, way = heappop(waiting)
        end = start if way is None else way.arc.target
        if end in ended:
            if len(found) == most:
                return Found(tuple(found), more=True)
            found += [way.arcs()] if way else []
            continue
        length = 1 - short
        for source in (end, *kin.get(end, ())):
            if way and source != end and (source in begun or way.comes_by(source)):
                continue
            for target in arcs.get(source, ()):
                steps += length
                if target not in distance or target in begun or target == source or (way and way.comes_by(target)):
                    continue
                further = _Way(Arc(source, target), way)
                # Of ways that promise the same, the one that is nearest to its end.
                heappush(waiting, (length + distance[target], -length, next(order), further))
        if steps > max_steps:
            return Found(tuple(found), more=True, cut=True)
    return Found(tuple(found))


def nodes_of(way: Sequence[Arc], start: int, goal: int) -> list[int]:
    """Every node a way comes by: also its ends, and both of two kin where it goes on from the other one."""
    nodes = [start]
    for arc in way:
        nodes += [node for node in arc if node != nodes[-1]]
    return nodes if nodes[-1] == goal else [*nodes, goal]


def _distances(arcs: Arcs, goal: int, kin: Arcs) -> dict[int, int]:
    """How many hops each node is from the goal, if ways might come by nodes twice."""
    sources: dict[int, list[int]] = defaultdict(list)
    for source, targets in arcs.items():
        for target in targets:
            sources[target].append(source)
    ends: Collection[int] = {goal, *kin.get(goal, ())}
    distance = dict.fromkeys(ends, 0)
    hops = 0
    while ends:
        hops += 1
        near = {source for end in ends for source in sources.get(end, ())}
        ends = {node for source in near for node in (source, *kin.get(source, ()))} - distance.keys()
        distance.update(dict.fromkeys(ends, hops))
    return distance
