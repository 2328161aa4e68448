"""What "now" means: whose run is a job's lineage, at which moment."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from builders import (
    also_known_as,
    declared_dataset,
    declared_job,
    drawn_from,
    dropped,
    entry,
    micros,
    named,
    ran,
)
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.timeline import ALWAYS, NOW, Window
from catalog.domain.words import Derivation, Direction, EntityKind, Granularity
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database
from catalog.store.lineage import answer

Triple = tuple[str, str, str]


class World:
    """A catalog that was told stories, and answers with names."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def told(self, *stories: Iterable[bytes] | bytes) -> World:
        raws = [raw for s in stories for raw in ([s] if isinstance(s, bytes) else s)]
        Ingest(self.database).accept([Received(raw, "test") for raw in raws])
        return self

    def flows(self, of: str, window: Window = NOW, granularity: Granularity = Granularity.DATASET) -> set[Triple]:
        """(source, target, derivation) of all edges around a dataset."""
        question = Question(
            (EntityRef(EntityKind.DATASET, "shop", of),), window=window, granularity=granularity, depth=10
        )
        with self.database.read() as connection:
            found = answer(connection, question)
        names = {node.id: node.name for node in found.nodes}
        return {(names[e.source], names[e.target], Derivation(e.derivation).name) for e in found.edges}


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def at(minutes: float) -> Window:
    return Window(micros(minutes), micros(minutes))


def test_a_start_with_other_inputs_does_not_make_lineage_blink(world: World) -> None:
    world.told(ran("etl").reading("old").writing("t"), ran("etl", at=10).reading("new").writing("t").still_running())

    assert world.flows("t") == {("old", "t", "IMPLICIT")}


def test_a_later_completed_run_with_other_inputs_retires_the_old_ones(world: World) -> None:
    world.told(ran("etl").reading("old").writing("t"), ran("etl", at=10).reading("new").writing("t"))

    assert world.flows("t") == {("new", "t", "IMPLICIT")}
    assert world.flows("t", at(5)) == {("old", "t", "IMPLICIT")}
    assert world.flows("t", ALWAYS) == {("old", "t", "IMPLICIT"), ("new", "t", "IMPLICIT")}
    assert world.flows("t", Window(micros(5), micros(20))) == world.flows("t", ALWAYS)
    assert world.flows("t", Window(micros(12), micros(20))) == {("new", "t", "IMPLICIT")}


@pytest.mark.parametrize("end", ["FAIL", "ABORT"])
def test_a_run_that_did_not_complete_replaces_nothing(world: World, end: str) -> None:
    later = ran("etl", at=10).reading("new").writing("t")
    world.told(ran("etl").reading("old").writing("t"), later.event("START", 10), later.event(end, 11))

    assert world.flows("t") == {("old", "t", "IMPLICIT")}


def test_a_terminal_event_without_datasets_changes_state_and_not_lineage(world: World) -> None:
    run = ran("etl").reading("a").writing("b")
    world.told(run.event("START", 0), run.event("COMPLETE", 1, bare=True), ran("etl", at=10))

    assert world.flows("b") == {("a", "b", "IMPLICIT")}


def test_a_late_run_corrects_the_past_and_leaves_the_present(world: World) -> None:
    world.told(ran("etl", at=10).reading("new").writing("t"), ran("etl", at=0).reading("old").writing("t"))

    assert world.flows("t") == {("new", "t", "IMPLICIT")}
    assert world.flows("t", at(5)) == {("old", "t", "IMPLICIT")}
    assert world.flows("t", at(-5)) == set()


def test_before_it_completed_a_job_shows_what_its_runs_reported_without_mixing_them(world: World) -> None:
    world.told(
        ran("etl", at=0).reading("a").writing("b").failing(), ran("etl", at=5).reading("c").writing("d").failing()
    )

    assert world.flows("b") == {("a", "b", "IMPLICIT")}
    assert world.flows("d") == {("c", "d", "IMPLICIT")}


def test_a_streaming_job_shows_its_latest_run(world: World) -> None:
    world.told(
        ran("stream").reading("a").writing("t").streaming().still_running(),
        ran("stream", at=10).reading("b").writing("t").streaming().still_running(),
        ran("stream", at=20).streaming().failing(),
    )

    assert world.flows("t") == {("b", "t", "IMPLICIT")}
    assert world.flows("t", at(5)) == {("a", "t", "IMPLICIT")}


def test_inputs_on_start_and_outputs_on_complete_are_one_run(world: World) -> None:
    reading, writing = ran("etl").reading("a"), ran("etl").writing("b")
    world.told(reading.event("START", 0), writing.event("COMPLETE", 1))

    assert world.flows("b") == {("a", "b", "IMPLICIT")}


def test_columns_decide_their_output_and_the_others_take_all_inputs(world: World) -> None:
    run = ran("etl").reading("a", "b").from_columns("fine", x=[("a", "x")]).writing("coarse")
    world.told(run)

    assert world.flows("fine") == {("a", "fine", "COLUMN"), ("a", "coarse", "IMPLICIT")} - {("a", "coarse", "IMPLICIT")}
    assert world.flows("coarse") == {("a", "coarse", "IMPLICIT"), ("b", "coarse", "IMPLICIT")}


