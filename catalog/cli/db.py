"""`catalog db`: the database itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from catalog.cli.console import Bar, say, tell_record
from catalog.cli.databases import DatabaseOption, JsonOption, opened, settings, shown_url, unchecked

app = typer.Typer(
    help="The database itself: its version, backups, and moving to another engine.",
    epilog="Example: catalog db current",
    no_args_is_help=True,
)


@app.command(epilog="Example: catalog db upgrade --database postgresql://catalog@localhost/catalog")
def upgrade(database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Bring the database to the version of this program; nothing is done where it is there already.

    All of it is one transaction. Back up first: an older program cannot open the database afterwards.
    """
    from catalog.store import migrate

    with unchecked(settings(database).database.url) as target:
        before = migrate.current(target)
        migrate.upgrade(target)
        tell_record({"before": before, "now": migrate.current(target), "database": shown_url(target)}, as_json=as_json)


@app.command(epilog="Example: catalog db current --json")
def current(database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Say which version the database is at, and which this program needs."""
    from catalog.store import migrate

    url = settings(database).database.url
    with unchecked(url) as source:
        # Asking SQLite about a file that is not there would make it.
        missing = source.is_sqlite and not Path(source.url.database or "").exists()
        found = None if missing else migrate.current(source)
        tell_record({"now": found, "needed": migrate.head(), "database": shown_url(source)}, as_json=as_json)


@app.command(epilog="Example: catalog db backup backups/catalog-2026-01-31.db")
def backup(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write an SQLite catalog as it is at this moment to a new file, while others go on using it."""
    from catalog.store import maintenance

    with opened(settings(database).database.url) as source:
        maintenance.backup(source, path)
    tell_record({"file": str(path), "bytes": path.stat().st_size}, as_json=as_json)


@app.command(epilog="Example: catalog db copy --to postgresql://catalog@localhost/catalog")
def copy(
    to: Annotated[str, typer.Option("--to", metavar="URL", help="The database to copy to, with nothing in it.")],
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the catalog to another database, on either engine, and compare what arrived row for row.

    The target is brought to the right version first. All rows arrive, or none.
    """
    from catalog.store import maintenance, migrate

    counts: dict[str, int] = {}
    with opened(settings(database).database.url) as source, unchecked(to) as target, Bar("copying") as bar:
        migrate.upgrade(target)

        def progress(table: str, done: int, total: int) -> None:
            counts[table] = done
            bar.at(done, total)

        maintenance.copy(source, target, progress)
        shown = shown_url(target)
    tell_record({"tables": len(counts), "rows": sum(counts.values()), "database": shown}, as_json=as_json)
    say("Every row is the same. Point CATALOG_DATABASE_URL to the new database.")
