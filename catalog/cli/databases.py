"""The database a command works on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.domain.errors import BadRequest, NotMigrated

if TYPE_CHECKING:
    from catalog.settings import Settings
    from catalog.store.engine import Database

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/NAME. Default: CATALOG_DATABASE_URL, else sqlite:///catalog.db.",
    ),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings(database: str | None = None) -> Settings:
    """All settings, with the database that was named on the command line, if one was."""
    # Inside, as everything heavy in this package: `catalog --help` has half a second.
    from catalog.settings import DatabaseSettings, Settings

    read = Settings.from_environment(os.environ)
    return replace(read, database=DatabaseSettings(database)) if database else read


def begin(url: str) -> None:
    """Make an SQLite file that is not there yet, or empty, into a catalog.

    Never done to PostgreSQL, where a wrong name on a command line could end in somebody else's database, nor to a
    file with anything in it.
    """
    from catalog.store import migrate

    with unchecked(url) as database:
        if _is_missing(database):
            migrate.upgrade(database)


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A database at the version of this program.

    Raises:
        NotMigrated: there is no catalog, or one of another version.
        BadRequest: the URL names no database.
    """
    from catalog.store import migrate

    with unchecked(url) as database:
        if _is_missing(database):
            fix = "Name another with --database; `catalog ingest` and `catalog serve` begin a new one."
            raise NotMigrated(f"There is no catalog in {_file(database)}.", fix=fix)
        migrate.check(database)
        yield database


@contextmanager
def unchecked(url: str) -> Iterator[Database]:
    """A database of whatever version, or none."""
    from catalog.store.engine import Database

    if "://" not in url:
        raise BadRequest(f"{url} is no URL of a database.", fix=f"For a file, write sqlite:///{url}.")
    database = Database(url)
    file = _file(database)
    if file is not None and not file.parent.is_dir():
        raise BadRequest(f"There is no folder {file.parent}.", fix="Make it, or name another file with --database.")
    try:
        yield database
    finally:
        database.close()


def _is_missing(database: Database) -> bool:
    """Whether there is no file yet. Asking SQLite itself would make one."""
    file = _file(database)
    return file is not None and not (file.exists() and file.stat().st_size)


def _file(database: Database) -> Path | None:
    name = database.url.database
    return Path(name) if database.is_sqlite and name and name != ":memory:" else None
