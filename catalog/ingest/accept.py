"""The only way in: bytes become an entry of the log and changes of the graph, in one transaction.

1. decode and project every body of the batch; no lock is held yet
2. take the lock of the log's head: from here the order is total
3. leave out what is in the log already (law 2)
4. append the rest, with salted commitments and the tree (law 4)
5. write the graph; an event that cannot be projected stays in the log, marked
6. keep what is no event, or none of its sender's, in the quarantine, with the reason
7. commit, and only then answer (law 3)
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from catalog.domain.callers import ANYONE, Caller
from catalog.domain.errors import Forbidden, NotAnEvent, Unavailable
from catalog.domain.event import Event, Tolerated
from catalog.domain.ids import digest_key
from catalog.domain.projection import Projection
from catalog.evidence.commitment import SALT_BYTES, commit
from catalog.evidence.merkle import Frontier, append
from catalog.ingest import grants
from catalog.ingest.decode import DecodeLimits, decode
from catalog.ingest.leaves import leaf
from catalog.ingest.project import project
from catalog.ingest.records import decode_entry, decode_record
from catalog.store import bodies, graph_writer, log, quarantine
from catalog.store.engine import Database, Write

logger = logging.getLogger("catalog.ingest")


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes as they arrived, where, and from whom."""

    raw: bytes
    source: str
    caller: Caller = ANYONE
    is_record: bool = False
    """Whether the catalog itself wrote them: see `records`. Whatever is sent is not."""

    @property
    def principal(self) -> str:
        """What the log calls whoever sent them."""
        return self.caller.name


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a sender gets back: the event is in the log at `seq`, durably."""

    receipt: str
    digest: str
    seq: int
    duplicate: bool
    warnings: tuple[Tolerated, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The bytes are no event, or one that its sender may not send; they are in quarantine, with the reason."""

    receipt: str
    digest: str
    reason: NotAnEvent | Forbidden


Outcome = Receipt | Refused

Also = Callable[[Write, int], None]
"""What is to be written with events: in their transaction, told how many of the batch are taken when it commits."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """An event that was decoded and projected, waiting for its place."""

    received: Received
    event: Event
    projection: Projection | None
    failure: str | None
    packed: tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class _NoEvent:
    """Bytes that are none, or none of this sender's, and why."""

    received: Received
    reason: NotAnEvent | Forbidden
    digest: bytes


_Prepared = _Ready | _NoEvent


def microseconds() -> int:
    """Now, in microseconds since 1970 UTC."""
    return time.time_ns() // 1_000


AS_TAKEN = DecodeLimits(
    max_bytes=1 << 40, max_datasets=1 << 40, max_name_bytes=1 << 40, max_facets=1 << 40, max_members=1 << 40
)
"""What was taken once is taken again, whatever the limits were then. Depth keeps its bound: decoders recurse."""


def project_raw(raw: bytes) -> Projection:
    """The projection of the bytes of an entry."""
    return project(decode_entry(raw, AS_TAKEN))


