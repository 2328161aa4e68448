"""Lineage: the question as the client puts it, the answer as nodes and edges."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, Self, TypeAlias, TypeVar

import strawberry
from strawberry.types.nodes import SelectedField, Selection

from catalog.api.graphql.arguments import TimeRange
from catalog.api.graphql.context import Context, Info
from catalog.api.graphql.enums import Derivation, Direction, EntityKind, Granularity
from catalog.api.graphql.errors import UserError
from catalog.api.graphql.scalars import DateTime
from catalog.api.graphql.types import parts
from catalog.api.graphql.types.node import Node, global_id
from catalog.domain import lineage
from catalog.domain.timeline import ALWAYS, NOW, Window
from catalog.domain.words import Node as NodeKind
from catalog.store.engine import Read
from catalog.store.lineage import answer as walk
from catalog.store.read import datasets, jobs, runs, subjects

T = TypeVar("T")
_ByIds: TypeAlias = Callable[Concatenate[Read, Collection[int], ...], Mapping[int, T]]

_TYPES = {
    EntityKind.DATASET: "Dataset", EntityKind.MODEL: "Dataset", EntityKind.JOB: "Job", EntityKind.RUN: "Run",
    EntityKind.COLUMN: "Column",
}  # fmt: skip


class Things:
    """What there is to say of the things in one answer.

    All of them are known, so the first that is asked for reads all, and there is nothing to wait for: loaders, which
    make a task of every field of every node, took longer than the walk.
    """

    def __init__(self, context: Context) -> None:
        """Nothing is read yet."""
        self._context = context
        self._ids: dict[EntityKind, set[int]] = {kind: set() for kind in EntityKind}
        self._found: dict[Hashable, Mapping[int, Any]] = {}

    def note(self, kind: EntityKind, id: int | None) -> None:
        """It is in the answer."""
        if id is not None:
            self._ids[kind].add(id)

    def get(self, read: _ByIds[T], kind: EntityKind, id: int | None, *args: NodeKind) -> T | None:
        """What a function of the store that reads by ids says of one of them."""
        asked = (read, kind, args)
        if asked not in self._found:
            self._found[asked] = self._context.ask(read, self._ids[kind], *args)
        return None if id is None else self._found[asked].get(id)

    def job(self, id: int | None) -> types.job.Job | None:
        """A job."""
        row = self.get(jobs.by_ids, EntityKind.JOB, id)
        return None if row is None else types.job.Job.of(row)

    def run(self, id: int | None) -> types.run.Run | None:
        """A run."""
        row = self.get(runs.by_ids, EntityKind.RUN, id)
        return None if row is None else types.run.Run.of(row)

    def dataset(self, id: int) -> types.dataset.Dataset | None:
        """A dataset, under the name it is shown by."""
        row = self.get(datasets.by_ids, EntityKind.DATASET, id)
        return None if row is None else types.dataset.Dataset.of(row)


@strawberry.type(description="A thing in a lineage answer.")
class LineageNode:
    """A node."""

    key: strawberry.Private[int]
    things: strawberry.Private[Things]
    id: strawberry.ID = strawberry.field(description="The id of the thing itself, which `node` finds.")
    kind: EntityKind = strawberry.field(description="What it is.")
    namespace: str = strawberry.field(description="Its namespace; of a run, that of its job.")
    name: str = strawberry.field(description="Its name; of a run, its run id.")
    column: str | None = strawberry.field(description="The column, where the node is one.")
    depth: int = strawberry.field(description="Hops from the start: negative upstream, 0 the start itself.")
    hidden_upstream: int = strawberry.field(description="How many direct sources of it the answer does not show.")
    hidden_downstream: int = strawberry.field(description="How many direct targets of it the answer does not show.")

    @classmethod
    def of(cls, node: lineage.LineageNode, things: Things) -> Self:
        """From a record; `things` are those of its answer."""
        things.note(_kept_as(node.kind), node.id)
        return cls(
            key=node.id,
            things=things,
            id=global_id(_TYPES[node.kind], node.id),
            kind=node.kind,
            namespace=node.namespace,
            name=node.name,
            column=node.column,
            depth=node.depth,
            hidden_upstream=node.hidden_upstream,
            hidden_downstream=node.hidden_downstream,
        )

    @strawberry.field(description="The thing itself.")
    def entity(self) -> Node | None:
        """A dataset, job or run."""
        match self.kind:
            case EntityKind.JOB:
                return self.things.job(self.key)
            case EntityKind.RUN:
                return self.things.run(self.key)
            case _:
                return self.things.dataset(self.key)

    @strawberry.field(description="Its tags as `key`, or `key=value` where the value says more than true.")
    def tags(self) -> list[str]:
        """Tags of the dataset or job as a whole."""
        shown = (row for row in self._attached(subjects.tags) if row.field is None)
        return [row.key if row.value in ("", "true") else f"{row.key}={row.value}" for row in shown]

    @strawberry.field(description="The names of who answers for it.")
    def owners(self) -> list[str]:
        """Owners of the dataset or job."""
        return list(dict.fromkeys(row.name for row in self._attached(subjects.owners)))

    def _attached(self, read: _ByIds[list[T]]) -> Sequence[T]:
        if self.kind is EntityKind.RUN:
            return ()
        kind = _kept_as(self.kind)
        return self.things.get(read, kind, self.key, NodeKind[kind.name]) or ()


def _kept_as(kind: EntityKind) -> EntityKind:
    """A model is a dataset."""
    return EntityKind.DATASET if kind is EntityKind.MODEL else kind


@strawberry.type(description="That data goes from one thing to another.")
class LineageEdge:
    """An edge."""

    edge: strawberry.Private[lineage.LineageEdge]
    things: strawberry.Private[Things]
    source: strawberry.ID = strawberry.field(description="The `id` of the node data comes from.")
    target: strawberry.ID = strawberry.field(description="The `id` of the node it goes to.")
    derivation: Derivation = strawberry.field(description="How this is known.")
    transformations: list[parts.HowMade] = strawberry.field(
        description="How data is changed on this way, as producers say of columns: each way once. Empty where nobody "
        "said: of all edges that are IMPLICIT, and of most that have a job or run at one end."
    )
    masked: bool = strawberry.field(
        description="Whether every direct one of `transformations` hides the value (where all are indirect: all of "
        "them); false where there are none."
    )
    first_seen: DateTime = strawberry.field(description="Since when this held.")
    last_seen: DateTime = strawberry.field(description="When it was last confirmed by a run or a declaration.")

    @classmethod
    def of(cls, edge: lineage.LineageEdge, ids: dict[int, strawberry.ID], things: Things) -> Self:
        """From a record; `ids` are those of the answer's nodes, `things` all it names."""
        things.note(EntityKind.JOB, edge.job_id)
        things.note(EntityKind.RUN, edge.last_run_id)
        return cls(
            edge=edge,
            things=things,
            source=ids[edge.source],
            target=ids[edge.target],
            derivation=edge.derivation,
            transformations=[parts.HowMade.of(how) for how in edge.transformations],
            masked=edge.masked,
            first_seen=DateTime(edge.first_seen),
            last_seen=DateTime(edge.last_seen),
        )

    @strawberry.field(description="The job that does it; null where a dataset itself declares it.")
    def job(self) -> types.job.Job | None:
        """The job."""
        return self.things.job(self.edge.job_id)

    @strawberry.field(description="The last run that did it.")
    def last_run(self) -> types.run.Run | None:
        """The run."""
        return self.things.run(self.edge.last_run_id)


