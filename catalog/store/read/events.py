"""The log, entry by entry, and what was refused. Entries are listed as they were accepted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import zstandard
from sqlalchemy import Row, Select, func, or_, select, union_all

from catalog.domain.ids import dataset_id, digest_key, job_id, key
from catalog.domain.words import EventKind, RunState
from catalog.store import bodies, log, paging
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.paging import Order, Page, Slice
from catalog.store.tables import dataset, declaration, edge, log_body, log_entry, quarantine, run
from catalog.store.uses import sayings

_ACCEPTED = Order("event", (log_entry.c.seq,))
_BY_TIME = Order("run event", (log_entry.c.event_time, log_entry.c.digest_key))
_REFUSED = Order("quarantine", (quarantine.c.received_at, quarantine.c.id), descending=True)

_ALL: Select[Any] = select(
    log_entry.c.seq, log_entry.c.kind, log_entry.c.event_type, log_entry.c.event_time, log_entry.c.received_at,
    log_entry.c.digest, log_entry.c.activity_id, log_entry.c.subject_id, log_entry.c.principal, log_entry.c.source,
    log_entry.c.failure,
)  # fmt: skip
_QUARANTINE: Select[Any] = select(
    quarantine.c.id, quarantine.c.received_at, quarantine.c.source, quarantine.c.principal, quarantine.c.code,
    quarantine.c.reason, quarantine.c.pointer, quarantine.c.digest, quarantine.c.size, quarantine.c.truncated,
    quarantine.c.retried_at,
)  # fmt: skip

READ_AT_MOST = 1_000
"""Events of one run that its facets are read from, the latest: a streaming run may have millions."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """An entry of the log. `failure` says why the graph does not have it; then the ids mean nothing.

    `activity_id` is the run of a RUN event, `subject_id` the job, or the dataset of a DATASET event. Times are
    microseconds since 1970 UTC.
    """

    seq: int
    kind: EventKind
    state: RunState
    event_time: int
    received_at: int
    digest: bytes
    activity_id: int
    subject_id: int
    principal: str
    source: str
    failure: str | None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which entries: those that all of what is given is true of.

    `job` and `dataset` are a namespace and a name; an entry is of a dataset when it names it anywhere as input,
    output or subject, or as what a dataset is made of. Times are event times in microseconds since 1970 UTC, both
    included.
    """

    kind: EventKind | None = None
    job: tuple[str, str] | None = None
    dataset: tuple[str, str] | None = None
    run_id: str | None = None
    since: int | None = None
    until: int | None = None
    failed: bool | None = None


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """Bytes that are no event, and why. `size` is in bytes, times are microseconds since 1970 UTC."""

    id: int
    received_at: int
    source: str
    principal: str
    code: str
    reason: str
    pointer: str
    digest: bytes
    size: int
    truncated: bool
    retried_at: int | None


def page(connection: Read, wanted: EventFilter, page: Page) -> Slice[EventRow]:
    """Entries in the order they were accepted."""
    return paging.paginate(connection, _matching(wanted), _ACCEPTED, page).each(_event)


def count(connection: Read, wanted: EventFilter) -> int:
    """How many match."""
    return paging.count(connection, _matching(wanted))


def between(connection: Read, wanted: EventFilter, start: int, end: int, most: int) -> list[EventRow]:
    """At most `most` of the entries from the place `start` on, up to and without `end`, in order."""
    found = _matching(wanted).where(log_entry.c.seq >= start, log_entry.c.seq < end)
    return [_event(row) for row in connection.execute(found.order_by(log_entry.c.seq).limit(most))]


def by_moments(connection: Read, moments: Collection[tuple[int, int]]) -> dict[tuple[int, int], EventRow]:
    """The event of each moment: pairs of its time, and of its digest's key or what it is an event of (the run).

    Of several events of one run at one time it is that with the least digest.
    """
    ids = {id for _, id in moments}
    found = _ALL.where(
        or_(any_of(connection, log_entry.c.digest_key, ids), any_of(connection, log_entry.c.activity_id, ids)),
        any_of(connection, log_entry.c.event_time, {at for at, _ in moments}),
        log_entry.c.failure.is_(None),
    )
    result: dict[tuple[int, int], EventRow] = {}
    for row in connection.execute(found.order_by(log_entry.c.digest_key)):
        for id in (row.activity_id, digest_key(bytes(row.digest))):
            result.setdefault((row.event_time, id), _event(row))
    return result


def of_runs(connection: Read, ids: Collection[int], page: Page) -> dict[int, Slice[EventRow]]:
    """The events of each run, by event time."""
    found = paging.paginate_each(connection, _ALL, log_entry.c.activity_id, ids, order=_BY_TIME, page=page)
    return {owner: rows.each(_event) for owner, rows in found.items()}


