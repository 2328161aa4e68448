"""Renames that became true."""

from __future__ import annotations

from collections.abc import Collection

from catalog.domain.renames import Renamed
from catalog.store.engine import Read
from catalog.store.rows import by_ids
from catalog.store.tables import dataset_rename

_TRUE = dataset_rename.c.at.is_not(None)


def among(connection: Read, names: Collection[int]) -> list[Renamed]:
    """The renames to any of these names that became true."""
    rows = by_ids(connection, dataset_rename, dataset_rename.c.dataset_id, names, _TRUE)
    return [Renamed(row.at, row.activity_id, row.dataset_id, row.previous_id) for row in rows]
