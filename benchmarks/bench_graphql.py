"""How fast GraphQL answers, against the same bytes as ready-made JSON.

    python benchmarks/bench_graphql.py [--jobs 55000] [--database URL] [--times 15]

In a graph of the shape of Marquez issue 3058, on SQLite and PostgreSQL: pages of 50 jobs and datasets (first, far
behind, filtered), for which the bar is 30 ms within the process; and lineage of 100 and 1,000 nodes with eight fields
each, also with what the walk finds kept, so that what is left is GraphQL alone. Each by the plan of the query and by
graphql-core's executor; over HTTP made anew, and kept since nothing has changed. Ready-made JSON is what nobody can
beat: the answer kept as an object and encoded (in the process), or as bytes and sent (over HTTP, one connection).
Medians of `--times`, taken in turns.
"""

from __future__ import annotations

import argparse
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from typing import Any

import orjson
import uvicorn
from bench_lineage import in_turns
from measuring import Row, engine_name, engines, fresh, machine, opened, show
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from worlds import World, check, issue_3058, load

from catalog.api.graphql import queries
from catalog.api.graphql.app import routes
from catalog.api.graphql.context import Bounds, Info
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import execute
from catalog.domain.callers import LOCAL
from catalog.store.engine import Database

JOBS = """query ($after: String, $filter: JobFilter) { jobs(first: 50, after: $after, filter: $filter) {
  nodes { id namespace name type description tags { key value } owners { name type }
    latestRun { runId state endedAt } }
  pageInfo { hasNextPage endCursor } } }"""
DATASETS = """query ($after: String, $filter: DatasetFilter) { datasets(first: 50, after: $after, filter: $filter) {
  nodes { id namespace name type description tags { key value } owners { name type }
    latestVersion { createdAt rowCount } } pageInfo { hasNextPage endCursor } } }"""
FORWARD = "query ($after: String) {{ {}(first: 998, after: $after) {{ pageInfo {{ endCursor }} }} }}"
LINEAGE = """query ($of: [EntityRef!]!) { lineage(of: $of, depth: 50) {
  nodes { id kind namespace name depth column hiddenUpstream hiddenDownstream }
  edges { source target derivation } } }"""

FAR = 500
"""The page that is far behind."""

Variables = Mapping[str, Any]


