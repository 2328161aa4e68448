"""A decoded OpenLineage event: the envelope in our words, every facet still as the bytes it came in."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from catalog.domain.changes import Name
from catalog.domain.manual import Manual
from catalog.domain.records import Record
from catalog.domain.words import EventKind, Role, RunState

Facets = Mapping[str, bytes]
"""Raw JSON by wire key; facets that were `null` are not in it."""


class Tolerated(Record, frozen=True):
    """Something tolerated: what, where (JSON pointer) and what was made of it."""

    code: str
    pointer: str
    detail: str


class DatasetMention(Record, frozen=True):
    """A dataset where an event names it, with the facets given there."""

    name: Name
    role: Role
    facets: Facets = msgspec.field(default_factory=dict)
    io_facets: Facets = msgspec.field(default_factory=dict)


class Event(Record, frozen=True):
    """One entry of the log. `event_time` is in microseconds since 1970 UTC; `digest` is the SHA-256 of the raw bytes.

    RUN events have `job`, `run_id` and `state`; JOB events have `job`; DATASET events have one dataset, DECLARED.
    RECORD is no event that was sent: it has `record` and nothing else.
    """

    kind: EventKind
    event_time: int
    digest: bytes
    job: Name | None = None
    run_id: str | None = None
    state: RunState = RunState.UNKNOWN
    run_facets: Facets = msgspec.field(default_factory=dict)
    job_facets: Facets = msgspec.field(default_factory=dict)
    datasets: tuple[DatasetMention, ...] = ()
    producer: str | None = None
    schema_url: str | None = None
    warnings: tuple[Tolerated, ...] = ()
    record: Manual | None = None
