"""What two lineage answers differ in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

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
    """What came, what went and what changed from one answer to the other; `moved` nodes have another depth.

    Each list is in the order of the answer its items are from.
    """

    nodes_added: tuple[LineageNode, ...]
    nodes_removed: tuple[LineageNode, ...]
    nodes_moved: tuple[tuple[LineageNode, LineageNode], ...]
    edges_added: tuple[LineageEdge, ...]
    edges_removed: tuple[LineageEdge, ...]
    edges_changed: tuple[ChangedEdge, ...]


def difference(before: Lineage, after: Lineage) -> Difference:
    """From `before` to `after`.

    Edges with the same ends are the same where all of `SEEN` is; what is left of each pair of ends is compared by
    job, and then one with another, since a job that takes over from another changes the edge.
    """
    old, new = ({node.id: node for node in answer.nodes} for answer in (before, after))
    both = [(old[id], node) for id, node in new.items() if id in old]
    gone, come = _by_ends(before.edges), _by_ends(after.edges)
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
        tuple(node for id, node in new.items() if id not in old),
        tuple(node for id, node in old.items() if id not in new),
        tuple((one, other) for one, other in both if one.depth != other.depth),
        tuple(added),
        tuple(removed),
        tuple(changed),
    )


def differing(one: LineageEdge, other: LineageEdge) -> tuple[str, ...]:
    """Which parts of `SEEN` two edges differ in."""
    return tuple(name for name, a, b in zip(SEEN, _seen(one), _seen(other), strict=True) if a != b)


def _seen(edge: LineageEdge) -> tuple[object, ...]:
    return edge.job_id, edge.derivation, frozenset(edge.transformations), edge.masked


def _by_ends(edges: Iterable[LineageEdge]) -> dict[tuple[int, int], list[LineageEdge]]:
    by_ends: dict[tuple[int, int], list[LineageEdge]] = defaultdict(list)
    for edge in edges:
        by_ends[edge.source, edge.target].append(edge)
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
