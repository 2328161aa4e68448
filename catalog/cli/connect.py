"""`catalog connect`: what a producer has to be told, and whether it has come through."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from catalog.cli.console import say, tell, tell_json
from catalog.cli.databases import ApiKeyOption, JsonOption
from catalog.cli.producers import Producer, lines, settings
from catalog.domain.errors import BadRequest, CatalogError
from catalog.domain.names import visible

if TYPE_CHECKING:
    from catalog.cli.remote import Remote

_PAUSE_SECONDS: Final = 0.5

# What a reader may ask; the log itself is for auditors. What comes first is what began last. There is no filter by
# namespace, so it is done here.
_QUERY: Final = "{ runs(first: 200) { nodes { id state endedAt job { namespace name } } } }"


def connect(
    producer: Annotated[Producer, typer.Argument(help="airflow, spark, dbt, flink or python.", show_default=False)],
    *,
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="The server, as the producer reaches it.")
    ] = "http://127.0.0.1:8180",
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="The ingestor's key to print. Without it: none, for an open server."),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", help="Of its jobs. Default: what the producer is called.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Then wait for the first run of a job in that namespace.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, metavar="SECONDS", help="How long to wait at most.")
    ] = 600,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what to paste so that a producer sends to a server.

    With --wait, exits with 0 at the first run of the namespace that is new or has another state, and with 1 when none
    comes: runs of others do not count, nor do events without a run. Where the server has keys, asking wants a reader's
    (--api-key); an ingestor's may only send.
    """
    _check(url)
    space = producer.value if namespace is None else namespace
    if not wait:
        _print(producer, url, space, key, as_json=as_json)
        return
    from catalog.cli.remote import Remote

    with Remote(url, api_key or key) as remote:
        # Before anything is printed: who pastes it at once must not be taken for somebody known.
        before = _runs(remote, space)
        _print(producer, url, space, key, as_json=as_json)
        say(f"Waiting for the first run in {visible(space)} at {visible(url)} …")
        arrived = _wait(remote, space, before, timeout)
    if arrived is None:
        raise CatalogError(
            f"No run of a job in {space} came within {timeout:g} s.",
            fix="Is the producer told of this URL and namespace, and the key right?",
        )
    job = arrived["job"]
    said = visible(f"{arrived['state']} of {job['name']} in {job['namespace']}")
    typer.secho(f"Connected: {said}.", err=True, fg=typer.colors.GREEN)


def _print(producer: Producer, url: str, namespace: str, key: str | None, *, as_json: bool) -> None:
    if as_json:
        tell_json({"producer": producer.value, "settings": settings(producer, url, namespace, key)})
    else:
        tell(lines(producer, url, namespace, key))
    if key is None:
        say("It sends without a key, which a server takes that has none. Where keys are made:")
        say(f'  catalog connect {producer.value} --key "$(catalog keys create --role ingestor)"')


def _wait(remote: Remote, namespace: str, before: Mapping[str, Any], timeout: float) -> Any:  # noqa: ANN401 - JSON
    """The first run of the namespace that is not as it was; None where there is none in time."""
    until = time.monotonic() + timeout
    while True:
        new = [run for id, run in _runs(remote, namespace).items() if run != before.get(id)]
        if new:
            return new[0]
        if time.monotonic() >= until:
            return None
        time.sleep(_PAUSE_SECONDS)


def _runs(remote: Remote, namespace: str) -> dict[str, Any]:
    import orjson

    answer = remote.post("/graphql", orjson.dumps({"query": _QUERY}))
    said = answer.body if isinstance(answer.body, dict) else {}
    if errors := said.get("errors"):
        raise CatalogError(
            str(errors[0].get("message")), fix="Pass the key of a reader with --api-key, or in CATALOG_API_KEY."
        )
    if not said.get("data"):
        raise CatalogError(f"{remote.url} answers no GraphQL: {answer.reason}", fix="Is the URL right?")
    return {run["id"]: run for run in said["data"]["runs"]["nodes"] if run["job"]["namespace"] == namespace}


def _check(url: str) -> None:
    if not url.startswith(("http://", "https://")) or not url.isprintable():
        raise BadRequest(f"{url} is no URL of a server.", fix="Write it like http://localhost:8180.")