class Ingest:
    """The door of one database."""

    def __init__(
        self, database: Database, limits: DecodeLimits | None = None, clock: Callable[[], int] = microseconds
    ) -> None:
        """`clock` gives the time of receipt; nothing in the graph depends on it."""
        self.database = database
        self.limits = limits or DecodeLimits()
        self.clock = clock
        self._origin: str | None = None

    def accept(self, batch: Sequence[Received], also: Also | None = None) -> list[Outcome]:
        """Take a batch in one transaction and answer in its order. Raises Unavailable: then nothing was taken.

        Where one event spoils the transaction, they are taken one by one: then `also` is called with 1, 2, 3 and so on.
        """
        prepared = [self._prepare(received) for received in batch]
        try:
            return self._commit(prepared, also, len(prepared))
        except (Unavailable, MemoryError):
            raise
        except Exception:  # noqa: BLE001 - see below
            # One event that the graph cannot hold must not take its neighbours with it: alone, it is kept
            # in the log and marked. Savepoints would do too, but not on every engine we want to run on.
            return [self._commit_alone(one, also, taken) for taken, one in enumerate(prepared, 1)]

    def quarantine_oversized(self, head: bytes, size: int, digest: bytes, source: str, caller: Caller) -> str:
        """Keep the beginning of a body that is over the limit. The answer is the receipt."""
        reason = NotAnEvent(f"The body has {size} bytes, more than is accepted.", code="limit")
        refusal = self._refusal(_NoEvent(Received(head, source, caller), reason, digest))
        with self.database.write() as connection:
            quarantine.add(connection, [replace(refusal, size=size, truncated=True)])
        return receipt(digest)

    def _prepare(self, received: Received) -> _Prepared:
        try:
            event = decode_record(received.raw) if received.is_record else decode(received.raw, self.limits)
        except NotAnEvent as refused:
            return _NoEvent(received, refused, sha256(received.raw).digest())
        projection, failure = None, None
        try:
            projection = project(event)
        except Exception as error:  # noqa: BLE001 - whatever a facet does to us, the event is kept
            failure = _reason(error)
        if received.caller.namespaces and (forbidden := _forbidden(event, received.caller, failure)) is not None:
            return _NoEvent(received, forbidden, event.digest)
        return _Ready(received, event, projection, failure, bodies.pack(received.raw))

    def _commit_alone(self, one: _Prepared, also: Also | None, taken: int) -> Outcome:
        try:
            return self._commit([one], also, taken)[0]
        except (Unavailable, MemoryError):
            raise
        except Exception as error:
            if isinstance(one, _NoEvent):
                raise
            logger.exception("an event could not be projected; it is kept in the log and marked")
            return self._commit([replace(one, projection=None, failure=_reason(error))], also, taken)[0]

    def _commit(self, batch: Sequence[_Prepared], also: Also | None, taken: int) -> list[Outcome]:
        now = self.clock()
        ready: dict[bytes, _Ready] = {}
        for one in batch:
            if isinstance(one, _Ready):
                ready.setdefault(one.event.digest, one)
        refused = [self._refusal(one) for one in batch if isinstance(one, _NoEvent)]
        if ready and self._origin is None:
            self._origin = self._find_origin()
        leaves = {digest: self._entry(one, now) for digest, one in ready.items()}
        with self.database.write() as connection:
            places = self._append(connection, ready, leaves) if ready else {}
            quarantine.add(connection, refused)
            if also is not None:
                also(connection, taken)
        answered: set[bytes] = set()
        return [self._outcome(one, places, answered) for one in batch]

    def _append(
        self, connection: Write, ready: dict[bytes, _Ready], leaves: dict[bytes, log.NewEntry]
    ) -> dict[bytes, tuple[int, bool]]:
        """Steps 2 to 5. The answer: where each digest is, and whether it was there before."""
        head = log.lock(connection)
        before = log.known(connection, list(ready))
        fresh = [digest for digest in ready if digest not in before]
        places = {digest: (seq, True) for digest, seq in before.items()}
        if fresh:
            entries = [leaves[digest] for digest in fresh]
            frontier, subtrees = append(Frontier.from_bytes(head.size, head.peaks), [e.leaf_hash for e in entries])
            log.extend(connection, head, entries, frontier.to_bytes(), subtrees)
            places |= {digest: (seq, False) for seq, digest in enumerate(fresh, head.size)}
            projections = [p for digest in fresh if (p := ready[digest].projection) is not None]
            graph_writer.write(connection, projections, head.size, project_raw)
        return places

    def _find_origin(self) -> str:
        with self.database.write() as connection:
            log.create(connection)
            return log.origin(connection)

    def _entry(self, one: _Ready, now: int) -> log.NewEntry:
        event, received = one.event, one.received
        salt = secrets.token_bytes(SALT_BYTES)
        projection = one.projection
        return log.NewEntry(
            kind=int(event.kind),
            event_time=event.event_time,
            received_at=now,
            digest=event.digest,
            leaf_hash=leaf(self._origin or "", event.kind, now, received.principal, commit(received.raw, salt)),
            salt=salt,
            packed=one.packed,
            activity_id=projection.activity_id if projection else digest_key(event.digest),
            subject_id=projection.subject_id if projection else 0,
            event_type=int(event.state),
            principal=received.principal,
            source=received.source,
            failure=one.failure,
        )

    def _outcome(self, one: _Prepared, places: dict[bytes, tuple[int, bool]], answered: set[bytes]) -> Outcome:
        if isinstance(one, _NoEvent):
            return Refused(receipt(one.digest), one.digest.hex(), one.reason)
        digest = one.event.digest
        seq, duplicate = places[digest]
        again = digest in answered
        answered.add(digest)
        tolerated = one.event.warnings + (one.projection.warnings if one.projection else ())
        return Receipt(receipt(digest), digest.hex(), seq, duplicate or again, tolerated)

    def _refusal(self, one: _NoEvent) -> quarantine.Refusal:
        received, reason = one.received, one.reason
        return quarantine.Refusal(
            self.clock(), received.source, received.principal, reason.code, reason.detail, reason.pointer, one.digest,
            len(received.raw), received.raw,
        )  # fmt: skip


def _forbidden(event: Event, caller: Caller, failure: str | None) -> Forbidden | None:
    """Why a caller with limits may not send this. What cannot be understood cannot be said to keep within them."""
    if failure is not None:
        detail = "A facet could not be understood, so neither what it would write to."
        return Forbidden(detail, fix="Have it sent by somebody who may write to all namespaces.")
    return grants.refusal(event, caller)


def receipt(digest: bytes) -> str:
    """The receipt for these bytes: the same bytes always get the same one."""
    return f"r-{digest[:16].hex()}"


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:2_000]
