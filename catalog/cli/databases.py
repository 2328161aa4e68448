"""The database a command works on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.domain.errors import BadRequest, NotMigrated

if TYPE_CHECKING:
    from catalog.settings import Loaded, Settings
    from catalog.store.engine import Database

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/NAME. Default: CATALOG_DATABASE_URL, else sqlite:///catalog.db.",
    ),
]

_config: ContextVar[Path | None] = ContextVar("config", default=None)
"""What `catalog --config FILE` named; Typer hands the options before a command to nobody behind it."""

ApiKeyOption = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        metavar="KEY",
        envvar=["CATALOG_API_KEY", "OPENLINEAGE_API_KEY"],
        show_envvar=False,
        help="The key for that server. Default: CATALOG_API_KEY, else OPENLINEAGE_API_KEY.",
    ),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings(database: str | None = None) -> Settings:
    """All settings, with the database that was named on the command line, if one was."""
    read = loaded().settings
    return replace(read, database=replace(read.database, url=database)) if database else read


def loaded() -> Loaded:
    """All settings, and who said so."""
    # Inside, as everything heavy in this package: `catalog --help` has half a second.
    from catalog.settings import load

    return load(os.environ, _config.get())


def options(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="A TOML file of settings. Default: CATALOG_CONFIG, else catalog.toml if there.",
        ),
    ] = None,
) -> None:
    """What stands before a command."""
    _config.set(config)


def shown_url(database: Database) -> str:
    """Which database it is, for people: without what is secret in its URL."""
    from catalog.settings import masked

    return masked(database.url.render_as_string(hide_password=False))


def begin(url: str) -> None:
    """Make an SQLite file that is not there yet, or empty, into a catalog.

    Never done to PostgreSQL, where a wrong name on a command line could end in somebody else's database, nor to a
    file with anything in it.
    """
    from catalog.store import migrate

    with unchecked(url) as database:
        # Also where another process has just made the file and not finished: the upgrade waits for it.
        if _is_missing(database) or (database.is_sqlite and migrate.is_empty(database)):
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
