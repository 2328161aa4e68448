"""What a run waits for and what waits for it, as its scheduler said. Order of work, never data flow."""

from __future__ import annotations

from typing import Self

import strawberry

from catalog.api.graphql.context import Info
from catalog.domain import changes
from catalog.domain.ids import job_id, run_id
from catalog.facets import job_dependencies


@strawberry.type(description="A job, perhaps one run of it, that a run waits for or that waits for it.")
class RunDependency:
    """One of them, as the facet names it."""

    said: strawberry.Private[changes.Dependency]
    namespace: str = strawberry.field(description="The namespace of the job.")
    name: str = strawberry.field(description="The name of the job.")
    run_id: str | None = strawberry.field(description="The id of the run, where one is meant.")
    type: str | None = strawberry.field(description="What kind of dependency it is, in the producer's word.")
    sequence_trigger_rule: str | None = strawberry.field(description="Which end waits for which: FINISH_TO_START …")
    status_trigger_rule: str | None = strawberry.field(description="With which outcome the wait is over.")

    @classmethod
    def of(cls, said: changes.Dependency) -> Self:
        """From what the facet says."""
        return cls(
            said=said,
            namespace=said.job.namespace,
            name=said.job.name,
            run_id=said.run,
            type=said.kind,
            sequence_trigger_rule=said.sequence_rule,
            status_trigger_rule=said.status_rule,
        )

    @strawberry.field(description="The job, where the catalog knows it.")
    async def job(self, info: Info) -> types.job.Job | None:
        """The job."""
        return await types.job.load(info, self._job_id)

    @strawberry.field(description="The run, where one is meant and the catalog knows it.")
    async def run(self, info: Info) -> types.run.Run | None:
        """The run."""
        return None if self.said.run is None else await types.run.load(info, run_id(self._job_id, self.said.run))

    @property
    def _job_id(self) -> int:
        return job_id(self.said.job.namespace, self.said.job.name)


@strawberry.type(description="What a run waits for and what waits for it. Order of work, never data flow.")
class RunDependencies:
    """The facet `jobDependencies`."""

    upstream: list[RunDependency] = strawberry.field(description="What it waits for.")
    downstream: list[RunDependency] = strawberry.field(description="What waits for it.")
    trigger_rule: str | None = strawberry.field(description="How many of `upstream` it waits for: ALL_SUCCESS …")

    @classmethod
    def read(cls, payload: bytes) -> Self | None:
        """From the JSON of the facet, if it is one."""
        try:
            (said,) = job_dependencies.changes(payload)
        except ValueError:
            return None
        return cls(
            upstream=[RunDependency.of(one) for one in said.upstream],
            downstream=[RunDependency.of(one) for one in said.downstream],
            trigger_rule=said.trigger_rule,
        )


from catalog.api.graphql import types  # noqa: E402 - behind the classes: see the package