def pages(database: Database, _: World) -> Iterator[tuple[str, str, Variables]]:
    """The pages to ask for: what they are, the operation and its variables."""
    for what, operation in (("jobs", JOBS), ("datasets", DATASETS)):
        after = None
        for _ in range((FAR - 1) * 50 // 998):
            found = execute(database, FORWARD.format(what), {"after": after}).data or {}
            after = found[what]["pageInfo"]["endCursor"] or after
        yield f"50 {what}", operation, {}
        yield f"50 {what}, page {FAR}", operation, {"after": after}
        yield f"50 {what}, one namespace", operation, {"filter": {"namespace": "warehouse_07"}}
        yield f"50 {what}, one owner", operation, {"filter": {"owner": "team:domain_00042"}}
        yield f"50 {what}, part of the name", operation, {"filter": {"nameContains": "_00042"}}


def walks(_: Database, world: World) -> Iterator[tuple[str, str, Variables]]:
    """Lineage of 100 and 1,000 nodes."""
    for size in (100, 1_000):
        space, name = world.middle(size)
        yield f"{size:,} nodes", LINEAGE, {"of": [{"kind": "DATASET", "namespace": space, "name": name}]}


@contextmanager
def served(database: Database, ready: dict[str, bytes]) -> Iterator[HTTPConnection]:
    """A connection to a server in a thread: /graphql, /anew/graphql, and what is ready-made at /ready/{key}."""

    async def as_it_is(request: Request) -> Response:
        await request.body()
        return Response(ready[request.path_params["key"]], media_type="application/json")

    paths = [
        *routes(database, Limits(), Bounds(), {}, lambda _: LOCAL),
        Mount("/anew", routes=routes(database, Limits(max_kept_bytes=0), Bounds(), {}, lambda _: LOCAL)),
        Route("/ready/{key}", as_it_is, methods=["POST"]),
    ]
    # Of the protocol said: else asyncio does not switch off Nagle's algorithm, and every answer takes 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(Starlette(routes=paths), log_level="warning", timeout_keep_alive=600))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        connection = HTTPConnection(*listening.getsockname())
        try:
            while not server.started:
                time.sleep(0.01)
            yield connection
        finally:
            connection.close()
            server.should_exit = True
            thread.join()


@contextmanager
def walked_once() -> Iterator[None]:
    """Let each walk find what the first walk with its arguments found, for nothing."""
    answer = queries.answer
    kept: dict[str, Any] = {}

    def again(info: Info, *question: Any) -> Any:  # noqa: ANN401 - what there is to keep is not our business
        asked = repr(question)
        if asked not in kept:
            kept[asked] = answer(info, *question)
        return kept[asked]

    queries.answer = again
    try:
        yield
    finally:
        queries.answer = answer


def answered(database: Database, query: str, variables: Variables, *, compiled: bool = True) -> bytes:
    """The bytes of an answer, made as the service makes them.

    Raises:
        SystemExit: something is wrong with the question, so its time means nothing.
    """
    result = execute(database, query, variables, compiled=compiled)
    if result.errors:
        raise SystemExit(f"{result.errors}")
    return orjson.dumps({"data": result.data})


def sent(connection: HTTPConnection, path: str, body: bytes) -> bytes:
    """The body of the answer to a POST."""
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    return connection.getresponse().read()


def measure(database: Database, asked: Iterable[tuple[str, str, Variables]], times: int) -> Iterator[Row]:
    """A row for each question."""
    ready: dict[str, bytes] = {}
    with served(database, ready) as connection:
        for number, (what, query, variables) in enumerate(asked):
            made = answered(database, query, variables)
            ready[str(number)], kept = made, orjson.loads(made)
            body = orjson.dumps({"query": query, "variables": variables})
            inside, default, encoded, anew, again, plain = in_turns(
                times,
                partial(answered, database, query, variables),
                partial(answered, database, query, variables, compiled=False),
                partial(orjson.dumps, kept),
                partial(sent, connection, "/anew/graphql", body),
                partial(sent, connection, "/graphql", body),
                partial(sent, connection, f"/ready/{number}", body),
            )
            yield (
                engine_name(str(database.url)), what, f"{len(made):,}", f"{inside * 1e3:.1f}", f"{default * 1e3:.1f}",
                f"{default / inside:.1f}", f"{encoded * 1e3:.2f}", f"{inside / encoded:.0f}",
                f"{anew * 1e3:.1f}", f"{again * 1e3:.2f}", f"{plain * 1e3:.2f}", f"{again / plain:.1f}",
            )  # fmt: skip


def main() -> None:
    """Read the arguments, make the worlds, ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="an empty database; without it both engines, with databases of their own")
    parser.add_argument("--jobs", type=int, default=55_000, help="of the shape of issue 3058")
    parser.add_argument("--times", type=int, default=15)
    arguments = parser.parse_args()
    print(machine())
    rows: list[Row] = []
    with engines(arguments.database) as urls:
        for url in urls:
            check(url)
            for world, asked in ((issue_3058(arguments.jobs), pages), (World((100, 1_000)), walks)):
                with fresh(url) as empty, opened(empty) as database:
                    load(database, world)
                    rows += measure(database, asked(database, world), arguments.times)
                    if asked is walks:
                        kept = ((f"{what}, walk kept", *asking) for what, *asking in asked(database, world))
                        with walked_once():
                            rows += measure(database, kept, arguments.times)
    head = (
        "engine", "question", "bytes", "by plan ms", "by graphql-core ms", "times", "encoding ms", "ratio",
        "over HTTP ms", "kept ms", "ready ms", "kept / ready",
    )  # fmt: skip
    show(head, rows)


if __name__ == "__main__":
    main()
