"""Whole databases: a backup, a copy to the other engine, and the dump by which two of them are compared."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, String, Table, collate, func, select

from catalog.domain.errors import BadRequest, CatalogError, Unavailable
from catalog.store.dialect import insert, is_sqlite
from catalog.store.engine import Database, Read, Write
from catalog.store.migrate import check
from catalog.store.tables import GRAPH, metadata

Progress = Callable[[str, int, int], None]
"""Told the table, its rows copied so far, and all its rows."""

# A batch ends at whichever comes first: many small rows cost calls, few large ones (a quarantined body) memory.
_BATCH_ROWS = 5_000
_BATCH_BYTES = 8_000_000
_FETCH_ROWS = 500


def backup(database: Database, path: Path) -> None:
    """Write the state of this moment to `path`, one SQLite file; others go on reading and writing meanwhile.

    The file is there when it is whole, or not at all. It holds no page of what was erased.

    Raises:
        BadRequest: the database is on PostgreSQL, or there is no folder for `path`, or a file already.
        Unavailable: the file could not be written.
    """
    if not database.is_sqlite:
        raise BadRequest(
            "Only an SQLite database is backed up to a file.",
            fix="Use pg_dump, or `catalog db copy` to a new SQLite file.",
        )
    if path.exists() or not path.parent.is_dir():
        what = f"There is a file at {path} already." if path.exists() else f"There is no folder {path.parent}."
        raise BadRequest(what, fix="Name a new file in a folder that exists.")
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        _vacuum_into(database, partial)
        _to_disk(partial)
        partial.rename(path)
        _to_disk(path.parent)
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(f"The backup could not be written: {error}", fix="Is there room on the disk?") from error
    finally:
        partial.unlink(missing_ok=True)


def copy(source: Database, target: Database, progress: Progress | None = None) -> None:
    """Copy every row of `source`, as it is at this moment, to `target`; either may be on either engine.

    All rows arrive and have been compared, or none.

    Args:
        source: others may go on writing to it; what they write is not copied.
        target: migrated, with nothing in it. Where somebody else writes to it meanwhile, nothing is copied.
        progress: told after each batch: the table, its rows so far, all its rows.

    Raises:
        NotMigrated: one of the two is not at the version of this program.
        BadRequest: there are rows in `target`.
        CatalogError: what was written differs from what was read; `target` is as it was.
    """
    check(source)
    check(target)
    with _snapshot(source) as old, target.write() as new:
        for table in metadata.sorted_tables:
            if new.execute(select(table).limit(1)).first() is not None:
                raise BadRequest(f"There are rows in '{table.name}' of the target.", fix="Copy to a new database.")
        for table in metadata.sorted_tables:
            _copy_table(table, old, new, progress)
            if dump_digest(old, [table]) != dump_digest(new, [table]):
                raise CatalogError(f"'{table.name}' is not the same after copying; nothing was kept.")


def canonical_dump(connection: Read, tables: Iterable[Table] = GRAPH) -> Iterator[tuple[Any, ...]]:
    """Every row of `tables` as `(table name, value of each column…)`, in the order of tables and of primary keys.

    Values are Python's own: int, str, bytes, None. Two databases with the same rows give the same tuples, whatever
    their engine and the order in which the rows were written.
    """
    for table in tables:
        name = str(table.name)  # sqlalchemy's own kind of text
        for row in _rows(table, connection):
            yield (name, *row)


def dump_digest(connection: Read, tables: Iterable[Table] = GRAPH) -> str:
    """The SHA-256, in hexadecimal, of `canonical_dump`: equal exactly when the dumps are."""
    digest = hashlib.sha256()
    for row in canonical_dump(connection, tables):
        # ascii(), as repr() of a text depends on which characters that Python calls printable.
        digest.update(ascii(row).encode())
    return digest.hexdigest()


@contextmanager
def _snapshot(database: Database) -> Iterator[Read]:
    with database.read() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection


def _copy_table(table: Table, old: Read, new: Write, progress: Progress | None) -> None:
    total = old.execute(select(func.count()).select_from(table)).scalar_one()
    done = 0
    for batch in _batches(_rows(table, old)):
        insert(new, table, [row._asdict() for row in batch])
        done += len(batch)
        if progress:
            progress(table.name, done, total)


def _batches(rows: Iterable[Row[Any]]) -> Iterator[Sequence[Row[Any]]]:
    batch: list[Row[Any]] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(value) for value in row if isinstance(value, bytes | str))
        if len(batch) == _BATCH_ROWS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _rows(table: Table, connection: Read) -> Iterable[Row[Any]]:
    order = [_bytewise(column, connection) for column in table.primary_key]
    return connection.execute(select(table).order_by(*order).execution_options(yield_per=_FETCH_ROWS))


def _bytewise(column: Column[Any], connection: Read) -> ColumnElement[Any]:
    """Text in the order of its bytes on both engines; PostgreSQL's own order depends on the server's locale."""
    if isinstance(column.type, String) and not is_sqlite(connection):
        return collate(column, "C")
    return column


def _vacuum_into(database: Database, path: Path) -> None:
    # Not sqlite3's backup(): it starts again whenever another connection writes, and copies the free pages too.
    # On the driver's own cursor: sqlalchemy would begin a transaction, in which there is no VACUUM.
    with database.engine.connect() as connection:
        cursor = connection.connection.cursor()
        try:
            cursor.execute("VACUUM INTO ?", (str(path),))
        finally:
            cursor.close()


def _to_disk(path: Path) -> None:
    """What was written to a file, or the names in a folder, survives a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
