"""`/graphql` over a WebSocket: the protocol `graphql-transport-ws`.

Strawberry's handler was refused: it executes on the server's event loop, and fails on messages of another shape than
it expects. What each message and close code means is said in the protocol's own document:
https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md

A connection is a group of tasks: one reads, one looks whether the key still lets in, and each operation has one. Any
of them ends all of them by raising `_Ending`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import orjson
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from catalog.api.graphql.app import PATH
from catalog.api.graphql.asked import Asked, asked_in
from catalog.api.graphql.context import Bounds
from catalog.api.graphql.feed import Feed, Shared
from catalog.api.graphql.following import Answers, Executions
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.operations import Operation
from catalog.domain.callers import Caller
from catalog.domain.errors import BadRequest, CatalogError, Forbidden, Unauthenticated, Unavailable
from catalog.store.engine import Database
from catalog.store.read.events import EventRow

logger = logging.getLogger("catalog.subscriptions")

PROTOCOL: Final = "graphql-transport-ws"

MAX_MESSAGE: Final = 128 * 1024
"""Bytes of one message of a client: twice a query text. What is followed is held as long as it is."""

_ID_LENGTH: Final = 255
_INIT_SECONDS: Final = 10.0
_SEND_SECONDS: Final = 30.0
_CLOSE_SECONDS: Final = 1.0
_CHECK_SECONDS: Final = 1.0
_AWAY_SECONDS: Final = 1.0
_AT_ONCE: Final = 3

Identify = Callable[[HTTPConnection, str], Awaitable[Caller]]
"""Who is on a connection that has also said this `Authorization` in its first message: `Callers.of`."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much one process takes.

    Attributes:
        connections: WebSockets open at once.
        operations: Operations of all of them that are not complete yet; those of queries are so at once.
        per_connection: The same of one connection.
    """

    connections: int = 500
    operations: int = 1_000
    per_connection: int = 20


class _Ending(Exception):
    """The connection is over; with a code it is this side that says so."""

    def __init__(self, code: int | None = None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


_AWAY: Final = 1013, "Try again later"
_FAULT: Final = 4500, "Internal error"
_BAD: Final = 4400
_NO_CALLER: Final = 4401
_FORBIDDEN: Final = 4403
_NOT_SPOKEN: Final = 4406
_TOO_LATE: Final = 4408
_TAKEN: Final = 4409
_AGAIN: Final = 4429


class Sockets:
    """All WebSockets of a process. It lives on the server's event loop."""

    def __init__(
        self,
        database: Database,
        limits: Limits,
        bounds: Bounds,
        identify: Identify,
        refuse: Callable[[CatalogError], Response],
        *,
        told: Callable[[Operation], None] = lambda _: None,
        capacity: Capacity = Capacity(),
    ) -> None:
        """`refuse` answers those that are not let in, `told` is called after each execution, on its thread."""
        # Their own, and few: subscribers never take the turn of a query, nor more connections than the pool has.
        self._threads = ThreadPoolExecutor(_AT_ONCE, "subscriptions")
        self._refuse = refuse
        self._open = 0
        self._shared = Shared(self._threads)
        self._executions = Executions(database, limits, bounds)
        self._told = told
        self.feed = Feed(database, self._shared)
        self.identify = identify
        self.capacity = capacity
        self.operations = 0

    def routes(self) -> list[BaseRoute]:
        """The one route."""
        return [WebSocketRoute(PATH, self._serve)]

    async def close(self, seconds: float) -> None:
        """Begin nothing more, and wait so long at most for what is being read: the database is closed next."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def begin(self, asked: Asked, caller: Caller) -> Answers:
        """Look at a subscription, or execute what is none.

        Raises:
            Unavailable: the database is away.
        """
        call = partial(self._noted, partial(self._executions.begin, asked, caller))
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def page(self, asked: Asked, caller: Caller, entries: Sequence[EventRow]) -> Answers:
        """Execute a subscription for entries of the log: once for all who ask the same now, and may the same.

        Raises:
            Unavailable: the database is away.
        """
        said = orjson.dumps(asked.variables, option=orjson.OPT_SORT_KEYS)
        key = (asked.query, asked.operation_name, said, caller, entries[0].seq, len(entries), entries[-1].seq)
        return await self._shared.call(
            key, partial(self._noted, partial(self._executions.page, asked, caller, entries))
        )

    def _noted(self, execute: Callable[[], Answers]) -> Answers:
        answers = execute()
        self._told(answers.operation)
        return answers

    async def _serve(self, socket: WebSocket) -> None:
        if self._open >= self.capacity.connections:
            refused = self._refuse(Unavailable("Too many WebSockets are open."))
            await refused(socket.scope, socket.receive, socket.send)
            return
        self._open += 1
        try:
            await _Connection(socket, self).run()
        finally:
            self._open -= 1


class _Connection:
    """One client."""

    def __init__(self, socket: WebSocket, sockets: Sockets) -> None:
        self._socket = socket
        self._all = sockets
        self._tasks = asyncio.TaskGroup()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._operations = 0
        self._authorization = ""
        self._sending = asyncio.Lock()
        # Who does not read holds one page of one subscription in memory, however many it has.
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Speak until one of the two has had enough."""
        speaks = PROTOCOL in self._socket.scope["subprotocols"]
        try:
            await self._socket.accept(PROTOCOL if speaks else None)
        except WebSocketDisconnect:
            return
        ending = _Ending(_NOT_SPOKEN, "Subprotocol not acceptable")
        if speaks:
            ending = await self._talk()
        if ending.code is not None:
            # What is not read cannot be closed in words.
            with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._socket.close(ending.code, ending.reason)

    async def _talk(self) -> _Ending:
        endings: list[_Ending] = []
        try:
            async with self._tasks:
                await self._greet()
                self._tasks.create_task(self._keep_checking())
                while True:
                    await self._take(await self._heard())
        except* _Ending as group:
            endings += cast("tuple[_Ending, ...]", group.exceptions)
        except* Exception as group:
            logger.exception("a WebSocket failed", exc_info=group.exceptions[0])
            endings.append(_Ending(*_FAULT))
        return endings[0]

    # What the client says.

    async def _greet(self) -> None:
        """Wait until the client has said who it is."""
        try:
            async with asyncio.timeout(_INIT_SECONDS):
                while (message := await self._heard())["type"] != "connection_init":
                    if message["type"] == "subscribe":
                        raise _Ending(_NO_CALLER, "Unauthorized")
                    await self._take(message)
                self._authorization = _authorization_in(message.get("payload"))
                await self._caller()
        except TimeoutError:
            raise _Ending(_TOO_LATE, "Connection initialisation timeout") from None
        except Unavailable:
            raise _Ending(*_AWAY) from None
        await self._send({"type": "connection_ack"})

    async def _heard(self) -> dict[str, Any]:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise _Ending
        try:
            said = orjson.loads(message.get("text") or b"")
        except orjson.JSONDecodeError:
            raise _Ending(_BAD, "Messages are JSON, sent as text") from None
        if not isinstance(said, dict) or not isinstance(said.get("type"), str):
            raise _Ending(_BAD, "Messages are JSON objects with a type")
        return said

    async def _take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                pass
            case "complete":
                if (task := self._running.pop(_id_in(message), None)) is not None:
                    task.cancel()
            case "subscribe":
                await self._subscribe(_id_in(message), message.get("payload"))
            case "connection_init":
                raise _Ending(_AGAIN, "Too many initialisation requests")
            case _:
                raise _Ending(_BAD, "This type of message is not known")

    async def _subscribe(self, id: str, payload: object) -> None:
        if id in self._running:
            raise _Ending(_TAKEN, _reason(f"Subscriber for {id} already exists"))
        try:
            asked = asked_in(payload)
        except BadRequest as error:
            raise _Ending(_BAD, _reason(error.detail)) from None
        capacity = self._all.capacity
        if self._operations >= capacity.per_connection:
            await self._refuse(id, f"A connection takes {capacity.per_connection} operations at once.")
        elif self._all.operations >= capacity.operations:
            await self._refuse(id, f"The server takes {capacity.operations} operations over WebSockets at once.")
        else:
            # Counted until it is over: a client may say `complete` a thousand times a second, and begin the next.
            self._operations += 1
            self._all.operations += 1
            task = self._running[id] = self._tasks.create_task(self._answer(id, asked))
            task.add_done_callback(lambda _: self._over(id, task))

    def _over(self, id: str, task: asyncio.Task[None]) -> None:
        self._operations -= 1
        self._all.operations -= 1
        if self._running.get(id) is task:
            del self._running[id]

    # What it is answered.

    async def _answer(self, id: str, asked: Asked) -> None:
        """Execute one operation: a subscription until the client has enough of it."""
        try:
            answers = await self._all.begin(asked, await self._caller())
        except Unavailable as error:
            await self._refuse(id, type(error).__doc__ or "", "UNAVAILABLE")
            return
        if await self._sent(id, answers) and answers.followed is not None:
            with self._all.feed.followed():
                await self._follow(id, asked, answers)
        elif not answers.errors:
            await self._complete(id)

    async def _follow(self, id: str, asked: Asked, begun: Answers) -> None:
        """Answer whatever is new, until there is a reason not to."""
        assert begun.followed is not None  # noqa: S101 - whoever calls has looked
        wanted, place = begun.followed.wanted, begun.followed.start
        while True:
            size = await self._all.feed.beyond(place)
            try:
                entries, behind = await self._all.feed.page(wanted, place, size)
                while entries:
                    async with self._turn:
                        answers = await self._all.page(asked, await self._caller(), entries)
                        if not await self._sent(id, answers):
                            return
                    place = entries[len(answers.payloads) - 1].seq + 1
                    entries = entries[len(answers.payloads) :]
                place = behind
            except Unavailable:
                # The place is kept: nothing is missed by waiting.
                await asyncio.sleep(_AWAY_SECONDS)

    async def _sent(self, id: str, answers: Answers) -> bool:
        """Send what there is; whether the operation was executed at all."""
        if answers.errors:
            await self._last(id, {"id": id, "type": "error", "payload": orjson.Fragment(answers.errors)})
            return False
        for payload in answers.payloads:
            await self._send({"id": id, "type": "next", "payload": orjson.Fragment(payload)})
        return True

    async def _refuse(self, id: str, message: str, code: str = "LIMIT_EXCEEDED") -> None:
        await self._last(
            id, {"id": id, "type": "error", "payload": [{"message": message, "extensions": {"code": code}}]}
        )

    async def _complete(self, id: str) -> None:
        await self._last(id, {"id": id, "type": "complete"})

    async def _last(self, id: str, message: Mapping[str, Any]) -> None:
        # The client may use the id again as soon as it has read this.
        if self._running.get(id) is asyncio.current_task():
            del self._running[id]
        await self._send(message)

    async def _send(self, message: Mapping[str, Any]) -> None:
        text = orjson.dumps(message).decode()
        async with self._sending:
            try:
                async with asyncio.timeout(_SEND_SECONDS):
                    await self._socket.send_text(text)
            except TimeoutError:
                raise _Ending(*_AWAY) from None
            except (WebSocketDisconnect, RuntimeError):
                raise _Ending from None

    # Who it is.

    async def _caller(self) -> Caller:
        """Who is there, as of now: whoever asks for it again hears of a key that was revoked.

        Raises:
            Unavailable: nobody can tell.
        """
        try:
            return await self._all.identify(self._socket, self._authorization)
        except Unauthenticated as error:
            raise _Ending(_NO_CALLER, _reason(error.detail)) from None
        except Forbidden as error:
            raise _Ending(_FORBIDDEN, _reason(error.detail)) from None

    async def _keep_checking(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            with suppress(Unavailable):
                await self._caller()


def _id_in(message: Mapping[str, Any]) -> str:
    id = message.get("id")
    if not isinstance(id, str) or not 0 < len(id) <= _ID_LENGTH:
        raise _Ending(_BAD, f"An id is a text of 1 to {_ID_LENGTH} characters")
    return id


def _authorization_in(payload: object) -> str:
    """What a browser has to say here, as it cannot set headers."""
    if payload is None:
        return ""
    if not isinstance(payload, dict):
        raise _Ending(_BAD, "The payload of connection_init is no object")
    said = next((value for name, value in payload.items() if name.lower() == "authorization"), "")
    if not isinstance(said, str):
        raise _Ending(_NO_CALLER, "Unauthorized")
    return said


def _reason(text: str) -> str:
    """As much of it as a close frame has room for: 123 bytes."""
    return text.encode()[:123].decode(errors="ignore")
