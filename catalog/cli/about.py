"""`catalog version`, `schema` and `config`: what this program is, and how it is set."""

from __future__ import annotations

import platform

import typer

import catalog
from catalog.cli.console import tell, tell_json, tell_record, tell_table
from catalog.cli.databases import JsonOption, settings

config = typer.Typer(
    help="The settings: environment variables, read once at the start.",
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


@config.command(epilog="Example: CATALOG_PORT=9000 catalog config show")
def show(as_json: JsonOption = False) -> None:
    """List every setting with its value here, its default, and what it is; secrets are not shown."""
    variables = list(settings().variables())
    if as_json:
        tell_json([{"name": v.name, "value": v.value, "default": v.default, "about": v.says} for v in variables])
        return
    tell_table(("variable", "value", "default", "about"), [(v.name, v.value, v.default, v.says) for v in variables])
