"""Lineage answers: breadth first by levels, one indexed statement a level, walked one way or both.

The walk is over canonical datasets, jobs and runs, or over columns; `hops` and `field_hops` say what one step
reaches. It is bounded by depth, nodes and edges, takes nodes of a level in the order of their ids so that a cut answer
does not depend on chance, and says which bound cut it (law 8). Refused: recursive CTEs, which were slower at every size
and cannot stop at a node budget.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from catalog.domain.lineage import Lineage, LineageEdge, LineageNode, Question
from catalog.domain.words import Derivation, Direction, EntityKind, Granularity
from catalog.store.engine import Read
from catalog.store.field_hops import FieldSteps
from catalog.store.hop import EdgeKey, Found, Hop
from catalog.store.hops import Steps as NodeSteps
from catalog.store.read.as_of import kinds_then
from catalog.store.roots import find_roots
from catalog.store.seen import Sight
from catalog.store.shown import Named, named
from catalog.store.steps import Steps

_WAYS = {Direction.UPSTREAM: (True,), Direction.DOWNSTREAM: (False,), Direction.BOTH: (True, False)}
_NONE_HIDDEN = (0, 0)
_DERIVATIONS = {int(derivation): derivation for derivation in Derivation}


@dataclass(slots=True)
class _Walk:
    """What the walk has found so far: nodes with their signed depth, and edges with when they held."""

    steps: Steps
    nodes: dict[int, int]
    edges: dict[EdgeKey, tuple[int, int]] = field(default_factory=dict)
    truncated_by: str | None = None
    depth_reached: int = 0


def answer(connection: Read, question: Question) -> Lineage:
    """The lineage asked for. Raises UnknownEntity if a root is not in the catalog, BadRequest if nobody can tell."""
    roots = find_roots(connection, question.of, question.granularity)
    window, indirect = question.window, question.include_indirect
    steps: Steps
    if question.granularity is Granularity.COLUMN:
        steps = FieldSteps(connection, window, roots.kinds, roots.columns, include_indirect=indirect)
    else:
        steps = NodeSteps(connection, question.granularity, window, roots.kinds, include_indirect=indirect)
    walk = _Walk(steps, dict.fromkeys(roots.kinds, 0))
    _go(walk, question)
    hidden = _hidden(walk) if question.hidden else {}
    return Lineage(
        kinds_then(connection, _nodes(connection, walk, hidden, names=question.names), question),
        _edges(walk, question),
        walk.truncated_by is not None,
        walk.truncated_by,
        walk.depth_reached,
    )


def _go(walk: _Walk, question: Question) -> None:
    """Walk from the roots, both ways at once; a node found both ways keeps the depth that is nearer to 0."""
    frontiers = {upstream: list(walk.nodes) for upstream in _WAYS[question.direction]}
    seen = {upstream: set(walk.nodes) for upstream in frontiers}
    for depth in range(1, question.depth + 1):
        steps = walk.steps.step(frontiers)
        for upstream, found in steps.items():
            _add_beside(walk, found, question.max_nodes, 1 - depth if upstream else depth - 1)
        for upstream, found in steps.items():
            reached = _add(walk, found, question, -depth if upstream else depth)
            frontiers[upstream] = list(reached - seen[upstream])
            seen[upstream].update(frontiers[upstream])
        if not any(frontiers.values()):
            return
        walk.depth_reached = depth


def _add_beside(walk: _Walk, found: Found, most: int, depth: int) -> None:
    """Take ends that hops have where the step began: the whole of a column's dataset, or the columns of a whole."""
    for id in sorted(found.beside):
        known = walk.nodes.get(id)
        if known is None and len(walk.nodes) >= most:
            walk.truncated_by = "maxNodes"
        elif known is None or (abs(depth), depth) < (abs(known), known):
            walk.nodes[id] = depth


def _add(walk: _Walk, found: Found, question: Question, depth: int) -> set[int]:
    """Take the hops of one level as far as there is room; the answer is what they reach."""
    reached = found.far(upstream=depth < 0)
    fresh = [id for id in reached if id not in walk.nodes]
    room = question.max_nodes - len(walk.nodes)
    if len(fresh) > room:
        walk.truncated_by = "maxNodes"
        fresh.sort()
        reached.difference_update(fresh[room:])
        del fresh[room:]
    walk.nodes.update(dict.fromkeys(fresh, depth))
    if walk.truncated_by:
        # Only a cut leaves hops that end in what is not shown.
        found = found.between(walk.nodes.keys())
    _add_edges(walk, found, question.max_edges)
    return reached


