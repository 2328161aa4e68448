"""Runs of jobs, and the datasets they used."""

from __future__ import annotations

from asyncio import gather
from collections.abc import Callable, Collection, Mapping
from typing import Self, TypeAlias

import strawberry

from catalog.api.graphql import run_facets
from catalog.api.graphql.arguments import FacetName
from catalog.api.graphql.connections import After, Connection, First, connected
from catalog.api.graphql.context import Info
from catalog.api.graphql.enums import Lifecycle, RunState
from catalog.api.graphql.permissions import Requires
from catalog.api.graphql.scalars import BigInt, DateTime, big, moment
from catalog.api.graphql.types import parts
from catalog.api.graphql.types.dependencies import RunDependencies
from catalog.api.graphql.types.moments import PRESENT, View
from catalog.api.graphql.types.node import Node, global_id
from catalog.domain.callers import Permission
from catalog.domain.projection import DatasetUse
from catalog.facets import error_message, job_dependencies
from catalog.store.engine import Read
from catalog.store.read import events, run_trees, runs
from catalog.store.read.facets import FacetRow
from catalog.store.read.run_moments import Then
from catalog.store.read.runs import RunRow

_Used: TypeAlias = Callable[[Read, Collection[int], Then | None], Mapping[int, list[DatasetUse]]]


@strawberry.type(description="One run of a job.")
class Run(Node):
    """A run."""

    row: strawberry.Private[RunRow]
    run_id: str = strawberry.field(description="The id its producer gave it, mostly a UUID.")
    state: RunState = strawberry.field(description="How far it has come; COMPLETE beats FAIL beats ABORT.")
    conflicting: bool = strawberry.field(description="Whether it reported more than one way to end.")
    started_at: DateTime | None = strawberry.field(
        description="When it started, or was first heard of. Null for a run that only others name."
    )
    ended_at: DateTime | None = strawberry.field(description="When it came to the end that `state` shows.")
    nominal_start: DateTime | None = strawberry.field(description="The beginning of the time it is for.")
    nominal_end: DateTime | None = strawberry.field(description="The end of the time it is for.")
    view: strawberry.Private[View] = PRESENT

    @classmethod
    def of(cls, row: RunRow, view: View = PRESENT) -> Self:
        """From a row; `view` is how it was read, as what is said of it will be."""
        return cls(
            id=global_id("Run", row.id),
            row=row,
            run_id=row.run_id,
            state=row.state,
            conflicting=row.conflicting,
            started_at=moment(row.began_at),
            ended_at=moment(row.ended_at),
            nominal_start=moment(row.nominal_start),
            nominal_end=moment(row.nominal_end),
            view=view,
        )

    @strawberry.field(description="The job it is a run of.")
    async def job(self, info: Info) -> types.job.Job | None:
        """The job."""
        return await types.job.load(info, self.row.job_id, self.view.onward)

    @strawberry.field(description="The run it is part of.")
    async def parent(self, info: Info) -> Run | None:
        """The run that contains it."""
        return await load(info, self.row.parent_id, self.view.onward)

    @strawberry.field(description="The runs that contain it, the nearest first: `parent`, its parent, and so on.")
    async def ancestors(self, info: Info) -> list[Run]:
        """All that contain it."""
        view = self.view.onward
        return [Run.of(row, view) for row in await view.load(info, run_trees.ancestors, self.row.id, view.then) or []]

    @strawberry.field(
        description="The run at the top of the tree it is part of: as its producer names it, else the last of "
        "`ancestors`. Null for one that is part of none."
    )
    async def root(self, info: Info) -> Run | None:
        """The topmost run."""
        if self.row.root_id is not None or self.row.parent_id is None:
            return await load(info, self.row.root_id, self.view.onward)
        return next(reversed(await self.ancestors(info)), None)

    @strawberry.field(description="The runs that are part of it, the latest first.")
    async def children(self, info: Info, first: First = 50, after: After = None) -> Connection[Run]:
        """A page of the runs it contains."""
        view, read, count = self.view.onward, runs.children, runs.count_of_children
        return await view.connected(info, read, count, self.row.id, Run.of, at=view.then, first=first, after=after)

    @strawberry.field(
        description="The runs of its job for the same nominal time, or, where it has none, in the same parent run: it "
        "and its retries, the first first."
    )
    async def attempts(self, info: Info, first: First = 50, after: After = None) -> Connection[Run]:
        """A page of attempts."""
        view, read, count = self.view.onward, run_trees.attempts, run_trees.count_of_attempts
        return await view.connected(info, read, count, self.row.id, Run.of, at=view.then, first=first, after=after)

    @strawberry.field(
        description="What it waits for and what waits for it, where its scheduler said: the facet `jobDependencies`."
    )
    async def dependencies(self, info: Info) -> RunDependencies | None:
        """Dependencies."""
        said = (row for row in await self._facets(info) if row.name == job_dependencies.NAME)
        return next((RunDependencies.read(row.payload) for row in said), None)

    @strawberry.field(description="What it read.")
    async def inputs(self, info: Info) -> list[RunDataset]:
        """Inputs."""
        return await used(info, runs.inputs, self.row.id, self.view)

    @strawberry.field(description="What it wrote.")
    async def outputs(self, info: Info) -> list[RunDataset]:
        """Outputs."""
        return await used(info, runs.outputs, self.row.id, self.view)

    @strawberry.field(description="Everything its events say of the run itself, known to the catalog or not.")
    async def facets(self, info: Info) -> list[parts.Facet]:
        """All facets."""
        return [parts.Facet.of(row) for row in await self._facets(info)]

    @strawberry.field(description="One facet by its name, if the run has it.")
    async def facet(self, info: Info, name: FacetName) -> parts.Facet | None:
        """One facet."""
        return next((parts.Facet.of(row) for row in await self._facets(info) if row.name == name), None)

    @strawberry.field(description="Its events, by the times they tell.", extensions=[Requires(Permission.READ_LOG)])
    async def events(self, info: Info, first: First = 50, after: After = None) -> Connection[types.event.Event]:
        """A page of events."""
        return await connected(
            info, events.of_runs, events.count_of_runs, self.row.id, types.event.Event.of, first=first, after=after
        )

    @strawberry.field(description="Why it failed, where it said so.")
    async def error(self, info: Info) -> parts.RunError | None:
        """The facet `errorMessage`, by any of its names."""
        names = (error_message.NAME, *error_message.ALIASES)
        said = (row for row in await self._facets(info) if row.name in names)
        return next((parts.RunError.read(row.payload) for row in said), None)

    async def _facets(self, info: Info) -> list[FacetRow]:
        return await self.view.load(info, run_facets.of_runs, self.row.id, self.view.as_of) or []


