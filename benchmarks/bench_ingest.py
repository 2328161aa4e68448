"""How fast events go in from files, against a raw insert of the same bytes.

    python benchmarks/bench_ingest.py [--database URL] [--events 6000] [--repeat 3]

The events go the way of `catalog ingest`: read from a file, split, and through the door in the command's own batches.
Each ratio is of one run, and the median of several is shown.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import measuring
from sqlalchemy import event

import histories
from catalog.cli.ingest import batches
from catalog.cli.senders import DatabaseSender
from catalog.ingest.accept import Ingest
from catalog.sources import files
from catalog.store.engine import Database

_LIMIT = 32 * 1024 * 1024


def from_file(database: Database, raws: Sequence[bytes]) -> tuple[float, float]:
    """Events per second, and SQL statements per batch."""
    sender = DatabaseSender(Ingest(database))
    statements = sent = 0

    def count(*_: object) -> None:
        nonlocal statements
        statements += 1

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.ndjson"
        path.write_bytes(b"\n".join(raws))
        event.listen(database.engine, "before_cursor_execute", count)
        began = time.perf_counter()
        for batch in batches(files.records([str(path)], _LIMIT)):
            sender.send(batch)
            sent += 1
        took = time.perf_counter() - began
        event.remove(database.engine, "before_cursor_execute", count)
    return len(raws) / took, statements / sent


def measure(url: str, shape: str, events: int) -> tuple[float, float, float]:
    """One run: events per second raw, and ours when the pipelines are known; statements per batch."""
    known = histories.round_of(shape)
    raws = histories.first(shape, known + events)
    with measuring.fresh(url) as empty, measuring.opened(empty) as database:
        from_file(database, raws[:known])
        plain = measuring.raw_insert(database, raws[known:])
        ours, statements = from_file(database, raws[known:])
    return plain, ours, statements


def main() -> None:
    """Read the arguments, run everything, print the table."""
    arguments = measuring.asked(__doc__, 6_000, repeat=3)
    print(measuring.machine())
    rows = []
    with measuring.engines(arguments.database) as urls:
        for url in urls:
            for shape in histories.SHAPES:
                runs = [measure(url, shape, arguments.events) for _ in range(arguments.repeat)]
                plain, ours, statements = (median(column) for column in zip(*runs, strict=True))
                ratio = median(ours / plain for plain, ours, _ in runs)
                size = sum(map(len, histories.first(shape, 1_000))) / 1_000
                numbers = (f"{size:,.0f}", f"{plain:,.0f}", f"{ours:,.0f}", f"{ratio:.3f}", f"{statements:.1f}")
                rows.append((measuring.engine_name(url), shape, *numbers))
    head = ("engine", "events", "bytes each", "raw insert/s", "from files/s", "ratio", "statements/batch")
    measuring.show(head, rows)


if __name__ == "__main__":
    main()
