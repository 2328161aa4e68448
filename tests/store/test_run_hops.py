"""Which run read what which run wrote: as told by stories, and not only by names that match."""

from __future__ import annotations

import pytest

from builders import declared_job, dropped, entry, facet, micros, ran, renamed
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.timeline import NOW, Window
from catalog.domain.words import Direction, EntityKind, Granularity
from catalog.store.engine import Database
from catalog.store.lineage import answer
from histories import tell


def hops(
    database: Database, root: str, kind: EntityKind = EntityKind.RUN, at: int | None = None, window: Window = NOW
) -> set[str]:
    """What flows from run to run around one of them, or around a dataset."""
    window = window if at is None else Window(micros(at), micros(at))
    question = Question((EntityRef(kind, "shop", root),), granularity=Granularity.RUN, window=window)
    with database.read() as connection:
        found = answer(connection, question)
    names = {node.id: node.name for node in found.nodes}
    return {f"{names[edge.source]} > {names[edge.target]}" for edge in found.edges}


def reached(database: Database, root: str, direction: Direction = Direction.BOTH) -> list[str]:
    """The datasets around one."""
    with database.read() as connection:
        found = answer(connection, Question((EntityRef(EntityKind.DATASET, "shop", root),), direction))
    return sorted(node.name for node in found.nodes if node.depth)


def version(label: str) -> dict[str, object]:
    return facet(datasetVersion=label)


def test_a_run_reads_what_only_its_columns_or_entries_name(database: Database) -> None:
    tell(
        database,
        ran("write", 0, "w").writing("t"),
        ran("columns", 2, "c").from_columns("z", x=[("t", "k")]),
        ran("entries", 2, "e").explicitly(entry("q", "t")),
        ran("report", 4, "r").reading("q"),
    )

    assert hops(database, "w") == {"w > c", "w > e", "e > r"}


def test_a_run_does_not_read_what_it_says_of_other_jobs(database: Database) -> None:
    other = {"type": "JOB", "namespace": "shop", "name": "load", "inputs": entry("x", "t")["inputs"]}
    tell(database, ran("write", 0, "w").writing("t"), ran("scheduler", 2, "s").explicitly(other))

    assert hops(database, "w") == set()


def test_a_stream_reads_what_is_written_while_it_runs(database: Database) -> None:
    stream = ran("sink", 0, "s").streaming().reading("topic").writing("out")
    tell(
        database,
        stream.event("RUNNING", 1),
        ran("before", 0, "b").writing("topic").event("COMPLETE", 0),
        ran("produce", 4, "p").writing("topic").event("COMPLETE", 4),
        stream.event("COMPLETE", 6),
        ran("late", 8, "l").writing("topic").event("COMPLETE", 8),
    )

    assert hops(database, "s") == {"b > s", "p > s"}
    assert hops(database, "s", at=3) == {"b > s"}


def test_every_stream_that_writes_is_read(database: Database) -> None:
    first, second = (ran(job, 0, run).streaming().writing("topic") for job, run in (("one", "1"), ("two", "2")))
    tell(database, first.event("RUNNING", 0), second.event("RUNNING", 1), ran("read", 5, "r").reading("topic"))
    assert hops(database, "r") == {"1 > r", "2 > r"}

    tell(database, first.event("COMPLETE", 3))
    assert hops(database, "r") == {"2 > r"}


@pytest.mark.parametrize("change", ["RENAME", "ALTER"])
def test_who_renames_or_alters_a_table_passes_on_what_was_in_it(database: Database, change: str) -> None:
    name, said = ("prod", renamed("stage")) if change == "RENAME" else ("stage", dropped(change))
    tell(
        database,
        ran("write", 0, "w").writing("stage"),
        ran("change", 2, "c").writing(name, lifecycleStateChange=said),
        ran("read", 4, "r").reading(name),
    )

    assert hops(database, "r") == {"w > c", "c > r"}


def test_who_truncates_a_table_passes_on_nothing(database: Database) -> None:
    tell(
        database,
        ran("write", 0, "w").writing("t"),
        ran("empty", 2, "e").writing("t", lifecycleStateChange=dropped("TRUNCATE")),
        ran("read", 4, "r").reading("t"),
    )

    assert hops(database, "r") == {"e > r"}


