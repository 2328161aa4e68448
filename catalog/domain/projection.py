"""What one event changes, computed without a database: the projection's answer and the store's order."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from catalog.domain.changes import Change
from catalog.domain.event import Tolerated
from catalog.domain.records import Record
from catalog.domain.statement import NOTHING_SAID, Statement
from catalog.domain.words import EventKind, Lifecycle, Role, RunState, Scope


class Stamp(NamedTuple):
    """Orders what can be said only once: the later event time wins, then the larger digest (law 1)."""

    at: int
    tie: int


NEVER = Stamp(-(1 << 63), 0)


class RunFacts(Record, frozen=True):
    """What is known of a run; merging is commutative, associative and idempotent.

    Times are microseconds since 1970 UTC, None where nobody said. `completed_at` and its like are the latest
    event time of that state; `started_at` is the earliest START.
    """

    id: int
    job_id: int
    run_id: str
    state: RunState = RunState.UNKNOWN
    first_at: int | None = None
    last_at: int | None = None
    started_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    aborted_at: int | None = None
    nominal_start: int | None = None
    nominal_end: int | None = None
    nominal_stamp: Stamp = NEVER
    parent_id: int | None = None
    root_id: int | None = None
    parent_stamp: Stamp = NEVER
    version_id: int | None = None

    def __or__(self, other: RunFacts) -> RunFacts:
        nominal = parent = self
        if (self.nominal_stamp, self.nominal_start or 0) < (other.nominal_stamp, other.nominal_start or 0):
            nominal = other
        if (self.parent_stamp, self.parent_id or 0) < (other.parent_stamp, other.parent_id or 0):
            parent = other
        return RunFacts(
            self.id,
            self.job_id,
            self.run_id,
            max(self.state, other.state),
            earlier(self.first_at, other.first_at),
            later(self.last_at, other.last_at),
            earlier(self.started_at, other.started_at),
            later(self.completed_at, other.completed_at),
            later(self.failed_at, other.failed_at),
            later(self.aborted_at, other.aborted_at),
            nominal.nominal_start,
            nominal.nominal_end,
            nominal.nominal_stamp,
            parent.parent_id,
            parent.root_id,
            parent.parent_stamp,
            self.version_id,
        )


def earlier(one: int | None, other: int | None) -> int | None:
    """The smaller of two times, where None says nothing."""
    return one if other is None else other if one is None else min(one, other)


def later(one: int | None, other: int | None) -> int | None:
    """The larger of two times, where None says nothing."""
    return one if other is None else other if one is None else max(one, other)


class DatasetUse(Record, frozen=True):
    """That an activity read, wrote or declared a dataset, and how much of it.

    `first_at` and `last_at` are None where the statements of the run say when.
    """

    activity_id: int
    dataset_id: int
    role: Role
    first_at: int | None
    last_at: int | None
    rows: int | None = None
    size: int | None = None
    files: int | None = None
    measured_stamp: Stamp = NEVER
    label: str | None = None
    label_stamp: Stamp = NEVER
    lifecycle: Lifecycle = Lifecycle.NONE

    def __or__(self, other: DatasetUse) -> DatasetUse:
        measured = labelled = self
        if self._measure < other._measure:
            measured = other
        if (self.label_stamp, self.label or "") < (other.label_stamp, other.label or ""):
            labelled = other
        return DatasetUse(
            self.activity_id,
            self.dataset_id,
            self.role,
            earlier(self.first_at, other.first_at),
            later(self.last_at, other.last_at),
            measured.rows,
            measured.size,
            measured.files,
            measured.measured_stamp,
            labelled.label,
            labelled.label_stamp,
            self.lifecycle if self.lifecycle is other.lifecycle else self.lifecycle | other.lifecycle,
        )

    @property
    def says_more(self) -> bool:
        """Whether there is more to it than that it was used."""
        return self.measured_stamp != NEVER or self.label_stamp != NEVER or self.lifecycle is not Lifecycle.NONE

    @property
    def _measure(self) -> tuple[Stamp, int, int, int]:
        return (self.measured_stamp, self.rows or 0, self.size or 0, self.files or 0)


class FacetKey(NamedTuple):
    """Whose facet it is: an entity, the place in the event, the name."""

    subject_id: int
    scope: Scope
    name: str


class FacetSaid(Record, frozen=True):
    """What a facet says, whoever carries it. `payload` is the JSON as received; None says it was deleted.

    `changes` is what the payload means, None where no module understands it. `content` is the address of the
    payload, `DELETED` where there is none.
    """

    payload: bytes | None
    changes: tuple[Change, ...] | None
    content: int


DELETED = 0
"""The content of a deleted facet."""


class FacetSeen(Record, frozen=True):
    """That an event carried this facet."""

    key: FacetKey
    said: FacetSaid


class Symlink(NamedTuple):
    """A dataset said that it has another name."""

    dataset_id: int
    alias_id: int
    type: str


class Rename(NamedTuple):
    """A dataset said that it had another name before."""

    dataset_id: int
    previous_id: int


class JobParent(Record, frozen=True):
    """The job that contains a job, as its latest run said."""

    job_id: int
    parent_id: int
    stamp: Stamp


class Declaration(Record, frozen=True):
    """A job or dataset event, or a record: the whole declared lineage of its owner from this moment on."""

    owner_id: int
    owner_is_job: bool
    stamp: Stamp
    activity_id: int


class Projection(msgspec.Struct, gc=False):
    """Everything one event changes. Names are as sent; ids are computed from them."""

    kind: EventKind
    stamp: Stamp
    activity_id: int
    subject_id: int
    datasets: dict[int, tuple[str, str]] = msgspec.field(default_factory=dict)
    jobs: dict[int, tuple[str, str]] = msgspec.field(default_factory=dict)
    runs: dict[int, RunFacts] = msgspec.field(default_factory=dict)
    uses: list[DatasetUse] = msgspec.field(default_factory=list)
    facets: list[FacetSeen] = msgspec.field(default_factory=list)
    symlinks: list[Symlink] = msgspec.field(default_factory=list)
    renames: list[Rename] = msgspec.field(default_factory=list)
    job_parents: list[JobParent] = msgspec.field(default_factory=list)
    statement: Statement = NOTHING_SAID
    declaration: Declaration | None = None
    warnings: tuple[Tolerated, ...] = ()
