"""What clients were told while things broke, and the audit of what is there afterwards.

Clients of pipelines send an event again until they are told that it is stored, as OpenLineage's do; each keeps a note
of every event: acknowledged, with the place that it was given, or in doubt. Whatever broke meanwhile: what was
acknowledged is in the log exactly once and at that place, what is in doubt is there once or not at all, and nothing
else is there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from itertools import count
from threading import Event, Thread
from typing import Self

from sqlalchemy import func, select

from builders import ran
from catalog.evidence.merkle import Frontier, append
from catalog.ingest.leaves import leaves
from catalog.ingest.replay import rebuild
from catalog.store import log
from catalog.store.engine import Database
from catalog.store.maintenance import dump_digest
from catalog.store.tables import log_entry
from catalog.store.tables import quarantine as quarantine_table

ONE = "/api/v1/lineage"


@dataclass
class History:
    """Every event that was sent, by its digest in hexadecimal."""

    sent: set[str] = field(default_factory=set)
    acknowledged: dict[str, int] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=dict)
    broken: int = 0
    """Requests without an answer."""

    slowest: float = 0.0
    """Seconds of the slowest answer."""

    without_retry_after: int = 0
    """503 that did not say when to come again."""

    def note(self, status: int) -> None:
        """One more answer with this status."""
        self.statuses[status] = self.statuses.get(status, 0) + 1


class Clients:
    """Threads that send events, one at a time each, until they are stopped."""

    def __init__(
        self, connect: Callable[[int], HTTPConnection], how_many: int = 8, pause: float = 0.02, say: str = "run"
    ) -> None:
        """`connect` makes the connection of a client, by its number; `pause`, in seconds, follows a failure."""
        self.history = History()
        self._connect, self._pause, self._say = connect, pause, say
        self._done = Event()
        self._threads = [Thread(target=self._send, args=(number,)) for number in range(how_many)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int, seconds: float = 30) -> None:
        """Until so many more events are acknowledged."""
        wanted = len(self.history.acknowledged) + more
        deadline = time.monotonic() + seconds
        while len(self.history.acknowledged) < wanted:
            assert time.monotonic() < deadline, f"{wanted} not reached: {self.history.statuses}"
            time.sleep(0.005)

    def _send(self, number: int) -> None:
        connection = self._connect(number)
        for raw in _events(self._say, number):
            digest = sha256(raw).hexdigest()
            self.history.sent.add(digest)
            while not self._done.is_set() and not self._acknowledged(connection, raw, digest):
                self._done.wait(self._pause)
            if self._done.is_set():
                break
        connection.close()

    def _acknowledged(self, connection: HTTPConnection, raw: bytes, digest: str) -> bool:
        history, begun = self.history, time.monotonic()
        try:
            connection.request("POST", ONE, raw)
            response = connection.getresponse()
            said = json.loads(response.read())
        except (OSError, HTTPException, ValueError):
            # Stored or not, nobody knows: that is what sending again is for.
            history.broken += 1
            connection.close()
            return False
        history.slowest = max(history.slowest, time.monotonic() - begun)
        history.note(response.status)
        if response.status == 503 and not response.getheader("Retry-After"):
            history.without_retry_after += 1
        if response.status not in {200, 201}:
            return False
        assert said["digest"] == digest
        history.acknowledged[digest] = said["seq"]
        return True


def _events(say: str, number: int) -> Iterator[bytes]:
    """What client `number` has to say: runs of few jobs, so that all clients write the same rows."""
    for at in count():
        job = f"job {(number + at) % 5}"
        yield from ran(job, at, run=f"{say} {number} {at}").reading("raw", f"source {at % 3}").writing(f"{job} output")


def audit(database_url: str, *histories: History) -> int:
    """Assert what the words above promise, and that the graph is what the log says; the answer is the log's size."""
    database = Database(database_url)
    try:
        with database.read() as connection:
            rows = connection.execute(select(log_entry).order_by(log_entry.c.seq)).all()
            head = log.size(connection)
            refused = connection.execute(select(func.count()).select_from(quarantine_table)).scalar_one()
            before = dump_digest(connection)
            hashes = leaves(connection, range(head))
        stored = {bytes(row.digest).hex(): row.seq for row in rows}
        lost = {d: s for history in histories for d, s in history.acknowledged.items() if stored.get(d) != s}
        assert lost == {}, f"{len(lost)} acknowledged events are not where they were said to be"
        assert len(stored) == len(rows), "an event is in the log twice"
        assert stored.keys() <= {digest for history in histories for digest in history.sent}
        assert [row.seq for row in rows] == list(range(head)), "the log has gaps"
        assert [row.failure for row in rows if row.failure] == []
        assert refused == 0
        _assert_whole(database, hashes)
        rebuild(database)
        with database.read() as connection:
            assert dump_digest(connection) == before, "the graph is not what the log says"
        return head
    finally:
        database.close()


def _assert_whole(database: Database, hashes: Mapping[int, bytes]) -> None:
    """The tree over the log is that of its leaves, and the file is sound."""
    with database.write() as connection:
        head = log.lock(connection)
    assert (
        Frontier.from_bytes(head.size, head.peaks) == append(Frontier(), [hashes[seq] for seq in range(head.size)])[0]
    )
    if database.is_sqlite:
        with database.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