@strawberry.type(description="Where data comes from and where it goes.")
class Lineage:
    """The answer."""

    nodes: list[LineageNode] = strawberry.field(description="The things, nearest to the start first.")
    edges: list[LineageEdge] = strawberry.field(description="What goes from one of them to another.")
    truncated: bool = strawberry.field(description="Whether there is more than is shown.")
    truncated_by: str | None = strawberry.field(description="The limit that cut it: maxNodes, maxEdges …")
    depth_reached: int = strawberry.field(description="How many hops away the farthest node is.")
    as_of: DateTime | None = strawberry.field(description="The moment it was asked for; null: now, or a range of time.")


@dataclass(frozen=True, slots=True)
class Walk:
    """How to walk, as the arguments say it."""

    direction: Direction
    granularity: Granularity
    depth: int | None
    include_indirect: bool | None
    max_nodes: int | None


@dataclass(frozen=True, slots=True)
class When:
    """Which time is asked about, as the arguments say it: at most one of the three."""

    as_of: DateTime | None
    during: TimeRange | None
    cumulative: bool | None

    def window(self) -> Window:
        """The range of moments.

        Raises:
            UserError: more than one was given, or a range that ends before it begins.
        """
        if (self.as_of is not None) + (self.during is not None) + bool(self.cumulative) > 1:
            raise UserError("`asOf`, `during` and `cumulative` exclude each other. Give one of them.")
        if self.as_of is not None:
            return Window(self.as_of, self.as_of)
        if self.during is not None:
            first = ALWAYS.first if self.during.from_ is None else self.during.from_
            last = ALWAYS.last if self.during.to is None else self.during.to
            if first > last:
                raise UserError("`during` ends before it begins. Its `from` must not be after its `to`.")
            return Window(first, last)
        return ALWAYS if self.cumulative else NOW


