"""Events by HTTP, one at a time or many in one body.

A body is bounded while it arrives and again while it is decompressed, and so are the bytes of all bodies together:
how much memory is needed does not depend on what clients do. What comes out goes to the writer as it is.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from hashlib import sha256
from http import HTTPStatus
from io import BytesIO
from itertools import repeat
from typing import Final, ParamSpec, Protocol, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from catalog.domain.callers import ANYONE, Caller, Permission
from catalog.domain.errors import CatalogError, Forbidden, NotAnEvent, TooLarge, Unavailable
from catalog.ingest.accept import Ingest, Outcome, Receipt, Received
from catalog.ingest.decode import NDJSON, batch
from catalog.ingest.group import GroupCommit
from catalog.ingest.refuse import keep
from catalog.ingest.tally import Tally
from catalog.sources.http_body import KEPT, Beginning, Budget, Grow, gunzip, read_on

SOURCE: Final = "http"
"""What the log says of where an event arrived."""

_CHUNK: Final = 8 * 1024 * 1024  # bytes of one body handed to the writer together

_ARRAY: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*\[")

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Settled = Outcome | BaseException
_Items = list[tuple[int, bytes | NotAnEvent]]


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What may be sent, and how long it may take.

    Attributes:
        max_body_bytes: Bytes of a body, decompressed.
        max_compressed_bytes: Bytes of a compressed body.
        max_inflight_bytes: Bytes of all bodies being received or stored.
        max_batch_events: Events of one body that are stored together.
        body_seconds: Within which a body must arrive.
        answer_seconds: Within which all of a body must be stored once it is there: clients wait for 5 s.
    """

    max_body_bytes: int = 32 * 1024 * 1024
    max_compressed_bytes: int = 8 * 1024 * 1024
    max_inflight_bytes: int = 256 * 1024 * 1024
    max_batch_events: int = 500
    body_seconds: float = 30.0
    answer_seconds: float = 4.0


class _Late(Unavailable):
    """It could not be stored in time."""


class Refuse(Protocol):
    """Makes the answer to an error: `Problems.answer`."""

    def __call__(self, error: CatalogError, receipt: str = "") -> Response:
        """Answer `error`; `receipt` is what the bytes were kept under."""
        ...


@dataclass(slots=True)
class _Summary:
    """What is said of the events of one body."""

    tally: Tally
    failed: list[dict[str, int | str | bool]] = field(default_factory=list)
    unavailable: Unavailable | None = None

    def settle(self, index: int, outcome: _Settled) -> None:
        """Count one event. Where storing it went wrong, nothing is known against the event: it may come again."""
        self.tally.settle(outcome)
        if isinstance(outcome, Receipt):
            return
        if isinstance(outcome, NotAnEvent):
            reason, retriable = _said(outcome), False
        elif isinstance(outcome, BaseException):
            self.unavailable = outcome if isinstance(outcome, Unavailable) else self.unavailable
            when = "in time" if isinstance(outcome, _Late) else "now"
            reason, retriable = f"It could not be stored {when}. Send it again.", True
        else:
            reason, retriable = f"{_said(outcome.reason)} Kept as {outcome.receipt}.", False
        self.failed.append({"index": index, "reason": reason, "retriable": retriable})

    def response(self) -> Response:
        """The answer, in the words of OpenLineage."""
        retriable = sum(1 for failure in self.failed if failure["retriable"])
        summary = {
            "received": self.tally.received,
            "successful": self.tally.accepted + self.tally.duplicate,
            "failed": len(self.failed),
            "retriable": retriable,
            "non_retriable": len(self.failed) - retriable,
        }
        status = "partial_success" if self.failed else "success"
        return _json({"status": status, "summary": summary, "failed_events": self.failed}, HTTPStatus.OK)


