"""The graph made again from the log, and entries tried again that could not be projected when they came."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from catalog.domain.errors import Unavailable
from catalog.domain.projection import Projection
from catalog.ingest.accept import project_raw
from catalog.store import graph_writer, log
from catalog.store.engine import Database, Read, Write
from catalog.store.paging import Page
from catalog.store.read import events
from catalog.store.read.events import EventFilter, EventRow

Progress = Callable[[int, int], None]
"""Told how many entries of the log were replayed so far, and how many there are."""

# A batch ends at whichever comes first: many small events cost calls, few large ones memory.
_BATCH_ENTRIES = 500
_BATCH_BYTES = 8_000_000


def failures(connection: Read) -> Iterator[EventRow]:
    """Every entry that is in the log and not in the graph, in the order of the log."""
    after: str | None = None
    while True:
        found = events.page(connection, EventFilter(failed=True), Page(_BATCH_ENTRIES, after))
        yield from found.items
        if not found.has_next:
            return
        after = found.cursors[-1]


def rebuild(database: Database, progress: Progress | None = None) -> int:
    """Empty the graph and project the whole log again; the answer is the number of entries in it now.

    All of it is one transaction under the lock of the log: others read the old graph until it is committed, and
    writers wait. Entries that cannot be projected (any more) are marked, the marks of all others are taken away.

    Raises:
        Unavailable: nothing was changed.
    """
    replay = _Replay()
    while True:
        try:
            with database.write() as connection:
                return replay.run(connection, progress)
        except (Unavailable, MemoryError):
            raise
        except Exception as error:
            # What the graph cannot hold is found by starting over with its batch in single entries. Savepoints
            # would be faster, but not every engine we want to run on has them; and it hardly ever happens.
            if not replay.learn(error):
                raise


def retry_failed(database: Database, progress: Progress | None = None) -> int:
    """Project the entries that could not be projected when they came; the answer is how many now are in the graph.

    Each has a transaction of its own, so that one that fails again takes no other with it.

    Raises:
        Unavailable: what was projected until then stays.
    """
    with database.read() as connection:
        tried = [entry.seq for entry in failures(connection)]
    done = 0
    for number, seq in enumerate(tried, 1):
        try:
            with database.write() as connection:
                done += _retry(connection, seq)
        except (Unavailable, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a facet does to us, the others get their turn
            with database.write() as connection:
                log.lock(connection)
                log.fail(connection, seq, _reason(error))
                log.note_change(connection)
        if progress:
            progress(number, len(tried))
    return done


def _retry(connection: Write, seq: int) -> bool:
    head = log.lock(connection)
    for _, raw, failure in log.replay(connection, seq, 1):
        if failure is None:
            return False  # Somebody else was faster.
        projection = project_raw(raw)
        log.mend(connection, seq, projection.activity_id, projection.subject_id)
        graph_writer.write(connection, [projection], head.size, project_raw)
        log.note_change(connection)
        return True
    return False  # Its body was erased.


@dataclass(slots=True)
class _Batch:
    """Entries that are written together."""

    first: int
    size: int = 0
    projections: dict[int, Projection] = field(default_factory=dict)


class _Replay:
    """One rebuild, with what its earlier attempts taught."""

    def __init__(self) -> None:
        self._refused: dict[int, str] = {}
        self._alone: set[int] = set()
        self._writing: list[int] = []

    def learn(self, error: Exception) -> bool:
        """Whether there is something to do differently after this error."""
        match self._writing:
            case []:
                return False
            case [seq]:
                self._refused[seq] = _reason(error)
            case several:
                self._alone.update(several)
        return True

    def run(self, connection: Write, progress: Progress | None) -> int:
        """Do it, all the way."""
        self._writing = []
        log.create(connection)
        size = log.lock(connection).size
        log.note_change(connection)
        graph_writer.empty(connection)
        projected = 0
        for batch in self._batches(connection, size, progress):
            self._writing = list(batch.projections)
            graph_writer.write(connection, list(batch.projections.values()), batch.first, project_raw)
            projected += len(batch.projections)
            self._writing = []
        return projected

    def _batches(self, connection: Write, size: int, progress: Progress | None) -> Iterator[_Batch]:
        for start in range(0, size, _BATCH_ENTRIES):
            batch = _Batch(start)
            for seq, raw, failure in log.replay(connection, start, _BATCH_ENTRIES):
                projection, reason = self._project(seq, raw)
                if projection is None:
                    log.fail(connection, seq, reason or "")
                    continue
                if failure is not None:
                    log.mend(connection, seq, projection.activity_id, projection.subject_id)
                # What failed before is likely to be what fails again.
                alone = failure is not None or seq in self._alone
                if batch.projections and (alone or batch.size + len(raw) > _BATCH_BYTES):
                    yield batch
                    batch = _Batch(seq)
                batch.projections[seq] = projection
                batch.size += len(raw)
                if alone:
                    yield batch
                    batch = _Batch(seq + 1)
            if batch.projections:
                yield batch
            if progress:
                progress(min(start + _BATCH_ENTRIES, size), size)

    def _project(self, seq: int, raw: bytes) -> tuple[Projection | None, str | None]:
        if seq in self._refused:
            return None, self._refused[seq]
        try:
            return project_raw(raw), None
        except Exception as error:  # noqa: BLE001 - whatever a facet does to us, the entry stays in the log
            return None, _reason(error)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:2_000]
