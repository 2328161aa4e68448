"""Questions that are asked of a lineage answer as a whole: paths in it, loops in it, and what two of them differ in.

The walk brings the graph, bounded in nodes and edges; what is then done with it is pure, and bounded too. Every
answer says by what it was cut, if it was (law 8).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from msgspec.structs import replace as moved

from catalog.domain.errors import BadRequest
from catalog.domain.ids import field_id
from catalog.domain.lineage import EntityRef, Lineage, LineageEdge, LineageNode, Question
from catalog.domain.loops import loops
from catalog.domain.paths import Arc, Arcs, nodes_of, shortest
from catalog.domain.words import Direction, EntityKind, Granularity
from catalog.store.engine import Read
from catalog.store.lineage import answer
from catalog.store.names import Names
from catalog.store.paging import Page
from catalog.store.read import datasets
from catalog.store.read.datasets import DatasetFilter

MOST_LOOPS: Final = 1_000
"""How many loops an answer has at most."""
MOST_ROOTS: Final = 1_000
"""How many datasets of a namespace a question begins with at most."""

_DATASETS: Final = frozenset({EntityKind.DATASET, EntityKind.MODEL})
_OF_DATASETS: Final = _DATASETS | {EntityKind.COLUMN}
_NODES: Final = {
    Granularity.DATASET: _DATASETS,
    Granularity.JOB: _DATASETS | {EntityKind.JOB},
    Granularity.COLUMN: _DATASETS | {EntityKind.COLUMN},
    Granularity.RUN: frozenset({EntityKind.RUN}),
}
"""The kinds of nodes that a walk comes to at each granularity, beside those it begins at."""


@dataclass(frozen=True, slots=True)
class Path:
    """A way of the data. A node's depth is how many hops it is from the first.

    `edges` has all edges of every hop, in the order of hops: several jobs may do the same. `masked`: on one hop at
    least, every edge hides the value.
    """

    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]
    length: int
    masked: bool


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths, the shortest first. Cut by anything but `first`, there may be shorter ones that were not found."""

    paths: tuple[Path, ...]
    truncated_by: str | None


@dataclass(frozen=True, slots=True)
class Loop:
    """Things that all lead to each other, and the edges between them."""

    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]


@dataclass(frozen=True, slots=True)
class Loops:
    """Loops, the largest first."""

    loops: tuple[Loop, ...]
    truncated_by: str | None


def paths(connection: Read, start: EntityRef, goal: EntityRef, most: int, how: Question) -> Paths:
    """The `most` shortest paths, none of which comes by a thing twice. Of `how`, the roots and the way are not used.

    Every path lies in what is upstream of the goal, and in what is downstream of the start: where one of the two is
    known whole, so are all paths.

    Raises:
        UnknownEntity: one of the two is not in the catalog.
        BadRequest: they are the same thing.
    """
    first, last = (_root(connection, ref, how) for ref in (start, goal))
    up = replace(how, of=(goal,), direction=Direction.UPSTREAM, hidden=False)
    down = replace(up, of=(start,), direction=Direction.DOWNSTREAM)
    found = _walked(connection, up, down, first)
    if found.truncated:
        other = _walked(connection, down, up, last)
        found = _joined(found, other) if other.truncated else other
    nodes = {node.id: node for node in (*found.nodes, first, last)}
    kin = _kin(nodes.values())
    if first.id == last.id or last.id in kin.get(first.id, ()):
        raise BadRequest("`from` and `to` are the same thing.", fix="Ask `cycles` for the ways that lead back to it.")
    between = _between(found.edges)
    ways = shortest(_arcs(between, nodes), first.id, last.id, most, kin=kin)
    cut = "maxSteps" if ways.cut else "first" if ways.more else None
    by = [nodes_of(way, first.id, last.id) for way in ways.ways]
    nodes = with_hidden(connection, {id: nodes[id] for ids in by for id in ids}, how)
    shown = tuple(_path(way, ids, nodes, between) for way, ids in zip(ways.ways, by, strict=True))
    return Paths(shown, found.truncated_by or cut)


def cycles(connection: Read, of: Sequence[EntityRef], namespace: str | None, how: Question) -> Loops:
    """The loops in the lineage around these things, or around all datasets of a namespace.

    A thing with an edge to itself is a loop of one. Of `how`, the roots and the way are not used.

    Raises:
        UnknownEntity: one of them is not in the catalog.
    """
    roots, more_roots = list(of), False
    if namespace is not None:
        page = datasets.page(connection, DatasetFilter(namespace=namespace), Page(MOST_ROOTS))
        roots += [EntityRef(EntityKind.DATASET, row.namespace, row.name) for row in page.items]
        more_roots = page.has_next
    if not roots:
        return Loops((), None)
    found = answer(connection, replace(how, of=tuple(roots), direction=Direction.BOTH, hidden=False))
    nodes = {node.id: node for node in found.nodes}
    kin = _kin(found.nodes)
    arcs = _arcs(_between(found.edges), nodes)
    # Whoever comes to a column has come to its dataset: what leads on from the one leads on from the other.
    steps = {node: [target for at in (node, *kin.get(node, ())) for target in arcs.get(at, ())] for node in nodes}
    rings = loops(steps)
    shown = [_loop(ring, kin, found) for ring in rings[:MOST_LOOPS]]
    counted = with_hidden(connection, {node.id: node for loop in shown for node in loop.nodes}, how)
    shown = [replace(loop, nodes=tuple(counted[node.id] for node in loop.nodes)) for loop in shown]
    cut = "maxCycles" if len(rings) > MOST_LOOPS else "maxRoots" if more_roots else None
    return Loops(tuple(shown), found.truncated_by or cut)


