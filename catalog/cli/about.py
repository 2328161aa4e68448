"""`catalog version`, `schema` and `config`: what this program is, and how it is set."""

from __future__ import annotations

import platform
from typing import Annotated

import typer

import catalog
from catalog.cli.console import tell, tell_json, tell_record, tell_table
from catalog.cli.databases import JsonOption, loaded

config = typer.Typer(
    help="The settings: environment variables and a TOML file, read once at the start.",
    epilog="Example: catalog config show",
    no_args_is_help=True,
)


def version(as_json: JsonOption = False) -> None:
    """Print the version."""
    if as_json:
        tell_record({"version": catalog.__version__, "python": platform.python_version()}, as_json=True)
        return
    tell(catalog.__version__)


def schema() -> None:
    """Print the GraphQL schema."""
    from catalog.api.graphql.schema import printed

    tell(printed().rstrip("\n"))


@config.command(epilog="Example: CATALOG_PORT=9000 catalog config show --origin")
def show(
    origin: Annotated[
        bool, typer.Option("--origin", help="Also where each value is from: default, environment or a file.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List every setting with its value here, its default, and what it is; secrets are not shown."""
    variables = list(loaded().variables())
    if as_json:
        tell_json(
            [
                {
                    "name": v.name,
                    "key": v.key,
                    "value": v.value,
                    "default": v.default,
                    "origin": v.origin,
                    "about": v.says,
                }
                for v in variables
            ]
        )
        return
    headings = ["variable", "value", *(["from"] if origin else []), "default", "about"]
    rows = [(v.name, v.value, *([v.origin] if origin else []), v.default, v.says) for v in variables]
    tell_table(headings, rows)


@config.command(epilog="Example: catalog config example > catalog.toml")
def example() -> None:
    """Print a file of settings, all of them commented out with their defaults."""
    from catalog.settings import example as written

    tell(written().rstrip("\n"))
