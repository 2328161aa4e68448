"""Each statement of a batch fails in turn, then the commit before and after it took effect: all of a batch, or nothing.

SQLite's own tests do the same with every write to the disk: fail the first, the second, … until nothing fails.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg
import pytest

from builders import ran
from catalog.domain.errors import Unavailable
from catalog.ingest.accept import Ingest, Receipt, Received
from catalog.store.engine import Database
from catalog.store.maintenance import dump_digest

NewDatabase = Callable[[], Any]

BEFORE = [Received(raw, "test") for raw in ran("etl").reading("raw").writing("clean")]
BATCH = [
    Received(raw, "test")
    for run in (
        ran("etl", 10).reading("raw", "more").from_columns("clean", total=[("raw", "amount")]),
        ran("report", 12).reading("clean").writing("pages"),
        ran("etl", 14).failing(),
    )
    for raw in run
]


def disk_error(database: Database) -> Exception:
    """What the driver says of a disk that does not take a write."""
    if database.is_sqlite:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR_WRITE"  # type: ignore[misc]
        return error
    return psycopg.errors.DiskFull("could not extend file: No space left on device")


@contextmanager
def failing(database: Database, number: int) -> Iterator[list[str]]:
    """The statement with this number, from 1, fails; the answer is a list of those that were tried."""
    tried: list[str] = []
    dialect = database.engine.dialect
    names = ("do_execute", "do_executemany", "do_execute_no_params")

    def checked(execute: Callable[..., None]) -> Callable[..., None]:
        def run(cursor: Any, statement: str, *rest: Any) -> None:
            if not statement.startswith("BEGIN"):
                tried.append(statement)
                if len(tried) == number:
                    raise disk_error(database)
            execute(cursor, statement, *rest)

        return run

    for name in names:
        setattr(dialect, name, checked(getattr(dialect, name)))
    try:
        yield tried
    finally:
        for name in names:
            delattr(dialect, name)


@contextmanager
def commit_failing(database: Database, *, after: bool) -> Iterator[None]:
    """The commit fails: before it did anything, or after, when only the answer is lost."""
    dialect = database.engine.dialect
    real = dialect.do_commit

    def commit(connection: Any) -> None:
        if after:
            real(connection)
        raise disk_error(database)

    dialect.do_commit = commit  # type: ignore[method-assign]
    try:
        yield
    finally:
        del dialect.do_commit


def state(database: Database) -> str:
    with database.read() as connection:
        return dump_digest(connection)


def size(database: Database) -> int:
    with database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM log_entry").scalar_one())


def test_a_batch_whose_nth_statement_fails_leaves_nothing_behind(database: Database, new_database: NewDatabase):
    ingest = Ingest(database)
    ingest.accept(BEFORE)
    untouched = state(database)
    for number in count(1):
        with failing(database, number) as tried:
            try:
                ingest.accept(BATCH)
            except Unavailable:
                pass
            else:
                break
        assert len(tried) == number
        assert (size(database), state(database)) == (len(BEFORE), untouched)
    assert number > 15, "hardly a statement was seen"
    with new_database() as unbroken:
        Ingest(unbroken).accept([*BEFORE, *BATCH])
        assert state(database) == state(unbroken)


def test_a_commit_that_fails_is_no_acknowledgement(database: Database):
    ingest = Ingest(database)
    ingest.accept(BEFORE)
    with commit_failing(database, after=False), pytest.raises(Unavailable):
        ingest.accept(BATCH)
    assert size(database) == len(BEFORE)
    with commit_failing(database, after=True), pytest.raises(Unavailable):
        ingest.accept(BATCH)
    again = ingest.accept(BATCH)
    assert [one.duplicate for one in again if isinstance(one, Receipt)] == [True] * len(BATCH)
    assert size(database) == len(BEFORE) + len(BATCH)
