"""Lineage: the question as the client puts it, the answer as nodes and edges."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Concatenate, Self, TypeAlias, TypeVar

import strawberry
from strawberry.types.nodes import SelectedField, Selection

from catalog.api.graphql.arguments import TimeRange
from catalog.api.graphql.context import Context, Info, Reader
from catalog.api.graphql.enums import Derivation, Direction, EntityKind, Granularity
from catalog.api.graphql.errors import UserError
from catalog.api.graphql.scalars import DateTime
from catalog.api.graphql.types import parts, picture
from catalog.api.graphql.types.manual import Declarations, ManualLineage
from catalog.api.graphql.types.moments import View
from catalog.api.graphql.types.node import Node, global_id
from catalog.domain import lineage
from catalog.domain.timeline import ALWAYS, NOW, Window
from catalog.domain.words import Node as NodeKind
from catalog.facets import understood
from catalog.store.engine import Read
from catalog.store.lineage import answer as walk
from catalog.store.read import as_of, origins, runs
from catalog.store.surroundings import Around

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

    def __init__(self, reader: Reader, window: Window = NOW) -> None:
        """Nothing is read yet. `window` is what the answer is about, `reader` what made it."""
        self.window = window
        self.view = View(window.moment, None if isinstance(reader, Context) else reader)
        self.declarations = Declarations(reader, window)
        self._reader = reader
        self._ids: dict[EntityKind, set[int]] = {kind: set() for kind in EntityKind}
        self._found: dict[Hashable, Mapping[int, Any]] = {}

    def note(self, kind: EntityKind, id: int | None) -> None:
        """It is in the answer."""
        if id is not None:
            self._ids[kind].add(id)

    def get(self, read: _ByIds[T], kind: EntityKind, id: int | None, *args: Hashable) -> T | None:
        """What a function of the store that reads by ids says of one of them."""
        asked = (read, kind, args)
        if asked not in self._found:
            self._found[asked] = self._reader.ask(read, self._ids[kind], *args)
        return None if id is None else self._found[asked].get(id)

    def job(self, id: int | None) -> types.job.Job | None:
        """A job."""
        row = self.get(as_of.jobs, EntityKind.JOB, id, self.view.as_of, understood)
        return None if row is None else types.job.Job.of(row, self.view)

    def run(self, id: int | None) -> types.run.Run | None:
        """A run."""
        row = self.get(runs.by_ids, EntityKind.RUN, id, self.view.then)
        return None if row is None else types.run.Run.of(row, self.view)

    def dataset(self, id: int) -> types.dataset.Dataset | None:
        """A dataset, under the name it is shown by."""
        row = self.get(as_of.datasets, EntityKind.DATASET, id, self.view.as_of, understood)
        return None if row is None else types.dataset.Dataset.of(row, self.view)


@strawberry.type(description="A thing in a lineage answer.")
class LineageNode:
    """A node."""

    key: strawberry.Private[int]
    known_as: strawberry.Private[int]
    things: strawberry.Private[Things]
    id: strawberry.ID = strawberry.field(description="The id of the thing itself, which `node` finds.")
    kind: EntityKind = strawberry.field(
        description="What it is. A DATASET among columns is the whole of it, every column."
    )
    namespace: str = strawberry.field(description="Its namespace; of a run, that of its job.")
    name: str = strawberry.field(description="Its name; of a run, its run id.")
    column: str | None = strawberry.field(description="The column, where the node is one.")
    depth: int = strawberry.field(description="Hops from the start: negative upstream, 0 the start itself.")
    hidden_upstream: int = strawberry.field(description="How many direct sources of it the answer does not show.")
    hidden_downstream: int = strawberry.field(description="How many direct targets of it the answer does not show.")

    @classmethod
    def of(cls, node: lineage.LineageNode, things: Things) -> Self:
        """From a record; `things` are those of its answer."""
        # What is known of a column is known of its dataset.
        known_as = node.id if node.dataset_id is None else node.dataset_id
        things.note(_kept_as(node.kind), known_as)
        things.declarations.note_node(node)
        return cls(
            key=node.id,
            known_as=known_as,
            things=things,
            id=global_id(_TYPES[node.kind], *(() if node.dataset_id is None else (node.dataset_id,)), node.id),
            kind=node.kind,
            namespace=node.namespace,
            name=node.name,
            column=node.column,
            depth=node.depth,
            hidden_upstream=node.hidden_upstream,
            hidden_downstream=node.hidden_downstream,
        )

    @strawberry.field(description="The thing itself; of a column its dataset.")
    def entity(self) -> Node | None:
        """A dataset, job or run."""
        match self.kind:
            case EntityKind.JOB:
                return self.things.job(self.known_as)
            case EntityKind.RUN:
                return self.things.run(self.known_as)
            case _:
                return self.things.dataset(self.known_as)

    @strawberry.field(description="Its tags as `key`, or `key=value` where the value says more than true.")
    def tags(self) -> list[str]:
        """Tags of the dataset or job as a whole, or of the column alone."""
        shown = (row for row in self._attached(as_of.tags) if row.field == self.column)
        return [row.key if row.value in ("", "true") else f"{row.key}={row.value}" for row in shown]

    @strawberry.field(description="The names of who answers for it; of a column for its dataset.")
    def owners(self) -> list[str]:
        """Owners of the dataset or job."""
        return list(dict.fromkeys(row.name for row in self._attached(as_of.owners)))

    @strawberry.field(
        description="Whether somebody states that it has no source (an empty list of `inputs` in explicit lineage). Of "
        "others, what is upstream may only be unknown. `Dataset.sourcelessBy` says who. False of jobs and runs."
    )
    def known_sourceless(self) -> bool:
        """Whether that held at some moment of the answer."""
        kind = _kept_as(self.kind)
        if kind is not EntityKind.DATASET:
            return False
        said = self.things.get(origins.of_datasets, kind, self.known_as, self.things.window) or ()
        return any(one.column in ("", self.column) for one in said)

    def _attached(self, read: _ByIds[list[T]]) -> Sequence[T]:
        if self.kind is EntityKind.RUN:
            return ()
        kind = _kept_as(self.kind)
        return self.things.get(read, kind, self.known_as, NodeKind[kind.name], self.things.view.as_of, understood) or ()


def _kept_as(kind: EntityKind) -> EntityKind:
    """A model is a dataset, and a column part of one."""
    return EntityKind.DATASET if kind in (EntityKind.MODEL, EntityKind.COLUMN) else kind


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
    first_seen: DateTime = strawberry.field(description="Since when this holds without a break.")
    last_seen: DateTime = strawberry.field(description="When it was last confirmed by a run or a declaration.")

    @classmethod
    def of(cls, edge: lineage.LineageEdge, ids: dict[int, strawberry.ID], things: Things) -> Self:
        """From a record; `ids` are those of the answer's nodes, `things` all it names."""
        things.note(EntityKind.JOB, edge.job_id)
        things.note(EntityKind.RUN, edge.last_run_id)
        things.declarations.note_edge(edge)
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

    @strawberry.field(
        description="The people who declared it, with their reasons; empty where producers tell of it, and where it is "
        "put together of edges from job to job. Of several in a range of time all."
    )
    def declared_by(self) -> list[ManualLineage]:
        """Manual edges that are this one."""
        return self.things.declarations.of(self.edge)

    @strawberry.field(description="The job that does it; null where a dataset itself, or a person, declares it.")
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

    found: strawberry.Private[lineage.Lineage]
    things: strawberry.Private[Things]
    nodes: list[LineageNode] = strawberry.field(description="The things, nearest to the start first.")
    edges: list[LineageEdge] = strawberry.field(description="What goes from one of them to another.")
    truncated: bool = strawberry.field(description="Whether there is more than is shown.")
    truncated_by: str | None = strawberry.field(description="The limit that cut it: maxNodes, maxEdges …")
    depth_reached: int = strawberry.field(description="How many hops away the farthest node is.")
    as_of: DateTime | None = strawberry.field(description="The moment it was asked for; null: now, or a range of time.")
    recorded_as_of: DateTime | None = strawberry.field(description="The moment whose knowledge it is from; null: now.")

    @strawberry.field(description=picture.DESCRIPTION)
    def svg(self) -> str:
        """A picture."""
        return picture.drawn(self.found, self.things, self.recorded_as_of)


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
    """Which time is asked about, as the arguments say it: at most one of the first three.

    `recorded` is when it was known; None: now.
    """

    as_of: DateTime | None
    during: TimeRange | None
    cumulative: bool | None
    recorded: DateTime | None = None

    def reader(self, info: Info, around: lineage.Question | Around | None) -> Reader:
        """What to ask. Of the past it knows what is around this; None: all.

        Raises:
            UserError: it would have to know the future, or too much of the past.
        """
        if self.recorded is None:
            return info.context
        wanted = Around.lineage(around) if isinstance(around, lineage.Question) else around
        return info.context.recorded(wanted, self.recorded)

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


