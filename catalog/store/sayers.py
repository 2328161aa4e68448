"""Which run confirmed an edge last, by a moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import product
from typing import NamedTuple

from sqlalchemy import ColumnElement, FromClause, case, exists, func, or_, select

from catalog.domain.words import Role
from catalog.store.among import Prepared, among
from catalog.store.dialect import listed
from catalog.store.engine import Read
from catalog.store.names import Names
from catalog.store.tables import job, log_entry, run, run_statement, statement_dataset
from catalog.store.uses import STREAMS


class Asked(NamedTuple):
    """An edge through a job, as of a moment. Its ends are 0 where they are no datasets."""

    job: int
    moment: int
    source: int
    target: int


_LAST_POINTS = Prepared(
    select(job.c.id, job.c.last_point_at, job.c.last_point_run).where(
        among(job.c.id, "ids"), job.c.last_point_run.is_not(None)
    )
)


def last_completed(
    connection: Read, asked: Collection[tuple[int, int]]
) -> Mapping[tuple[int, int], tuple[int, int | None]]:
    """For each (job, moment) the last run that was completed with lineage by then, and when: what it did holds.

    Jobs of which there was none by then, and those that stream, are missing.
    """
    points = {id: (at, run_id) for id, at, run_id in _LAST_POINTS.rows(connection, {"ids": {job for job, _ in asked}})}
    # Mostly the moment is now, and the job itself knows.
    found = {one: points[one[0]] for one in asked if one[0] in points and points[one[0]][0] <= one[1]}
    rest = sorted(set(asked) - found.keys())
    return {**found, **_completed(connection, rest)} if rest else found


def last_begun(connection: Read, names: Names, asked: Iterable[Asked]) -> Mapping[Asked, tuple[int, int | None]]:
    """For each edge the last run of its job that had begun by then and had named both its ends, and when it was heard.

    What is passed on from job to job is named in parts: then it is the last that had said anything.
    """
    wanted = sorted(set(asked))
    found = dict(_begun(connection, names, wanted))
    if rest := [one for one in wanted if one not in found]:
        whole = dict(_begun(connection, names, sorted({one._replace(source=0, target=0) for one in rest})))
        found.update((one, whole[alone]) for one in rest if (alone := one._replace(source=0, target=0)) in whole)
    return found


def _completed(connection: Read, asked: list[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, int | None]]:
    wanted = listed(connection, ("job", "moment"), asked)
    last = (
        select(run.c.id)
        .where(run.c.job_id == wanted.c.job, run.c.completed_at <= wanted.c.moment, run.c.version_id.is_not(None))
        .order_by(run.c.completed_at.desc(), run.c.id.desc())
        .limit(1)
        .correlate(wanted)
        .scalar_subquery()
    )
    # The completions of a stream change nothing.
    found = select(wanted.c.job, wanted.c.moment, last.label("run")).join(job, job.c.id == wanted.c.job)
    chosen = found.where(~STREAMS).subquery()
    rows = connection.execute(
        select(chosen.c.job, chosen.c.moment, run.c.completed_at, run.c.id).join(chosen, chosen.c.run == run.c.id)
    )
    return {(job_id, moment): (at, id) for job_id, moment, at, id in rows}


def _begun(connection: Read, names: Names, asked: list[Asked]) -> Iterator[tuple[Asked, tuple[int, int | None]]]:
    listing = [
        (place, one.job, one.moment, source, target)
        for place, one in enumerate(asked)
        for source, target in product(*(names.of([end]) if end else [0] for end in one[2:]))
    ]
    wanted = listed(connection, ("place", "job", "moment", "source", "target"), listing)
    last = (
        select(run.c.id)
        .where(
            run.c.job_id == wanted.c.job, run.c.first_at <= wanted.c.moment, run.c.version_id.is_not(None),
            _named(wanted, wanted.c.source, Role.INPUT), _named(wanted, wanted.c.target, Role.OUTPUT),
        )
        .order_by(run.c.first_at.desc(), run.c.id.desc())
        .limit(1)
        .correlate(wanted)
        .scalar_subquery()
    )  # fmt: skip
    chosen = select(wanted.c.place, wanted.c.moment, last.label("run")).subquery()
    # A run may have gone on behind the moment: what it had said by then, its entries know.
    said = select(func.max(log_entry.c.event_time)).where(
        log_entry.c.activity_id == run.c.id, log_entry.c.event_time <= chosen.c.moment
    )
    at = case((run.c.last_at <= chosen.c.moment, run.c.last_at), else_=said.scalar_subquery())
    rows = connection.execute(
        select(chosen.c.place, func.coalesce(at, run.c.first_at), run.c.first_at, run.c.id)
        .join(chosen, chosen.c.run == run.c.id)
        .order_by(run.c.first_at, run.c.id)
    )
    # Of several names of one dataset the run that began last wins.
    return iter({asked[place]: (at, id) for place, at, _, id in rows}.items())


def _named(wanted: FromClause, end: ColumnElement[int], role: Role) -> ColumnElement[bool]:
    """Whether the run had named this end by the moment; or anything at all, where the end is no dataset."""
    said = exists().where(run_statement.c.run_id == run.c.id, run_statement.c.at <= wanted.c.moment)
    named = (
        exists()
        .where(
            run_statement.c.run_id == run.c.id,
            run_statement.c.at <= wanted.c.moment,
            statement_dataset.c.statement_id == run_statement.c.statement_id,
            statement_dataset.c.dataset_id == end,
            statement_dataset.c.role == int(role),
        )
        .correlate(wanted, run)
    )
    return or_((end == 0) & said.correlate(wanted, run), named)