class HttpSource:
    """The routes that take events."""

    def __init__(
        self,
        ingest: Ingest,
        group: GroupCommit,
        refuse: Refuse,
        limits: HttpLimits | None = None,
        caller: Callable[[Request], Caller] = lambda _: ANYONE,
    ) -> None:
        """Events go through `group`; `ingest` keeps what is none. `caller` says who sent a request."""
        self._ingest = ingest
        self._group = group
        self._refuse = refuse
        self._limits = limits or HttpLimits()
        self._caller = caller
        self._answers = _Answers()
        self._budget = Budget(self._limits.max_inflight_bytes)
        self._arriving: set[asyncio.Timeout] = set()
        self._stopping: Unavailable | None = None

    @property
    def bytes_held(self) -> int:
        """Bytes of the bodies that are not answered yet."""
        return self._budget.held

    def routes(self) -> list[Route]:
        """Also with a slash at the end: not every client sends its body again to where a redirect points."""
        endpoints = {"/api/v1/lineage": self._one, "/api/v1/lineage/batch": self._many}
        return [Route(path + end, call, methods=["POST"]) for path, call in endpoints.items() for end in ("", "/")]

    def stop(self, seconds: float) -> None:
        """Take no more; bodies that are arriving have only so many seconds left. Called on the event loop."""
        self._stopping = Unavailable("The catalog is shutting down.")
        latest = asyncio.get_running_loop().time() + seconds
        for deadline in self._arriving:
            if not deadline.expired():
                deadline.reschedule(min(latest, deadline.when() or latest))

    async def _one(self, request: Request) -> Response:
        return await self._take(request, many=False)

    async def _many(self, request: Request) -> Response:
        return await self._take(request, many=True)

    async def _take(self, request: Request, *, many: bool) -> Response:
        tally = request.state.tally = Tally()
        try:
            return await self._taken(request, tally, many=many)
        except BaseException:
            tally.give_up()
            raise

    async def _taken(self, request: Request, tally: Tally, *, many: bool) -> Response:
        if self._stopping:
            raise self._stopping
        # Before anything is read: of who may not send, nothing is kept either.
        caller = self._caller(request)
        caller.require(Permission.INGEST)
        gzipped = _is_gzip(request)
        with self._budget.hold() as grow:
            body: bytes | Beginning | Response = await self._arrived(request, gzipped, grow)
            until = asyncio.get_running_loop().time() + self._limits.answer_seconds
            if gzipped and isinstance(body, bytes):
                body = await self._gunzipped(Received(body, SOURCE, caller), grow, until, tally)
            if isinstance(body, Beginning):
                return await self._too_large(body, caller, until, tally)
            if isinstance(body, Response):
                return body
            received = Received(body, SOURCE, caller)
            content_type = request.headers.get("content-type", "")
            # Some clients send arrays or lines to the route of single events, and mean a batch.
            if many or _ARRAY.match(body) or _is_ndjson(content_type):
                return await self._store_many(received, content_type, until, tally)
            return await self._store_one(received, until, tally)

    async def _arrived(self, request: Request, gzipped: bool, grow: Grow) -> bytes | Beginning:
        """The body as it was sent, if it is not too large."""
        limit = self._limits.max_compressed_bytes if gzipped else self._limits.max_body_bytes
        most = KEPT if _declared_size(request) > limit else limit
        stream, body = request.stream(), BytesIO()
        deadline = asyncio.timeout(self._limits.body_seconds)
        self._arriving.add(deadline)
        try:
            async with deadline:
                async for piece in stream:
                    grow(len(piece))
                    body.write(piece)
                    if body.tell() > most:
                        return await read_on(body.getvalue(), stream, limit)
        except TimeoutError:
            raise Unavailable("The body did not arrive in time.") from None
        finally:
            self._arriving.discard(deadline)
        return body.getvalue()

    async def _gunzipped(
        self, received: Received, grow: Grow, until: float, tally: Tally
    ) -> bytes | Beginning | Response:
        raw = received.raw
        try:
            return await run_in_threadpool(gunzip, raw, self._limits.max_body_bytes, grow)
        except TooLarge:
            return Beginning(raw[:KEPT], len(raw), sha256(raw).digest())
        except NotAnEvent as reason:
            return await self._quarantined(received, reason, until, tally)

    async def _too_large(self, body: Beginning, caller: Caller, until: float, tally: Tally) -> Response:
        limits = self._limits
        oversized = self._ingest.quarantine_oversized
        receipt = await _by(until, oversized, body.head, body.size, body.digest, SOURCE, caller)
        tally.keep(receipt)
        detail = (
            f"A body may have {limits.max_body_bytes} bytes, and {limits.max_compressed_bytes} when it is compressed. "
            "Only the beginning of this one was kept."
        )
        return self._refuse(TooLarge(detail, fix="Send fewer events together, or have the limit raised."), receipt)

    async def _quarantined(self, received: Received, reason: NotAnEvent, until: float, tally: Tally) -> Response:
        receipt = await _by(until, keep, self._ingest.database, received, reason)
        tally.keep(receipt)
        return self._refuse(reason, receipt)

    async def _store_one(self, received: Received, until: float, tally: Tally) -> Response:
        tally.received = 1
        [outcome] = await self._settled([received], until)
        tally.settle(outcome)
        if isinstance(outcome, BaseException):
            raise outcome
        tally.receipt = outcome.receipt
        if isinstance(outcome, Receipt):
            return _json(outcome, HTTPStatus.OK if outcome.duplicate else HTTPStatus.CREATED)
        return self._refuse(outcome.reason, outcome.receipt)

    async def _store_many(self, received: Received, content_type: str, until: float, tally: Tally) -> Response:
        try:
            items = await run_in_threadpool(batch, received.raw, content_type)
        except NotAnEvent as reason:
            return await self._quarantined(received, reason, until, tally)
        summary = _Summary(tally)
        while chunk := await run_in_threadpool(_chunk, items, self._limits.max_batch_events):
            summary.unavailable = summary.unavailable or self._stopping
            tally.received += len(chunk)
            await self._store_chunk(chunk, received, summary, until)
        if summary.unavailable and not (tally.accepted or tally.duplicate or tally.quarantined):
            raise summary.unavailable
        return summary.response()

    async def _store_chunk(self, chunk: _Items, received: Received, summary: _Summary, until: float) -> None:
        events = [replace(received, raw=item) for _, item in chunk if isinstance(item, bytes)]
        # Once the catalog was unavailable the rest is not tried: its sender is waiting for an answer.
        outcomes: Iterator[_Settled]
        outcomes = repeat(summary.unavailable) if summary.unavailable else iter(await self._settled(events, until))
        for index, item in chunk:
            summary.settle(index, item if isinstance(item, NotAnEvent) else next(outcomes))

    async def _settled(self, events: Sequence[Received], until: float) -> Sequence[_Settled]:
        """What became of each event, or why that is not known: Unavailable for all of them, _Late for some."""
        if not events:
            return []
        try:
            futures = self._group.submit_many(events)
        except Unavailable as error:
            return [error] * len(events)
        try:
            # They are settled in this order: when the last is, all are.
            await self._answers.settled(futures[-1], until)
        finally:
            for one in futures:
                one.cancel()
        # What is late is cancelled, but may be in a transaction already: then its bytes are known when it comes again.
        return [_Late() if one.cancelled() or not one.done() else one.exception() or one.result() for one in futures]


