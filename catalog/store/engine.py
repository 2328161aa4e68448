"""Opening a database, and the two kinds of connection: reading, and writing under one total order."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg.pq import Format
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from catalog.domain.errors import BadRequest, Unavailable

Read = Connection
Write = Connection

_SQLITE_TRANSIENT = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
    "SQLITE_READONLY",
)

# SQLSTATEs after which the same transaction may succeed: serialization, deadlock, lock timeout, shutdown.
_TRANSIENT = ("40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53100", "53300", "25006")

BINARY = "catalog_binary"
"""The execution option of a statement whose rows PostgreSQL is to send as it has them, and not as text."""
_ANSWERED = "catalog_answered"
_FRESH_SECONDS = 1.0


class Database:
    """One database: an SQLite file or a PostgreSQL server."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        """Prepare connections to `url`; nothing is opened until one is asked for."""
        self.url = make_url(url)
        name = self.url.get_backend_name()
        if name not in ("sqlite", "postgresql"):
            raise BadRequest(
                f"No catalog can live in '{name}'.",
                fix="Use sqlite:///catalog.db or postgresql://user@host/database.",
            )
        self.is_sqlite = name == "sqlite"
        self.engine = _sqlite(self.url) if self.is_sqlite else _postgresql(self.url, pool_size)

    @contextmanager
    def read(self) -> Iterator[Read]:
        """A connection that reads one consistent state and writes nothing."""
        with translated(), self.engine.connect() as connection:
            if not self.is_sqlite:
                # Costs nothing measurable; READ COMMITTED would show each statement another state.
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def glance(self) -> Iterator[Read]:
        """A connection for one statement. That sees one state by itself: a transaction would be two more trips."""
        with translated(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Write]:
        """A transaction that writes; committed at the end, rolled back on any error.

        On SQLite it takes the write lock at once: a transaction that reads first and writes later fails at once
        when another has written in between, and no busy timeout helps against that.
        """
        with translated(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection = connection.execution_options(catalog_writes=True)  # noqa: PLW2901 - same connection
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def translated() -> Iterator[None]:
    """Driver errors in the catalog's words: what may pass by itself is Unavailable."""
    try:
        yield
    except DBAPIError as error:
        if _may_pass(error):
            raise Unavailable(f"The database cannot be used now: {_first_line(error)}") from error
        raise


def _may_pass(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed later: the database is away, busy or full."""
    sqlite_name = getattr(error.orig, "sqlite_errorname", None)
    if sqlite_name is not None:
        return str(sqlite_name).startswith(_SQLITE_TRANSIENT)
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return isinstance(error, (OperationalError, InterfaceError))
    return error.connection_invalidated or state in _TRANSIENT or state.startswith("08")


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]


def _sqlite(url: Any) -> Engine:  # noqa: ANN401 - sqlalchemy's URL, kept out of our signatures
    engine = create_engine(url, connect_args={"timeout": 3.5, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver's own transaction handling begins too late; `begin` below says it.
        connection.isolation_level = None
        cursor = connection.cursor()
        # Clients hang up after 5 s; a lock that is not had well before that is answered with 503.
        cursor.execute("PRAGMA busy_timeout = 3500")
        _into_wal(cursor)
        # FULL: a commit is on disk before it is acknowledged (law 3). In batches it costs nothing measurable.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        # 128 MiB, taken as pages are read: what a walk of 10,000 nodes reads of ten million edges stays there.
        cursor.execute("PRAGMA cache_size = -131072")
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("catalog_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _into_wal(cursor: DBAPICursor) -> None:
    """Switch a new file to write-ahead logging.

    SQLite answers "locked" at once, without the busy timeout, when another connection does the same at that moment.
    """
    for pause in (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(pause)
        else:
            return
    cursor.execute("PRAGMA journal_mode = WAL")


def _postgresql(url: Any, pool_size: int) -> Engine:  # noqa: ANN401 - as above
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={
            # Just-in-time compilation, and a new plan each time, cost more than our small statements, which all find
            # rows by an index; a lock that is not had in 3.5 s means 503.
            "options": "-c jit=off -c plan_cache_mode=force_generic_plan -c lock_timeout=3500 -c timezone=UTC",
            "connect_timeout": 4,
            # A server that vanished without a word must not hold the writer for the kernel's two hours.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 2,
            "tcp_user_timeout": 8_000,
        },
    )

    @event.listens_for(engine, "before_cursor_execute")
    def in_binary(*about: Any) -> None:  # noqa: ANN401 - connection, cursor, statement, values, context, are they many
        # Of all statements it was refused: what SQLAlchemy reads of the system's tables, it reads as text.
        if about[4].execution_options.get(BINARY):
            about[1].format = Format.BINARY

    @event.listens_for(engine, "connect")
    @event.listens_for(engine, "checkin")
    def note(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info[_ANSWERED] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ask(connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
        # Of a connection that was good a moment ago nobody asks whether it still is: that took a fifth of the time of
        # a short answer. `pool_pre_ping` asks each time.
        if time.monotonic() - record.info[_ANSWERED] < _FRESH_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            # The others are as old, and the server that they were to is gone.
            raise InvalidatePoolError("The connection is lost.") from error

    return engine