def ids_here(connection: Read, elsewhere: Lineage) -> list[tuple[int, int]]:
    """The nodes of an answer from elsewhere that are shown under other names here: their ids there and here."""
    owners = {node.id: node.dataset_id or node.id for node in elsewhere.nodes if node.kind in _OF_DATASETS}
    names = Names(connection)
    names.learn(owners.values())
    return [
        (node.id, shown if node.column is None else field_id(shown, node.column))
        for node in elsewhere.nodes
        if node.id in owners and (shown := names.canonical[owners[node.id]]) != owners[node.id]
    ]


def _root(connection: Read, ref: EntityRef, how: Question) -> LineageNode:
    """The node a reference names."""
    alone = replace(how, of=(ref,), depth=0, hidden=False, transformations=False, last_runs=False, first_seen=False)
    nodes = answer(connection, alone).nodes
    return next((node for node in nodes if node.column == ref.column), nodes[0])


def with_hidden(connection: Read, shown: Mapping[int, LineageNode], how: Question) -> dict[int, LineageNode]:
    """Nodes that an answer shows, with how many neighbours it does not show, if `how` asks for that."""
    refs = tuple(EntityRef(node.kind, node.namespace, node.name, node.column) for node in shown.values())
    if not (how.hidden and refs):
        return dict(shown)
    alone = replace(how, of=refs, depth=0, names=False, transformations=False, last_runs=False, first_seen=False)
    counts = {node.id: (node.hidden_upstream, node.hidden_downstream) for node in answer(connection, alone).nodes}
    return {
        id: moved(node, hidden_upstream=up, hidden_downstream=down)
        for id, node in shown.items()
        for up, down in [counts.get(id, (0, 0))]
    }


def _walked(connection: Read, question: Question, back: Question, end: LineageNode) -> Lineage:
    """What a walk finds; `end` is where it is to come to, and `back` the walk from there.

    What is no node of this granularity, a job among datasets, is only where a walk begins: its one hop is added.
    """
    found = answer(connection, question)
    if end.kind in _NODES[question.granularity]:
        return found
    return _joined(found, answer(connection, replace(back, depth=1)))


def _joined(some: Lineage, others: Lineage) -> Lineage:
    """The nodes and edges of two answers."""
    known = {node.id for node in some.nodes}
    nodes = (*some.nodes, *(node for node in others.nodes if node.id not in known))
    edges = {(e.source, e.target, e.job_id, e.derivation): e for e in (*some.edges, *others.edges)}
    cut = some.truncated_by or others.truncated_by
    return replace(some, nodes=nodes, edges=tuple(edges.values()), truncated=cut is not None, truncated_by=cut)


def _kin(nodes: Iterable[LineageNode]) -> dict[int, list[int]]:
    """Columns and their whole datasets, which stand for each other."""
    every = {node.id: node for node in nodes}
    kin: dict[int, list[int]] = defaultdict(list)
    for node in every.values():
        if node.kind is EntityKind.COLUMN and node.dataset_id in every:
            kin[node.id].append(node.dataset_id)
            kin[node.dataset_id].append(node.id)
    return kin


def _between(edges: Iterable[LineageEdge]) -> dict[Arc, list[LineageEdge]]:
    between: dict[Arc, list[LineageEdge]] = defaultdict(list)
    for edge in edges:
        between[Arc(edge.source, edge.target)].append(edge)
    return between


def _arcs(between: Iterable[Arc], nodes: Iterable[int]) -> Arcs:
    """Where each node leads to, in the order of the nodes: names are more to a reader than ids."""
    place = {id: number for number, id in enumerate(nodes)}
    arcs: dict[int, list[int]] = defaultdict(list)
    for arc in sorted(between, key=lambda arc: place[arc.target]):
        arcs[arc.source].append(arc.target)
    return arcs


def _path(
    way: Sequence[Arc], ids: Sequence[int], nodes: Mapping[int, LineageNode], between: dict[Arc, list[LineageEdge]]
) -> Path:
    hops = [between[arc] for arc in way]
    depths = {way[0].source: 0} | {arc.target: hop for hop, arc in enumerate(way, 1)}
    shown, depth = [], 0
    for id in ids:
        depth = depths.get(id, depth)
        shown.append(moved(nodes[id], depth=depth))
    masked = any(all(edge.masked for edge in hop) for hop in hops)
    return Path(tuple(shown), tuple(edge for hop in hops for edge in hop), len(way), masked)


def _loop(ring: frozenset[int], kin: dict[int, list[int]], found: Lineage) -> Loop:
    """The nodes of a loop, those that stand for others in it, and the edges it is made of."""
    leaving = ring | {other for node in ring for other in kin.get(node, ())}
    edges = tuple(edge for edge in found.edges if edge.source in leaving and edge.target in ring)
    ends = ring | {edge.source for edge in edges}
    return Loop(tuple(node for node in found.nodes if node.id in ends), edges)
