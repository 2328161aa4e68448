"""How fast events go in, against a raw insert of the same bytes in batches of 100.

    python benchmarks/bench_ingest.py [--database URL] [--events 4000]

Prints events per second of both, and the ratio. The raw insert is one table with a key and the bytes, committed per
batch with the same durability: nobody who stores events can be faster. The events are those of known pipelines that
run again and again, about 5 kB each, which is what a catalog sees most.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table

from catalog.ingest.accept import Ingest, Received
from catalog.store import migrate
from catalog.store.engine import Database

BATCH = 100
PIPELINES = 50
COLUMNS = [{"name": f"column_{number}", "type": "VARCHAR(255)"} for number in range(25)]


def facet(**content: object) -> dict[str, object]:
    """A facet with what every facet has."""
    return {"_producer": "https://example.com", "_schemaURL": "https://example.com/Facet.json", **content}


def table(name: str) -> dict[str, object]:
    """A dataset with a schema of 25 columns."""
    return {"namespace": "warehouse", "name": name, "facets": {"schema": facet(fields=COLUMNS)}}


def events(nights: int) -> Iterator[bytes]:
    """START and COMPLETE of 50 pipelines, night after night."""
    for night in range(nights):
        for pipeline in range(PIPELINES):
            for second, state in ((0, "START"), (30, "COMPLETE")):
                event = {
                    "eventType": state,
                    "eventTime": f"2026-01-{night % 28 + 1:02}T{night // 28:02}:{pipeline:02}:{second:02}Z",
                    "producer": "https://example.com",
                    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
                    "run": {"runId": f"00000000-0000-4000-8000-{night:06}{pipeline:06}", "facets": {}},
                    "job": {
                        "namespace": "nightly",
                        "name": f"job_{pipeline}",
                        "facets": {"sql": facet(query="SELECT * FROM source " * 20)},
                    },
                    "inputs": [table(f"in_{pipeline}"), table(f"in_{(pipeline + 7) % PIPELINES}")],
                    "outputs": [table(f"out_{pipeline}")],
                }
                yield json.dumps(event).encode()


def batches(raws: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The events in batches of 100."""
    for start in range(0, len(raws), BATCH):
        yield raws[start : start + BATCH]


def raw_insert(database: Database, raws: Sequence[bytes]) -> float:
    """Events per second of a plain insert."""
    target = Table(
        "bench_raw", MetaData(), Column("id", Integer, primary_key=True), Column("body", LargeBinary, nullable=False)
    )
    target.create(database.engine, checkfirst=True)
    began = time.perf_counter()
    for number, batch in enumerate(batches(raws)):
        with database.write() as connection:
            rows = [{"id": number * BATCH + i, "body": raw} for i, raw in enumerate(batch)]
            connection.execute(target.insert(), rows)
    took = time.perf_counter() - began
    target.drop(database.engine)
    return len(raws) / took


def accept(database: Database, raws: Sequence[bytes]) -> float:
    """Events per second through the door, after the pipelines are known."""
    ingest = Ingest(database)
    known = PIPELINES * 2
    ingest.accept([Received(raw, "bench") for raw in raws[:known]])
    began = time.perf_counter()
    for batch in batches(raws[known:]):
        ingest.accept([Received(raw, "bench") for raw in batch])
    return (len(raws) - known) / (time.perf_counter() - began)


def main() -> None:
    """Read the arguments, run both, print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="an empty database; without it a temporary SQLite file")
    parser.add_argument("--events", type=int, default=4_000)
    arguments = parser.parse_args()
    raws = list(events(arguments.events // (PIPELINES * 2) + 1))[: arguments.events]
    with tempfile.TemporaryDirectory() as directory:
        url = arguments.database or f"sqlite:///{Path(directory) / 'bench.db'}"
        database = Database(url)
        migrate.upgrade(database)
        plain, ours = raw_insert(database, raws), accept(database, raws)
        database.close()
    size = sum(map(len, raws)) / len(raws)
    print(f"{len(raws)} events of {size:.0f} bytes on {url.partition(':')[0]}")
    print(f"raw insert {plain:>9.0f} events/s")
    print(f"accept     {ours:>9.0f} events/s")
    print(f"ratio      {ours / plain:>9.3f}")


if __name__ == "__main__":
    main()
