"""What a database says of itself: whether it keeps what it acknowledges, how much there is, what is not in order."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ExceptionContext, Row, event, func, select

from catalog.store.engine import Database, Read
from catalog.store.tables import log_body, log_entry, log_head, quarantine

FLOORS: Final = {"PostgreSQL": (14,), "SQLite": (3, 35)}
"""The oldest that the tests' statements run on: SQLite answers RETURNING from 3.35 on."""

NEWEST: Final = 10_000
"""Entries of the log that `sizes` looks at for those that are not in the graph."""

_FAILED: Final = select(func.count()).where(log_entry.c.failure.is_not(None))
_REFUSED: Final = select(quarantine.c.code, func.count()).group_by(quarantine.c.code)

_SQLITE_SYNCHRONOUS: Final = ("off", "normal", "full", "extra")

# What loses acknowledged events, and how. `synchronous_commit` may also be local, remote_write or remote_apply:
# each of them waits at least for this server's own disk.
_POSTGRESQL_LOSES: Final[Mapping[tuple[str, str], str]] = {
    ("fsync", "off"): "nothing is waited for: a loss of power can destroy the whole database",
    (
        "full_page_writes",
        "off",
    ): "a page half written when the power goes is lost, unless the file system prevents that",
    ("synchronous_commit", "off"): "what was acknowledged in the last moments before a crash is lost",
}


@dataclass(frozen=True, slots=True)
class Durability:
    """How a database keeps what it acknowledged: the settings that decide it, and what is wrong with them."""

    settings: Mapping[str, str]
    losses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is.

    Attributes:
        log: Entries of the log.
        failed: Of the newest `NEWEST` entries, those that are not in the graph.
        quarantine: Bodies in quarantine by the code of their reason.
    """

    log: int
    failed: int
    quarantine: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LogState:
    """The log against itself. Times are in microseconds since 1970 UTC.

    Attributes:
        size: What the head says.
        entries: How many there are.
        last: The highest place, -1 without any.
        bodies: How many entries have their bytes; others were erased.
        newest: When the last one was received; None without any.
        failed: Entries that are in the log and not in the graph.
        quarantined: Bodies in quarantine that no later try has accepted, by the code of their reason.
    """

    size: int
    entries: int
    last: int
    bodies: int
    newest: int | None
    failed: int
    quarantined: Mapping[str, int]


def version(connection: Read) -> tuple[int, ...]:
    """The version of the engine: (18, 6) or (3, 40, 1)."""
    return tuple(int(part) for part in connection.dialect.server_version_info or ())


def durability(connection: Read) -> Durability:
    """How this connection's commits are kept."""
    if connection.dialect.name == "sqlite":
        mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
        level = _SQLITE_SYNCHRONOUS[int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())]
        # We ask for both on each connection. In memory, or on some file systems, there is no write-ahead log.
        lost = () if level in ("full", "extra") else (f"synchronous = {level}: a loss of power can undo commits",)
        return Durability({"journal_mode": mode, "synchronous": level}, lost)
    names = sorted({name for name, _ in _POSTGRESQL_LOSES})
    rows = connection.exec_driver_sql("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (names,))
    settings = {name: str(setting) for name, setting in rows}
    losses = (f"{name} = {value}: {why}" for (name, value), why in _POSTGRESQL_LOSES.items() if settings[name] == value)
    return Durability(settings, tuple(losses))


def sizes(connection: Read) -> Sizes:
    """Three short statements, for who asks every few seconds.

    What was accepted when it was tried again counts too: whether it was stands behind the body, and reading over all
    bodies for that is what nobody wants every few seconds. Nor is the whole log read for what is not in the graph, as
    there is no index of it: new failures are what one wants to hear of at once, and `log_state` counts them all.
    """
    size = connection.execute(select(log_head.c.size)).scalar() or 0
    failed = connection.execute(_FAILED.where(log_entry.c.seq >= size - NEWEST)).scalar_one()
    return Sizes(size, failed, _by_code(connection.execute(_REFUSED)))


def log_state(connection: Read) -> LogState:
    """Everything counted: a scan of two indexes and of the entries."""
    entries, last = connection.execute(select(func.count(), func.max(log_entry.c.seq))).one()
    failed = connection.execute(_FAILED).scalar_one()
    waiting = connection.execute(_REFUSED.where(quarantine.c.retried_at.is_(None)))
    return LogState(
        size=connection.execute(select(log_head.c.size)).scalar() or 0,
        entries=entries,
        last=-1 if last is None else last,
        bodies=connection.execute(select(func.count(log_body.c.seq))).scalar_one(),
        newest=connection.execute(select(log_entry.c.received_at).where(log_entry.c.seq == last)).scalar(),
        failed=failed,
        quarantined=_by_code(waiting),
    )


def _by_code(rows: Iterable[Row[str, int]]) -> dict[str, int]:
    return {code: count for code, count in rows}  # noqa: C416 - rows are no pairs to dict()


def damage(connection: Read) -> list[str]:
    """What is damaged in an SQLite file, in its own words, at most ten lines; PostgreSQL looks after itself."""
    if connection.dialect.name != "sqlite":
        return []
    found = [str(line) for line in connection.exec_driver_sql("PRAGMA quick_check(10)").scalars()]
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(10)
    return [line for line in found if line != "ok"] + [f"a row in '{row[0]}' refers to nothing" for row in orphans]


def has_full_text() -> bool:
    """Whether this Python's SQLite was built with the full-text search that `search` needs."""
    connection = sqlite3.connect(":memory:")
    try:
        return bool(connection.execute("SELECT sqlite_compileoption_used('ENABLE_FTS5')").fetchone()[0])
    finally:
        connection.close()


def watch_errors(database: Database, told: Callable[[str], None]) -> None:
    """Tell of every error of the driver by its code: an SQLSTATE, a name such as SQLITE_BUSY, or `connection`."""

    @event.listens_for(database.engine, "handle_error")
    def tell(context: ExceptionContext) -> None:
        error = context.original_exception
        told(str(getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or "connection"))
