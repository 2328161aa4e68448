"""`declareLineage` and `retractLineage`: a person's word on one edge becomes a record in the log."""

from __future__ import annotations

from typing import Final, Self

import strawberry
from msgspec.structs import replace

from catalog.api.graphql.arguments import EntityRef, NameInput
from catalog.api.graphql.context import Context
from catalog.api.graphql.enums import EntityKind
from catalog.api.graphql.errors import UserError
from catalog.api.graphql.refusals import MutationError
from catalog.api.graphql.scalars import DateTime, iso
from catalog.api.graphql.types.manual import ManualLineage
from catalog.domain.changes import Name, Transformation
from catalog.domain.errors import BadRequest, CatalogError, UnknownEntity
from catalog.domain.manual import Manual, ManualEdge, ManualEnd
from catalog.domain.timeline import FOREVER
from catalog.domain.words import Node
from catalog.ingest import records
from catalog.ingest.accept import microseconds
from catalog.store.read import datasets
from catalog.store.read import manual as store

_NODES: Final = {
    EntityKind.DATASET: Node.DATASET, EntityKind.MODEL: Node.DATASET, EntityKind.COLUMN: Node.DATASET,
    EntityKind.JOB: Node.JOB,
}  # fmt: skip
_KINDS: Final = frozenset({"DIRECT", "INDIRECT"})


@strawberry.input(description="How data is changed on its way.")
class TransformationInput:
    """A transformation, in the words of OpenLineage."""

    type: str = strawberry.field(description="DIRECT where the value is made of the other; INDIRECT where it depends.")
    subtype: str | None = strawberry.field(default=None, description="IDENTITY, AGGREGATION, JOIN, FILTER …")
    description: str | None = strawberry.field(default=None, description="In words, or as code.")
    masking: bool = strawberry.field(default=False, description="Whether it hides the value.")

    def how(self) -> Transformation:
        """As the domain has it. Raises BadRequest."""
        if self.type not in _KINDS:
            raise BadRequest(f"'{self.type}' is no type of transformation.", fix="Say DIRECT or INDIRECT.")
        return Transformation(self.type, self.subtype or "", self.description or "", self.masking)


@strawberry.input(description="An edge of lineage that nobody reports, and why it is known all the same.")
class DeclareLineageInput:
    """What is to be declared."""

    source: EntityRef = strawberry.field(
        description="Where data comes from: a DATASET, a COLUMN or a JOB. It need not be in the catalog yet."
    )
    target: EntityRef = strawberry.field(description="Where it goes; likewise.")
    job: NameInput | None = strawberry.field(
        default=None, description="The job that does it, between datasets. With another job it is another edge."
    )
    transformations: list[TransformationInput] | None = strawberry.field(
        default=None,
        description="How data is changed on this way. Declaring the edge again, by whichever names of the "
        "same datasets, replaces what was said.",
    )
    reason: str = strawberry.field(description="Why this is known: who asks in a year finds it in the log.")
    effective_from: DateTime | None = strawberry.field(
        default=None, description="Since when it is so; left out: from now on. Not in the future."
    )


@strawberry.input(description="An edge that somebody declared and that is so no more, or never was.")
class RetractLineageInput:
    """What is to be taken back."""

    source: EntityRef = strawberry.field(
        description="As it was declared, or by another name of the same dataset: `lineage` answers which it was."
    )
    target: EntityRef = strawberry.field(description="Likewise.")
    job: NameInput | None = strawberry.field(default=None, description="As it was declared.")
    reason: str = strawberry.field(description="Why.")
    effective_from: DateTime | None = strawberry.field(
        default=None,
        description="Since when it is so no more; left out: from now on. The moment since when it was declared to be "
        "so says that it never was.",
    )


@strawberry.type(description="The edge that was declared.")
class DeclareLineagePayload:
    """What `declareLineage` answers."""

    lineage: ManualLineage | None = strawberry.field(
        description="What is declared now. Of an edge that stood already it has the names it was declared under first."
    )
    receipt: str | None = strawberry.field(description="The receipt of its record in the log.")
    errors: list[MutationError] = strawberry.field(description="Why nothing was declared; empty if it was.")

    @classmethod
    def refused(cls, error: CatalogError) -> Self:
        """Nothing was done."""
        return cls(lineage=None, receipt=None, errors=[MutationError.of(error)])


@strawberry.type(description="The edge that was taken back.")
class RetractLineagePayload:
    """What `retractLineage` answers."""

    lineage: ManualLineage | None = strawberry.field(
        description="What was taken back, and since when; under the names it was declared under."
    )
    receipt: str | None = strawberry.field(description="The receipt of its record in the log.")
    errors: list[MutationError] = strawberry.field(description="Why nothing was taken back; empty if it was.")

    @classmethod
    def refused(cls, error: CatalogError) -> Self:
        """Nothing was done."""
        return cls(lineage=None, receipt=None, errors=[MutationError.of(error)])