def count_of_runs(connection: Read, ids: Collection[int]) -> dict[int, int]:
    """How many events each run has."""
    return paging.count_each(connection, _ALL, log_entry.c.activity_id, ids)


def bodies_of_runs(connection: Read, ids: Collection[int], until: int | None = None) -> dict[int, list[bytes]]:
    """The bytes of each run's events, by event time; at most `READ_AT_MOST` of them, the latest.

    `until` is the last moment of which there are some, in microseconds since 1970 UTC; None: all.
    """
    latest = Order(_BY_TIME.kind, _BY_TIME.keys, descending=True).by()
    rank = func.row_number().over(partition_by=log_entry.c.activity_id, order_by=latest)
    ranked = (
        select(log_entry.c.seq, log_entry.c.activity_id, rank.label("place"))
        .where(any_of(connection, log_entry.c.activity_id, ids), log_entry.c.failure.is_(None))
        .where(*(() if until is None else (log_entry.c.event_time <= until,)))
        .subquery()
    )
    rows = connection.execute(
        select(ranked.c.activity_id, log_body.c.dictionary, log_body.c.body)
        .join(log_body, log_body.c.seq == ranked.c.seq)
        .where(ranked.c.place <= READ_AT_MOST)
        .order_by(ranked.c.activity_id, ranked.c.place.desc())
    )
    result: dict[int, list[bytes]] = defaultdict(list)
    for owner, dictionary, body in rows:
        result[owner].append(bodies.unpack(dictionary, body))
    return result


def refused(connection: Read, page: Page) -> Slice[RefusedRow]:
    """What is in quarantine, the latest first."""
    return paging.paginate(connection, _QUARANTINE, _REFUSED, page).each(_refusal)


def count_refused(connection: Read) -> int:
    """How much is in quarantine."""
    return paging.count(connection, _QUARANTINE)


def beginnings(connection: Read, ids: Collection[int], length: int) -> dict[int, bytes]:
    """The first `length` bytes of what is in quarantine."""
    found = select(quarantine.c.id, quarantine.c.body).where(any_of(connection, quarantine.c.id, ids))
    return {id: zstandard.ZstdDecompressor().stream_reader(body).read(length) for id, body in connection.execute(found)}


def _matching(wanted: EventFilter) -> Select[Any]:
    found = _ALL
    if wanted.kind is not None:
        found = found.where(log_entry.c.kind == int(wanted.kind))
    if wanted.job is not None:
        found = found.where(log.of_subject(job_id(*wanted.job), wanted.since, wanted.until))
    if wanted.dataset is not None:
        own = select(dataset.c.canonical_id).where(dataset.c.id == dataset_id(*wanted.dataset))
        names = select(dataset.c.id).where(dataset.c.canonical_id.in_(own))
        using = sayings(lambda said: (said.dataset_id.in_(names),)).subquery()
        found = found.where(log_entry.c.activity_id.in_(union_all(select(using.c.activity_id), *_records_on(names))))
    if wanted.run_id is not None:
        named = select(run.c.id).where(run.c.run_key == key("run_id", wanted.run_id))
        found = found.where(log_entry.c.activity_id.in_(named))
    if wanted.since is not None:
        found = found.where(log_entry.c.event_time >= wanted.since)
    if wanted.until is not None:
        found = found.where(log_entry.c.event_time <= wanted.until)
    if wanted.failed is not None:
        found = found.where(log_entry.c.failure.is_not(None) if wanted.failed else log_entry.c.failure.is_(None))
    return found


def _records_on(names: Select[tuple[int]]) -> tuple[Select[tuple[int]], ...]:
    """The records that are about datasets of these names: at either end of the edge that somebody declared."""
    manual = select(edge.c.owner_id).where(edge.c.owner_id < 0)
    ends = union_all(manual.where(edge.c.source_id.in_(names)), manual.where(edge.c.target_id.in_(names)))
    declared = select(declaration.c.activity_id).where(declaration.c.owner_id.in_(ends))
    # Of what was taken back as if it never was, there is no edge.
    into = select(log_entry.c.activity_id).where(
        log_entry.c.subject_id.in_(names), log_entry.c.kind == int(EventKind.RECORD)
    )
    return declared, into


def _event(row: Row[Any]) -> EventRow:
    return EventRow(
        row.seq, EventKind(row.kind), RunState(row.event_type), row.event_time, row.received_at, bytes(row.digest),
        row.activity_id, row.subject_id, row.principal, row.source, row.failure,
    )  # fmt: skip


def _refusal(row: Row[Any]) -> RefusedRow:
    return RefusedRow(
        row.id, row.received_at, row.source, row.principal, row.code, row.reason, row.pointer, bytes(row.digest),
        row.size, bool(row.truncated), row.retried_at,
    )  # fmt: skip
