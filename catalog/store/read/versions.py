"""Versions: of a dataset, what each completed run made of it; of a job, what its completed runs did.

What an event that is no run declares is a version where it says so: by a label, or by what became of the dataset.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, or_, select

from catalog.domain.words import Lifecycle, Role
from catalog.store import paging
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.paging import Order, Page, Slice
from catalog.store.tables import dataset, job_version, run
from catalog.store.uses import Where, uses


@dataclass(frozen=True, slots=True)
class DatasetVersionRow:
    """What a completed run wrote, or a state that an event declared; then there is no run.

    `created_at` is the end of the run or the time of the event, in microseconds since 1970 UTC. `job_version` is what
    the run did: see `JobVersionRow`.
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


_done = (
    select(run.c.version_id, func.min(run.c.completed_at).label("created_at"), func.count().label("runs"))
    .where(run.c.version_id.is_not(None), run.c.completed_at.is_not(None))
    .group_by(run.c.version_id)
)


def of_datasets(
    connection: Read, ids: Collection[int], page: Page, as_of: int | None = None
) -> dict[int, Slice[DatasetVersionRow]]:
    """The versions of each dataset, the latest first; with `as_of`, those there were by then."""
    statement, order = _of_datasets(_named(connection, ids))
    if as_of is not None:
        statement = statement.where(as_of >= order.keys[0])
    found = paging.paginate_each(connection, statement, dataset.c.canonical_id, ids, order=order, page=page)
    return {owner: rows.each(_dataset_version) for owner, rows in found.items()}


def count_of_datasets(connection: Read, ids: Collection[int]) -> dict[int, int]:
    """How many versions each dataset has."""
    statement, _ = _of_datasets(_named(connection, ids))
    return paging.count_each(connection, statement, dataset.c.canonical_id, ids)


def by_keys(connection: Read, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], DatasetVersionRow]:
    """The versions that these activities made of the datasets under these names: pairs of `named_id, activity_id`."""
    # Every asked dataset with every asked activity: few more than the pairs, and both engines have an index for it.
    found, _ = _of_datasets(
        lambda said: (
            any_of(connection, said.dataset_id, {named for named, _ in keys}),
            any_of(connection, said.activity_id, {activity for _, activity in keys}),
        )
    )
    return {(row.named_id, row.activity_id): _dataset_version(row) for row in connection.execute(found)}


def latest_of_datasets(
    connection: Read, ids: Collection[int], as_of: int | None = None
) -> dict[int, DatasetVersionRow]:
    """The latest version of each dataset; with `as_of`, the one of then."""
    return {owner: rows.items[0] for owner, rows in of_datasets(connection, ids, Page(1), as_of).items()}


def by_ids(connection: Read, ids: Collection[int]) -> dict[int, JobVersionRow]:
    """These versions of jobs; one that no completed run has any more is missing."""
    owners = select(job_version.c.job_id).where(any_of(connection, job_version.c.id, ids))
    statement, _ = _of_jobs(run.c.job_id.in_(owners))
    rows = connection.execute(statement.where(any_of(connection, job_version.c.id, ids)))
    return {row.id: _job_version(row) for row in rows}


def of_jobs(connection: Read, ids: Collection[int], page: Page) -> dict[int, Slice[JobVersionRow]]:
    """The versions of each job, the latest new one first."""
    statement, order = _of_jobs(any_of(connection, run.c.job_id, ids))
    found = paging.paginate_each(connection, statement, job_version.c.job_id, ids, order=order, page=page)
    return {owner: rows.each(_job_version) for owner, rows in found.items()}


def count_of_jobs(connection: Read, ids: Collection[int]) -> dict[int, int]:
    """How many versions each job has."""
    return paging.count_each(connection, select(job_version.c.id), job_version.c.job_id, ids)


def latest_runs(connection: Read, ids: Collection[int]) -> dict[int, int]:
    """The last run that completed with each job version."""
    latest = (
        select(
            run.c.version_id,
            run.c.id,
            func.row_number()
            .over(partition_by=run.c.version_id, order_by=(run.c.completed_at.desc(), run.c.id.desc()))
            .label("rank"),
        )
        .join(job_version, job_version.c.job_id == run.c.job_id)
        .where(any_of(connection, job_version.c.id, ids), run.c.version_id == job_version.c.id)
        .where(run.c.completed_at.is_not(None))
        .subquery()
    )
    rows = connection.execute(select(latest.c.version_id, latest.c.id).where(latest.c.rank == 1))
    return {version: id for version, id in rows}  # noqa: C416 - rows, not pairs, to mypy


def _named(connection: Read, ids: Collection[int]) -> Where:
    names = select(dataset.c.id).where(any_of(connection, dataset.c.canonical_id, ids))
    return lambda said: (said.dataset_id.in_(names),)


def _of_datasets(where: Where) -> tuple[Select[Any], Order]:
    """Versions among the uses that `where` wants."""
    use = uses(lambda said: (*where(said), said.role != int(Role.INPUT)))
    at = case((use.c.role == int(Role.OUTPUT), run.c.completed_at), else_=use.c.last_at)
    statement = (
        select(
            dataset.c.canonical_id, use.c.dataset_id.label("named_id"), use.c.activity_id, run.c.id.label("run_id"),
            at.label("created_at"), use.c.label.label("version"), use.c.row_count, use.c.byte_count, use.c.file_count,
            use.c.lifecycle, run.c.version_id,
        )
        .select_from(use)
        .join(dataset, dataset.c.id == use.c.dataset_id)
        .outerjoin(run, run.c.id == use.c.activity_id)
        .where(
            or_(
                and_(use.c.role == int(Role.OUTPUT), run.c.completed_at.is_not(None)),
                and_(use.c.role == int(Role.DECLARED), or_(use.c.label.is_not(None), use.c.lifecycle != 0)),
            )
        )
    )  # fmt: skip
    return statement, Order("dataset version", (at, use.c.activity_id, use.c.dataset_id), descending=True)


def _of_jobs(wanted: ColumnElement[bool]) -> tuple[Select[Any], Order]:
    """Versions with their completed runs, of which only those of the jobs `wanted` are looked at."""
    done = _done.where(wanted).subquery("done")
    statement = select(job_version.c.id, job_version.c.job_id, job_version.c.code, done.c.created_at, done.c.runs).join(
        done, done.c.version_id == job_version.c.id
    )
    return statement, Order("job version", (done.c.created_at, job_version.c.id), descending=True)


def _dataset_version(row: Row[Any]) -> DatasetVersionRow:
    return DatasetVersionRow(
        row.canonical_id, row.named_id, row.activity_id, row.run_id, row.created_at, row.version, row.row_count,
        row.byte_count, row.file_count, Lifecycle(row.lifecycle), row.version_id,
    )  # fmt: skip


def _job_version(row: Row[Any]) -> JobVersionRow:
    return JobVersionRow(row.id, row.job_id, tuple(filter(None, row.code.split("\n"))), row.created_at, row.runs)