def test_column_lineage_reaches_datasets_that_are_no_inputs(world: World) -> None:
    world.told(ran("etl").from_columns("t", x=[("elsewhere", "y")]))

    assert world.flows("t") == {("elsewhere", "t", "COLUMN")}
    assert world.flows("t", granularity=Granularity.JOB) == {("elsewhere", "etl", "COLUMN"), ("etl", "t", "COLUMN")}


def test_explicit_entries_are_the_whole_truth_of_their_run(world: World) -> None:
    run = ran("etl").reading("a", "b").from_columns("t", x=[("b", "x")]).explicitly(entry("t", "a"))
    world.told(run)

    assert world.flows("t") == {("a", "t", "EXPLICIT")}
    assert world.flows("b") == set()
    assert world.flows("b", granularity=Granularity.JOB) == {
        ("b", "etl", "IMPLICIT"), ("etl", "t", "EXPLICIT"),
    }  # fmt: skip


def test_one_event_with_entries_speaks_for_all_events_of_its_run(world: World) -> None:
    run = ran("etl").reading("a", "b").writing("t")
    world.told(run.event("START", 0), run.explicitly(entry("t", "a")).event("COMPLETE", 1))

    assert world.flows("t") == {("a", "t", "EXPLICIT")}


def test_data_passes_from_job_to_job(world: World) -> None:
    second = {"type": "JOB", "inputs": [{**named("first"), "type": "JOB"}]}
    world.told(
        ran("first").reading("a"),
        ran("second", at=5).writing("b").explicitly(second),
    )

    # As strong as its weakest link: that `first` read `a` is not said explicitly.
    assert world.flows("b") == {("a", "b", "IMPLICIT")}
    assert world.flows("b", granularity=Granularity.JOB) == {
        ("a", "first", "IMPLICIT"), ("first", "second", "EXPLICIT"), ("second", "b", "IMPLICIT"),
    }  # fmt: skip


def test_declared_and_observed_lineage_stand_side_by_side(world: World) -> None:
    world.told(declared_job("etl", 0, ["planned"], ["t"]), ran("etl", at=5).reading("real").writing("t"))

    assert world.flows("t") == {("planned", "t", "DECLARED"), ("real", "t", "IMPLICIT")}


def test_the_latest_declaration_is_the_whole_declared_set(world: World) -> None:
    world.told(
        declared_dataset("view", 0, lineage=drawn_from("a", "b")), declared_dataset("view", 10, lineage=drawn_from("b"))
    )

    assert world.flows("view") == {("b", "view", "DECLARED")}
    assert world.flows("view", at(5)) == {("a", "view", "DECLARED"), ("b", "view", "DECLARED")}


def test_a_dropped_dataset_conducts_only_before_its_drop_and_after_it_is_written_again(world: World) -> None:
    world.told(
        ran("load").reading("raw").writing("t"),
        ran("use", at=2).reading("t").writing("mart"),
        ran("drop", at=10).writing("t", lifecycleStateChange=dropped()),
    )
    assert world.flows("mart") == set()
    assert world.flows("mart", at(5)) == {("raw", "t", "IMPLICIT"), ("t", "mart", "IMPLICIT")}

    world.told(ran("load", at=20).reading("raw").writing("t"))
    assert world.flows("mart") == {("raw", "t", "IMPLICIT"), ("t", "mart", "IMPLICIT")}
    assert world.flows("mart", at(15)) == set()


def test_a_drop_that_failed_drops_nothing(world: World) -> None:
    world.told(
        ran("load").reading("raw").writing("t"),
        ran("drop", at=10).writing("t", lifecycleStateChange=dropped()).failing(),
    )

    assert world.flows("t") == {("raw", "t", "IMPLICIT")}


def test_a_symlink_joins_two_graphs_even_when_it_comes_last(world: World) -> None:
    world.told(
        ran("load").reading("raw").writing("path"),
        ran("use", at=2).reading(("hive", "db.table")).writing("mart"),
        declared_dataset("path", 9, symlinks=also_known_as(("hive", "db.table"))),
    )
    expected = {("raw", "path", "IMPLICIT"), ("path", "mart", "IMPLICIT")}

    assert world.flows("mart") == expected
    assert world.flows("raw") == expected


def test_parents_are_containment_and_never_lineage(world: World) -> None:
    dag = ran("dag").reading("a").writing("b")
    world.told(dag, ran("task", at=0.5).inside(dag).writing("c"))

    assert world.flows("c") == set()


def test_a_run_is_walked_to_the_run_that_wrote_what_it_read(world: World) -> None:
    first, second = ran("load", at=0).writing("t"), ran("load", at=10).writing("t")
    reader = ran("use", at=12).reading("t").writing("mart")
    world.told(first, second, ran("load", at=20).writing("t"), reader)
    question = Question(
        (EntityRef(EntityKind.RUN, "", reader.run),), Direction.UPSTREAM, Granularity.RUN, include_indirect=True
    )
    with world.database.read() as connection:
        found = answer(connection, question)

    assert [(node.name, node.depth) for node in found.nodes] == [(reader.run, 0), (second.run, -1)]
