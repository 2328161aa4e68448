"""Builders that say what happened: `ran("etl").reading("raw").writing("clean")` makes the events of a run.

Names are bare words in the namespace "shop" unless given as (namespace, name). Times are minutes since the
builders' epoch, so that histories read like a diary.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
PRODUCER = "https://example.com/pipelines"
SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"

NameLike = str | tuple[str, str]
Facets = Mapping[str, Any]


def named(name: NameLike) -> dict[str, str]:
    """A namespace and a name as an event has them."""
    namespace, local = ("shop", name) if isinstance(name, str) else name
    return {"namespace": namespace, "name": local}


def moment(minutes: float) -> str:
    """The event time that many minutes after the epoch."""
    return (EPOCH + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def micros(minutes: float) -> int:
    """The same moment as the store has it."""
    return int((EPOCH + timedelta(minutes=minutes)).timestamp()) * 1_000_000 + int(minutes * 60_000_000) % 1_000_000


def facet(**content: Any) -> dict[str, Any]:
    """A facet with what every facet has."""
    return {"_producer": PRODUCER, "_schemaURL": "https://openlineage.io/spec/facets/1-0-0/Facet.json", **content}


def dataset(name: NameLike, facets: Facets | None = None, **io_facets: Facets) -> dict[str, Any]:
    """A dataset as inputs and outputs have it."""
    return {**named(name), "facets": dict(facets or {}), **io_facets}


def encode(event: Mapping[str, Any]) -> bytes:
    """The bytes a client sends."""
    return json.dumps(event, sort_keys=True).encode()


@dataclass(frozen=True)
class Ran:
    """A run being told; every method answers a longer story. Iterating gives its events as bytes."""

    job: NameLike
    run: str
    at: float = 0
    end: str | None = "COMPLETE"
    lasting: float = 1
    inputs: tuple[dict[str, Any], ...] = ()
    outputs: tuple[dict[str, Any], ...] = ()
    run_facets: Mapping[str, Any] = field(default_factory=dict)
    job_facets: Mapping[str, Any] = field(default_factory=dict)

    def reading(self, *names: NameLike, **facets: Facets) -> Ran:
        """With these inputs."""
        return replace(self, inputs=self.inputs + tuple(dataset(n, facets) for n in names))

    def writing(self, *names: NameLike, **facets: Facets) -> Ran:
        """With these outputs."""
        return replace(self, outputs=self.outputs + tuple(dataset(n, facets) for n in names))

    def from_columns(self, output: NameLike, **flows: Sequence[tuple[NameLike, str]]) -> Ran:
        """With an output whose columns come from these (dataset, column) pairs."""
        fields = {
            column: {"inputFields": [{**named(source), "field": name} for source, name in sources]}
            for column, sources in flows.items()
        }
        return self.writing(output, columnLineage=facet(fields=fields))

    def explicitly(self, *entries: Mapping[str, Any]) -> Ran:
        """With an explicit lineage facet of these entries: see `entry`."""
        return self.job_with(lineage=facet(entries=list(entries)))

    def with_facets(self, **facets: Any) -> Ran:
        """With these run facets."""
        return replace(self, run_facets={**self.run_facets, **facets})

    def job_with(self, **facets: Any) -> Ran:
        """With these job facets."""
        return replace(self, job_facets={**self.job_facets, **facets})

    def inside(self, parent: Ran, root: Ran | None = None) -> Ran:
        """As a child of another run."""
        said: dict[str, Any] = {"run": {"runId": parent.run}, "job": named(parent.job)}
        if root:
            said["root"] = {"run": {"runId": root.run}, "job": named(root.job)}
        return self.with_facets(parent=facet(**said))

    def streaming(self) -> Ran:
        """As a job that is not expected to end."""
        return self.job_with(jobType=facet(processingType="STREAMING", integration="FLINK", jobType="JOB"))

    def failing(self, message: str = "boom") -> Ran:
        """Ending in failure."""
        error = facet(message=message, programmingLanguage="PYTHON")
        return replace(self, end="FAIL").with_facets(errorMessage=error)

    def aborting(self) -> Ran:
        """Ending by an abort."""
        return replace(self, end="ABORT")

    def still_running(self) -> Ran:
        """Without a terminal event."""
        return replace(self, end=None)

    def event(self, state: str, at: float, *, bare: bool = False) -> bytes:
        """One event of this run; a bare one names no datasets."""
        return encode(
            {
                "eventType": state,
                "eventTime": moment(at),
                "producer": PRODUCER,
                "schemaURL": SPEC,
                "run": {"runId": self.run, "facets": dict(self.run_facets)},
                "job": {**named(self.job), "facets": dict(self.job_facets)},
                "inputs": [] if bare else list(self.inputs),
                "outputs": [] if bare else list(self.outputs),
            }
        )

    def __iter__(self) -> Iterator[bytes]:
        yield self.event("START", self.at)
        if self.end:
            yield self.event(self.end, self.at + self.lasting)


def ran(job: NameLike, at: float = 0, run: str | None = None) -> Ran:
    """A run of a job at a time; its id follows from both unless given."""
    return Ran(job, run or str(uuid5(NAMESPACE_URL, f"{job}/{at}")), at)


def entry(target: NameLike, *sources: NameLike, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An entry of an explicit lineage facet: a dataset with the datasets it comes from."""
    said: dict[str, Any] = {**named(target), "type": "DATASET"}
    said["inputs"] = [{**named(source), "type": "DATASET"} for source in sources]
    if fields:
        said["fields"] = fields
    return said


def declared_job(
    job: NameLike,
    at: float,
    inputs: Sequence[NameLike] = (),
    outputs: Sequence[NameLike] = (),
    **facets: Any,
) -> bytes:
    """A job event."""
    return encode(
        {
            "eventTime": moment(at),
            "producer": PRODUCER,
            "schemaURL": SPEC.replace("RunEvent", "JobEvent"),
            "job": {**named(job), "facets": facets},
            "inputs": [dataset(name) for name in inputs],
            "outputs": [dataset(name) for name in outputs],
        }
    )


def declared_dataset(name: NameLike, at: float, **facets: Any) -> bytes:
    """A dataset event."""
    return encode(
        {
            "eventTime": moment(at),
            "producer": PRODUCER,
            "schemaURL": SPEC.replace("RunEvent", "DatasetEvent"),
            "dataset": {**named(name), "facets": facets},
        }
    )


def drawn_from(*sources: NameLike) -> dict[str, Any]:
    """The lineage facet of a dataset event: what a view is made of."""
    return facet(inputs=[{**named(source), "type": "DATASET"} for source in sources])


def also_known_as(*names: NameLike) -> dict[str, Any]:
    """A symlinks facet."""
    return facet(identifiers=[{**named(name), "type": "TABLE"} for name in names])


def columns(**types: str) -> dict[str, Any]:
    """A schema facet."""
    return facet(fields=[{"name": name, "type": type} for name, type in types.items()])


def dropped(change: str = "DROP") -> dict[str, Any]:
    """A lifecycle facet."""
    return facet(lifecycleStateChange=change)


def renamed(before: NameLike) -> dict[str, Any]:
    """A lifecycle facet that says what the name was before."""
    return facet(lifecycleStateChange="RENAME", previousIdentifier=named(before))