def declare(context: Context, wanted: DeclareLineageInput) -> DeclareLineagePayload:
    """Write it down."""
    try:
        how = tuple(one.how() for one in wanted.transformations or ())
        manual = _manual(context, wanted, declared=True, how=how)
        _refuse_loop(context, manual.edge)
        _refuse_dropped(context, manual)
        # What stands already is renewed: a second edge would be left when the first is taken back.
        manual = replace(manual, edge=_standing(context, manual.edge, manual.recorded_at) or manual.edge)
    except (BadRequest, UnknownEntity) as error:
        return DeclareLineagePayload.refused(error)
    receipt = context.record(records.encode(manual))
    return DeclareLineagePayload(lineage=ManualLineage.of(manual, receipt), receipt=receipt, errors=[])


def retract(context: Context, named: RetractLineageInput) -> RetractLineagePayload:
    """Write down that it is over."""
    try:
        manual = _manual(context, named, declared=False, how=())
        manual = replace(manual, edge=_declared(context, manual))
    except (BadRequest, UnknownEntity) as error:
        return RetractLineagePayload.refused(error)
    receipt = context.record(records.encode(manual))
    return RetractLineagePayload(lineage=ManualLineage.of(manual, receipt), receipt=receipt, errors=[])


def _manual(
    context: Context,
    said: DeclareLineageInput | RetractLineageInput,
    *,
    declared: bool,
    how: tuple[Transformation, ...],
) -> Manual:
    """What is said, by whoever says it now."""
    now = microseconds()
    since = now if said.effective_from is None else said.effective_from
    if since > now:
        raise BadRequest(f"{iso(since)} is yet to come.", fix="Say it when it is so, or leave `effectiveFrom` out.")
    if not said.reason.strip():
        raise BadRequest("There is no reason.", fix="Say in `reason` how this is known.")
    edge = ManualEdge(_end(said.source), _end(said.target), None if said.job is None else Name(*said.job.pair()))
    if edge.through is not None and Node.JOB in (edge.source.node, edge.target.node):
        raise BadRequest("A job at one end, and another between.", fix="Leave `job` out, or name two datasets.")
    return Manual(edge, declared, context.caller.name, said.reason, now, since, how)


def _end(named: EntityRef) -> ManualEnd:
    try:
        ref = named.ref()
    except UserError as error:
        raise BadRequest(str(error)) from None
    node = _NODES.get(ref.kind)
    if node is None:
        raise BadRequest(f"A {ref.kind.value} is no end of lineage that is declared.", fix="Name what it is a run of.")
    if not ref.name or ref.column == "":
        raise BadRequest("A name is empty.", fix="Name what is meant.")
    return ManualEnd(node, Name(ref.namespace, ref.name), ref.column or "")


def _standing(context: Context, edge: ManualEdge, at: int) -> ManualEdge | None:
    """Which edge is meant: the one declared under these names, or else under others of the same things, last."""
    # Not of the snapshot: what the same operation has declared before counts.
    if context.change(store.declared_at, edge.owner, at):
        return edge
    said = context.change(store.of_same_ends, edge, at)
    known = (records.read(one.raw).edge for one in reversed(said))
    return next((one for one in known if one.columns == edge.columns), None)


def _declared(context: Context, manual: Manual) -> ManualEdge:
    """The edge that is to be taken back."""
    standing = _standing(context, manual.edge, manual.effective_from)
    if standing is None:
        raise UnknownEntity(
            f"Nobody had declared this edge as of {iso(manual.effective_from)}.",
            fix="Name source, target and job as they were declared, and a moment at which it was.",
        )
    return standing


def _refuse_loop(context: Context, edge: ManualEdge) -> None:
    """A thing is not made of itself, under whichever of its names; one of its columns may be made of another."""
    source, target = edge.source, edge.target
    shown = context.ask(store.shown_as, (source.id, target.id))
    if shown[source.id] == shown[target.id] and (
        source.column == target.column or "" in (source.column, target.column)
    ):
        raise BadRequest("The source and the target are one thing.", fix="Name two, or two columns.")


def _refuse_dropped(context: Context, manual: Manual) -> None:
    """A dataset that is dropped conducts nothing until it is written again: the edge would be in no answer."""
    ends = {end.id: end.name for end in (manual.edge.source, manual.edge.target) if end.node is Node.DATASET}
    gone = context.ask(datasets.gone, ends, manual.effective_from)
    for id, (start, end) in gone.items():
        name = f"Dataset '{ends[id].name}' in namespace '{ends[id].namespace}'"
        again = "declare it when it is written again" if end == FOREVER else f"from {iso(end)} on: it was written again"
        raise BadRequest(
            f"{name} was dropped at {iso(start)}: nothing goes from or into it as of {iso(manual.effective_from)}.",
            fix=f"Give an `effectiveFrom` before that, or {again}.",
        )
