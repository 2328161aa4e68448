"""Jobs and their versions."""

from __future__ import annotations

from asyncio import gather
from collections.abc import Iterable
from typing import Self

import strawberry

from catalog.api.graphql.arguments import AsOf, FacetName
from catalog.api.graphql.connections import After, Connection, First, connected
from catalog.api.graphql.context import Info
from catalog.api.graphql.scalars import DateTime, moment
from catalog.api.graphql.types import parts
from catalog.api.graphql.types.moments import PRESENT, View
from catalog.api.graphql.types.node import Node, global_id
from catalog.domain.words import Node as NodeKind
from catalog.facets import understood
from catalog.store.read import as_of as then
from catalog.store.read import facets, job_changes, job_history, jobs, runs, versions
from catalog.store.read.job_changes import Step
from catalog.store.read.job_history import StretchRow
from catalog.store.read.jobs import JobRow
from catalog.store.read.versions import JobVersionRow


@strawberry.type(description="A job: a recurring process that reads and writes datasets.")
class Job(Node):
    """A job."""

    key: strawberry.Private[int]
    parent_key: strawberry.Private[int | None]
    namespace: str = strawberry.field(description="The namespace it is in: often the scheduler that runs it.")
    name: str = strawberry.field(description="Its name within the namespace.")
    type: str | None = strawberry.field(description="What kind of job, if its producer says: TASK, DAG, QUERY …")
    integration: str | None = strawberry.field(description="What runs it: SPARK, AIRFLOW, DBT …")
    processing_type: str | None = strawberry.field(description="BATCH or STREAMING.")
    description: str | None = strawberry.field(description="What it does, in its producer's words.")
    created_at: DateTime = strawberry.field(description="The time of the first event that names it.")
    view: strawberry.Private[View] = PRESENT

    @classmethod
    def of(cls, row: JobRow, view: View = PRESENT) -> Self:
        """From a row; `view` is how it was read, as what is said of it will be."""
        return cls(
            id=global_id("Job", row.id),
            key=row.id,
            parent_key=row.parent_id,
            namespace=row.namespace,
            name=row.name,
            type=row.type,
            integration=row.integration,
            processing_type=row.processing_type,
            description=row.description,
            created_at=DateTime(row.created_at),
            view=view,
        )

    @strawberry.field(description="The job it is part of, as its latest run says.")
    async def parent(self, info: Info) -> Job | None:
        """The job that contains it."""
        return await load(info, self.parent_key, self.view.onward)

    @strawberry.field(description="The jobs that are part of it, by name.")
    async def children(self, info: Info, first: First = 50, after: After = None) -> Connection[Job]:
        """A page of the jobs it contains."""
        return await connected(info, jobs.children, jobs.count_of_children, self.key, Job.of, first=first, after=after)

    @strawberry.field(description="Its versions: each thing its completed runs did, the newest thing first.")
    async def versions(self, info: Info, first: First = 50, after: After = None) -> Connection[JobVersion]:
        """A page of versions: those there were at the moment of the answer."""
        view, read, count = self.view.onward, versions.of_jobs, versions.count_of_jobs
        return await view.connected(info, read, count, self.key, JobVersion.of, at=view.as_of, first=first, after=after)

    @strawberry.field(
        description="Which of `versions` held when, the latest first: completed runs that did the same in a row are "
        "one stretch. What it went back to is here a second time."
    )
    async def version_history(
        self, info: Info, first: First = 50, after: After = None
    ) -> Connection[JobVersionStretch]:
        """A page of stretches."""
        view, read, count = self.view.onward, job_history.of_jobs, job_history.count_of_jobs
        make = JobVersionStretch.of
        return await view.connected(info, read, count, self.key, make, at=view.as_of, first=first, after=after)

    @strawberry.field(description="Its runs, the latest first.")
    async def runs(self, info: Info, first: First = 50, after: After = None) -> Connection[types.run.Run]:
        """A page of runs."""
        view, make = self.view.onward, types.run.Run.of
        return await view.connected(
            info, runs.of_jobs, runs.count_of_jobs, self.key, make, at=view.then, first=first, after=after
        )

    @strawberry.field(description="The run that was heard of last.")
    async def latest_run(self, info: Info) -> types.run.Run | None:
        """One run."""
        view = self.view.onward
        row = await view.load(info, runs.latest_of_jobs, self.key, view.then)
        return None if row is None else types.run.Run.of(row, view)

    @strawberry.field(description="Everything its producer says of it, known to the catalog or not.")
    async def facets(self, info: Info, as_of: AsOf = None) -> list[parts.Facet]:
        """All facets."""
        rows = await self.view.load(info, facets.of_jobs, self.key, self.view.at(as_of)) or ()
        return [parts.Facet.of(row) for row in rows]

    @strawberry.field(description="One facet by its name, if the job has it.")
    async def facet(self, info: Info, name: FacetName, as_of: AsOf = None) -> parts.Facet | None:
        """One facet."""
        rows = await self.view.load(info, facets.of_jobs, self.key, self.view.at(as_of), name)
        return parts.Facet.of(rows[0]) if rows else None

    @strawberry.field(description="Its source code, where the producer sends it.")
    async def source_code(self, info: Info, as_of: AsOf = None) -> str | None:
        """The text of the facet `sourceCode`."""
        return await self._text(info, as_of, "sourceCode", "sourceCode")

    @strawberry.field(description="Where its source code is.")
    async def source_code_location(self, info: Info, as_of: AsOf = None) -> parts.CodeLocation | None:
        """The facet `sourceCodeLocation`."""
        at = self.view.at(as_of)
        rows = await self.view.load(info, facets.of_jobs, self.key, at, "sourceCodeLocation")
        return parts.CodeLocation.read(rows[0].payload) if rows else None

    @strawberry.field(description="The SQL it runs.")
    async def sql(self, info: Info, as_of: AsOf = None) -> str | None:
        """The text of the facet `sql`."""
        return await self._text(info, as_of, "sql", "query")

    @strawberry.field(description="The tags on it.")
    async def tags(self, info: Info, as_of: AsOf = None) -> list[parts.Tag]:
        """Tags."""
        at = self.view.at(as_of)
        rows = await self.view.load(info, then.tags, self.key, NodeKind.JOB, at, understood) or ()
        return [parts.Tag.of(row) for row in rows]

    @strawberry.field(description="Who answers for it.")
    async def owners(self, info: Info, as_of: AsOf = None) -> list[parts.Owner]:
        """Owners."""
        at = self.view.at(as_of)
        rows = await self.view.load(info, then.owners, self.key, NodeKind.JOB, at, understood) or ()
        return [parts.Owner.of(row) for row in rows]

    @strawberry.field(description="The datasets it reads now.")
    async def inputs(self, info: Info) -> list[types.dataset.Dataset]:
        """Datasets with an edge into it."""
        return await types.dataset.load_many(info, await info.context.load(jobs.inputs, self.key))

    @strawberry.field(description="The datasets it writes now.")
    async def outputs(self, info: Info) -> list[types.dataset.Dataset]:
        """Datasets with an edge from it."""
        return await types.dataset.load_many(info, await info.context.load(jobs.outputs, self.key))

    async def _text(self, info: Info, as_of: DateTime | None, facet: str, member: str) -> str | None:
        rows = await self.view.load(info, facets.of_jobs, self.key, self.view.at(as_of), facet)
        return parts.text_in(rows[0].payload, member) if rows else None


