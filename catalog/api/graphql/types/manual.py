"""Lineage that a person declared, with who did and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import strawberry

from catalog.api.graphql.context import Reader
from catalog.api.graphql.enums import EntityKind
from catalog.api.graphql.scalars import DateTime
from catalog.api.graphql.types import parts
from catalog.domain import lineage
from catalog.domain.manual import Manual, ManualEdge, ManualEnd
from catalog.domain.timeline import NOW, Window
from catalog.domain.words import Derivation, Node
from catalog.ingest import records
from catalog.ingest.accept import receipt
from catalog.store.read import manual
from catalog.store.read.manual import Ends, Said


@strawberry.type(description="A thing as somebody named it.")
class NamedThing:
    """An end of a declared edge."""

    kind: EntityKind = strawberry.field(description="DATASET, COLUMN or JOB.")
    namespace: str = strawberry.field(description="The namespace.")
    name: str = strawberry.field(description="The name of the dataset or job.")
    column: str | None = strawberry.field(description="The column, where it is one.")

    @classmethod
    def of(cls, end: ManualEnd) -> Self:
        """From the domain."""
        kind = EntityKind.JOB if end.node is Node.JOB else EntityKind.COLUMN if end.column else EntityKind.DATASET
        return cls(kind=kind, namespace=end.name.namespace, name=end.name.name, column=end.column or None)


@strawberry.type(description="What a person said of lineage: an edge that no producer reports, or its end.")
class ManualLineage:
    """A manual edge."""

    source: NamedThing = strawberry.field(description="Where data comes from.")
    target: NamedThing = strawberry.field(description="Where it goes.")
    job: NamedThing | None = strawberry.field(description="The job that does it, if one was named.")
    transformations: list[parts.HowMade] = strawberry.field(description="How data is changed on this way, if said.")
    principal: str = strawberry.field(description="Who said so.")
    reason: str = strawberry.field(description="Why.")
    recorded_at: DateTime = strawberry.field(description="When they did.")
    effective_from: DateTime = strawberry.field(description="Since when it is so, or is so no more.")
    retracted: bool = strawberry.field(description="Whether this takes the edge back.")
    receipt: str = strawberry.field(description="The receipt of the record in the log.")

    @classmethod
    def of(cls, manual: Manual, receipt: str) -> Self:
        """From a record."""
        edge = manual.edge
        return cls(
            source=NamedThing.of(edge.source),
            target=NamedThing.of(edge.target),
            job=None if edge.through is None else NamedThing.of(ManualEnd(Node.JOB, edge.through)),
            transformations=[parts.HowMade.of(how) for how in manual.transformations],
            principal=manual.principal,
            reason=manual.reason,
            recorded_at=DateTime(manual.recorded_at),
            effective_from=DateTime(manual.effective_from),
            retracted=not manual.declared,
            receipt=receipt,
        )


class Declarations:
    """Who declared the edges of one answer, read for all of them when it is asked of the first."""

    def __init__(self, reader: Reader, window: Window = NOW) -> None:
        """`window` is what the answer is about."""
        self._reader = reader
        self._window = window
        self._of_columns = False
        self._places: dict[int, tuple[int, str]] = {}
        self._wanted: set[Ends] = set()
        self._found: Mapping[Ends, list[Said]] | None = None

    def note_node(self, node: lineage.LineageNode) -> None:
        """It is in the answer."""
        # Among columns, the whole of a dataset is a node of its own.
        self._of_columns |= node.kind is EntityKind.COLUMN
        self._places[node.id] = (node.id if node.dataset_id is None else node.dataset_id, node.column or "")

    def note_edge(self, edge: lineage.LineageEdge) -> None:
        """It is in the answer, as both its nodes are."""
        if edge.derivation is Derivation.DECLARED:
            self._wanted.add(self._ends(edge))

    def of(self, edge: lineage.LineageEdge) -> list[ManualLineage]:
        """What people said of this edge."""
        if edge.derivation is not Derivation.DECLARED:
            return []
        if self._found is None:
            self._found = self._reader.ask(manual.of_edges, self._wanted, self._window)
        said = ((records.read(one.raw), one) for one in self._found.get(self._ends(edge), ()))
        return [
            ManualLineage.of(told, receipt(one.digest))
            for told, one in said
            if not self._of_columns or self._has_ends(edge, told.edge)
        ]

    def _has_ends(self, edge: lineage.LineageEdge, said: ManualEdge) -> bool:
        """Whether it is between these columns or wholes, or between one of them and the job that it goes through."""
        ends = ((edge.source, said.source), (edge.target, said.target))
        return all(id == edge.job_id or self._place(id)[1] == end.column for id, end in ends)

    def _ends(self, edge: lineage.LineageEdge) -> Ends:
        return Ends(self._place(edge.source)[0], self._place(edge.target)[0], edge.job_id or 0)

    def _place(self, id: int) -> tuple[int, str]:
        return self._places.get(id, (id, ""))
