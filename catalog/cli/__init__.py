"""The command line: every command is a function in a module of its own, listed here.

Modules are loaded by name only for what `--help` prints; everything heavy is imported inside of the functions, so that
help and completion answer at once.
"""

from __future__ import annotations

import typer

from catalog.cli import (
    about,
    connect,
    consume,
    databases,
    db,
    demo,
    doctor,
    ingest,
    keys,
    lineage,
    quarantine,
    query,
    rebuild,
    search,
    serve,
)
from catalog.cli.console import Commands, log_in_lines

app = typer.Typer(
    name="catalog",
    cls=Commands,
    help="One log of what happened to data and models, and a graph one can ask about it.",
    epilog="Example: catalog ingest events.ndjson && catalog serve",
    no_args_is_help=True,
    # Drawing help with rich takes longer than everything else before it.
    rich_markup_mode=None,
    # A traceback with all local variables would print secrets; Python's own is what a bug report needs.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.callback()(databases.options)
app.command(epilog="Example: catalog serve --port 8180 --database sqlite:///catalog.db")(serve.serve)
app.command(epilog="Example: catalog demo --serve")(demo.demo)
app.command(epilog="Example: catalog ingest events/ more.ndjson.gz")(ingest.ingest)
app.command(epilog="Example: catalog lineage dataset warehouse shop.orders --depth 3")(lineage.lineage)
app.command(epilog="Example: catalog search customer email --kind column")(search.search)
app.command(epilog='Example: echo "{ datasets { edges { node { name } } } }" | catalog query -')(query.query)
app.command(epilog="Example: catalog rebuild --database sqlite:///catalog.db")(rebuild.rebuild)
app.command(epilog="Example: catalog connect spark --wait")(connect.connect)
app.add_typer(consume.app, name="consume")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(keys.app, name="keys")
app.add_typer(db.app, name="db")
app.command(epilog="Example: catalog doctor --database sqlite:///catalog.db")(doctor.doctor)
app.command(epilog="Example: catalog schema > schema.graphql")(about.schema)
app.add_typer(about.config, name="config")
app.command(epilog="Example: catalog version --json")(about.version)


def main() -> None:
    """Run the command that the shell asked for."""
    log_in_lines()
    app(prog_name="catalog")
