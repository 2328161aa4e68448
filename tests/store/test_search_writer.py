"""Documents follow from the graph: written when words change, the same in any order, and made again by a rebuild."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy import select, text

from builders import also_known_as, columns, declared_dataset, dropped, facet, ran
from catalog.ingest import replay
from catalog.ingest.accept import Ingest, Received
from catalog.store import migrate, search_writer
from catalog.store.engine import Database
from catalog.store.tables import search_document
from conftest import NewDatabase

PII = facet(tags=[{"key": "pii", "value": "true"}])
STORY = [
    *ran("etl", 0).reading("raw").writing("clean", schema=columns(id="int"), tags=PII),
    *ran("etl", 10).reading("raw").writing("clean", schema=columns(id="int", name="text")),
    *ran("etl", 20).writing("clean", documentation=facet(description="one")),
    *ran("etl", 30)
    .writing("clean", documentation=facet(description="two"))
    .job_with(documentation=facet(description="d")),
    *ran("mover", 40).writing("clean", symlinks=also_known_as(("s3://lake", "clean/files"), "cleaned")),
    *ran("mapper", 50).from_columns("out", total=[("raw", "amount")]),
    *ran("dropper", 60).writing("old"),
    *ran("dropper", 70).writing("old", lifecycleStateChange=dropped()),
    *ran("dropper", 80).writing("gone"),
    *ran("dropper", 90).writing("gone", lifecycleStateChange=dropped()),
    *ran("dropper", 95).writing("old"),
    # Dropped under one of its names, written under the other.
    declared_dataset("attic", 6, symlinks=also_known_as(("shop", "cellar")), lifecycleStateChange=dropped()),
    *ran("keeper", 100).writing("cellar"),
    declared_dataset("people", 5, ownership=facet(owners=[{"name": "Ada"}])),
    declared_dataset("model", 5, datasetType=facet(datasetType="MODEL")),
]


def put(database: Database, events: Iterable[bytes]) -> None:
    Ingest(database).accept([Received(event, "test") for event in events])


def documents(database: Database) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(select(search_document).order_by(search_document.c.place))]


def test_documents_are_the_same_in_any_order_and_after_a_rebuild(new_database: NewDatabase) -> None:
    with new_database() as one:
        put(one, STORY)
        expected = documents(one)
        assert len(expected) == 13
        replay.rebuild(one)
        assert documents(one) == expected
        with one.write() as connection:
            search_writer.fill(connection)
        assert documents(one) == expected
    for seed in range(3):
        shuffled = STORY * 2
        random.Random(seed).shuffle(shuffled)
        with new_database() as other:
            for start in range(0, len(shuffled), 5):
                put(other, shuffled[start : start + 5])
            assert documents(other) == expected


@pytest.mark.parametrize("drops", [False, True])
def test_a_repeated_run_costs_one_read_and_writes_nothing(database: Database, statements: Any, *, drops: bool) -> None:
    put(database, STORY if drops else STORY[:2])
    with statements(database) as seen:
        put(database, ran("etl", 200).reading("raw").writing("clean", schema=columns(id="int"), tags=PII))
    ours = [statement for statement in seen if "search_document" in statement]
    assert [statement for statement in ours if not statement.lstrip().startswith(("SELECT", "WITH"))] == []
    assert len([statement for statement in seen if "dataset_drop" in statement and "INSERT" not in statement]) <= 2


def test_a_graph_of_a_release_without_search_gets_its_documents_by_the_upgrade(database: Database) -> None:
    put(database, STORY)
    expected = documents(database)
    migrate.downgrade(database, "2026_11_22_offsets")
    migrate.upgrade(database)
    assert documents(database) == expected


def test_the_index_of_sqlite_holds_exactly_the_documents(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    put(database, STORY)
    replay.rebuild(database)
    with database.write() as connection:
        # FTS5 compares its index with the documents, and raises if they differ.
        connection.execute(text("INSERT INTO search_index (search_index, rank) VALUES ('integrity-check', 1)"))
        found = connection.execute(
            text("SELECT count(*) FROM search_index WHERE search_index MATCH '\"k1\"'")
        ).scalar_one()
        datasets = connection.execute(text("SELECT count(*) FROM search_document WHERE kind = 1")).scalar_one()
    database.close()
    assert found == datasets
    assert datasets > 0
