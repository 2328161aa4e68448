"""The jobs and runs of the story: who runs what, when, and inside which other run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    documentation_job,
    error_message_run,
    job_type_job,
    nominal_time_run,
    ownership_job,
    parent_run,
    source_code_location_job,
    sql_job,
    tags_job,
)
from openlineage.client.generated.lineage import LineageJobFacet
from openlineage.client.uuid import generate_static_uuid

PRODUCER = "https://shop.example/pipelines"
NAMESPACE = "shop"
NIGHT = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
"""When the first run of the story starts; every other time counts from here."""


def at(minute: float) -> str:
    """The moment so many minutes after `NIGHT`, in ISO 8601."""
    return (NIGHT + timedelta(minutes=minute)).isoformat()


@dataclass(frozen=True)
class JobRun:
    """One run of one job; makes the events of that run.

    Attributes:
        name: Name of the job in `NAMESPACE`.
        minute: When the run starts, in minutes after `NIGHT`; with the name it determines the run id.
        parent: The run that started this one.
        facets: What is said about the job, in every event, also in those of its children.
        scheduled: Whether the run stands for a day.
    """

    name: str
    minute: float
    parent: "JobRun | None" = None
    facets: dict[str, JobFacet] = field(default_factory=dict)
    scheduled: bool = True

    @property
    def run_id(self) -> str:
        """The same in every sending, so that a second sending says nothing new."""
        return str(generate_static_uuid(NIGHT + timedelta(minutes=self.minute), self.name.encode()))

    @property
    def root(self) -> "JobRun":
        """The run at the top of the tree."""
        return self.parent.root if self.parent else self

    def event(
        self,
        state: RunState,
        minutes: float = 0,
        inputs: Sequence[InputDataset] = (),
        outputs: Sequence[OutputDataset] = (),
        *,
        error: str | None = None,
        lineage: LineageJobFacet | None = None,
    ) -> RunEvent:
        """One event of this run.

        Args:
            state: What happened.
            minutes: When, after the run's start.
            inputs: Datasets read, as far as known by then.
            outputs: Datasets written, as far as known by then.
            error: Why the run failed.
            lineage: What exactly flowed where; without it a reader has to guess from inputs and outputs.
        """
        learned: dict[str, JobFacet] = {"lineage": lineage} if lineage else {}
        return RunEvent(
            eventType=state,
            eventTime=at(self.minute + minutes),
            run=Run(self.run_id, self._run_facets(error)),
            job=Job(NAMESPACE, self.name, self.facets | learned),
            inputs=list(inputs),
            outputs=list(outputs),
            producer=PRODUCER,
        )

    def _run_facets(self, error: str | None) -> dict[str, RunFacet]:
        facets: dict[str, RunFacet] = {}
        if self.scheduled:
            facets["nominalTime"] = nominal_time_run.NominalTimeRunFacet(at(0), at(24 * 60))
        if self.parent:
            facets["parent"] = parent_run.ParentRunFacet(
                run=parent_run.Run(self.parent.run_id),
                job=parent_run.Job(NAMESPACE, self.parent.name, dict(self.parent.facets)),
                root=parent_run.Root(
                    run=parent_run.RootRun(self.root.run_id),
                    job=parent_run.RootJob(NAMESPACE, self.root.name),
                ),
            )
        if error:
            stack = f"Traceback (most recent call last):\nRuntimeError: {error}"
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(error, "PYTHON", stack)
        return facets


def batch(kind: str) -> job_type_job.JobTypeJobFacet:
    """A job that ends; `kind` is DAG, TASK or QUERY."""
    return job_type_job.JobTypeJobFacet(processingType="BATCH", integration="SHOP", jobType=kind)


def streaming(window: int) -> job_type_job.JobTypeJobFacet:
    """A job that does not end and reports every `window` seconds."""
    pattern = job_type_job.EmissionPattern("PERIODIC", "COMPLETE_SNAPSHOT", window)
    return job_type_job.JobTypeJobFacet("STREAMING", "SHOP", "JOB", pattern)


def owned_by(*names: str) -> ownership_job.OwnershipJobFacet:
    """Who answers for a job."""
    return ownership_job.OwnershipJobFacet([ownership_job.Owner(name, "MAINTAINER") for name in names])


def documented(text: str) -> documentation_job.DocumentationJobFacet:
    """What a person should know about a job."""
    return documentation_job.DocumentationJobFacet(text, contentType="text/markdown")


def tagged(**tags: str) -> tags_job.TagsJobFacet:
    """Labels of a job."""
    return tags_job.TagsJobFacet([tags_job.TagsJobFacetFields(key, text, "USER") for key, text in tags.items()])


def code(path: str) -> source_code_location_job.SourceCodeLocationJobFacet:
    """Where a job's program is kept."""
    return source_code_location_job.SourceCodeLocationJobFacet(
        type="git",
        url=f"https://git.shop.example/pipelines/blob/main/{path}",
        repoUrl="https://git.shop.example/pipelines.git",
        path=path,
        version="3f786850e387550fdab836ed7e6dc881de23001b",
        branch="main",
    )


def sql(query: str) -> sql_job.SQLJobFacet:
    """The statement that a job runs, for PostgreSQL."""
    return sql_job.SQLJobFacet(query, dialect="postgres")
