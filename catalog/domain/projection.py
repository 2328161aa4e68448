"""What one event changes, computed without a database: the projection's answer and the store's order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from catalog.domain.changes import Change
from catalog.domain.statement import Statement
from catalog.domain.words import EventKind, Lifecycle, Role, RunState, Scope


class Stamp(NamedTuple):
    """Orders what can be said only once: the later event time wins, then the larger digest (law 1)."""

    at: int
    tie: int


NEVER = Stamp(-(1 << 63), 0)


@dataclass(frozen=True, slots=True)
class RunFacts:
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
        nominal = max(self, other, key=lambda r: (r.nominal_stamp, r.nominal_start or 0))
        parent = max(self, other, key=lambda r: (r.parent_stamp, r.parent_id or 0))
        return replace(
            self,
            state=max(self.state, other.state),
            first_at=earlier(self.first_at, other.first_at),
            last_at=later(self.last_at, other.last_at),
            started_at=earlier(self.started_at, other.started_at),
            completed_at=later(self.completed_at, other.completed_at),
            failed_at=later(self.failed_at, other.failed_at),
            aborted_at=later(self.aborted_at, other.aborted_at),
            nominal_start=nominal.nominal_start,
            nominal_end=nominal.nominal_end,
            nominal_stamp=nominal.nominal_stamp,
            parent_id=parent.parent_id,
            root_id=parent.root_id,
            parent_stamp=parent.parent_stamp,
        )


def earlier(one: int | None, other: int | None) -> int | None:
    """The smaller of two times, where None says nothing."""
    return one if other is None else other if one is None else min(one, other)


def later(one: int | None, other: int | None) -> int | None:
    """The larger of two times, where None says nothing."""
    return one if other is None else other if one is None else max(one, other)


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """That an activity read, wrote or declared a dataset, and how much of it."""

    activity_id: int
    dataset_id: int
    role: Role
    first_at: int
    last_at: int
    rows: int | None = None
    size: int | None = None
    files: int | None = None
    measured_stamp: Stamp = NEVER
    label: str | None = None
    label_stamp: Stamp = NEVER
    lifecycle: Lifecycle = Lifecycle.NONE

    def __or__(self, other: DatasetUse) -> DatasetUse:
        measured = max(self, other, key=lambda u: (u.measured_stamp, u.rows or 0, u.size or 0, u.files or 0))
        labelled = max(self, other, key=lambda u: (u.label_stamp, u.label or ""))
        return replace(
            self,
            first_at=min(self.first_at, other.first_at),
            last_at=max(self.last_at, other.last_at),
            rows=measured.rows,
            size=measured.size,
            files=measured.files,
            measured_stamp=measured.measured_stamp,
            label=labelled.label,
            label_stamp=labelled.label_stamp,
            lifecycle=self.lifecycle | other.lifecycle,
        )


class FacetKey(NamedTuple):
    """Whose facet it is: an entity, the place in the event, the name."""

    subject_id: int
    scope: Scope
    name: str


@dataclass(frozen=True, slots=True)
class FacetSeen:
    """That an event carried this facet. `payload` is the JSON as received; None says it was deleted.

    `changes` is what the payload means, None where no module understands it.
    """

    key: FacetKey
    stamp: Stamp
    payload: bytes | None
    changes: tuple[Change, ...] | None


class Symlink(NamedTuple):
    """A dataset said that it has another name."""

    dataset_id: int
    alias_id: int
    type: str


@dataclass(frozen=True, slots=True)
class JobParent:
    """The job that contains a job, as its latest run said."""

    job_id: int
    parent_id: int
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Declaration:
    """A job or dataset event: the whole declared lineage of its owner from this moment on."""

    owner_id: int
    owner_is_job: bool
    stamp: Stamp
    activity_id: int


@dataclass(slots=True)
class Projection:
    """Everything one event changes. Names are as sent; ids are computed from them."""

    kind: EventKind
    stamp: Stamp
    activity_id: int
    subject_id: int
    datasets: dict[int, tuple[str, str]] = field(default_factory=dict)
    jobs: dict[int, tuple[str, str]] = field(default_factory=dict)
    runs: dict[int, RunFacts] = field(default_factory=dict)
    uses: list[DatasetUse] = field(default_factory=list)
    facets: list[FacetSeen] = field(default_factory=list)
    symlinks: list[Symlink] = field(default_factory=list)
    job_parents: list[JobParent] = field(default_factory=list)
    statement: Statement = field(default_factory=Statement)
    declaration: Declaration | None = None
