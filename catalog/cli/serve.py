"""`catalog serve`: the server."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Annotated

import typer

import catalog
from catalog.cli.console import say
from catalog.cli.databases import DatabaseOption, begin, settings, unchecked
from catalog.domain.errors import BadRequest


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
    from catalog import app

    chosen = settings(database)
    chosen = replace(chosen, host=host or chosen.host, port=chosen.port if port is None else port)
    begin(chosen.database.url)
    # What libraries say on their way up and down is said better by `_greet`.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", force=True)
    logging.getLogger("catalog").setLevel(logging.INFO)
    try:
        app.serve(chosen, partial(_greet, chosen.database.url), workers)
    except BadRequest as error:
        raise BadRequest(error.detail, fix="Name another with --port; --port 0 takes any that is free.") from error


def _greet(database: str, url: str) -> None:
    with unchecked(database) as opened:
        where = opened.url.render_as_string(hide_password=True)
    say(f"Lineage Catalog {catalog.__version__} at {url}")
    say(f"  data    {where}")
    say("  access  no keys: who reaches it may read and write")
    say("Try next:")
    say(f"  catalog ingest events.ndjson --url {url}")
    say(f"  OPENLINEAGE_URL={url} dbt-ol run")
    say(f"  open {url}/graphql")
    say("Ctrl-C stops it.")
