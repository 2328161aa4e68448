"""`/metrics`, in the text format of Prometheus.

No label holds a name of a dataset, a job, a namespace or a person, nor a word a client may choose: labels are few, and
tell a stranger nothing. The parts below count nothing themselves: what they know comes here by callbacks.

With several processes the numbers of all of them are added up, whichever of them answers: they count in files of one
folder. Only how much is in flight in the others may be a second old.
"""

from __future__ import annotations

import asyncio
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

import catalog
from catalog.api.graphql.operations import Operation
from catalog.api.requests import Answered
from catalog.domain.errors import CatalogError
from catalog.ingest.tally import OUTCOMES
from catalog.store.engine import Database
from catalog.store.health import NEWEST, Sizes, sizes, watch_errors

# When each counter began is a second series for each, and nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types

TRANSPORT: Final = "http"
"""Events that come another way are counted by the program that brings them."""

_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
_DATABASE_SECONDS: Final = 2.0
_SAMPLE_SECONDS: Final = 1.0
_INGEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
_GRAPHQL_SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 1.0, 4.0, 15.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_DENIED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class InFlight:
    """What one process holds: bytes of bodies that are not answered yet, and events waiting to be stored."""

    bytes: int
    events: int


class Metrics:
    """The numbers of one server."""

    def __init__(
        self, database: Database, in_flight: Callable[[], InFlight], subscriptions: Callable[[], int] = lambda: 0
    ) -> None:
        """`in_flight` and `subscriptions`, how many there are, are asked when somebody wants to know."""
        self._database = database
        self._in_flight = in_flight
        self._subscriptions = subscriptions
        self._folder = os.environ.get(_FOLDER)
        self._registry = CollectorRegistry()
        self._one_at_a_time = asyncio.Lock()
        # What counts in files is read from there, not from here.
        registry = None if self._folder else self._registry
        known: dict[str, Any] = {"registry": registry}
        self._received = Counter(
            "catalog_ingest_received_total",
            "Events that arrived; a body in which none could be told apart is one. The sum of all outcomes.",
            ["transport"],
            **known,
        )
        self._events = Counter(
            "catalog_ingest_events_total",
            "How they ended: accepted, duplicate, quarantined, or refused and still with their sender.",
            ["transport", "outcome"],
            **known,
        )
        self._ingest_seconds = Histogram(
            "catalog_ingest_request_duration_seconds",
            "From the first byte of a request with events to the last of its answer.",
            buckets=_INGEST_SECONDS,
            **known,
        )
        self._requests = Counter(
            "catalog_http_requests_total",
            "Requests that were answered, by method, template of the path and status.",
            ["method", "route", "status"],
            **known,
        )
        self._graphql_seconds = Histogram(
            "catalog_graphql_operation_duration_seconds",
            "Executing an operation: query, mutation, subscription, or invalid. Waiting for a turn is not in it.",
            ["operation"],
            buckets=_GRAPHQL_SECONDS,
            **known,
        )
        self._graphql_rejected = Counter(
            "catalog_graphql_rejected_total",
            "Operations that were not executed, by the limit they are over; invalid ones have the rule `invalid`.",
            ["rule"],
            **known,
        )
        self._database_errors = Counter(
            "catalog_db_errors_total",
            "Errors of the database driver by SQLSTATE or SQLite's name; `connection` is that there was none.",
            ["sqlstate"],
            **known,
        )
        self._denied = Counter(
            "catalog_authz_denied_total",
            "Requests without a valid key (401) or the right to what they asked for (403), and events likewise.",
            ["status"],
            **known,
        )
        gauge: dict[str, Any] = {"multiprocess_mode": "livesum", **known}
        self._bytes = Gauge(
            "catalog_ingest_inflight_bytes", "Bytes of bodies that are being received or stored.", **gauge
        )
        self._waiting = Gauge("catalog_ingest_waiting_events", "Events that wait for their transaction.", **gauge)
        self._subscribed = Gauge(
            "catalog_graphql_subscriptions", "Operations over WebSockets that go on: subscriptions.", **gauge
        )
        # A counter that is not there yet cannot be told from one that nobody asks for.
        self._received.labels(TRANSPORT)
        for outcome in OUTCOMES:
            self._events.labels(TRANSPORT, outcome)
        for status in _DENIED:
            self._denied.labels(str(status.value))
        watch_errors(database, lambda code: self._database_errors.labels(code).inc())

    def answered(self, answered: Answered) -> None:
        """Count a request, and the events that came with it: once for all of them."""
        # A method is any word that a client makes up.
        method = answered.method if answered.method in _METHODS else "other"
        self._requests.labels(method, answered.route, str(answered.status)).inc()
        if answered.status in _DENIED:
            self._denied.labels(str(answered.status)).inc()
        if answered.operation is not None:
            self.operated(answered.operation)
        if (tally := answered.tally) is None:
            return
        self._ingest_seconds.observe(answered.seconds)
        self._received.labels(TRANSPORT).inc(tally.received)
        for outcome in OUTCOMES:
            if count := getattr(tally, outcome):
                self._events.labels(TRANSPORT, outcome).inc(count)
        if tally.forbidden and answered.status not in _DENIED:
            self._denied.labels(str(HTTPStatus.FORBIDDEN.value)).inc(tally.forbidden)

    def operated(self, operation: Operation) -> None:
        """Count an operation; by itself where it did not come as a request."""
        self._graphql_seconds.labels(operation.kind).observe(operation.seconds)
        for rule in operation.rules:
            self._graphql_rejected.labels(rule).inc()
        if operation.denied:
            self._denied.labels(str(HTTPStatus.FORBIDDEN.value)).inc()

    async def sample(self) -> None:
        """Where others answer for this process too, leave them what is in flight here, until cancelled."""
        while self._folder:
            self._sample()
            await asyncio.sleep(_SAMPLE_SECONDS)

    async def answer(self, _: Request) -> Response:
        """The endpoint."""
        self._sample()
        async with self._one_at_a_time:
            known: Sizes | None = None
            with suppress(TimeoutError, CatalogError):
                # On asyncio's threads: Starlette's are waited for, also when a connection hangs.
                async with asyncio.timeout(_DATABASE_SECONDS):
                    known = await asyncio.to_thread(self._sizes)
            text = await asyncio.to_thread(self._text, known)
        return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"})

    def _sample(self) -> None:
        now = self._in_flight()
        self._bytes.set(now.bytes)
        self._waiting.set(now.events)
        self._subscribed.set(self._subscriptions())

    def _sizes(self) -> Sizes:
        with self._database.read() as connection:
            return sizes(connection)

    def _text(self, known: Sizes | None) -> bytes:
        registry = CollectorRegistry()
        pids = _processes(self._folder) if self._folder else [os.getpid()]
        registry.register(_Now(self._database, known, pids))
        counted = self._registry
        if self._folder:
            counted = CollectorRegistry()
            MultiProcessCollector(counted, self._folder)  # type: ignore[no-untyped-call]  # it has no types
        return generate_latest(counted) + generate_latest(registry)