class _Answers:
    """Brings what the writer's thread answered to the event loop, which is called once for all of a transaction.

    Waking it for every event took both threads longer than all else that is done between them.
    """

    def __init__(self) -> None:
        self._done: deque[asyncio.Future[None]] = deque()
        self._called = False

    async def settled(self, future: Future[Outcome], until: float) -> None:
        """Wait until there is an answer, or no longer than `until`, in seconds of the loop's clock."""
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        late = loop.call_at(until, _wake, waiting)
        future.add_done_callback(lambda _: self._answered(loop, waiting))
        try:
            await waiting
        finally:
            late.cancel()

    def _answered(self, loop: asyncio.AbstractEventLoop, waiting: asyncio.Future[None]) -> None:
        """Called in the thread of the writer."""
        self._done.append(waiting)
        if not self._called and not loop.is_closed():
            self._called = True
            loop.call_soon_threadsafe(self._wake_all)

    def _wake_all(self) -> None:
        # First, so that what is answered from now on calls again; at worst for nothing.
        self._called = False
        while self._done:
            _wake(self._done.popleft())


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


async def _by(until: float, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """What `call` returns, in a thread; _Late when that is not known by `until`, in seconds of the loop's clock."""
    try:
        async with asyncio.timeout_at(until):
            # Not Starlette's pool: it lets go of its place when it is not waited for, so calls that hang would become
            # ever more threads. Here they keep theirs, and what is late before it has one is not called at all.
            return await asyncio.to_thread(call, *args, **kwargs)
    except TimeoutError:
        raise _Late from None


def _chunk(items: Iterator[tuple[int, bytes | NotAnEvent]], most: int) -> _Items:
    """The next items, at most so many; empty at the end."""
    chunk: _Items = []
    size = 0
    for item in items:
        chunk.append(item)
        size += len(item[1]) if isinstance(item[1], bytes) else 0
        if len(chunk) >= most or size >= _CHUNK:
            break
    return chunk


def _is_gzip(request: Request) -> bool:
    named = ",".join(request.headers.getlist("content-encoding")).lower().split(",")
    codings = [coding for part in named if (coding := part.strip()) not in {"", "identity"}]
    if codings in (["gzip"], ["x-gzip"]):
        return True
    if codings:
        detail = f"The encoding '{', '.join(codings)[:100]}' is not understood. Send gzip once, or no encoding."
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"Accept-Encoding": "gzip, identity"})
    return False


def _is_ndjson(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in NDJSON


def _declared_size(request: Request) -> int:
    declared = request.headers.get("content-length", "")
    return int(declared[:18]) if declared.isdecimal() else 0  # longer ones are too large as well, and slow to read


def _said(reason: NotAnEvent | Forbidden) -> str:
    where = f" At {reason.pointer}." if reason.pointer else ""
    return f"{reason.detail}{where} {reason.fix}".strip()


def _json(content: object, status: HTTPStatus) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
