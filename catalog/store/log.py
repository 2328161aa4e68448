"""The log: appending under its lock, and reading it back. Entries are never changed; bodies may be erased."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, and_, bindparam, select, update

from catalog.domain.ids import digest_key
from catalog.store import bodies
from catalog.store.among import Prepared
from catalog.store.dialect import any_of, insert, insert_new
from catalog.store.engine import Read, Write
from catalog.store.rows import by_ids
from catalog.store.tables import log_body, log_entry, log_head, log_node

HEAD = 1
"""The one log of this catalog; several would be several rows, each with its own lock."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry before it has its place; times are in microseconds.

    `leaf_hash`, which commits to the salted body, is for the tree alone: the row says it too.
    """

    kind: int
    event_time: int
    received_at: int
    digest: bytes
    leaf_hash: bytes
    salt: bytes
    packed: tuple[int, bytes]
    activity_id: int
    subject_id: int
    event_type: int
    principal: str
    source: str
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the leaf of an entry hashes.

    `commitment` is None while there is what it commits to: `body`, and its salt. `body` is None when it was erased.
    """

    seq: int
    kind: int
    received_at: int
    principal: str
    commitment: bytes | None
    body: tuple[bytes, bytes] | None


@dataclass(frozen=True, slots=True)
class Head:
    """The right end of the log, locked until the transaction ends: its size, and the right edge of its tree."""

    origin: str
    size: int
    peaks: bytes


def create(connection: Write) -> None:
    """Begin the log, if nobody has."""
    insert_new(
        connection,
        log_head,
        [{"id": HEAD, "origin": f"lineage-catalog/{token_hex(8)}", "size": 0, "peaks": b""}],
    )


def origin(connection: Read) -> str:
    """The name of this log, which every leaf and checkpoint carries."""
    found: str = connection.execute(select(log_head.c.origin).where(log_head.c.id == HEAD)).scalar_one()
    return found


def size(connection: Read) -> int:
    """How many entries there are; none before it has begun."""
    found: int | None = connection.execute(select(log_head.c.size).where(log_head.c.id == HEAD)).scalar_one_or_none()
    return found or 0


def revision(connection: Read) -> tuple[int, int]:
    """Which graph there is: all that is read from the log and the graph follows from this. It only ever grows."""
    for size, mended in _REVISION.rows(connection, {"id": HEAD}):
        return size, mended
    return 0, 0


# Asked by every question of GraphQL, before anything else.
_REVISION = Prepared(
    select(log_head.c.size, log_head.c.mended).where(log_head.c.id == bindparam("id", type_=BigInteger))
)


def note_change(connection: Write) -> None:
    """Count a change of the log or the graph that is no new entry; called under the lock."""
    connection.execute(_CHANGE)


_CHANGE = update(log_head).where(log_head.c.id == HEAD).values(mended=log_head.c.mended + 1)


def lock(connection: Write) -> Head:
    """Take the log's lock: from here to the commit nobody else appends, so order is total and without gaps."""
    row = connection.execute(_LOCK).one()
    return Head(row.origin, row.size, bytes(row.peaks))


_LOCK = select(log_head).where(log_head.c.id == HEAD).with_for_update()


def known(connection: Read, digests: Collection[bytes]) -> dict[bytes, int]:
    """Which of these digests are in the log already, and where."""
    rows = by_ids(connection, log_entry, log_entry.c.digest_key, [digest_key(digest) for digest in digests])
    wanted = set(digests)
    return {digest: row.seq for row in rows if (digest := bytes(row.digest)) in wanted}


def extend(
    connection: Write,
    head: Head,
    entries: Sequence[NewEntry],
    peaks: bytes,
    subtrees: Iterable[tuple[int, int, bytes]],
) -> None:
    """Append entries behind the head. `peaks` and `subtrees` (level, index, hash) are the tree's news."""
    insert(connection, log_entry, [_entry_row(seq, entry) for seq, entry in enumerate(entries, head.size)])
    insert(
        connection,
        log_body,
        [
            {"seq": seq, "dictionary": entry.packed[0], "salt": entry.salt, "body": entry.packed[1]}
            for seq, entry in enumerate(entries, head.size)
        ],
    )
    insert(connection, log_node, [{"level": level, "position": at, "hash": hash} for level, at, hash in subtrees])
    connection.execute(_MOVE, {"new_size": head.size + len(entries), "new_peaks": peaks})


