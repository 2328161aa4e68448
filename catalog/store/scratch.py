"""A database in memory, for a graph that is needed for one question."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from catalog.store.engine import Database
from catalog.store.tables import metadata


@contextmanager
def database() -> Iterator[Database]:
    """An empty one with all tables; it is gone afterwards. Every thread would see one of its own: use one."""
    made = Database("sqlite://")
    try:
        with made.write() as connection:
            metadata.create_all(connection)
        yield made
    finally:
        made.close()
