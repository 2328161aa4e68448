"""`/graphql` over HTTP: JSON by POST, and the query page for a browser that asks with GET.

Strawberry's own view was refused: it answers a bad body in plain text, and executes on the server's event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Final

import orjson
from anyio import CapacityLimiter, to_thread
from graphql import GraphQLError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from catalog.api.graphql.asked import Asked, asked_in, not_json
from catalog.api.graphql.context import Bounds
from catalog.api.graphql.kept import Answers, Revision, is_lasting, key_of
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.operations import Operation, answered
from catalog.api.graphql.schema import execute
from catalog.domain.callers import ANYONE, Caller
from catalog.domain.errors import TooLarge, Unavailable
from catalog.store import log
from catalog.store.engine import Database

PATH: Final = "/graphql"

Files = Mapping[str, tuple[str, bytes]]
"""What the query page is made of: media type and content, by the path behind `/graphql`; the page itself is ""."""

_MAX_BODY: Final = 1 << 20
"""Bytes of one request: the query has a limit of its own, this bounds its variables."""

_AT_ONCE: Final = 6
"""Operations executed at the same time. Each has a thread and a connection: fewer than the pool of a database has,
so that events always find one; more would only share the same processor."""

_WAITING: Final = 200
"""Operations that may wait for their turn before new ones are sent away."""

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def routes(
    database: Database,
    limits: Limits,
    bounds: Bounds,
    page: Files,
    caller: Callable[[Request], Caller] = lambda _: ANYONE,
) -> list[BaseRoute]:
    """The routes of the GraphQL interface.

    Args:
        database: what is asked.
        limits: of every operation.
        bounds: of every lineage question.
        page: the query page; may be empty.
        caller: says who asks.
    """
    endpoint = _Endpoint(database, limits, bounds, caller)
    files = [Route(f"{PATH}{path}", partial(_file, *file)) for path, file in page.items() if path]
    return [
        Route(PATH, endpoint.answer, methods=["POST"]),
        Route(PATH, partial(_page, page.get("")), methods=["GET"]),
        *files,
    ]


class _Endpoint:
    """Takes operations and answers them."""

    def __init__(self, database: Database, limits: Limits, bounds: Bounds, caller: Callable[[Request], Caller]) -> None:
        self._limits = limits
        self._database = database
        self._execute = partial(execute, database, limits=limits, bounds=bounds)
        self._answers = Answers(limits.max_kept_bytes)
        self._caller = caller
        self._turns: CapacityLimiter | None = None

    async def answer(self, request: Request) -> Response:
        """One operation; what is wrong with it is in its `errors`, with status 200.

        Raises:
            HTTPException: the body is said to be something else than JSON.
            BadRequest: it is none, or not a GraphQL request.
            TooLarge: it is larger than any request may be.
            Unavailable: the database is away, or too many wait already.
        """
        sent = await _body(request)
        asked = _asked(sent)
        if self._turns is None:
            # A limiter belongs to the event loop it is made in, and there is none yet when routes are made.
            self._turns = CapacityLimiter(_AT_ONCE)
        if self._turns.statistics().tasks_waiting >= _WAITING:
            raise Unavailable("Too many questions are waiting for an answer.")
        body, operation = await to_thread.run_sync(
            self._answered, sent, asked, self._caller(request), limiter=self._turns
        )
        request.state.operation = operation
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})

    def _answered(self, sent: bytes, asked: Asked, caller: Caller) -> tuple[bytes, Operation]:
        """The answer that is kept, or one that may be from now on."""
        begun = perf_counter()
        key, revision = key_of(sent, caller), self._revision()
        errors: Sequence[GraphQLError] | None = None
        body = self._answers.find(key, revision)
        if body is None:
            body, errors = self._executed(asked, caller)
            if not errors and is_lasting(asked, self._limits.max_tokens):
                self._answers.keep(key, revision, body)
        return body, answered(asked.query, asked.operation_name, self._limits, perf_counter() - begun, errors)

    def _revision(self) -> Revision:
        with self._database.glance() as connection:
            return log.revision(connection)

    def _executed(self, asked: Asked, caller: Caller) -> tuple[bytes, Sequence[GraphQLError] | None]:
        result = self._execute(asked.query, asked.variables, asked.operation_name, caller=caller)
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [error.formatted for error in result.errors]
        return orjson.dumps(answer), result.errors


async def _body(request: Request) -> bytes:
    # JSON only: a page of another origin can send forms, never this, without the browser asking us first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send the operation as `Content-Type: application/json`.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise TooLarge(f"The request has more than the {_MAX_BODY} bytes allowed.")
    return bytes(body)


def _asked(body: bytes) -> Asked:
    try:
        return asked_in(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise not_json(error) from None


async def _page(page: tuple[str, bytes] | None, request: Request) -> Response:
    """The query page, for who can read it; a query is not answered by GET, where others could see it."""
    if page is None or "text/html" not in request.headers.get("accept", ""):
        raise HTTPException(405, "Send operations by POST, as JSON.", headers={"Allow": "POST"})
    return await _file(*page, request)


async def _file(media_type: str, content: bytes, _: Request) -> Response:
    return Response(content, media_type=media_type, headers=_HEADERS)