@strawberry.type(description="What completed runs of a job did: the same inputs, outputs and flows by the same code.")
class JobVersion(Node):
    """A version of a job."""

    key: strawberry.Private[int]
    created_at: DateTime = strawberry.field(description="When the first run that did this ended.")
    run_count: int = strawberry.field(description="How many runs that completed did this.")
    code: list[parts.CodeLocation] = strawberry.field(description="Where the code was.")
    view: strawberry.Private[View] = PRESENT

    @classmethod
    def of(cls, row: JobVersionRow, view: View = PRESENT) -> Self:
        """From a row; `view` is how it was read."""
        return cls(
            id=global_id("JobVersion", row.id),
            key=row.id,
            created_at=DateTime(row.created_at),
            run_count=row.runs,
            code=[read for text in row.code if (read := parts.CodeLocation.read(text))],
            view=view,
        )

    @strawberry.field(
        description="What is other than in the version that was new before it. Null: it is the first. When the job "
        "went back to it, `Job.versionHistory` tells."
    )
    async def changes(self, info: Info) -> types.changes.JobVersionChanges | None:
        """The difference to the version that completed runs did first before this one."""
        row = await info.context.load(job_changes.of_versions, self.key)
        return None if row is None else types.changes.JobVersionChanges.of(row)

    @strawberry.field(description="The last run that did this.")
    async def latest_run(self, info: Info) -> types.run.Run | None:
        """One run."""
        return await types.run.load(info, await self._latest(info), self.view)

    @strawberry.field(description="What it reads; the numbers are those of the last run.")
    async def inputs(self, info: Info) -> list[types.run.RunDataset]:
        """Inputs of the last run."""
        latest = await self._latest(info)
        return [] if latest is None else await types.run.used(info, runs.inputs, latest, self.view)

    @strawberry.field(description="What it writes; the numbers are those of the last run.")
    async def outputs(self, info: Info) -> list[types.run.RunDataset]:
        """Outputs of the last run."""
        latest = await self._latest(info)
        return [] if latest is None else await types.run.used(info, runs.outputs, latest, self.view)

    async def _latest(self, info: Info) -> int | None:
        return await self.view.load(info, versions.latest_runs, self.key, self.view.as_of)


