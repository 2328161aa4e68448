"""Walks over whole graphs, for the oracle: every edge is looked at in every step."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from catalog.domain.lineage import Question
from catalog.domain.words import Direction, Granularity
from oracle_events import Edge, Node

WAYS = ((-1, Direction.DOWNSTREAM), (1, Direction.UPSTREAM))


def _may_go(near: Node, far: Node, granularity: Granularity) -> bool:
    """A walk may begin at what is no node of the granularity, but never comes to such a thing again."""
    if granularity is Granularity.DATASET:
        return far[0] == "DATASET" or (far[0] == "JOB" and near[0] == "JOB")
    return (far[0] == "RUN") == (granularity is Granularity.RUN)


def walk(edges: Collection[Edge], roots: Iterable[Node], question: Question) -> tuple[dict[Node, int], set[Edge]]:
    """Breadth-first, each way on its own; what is found both ways keeps the nearer depth, upstream if equal."""
    roots = list(roots)
    depths = dict.fromkeys(roots, 0)
    walked: set[Edge] = set()
    for sign, other_way in WAYS:
        if question.direction is other_way:
            continue
        seen = dict.fromkeys(roots, 0)
        frontier = set(roots)
        for depth in range(1, question.depth + 1):
            steps = {(edge, *(edge[:2] if sign > 0 else edge[1::-1])) for edge in edges}
            taken = {
                (edge, far)
                for edge, near, far in steps
                if near in frontier and _may_go(near, far, question.granularity)
            }
            walked |= {edge for edge, _ in taken}
            frontier = {far for _, far in taken} - seen.keys()
            seen.update(dict.fromkeys(frontier, sign * depth))
        _nearest(depths, seen)
    return depths, walked


def walk_columns(
    edges: Collection[Edge], of_roots: Collection[Edge], roots: Iterable[Node], question: Question
) -> tuple[dict[Node, int], set[Edge]]:
    """The same among columns and wholes; jobs and runs are left by the edges `of_roots`, and only where it begins."""
    roots = list(roots)
    begun = {root for root in roots if root[0] in ("JOB", "RUN")}
    depths = dict.fromkeys(roots, 0)
    walked: set[Edge] = set()
    for sign, other_way in WAYS:
        if question.direction is other_way:
            continue
        shown = dict.fromkeys(roots, 0)
        stepped = set(roots)
        frontier = set(roots)
        for depth in range(1, question.depth + 1):
            taken = {edge for edge in edges if any(_is_at(edge[:2][sign < 0], here) for here in frontier)}
            taken |= {edge for edge in of_roots if edge[:2][sign < 0] in begun.intersection(frontier)}
            walked |= taken
            _nearest(shown, {edge[:2][sign < 0]: sign * (depth - 1) for edge in taken})
            frontier = {edge[:2][sign > 0] for edge in taken} - stepped
            stepped |= frontier
            _nearest(shown, dict.fromkeys(frontier, sign * depth))
        _nearest(depths, shown)
    return depths, walked


def _is_at(end: Node, here: Node) -> bool:
    """Whether who is here goes on by an edge with this end: a column has those of its whole, a whole all of them."""
    if here[0] not in ("COLUMN", "DATASET") or end[0] not in ("COLUMN", "DATASET"):
        return False
    return end == here or (end[1:3] == here[1:3] and "DATASET" in (end[0], here[0]))


def _nearest(depths: dict[Node, int], found: dict[Node, int]) -> None:
    for node, depth in found.items():
        if node not in depths or abs(depth) < abs(depths[node]):
            depths[node] = depth
