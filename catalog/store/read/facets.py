"""Facets of jobs and datasets: what held at a moment, and the history of one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_

from catalog.domain.ids import key
from catalog.domain.timeline import FOREVER
from catalog.domain.words import Node, Scope
from catalog.store.engine import Read
from catalog.store.read.subjects import attached
from catalog.store.tables import facet


@dataclass(frozen=True, slots=True)
class FacetRow:
    """A facet as received, and during which time it held; microseconds since 1970 UTC, None: until now."""

    scope: Scope
    name: str
    payload: bytes
    understood: bool
    valid_from: int
    valid_to: int | None


_COLUMNS = (
    facet.c.scope, facet.c.name, facet.c.payload, facet.c.understood, facet.c.valid_from, facet.c.valid_to, facet.c.tie
)  # fmt: skip


def of_datasets(
    connection: Read, ids: Collection[int], as_of: int | None = None, name: str | None = None
) -> dict[int, list[FacetRow]]:
    """The facets each dataset has now, or had at `as_of`; of what was said under several names, the latest."""
    return _holding(connection, ids, Node.DATASET, as_of, name)


def of_jobs(
    connection: Read, ids: Collection[int], as_of: int | None = None, name: str | None = None
) -> dict[int, list[FacetRow]]:
    """The facets each job has now, or had at `as_of`."""
    return _holding(connection, ids, Node.JOB, as_of, name)


def schemas(connection: Read, ids: Collection[int]) -> dict[int, list[FacetRow]]:
    """Every `schema` facet each dataset had, the earliest first, each until the next."""
    found = attached(connection, facet, _COLUMNS, ids, Node.DATASET)
    named = and_(facet.c.scope == int(Scope.DATASET), facet.c.name_key == key("facet", "schema"))
    said: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(found.where(named)):
        said[row.owner].append(row)
    return {owner: list(_in_turn(rows)) for owner, rows in said.items()}


def _in_turn(rows: Iterable[Row[Any]]) -> Iterable[FacetRow]:
    """What was said under any name holds until something is said under any."""
    ordered = sorted(rows, key=lambda row: (row.valid_from, row.tie))
    for row, following in zip(ordered, [*ordered[1:], None], strict=True):
        end = row.valid_to if following is None else following.valid_from
        if row.payload is not None and row.valid_from < end:
            yield _record(row, end)


def _holding(
    connection: Read, ids: Collection[int], node: Node, as_of: int | None, name: str | None
) -> dict[int, list[FacetRow]]:
    found = attached(connection, facet, _COLUMNS, ids, node).where(_holds(as_of))
    if name is not None:
        found = found.where(facet.c.name_key == key("facet", name))
    latest: dict[int, dict[tuple[int, str], Row[Any]]] = defaultdict(dict)
    for row in connection.execute(found):
        place = (row.scope, row.name)
        known = latest[row.owner].get(place)
        if known is None or (known.valid_from, known.tie) < (row.valid_from, row.tie):
            latest[row.owner][place] = row
    return {
        owner: [_record(row, row.valid_to) for _, row in sorted(rows.items()) if row.payload is not None]
        for owner, rows in latest.items()
    }


def _holds(as_of: int | None) -> ColumnElement[bool]:
    if as_of is None:
        return facet.c.valid_to == FOREVER
    return and_(facet.c.valid_from <= as_of, facet.c.valid_to > as_of)


def _record(row: Row[Any], end: int) -> FacetRow:
    return FacetRow(
        Scope(row.scope), row.name, row.payload, bool(row.understood), row.valid_from, None if end == FOREVER else end
    )
