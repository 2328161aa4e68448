"""Since when an edge holds, and who confirmed it last: as people see edges, whatever rows they are stored in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from builders import declared_dataset, declared_job, drawn_from, dropped, entry, micros, named, ran
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.timeline import NOW, Window
from catalog.domain.words import EntityKind, Granularity
from catalog.store.engine import Database
from catalog.store.lineage import answer
from catalog.store.tables import run
from histories import tell

Seen = tuple[float, float, str | None]
"""The first and the last time, in minutes, and the run."""


def seen(
    database: Database, root: str, column: str | None = None, *, at: int | None = None, **how: Any
) -> dict[str, Seen]:
    """What edges there are around a dataset, or a column, and when they were seen."""
    kind = EntityKind.DATASET if column is None else EntityKind.COLUMN
    window = NOW if at is None else Window(micros(at), micros(at))
    question = Question((EntityRef(kind, "shop", root, column),), window=window, **how)
    with database.read() as connection:
        found = answer(connection, question)
        runs = {row.id: row.run_id for row in connection.execute(select(run.c.id, run.c.run_id))}
    names = {node.id: node.name for node in found.nodes}
    return {
        f"{names[edge.source]} > {names[edge.target]}": (
            _minutes(edge.first_seen),
            _minutes(edge.last_seen),
            None if edge.last_run_id is None else runs[edge.last_run_id],
        )
        for edge in found.edges
    }


def _minutes(at: int) -> float:
    return (at - micros(0)) / 60_000_000


def job_into(job: str, source: str) -> dict[str, Any]:
    return {**named(job), "type": "JOB", "inputs": entry("x", source)["inputs"]}


def test_another_first_run_does_not_make_the_edges_of_the_first_begin_anew(database: Database) -> None:
    first, second = ran("etl", 0, "1").reading("a").writing("b"), ran("etl", 9, "2").reading("c").writing("d")
    tell(database, first.event("START", 0), second.event("START", 9))

    assert seen(database, "b") == {"a > b": (0, 0, "1")}
    assert seen(database, "d") == {"c > d": (9, 9, "2")}


def test_an_edge_that_is_known_by_other_words_has_held_all_the_while(database: Database) -> None:
    tell(
        database,
        ran("etl", 0, "1").explicitly(job_into("etl", "a")),
        ran("etl", 5, "2").explicitly(entry("b", "a")),
    )

    assert seen(database, "a", granularity=Granularity.JOB)["a > etl"] == (0, 6, "2")


def test_a_column_whose_values_are_made_otherwise_is_fed_as_before(database: Database) -> None:
    def hashing(how: str) -> dict[str, Any]:
        source = {**named("a"), "field": "k", "transformations": [{"type": "DIRECT", "subtype": how}]}
        return {"fields": {"x": {"inputFields": [source]}}}

    tell(
        database,
        ran("etl", 0, "1").writing("b", columnLineage=hashing("IDENTITY")),
        ran("etl", 5, "2").writing("b", columnLineage=hashing("TRANSFORMATION")),
    )

    assert seen(database, "b", "x", granularity=Granularity.COLUMN) == {"a > b": (0, 6, "2")}


def test_what_was_dropped_begins_anew_when_it_is_written_again(database: Database) -> None:
    tell(
        database,
        ran("etl", 0, "1").reading("a").writing("b"),
        ran("clean", 3, "c").writing("b", lifecycleStateChange=dropped()).event("COMPLETE", 3),
        ran("etl", 7, "2").reading("a").writing("b"),
    )

    assert seen(database, "b", at=2) == {"a > b": (0, 1, "1")}
    assert seen(database, "b") == {"a > b": (7, 8, "2")}


def test_a_stop_between_two_stretches_is_a_beginning(database: Database) -> None:
    tell(
        database,
        ran("etl", 0, "1").reading("a").writing("b"),
        ran("etl", 3, "2").reading("z").writing("b"),
        ran("etl", 7, "3").reading("a").writing("b"),
    )

    assert seen(database, "a") == {"a > b": (8, 8, "3")}


def test_a_declaration_that_is_said_again_confirms_its_edges(database: Database) -> None:
    tell(database, declared_job("plan", 1, ["a"], ["b"]), declared_job("plan", 5, ["a"], ["b"]))
    tell(database, declared_dataset("t", 2, lineage=drawn_from("s")), declared_dataset("t", 6, lineage=drawn_from("s")))

    assert seen(database, "b") == {"a > b": (1, 5, None)}
    assert seen(database, "b", at=3) == {"a > b": (1, 1, None)}
    assert seen(database, "t") == {"s > t": (2, 6, None)}


def test_of_a_stream_the_run_that_feeds_now_confirms_even_if_an_earlier_one_has_ended(database: Database) -> None:
    first, second = (ran("feed", 0, run).streaming().reading("topic").writing("out") for run in "12")
    tell(database, first.event("RUNNING", 0), first.event("COMPLETE", 4), second.event("RUNNING", 6))

    assert seen(database, "out") == {"topic > out": (0, 6, "2")}
    assert seen(database, "out", at=5) == {"topic > out": (0, 4, "1")}


def test_a_run_that_had_not_said_what_it_does_confirms_nothing_yet(database: Database) -> None:
    first, second = (ran("etl", 0, run).reading("a").writing("b") for run in "12")
    silent = ran("etl", 0, "2")
    tell(database, first.event("START", 0), silent.event("START", 3), second.event("RUNNING", 8))

    assert seen(database, "b", at=5) == {"a > b": (0, 0, "1")}
    assert seen(database, "b") == {"a > b": (0, 8, "2")}
