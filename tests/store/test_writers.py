"""Law 11: many writers at once on the same datasets lose nothing, never deadlock, and make the one same graph."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from sqlalchemy import Table, event, func, select

from builders import columns, ran
from catalog.ingest.accept import Ingest, Receipt, Received
from catalog.store import maintenance
from catalog.store.engine import Database
from catalog.store.tables import log_entry, metadata
from servers import FORKING

PROCESSES, THREADS, RUNS = 4, 4, 12
WRITES = re.compile(r"(?:INSERT INTO|DELETE FROM) (?P<table>\w+)")
COLUMNS = re.compile(r"\(([^)]*)\)")


def history(writer: int) -> list[bytes]:
    """Every writer names the same 40 datasets, each in another order, with its own runs of shared jobs."""
    events: list[bytes] = []
    for number in range(RUNS):
        names = [f"table{(writer * 7 + number * 3 + step * 11) % 40}" for step in range(6)]
        run = ran(f"job{(writer + number) % 10}", at=writer * 0.01 + number, run=f"w{writer}-n{number}")
        events += list(run.reading(*names[:4], schema=columns(a="int")).writing(*names[4:], schema=columns(b="int")))
    return events


def write_as(url: str, writers: list[int]) -> int:
    """One process: its writers are threads of one pool; the answer is how many events were acknowledged."""
    database = Database(url)
    ingest = Ingest(database)

    def run(writer: int) -> int:
        events = history(writer)
        batches = [events[i : i + 5] for i in range(0, len(events), 5)]
        answers = [outcome for batch in batches for outcome in ingest.accept([Received(raw, "test") for raw in batch])]
        return sum(isinstance(answer, Receipt) for answer in answers)

    with ThreadPoolExecutor(len(writers)) as pool:
        acknowledged = sum(pool.map(run, writers))
    database.close()
    return acknowledged


def deadlocks(url: str) -> int:
    plain = url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(plain) as connection:
        row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert row is not None
    return int(row[0])


def test_sixteen_writers_in_four_processes_make_the_graph_of_one(
    postgres_url: str, new_database: Callable[[], AbstractContextManager[Database]]
) -> None:
    shares = [[process * THREADS + thread for thread in range(THREADS)] for process in range(PROCESSES)]
    before = deadlocks(postgres_url)
    with FORKING.Pool(PROCESSES) as pool:
        acknowledged = sum(pool.starmap(write_as, [(postgres_url, share) for share in shares]))
    many = Database(postgres_url)
    with many.read() as connection:
        stored = connection.execute(select(func.count()).select_from(log_entry)).scalar_one()
        dump = list(maintenance.canonical_dump(connection))
        places = connection.execute(select(func.max(log_entry.c.seq))).scalar_one()
    many.close()
    with new_database() as one:
        ingest = Ingest(one)
        for writer in range(PROCESSES * THREADS):
            ingest.accept([Received(raw, "test") for raw in history(writer)])
        with one.read() as connection:
            expected = list(maintenance.canonical_dump(connection))

    assert acknowledged == stored == PROCESSES * THREADS * RUNS * 2
    assert places == stored - 1, "the log has no gaps"
    assert deadlocks(postgres_url) - before == 0
    assert set(dump) ^ set(expected) == set()


def keys_of(table: Table, statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    """The primary keys of the rows that a statement inserts or deletes, in the order in which it does."""
    keys = [column.name for column in table.primary_key]
    if isinstance(parameters, dict):  # one JSON text of all rows, or one row
        rows = json.loads(parameters["given"]) if "given" in parameters else []
        return [tuple(row[key] for key in keys) for row in rows]
    if not isinstance(parameters, list):
        return []
    names = keys if statement.startswith("DELETE") else COLUMNS.search(statement)[1].split(", ")  # type: ignore[index]
    rows = [list(row.values()) if isinstance(row, dict) else row for row in parameters]
    return [tuple(dict(zip(names, row, strict=True))[key] for key in keys) for row in rows]


def test_every_batch_of_rows_is_written_in_key_order(database: Database) -> None:
    """The log's lock alone would do today; several logs into one graph will have only this (law 11)."""
    unsorted: list[str] = []
    seen = 0

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        nonlocal seen
        found = WRITES.match(statement)
        order = [] if found is None else keys_of(metadata.tables[found["table"]], statement, parameters)
        if len(order) > 1:
            seen += 1
            if order != sorted(order):
                unsorted.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    ingest = Ingest(database)
    for writer in range(3):
        ingest.accept([Received(raw, "test") for raw in history(writer)])
    event.remove(database.engine, "before_cursor_execute", note)

    assert seen > 20
    assert unsorted == []