def _add_edges(walk: _Walk, found: Found, most: int) -> None:
    """Multiply products into hops, and take the edges they make, until there are as many as may be."""
    hops: Iterable[Hop] = chain(found.hops, *(one.hops() for one in found.products))
    if len(walk.edges) + len(found.hops) + sum(map(len, found.products)) > most:
        # Which are left out must not depend on chance; and no more are multiplied than there is room for.
        hops = chain(sorted(found.hops), *(one.hops() for one in sorted(found.products)))
    edges = walk.edges
    for source, target, job, derivation, start, end in hops:
        edge = (source, target, job, derivation)
        known = edges.get(edge)
        if known is not None:
            edges[edge] = (min(known[0], start), max(known[1], end))
        elif len(edges) < most:
            edges[edge] = (start, end)
        else:
            walk.truncated_by = walk.truncated_by or "maxEdges"
            return


def _nodes(
    connection: Read, walk: _Walk, hidden: Mapping[int, tuple[int, int]], *, names: bool
) -> tuple[LineageNode, ...]:
    """The nodes, nearest first, then by name; without names by id."""
    depths, kinds, columns = walk.nodes, walk.steps.kinds, walk.steps.columns
    if not (names or columns or hidden):
        placed_ids = sorted((abs(depth), depth, id) for id, depth in depths.items())
        return tuple(LineageNode(id, kinds.get(id, EntityKind.DATASET), "", "", depth) for _, depth, id in placed_ids)
    shown = [id for id in depths if id in columns] if columns else []
    owners = {columns[id].dataset for id in shown}.difference(depths)
    known: Iterable[Named] = ((id, kinds.get(id, EntityKind.DATASET), "", "") for id in (*depths, *owners))
    found = list(named(connection, [*depths, *owners], kinds) if names else known)
    # In the order of nodes; what is behind the id is never compared.
    placed: list[tuple[int, int, str, str, str, int, EntityKind, int | None]] = [
        (abs(depths[id]), depths[id], space, name, "", id, kind, None)
        for id, kind, space, name in found
        if id in depths and id not in columns
    ]
    if shown:
        spaces = {id: (space, name) for id, _, space, name in found}
        placed += [
            (abs(depths[id]), depths[id], *spaces[owner], column, id, EntityKind.COLUMN, owner)
            for id, (owner, column) in ((id, columns[id]) for id in shown)
        ]
    placed.sort()
    return tuple(
        LineageNode(id, kind, space, name, depth, column or None, up, down, owner)
        for _, depth, space, name, column, id, kind, owner in placed
        for up, down in (hidden.get(id, _NONE_HIDDEN),)
    )


def _hidden(walk: _Walk) -> dict[int, tuple[int, int]]:
    """Of each node how many neighbours the answer does not show, upstream and downstream.

    A column has those of its whole as well, and a whole those of all its columns.
    """
    shown, columns = walk.nodes, walk.steps.columns
    around = walk.steps.step(dict.fromkeys((True, False), sorted(shown)))
    counts: list[dict[int, int]] = []
    for upstream in (True, False):
        beyond: dict[int, set[int]] = defaultdict(set)
        in_columns: dict[int, set[int]] = defaultdict(set)
        for hop in around[upstream].hops:
            near, far = (hop[1], hop[0]) if upstream else hop[:2]
            if far not in shown:
                beyond[near].add(far)
                if near in columns:
                    in_columns[columns[near].dataset].add(far)
        for one in around[upstream].products:
            unseen = set(one.far(upstream=upstream)).difference(shown)
            for near in one.near(upstream=upstream) if unseen else ():
                beyond[near] |= unseen
        counts.append(
            {id: len(beyond[id] | (beyond[columns[id].dataset] if id in columns else in_columns[id])) for id in shown}
        )
    return {id: (counts[0][id], counts[1][id]) for id in shown}


def _edges(walk: _Walk, question: Question) -> tuple[LineageEdge, ...]:
    """The edges with how data changed on the way, since when they held and who confirmed them last."""
    order = sorted(walk.edges)
    if not (question.transformations or question.first_seen or question.last_runs):
        return tuple(
            LineageEdge(source, target, _DERIVATIONS[how], job or None, start, start)
            for source, target, job, how in order
            for start, _ in (walk.edges[source, target, job, how],)
        )
    changes = walk.steps.transformations(order) if question.transformations else {}
    seen = Sight(walk.steps, question).of(walk.edges)
    return tuple(
        LineageEdge(source, target, _DERIVATIONS[how], job or None, *seen[edge], changes.get(edge, ()))
        for edge in order
        for source, target, job, how in (edge,)
    )
