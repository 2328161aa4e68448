"""Around every request: its id, the trace it belongs to, what it cost, and one line about it in the log.

The line has no payload, no key and no name of a dataset: of a path it has the template, of events their numbers.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Hashable, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.api.graphql.operations import Operation
from catalog.ingest.tally import OUTCOMES, Tally

logger = logging.getLogger("catalog.requests")

UNKNOWN: Final = "(none)"
"""The route of a path that there is not."""

_HEADER: Final = "x-request-id"
_SANE: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")

# W3C Trace Context: version, trace id, parent id, flags. Versions to come may have more behind that.
_TRACEPARENT: Final = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-.*)?"
)

# Asked every few seconds by machines: a line for each would hide all others.
_QUIET: Final = frozenset({"/livez", "/healthz", "/readyz", "/metrics"})


@dataclass(frozen=True, slots=True)
class Current:
    """The request that is being answered; `trace_id` is empty where its sender traces nothing."""

    id: str
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """One request that was answered. `route` is a template or `UNKNOWN`, so there are few of them."""

    method: str
    route: str
    status: int
    seconds: float
    bytes_in: int
    tally: Tally | None
    operation: Operation | None
    caller: str


_current: ContextVar[Current | None] = ContextVar("request", default=None)


def current() -> Current | None:
    """The request that this thread or task works for; None outside of all."""
    return _current.get()


class Requests:
    """ASGI middleware; the outermost, so that it sees the answers to errors that nobody expected too."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], told: Callable[[Answered], None]) -> None:
        """`told` is called after each request, on the event loop."""
        self._app = app
        self._told = told
        self._paths = {route.path for route in routes if isinstance(route, Route)}
        self._templates: dict[Hashable, str] = {}
        for route in routes:
            if isinstance(route, Route):
                # The same endpoint may be at a path and at that with a slash behind it: the first names both.
                self._templates.setdefault(route.endpoint, route.path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and look at what goes by."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        headers = Headers(scope=scope)
        request = Current(_id(headers), trace_id(headers.getlist("traceparent")))
        state = scope.setdefault("state", {})
        status, bytes_in = HTTPStatus.INTERNAL_SERVER_ERROR.value, 0

        async def counted() -> Message:
            nonlocal bytes_in
            message = await receive()
            bytes_in += len(message.get("body", b""))
            return message

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[_HEADER] = request.id
            await send(message)

        token = _current.set(request)
        try:
            await self._app(scope, counted, marked)
        finally:
            answered = Answered(
                scope["method"],
                self._template(scope),
                status,
                time.perf_counter() - begun,
                bytes_in,
                state.get("tally"),
                state.get("operation"),
                getattr(scope.get("catalog.caller"), "name", ""),
            )
            self._told(answered)
            _log(answered)
            _current.reset(token)

    def _template(self, scope: Scope) -> str:
        """Of what was turned away before it had a route, the path itself if that is a template without variables."""
        otherwise = scope["path"] if scope["path"] in self._paths else UNKNOWN
        endpoint = scope.get("endpoint")
        return self._templates.get(endpoint, otherwise) if isinstance(endpoint, Hashable) else otherwise


def trace_id(traceparents: Sequence[str]) -> str:
    """The trace a request says it belongs to; empty where it says none, several or nonsense."""
    if len(traceparents) != 1:
        return ""
    found = _TRACEPARENT.fullmatch(traceparents[0].strip())
    return "" if found is None or (found["version"] == "00" and found["more"]) else found["trace"]


def _id(headers: Mapping[str, str]) -> str:
    given = headers.get(_HEADER, "")
    return given if _SANE.fullmatch(given) else f"{random.getrandbits(64):016x}"


def _log(answered: Answered) -> None:
    """One line. Failures of ours are warnings; what only tells that we live is for debugging."""
    level = logging.DEBUG if answered.route in _QUIET else logging.INFO
    if answered.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        level = logging.WARNING
    if not logger.isEnabledFor(level):
        return
    milliseconds = round(answered.seconds * 1000, 1)
    fields: MutableMapping[str, Any] = {
        "method": answered.method,
        "route": answered.route,
        "status": answered.status,
        "ms": milliseconds,
        "bytes_in": answered.bytes_in,
    }
    words = [answered.method, answered.route, str(answered.status), f"{milliseconds} ms"]
    if answered.caller:
        fields["caller"] = answered.caller
    if operation := answered.operation:
        fields["operation"] = operation.kind
        words.append(operation.kind)
    if tally := answered.tally:
        counts = {outcome: count for outcome in OUTCOMES if (count := getattr(tally, outcome))}
        fields["events"] = counts
        words += [f"{count} {outcome}" for outcome, count in counts.items()]
        if tally.receipt:
            fields["receipt"] = tally.receipt
            words.append(tally.receipt)
    logger.log(level, "%s", " ".join(words), extra={"fields": fields})
