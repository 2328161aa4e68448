"""Arguments and inputs that more than one field takes."""

from __future__ import annotations

from typing import Annotated

import strawberry

from catalog.api.graphql.enums import Direction, EntityKind, EventKind, Granularity, RunState
from catalog.api.graphql.errors import UserError
from catalog.api.graphql.scalars import DateTime
from catalog.domain import lineage
from catalog.store.read.datasets import DatasetFilter
from catalog.store.read.events import EventFilter
from catalog.store.read.jobs import JobFilter
from catalog.store.read.runs import RunFilter

AsOf = Annotated[
    DateTime | None,
    strawberry.argument(
        description="As it was at this moment; left out: as it is now, or in a lineage answer as of the moment of that."
    ),
]
FacetName = Annotated[str, strawberry.argument(description="The key of the facet in events, such as `schema`.")]
NamespaceName = Annotated[str, strawberry.argument(description="The namespace, exactly as events have it.")]
WalkDirection = Annotated[Direction, strawberry.argument(description="Which way to walk.")]
WalkGranularity = Annotated[Granularity, strawberry.argument(description="Which nodes the answer is made of.")]
Depth = Annotated[
    int | None, strawberry.argument(description="How many hops to walk each way; null: as far as `maxNodes` allows.")
]
RecordedAsOf = Annotated[
    DateTime | None,
    strawberry.argument(
        description="As the catalog knew it then: of what it had received by this moment. Left out: as it is known now."
    ),
]
LineageAsOf = Annotated[
    DateTime | None, strawberry.argument(description="The lineage that held at this moment; left out: now.")
]
Cumulative = Annotated[bool | None, strawberry.argument(description="The union over all time.")]
IncludeIndirect = Annotated[
    bool | None,
    strawberry.argument(
        description="Whether what only influenced the data counts, such as a filter or a sort key; null: it does. With "
        "false, edges are left out all of whose `transformations` are INDIRECT, and what is reached by them alone; an "
        "edge of which nobody said how data changed stays, as most do that have a job or run at one end."
    ),
]
MaxNodes = Annotated[
    int | None, strawberry.argument(description="How many nodes at most; an answer that is cut says so.")
]


@strawberry.input(description="A stretch of time; an end that is left out is open.")
class TimeRange:
    """A closed range of moments."""

    from_: DateTime | None = strawberry.field(default=None, name="from", description="Its first moment.")
    to: DateTime | None = strawberry.field(default=None, description="Its last moment.")


During = Annotated[TimeRange | None, strawberry.argument(description="The union over every moment of this time.")]


@strawberry.input(description="A namespace and a name in it.")
class NameInput:
    """A name."""

    namespace: str = strawberry.field(description="The namespace, exactly as events have it.")
    name: str = strawberry.field(description="The name within it, exactly as events have it.")

    def pair(self) -> tuple[str, str]:
        """As the store takes it."""
        return self.namespace, self.name


@strawberry.input(description="A thing as people name it.")
class EntityRef:
    """A reference by name."""

    kind: EntityKind = strawberry.field(description="What it is.")
    namespace: str = strawberry.field(
        description="The namespace. Of a RUN that of its job, which tells reused run ids apart; may be empty."
    )
    name: str = strawberry.field(description="The name; any of a dataset's names will do. Of a RUN its run id.")
    column: str | None = strawberry.field(default=None, description="The column; only for COLUMN.")
    version: str | None = strawberry.field(
        default=None, description="Refused for every kind as yet; say with `asOf` when that version was the one."
    )

    def ref(self) -> lineage.EntityRef:
        """As the domain has it.

        Raises:
            UserError: a part is given that means nothing of this kind, or one is missing that this kind needs.
        """
        if self.column is not None and self.kind is not EntityKind.COLUMN:
            raise UserError(f"A {self.kind.value} has no `column`. Leave it out, or ask for the kind COLUMN.")
        if self.column is None and self.kind is EntityKind.COLUMN:
            raise UserError("A COLUMN without `column`. Say which column of the dataset.")
        if self.version is not None:
            raise UserError(
                f"`version` is not used of a {self.kind.value}. Leave it out, and say with `asOf` when it was the one."
            )
        return lineage.EntityRef(self.kind, self.namespace, self.name, self.column, self.version)


