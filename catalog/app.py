"""The server, put together: what it is made of, which routes it has, how it starts and how it stops."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from uvicorn.supervisors import Multiprocess

from catalog.api.graphql import app as graphql
from catalog.api.graphql.context import Bounds
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import printed
from catalog.api.problems import Problems
from catalog.domain.errors import BadRequest, CatalogError, NotMigrated, Unavailable
from catalog.ingest.accept import Ingest
from catalog.ingest.decode import DecodeLimits
from catalog.ingest.group import GroupCommit, GroupLimits
from catalog.settings import IngestSettings, Settings
from catalog.sources.http import HttpLimits, HttpSource
from catalog.store import migrate
from catalog.store.engine import Database
from catalog.web.query_page import query_page

logger = logging.getLogger("catalog.app")

# Clients try again for 9 s. A server that is told to stop is gone before that, so that the next one can answer:
# 2 s for bodies that are still arriving, 6 s for all requests, and 1.5 s for what is then queued still.
_ARRIVE_SECONDS: Final = 2.0
_FINISH_SECONDS: Final = 6
_DRAIN_SECONDS: Final = 1.5

_READY_SECONDS: Final = 3.0
_BACKLOG: Final = 2048  # connections not accepted yet; clients of one job may all come at once


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
        self.source = HttpSource(ingest, self.group, problems.answer, _http_limits(settings.ingest))
        self.stopping = False
        self.app = Starlette(
            routes=self._routes(),
            lifespan=self._lifespan,
            exception_handlers=problems.handlers(),
        )

    def _routes(self) -> list[BaseRoute]:
        return [
            # Whoever opens the bare address in a browser wants the page.
            Route("/", lambda _: RedirectResponse(graphql.PATH)),
            Route("/livez", _livez),
            Route("/readyz", self._readyz),
            *self.source.routes(),
            *graphql.routes(
                self.database,
                Limits(**asdict(self.settings.graphql)),
                Bounds(**asdict(self.settings.lineage)),
                query_page(printed()),
            ),
        ]

    def stop(self) -> None:
        """Begin to stop: take no more requests for events, and be no longer ready. Called on the event loop."""
        self.stopping = True
        self.source.stop(_ARRIVE_SECONDS)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        try:
            await run_in_threadpool(migrate.check, self.database)
        except Unavailable as error:
            # A database that starts later than we do is no reason to give up; until then the answer is 503.
            logger.warning("started without a database: %s", error.detail)
        self.group.start()
        try:
            yield
        finally:
            self.stop()
            await run_in_threadpool(self.group.close, _DRAIN_SECONDS)
            self.database.close()

    async def _readyz(self, request: Request) -> Response:
        """Whether to send requests here; `?verbose` says what speaks for it and what against."""
        checks = await self._checks()
        trouble = next((error for error in checks.values() if error is not None), None)
        if "verbose" in request.query_params:
            said = {name: "ok" if error is None else type(error).__doc__ for name, error in checks.items()}
            status = HTTPStatus.OK if trouble is None else HTTPStatus.SERVICE_UNAVAILABLE
            return JSONResponse({"ready": trouble is None, "checks": said}, status)
        if trouble is not None:
            raise trouble
        return PlainTextResponse("ready\n")

    async def _checks(self) -> dict[str, CatalogError | None]:
        """What readiness is made of, each with what is wrong about it."""
        checks: dict[str, CatalogError | None] = {"running": None, "database": None, "migrations": None}
        if self.stopping:
            checks["running"] = Unavailable("The catalog is shutting down.")
        try:
            # On asyncio's threads: Starlette's are waited for, also when a connection hangs.
            async with asyncio.timeout(_READY_SECONDS):
                await asyncio.to_thread(migrate.check, self.database)
        except TimeoutError:
            checks["database"] = Unavailable("The database does not answer.")
        except Unavailable as error:
            checks["database"] = error
        except NotMigrated as error:
            checks["migrations"] = error
        return checks


def serve(settings: Settings, started: Callable[[str], None] = lambda _: None, workers: int = 1) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was begun and return within 8 s.

    Args:
        settings: With port 0 a free one is taken.
        started: Called with the base URL once requests are answered; with several processes, once they wait in line.
        workers: Processes that accept from one socket; one that dies is started again.

    Raises:
        NotMigrated: the database is there, but not at the version this program needs.
        BadRequest: nobody can listen on that address.
    """
    service = Service(settings)
    try:
        with suppress(Unavailable):
            migrate.check(service.database)
        with _listen(settings.host, settings.port) as listening, suppress(KeyboardInterrupt):
            if workers == 1:
                _Server(_uvicorn_config(service.app), service, started).run([listening])
            else:
                # The application is made in each process: neither connections nor threads can be handed over.
                config = _uvicorn_config(partial(build_app, settings), workers)
                started(_url(listening))
                Multiprocess(config, [listening]).run()
    finally:
        service.database.close()


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
        # Longer than the 60 s of common load balancers: who closes first loses the request that is on its way.
        timeout_keep_alive=65,
        timeout_graceful_shutdown=_FINISH_SECONDS,
    )


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Tells the service when it is up and when it is to stop; ASGI says the latter only when all is over."""

    def __init__(self, config: uvicorn.Config, service: Service, started: Callable[[str], None]) -> None:
        super().__init__(config)
        self._service = service
        self._on_start = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start(_url(self.servers[0].sockets[0]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.stop()
        await super().shutdown(sockets)


def _listen(host: str, port: int) -> socket.socket:
    # With the protocol named: asyncio turns off Nagle's algorithm only where it is named.
    listening = socket.socket(
        socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        fix = "Choose another with CATALOG_HOST and CATALOG_PORT."
        raise BadRequest(f"Cannot listen on {host}, port {port}: {error.strerror}.", fix=fix) from error
    return listening


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
