"""What two lineage answers differ in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from catalog.domain.components import components
from catalog.domain.lineage import Lineage, LineageEdge, LineageNode

SEEN: Final = ("job", "derivation", "transformations", "masked")
"""What of an edge can change: everything but when it held and which run confirmed it."""


@dataclass(frozen=True, slots=True)
class ChangedEdge:
    """An edge between the same two things that is another one now; `what` names the parts of `SEEN` that differ."""

    before: LineageEdge
    after: LineageEdge
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What came, what went and what changed from one answer to the other.

    `nodes_changed` have another depth, or are shown under another name.
    Each list is in the order of the answer its items are from.
    """

    nodes_added: tuple[LineageNode, ...]
    nodes_removed: tuple[LineageNode, ...]
    nodes_changed: tuple[tuple[LineageNode, LineageNode], ...]
    edges_added: tuple[LineageEdge, ...]
    edges_removed: tuple[LineageEdge, ...]
    edges_changed: tuple[ChangedEdge, ...]


def difference(before: Lineage, after: Lineage, same: Iterable[tuple[int, int]] = ()) -> Difference:
    """From `before` to `after`.

    What is known of names may differ between the two: `same` are ids of one thing, here and there.

    Edges with the same ends are the same where all of `SEEN` is; what is left of each pair of ends is compared by
    job, and then one with another, since a job that takes over from another changes the edge.
    """
    ids = _one_of_each(same)
    old, new = _by_id(before.nodes, ids), _by_id(after.nodes, ids)
    gone, come = _by_ends(before.edges, ids), _by_ends(after.edges, ids)
    removed: list[LineageEdge] = []
    added: list[LineageEdge] = []
    changed: list[ChangedEdge] = []
    for ends in {**gone, **come}:
        here, there = _without_common(gone.get(ends, []), come.get(ends, []))
        pairs = _paired(here, there)
        changed += [ChangedEdge(one, other, differing(one, other)) for one, other in pairs]
        removed += [edge for edge in here if not any(edge is one for one, _ in pairs)]
        added += [edge for edge in there if not any(edge is other for _, other in pairs)]
    return Difference(
        tuple(node for id, nodes in new.items() if id not in old for node in nodes),
        tuple(node for id, nodes in old.items() if id not in new for node in nodes),
        tuple(pair for id, nodes in new.items() if id in old for pair in _changed(old[id], nodes)),
        tuple(added),
        tuple(removed),
        tuple(changed),
    )


def _one_of_each(same: Iterable[tuple[int, int]]) -> Mapping[int, int]:
    """For each of these ids one that stands for all that are the same."""
    links = list(same)
    groups = components({id for link in links for id in link}, links)
    return {id: min(group) for group in groups for id in group}


def _by_id(nodes: Iterable[LineageNode], ids: Mapping[int, int]) -> dict[int, list[LineageNode]]:
    """The nodes of an answer; several are what others know to be one."""
    by_id: dict[int, list[LineageNode]] = defaultdict(list)
    for node in nodes:
        by_id[ids.get(node.id, node.id)].append(node)
    return by_id


def _changed(old: list[LineageNode], new: list[LineageNode]) -> Iterator[tuple[LineageNode, LineageNode]]:
    """Which node became which other one, of those that are the same thing."""
    for one, other in product(old, new):
        if (one.depth, one.namespace, one.name) != (other.depth, other.namespace, other.name):
            yield one, other


def differing(one: LineageEdge, other: LineageEdge) -> tuple[str, ...]:
    """Which parts of `SEEN` two edges differ in."""
    return tuple(name for name, a, b in zip(SEEN, _seen(one), _seen(other), strict=True) if a != b)


def _seen(edge: LineageEdge) -> tuple[object, ...]:
    return edge.job_id, edge.derivation, frozenset(edge.transformations), edge.masked


def _by_ends(edges: Iterable[LineageEdge], ids: Mapping[int, int]) -> dict[tuple[int, int], list[LineageEdge]]:
    by_ends: dict[tuple[int, int], list[LineageEdge]] = defaultdict(list)
    for edge in edges:
        by_ends[ids.get(edge.source, edge.source), ids.get(edge.target, edge.target)].append(edge)
    return by_ends


def _without_common(before: list[LineageEdge], after: list[LineageEdge]) -> tuple[list[LineageEdge], list[LineageEdge]]:
    """The edges of each side that the other does not have; a walk answers no two that are alike."""
    common = {_seen(edge) for edge in before} & {_seen(edge) for edge in after}
    return (
        [edge for edge in before if _seen(edge) not in common],
        [edge for edge in after if _seen(edge) not in common],
    )


def _paired(before: list[LineageEdge], after: list[LineageEdge]) -> list[tuple[LineageEdge, LineageEdge]]:
    """Which edge became which: first those through the same job, then the rest in their order."""
    pairs: list[tuple[LineageEdge, LineageEdge]] = []
    left = list(after)
    rest = []
    for edge in before:
        same = next((other for other in left if other.job_id == edge.job_id), None)
        if same is None:
            rest.append(edge)
        else:
            left.remove(same)
            pairs.append((edge, same))
    return [*pairs, *zip(rest, left, strict=False)]
