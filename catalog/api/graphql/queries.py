"""What can be asked: small groups of root fields, together one Query."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import strawberry

from catalog.api.graphql import types
from catalog.api.graphql.arguments import (
    Cumulative,
    DatasetFilterInput,
    Depth,
    During,
    EntityRef,
    EventFilterInput,
    IncludeIndirect,
    JobFilterInput,
    LineageAsOf,
    MaxNodes,
    NamespaceName,
    RecordedAsOf,
    RunFilterInput,
    WalkDirection,
    WalkGranularity,
)
from catalog.api.graphql.connections import After, Connection, First, connection_of, page_of
from catalog.api.graphql.context import Info
from catalog.api.graphql.enums import Direction, Granularity
from catalog.api.graphql.errors import UserError
from catalog.api.graphql.permissions import guarded
from catalog.api.graphql.queries_questions import Questions
from catalog.api.graphql.types.access import ApiKey, Viewer
from catalog.api.graphql.types.dataset import Dataset
from catalog.api.graphql.types.event import Event, QuarantineEntry
from catalog.api.graphql.types.job import Job
from catalog.api.graphql.types.lineage import Lineage, Walk, When, answer
from catalog.api.graphql.types.namespace import Namespace
from catalog.api.graphql.types.node import Node, parse_id
from catalog.api.graphql.types.run import Run
from catalog.api.graphql.types.search import SearchConnection, SearchKinds, SearchText, found
from catalog.domain.callers import Permission
from catalog.domain.ids import dataset_id, job_id
from catalog.store import keys
from catalog.store.read import datasets, events, jobs, namespaces, runs

_NODES: Final[dict[tuple[str, int], Callable[..., Awaitable[Node | None]]]] = {
    ("Column", 2): types.column.load,
    ("Dataset", 1): types.dataset.load,
    ("DatasetVersion", 2): types.dataset.load_version,
    ("DatasetVersion", 3): types.dataset.load_version,
    ("Job", 1): types.job.load,
    ("JobVersion", 1): types.job.load_version,
    ("Namespace", 1): types.namespace.load,
    ("Run", 1): types.run.load,
}
"""What finds a thing of this type, whose id has so many numbers."""

Id = Annotated[strawberry.ID, strawberry.argument(description="An `id` that a query answered.")]
DatasetName = Annotated[str, strawberry.argument(description="Any name of the dataset, exactly as events have it.")]
JobName = Annotated[str, strawberry.argument(description="The name of the job, exactly as events have it.")]
RunId = Annotated[str, strawberry.argument(description="The run id, exactly as events have it.")]
RunNamespace = Annotated[str, strawberry.argument(description="The namespace of its job; empty: any.")]
Roots = Annotated[list[EntityRef], strawberry.argument(description="What to begin with; the answer has them all.")]
Wanted = "Which of them; left out: all."
DatasetsWanted = Annotated[DatasetFilterInput | None, strawberry.argument(name="filter", description=Wanted)]
JobsWanted = Annotated[JobFilterInput | None, strawberry.argument(name="filter", description=Wanted)]
RunsWanted = Annotated[RunFilterInput | None, strawberry.argument(name="filter", description=Wanted)]
EventsWanted = Annotated[EventFilterInput | None, strawberry.argument(name="filter", description=Wanted)]


@strawberry.type
class _Things:
    @strawberry.field(description="Anything by its id.")
    async def node(self, info: Info, id: Id) -> Node | None:
        type_name, key = parse_id(id)
        load = _NODES.get((type_name, len(key)))
        return None if load is None else await load(info, *key)

    @strawberry.field(description="All namespaces, by name.")
    def namespaces(self, info: Info, first: First = 50, after: After = None) -> Connection[Namespace]:
        found = info.context.ask(namespaces.page, page_of(info, first, after))

        async def counting() -> int:
            return info.context.ask(namespaces.count)

        return connection_of(found, Namespace.of, after, counting)

    @strawberry.field(description="A dataset by any of its names.")
    async def dataset(self, info: Info, namespace: NamespaceName, name: DatasetName) -> Dataset | None:
        return await types.dataset.load(info, dataset_id(namespace, name))

    @strawberry.field(description="Datasets, by namespace and name.")
    def datasets(
        self, info: Info, wanted: DatasetsWanted = None, first: First = 50, after: After = None
    ) -> Connection[Dataset]:
        these = (wanted or DatasetFilterInput()).wanted()
        found = info.context.ask(datasets.page, these, page_of(info, first, after))

        async def counting() -> int:
            return info.context.ask(datasets.count, these)

        return connection_of(found, Dataset.of, after, counting)

    @strawberry.field(description="A job by its name.")
    async def job(self, info: Info, namespace: NamespaceName, name: JobName) -> Job | None:
        return await types.job.load(info, job_id(namespace, name))

    @strawberry.field(description="Jobs, by namespace and name.")
    def jobs(self, info: Info, wanted: JobsWanted = None, first: First = 50, after: After = None) -> Connection[Job]:
        these = (wanted or JobFilterInput()).wanted()
        found = info.context.ask(jobs.page, these, page_of(info, first, after))

        async def counting() -> int:
            return info.context.ask(jobs.count, these)

        return connection_of(found, Job.of, after, counting)

    @strawberry.field(
        description="A run by its run id. Where several jobs used the same one, it is the run that "
        "was heard of first, as in lineage; one that others only name comes last. The others are among the `runs` of "
        "their jobs; with `namespace`, only runs of jobs in it are meant."
    )
    def run(self, info: Info, run_id: RunId, namespace: RunNamespace = "") -> Run | None:
        row = info.context.ask(runs.by_run_id, run_id, namespace)
        return None if row is None else Run.of(row)

    @strawberry.field(description="Runs, the latest first.")
    def runs(self, info: Info, wanted: RunsWanted = None, first: First = 50, after: After = None) -> Connection[Run]:
        given = wanted or RunFilterInput()
        these = given.wanted(_run_key(given.parent))
        found = info.context.ask(runs.page, these, page_of(info, first, after))

        async def counting() -> int:
            return info.context.ask(runs.count, these)

        return connection_of(found, Run.of, after, counting)


def _run_key(id: strawberry.ID | None) -> int | None:
    if id is None:
        return None
    type_name, key = parse_id(id)
    if type_name != "Run" or len(key) != 1:
        raise UserError("`parent` is not the id of a run. Pass the `id` of a Run.")
    return key[0]


@strawberry.type
class _Words:
    @strawberry.field(description="Datasets, jobs and models by words, the best first.")
    def search(
        self, info: Info, text: SearchText, kinds: SearchKinds = None, first: First = 20, after: After = None
    ) -> SearchConnection:
        return found(info, text, kinds, first, after)


@strawberry.type
class _Walks:
    @strawberry.field(
        description="Where data comes from and where it goes: now, as of a moment, during a time, or ever."
    )
    def lineage(
        self,
        info: Info,
        of: Roots,
        *,
        direction: WalkDirection = Direction.BOTH,
        granularity: WalkGranularity = Granularity.DATASET,
        depth: Depth = 5,
        as_of: LineageAsOf = None,
        during: During = None,
        cumulative: Cumulative = False,
        include_indirect: IncludeIndirect = True,
        max_nodes: MaxNodes = 1000,
        recorded_as_of: RecordedAsOf = None,
    ) -> Lineage:
        how = Walk(direction, granularity, depth, include_indirect, max_nodes)
        return answer(info, [ref.ref() for ref in of], how, When(as_of, during, cumulative, recorded_as_of))


@strawberry.type
class _Log:
    @strawberry.field(description="The log: every event in the order it was accepted.")
    def events(
        self, info: Info, wanted: EventsWanted = None, first: First = 50, after: After = None
    ) -> Connection[Event]:
        these = (wanted or EventFilterInput()).wanted()
        found = info.context.ask(events.page, these, page_of(info, first, after))

        async def counting() -> int:
            return info.context.ask(events.count, these)

        return connection_of(found, Event.of, after, counting)

    @strawberry.field(description="What was sent and is no event, the latest first.")
    def quarantine(self, info: Info, first: First = 50, after: After = None) -> Connection[QuarantineEntry]:
        found = info.context.ask(events.refused, page_of(info, first, after))

        async def counting() -> int:
            return info.context.ask(events.count_refused)

        return connection_of(found, QuarantineEntry.of, after, counting)


@strawberry.type
class _Access:
    @strawberry.field(description="Who is asking: you.")
    def viewer(self, info: Info) -> Viewer:
        return Viewer.of(info.context.caller)

    @strawberry.field(description="Keys, the newest first, also those that let nobody in any more.")
    def keys(self, info: Info, first: First = 50, after: After = None) -> Connection[ApiKey]:
        found = info.context.ask(keys.page, page_of(info, first, after))

        async def counting() -> int:
            return info.context.ask(keys.count)

        return connection_of(found, ApiKey.of, after, counting)


@guarded(Permission.READ, events=Permission.READ_LOG, quarantine=Permission.READ_LOG, keys=Permission.MANAGE_KEYS,
         viewer=None)  # fmt: skip
@strawberry.type(description="What can be asked. Nothing here changes anything.")
class Query(_Things, _Words, _Walks, Questions, _Log, _Access):
    """All groups together."""
