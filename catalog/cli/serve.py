"""`catalog serve`: the server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated

import typer

import catalog
from catalog.cli.console import say
from catalog.cli.databases import DatabaseOption, begin, settings, unchecked
from catalog.domain.errors import BadRequest, Unavailable


def serve(
    host: Annotated[
        str | None, typer.Option("--host", help="The address to listen on. Default: CATALOG_HOST, else 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65_535, help="0 for any that is free. Default: CATALOG_PORT, else 8180."),
    ] = None,
    database: DatabaseOption = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes; more than one is for PostgreSQL and many readers.")
    ] = 1,
) -> None:
    """Serve the catalog: events by HTTP, questions by GraphQL.

    A new SQLite file is made where there is none. A PostgreSQL database is brought to the right version by
    `catalog db upgrade` alone. Stops on Ctrl-C or SIGTERM, after what was begun is finished.
    """
    run(_advise, host, port, database, workers)


def run(
    advise: Callable[[str], None],
    host: str | None = None,
    port: int | None = None,
    database: str | None = None,
    workers: int = 1,
) -> None:
    """Serve until stopped; `advise` is given the URL and says what to try. The rest is as `serve` has it."""
    from catalog import app

    chosen = settings(database)
    chosen = replace(chosen, host=host or chosen.host, port=chosen.port if port is None else port)
    begin(chosen.database.url)
    url = chosen.database.url
    # Who asked for JSON reads lines by a program, which has no use for advice.
    greet = partial(_log_start, url) if chosen.log.format == "json" else partial(_greet, url, advise)
    try:
        app.serve(chosen, greet, workers, log=True)
    except BadRequest as error:
        raise BadRequest(
            error.detail, fix="Name another with --host or --port; --port 0 takes any that is free."
        ) from error


def _log_start(database: str, url: str) -> None:
    logging.getLogger("catalog.serve").info("serving at %s", url, extra={"fields": {"url": url, **_about(database)}})


def _greet(database: str, advise: Callable[[str], None], url: str) -> None:
    say(f"Lineage Catalog {catalog.__version__} at {url}")
    for name, said in _about(database).items():
        say(f"  {name:<6}  {said}")
    advise(_reached(url))
    say("Ctrl-C stops it.")


def _reached(url: str) -> str:
    """The URL by which this machine reaches a server that listens on all addresses, which nobody can connect to."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def _advise(url: str) -> None:
    say("Try next:")
    say(f"  catalog ingest events.ndjson --url {url}")
    say(f"  OPENLINEAGE_URL={url} dbt-ol run")
    say(f"  open {url}/graphql")


def _about(database: str) -> dict[str, str]:
    from catalog.settings import masked

    return {"data": masked(database), "access": _access(database)}


def _access(database: str) -> str:
    from catalog.store import keys

    try:
        with unchecked(database) as opened, opened.read() as connection:
            if keys.exist(connection):
                return f"by key: {keys.count_usable(connection)} can be used"
    except Unavailable:
        return "not known while the database is away"
    return "no keys: who reaches it may read and write, until `catalog keys create` makes the first one"
