"""What a version of a job does that the one before did not."""

from __future__ import annotations

from collections.abc import Iterable

import strawberry

from catalog.api.graphql.context import Info
from catalog.api.graphql.types import parts
from catalog.domain.changes import Transformation
from catalog.domain.job_changes import ColumnEdge, JobChanges


@strawberry.type(description="Data that goes from a column, or a whole dataset, to another in a job.")
class JobColumnEdge:
    """A flow within a job, in one way."""

    row: strawberry.Private[ColumnEdge]
    source_column: str | None = strawberry.field(description="The column it comes from; null: the whole dataset.")
    target_column: str | None = strawberry.field(description="The column it goes to; null: the whole dataset.")
    transformation: parts.HowMade | None = strawberry.field(description="How it is changed, if anybody says.")

    @classmethod
    def each(cls, edges: Iterable[ColumnEdge]) -> list[JobColumnEdge]:
        """From records."""
        return [
            cls(
                row=edge,
                source_column=edge.source_column or None,
                target_column=edge.target_column or None,
                transformation=None if edge.how == Transformation() else parts.HowMade.of(edge.how),
            )
            for edge in edges
        ]

    @strawberry.field(description="The dataset it comes from.")
    async def source(self, info: Info) -> types.dataset.Dataset | None:
        """The source."""
        return await types.dataset.load(info, self.row.source)

    @strawberry.field(description="The dataset it goes to.")
    async def target(self, info: Info) -> types.dataset.Dataset | None:
        """The target."""
        return await types.dataset.load(info, self.row.target)


@strawberry.type(description="What a version of a job does that the one before it did not, and what it no longer does.")
class JobVersionChanges:
    """From one version of a job to the next."""

    row: strawberry.Private[JobChanges]
    since_commit: str | None = strawberry.field(
        description="The commit that the code is at since this version. Null: nobody says, or the version before was "
        "at it too, and what changed is not the code."
    )
    code_added: list[parts.CodeLocation] = strawberry.field(description="Where the code is and was not before.")
    code_removed: list[parts.CodeLocation] = strawberry.field(description="Where the code was and is no more.")
    code_changed: list[str] = strawberry.field(
        description="What of the places differs: `version` (the commit), `branch`, `tag`, `path`, `url` …"
    )
    columns_added: list[JobColumnEdge] = strawberry.field(description="Flows between columns that were not there.")
    columns_removed: list[JobColumnEdge] = strawberry.field(description="Flows between columns that are there no more.")

    @classmethod
    def of(cls, row: JobChanges) -> JobVersionChanges:
        """From a record."""
        return cls(
            row=row,
            since_commit=row.commit,
            code_added=_places(row.code_added),
            code_removed=_places(row.code_removed),
            code_changed=list(row.code_parts),
            columns_added=JobColumnEdge.each(row.columns_added),
            columns_removed=JobColumnEdge.each(row.columns_removed),
        )

    @strawberry.field(description="What it reads and did not before.")
    async def inputs_added(self, info: Info) -> list[types.dataset.Dataset]:
        """New inputs."""
        return await types.dataset.load_many(info, self.row.inputs_added)

    @strawberry.field(description="What it reads no more.")
    async def inputs_removed(self, info: Info) -> list[types.dataset.Dataset]:
        """Inputs that are gone."""
        return await types.dataset.load_many(info, self.row.inputs_removed)

    @strawberry.field(description="What it writes and did not before.")
    async def outputs_added(self, info: Info) -> list[types.dataset.Dataset]:
        """New outputs."""
        return await types.dataset.load_many(info, self.row.outputs_added)

    @strawberry.field(description="What it writes no more.")
    async def outputs_removed(self, info: Info) -> list[types.dataset.Dataset]:
        """Outputs that are gone."""
        return await types.dataset.load_many(info, self.row.outputs_removed)


def _places(code: Iterable[str]) -> list[parts.CodeLocation]:
    return [read for text in code if (read := parts.CodeLocation.read(text))]


from catalog.api.graphql import types  # noqa: E402 - behind the classes: see the package