def test_nothing_is_read_of_what_was_dropped(database: Database) -> None:
    tell(
        database,
        ran("write", 0, "w").writing("t", version=version("1")),
        ran("drop", 2, "d").writing("t", lifecycleStateChange=dropped()),
        ran("read", 4, "r").reading("t"),
        ran("again", 6, "a").writing("t", version=version("1")),
        ran("read", 8, "r2").reading("t", version=version("1")),
    )

    assert hops(database, "r") == set()
    assert hops(database, "r2") == {"a > r2"}
    assert hops(database, "t", EntityKind.DATASET, at=1) == {"w > t"}
    assert hops(database, "t", EntityKind.DATASET, at=4) == set()
    assert hops(database, "t", EntityKind.DATASET) == {"a > t", "t > r2"}


def test_a_dropped_table_lives_again_when_entries_say_that_it_was_written(database: Database) -> None:
    drop = ran("drop", 2, "d").writing("t", lifecycleStateChange=dropped())
    tell(database, ran("write", 0, "w").reading("a").writing("t"), drop)
    assert reached(database, "t") == []

    tell(database, ran("entries", 5, "e").explicitly(entry("t", "b")))
    assert reached(database, "t") == ["a", "b"]


def test_a_dropped_table_lives_again_when_a_job_event_says_so_in_entries(database: Database) -> None:
    drop = ran("drop", 2, "d").writing("t", lifecycleStateChange=dropped())
    tell(database, drop, declared_job("plan", 5, lineage=facet(entries=[entry("t", "b")])))

    assert reached(database, "t") == ["b"]


def test_a_run_that_failed_brings_no_table_back_to_life_but_a_stream_that_failed_wrote(database: Database) -> None:
    drop = ran("drop", 2, "d").writing("t", lifecycleStateChange=dropped())
    tell(database, ran("write", 0, "w").reading("a").writing("t"), drop)
    tell(database, ran("retry", 5, "f").reading("b").writing("t").event("START", 5))
    assert reached(database, "t") == ["a", "b"]

    tell(database, ran("retry", 5, "f").event("FAIL", 6))
    assert reached(database, "t") == []

    tell(database, ran("stream", 7, "s").streaming().reading("c").writing("t").failing())
    assert reached(database, "t") == ["a", "b", "c"]


def test_a_range_of_time_has_the_runs_that_wrote_in_it(database: Database) -> None:
    tell(
        database,
        ran("etl", 0, "1").writing("b"),
        ran("read", 2, "r").reading("b"),
        ran("etl", 10, "2").writing("b"),
    )
    during = Window(micros(5), micros(20))

    assert hops(database, "b", EntityKind.DATASET) == {"2 > b"}
    assert hops(database, "b", EntityKind.DATASET, window=during) == {"1 > b", "b > r", "2 > b"}
    assert hops(database, "etl", EntityKind.JOB, window=during) == {"1 > etl", "etl > 1", "2 > etl", "etl > 2", "1 > r"}


def test_who_read_what_nobody_is_known_to_have_written_is_found_from_it(database: Database) -> None:
    tell(database, ran("one", 0, "1").reading("outside"), ran("two", 2, "2").reading("outside").writing("b"))
    assert hops(database, "outside", EntityKind.DATASET) == {"outside > 1", "outside > 2"}

    tell(database, ran("load", 4, "l").writing("outside"), ran("three", 6, "3").reading("outside"))
    assert hops(database, "outside", EntityKind.DATASET) == {"l > outside", "outside > 3"}


def test_a_table_that_was_dropped_while_a_run_wrote_it_is_there_when_the_run_completes(database: Database) -> None:
    etl = ran("etl", 0, "e").reading("a").writing("b")
    drop = ran("drop", 5, "d").writing("b", lifecycleStateChange=dropped()).event("COMPLETE", 5)
    tell(database, etl.event("START", 0), drop)
    assert reached(database, "b") == []

    tell(database, ran("etl", 0, "e").event("COMPLETE", 7))
    assert reached(database, "b") == ["a"]


def test_who_dropped_a_table_is_no_source_of_what_others_made_of_it_since(database: Database) -> None:
    tell(
        database,
        ran("etl", 0, "1").reading("a").writing("b"),
        ran("rotate", 5, "d").reading("x").writing("b", lifecycleStateChange=dropped()),
        ran("etl", 10, "2").reading("a").writing("b"),
    )
    assert reached(database, "b") == ["a"]

    tell(database, ran("rotate", 15, "w").reading("x").writing("b"))
    assert reached(database, "b") == ["a", "x"]
