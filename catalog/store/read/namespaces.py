"""Namespaces, and how much is in them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, Table, func, select

from catalog.store import paging
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.paging import Order, Page, Slice
from catalog.store.tables import dataset, job, namespace

_ORDER = Order("namespace", (namespace.c.sort_key, namespace.c.id))
_ALL: Select[Any] = select(namespace.c.id, namespace.c.name)


@dataclass(frozen=True, slots=True)
class NamespaceRow:
    """A namespace."""

    id: int
    name: str


def by_ids(connection: Read, ids: Collection[int]) -> dict[int, NamespaceRow]:
    """These namespaces."""
    return {row.id: _record(row) for row in connection.execute(_ALL.where(any_of(connection, namespace.c.id, ids)))}


def page(connection: Read, page: Page) -> Slice[NamespaceRow]:
    """Namespaces by name."""
    return paging.paginate(connection, _ALL, _ORDER, page).each(_record)


def count(connection: Read) -> int:
    """How many there are."""
    return paging.count(connection, _ALL)


def dataset_counts(connection: Read, ids: Collection[int]) -> dict[int, int]:
    """How many datasets have a name in each; one with names in two is counted in both."""
    return _counts(connection, dataset, ids)


def job_counts(connection: Read, ids: Collection[int]) -> dict[int, int]:
    """How many jobs are in each."""
    return _counts(connection, job, ids)


def _counts(connection: Read, table: Table, ids: Collection[int]) -> dict[int, int]:
    column = table.c.namespace_id
    distinct = func.count(func.distinct(table.c.canonical_id)) if table is dataset else func.count()
    rows = connection.execute(select(column, distinct).where(any_of(connection, column, ids)).group_by(column))
    return {id: many for id, many in rows}  # noqa: C416 - rows, not pairs, to mypy


def _record(row: Row[Any]) -> NamespaceRow:
    return NamespaceRow(row.id, row.name)