_MOVE = update(log_head).where(log_head.c.id == HEAD).values(size=bindparam("new_size"), peaks=bindparam("new_peaks"))


def mend(connection: Write, seq: int, activity_id: int, subject_id: int) -> None:
    """Take the mark away, and say what the entry is about: when it could not be projected that was not known."""
    about = {"failure": None, "activity_id": activity_id, "subject_id": subject_id}
    connection.execute(update(log_entry).where(log_entry.c.seq == seq).values(about))


def fail(connection: Write, seq: int, reason: str) -> None:
    """Mark an entry as not projected."""
    connection.execute(update(log_entry).where(log_entry.c.seq == seq).values(failure=reason))


def _entry_row(seq: int, entry: NewEntry) -> Mapping[str, Any]:
    return {
        "seq": seq, "kind": entry.kind, "event_time": entry.event_time, "received_at": entry.received_at,
        "digest_key": digest_key(entry.digest), "digest": entry.digest, "payload_commit": None,
        "activity_id": entry.activity_id, "subject_id": entry.subject_id, "principal": entry.principal,
        "source": entry.source, "event_type": entry.event_type, "failure": entry.failure,
        "period": period(entry.event_time),
    }  # fmt: skip


def sealed(connection: Read, seqs: Collection[int]) -> list[Sealed]:
    """What the leaves of these entries hash."""
    kept = {row.seq: row for row in by_ids(connection, log_body, log_body.c.seq, seqs)}
    return [
        Sealed(row.seq, row.kind, row.received_at, row.principal, row.payload_commit, _opened(kept.get(row.seq)))
        for row in by_ids(connection, log_entry, log_entry.c.seq, seqs)
    ]


def _opened(row: Row[Any] | None) -> tuple[bytes, bytes] | None:
    return None if row is None else (bodies.unpack(row.dictionary, row.body), bytes(row.salt))


def subtrees(connection: Read, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """Hashes of stored subtrees, by level and index."""
    found: dict[tuple[int, int], bytes] = {}
    for level in {level for level, _ in keys}:
        wanted = [position for at, position in keys if at == level]
        for row in by_ids(connection, log_node, log_node.c.position, wanted, log_node.c.level == level):
            found[level, row.position] = bytes(row.hash)
    return found


def of_subject(id: int, since: int | None = None, until: int | None = None) -> ColumnElement[bool]:
    """What is true of the entries of a job, as their index has it.

    `since` and `until` bound the event time, in microseconds since 1970 UTC; both are included.
    """
    wanted = log_entry.c.subject_id == id
    if since is not None:
        wanted &= and_(log_entry.c.period >= period(since), log_entry.c.event_time >= since)
    if until is not None:
        wanted &= and_(log_entry.c.period <= period(until), log_entry.c.event_time <= until)
    return wanted


def period(at: int) -> int:
    """Which stretch of 2^38 microseconds, some three days, a time is in."""
    return at >> 38


def replay(connection: Read, first: int, count: int) -> Iterator[tuple[int, bytes, str | None]]:
    """Entries from `first` on, at most `count`: place, bytes as received, and why it was not projected."""
    rows = connection.execute(
        select(log_entry.c.seq, log_entry.c.failure, log_body.c.dictionary, log_body.c.body)
        .join(log_body, log_body.c.seq == log_entry.c.seq)
        .where(log_entry.c.seq >= first, log_entry.c.seq < first + count)
        .order_by(log_entry.c.seq)
    )
    for seq, failure, dictionary, body in rows:
        yield seq, bodies.unpack(dictionary, body), failure


def at(connection: Read, places: Collection[int]) -> list[tuple[int, bytes]]:
    """Kind and bytes of the entries at these places, in the order of the log; erased ones are left out."""
    rows = connection.execute(
        select(log_entry.c.kind, log_body.c.dictionary, log_body.c.body)
        .join(log_body, log_body.c.seq == log_entry.c.seq)
        .where(any_of(connection, log_entry.c.seq, places))
        .order_by(log_entry.c.seq)
    )
    return [(kind, bodies.unpack(dictionary, body)) for kind, dictionary, body in rows]
