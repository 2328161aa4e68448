"""`catalog query`: GraphQL without a server, or with one."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.cli.console import ExitCode, say, tell
from catalog.cli.databases import ApiKeyOption, DatabaseOption, opened, settings
from catalog.domain.errors import BadRequest, CatalogError
from catalog.domain.names import visible

if TYPE_CHECKING:
    from catalog.settings import Settings


def query(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file with the query; - is standard input.")],
    *,
    variables: Annotated[str, typer.Option("--variables", metavar="JSON", help="An object of variables.")] = "{}",
    operation: Annotated[
        str | None, typer.Option("--operation", metavar="NAME", help="Which operation, where the file has several.")
    ] = None,
    database: DatabaseOption = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Ask this server instead.")] = None,
    api_key: ApiKeyOption = None,
) -> None:
    """Answer a GraphQL query from the database, and print the answer as JSON.

    Exits with 1 where the answer has errors; it is printed all the same.
    """
    if url and database:
        raise typer.BadParameter("--database and --url are two places to ask; name one.")
    asked = {"query": _text(file), "variables": _object(variables), "operationName": operation}
    answer = _ask_server(url, api_key, asked) if url else _ask_database(settings(database), asked)
    tell(answer.decode())
    errors = json.loads(answer).get("errors", ())
    for error in errors:
        say(f"error: {visible(str(error.get('message')))}")
    if errors:
        raise typer.Exit(ExitCode.ERROR)


def _ask_database(chosen: Settings, asked: dict[str, Any]) -> bytes:
    import orjson

    from catalog.api.graphql.context import Bounds
    from catalog.api.graphql.limits import Limits
    from catalog.api.graphql.schema import execute

    with opened(chosen.database.url) as source:
        result = execute(
            source,
            asked["query"],
            asked["variables"],
            asked["operationName"],
            limits=Limits(**asdict(chosen.graphql)),
            bounds=Bounds(**asdict(chosen.lineage)),
        )
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [error.formatted for error in result.errors]
        return orjson.dumps(answer, option=orjson.OPT_INDENT_2)


def _ask_server(url: str, api_key: str | None, asked: dict[str, Any]) -> bytes:
    import orjson

    from catalog.cli.remote import Remote

    with Remote(url, api_key) as remote:
        answer = remote.post("/graphql", orjson.dumps(asked))
    if not isinstance(answer.body, dict) or not {"data", "errors"} & answer.body.keys():
        raise CatalogError(f"{url} answers no GraphQL: {answer.reason}", fix="Is the URL right?")
    return orjson.dumps(answer.body, option=orjson.OPT_INDENT_2)


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file} is not UTF-8.", fix="Write the query as text.") from error
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}.", fix="Check the path.") from error


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--variables is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise typer.BadParameter('--variables is no object such as {"first": 10}.')
    return found
