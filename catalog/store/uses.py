"""What runs read and wrote, and what other events declared.

A run's use of a dataset is not stored: its statements say it, and `statement_dataset` has what they name once, however
many runs say the same. A row of `run_dataset` stands beside it where there is more to say: how much it was, which
version, what became of the dataset. Events that are no runs have nothing but their rows there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Row, Select, Subquery, and_, func, or_, select, union_all

from catalog.domain.words import STREAMING, Role
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.tables import job, run, run_dataset, run_statement, statement_dataset

STREAMS: ColumnElement[bool] = func.coalesce(job.c.processing_type, "") == STREAMING
"""Whether a job is not expected to end."""


class Said(NamedTuple):
    """The columns of one saying that an activity used a dataset."""

    activity_id: ColumnElement[int]
    dataset_id: ColumnElement[int]
    role: ColumnElement[int]
    first_at: ColumnElement[int]
    last_at: ColumnElement[int]


Where: TypeAlias = Callable[[Said], Iterable[ColumnElement[bool]]]

_BY_RUNS = Said(
    run_statement.c.run_id,
    statement_dataset.c.dataset_id,
    statement_dataset.c.role,
    run_statement.c.at,
    run_statement.c.last_at,
)
_OF_RUNS = select(*(column.label(name) for name, column in _BY_RUNS._asdict().items())).join(
    statement_dataset, statement_dataset.c.statement_id == run_statement.c.statement_id
)
_BY_EVENTS = Said(*(run_dataset.c[name] for name in Said._fields))
_OF_EVENTS = select(*_BY_EVENTS).where(run_dataset.c.last_at.is_not(None))
_MORE = (
    "row_count", "byte_count", "file_count", "measured_at", "measured_tie", "label_at", "label_tie", "lifecycle",
    "label",
)  # fmt: skip


def sayings(where: Where) -> Select[Any]:
    """Every saying that `where` wants, of runs and of other events: `Said`, several of one use."""
    both = union_all(_OF_RUNS.where(*where(_BY_RUNS)), _OF_EVENTS.where(*where(_BY_EVENTS))).subquery("said")
    return select(both)


def uses(where: Where) -> Subquery:
    """Every use that `where` wants, once, with all there is to say of it: the columns of `run_dataset`.

    `where` is asked of each saying, so a condition on times wants any saying of the use.
    """
    said = sayings(where).subquery("said")
    own = (said.c.activity_id, said.c.dataset_id, said.c.role)
    once = (
        select(*own, func.min(said.c.first_at).label("first_at"), func.max(said.c.last_at).label("last_at"))
        .group_by(*own)
        .subquery("once")
    )
    same = and_(*(run_dataset.c[name] == once.c[name] for name in ("activity_id", "dataset_id", "role")))
    more = (
        func.coalesce(run_dataset.c.lifecycle, 0).label(name) if name == "lifecycle" else run_dataset.c[name]
        for name in _MORE
    )
    return select(*once.c, *more).outerjoin(run_dataset, same).subquery("use")


def of_activities(connection: Read, ids: Collection[int], role: Role) -> list[Row[Any]]:
    """What these activities used in this role: rows as `uses` has them."""
    if not ids:
        return []
    found = uses(lambda said: (any_of(connection, said.activity_id, ids), said.role == int(role)))
    return list(connection.execute(select(found)))


def wrote() -> ColumnElement[bool]:
    """Whether an activity, joined to its run and job if it has any, wrote what it says it did.

    A batch run that failed, or was aborted, has not.
    """
    ended_badly = run.c.completed_at.is_(None) & or_(run.c.failed_at.is_not(None), run.c.aborted_at.is_not(None))
    return or_(run.c.id.is_(None), ~ended_badly, STREAMS)