@strawberry.type(description="A time during which all runs of a job that completed did the same.")
class JobVersionStretch:
    """A version of a job for as long as it held."""

    row: strawberry.Private[StretchRow]
    view: strawberry.Private[View]
    valid_from: DateTime = strawberry.field(description="When the first run of it ended.")
    valid_to: DateTime | None = strawberry.field(
        description="When the first run ended that did another thing. Null: none did yet."
    )
    run_count: int = strawberry.field(description="How many runs completed in it.")
    again: bool = strawberry.field(description="Whether the version had held before: the job went back to it.")

    @classmethod
    def of(cls, row: StretchRow, view: View) -> Self:
        """From a row; `view` is how it was read."""
        return cls(
            row=row,
            view=view,
            valid_from=DateTime(row.valid_from),
            valid_to=moment(row.valid_to),
            run_count=row.runs,
            again=row.again,
        )

    @strawberry.field(description="What these runs did.")
    async def version(self, info: Info) -> JobVersion | None:
        """The version."""
        return await load_version(info, self.row.version_id, self.view)

    @strawberry.field(description="The run it began with.")
    async def first_run(self, info: Info) -> types.run.Run | None:
        """One run."""
        return await types.run.load(info, self.row.first_run, self.view)

    @strawberry.field(
        description="What is other than in the stretch before, and since which commit. Null: it is the first."
    )
    async def changes(self, info: Info) -> types.changes.JobVersionChanges | None:
        """The difference to what runs did just before."""
        if self.row.before is None:
            return None
        step = Step(self.row.before, self.row.version_id, self.row.job_id)
        row = await info.context.load(job_changes.between, step)
        return None if row is None else types.changes.JobVersionChanges.of(row)


async def load_version(info: Info, key: int, view: View = PRESENT) -> JobVersion | None:
    """The version with this id, if there is one."""
    row = await view.load(info, versions.by_ids, key, view.as_of)
    return None if row is None else JobVersion.of(row, view)


async def load(info: Info, key: int | None, view: View = PRESENT) -> Job | None:
    """The job with this id, if there is one."""
    row = None if key is None else await view.load(info, then.jobs, key, view.as_of, understood)
    return None if row is None else Job.of(row, view)


async def load_many(info: Info, keys: Iterable[int] | None) -> list[Job]:
    """The jobs with these ids, in their order."""
    found = await gather(*(load(info, key) for key in keys or ()))
    return [job for job in found if job is not None]


from catalog.api.graphql import types  # noqa: E402 - behind the classes: see the package
