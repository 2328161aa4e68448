"""Versions: of a dataset, what each completed run made of it; of a job, what its completed runs did.

What an event that is no run declares is a version where it says so: by a label, or by what became of the dataset. And
a label that readers alone name is a version too, until somebody is known to have made it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    Subquery,
    and_,
    case,
    exists,
    func,
    null,
    or_,
    select,
    union,
)

from catalog.domain.ids import key
from catalog.domain.words import Lifecycle, Role, Scope
from catalog.store import paging
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.paging import Order, Page, Slice
from catalog.store.read import same_work
from catalog.store.tables import dataset, facet, job_version, run, run_dataset, run_statement, statement_dataset
from catalog.store.uses import Where, uses


@dataclass(frozen=True, slots=True)
class DatasetVersionRow:
    """What a completed run wrote, a state that an event declared, or what a reader named; then there is no run.

    `created_at` is the end of the run, the time of the event, or when it was named first, in microseconds since 1970
    UTC. `activity_id` is what made it; of what is only read the id of the first reader, negative: the same run may have
    made another version. `job_version` is what the run did: see `JobVersionRow`.
    """

    dataset_id: int
    named_id: int
    activity_id: int
    run_id: int | None
    created_at: int
    label: str | None
    rows: int | None
    size: int | None
    files: int | None
    lifecycle: Lifecycle
    job_version: int | None


class Made(NamedTuple):
    """When a version of a dataset was made, in microseconds since 1970 UTC, and by which run, if it was one."""

    at: int
    run_id: int | None


@dataclass(frozen=True, slots=True)
class JobVersionRow:
    """What completed runs of a job did. `code` has a JSON object for each place the code was at.

    `created_at` is the end of the first such run, in microseconds since 1970 UTC; `latest_run` is the last one.
    """

    id: int
    job_id: int
    code: tuple[str, ...]
    created_at: int
    runs: int


_LABEL = key("facet", "version")


def of_datasets(
    connection: Read, ids: Collection[int], page: Page, as_of: int | None = None
) -> dict[int, Slice[DatasetVersionRow]]:
    """The versions of each dataset, the latest first; with `as_of`, those there were by then."""
    statement, owner, order = _of_datasets(_named(connection, ids), as_of)
    found = paging.paginate_each(connection, statement, owner, ids, order=order, page=page)
    return {id: rows.each(_dataset_version) for id, rows in found.items()}


def last_made(connection: Read, ids: Collection[int], most: int, as_of: int) -> dict[int, list[Made]]:
    """Of each dataset the last versions there were by then, the latest first; not those that readers alone name.

    They are those of `of_datasets` at a third of the cost, which still grows with all the runs that ever wrote the
    dataset: no index has them in the order in which they completed.
    """
    of, mine = (dataset.c.canonical_id, dataset.c.id.label("named_id")), any_of(connection, dataset.c.canonical_id, ids)
    by_runs = (
        select(*of, run.c.completed_at.label("at"), run.c.id.label("activity_id"), run.c.id.label("run_id"))
        .join(statement_dataset, statement_dataset.c.dataset_id == dataset.c.id)
        .join(run_statement, run_statement.c.statement_id == statement_dataset.c.statement_id)
        .join(run, run.c.id == run_statement.c.run_id)
        .where(mine, statement_dataset.c.role == int(Role.OUTPUT), run.c.completed_at <= as_of)
    )
    by_events = (
        select(*of, run_dataset.c.last_at, run_dataset.c.activity_id, null())
        .join(run_dataset, run_dataset.c.dataset_id == dataset.c.id)
        .where(mine, run_dataset.c.last_at <= as_of, _declares(run_dataset))
    )
    # A run may say the same in several ways.
    made = union(by_runs, by_events).subquery("made")
    latest = (made.c.at.desc(), made.c.activity_id.desc(), made.c.named_id.desc())
    place = func.row_number().over(partition_by=made.c.canonical_id, order_by=latest).label("place")
    placed = select(made.c.canonical_id, made.c.at, made.c.run_id, place).subquery("placed")
    found: dict[int, list[Made]] = defaultdict(list)
    shown = select(placed).where(placed.c.place <= most).order_by(placed.c.canonical_id, placed.c.place)
    for owner, at, run_id, _ in connection.execute(shown):
        found[owner].append(Made(at, run_id))
    return found


def count_of_datasets(connection: Read, ids: Collection[int], as_of: int | None = None) -> dict[int, int]:
    """How many versions each dataset has, or had."""
    statement, owner, _ = _of_datasets(_named(connection, ids), as_of)
    return paging.count_each(connection, statement, owner, ids)


def by_keys(connection: Read, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], DatasetVersionRow]:
    """Versions by pairs of `named_id, activity_id`."""
    made = {(named, activity) for named, activity in keys if activity > 0}
    # Every asked dataset with every asked activity: few more than the pairs, and both engines have an index for it.
    found, *_ = _of_datasets(
        lambda said: (
            any_of(connection, said.dataset_id, {named for named, _ in made}),
            any_of(connection, said.activity_id, {activity for _, activity in made}),
            said.role != int(Role.INPUT),
        )
    )
    rows = list(connection.execute(found))
    if only_read := {named for named, activity in keys if activity < 0}:
        # Whether nobody made it, and who was first to read it, all versions of the dataset tell.
        owners = connection.scalars(select(dataset.c.canonical_id).where(any_of(connection, dataset.c.id, only_read)))
        rows += connection.execute(_of_datasets(_named(connection, owners.all()))[0])
    return {(row.named_id, row.activity_id): _dataset_version(row) for row in rows}


def latest_of_datasets(
    connection: Read, ids: Collection[int], as_of: int | None = None
) -> dict[int, DatasetVersionRow]:
    """The latest version of each dataset; with `as_of`, the one of then."""
    return {owner: rows.items[0] for owner, rows in of_datasets(connection, ids, Page(1), as_of).items()}


def by_ids(connection: Read, ids: Collection[int], as_of: int | None = None) -> dict[int, JobVersionRow]:
    """These versions of jobs; one that no completed run has any more, or had by `as_of`, is missing.

    One that did the same as an earlier one, under other names of datasets, is that one.
    """
    same = same_work.of_versions(connection, ids)
    told = {id: same.get(id, id) for id in ids}
    owners = select(job_version.c.job_id).where(any_of(connection, job_version.c.id, told.values()))
    statement, _ = _of_jobs(connection, run.c.job_id.in_(owners), same, as_of)
    rows = connection.execute(statement.where(any_of(connection, job_version.c.id, told.values())))
    found = {row.id: _job_version(row) for row in rows}
    return {id: found[one] for id, one in told.items() if one in found}


def of_jobs(
    connection: Read, ids: Collection[int], page: Page, as_of: int | None = None
) -> dict[int, Slice[JobVersionRow]]:
    """The versions of each job, the latest new one first; with `as_of`, those that runs had completed with by then."""
    mine, same = any_of(connection, run.c.job_id, ids), same_work.of_jobs(connection, ids)
    statement, order = _of_jobs(connection, mine, same, as_of)
    found = paging.paginate_each(connection, statement, job_version.c.job_id, ids, order=order, page=page)
    return {owner: rows.each(_job_version) for owner, rows in found.items()}


def count_of_jobs(connection: Read, ids: Collection[int], as_of: int | None = None) -> dict[int, int]:
    """How many versions each job has, or had."""
    mine, same = any_of(connection, run.c.job_id, ids), same_work.of_jobs(connection, ids)
    statement, _ = _of_jobs(connection, mine, same, as_of)
    return paging.count_each(connection, statement, job_version.c.job_id, ids)


def latest_runs(connection: Read, ids: Collection[int], as_of: int | None = None) -> dict[int, int]:
    """The last run that completed with each job version, or had by `as_of`."""
    same = same_work.of_versions(connection, ids)
    told = {id: same.get(id, id) for id in ids}
    runs, version = same_work.told_as(connection, same)
    rank = func.row_number().over(partition_by=version, order_by=(run.c.completed_at.desc(), run.c.id.desc()))
    latest = (
        select(version.label("version_id"), run.c.id, rank.label("rank"))
        .select_from(runs.join(job_version, job_version.c.job_id == run.c.job_id))
        .where(any_of(connection, job_version.c.id, told.values()), version == job_version.c.id, _completed(as_of))
        .subquery()
    )
    rows = connection.execute(select(latest.c.version_id, latest.c.id).where(latest.c.rank == 1))
    found = {version: id for version, id in rows}  # noqa: C416 - rows, not pairs, to mypy
    return {id: found[one] for id, one in told.items() if one in found}


def _completed(as_of: int | None) -> ColumnElement[bool]:
    return run.c.completed_at.is_not(None) if as_of is None else run.c.completed_at <= as_of


def _named(connection: Read, ids: Collection[int]) -> Where:
    """Uses of these datasets under all their names; of readers only where somebody ever named a version."""
    names = select(dataset.c.id).where(any_of(connection, dataset.c.canonical_id, ids))
    labelled = names.where(exists().where(*_labels(facet, dataset.c.id)))
    return lambda said: (
        said.dataset_id.in_(names), or_(said.role != int(Role.INPUT), said.dataset_id.in_(labelled)),
    )  # fmt: skip


def _of_datasets(where: Where, as_of: int | None = None) -> tuple[Select[Any], ColumnElement[int], Order]:
    """Versions among the uses that `where` wants, whose they are, and their order."""
    use = uses(where)
    is_read = use.c.role == int(Role.INPUT)
    at = case((use.c.role == int(Role.OUTPUT), run.c.completed_at), (is_read, _named_at(use)), else_=use.c.last_at)

    def of_makers(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return case((~is_read, column))

    told = (
        select(
            dataset.c.canonical_id, use.c.dataset_id.label("named_id"), use.c.label.label("version"),
            case((is_read, -use.c.activity_id), else_=use.c.activity_id).label("activity_id"), is_read.label("is_read"),
            at.label("created_at"), case((is_read, 0), else_=use.c.lifecycle).label("lifecycle"),
            of_makers(run.c.id).label("run_id"), of_makers(run.c.version_id).label("version_id"),
            *(of_makers(use.c[name]).label(name) for name in ("row_count", "byte_count", "file_count")),
        )
        .select_from(use)
        .join(dataset, dataset.c.id == use.c.dataset_id)
        .outerjoin(run, run.c.id == use.c.activity_id)
        .where(
            or_(
                and_(use.c.role == int(Role.OUTPUT), run.c.completed_at.is_not(None)),
                _declares(use),
                and_(is_read, use.c.label.is_not(None)),
            )
        )
    )  # fmt: skip
    if as_of is not None:
        told = told.where(at <= as_of)
    one = told.subquery("told")
    same = (one.c.canonical_id, one.c.version)
    is_made = func.max(case((one.c.is_read, 0), else_=1)).over(partition_by=same)
    in_turn = (one.c.created_at, one.c.activity_id, one.c.named_id)
    turn = func.row_number().over(partition_by=(*same, one.c.is_read), order_by=in_turn)
    v = select(one, is_made.label("is_made"), turn.label("turn")).subquery("version")
    statement = select(v).where(or_(~v.c.is_read, and_(v.c.is_made == 0, v.c.turn == 1)))
    keys = (v.c.created_at, v.c.activity_id, v.c.named_id)
    return statement, v.c.canonical_id, Order("dataset version", keys, descending=True)


def _declares(use: FromClause) -> ColumnElement[bool]:
    """Whether what an event declares is a version."""
    return and_(use.c.role == int(Role.DECLARED), or_(use.c.label.is_not(None), use.c.lifecycle != 0))


def _named_at(use: Subquery) -> ColumnElement[int]:
    """When a reader named the version: as it began, if the label held then, or when the label came while it read.

    Of what it said the last word is stored. What others said in that very microsecond may have won over it; then
    nothing tells, and it is as it began.
    """
    last, first, came = (facet.alias(name) for name in ("last", "first", "came"))
    told = and_(last.c.valid_from == use.c.label_at, last.c.tie <= use.c.label_tie)
    its_word = _held(use, last, or_(last.c.valid_from < use.c.label_at, told))
    since = select(func.min(came.c.valid_from)).where(
        *_labels(came, use.c.dataset_id),
        came.c.valid_from.between(use.c.first_at, use.c.label_at),
        came.c.content_key == its_word,
    )
    began = _held(use, first, first.c.valid_from <= use.c.first_at) == its_word
    return case((began, use.c.first_at), else_=func.coalesce(since.scalar_subquery(), use.c.first_at))


def _held(use: Subquery, said: FromClause, by: ColumnElement[bool]) -> ColumnElement[int | None]:
    """The content of the label that held last."""
    last = (
        select(said.c.content_key)
        .where(*_labels(said, use.c.dataset_id), by)
        .order_by(said.c.valid_from.desc())
        .limit(1)
    )
    return last.correlate(use).scalar_subquery()


def _labels(said: FromClause, of: ColumnElement[int]) -> tuple[ColumnElement[bool], ...]:
    return said.c.subject_id == of, said.c.scope == int(Scope.DATASET), said.c.name_key == _LABEL


def _of_jobs(
    connection: Read, wanted: ColumnElement[bool], same: Mapping[int, int], as_of: int | None
) -> tuple[Select[Any], Order]:
    """Versions with their completed runs, of which only those of the jobs `wanted` are looked at."""
    runs, version = same_work.told_as(connection, same)
    done = (
        select(version.label("id"), func.min(run.c.completed_at).label("created_at"), func.count().label("runs"))
        .select_from(runs)
        .where(wanted, run.c.version_id.is_not(None), _completed(as_of))
        .group_by(version)
        .subquery("done")
    )
    statement = select(job_version.c.id, job_version.c.job_id, job_version.c.code, done.c.created_at, done.c.runs)
    order = Order("job version", (done.c.created_at, job_version.c.id), descending=True)
    return statement.join(done, done.c.id == job_version.c.id), order


def _dataset_version(row: Row[Any]) -> DatasetVersionRow:
    return DatasetVersionRow(
        row.canonical_id, row.named_id, row.activity_id, row.run_id, row.created_at, row.version, row.row_count,
        row.byte_count, row.file_count, Lifecycle(row.lifecycle), row.version_id,
    )  # fmt: skip


def _job_version(row: Row[Any]) -> JobVersionRow:
    return JobVersionRow(row.id, row.job_id, tuple(filter(None, row.code.split("\n"))), row.created_at, row.runs)
