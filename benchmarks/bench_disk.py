"""How many bytes on disk an event costs in the end: the log, its indexes, runs and graph, all told.

    python benchmarks/bench_disk.py [--database URL] [--events 9000] [--tables]

The steady state: known pipelines, the write-ahead log worked off, PostgreSQL vacuumed; what the second two thirds of
the events added, as the database begins with pages of its own. `--tables` shows where it goes.
"""

from __future__ import annotations

import argparse
from collections import Counter

import measuring
from sqlalchemy import text

import histories
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database

BATCH = 100

_ON_SQLITE = """
    SELECT coalesce(m.tbl_name, d.name), sum(d.pgsize) FROM dbstat d LEFT JOIN sqlite_schema m USING (name) GROUP BY 1
"""
_ON_POSTGRESQL = """
    SELECT relname, pg_total_relation_size(oid) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


def on_disk(database: Database) -> Counter[str]:
    """Bytes by table, indexes and large values included."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)" if database.is_sqlite else "VACUUM"))
        found = connection.execute(text(_ON_SQLITE if database.is_sqlite else _ON_POSTGRESQL))
        return Counter({name: int(size) for name, size in found})


def measure(url: str, shape: str, events: int) -> tuple[float, Counter[str]]:
    """Bytes of an event as sent, and what the last two thirds of the events added, by table."""
    raws = histories.first(shape, events)
    first = events // 3
    with measuring.fresh(url) as empty, measuring.opened(empty) as database:
        ingest = Ingest(database)
        before: Counter[str] = Counter()
        for start in range(0, events, BATCH):
            if start <= first < start + BATCH:
                before, begun = on_disk(database), start
            ingest.accept([Received(raw, "file") for raw in raws[start : start + BATCH]])
        added = on_disk(database)
    added.subtract(before)
    late = raws[begun:]
    return sum(map(len, late)) / len(late), Counter({name: round(size / len(late)) for name, size in added.items()})


def main() -> None:
    """Read the arguments, run everything, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="a database to measure on; without it both engines, in temporary ones")
    parser.add_argument("--events", type=int, default=9_000)
    parser.add_argument("--tables", action="store_true")
    arguments = parser.parse_args()
    print(measuring.machine())
    rows = []
    with measuring.engines(arguments.database) as urls:
        for url in urls:
            for shape in histories.SHAPES:
                raw, added = measure(url, shape, arguments.events)
                total = added.total()
                rows.append((measuring.engine_name(url), shape, f"{raw:,.0f}", f"{total:,}", f"{total / raw:.2f}"))
                if arguments.tables:
                    print(
                        f"{rows[-1][:2]}: {', '.join(f'{name} {size}' for name, size in added.most_common() if size)}"
                    )
    measuring.show(("engine", "events", "bytes as sent", "bytes on disk", "ratio"), rows)


if __name__ == "__main__":
    main()
