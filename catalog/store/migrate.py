"""Bringing a database to the version this program needs, and telling whether it is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Literal

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError

import catalog
from catalog.domain.errors import BadRequest, NotMigrated, Unavailable
from catalog.store import search_writer
from catalog.store.engine import Database

_UPGRADE = "Run `catalog db upgrade`."

# Alembic keeps what it is doing in module globals.
_one_at_a_time = Lock()


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database to `revision`, all the way or not at all; nothing is done where it is there already.

    Raises:
        NotMigrated: the database is at a version that this program does not know.
        BadRequest: there is no such revision.
        Unavailable: somebody else holds the database; nothing was changed.
    """
    _refuse_unknown(current(database))
    try:
        _run(database, "upgrade", revision)
    except (DBAPIError, Unavailable):
        # Servers that start together may all upgrade: the first does it, the others find the tables made. A lock
        # would have to be an advisory one, there is no table yet, and those are not portable.
        if revision != "head" or current(database) != head():
            raise
    if revision == "head":
        _fill_search(database)


def downgrade(database: Database, revision: str) -> None:
    """Take the database back to `revision` ("base": nothing left), all the way or not at all. What is dropped is gone.

    Raises:
        NotMigrated: the database is at a version that this program does not know.
        BadRequest: there is no such revision.
        Unavailable: somebody else holds the database; nothing was changed.
    """
    _refuse_unknown(current(database))
    _run(database, "downgrade", revision)


def current(database: Database) -> str | None:
    """The revision the database is at; None where no migration has run."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def is_empty(database: Database) -> bool:
    """Whether there is no table in it, not even somebody else's."""
    with database.read() as connection:
        return not inspect(connection).get_table_names()


def head() -> str:
    """The revision this program needs."""
    if not _revisions():
        raise RuntimeError(f"There are no migrations in {_folder()}.")
    return _revisions()[-1]


def check(database: Database) -> None:
    """Refuse a database that is not at `head()`.

    Raises:
        NotMigrated: with what to do about it.
    """
    found = current(database)
    _refuse_unknown(found)
    if found is None:
        raise NotMigrated("There is no catalog in this database yet.", fix=_UPGRADE)
    if found != head():
        raise NotMigrated(f"The database is at version {found}, this program needs {head()}.", fix=_UPGRADE)


@contextmanager
def migrating(database: Database) -> Iterator[Connection]:
    """A connection that migrations run on, inside the one transaction that holds all of them.

    One transaction for all, not one for each: what was interrupted has not happened.
    """
    try:
        with database.engine.connect() as connection, _foreign_keys_off(connection, database):
            connection.execution_options(catalog_writes=True)
            with connection.begin():
                yield connection
                _refuse_orphans(connection, database)
    except OperationalError as error:
        raise Unavailable(f"The database cannot be migrated now: {error.orig}") from error


@contextmanager
def _foreign_keys_off(connection: Connection, database: Database) -> Iterator[None]:
    """SQLite changes a table by making it anew, and dropping the old one would delete the rows that refer to it."""
    if not database.is_sqlite:
        yield
        return
    # Past sqlalchemy, which would begin a transaction; inside one the pragma does nothing.
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()


def _refuse_orphans(connection: Connection, database: Database) -> None:
    if database.is_sqlite and (orphan := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
        raise RuntimeError(f"A migration left rows in '{orphan[0]}' that refer to nothing.")


def _fill_search(database: Database) -> None:
    """A graph made before there was search gets its documents; what a word is, no revision can know."""
    with database.read() as connection:
        missing = search_writer.is_missing(connection)
    if missing:
        with database.write() as connection:
            search_writer.fill(connection)


def _run(database: Database, order: Literal["upgrade", "downgrade"], revision: str) -> None:
    # Here, as nothing but migrating needs it, and it takes a fifth of a second to import: a quarter of most commands.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    with _one_at_a_time, migrating(database) as connection:
        config.attributes["connection"] = connection
        try:
            (command.upgrade if order == "upgrade" else command.downgrade)(config, revision)
        except CommandError as error:
            raise BadRequest(f"There is no revision '{revision}' to go to: {error}") from error


def _refuse_unknown(revision: str | None) -> None:
    if revision is not None and revision not in _revisions():
        raise NotMigrated(
            f"The database is at version {revision}, which this program does not know.",
            fix="A newer release made it; install that release.",
        )


@cache
def _revisions() -> list[str]:
    """All there are, in the order of their dates: the name of a file is its revision."""
    return sorted(path.stem for path in (_folder() / "versions").glob("*.py"))


def _folder() -> Path:
    """Beside the package in a checkout, inside it in an installed wheel."""
    package = Path(catalog.__file__).parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"