@strawberry.input(name="DatasetFilter", description="Which datasets: those that all of what is given is true of.")
class DatasetFilterInput:
    """A filter of datasets."""

    namespace: str | None = strawberry.field(default=None, description="A name of it is in this namespace.")
    name_contains: str | None = strawberry.field(
        default=None, description="The name has this in it; ASCII letters match in either case."
    )
    name_prefix: str | None = strawberry.field(
        default=None, description="The name begins with this; ASCII letters match in either case."
    )
    type: str | None = strawberry.field(default=None, description="Its type: TABLE, VIEW, FILE …")
    tag: str | None = strawberry.field(default=None, description="It, or a column of it, has a tag with this key.")
    owner: str | None = strawberry.field(default=None, description="It has an owner of this name.")

    def wanted(self) -> DatasetFilter:
        """As the store takes it."""
        return DatasetFilter(self.namespace, self.name_contains, self.name_prefix, self.type, self.tag, self.owner)


@strawberry.input(name="JobFilter", description="Which jobs: those that all of what is given is true of.")
class JobFilterInput:
    """A filter of jobs."""

    namespace: str | None = strawberry.field(default=None, description="It is in this namespace.")
    name_contains: str | None = strawberry.field(
        default=None, description="The name has this in it; ASCII letters match in either case."
    )
    name_prefix: str | None = strawberry.field(
        default=None, description="The name begins with this; ASCII letters match in either case."
    )
    integration: str | None = strawberry.field(default=None, description="What runs it: SPARK, AIRFLOW, DBT …")
    type: str | None = strawberry.field(default=None, description="What kind of job: TASK, DAG, QUERY …")
    processing_type: str | None = strawberry.field(default=None, description="BATCH or STREAMING.")
    tag: str | None = strawberry.field(default=None, description="It has a tag with this key.")
    owner: str | None = strawberry.field(default=None, description="It has an owner of this name.")
    parent: NameInput | None = strawberry.field(default=None, description="It is part of this job.")

    def wanted(self) -> JobFilter:
        """As the store takes it."""
        return JobFilter(
            self.namespace, self.name_contains, self.name_prefix, self.integration, self.type,
            self.processing_type, self.tag, self.owner, self.parent.pair() if self.parent else None,
        )  # fmt: skip


@strawberry.input(name="RunFilter", description="Which runs: those that all of what is given is true of.")
class RunFilterInput:
    """A filter of runs."""

    job: NameInput | None = strawberry.field(default=None, description="It is a run of this job.")
    state: list[RunState] | None = strawberry.field(
        default=None,
        description="Its state is one of these. Runs that only others name are listed only if UNKNOWN is.",
    )
    started_after: DateTime | None = strawberry.field(default=None, description="It started then or later.")
    started_before: DateTime | None = strawberry.field(default=None, description="It started before then.")
    parent: strawberry.ID | None = strawberry.field(default=None, description="It is part of the run with this `id`.")
    conflicting: bool | None = strawberry.field(
        default=None, description="Whether it reported more than one way to end."
    )

    def wanted(self, parent: int | None) -> RunFilter:
        """As the store takes it; `parent` is the id of the run behind `parent`."""
        states = None if self.state is None else tuple(self.state)
        job = self.job.pair() if self.job else None
        return RunFilter(job, states, self.started_after, self.started_before, parent, self.conflicting)


@strawberry.input(name="EventFilter", description="Which events: those that all of what is given is true of.")
class EventFilterInput:
    """A filter of events."""

    kind: EventKind | None = strawberry.field(default=None, description="What it is about.")
    job: NameInput | None = strawberry.field(default=None, description="It is of this job or of a run of it.")
    dataset: NameInput | None = strawberry.field(
        default=None, description="It is of a run that used this dataset, or declares it or something made of it."
    )
    run_id: str | None = strawberry.field(default=None, description="It is of a run with this run id.")
    event_time: TimeRange | None = strawberry.field(default=None, description="What it tells happened in this time.")
    failed: bool | None = strawberry.field(
        default=None, description="true: only those the graph could not be made from; false: only the others."
    )

    def wanted(self) -> EventFilter:
        """As the store takes it."""
        time = self.event_time or TimeRange()
        return EventFilter(
            self.kind, self.job.pair() if self.job else None, self.dataset.pair() if self.dataset else None,
            self.run_id, time.from_, time.to, self.failed,
        )  # fmt: skip
