"""Rows for columns: every one that was ever named, in a schema or only in a column lineage."""

from __future__ import annotations

from collections.abc import Collection

from catalog.domain.ids import field_id
from catalog.store.dialect import insert_new
from catalog.store.engine import Write
from catalog.store.rows import storable
from catalog.store.tables import field


def write_fields(connection: Write, columns: Collection[tuple[int, str]]) -> None:
    """See that each (dataset, column) has its row."""
    rows = [{"id": field_id(owner, name), "dataset_id": owner, "name": storable(name)} for owner, name in columns]
    insert_new(connection, field, rows)
