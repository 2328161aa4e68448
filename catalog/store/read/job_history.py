"""Which version of a job held when: its completed runs in their order, those that did the same in a row as one.

Versions are content-addressed, so a job that goes back to what it did before has that version again, and it stays the
one that was made then. That it went back is seen here alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, or_, select

from catalog.store import paging
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.paging import Order, Page, Slice
from catalog.store.read import same_work
from catalog.store.tables import run


@dataclass(frozen=True, slots=True)
class StretchRow:
    """Completed runs of a job that did the same, one after the other: no run that did another thing ended between them.

    Times are microseconds since 1970 UTC: the ends of the first of these runs and of the first that did another thing,
    None while none did. `before` is the version of the stretch before; `again` is whether this one had held earlier.
    """

    job_id: int
    version_id: int
    first_run: int
    valid_from: int
    valid_to: int | None
    runs: int
    before: int | None
    again: bool


def of_jobs(
    connection: Read, ids: Collection[int], page: Page, as_of: int | None = None
) -> dict[int, Slice[StretchRow]]:
    """The stretches of each job, the latest first; with `as_of`, as its runs by then make them."""
    statement, owner, order = _of_jobs(connection, ids, as_of)
    found = paging.paginate_each(connection, statement, owner, ids, order=order, page=page)
    return {id: rows.each(_stretch) for id, rows in found.items()}


def count_of_jobs(connection: Read, ids: Collection[int], as_of: int | None = None) -> dict[int, int]:
    """How many stretches each job has."""
    statement, owner, _ = _of_jobs(connection, ids, as_of)
    return paging.count_each(connection, statement, owner, ids)


def _of_jobs(
    connection: Read, ids: Collection[int], as_of: int | None
) -> tuple[Select[Any], ColumnElement[int], Order]:
    """The stretches of these jobs, whose they are, and their order."""
    runs, version = same_work.told_as(connection, same_work.of_jobs(connection, ids))
    in_turn, same = (run.c.completed_at, run.c.id), (run.c.job_id, version)
    told = select(
        run.c.job_id,
        version.label("version_id"),
        run.c.id,
        run.c.completed_at,
        func.lag(version).over(partition_by=run.c.job_id, order_by=in_turn).label("before"),
        func.row_number().over(partition_by=run.c.job_id, order_by=in_turn).label("place"),
        func.count().over(partition_by=run.c.job_id).label("most"),
        func.row_number().over(partition_by=same, order_by=in_turn).label("nth"),
    )
    done = told.select_from(runs).where(
        any_of(connection, run.c.job_id, ids),
        run.c.version_id.is_not(None),
        run.c.completed_at.is_not(None) if as_of is None else run.c.completed_at <= as_of,
    )
    one = done.subquery("done")

    def following(column: ColumnElement[int]) -> ColumnElement[int | None]:
        return func.lead(column).over(partition_by=one.c.job_id, order_by=one.c.place)

    many = func.coalesce(following(one.c.place), one.c.most + 1) - one.c.place
    begins = or_(one.c.before.is_(None), one.c.before != one.c.version_id)
    first = select(*one.c, following(one.c.completed_at).label("until"), many.label("runs")).where(begins)
    stretch = first.subquery("stretch")
    order = Order("job version stretch", (stretch.c.completed_at, stretch.c.id), descending=True)
    return select(stretch), stretch.c.job_id, order


def _stretch(row: Row[Any]) -> StretchRow:
    return StretchRow(
        row.job_id, row.version_id, row.id, row.completed_at, row.until, row.runs, row.before, row.nth > 1
    )
