"""Runs among runs: what contains them, and what was tried again."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import and_, or_

from catalog.store import paging
from catalog.store.engine import Read
from catalog.store.paging import Order, Page, Slice
from catalog.store.read import runs
from catalog.store.read.run_moments import Then
from catalog.store.read.runs import RunRow, record, selected
from catalog.store.tables import run

_DEEPEST = 100
"""Levels of containment that are followed; real trees have three or four."""

_one, _other = run.alias("one"), run.alias("other")
_FOR_THE_SAME = or_(
    _other.c.id == _one.c.id,
    and_(_one.c.nominal_start.is_not(None), _other.c.nominal_start == _one.c.nominal_start),
    and_(_one.c.nominal_start.is_(None), _other.c.parent_id == _one.c.parent_id),
)
_ATTEMPTS = selected(_other).join(
    _one, and_(_other.c.job_id == _one.c.job_id, _other.c.first_at.is_not(None), _FOR_THE_SAME)
)
_IN_TURN = Order("attempt", (_other.c.first_at, _other.c.id))


def ancestors(connection: Read, ids: Collection[int], then: Then | None = None) -> dict[int, list[RunRow]]:
    """The runs that contain each of these, the nearest first: a few statements a level, however many are asked.

    A tree that bites its own tail ends where it would begin again.
    """
    rows: dict[int, RunRow] = {}
    asked: set[int] = set(ids)
    for _ in range(_DEEPEST):
        if not asked:
            break
        found = runs.by_ids(connection, asked, then)
        rows |= found
        asked = {row.parent_id for row in found.values() if row.parent_id is not None} - rows.keys()
    return {id: _chain(rows, id) for id in ids}


def _chain(rows: dict[int, RunRow], id: int) -> list[RunRow]:
    chain: list[RunRow] = []
    seen = {id}
    at = rows.get(id)
    while at is not None and at.parent_id is not None and at.parent_id not in seen:
        seen.add(at.parent_id)
        at = rows.get(at.parent_id)
        if at is not None:
            chain.append(at)
    return chain


def attempts(connection: Read, ids: Collection[int], page: Page, then: Then | None = None) -> dict[int, Slice[RunRow]]:
    """The runs of the same job for the same nominal time, else in the same run, each among them; the first first."""
    wanted = runs.begun(_ATTEMPTS, _other.c.first_at, then)
    found = paging.paginate_each(connection, wanted, _one.c.id, ids, order=_IN_TURN, page=page)
    return runs.pages_then(connection, {id: rows.each(record) for id, rows in found.items()}, then)


def count_of_attempts(connection: Read, ids: Collection[int], then: Then | None = None) -> dict[int, int]:
    """How many attempts each of these is one of."""
    return paging.count_each(connection, runs.begun(_ATTEMPTS, _other.c.first_at, then), _one.c.id, ids)
