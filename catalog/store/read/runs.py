"""Runs: state, times, parents, and what each read and wrote: now, or as it was at a moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, FromClause, Row, Select, and_, func, or_, select

from catalog.domain.ids import job_id, key, namespace_id
from catalog.domain.projection import DatasetUse, RunFacts
from catalog.domain.timeline import BEGINNING
from catalog.domain.words import Role, RunState
from catalog.store import paging
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.paging import Order, Page, Slice
from catalog.store.read import run_moments
from catalog.store.read.run_moments import Then
from catalog.store.rows import use_record
from catalog.store.tables import dataset, job, run
from catalog.store.uses import uses

_SHOWN = (
    "id", "job_id", "run_id", "state", "first_at", "last_at", "started_at", "completed_at", "failed_at", "aborted_at",
    "nominal_start", "nominal_end", "parent_id", "root_id", "version_id",
)  # fmt: skip


def selected(runs: FromClause) -> Select[Any]:
    """What `record` reads, of the table `run` or an alias of it."""
    return select(*(runs.c[name] for name in _SHOWN)).select_from(runs)


_ALL = selected(run)

# Runs that others only name have no time; they are behind all others in the lists that have them.
_HEARD = Order("run", (run.c.first_at, run.c.id), descending=True)
_NAMED = Order("run+", (func.coalesce(run.c.first_at, BEGINNING), run.c.id), descending=True)
_STARTED = func.coalesce(run.c.started_at, run.c.first_at)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run. Times are microseconds since 1970 UTC; all of them are None where others only named it."""

    id: int
    job_id: int
    run_id: str
    state: RunState
    first_at: int | None
    last_at: int | None
    started_at: int | None
    completed_at: int | None
    failed_at: int | None
    aborted_at: int | None
    nominal_start: int | None
    nominal_end: int | None
    parent_id: int | None
    root_id: int | None
    version_id: int | None

    @property
    def began_at(self) -> int | None:
        """When it started, or was first heard of where no START came."""
        return self.first_at if self.started_at is None else self.started_at

    @property
    def ended_at(self) -> int | None:
        """When it reached the terminal state that is shown."""
        ends = {
            RunState.COMPLETE: self.completed_at, RunState.FAIL: self.failed_at, RunState.ABORT: self.aborted_at
        }  # fmt: skip
        return ends.get(self.state)

    @property
    def conflicting(self) -> bool:
        """Whether more than one terminal state was reported."""
        return sum(at is not None for at in (self.completed_at, self.failed_at, self.aborted_at)) > 1


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs: those that all of what is given is true of.

    `job` is a namespace and a name, `parent` the id of a run in the database; the times are microseconds since
    1970 UTC, the first included, the second not. Runs others only named are left out unless `states` has UNKNOWN.
    """

    job: tuple[str, str] | None = None
    states: tuple[RunState, ...] | None = None
    started_after: int | None = None
    started_before: int | None = None
    parent: int | None = None
    conflicting: bool | None = None


def by_ids(connection: Read, ids: Collection[int], then: Then | None = None) -> dict[int, RunRow]:
    """These runs."""
    found = [record(row) for row in connection.execute(_ALL.where(any_of(connection, run.c.id, ids)))]
    return rewound(connection, found, then)


def rewound(connection: Read, rows: Collection[RunRow], then: Then | None) -> dict[int, RunRow]:
    """These runs by their ids, as they were then: what later events said of them is taken back."""
    found = {row.id: row for row in rows}
    if then is None:
        return found
    went_on = [row.id for row in rows if row.last_at is not None and row.last_at > then.at]
    facts = run_moments.facts(connection, went_on, then) if went_on else {}
    return found | {id: record(one) for id, one in facts.items()}


def pages_then(connection: Read, found: Mapping[int, Slice[RunRow]], then: Then | None) -> dict[int, Slice[RunRow]]:
    """These pages, of runs as they were then."""
    rows = rewound(connection, [row for page in found.values() for row in page.items], then)
    return {owner: page.of([rows[row.id] for row in page.items]) for owner, page in found.items()}


def begun(statement: Select[Any], first_at: ColumnElement[int | None], then: Then | None) -> Select[Any]:
    """Of the runs that a statement finds those that had been heard of then."""
    return statement if then is None else statement.where(first_at <= then.at)


def find_run(connection: Read, run_id: str, namespace: str = "") -> int | None:
    """The id of the run that a run id means.

    Several jobs may have used the same one: the run heard of first is meant, one others only named last of all.
    `namespace` is that of its job, and tells runs of several namespaces apart; empty, it may be any.
    """
    named = select(run.c.id).where(run.c.run_key == key("run_id", run_id))
    if namespace:
        named = named.join(job, job.c.id == run.c.job_id).where(job.c.namespace_id == namespace_id(namespace))
    # Said, not left to the database: not every one sorts what is unknown to the same end.
    named = named.order_by(run.c.first_at.is_(None), run.c.first_at, run.c.id).limit(1)
    id: int | None = connection.execute(named).scalar()
    return id


def by_run_id(connection: Read, run_id: str, namespace: str = "") -> RunRow | None:
    """The run that a run id means; see `find_run`."""
    id = find_run(connection, run_id, namespace)
    return None if id is None else by_ids(connection, (id,)).get(id)


def page(connection: Read, wanted: RunFilter, page: Page) -> Slice[RunRow]:
    """Runs, the latest first."""
    order = _NAMED if _with_named(wanted) else _HEARD
    return paging.paginate(connection, _matching(wanted), order, page).each(record)


def count(connection: Read, wanted: RunFilter) -> int:
    """How many match."""
    return paging.count(connection, _matching(wanted))


def of_jobs(connection: Read, ids: Collection[int], page: Page, then: Then | None = None) -> dict[int, Slice[RunRow]]:
    """The runs of each job, the latest first."""
    wanted = begun(_matching(RunFilter()), run.c.first_at, then)
    found = paging.paginate_each(connection, wanted, run.c.job_id, ids, order=_HEARD, page=page, seek=True)
    return pages_then(connection, {owner: rows.each(record) for owner, rows in found.items()}, then)


def count_of_jobs(connection: Read, ids: Collection[int], then: Then | None = None) -> dict[int, int]:
    """How many runs each job has."""
    return paging.count_each(connection, begun(_matching(RunFilter()), run.c.first_at, then), run.c.job_id, ids)


def latest_of_jobs(connection: Read, ids: Collection[int], then: Then | None = None) -> dict[int, RunRow]:
    """The latest run of each job."""
    return {owner: rows.items[0] for owner, rows in of_jobs(connection, ids, Page(1), then).items()}


def children(connection: Read, ids: Collection[int], page: Page, then: Then | None = None) -> dict[int, Slice[RunRow]]:
    """The runs that each of these contains, the latest first."""
    wanted = begun(_ALL, run.c.first_at, then)
    found = paging.paginate_each(connection, wanted, run.c.parent_id, ids, order=_NAMED, page=page)
    return pages_then(connection, {parent: rows.each(record) for parent, rows in found.items()}, then)


def count_of_children(connection: Read, ids: Collection[int], then: Then | None = None) -> dict[int, int]:
    """How many runs each of these contains."""
    return paging.count_each(connection, begun(_ALL, run.c.first_at, then), run.c.parent_id, ids)


def inputs(connection: Read, ids: Collection[int], then: Then | None = None) -> dict[int, list[DatasetUse]]:
    """What each run read: one record for each dataset, with the id the dataset is shown under, in list order."""
    return _uses(connection, ids, Role.INPUT, then)


def outputs(connection: Read, ids: Collection[int], then: Then | None = None) -> dict[int, list[DatasetUse]]:
    """What each run wrote; as `inputs`."""
    return _uses(connection, ids, Role.OUTPUT, then)


def _uses(connection: Read, ids: Collection[int], role: Role, then: Then | None) -> dict[int, list[DatasetUse]]:
    shown = dataset.alias("shown")
    by_then = () if then is None else (then.at,)
    used = uses(
        lambda said: (
            any_of(connection, said.activity_id, ids), said.role == int(role), *(said.first_at <= at for at in by_then),
        )
    )  # fmt: skip
    rows = connection.execute(
        select(used, shown.c.id.label("shown_id"), run.c.last_at.label("run_last_at"))
        .join(dataset, dataset.c.id == used.c.dataset_id)
        .join(shown, shown.c.id == dataset.c.canonical_id)
        .join(run, run.c.id == used.c.activity_id)
        .order_by(shown.c.sort_key, shown.c.id)
    ).all()
    more = () if then is None else (row for row in rows if row.run_last_at > then.at and use_record(row).says_more)
    retold = {row.activity_id for row in more}
    told = {} if then is None else run_moments.used(connection, retold, then)
    result: dict[int, dict[int, DatasetUse]] = defaultdict(dict)
    for row in rows:
        use = use_record(row)
        if row.activity_id in retold:
            bare = DatasetUse(use.activity_id, use.dataset_id, use.role, use.first_at, use.last_at)
            use = told.get((use.activity_id, use.dataset_id, use.role), bare)
        # A run that named a dataset by two of its names used one dataset.
        use = msgspec.structs.replace(use, dataset_id=row.shown_id)
        known = result[row.activity_id].get(row.shown_id)
        result[row.activity_id][row.shown_id] = use if known is None else known | use
    return {owner: list(uses.values()) for owner, uses in result.items()}


def _with_named(wanted: RunFilter) -> bool:
    return RunState.UNKNOWN in (wanted.states or ())


def _matching(wanted: RunFilter) -> Select[Any]:
    found = _ALL if _with_named(wanted) else _ALL.where(run.c.first_at.is_not(None))
    if wanted.job is not None:
        found = found.where(run.c.job_id == job_id(*wanted.job))
    if wanted.states is not None:
        found = found.where(run.c.state.in_([int(state) for state in wanted.states]))
    if wanted.started_after is not None:
        found = found.where(wanted.started_after <= _STARTED)
    if wanted.started_before is not None:
        found = found.where(wanted.started_before > _STARTED)
    if wanted.parent is not None:
        found = found.where(run.c.parent_id == wanted.parent)
    if wanted.conflicting is not None:
        completed, failed, aborted = (at.is_not(None) for at in (run.c.completed_at, run.c.failed_at, run.c.aborted_at))
        two = or_(and_(completed, failed), and_(completed, aborted), and_(failed, aborted))
        found = found.where(two if wanted.conflicting else ~two)
    return found


def record(row: Row[Any] | RunFacts) -> RunRow:
    """A run from a row that has the columns of `selected`, or from the record."""
    return RunRow(
        row.id, row.job_id, row.run_id, RunState(row.state), row.first_at, row.last_at, row.started_at,
        row.completed_at, row.failed_at, row.aborted_at, row.nominal_start, row.nominal_end, row.parent_id,
        row.root_id, row.version_id,
    )  # fmt: skip