@strawberry.type(description="A dataset as a run used it.")
class RunDataset:
    """An input or output of a run."""

    dataset: types.dataset.Dataset = strawberry.field(description="The dataset.")
    version: str | None = strawberry.field(description="What the storage calls the version used, if it says.")
    row_count: BigInt | None = strawberry.field(description="How many rows were read or written.")
    size: BigInt | None = strawberry.field(description="How many bytes were read or written.")
    file_count: BigInt | None = strawberry.field(description="How many files were read or written.")
    lifecycle: list[Lifecycle] = strawberry.field(description="What was done to the dataset as a whole.")

    @classmethod
    def of(cls, use: DatasetUse, used: types.dataset.Dataset) -> Self:
        """From a record and the dataset it is about."""
        return cls(
            dataset=used,
            version=use.label,
            row_count=big(use.rows),
            size=big(use.size),
            file_count=big(use.files),
            lifecycle=list(use.lifecycle),
        )


async def used(info: Info, read: _Used, key: int, view: View = PRESENT) -> list[RunDataset]:
    """What a run used, as far as it had said then: `read` is one of the store's `inputs` and `outputs`."""
    uses = await view.load(info, read, key, view.then) or []
    found = await gather(*(types.dataset.load(info, use.dataset_id, view.onward) for use in uses))
    return [RunDataset.of(use, one) for use, one in zip(uses, found, strict=True) if one is not None]


async def load(info: Info, key: int | None, view: View = PRESENT) -> Run | None:
    """The run with this id, if there is one."""
    row = None if key is None else await view.load(info, runs.by_ids, key, view.then)
    return None if row is None else Run.of(row, view)


from catalog.api.graphql import types  # noqa: E402 - behind the classes: see the package