def question_of(info: Info, of: Sequence[lineage.EntityRef], how: Walk, when: When) -> lineage.Question:
    """The question as the store takes it, within the bounds of this server.

    Raises:
        UserError: arguments that mean nothing, or more than is allowed.
    """
    if how.depth is not None and how.depth < 0:
        raise UserError(f"A depth of {how.depth} hops. Ask for 0 or more.")
    bounds = info.context.bounds
    return lineage.Question(
        of=tuple(of),
        direction=how.direction,
        granularity=how.granularity,
        depth=bounds.max_nodes if how.depth is None else min(how.depth, bounds.max_nodes),
        window=when.window(),
        include_indirect=how.include_indirect is not False,
        max_nodes=_nodes_allowed(how.max_nodes, bounds.max_nodes),
        max_edges=bounds.max_edges,
        hidden=not {"hiddenUpstream", "hiddenDownstream", "svg"}.isdisjoint(_names(info.selected_fields)),
        understand=understood,
    )


def answer(info: Info, of: Sequence[lineage.EntityRef], how: Walk, when: When) -> Lineage:
    """Ask the store, and give its answer the shape clients see."""
    if not of:
        raise UserError("`of` is empty. Name at least one thing to begin with.")
    question = question_of(info, of, how, when)
    selected = set(_names(info.selected_fields))
    if "svg" not in selected:  # A picture shows all there is.
        # What nobody asked for is not read.
        question = replace(
            question,
            names=not selected.isdisjoint({"nodes", "declaredBy"}),
            transformations=not selected.isdisjoint({"transformations", "masked"}),
            last_runs=not selected.isdisjoint({"lastSeen", "lastRun"}),
            first_seen=not selected.isdisjoint({"firstSeen", "lastSeen", "lastRun"}),
        )
    reader = when.reader(info, question)
    found = reader.ask(walk, question)
    things = Things(reader, question.window)
    nodes = [LineageNode.of(node, things) for node in found.nodes]
    ids = {node.key: node.id for node in nodes}
    return Lineage(
        found=found,
        things=things,
        nodes=nodes,
        edges=[LineageEdge.of(edge, ids, things) for edge in found.edges],
        truncated=found.truncated,
        truncated_by=found.truncated_by,
        depth_reached=found.depth_reached,
        as_of=when.as_of,
        recorded_as_of=when.recorded,
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
