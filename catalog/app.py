"""The server, put together: what it is made of, which routes it has, how it starts and how it stops."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Scope
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from catalog.api import logs
from catalog.api.auth import Callers, Gate, caller_of, is_loopback
from catalog.api.graphql import app as graphql
from catalog.api.graphql.context import Bounds
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import printed
from catalog.api.graphql.websocket import MAX_MESSAGE, Sockets
from catalog.api.hang_up import HangingUp
from catalog.api.listening import check_address, listen, settle, url_of
from catalog.api.metrics import InFlight, Metrics, shared
from catalog.api.problems import Problems
from catalog.api.requests import Answered, Requests
from catalog.domain.errors import CatalogError, NotDurable, NotMigrated, Unavailable
from catalog.ingest.accept import Ingest
from catalog.ingest.decode import DecodeLimits
from catalog.ingest.group import GroupCommit, GroupLimits
from catalog.settings import IngestSettings, Settings
from catalog.sources.http import HttpLimits, HttpSource
from catalog.store import health, keys, migrate
from catalog.store.engine import Database
from catalog.web.query_page import query_page

logger = logging.getLogger("catalog.app")

# Clients try again for 9 s. A server that is told to stop is gone before that, so that the next one can answer:
# 2 s for bodies that are still arriving, 6 s for all requests, and 1.5 s for what is then queued still.
_ARRIVE_SECONDS: Final = 2.0
_FINISH_SECONDS: Final = 6
_DRAIN_SECONDS: Final = 1.5
_NOTE_SECONDS: Final = 0.3

_PUBLIC: Final = frozenset({"/", "/livez", "/healthz", "/readyz", "/metrics"})
_READY_SECONDS: Final = 3.0


def build_app(settings: Settings) -> Starlette:
    """The application as any ASGI server can run it."""
    return Service(settings).app


class Service:
    """One server's parts. Nothing is opened or started before the application's lifespan begins."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database.url)
        ingest = Ingest(self.database, DecodeLimits(max_bytes=settings.ingest.max_body_bytes))
        problems = Problems(settings.ingest.retry_after_seconds)
        self.group = GroupCommit(ingest.accept, _group_limits(settings.ingest))
        self.source = HttpSource(ingest, self.group, problems.answer, _http_limits(settings.ingest), caller_of)
        self.callers = Callers(self.database, settings.host)
        self.metrics = Metrics(self.database, self._in_flight, lambda: self.sockets.operations)
        self.limits = Limits(**asdict(settings.graphql))
        self.bounds = Bounds(**asdict(settings.lineage))
        self.sockets = Sockets(
            self.database, self.limits, self.bounds, self.callers.of, problems.answer, told=self.metrics.operated
        )
        self.stopping = False
        gate = Middleware(
            Gate, callers=self.callers, refuse=problems.answer, is_public=_is_public, asks_itself=_asks_itself
        )
        self.app = _App(
            self._answered,
            routes=self._routes(),
            middleware=[gate],
            lifespan=self._lifespan,
            exception_handlers=problems.handlers(),
        )

    def _routes(self) -> list[BaseRoute]:
        return [
            # Whoever opens the bare address in a browser wants the page.
            Route("/", lambda _: RedirectResponse(graphql.PATH)),
            Route("/livez", _livez),
            Route("/healthz", _livez),
            Route("/readyz", self._readyz),
            Route("/metrics", self.metrics.answer),
            *self.source.routes(),
            *graphql.routes(self.database, self.limits, self.bounds, query_page(printed()), caller_of),
            *self.sockets.routes(),
        ]

    def stop(self) -> None:
        """Begin to stop: take no more requests for events, and be no longer ready. Called on the event loop."""
        self.stopping = True
        self.source.stop(_ARRIVE_SECONDS)

    def _answered(self, answered: Answered) -> None:
        self.metrics.answered(answered)
        if answered.tally is not None:
            self.sockets.feed.nudge()

    def _in_flight(self) -> InFlight:
        return InFlight(bytes=self.source.bytes_held, events=self.group.waiting[0])

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        try:
            await run_in_threadpool(_check, self.database, self.settings)
        except Unavailable as error:
            # A database that starts later than we do is no reason to give up; until then the answer is 503.
            logger.warning("started without a database: %s", error.detail)
        self.group.start()
        self.callers.last_use.start()
        sampling = asyncio.create_task(self.metrics.sample())
        try:
            yield
        finally:
            self.stop()
            sampling.cancel()
            await run_in_threadpool(self.group.close, _DRAIN_SECONDS)
            await asyncio.gather(
                run_in_threadpool(self.callers.last_use.close, _NOTE_SECONDS),
                self.callers.close(_NOTE_SECONDS),
                self.sockets.close(_NOTE_SECONDS),
            )
            self.database.close()
            await run_in_threadpool(logs.flush)

    async def _readyz(self, request: Request) -> Response:
        """Whether to send requests here; `?verbose` says what speaks for it and what against."""
        checks = await self._checks()
        trouble = next((error for error in checks.values() if error is not None), None)
        if "verbose" in request.query_params:
            said = {name: "ok" if error is None else type(error).__doc__ for name, error in checks.items()}
            status = HTTPStatus.OK if trouble is None else HTTPStatus.SERVICE_UNAVAILABLE
            held = asdict(self._in_flight())
            return JSONResponse({"ready": trouble is None, "checks": said, "in_flight": held}, status)
        if trouble is not None:
            raise trouble
        return PlainTextResponse("ready\n")

    async def _checks(self) -> dict[str, CatalogError | None]:
        """What readiness is made of, each with what is wrong about it."""
        names = ("running", "database", "migrations", "durability")
        checks: dict[str, CatalogError | None] = dict.fromkeys(names)
        if self.stopping:
            checks["running"] = Unavailable("The catalog is shutting down.")
        try:
            # On asyncio's threads: Starlette's are waited for, also when a connection hangs.
            async with asyncio.timeout(_READY_SECONDS):
                await asyncio.to_thread(_check, self.database, self.settings)
        except TimeoutError:
            checks["database"] = Unavailable("The database does not answer.")
        except Unavailable as error:
            checks["database"] = error
        except NotMigrated as error:
            checks["migrations"] = error
        except NotDurable as error:
            checks["durability"] = error
        return checks