def answer(info: Info, of: Sequence[lineage.EntityRef], how: Walk, when: When) -> Lineage:
    """Ask the store, and give its answer the shape clients see."""
    if not of:
        raise UserError("`of` is empty. Name at least one thing to begin with.")
    if how.depth is not None and how.depth < 0:
        raise UserError(f"A depth of {how.depth} hops. Ask for 0 or more.")
    bounds = info.context.bounds
    question = lineage.Question(
        of=tuple(of),
        direction=how.direction,
        granularity=how.granularity,
        depth=bounds.max_nodes if how.depth is None else min(how.depth, bounds.max_nodes),
        window=when.window(),
        include_indirect=how.include_indirect is not False,
        max_nodes=_nodes_allowed(how.max_nodes, bounds.max_nodes),
        max_edges=bounds.max_edges,
        hidden=not {"hiddenUpstream", "hiddenDownstream"}.isdisjoint(_names(info.selected_fields)),
    )
    found = info.context.ask(walk, question)
    things = Things(info.context)
    nodes = [LineageNode.of(node, things) for node in found.nodes]
    ids = {node.key: node.id for node in nodes}
    return Lineage(
        nodes=nodes,
        edges=[LineageEdge.of(edge, ids, things) for edge in found.edges],
        truncated=found.truncated,
        truncated_by=found.truncated_by,
        depth_reached=found.depth_reached,
        as_of=when.as_of,
    )


def _nodes_allowed(asked: int | None, most: int) -> int:
    if asked is None:
        return min(1_000, most)
    if asked < 1:
        raise UserError(f"At most {asked} nodes. Ask for 1 or more with `maxNodes`.")
    if asked > most:
        raise UserError(
            f"The question asks for {asked} nodes, more than the {most} allowed (CATALOG_LINEAGE_MAX_NODES). "
            "Ask for fewer with `maxNodes`, or for less `depth`.",
            code="LIMIT_EXCEEDED",
            limit="max_nodes",
        )
    return asked


def _names(selections: Sequence[Selection]) -> Iterator[str]:
    """The names of all fields selected, at any depth."""
    for selection in selections:
        if isinstance(selection, SelectedField):
            yield selection.name
        yield from _names(selection.selections)


from catalog.api.graphql import types  # noqa: E402 - behind the classes: see the package