class _Now(Collector):
    """What is only known by asking: the database, the program, its processes."""

    def __init__(self, database: Database, known: Sizes | None, pids: list[int]) -> None:
        self._engine = "sqlite" if database.is_sqlite else "postgresql"
        self._known = known
        self._pids = pids

    def collect(self) -> Iterator[Metric]:
        """Everything there is to say. What the database did not answer is left out rather than guessed."""
        build = GaugeMetricFamily("catalog_build_info", "What runs here.", labels=["version", "python", "engine"])
        build.add_metric([catalog.__version__, platform.python_version(), self._engine], 1)
        yield build
        yield GaugeMetricFamily("catalog_processes", "Processes that answer requests.", value=len(self._pids))
        yield GaugeMetricFamily(
            "catalog_db_up", "Whether the database answered just now.", value=int(self._known is not None)
        )
        if self._known is not None:
            yield GaugeMetricFamily("catalog_log_index", "Entries of the log.", value=self._known.log)
            yield GaugeMetricFamily(
                "catalog_graph_failed_events",
                f"Of the newest {NEWEST:,} entries of the log, those that the graph could not be made from.",
                value=self._known.failed,
            )
            refused = GaugeMetricFamily(
                "catalog_quarantine_events",
                "Bodies in quarantine, by why; also those accepted later.",
                labels=["reason"],
            )
            for reason, count in sorted(self._known.quarantine.items()):
                refused.add_metric([reason], count)
            yield refused
        yield from _added(self._pids)


def _added(pids: list[int]) -> Iterator[Metric]:
    """The numbers of processes by their usual names, added up; started is the one that started last."""
    families: dict[str, Metric] = {}
    for pid in pids:
        for one in ProcessCollector(pid=partial(int, pid), registry=None).collect():
            known = families.setdefault(one.name, one)
            if known is one:
                continue
            ours, theirs = known.samples[0], one.samples[0]
            is_time = one.name == "process_start_time_seconds"
            value = max(ours.value, theirs.value) if is_time else ours.value + theirs.value
            known.samples[0] = ours._replace(value=value)
    yield from families.values()


def _processes(folder: str) -> list[int]:
    """Which of the processes that count there are alive; what the others had in flight is no more."""
    alive = []
    for pid in {int(path.stem.rpartition("_")[2]) for path in Path(folder).glob("*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]  # it has no types
        else:
            alive.append(pid)
    return sorted(alive)


@contextmanager
def shared() -> Iterator[None]:
    """Let processes started inside count together."""
    with tempfile.TemporaryDirectory(prefix="catalog-metrics-") as folder, _set({_FOLDER: folder}):
        yield


@contextmanager
def _set(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
