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

# What a reader may ask; the log itself is for auditors. Runs of others are no matter, so jobs are asked for: a run that
# is not their latest, as when events of last year arrive, is one more of them.
_QUERY: Final = """
query ($namespace: String!, $jobs: String, $datasets: String) {
  jobs(filter: {namespace: $namespace}, first: 200, after: $jobs) {
    nodes {
      __typename id namespace name facets { name validFrom } inputs { id } outputs { id }
      latestRun { id state endedAt } runs(first: 0) { totalCount }
    }
    pageInfo { hasNextPage endCursor }
  }
  datasets(filter: {namespace: $namespace}, first: 200, after: $datasets) {
    nodes { __typename id namespace name updatedAt }
    pageInfo { hasNextPage endCursor }
  }
}
"""


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
        bool, typer.Option("--wait", help="Then wait for the first event of a job or dataset in that namespace.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, metavar="SECONDS", help="How long to wait at most.")
    ] = 600,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what to paste so that a producer sends to a server.

    With --wait, exits with 0 at the first job, run, state of a run or dataset of the namespace that is new or changed,
    and with 1 when none comes: other namespaces do not count. Where the server has keys, asking wants a reader's
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
        before = _known(remote, space)
        _print(producer, url, space, key, as_json=as_json)
        say(f"Waiting for the first event in {visible(space)} at {visible(url)} …")
        arrived = _wait(remote, space, before, timeout)
    if arrived is None:
        raise CatalogError(
            f"No event of a job or dataset in {space} came within {timeout:g} s.",
            fix="Is the producer told of this URL and namespace, and the key right?",
        )
    typer.secho(f"Connected: {visible(arrived)}.", err=True, fg=typer.colors.GREEN)


def _print(producer: Producer, url: str, namespace: str, key: str | None, *, as_json: bool) -> None:
    if as_json:
        tell_json({"producer": producer.value, "settings": settings(producer, url, namespace, key)})
    else:
        tell(lines(producer, url, namespace, key))
    if key is None:
        say("It sends without a key, which a server takes that has none. Where keys are made:")
        say(f'  catalog connect {producer.value} --key "$(catalog keys create --role ingestor)"')


def _wait(remote: Remote, namespace: str, before: Mapping[str, Any], timeout: float) -> str | None:
    """What is the first in the namespace that is not as it was; None where there is nothing in time."""
    until = time.monotonic() + timeout
    while True:
        for id, thing in _known(remote, namespace).items():
            if thing != before.get(id):
                return _said(thing, before.get(id, {}))
        if time.monotonic() >= until:
            return None
        time.sleep(_PAUSE_SECONDS)


def _said(thing: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    run = thing.get("latestRun")
    what = run["state"] + " of" if run and run != before.get("latestRun") else thing["__typename"].lower()
    return f"{what} {thing['name']} in {thing['namespace']}"


def _known(remote: Remote, namespace: str) -> dict[str, Any]:
    """The jobs and datasets of the namespace by their ids, as they are now."""
    found: dict[str, Any] = {}
    after: dict[str, str | None] = {"jobs": None, "datasets": None}
    more = True
    while more:
        pages = _ask(remote, {"namespace": namespace, **after})
        # Where one list is longer, nothing is behind the end of the other.
        for kind, page in pages.items():
            found |= {thing["id"]: thing for thing in page["nodes"]}
            after[kind] = page["pageInfo"]["endCursor"] or after[kind]
        more = any(page["pageInfo"]["hasNextPage"] for page in pages.values())
    return found


def _ask(remote: Remote, variables: Mapping[str, object]) -> dict[str, Any]:
    import orjson

    answer = remote.post("/graphql", orjson.dumps({"query": _QUERY, "variables": variables}))
    said = answer.body if isinstance(answer.body, dict) else {}
    if errors := said.get("errors"):
        raise CatalogError(
            str(errors[0].get("message")), fix="Pass the key of a reader with --api-key, or in CATALOG_API_KEY."
        )
    if not said.get("data"):
        raise CatalogError(f"{remote.url} answers no GraphQL: {answer.reason}", fix="Is the URL right?")
    data: dict[str, Any] = said["data"]
    return data


def _check(url: str) -> None:
    if not url.startswith(("http://", "https://")) or not url.isprintable():
        raise BadRequest(f"{url} is no URL of a server.", fix="Write it like http://localhost:8180.")