class _App(Starlette):
    """Starlette, and around all of it what looks at every request: also at errors that nobody expected."""

    def __init__(self, told: Callable[[Answered], None], **parts: Any) -> None:  # noqa: ANN401 - Starlette's own
        super().__init__(**parts)
        self._told = told

    def build_middleware_stack(self) -> ASGIApp:
        return Requests(super().build_middleware_stack(), self.routes, self._told)


def serve(
    settings: Settings, started: Callable[[str], None] = lambda _: None, workers: int = 1, *, log: bool = False
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was begun and return within 8 s.

    Args:
        settings: With port 0 a free one is taken.
        started: Called with the base URL once requests are answered; with several processes, once they wait in line.
        workers: Processes that accept from one socket; one that dies is started again.
        log: The processes are the server's own: they log to standard error as the settings say, and look after their
            memory. Else both are the caller's.

    Raises:
        NotMigrated: the database is there, but not at the version this program needs.
        NotDurable: the database may lose what it acknowledged, and the settings do not allow that.
        BadRequest: nobody can listen on that address.
        CatalogError: others than this machine can reach that address, and there is no key that would let them in.
    """
    if log:
        logs.configure(settings.log.level, settings.log.format)
        settle()
    database = Database(settings.database.url)
    try:
        with suppress(Unavailable):
            _check(database, settings)
            _refuse_to_be_open(database, settings.host)
    finally:
        database.close()
    with listen(settings.host, settings.port) as listening, suppress(KeyboardInterrupt), _terminated():
        if workers == 1:
            _serve_here(settings, started, listening)
        else:
            _serve_there(settings, started, listening, workers, log=log)


def _serve_here(settings: Settings, started: Callable[[str], None], listening: socket.socket) -> None:
    service = Service(settings)
    server = _Server(_uvicorn_config(service.app), service, started)
    try:
        server.run([listening])
    finally:
        service.database.close()
    if not server.started:
        raise CatalogError("The server could not start.", fix="The log says why.")


def _serve_there(
    settings: Settings, started: Callable[[str], None], listening: socket.socket, workers: int, *, log: bool
) -> None:
    with shared():
        # The application is made in each process: neither connections nor threads can be handed over.
        processes = Multiprocess(_uvicorn_config(partial(_worker, settings, log=log), workers), [listening])
        started(url_of(listening))
        notify("READY=1")
        processes.run()
    if any(process.exitcode == STARTUP_FAILURE for process in processes.processes):
        raise CatalogError("A process of the server could not start.", fix="The log says why.")


def _worker(settings: Settings, *, log: bool) -> Starlette:
    if log:
        logs.configure(settings.log.level, settings.log.format)
        settle()
    return build_app(settings)


def _check(database: Database, settings: Settings) -> None:
    """Refuse a database of another version, or one that may lose what it acknowledged."""
    migrate.check(database)
    if settings.database.unsafe:
        return
    with database.read() as connection:
        losses = health.durability(connection).losses
    if losses:
        fix = "Turn it on in PostgreSQL; or, where events may be lost, set CATALOG_DATABASE_UNSAFE=true."
        raise NotDurable(f"The database may lose what it acknowledged: {'; '.join(losses)}.", fix=fix)


@contextmanager
def _terminated() -> Iterator[None]:
    """Let SIGTERM end the program as Ctrl-C does: uvicorn raises it again when all is finished, which is no failure."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def notify(state: str) -> None:
    """Tell systemd, if it started us and wants to know: sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling:
        telling.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
        telling.send(state.encode())


def _uvicorn_config(app: Starlette | Callable[[], Starlette], workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=workers > 1,
        workers=workers,
        http="h11",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        ws=HangingUp,
        ws_max_size=MAX_MESSAGE,
        # An event of 30 MB would be compressed on the event loop, while nobody else is answered.
        ws_per_message_deflate=False,
        # Longer than the 60 s of common load balancers: who closes first loses the request that is on its way.
        timeout_keep_alive=65,
        timeout_graceful_shutdown=_FINISH_SECONDS,
    )


class _Server(uvicorn.Server):
    """Tells the service when it is up and when it is to stop; ASGI says the latter only when all is over."""

    def __init__(self, config: uvicorn.Config, service: Service, started: Callable[[str], None]) -> None:
        super().__init__(config)
        self._service = service
        self._on_start = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_start(url_of(self.servers[0].sockets[0]))
            notify("READY=1")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        notify("STOPPING=1")
        self._service.stop()
        await super().shutdown(sockets)


def _refuse_to_be_open(database: Database, host: str) -> None:
    if is_loopback(host):
        return
    with database.read() as connection:
        if not keys.count_usable(connection):
            check_address(host)
            raise CatalogError(
                f"Others can reach {host}, and there is no key that lets anybody in.",
                fix="Create one first: `catalog keys create --role admin`. Or listen on 127.0.0.1.",
            )


def _is_public(scope: Scope) -> bool:
    """What needs no key: whether the process is well, and the files of the query page, which are in every copy."""
    path = scope["path"]
    page = path == graphql.PATH or path.startswith(f"{graphql.PATH}/")
    return path in _PUBLIC or (page and scope["method"] in {"GET", "HEAD"})


def _asks_itself(scope: Scope) -> bool:
    """Browsers cannot send a key with a WebSocket: it is in the first message."""
    return bool(scope["path"] == graphql.PATH)


async def _livez(_: Request) -> Response:
    return PlainTextResponse("alive\n")


def _group_limits(ingest: IngestSettings) -> GroupLimits:
    return GroupLimits(
        max_events=ingest.max_batch_events,
        max_waiting_events=ingest.max_waiting_events,
        max_waiting_bytes=ingest.max_inflight_bytes,
    )


def _http_limits(ingest: IngestSettings) -> HttpLimits:
    return HttpLimits(
        max_body_bytes=ingest.max_body_bytes,
        max_compressed_bytes=ingest.max_compressed_bytes,
        max_inflight_bytes=ingest.max_inflight_bytes,
        max_batch_events=ingest.max_batch_events,
        body_seconds=ingest.body_seconds,
        answer_seconds=ingest.answer_seconds,
    )
