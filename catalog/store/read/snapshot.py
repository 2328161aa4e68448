"""One consistent state for all that one question reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from catalog.store.engine import Database, Read


@contextmanager
def snapshot(database: Database) -> Iterator[Read]:
    """A connection all of whose statements see the same state, whatever is committed meanwhile.

    SQLite's transactions are so by themselves; PostgreSQL must be told before the first statement.
    """
    with database.read() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection
