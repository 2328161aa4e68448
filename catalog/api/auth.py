"""Who is calling: `Authorization: Bearer KEY` becomes a Caller before any route sees the request.

A key that is known is looked up once in a few seconds, whatever is sent meanwhile, so that taking events asks nothing
more of the database. What nobody listed as open is closed, also a route that is added tomorrow.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Event, Lock, Thread
from typing import Final, TypeVar, cast
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from catalog.domain import keys as spelling
from catalog.domain.callers import ANYONE, Caller
from catalog.domain.errors import CatalogError, Forbidden, Unauthenticated, Unavailable
from catalog.store import keys
from catalog.store.engine import Database, Read
from catalog.store.keys import Key

logger = logging.getLogger("catalog.auth")

FRESH_SECONDS: Final = 2.0
"""How long a look-up holds: after that, a revoked key is seen to be revoked, by every process."""

_REMEMBERED: Final = 1_000
_LOOK_UP_SECONDS: Final = 3.0
_NOTE_SECONDS: Final = 60.0
_SCOPE: Final = "catalog.caller"
_BEARER: Final = re.compile(r"bearer(?: +(?P<key>\S+))? *", re.IGNORECASE)

_HOW: Final = "Send `Authorization: Bearer KEY`; `catalog keys create` makes a key."

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Answer:
    """Something that was asked of the database, and until when its answer holds."""

    task: asyncio.Future[object]
    until: float

    @property
    def holds(self) -> bool:
        """A question that is still open is not asked again, however long it takes."""
        if not self.task.done():
            return True
        return not self.task.cancelled() and self.task.exception() is None and time.monotonic() < self.until


class Callers:
    """Finds out who is calling. Not thread-safe: it lives on the server's event loop."""

    def __init__(self, database: Database, host: str, clock: Callable[[], int] = keys.now) -> None:
        """`host` is the address that is listened on; `clock` tells microseconds since 1970 UTC."""
        self._database = database
        self._on_loopback = is_loopback(host)
        self._clock = clock
        self._answers: dict[bytes | None, _Answer] = {}
        self._closed = False
        self.last_use = LastUse(database)

    async def of(self, connection: HTTPConnection, said: str = "") -> Caller:
        """Who sends this request.

        Args:
            connection: The request, or the one that a WebSocket began with.
            said: The `Authorization` of a client that could not send it as a header.

        Raises:
            Unauthenticated: a key is needed, or the one that was sent lets nobody in.
            Forbidden: the server is open to this machine alone, and the request comes by way of another.
            Unavailable: the database is away, so that nobody can tell.
        """
        given = _key_in(connection, said)
        if given is not None:
            return await self._by_key(given)
        if not await self._is_open():
            raise Unauthenticated("This needs a key.", fix=_HOW)
        _refuse_strangers(connection)
        return ANYONE

    async def expect(self, connection: HTTPConnection) -> None:
        """Refuse a WebSocket that nothing its client may say later could let in, as `of` does.

        Browsers let any page open one anywhere: on an open server that is to be refused before it is open.
        """
        if _key_in(connection) is not None or await self._is_open():
            await self.of(connection)

    async def _by_key(self, given: str) -> Caller:
        if not spelling.is_key(given):
            raise Unauthenticated("This is no key: its checksum is wrong. Was it cut off or mistyped?", fix=_HOW)
        digest = spelling.digest(given)
        key = await self._asked(digest, lambda connection: keys.find(connection, digest))
        if key is None:
            # Whoever makes keys up must not push out those that there are.
            self._answers.pop(digest, None)
            raise Unauthenticated("This key is not known here.", fix=_HOW)
        at = self._clock()
        if not key.usable(at):
            what = "was revoked" if key.revoked_at is not None else "has expired"
            raise Unauthenticated(f"The key {key.prefix} {what}.", fix=_HOW)
        self.last_use.note(key, at)
        return key.caller

    async def _is_open(self) -> bool:
        """Whether nobody ever made a key. Once one was seen this is not asked again: keys are never removed."""
        if self._on_loopback and not self._closed:
            self._closed = await self._asked(None, keys.exist)
        return self._on_loopback and not self._closed

    async def close(self, seconds: float) -> None:
        """Wait so long at most for what is being looked up for nobody any more: the database is closed next."""
        if looking := [answer.task for answer in self._answers.values() if not answer.task.done()]:
            await asyncio.wait(looking, timeout=seconds)

    async def _asked(self, about: bytes | None, read: Callable[[Read], T]) -> T:
        """What the database answers, or answered a moment ago; all who ask meanwhile share one question."""
        answer = self._answers.get(about)
        if answer is None or not answer.holds:
            # Not Starlette's threads, which are waited for when a connection hangs.
            task = asyncio.ensure_future(asyncio.to_thread(self._read, read))
            answer = _Answer(cast("asyncio.Future[object]", task), time.monotonic() + FRESH_SECONDS)
            self._remember(about, answer)
        if answer.task.done():
            return cast("T", answer.task.result())
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                # Shielded: one request that is given up does not take the answer from the others.
                return cast("T", await asyncio.shield(answer.task))
        except TimeoutError:
            raise Unavailable("The database does not answer, so nobody knows who is calling.") from None

    def _read(self, read: Callable[[Read], T]) -> T:
        with self._database.read() as connection:
            return read(connection)

    def _remember(self, about: bytes | None, answer: _Answer) -> None:
        self._answers.pop(about, None)
        if len(self._answers) >= _REMEMBERED:
            del self._answers[next(iter(self._answers))]
        self._answers[about] = answer


class LastUse:
    """Notes when keys were used, once a minute and in a thread: no request ever waits for that, or fails by it."""

    def __init__(self, database: Database, seconds: float = _NOTE_SECONDS) -> None:
        self._database = database
        self._seconds = seconds
        self._used: dict[int, int] = {}
        self._lock = Lock()
        self._closing = Event()
        self._thread = Thread(target=self._run, name="last-use", daemon=True)

    def note(self, key: Key, at: int) -> None:
        """The key was used at this moment, in microseconds since 1970 UTC."""
        with self._lock:
            self._used[key.id] = at

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Write what is left, for at most so many seconds."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            used, self._used = self._used, {}
        if not used:
            return
        try:
            with self._database.write() as connection:
                keys.note_used(connection, used)
        except Exception as error:  # noqa: BLE001 - a note is not worth anybody's event, nor this thread
            detail = error.detail if isinstance(error, CatalogError) else type(error).__name__
            logger.warning("when %d key(s) were used could not be noted: %s", len(used), detail)
            with self._lock:
                self._used = used | self._used


class Gate:
    """Lets a request through together with its caller: see `caller_of`."""

    def __init__(
        self,
        app: ASGIApp,
        callers: Callers,
        refuse: Callable[[CatalogError], Response],
        is_public: Callable[[Scope], bool],
        asks_itself: Callable[[Scope], bool] = lambda _: False,
    ) -> None:
        """`is_public` says which requests need no caller, `refuse` answers those that are not let through.

        Of WebSockets only those are let through that `asks_itself` says find out their caller once they are open.
        """
        self._app = app
        self._callers = callers
        self._refuse = refuse
        self._is_public = is_public
        self._asks_itself = asks_itself

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer why not."""
        if scope["type"] == "websocket" and not self._asks_itself(scope):
            await WebSocketClose()(scope, receive, send)
            return
        try:
            if scope["type"] == "websocket":
                await self._callers.expect(HTTPConnection(scope))
            elif scope["type"] == "http" and not self._is_public(scope):
                scope[_SCOPE] = await self._callers.of(HTTPConnection(scope))
        except CatalogError as error:
            await self._refuse(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def caller_of(connection: HTTPConnection) -> Caller:
    """Who sent a request that the gate has let through."""
    return cast("Caller", connection.scope[_SCOPE])


def is_loopback(host: str) -> bool:
    """Whether this name or address is that of the machine itself."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _key_in(connection: HTTPConnection, said: str = "") -> str | None:
    """The key that was sent; None where there is none, also for the empty one of a client that has no key."""
    headers = connection.headers.getlist("authorization")
    sent = [header for header in headers or [said] if header.strip()]
    if not sent:
        return None
    found = _BEARER.fullmatch(sent[0].strip())
    if found is None or len(sent) > 1:
        raise Unauthenticated("The `Authorization` of this request cannot be understood.", fix=_HOW)
    return found["key"]


def _refuse_strangers(connection: HTTPConnection) -> None:
    """On an open server, refuse what a page from elsewhere makes a browser send here.

    Its name may lead to this machine (then `Host` is not ours), or the page may post to us directly (then `Origin`
    is not). The bytes come from this machine either way.
    """
    named = {"Host": f"//{connection.headers.get('host', '')}"}
    if (origin := connection.headers.get("origin")) is not None:
        named["Origin"] = origin
    for header, url in named.items():
        if not is_loopback(_host_in(url)):
            raise Forbidden(
                f"Without keys, this server answers this machine alone, and the request's `{header}` is another.",
                fix="Ask http://localhost or http://127.0.0.1, or make a key: `catalog keys create --role admin`.",
            )


def _host_in(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
