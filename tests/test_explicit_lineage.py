"""Explicit lineage, row by row: what is sent, and what is known between datasets, between jobs, and of columns then."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from builders import Ran, also_known_as, declared_dataset, declared_job, facet, micros, named, ran
from catalog.domain import ids
from catalog.domain.errors import UnknownEntity
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.timeline import FOREVER, NOW, Window
from catalog.domain.words import EntityKind, Granularity
from catalog.ingest import replay
from catalog.ingest.accept import Ingest, Receipt, Received, project_raw
from catalog.store import lineage, maintenance
from catalog.store.engine import Database
from catalog.store.read import facets, origins, runs
from catalog.store.tables import field_edge

Edges = set[tuple[str, str, str]]

JOBS = ("etl", "load", "feed")
SEVEN_PARTS = 7

UPPER = {"type": "DIRECT", "subtype": "TRANSFORMATION", "description": "upper(x)", "masking": False}
GROUPED = {"type": "INDIRECT", "subtype": "GROUP_BY"}


def table(name: str, column: str | None = None, *how: Mapping[str, Any]) -> dict[str, Any]:
    """A dataset, or a column of it, as an entry or an input names it."""
    said: dict[str, Any] = {**named(name), "type": "DATASET"}
    if column:
        said["field"] = column
    return {**said, "transformations": list(how)} if how else said


def job(name: str | None = None, *how: Mapping[str, Any], run: str | None = None) -> dict[str, Any]:
    """A job; without a name the event's own."""
    said: dict[str, Any] = {"type": "JOB", **(named(name) if name else {}), **({"runId": run} if run else {})}
    return {**said, "transformations": list(how)} if how else said


def into(
    target: Mapping[str, Any], *sources: Mapping[str, Any], **fields: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """An entry: a target with its sources, and with those of its columns."""
    said = {**target, "inputs": list(sources)}
    return {**said, "fields": {name: {"inputs": list(of)} for name, of in fields.items()}} if fields else said


def etl(*entries: Mapping[str, Any]) -> Ran:
    """The run whose facet says this; it reads `a` and `b` and writes `c`."""
    return ran("etl").explicitly(*entries).reading("a", "b").writing("c")


def take(database: Database, *events: bytes) -> list[Receipt]:
    outcomes = Ingest(database).accept([Received(raw, "test") for raw in events])
    return [outcome for outcome in outcomes if isinstance(outcome, Receipt)]


def whole_graph(database: Database, granularity: Granularity, at: float | None = None) -> Edges:
    """Every edge there is, and how it is known; of what is in the shop."""
    window = NOW if at is None else Window(micros(at), micros(at))
    found: Edges = set()
    roots = [(EntityKind.DATASET, name) for name in "abcdv"]
    if granularity is not Granularity.COLUMN:  # There a walk from a job says what its flows read and write.
        roots += [(EntityKind.JOB, name) for name in JOBS]
    for kind, name in roots:
        with database.read() as connection:
            try:
                question = Question((EntityRef(kind, **named(name)),), granularity=granularity, depth=1, window=window)
                answer = lineage.answer(connection, question)
            except UnknownEntity:
                continue
        names = {node.id: node.name + (f".{node.column}" if node.column else "") for node in answer.nodes}
        found |= {(names[e.source], names[e.target], e.derivation.name) for e in answer.edges}
    if granularity is Granularity.DATASET:
        # A walk may begin at a job; what is asked for here is what lies between datasets.
        found = {edge for edge in found if not {edge[0], edge[1]} & set(JOBS)}
    return found


def flows(database: Database) -> Edges:
    """What is known of columns now, as rows: source, target, and how the one becomes the other."""
    c = field_edge.c
    names = {ids.dataset_id(*named(name).values()): name for name in "abcdv"}
    names |= {ids.job_id(*named(name).values()): name for name in JOBS} | {0: "nothing"}
    with database.read() as connection:
        rows = connection.execute(select(field_edge).where(c.valid_to == FOREVER)).all()
    return {
        (
            names[row.source_owner] + (f".{row.source_column}" if row.source_column else ""),
            names[row.target_owner] + (f".{row.target_column}" if row.target_column else ""),
            row.subtype,
        )
        for row in rows
    }


# What is sent (`etl` reads a and b and writes c), and the edges that follow: between datasets, with jobs as nodes,
# and as rows of columns. `E` is EXPLICIT, `I` IMPLICIT.
E, I = "EXPLICIT", "IMPLICIT"  # noqa: E741 - a column of the table
UNTOLD: Edges = {("a", "etl", I), ("b", "etl", I), ("etl", "c", I)}
A_TO_C: Edges = {("a", "etl", E), ("b", "etl", I), ("etl", "c", E)}
ROWS: dict[str, tuple[list[dict[str, Any]], Edges, Edges, Edges]] = {
    "dataset <- dataset": ([into(table("c"), table("a"))], {("a", "c", E)}, A_TO_C, set()),
    "dataset <- dataset, transformed": (
        [into(table("c"), table("a", None, UPPER))], {("a", "c", E)}, A_TO_C, {("a", "c", "TRANSFORMATION")},
    ),
    "dataset <- field": (
        [into(table("c"), table("a", "x", GROUPED))], {("a", "c", E)}, A_TO_C, {("a.x", "c", "GROUP_BY")},
    ),
    "field <- field": (
        [into(table("c"), y=[table("a", "x", UPPER)])], {("a", "c", E)}, A_TO_C, {("a.x", "c.y", "TRANSFORMATION")},
    ),
    "field <- dataset": ([into(table("c"), y=[table("a")])], {("a", "c", E)}, A_TO_C, {("a", "c.y", "")}),
    "dataset <- job": (
        [into(table("c"), job("load"))], set(),
        {("a", "etl", I), ("b", "etl", I), ("etl", "c", E), ("load", "c", E)}, set(),
    ),
    "field <- own job": (
        [into(table("c"), y=[job(None, UPPER)])], set(),
        {("a", "etl", I), ("b", "etl", I), ("etl", "c", E)}, {("etl", "c.y", "TRANSFORMATION"), ("nothing", "c", "")},
    ),
    "job <- dataset": (
        [into(job("load"), table("a"))], set(),
        {("a", "load", E), ("a", "etl", E), ("b", "etl", I), ("etl", "c", I)}, set(),
    ),
    "job <- field": (
        [into(job("load"), table("a", "x", GROUPED))], set(),
        {("a", "load", E), ("a", "etl", E), ("b", "etl", I), ("etl", "c", I)}, {("a.x", "load", "GROUP_BY")},
    ),
    "own job <- dataset": (
        [into(job(), table("a"))], set(), {("a", "etl", E), ("b", "etl", I), ("etl", "c", I)}, set(),
    ),
    "job <- job": ([into(job("load"), job())], set(), UNTOLD | {("etl", "load", E)}, set()),
    "job <- job, and what that writes": (
        [into(job("load"), job()), into(table("d"), job("load"))], {("a", "d", I), ("b", "d", I)},
        UNTOLD | {("etl", "load", E), ("load", "d", E)}, set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("entries", "between_datasets", "with_jobs", "of_columns"), ROWS.values(), ids=ROWS)
def test_every_row_of_the_table_is_answered(
    database: Database, entries: list[dict[str, Any]], between_datasets: Edges, with_jobs: Edges, of_columns: Edges
) -> None:
    (receipt,) = take(database, etl(*entries).event("COMPLETE", 1))

    assert receipt.warnings == ()
    assert whole_graph(database, Granularity.DATASET) == between_datasets
    assert whole_graph(database, Granularity.JOB) == with_jobs
    assert flows(database) == of_columns
    assert whole_graph(database, Granularity.COLUMN) == {
        (source, target, E) for source, target, _ in of_columns if source != "nothing" and "." in source + target
    }


@pytest.mark.parametrize(("entries", "between_datasets", "with_jobs", "of_columns"), ROWS.values(), ids=ROWS)
def test_a_job_event_declares_each_row_in_the_same_shape(
    database: Database, entries: list[dict[str, Any]], between_datasets: Edges, with_jobs: Edges, of_columns: Edges
) -> None:
    take(database, declared_job("etl", 1, ["a", "b"], ["c"], lineage=facet(entries=entries)))

    assert whole_graph(database, Granularity.DATASET) == declared(between_datasets)
    assert whole_graph(database, Granularity.JOB) == declared(with_jobs)
    assert flows(database) == of_columns


def declared(edges: Edges) -> Edges:
    return {(source, target, "DECLARED") for source, target, _ in edges}


Pairs = set[tuple[str, str]]
OF_DATASETS: dict[str, tuple[dict[str, Any], Pairs, Pairs, Edges]] = {
    "view <- dataset": (facet(inputs=[table("a")]), {("a", "v")}, {("a", "v")}, set()),
    "view <- field": (
        facet(inputs=[table("a", "x", GROUPED)]), {("a", "v")}, {("a", "v")}, {("a.x", "v", "GROUP_BY")},
    ),
    "field <- field": (
        facet(fields={"y": {"inputs": [table("a", "x", UPPER)]}}), {("a", "v")}, {("a", "v")},
        {("a.x", "v.y", "TRANSFORMATION")},
    ),
    "field <- dataset": (
        facet(fields={"y": {"inputs": [table("a")]}}), {("a", "v")}, {("a", "v")}, {("a", "v.y", "")},
    ),
    "view <- job": (facet(inputs=[job("load")]), set(), {("load", "v")}, set()),
    "field <- job": (facet(fields={"y": {"inputs": [job("load")]}}), set(), {("load", "v")}, {("load", "v.y", "")}),
}  # fmt: skip


@pytest.mark.parametrize(("said", "between_datasets", "with_jobs", "of_columns"), OF_DATASETS.values(), ids=OF_DATASETS)
def test_a_dataset_event_says_what_the_dataset_is_made_of_without_a_job(
    database: Database, said: dict[str, Any], between_datasets: Pairs, with_jobs: Pairs, of_columns: Edges
) -> None:
    (receipt,) = take(database, declared_dataset("v", 1, lineage=said))

    assert receipt.warnings == ()
    assert whole_graph(database, Granularity.DATASET) == {(*edge, "DECLARED") for edge in between_datasets}
    assert whole_graph(database, Granularity.JOB) == {(*edge, "DECLARED") for edge in with_jobs}
    assert flows(database) == of_columns
    with database.read() as connection:
        question = Question((EntityRef(EntityKind.DATASET, **named("v")),), granularity=Granularity.JOB)
        assert {edge.job_id for edge in lineage.answer(connection, question).edges} == {None}


# How statements of several events come together.


def test_the_entries_of_a_run_accumulate_whatever_their_order(database: Database) -> None:
    run = ran("etl")
    events = [
        run.explicitly(into(table("c"), table("a"))).event("START", 0),
        run.explicitly(into(table("c"), table("b")), into(table("d"), table("a"))).event("COMPLETE", 1),
    ]
    for order in permutations(events):
        take(database, *order)
    assert whole_graph(database, Granularity.DATASET) == {("a", "c", E), ("b", "c", E), ("a", "d", E)}


def test_one_event_with_the_facet_makes_the_whole_run_explicit(database: Database) -> None:
    run = ran("etl").reading("a", "b").from_columns("d", y=[("b", "x")]).writing("c")
    take(database, run.event("START", 0), run.explicitly(into(table("c"), table("a"))).event("COMPLETE", 1))

    assert whole_graph(database, Granularity.DATASET) == {("a", "c", E)}
    assert whole_graph(database, Granularity.JOB) == A_TO_C | {("etl", "d", I)}
    assert flows(database) == set()


def test_a_facet_without_entries_says_that_nothing_flows(database: Database) -> None:
    take(database, etl().event("COMPLETE", 1))

    assert whole_graph(database, Granularity.DATASET) == set()
    assert whole_graph(database, Granularity.JOB) == UNTOLD


def test_the_latest_job_event_replaces_the_one_before(database: Database) -> None:
    take(
        database,
        declared_job("etl", 5, lineage=facet(entries=[into(table("d"), table("b"))])),
        declared_job("etl", 1, lineage=facet(entries=[into(table("c"), table("a"))])),
    )
    assert whole_graph(database, Granularity.DATASET, at=3) == {("a", "c", "DECLARED")}
    assert whole_graph(database, Granularity.DATASET) == {("b", "d", "DECLARED")}


def test_the_latest_dataset_event_replaces_the_one_before(database: Database) -> None:
    take(
        database,
        declared_dataset("v", 5, lineage=facet(inputs=[table("b")])),
        declared_dataset("v", 1, lineage=facet(inputs=[table("a")])),
        declared_dataset("v", 9),
    )
    assert whole_graph(database, Granularity.DATASET, at=3) == {("a", "v", "DECLARED")}
    assert whole_graph(database, Granularity.DATASET, at=6) == {("b", "v", "DECLARED")}
    assert whole_graph(database, Granularity.DATASET) == set()


def test_what_is_declared_and_what_was_seen_stand_side_by_side(database: Database) -> None:
    take(
        database,
        etl(into(table("c"), table("a"))).event("COMPLETE", 1),
        declared_job("etl", 2, lineage=facet(entries=[into(table("c"), table("a"), table("b"))])),
    )
    assert whole_graph(database, Granularity.DATASET) == {
        ("a", "c", E), ("a", "c", "DECLARED"), ("b", "c", "DECLARED"),
    }  # fmt: skip


# `inputs: []`: known to have no source.


def sourceless(database: Database, name: str = "c", at: float | None = None) -> set[tuple[str, str | None, str]]:
    """The columns ('' for the whole) known to have no source, by whose word, and how that is known."""
    window = NOW if at is None else Window(micros(at), micros(at))
    jobs = {ids.job_id(*named(job).values()): job for job in JOBS} | {None: None}
    id = ids.dataset_id(*named(name).values())
    with database.read() as connection:
        said = origins.of_datasets(connection, [id], window).get(id, [])
    return {(one.column, jobs[one.job_id], one.derivation.name) for one in said}


def test_an_empty_list_of_sources_says_that_there_is_none(database: Database) -> None:
    take(database, etl(into(table("c"))).event("COMPLETE", 1))

    assert sourceless(database) == {("", "etl", E)}
    assert sourceless(database, "a") == set()
    assert whole_graph(database, Granularity.DATASET) == set()
    assert whole_graph(database, Granularity.COLUMN) == set()
    assert ("etl", "c", E) in whole_graph(database, Granularity.JOB)


@pytest.mark.parametrize("unsaid", [{}, {"inputs": None}, {"fields": {"y": {}}}, {"inputs": [None]}])
def test_no_list_of_sources_says_nothing(database: Database, unsaid: dict[str, Any]) -> None:
    take(database, etl({**table("c"), **unsaid}).event("COMPLETE", 1))

    assert sourceless(database) == set()
    assert whole_graph(database, Granularity.DATASET) == set()


def test_an_output_that_no_entry_names_is_not_known_to_have_no_source(database: Database) -> None:
    take(database, etl().event("COMPLETE", 1))

    assert sourceless(database) == set()


def test_a_column_is_known_to_have_no_source_beside_others_that_have(database: Database) -> None:
    entry = {**table("c"), "fields": {"y": {"inputs": [table("a", "x")]}, "loaded_at": {"inputs": []}}}
    take(database, etl(entry).event("COMPLETE", 1))

    assert sourceless(database) == {("loaded_at", "etl", E)}
    assert flows(database) == {("a.x", "c.y", ""), ("nothing", "c.loaded_at", "")}


def test_a_source_that_another_event_of_the_run_names_is_the_better_word(database: Database) -> None:
    run = ran("etl")
    take(
        database,
        run.explicitly(into(table("c"))).event("START", 0),
        run.explicitly(into(table("c"), y=[table("a", "x")])).event("COMPLETE", 1),
    )
    assert sourceless(database) == set()


def test_that_its_own_job_makes_it_is_no_source_of_a_dataset(database: Database) -> None:
    take(database, etl(into(table("c"), y=[job(None, UPPER)])).event("COMPLETE", 1))

    assert sourceless(database) == {("", "etl", E)}


def test_a_source_of_an_unknown_kind_is_a_source_all_the_same(database: Database) -> None:
    take(database, etl(into(table("c"), {**named("m"), "type": "MODEL"})).event("COMPLETE", 1))

    assert sourceless(database) == set()


def test_a_dataset_event_says_that_it_has_no_source_until_it_says_otherwise(database: Database) -> None:
    take(
        database,
        declared_dataset("v", 1, lineage=facet(inputs=[])),
        declared_dataset("v", 5, lineage=facet(inputs=[table("a")])),
    )
    assert sourceless(database, "v", at=3) == {("", None, "DECLARED")}
    assert sourceless(database, "v") == set()


def test_a_completed_run_with_a_source_ends_that_there_was_none(database: Database) -> None:
    take(
        database,
        ran("etl").explicitly(into(table("c"))).event("COMPLETE", 1),
        ran("etl", at=5).explicitly(into(table("c"), table("a"))).event("COMPLETE", 5),
    )
    assert sourceless(database, at=3) == {("", "etl", E)}
    assert sourceless(database) == set()


def test_by_any_of_its_names_a_dataset_is_known_to_have_no_source(database: Database) -> None:
    run = ran("etl").explicitly(into(table("a"))).writing("b", symlinks=also_known_as("a"))
    take(database, run.event("COMPLETE", 1))

    assert sourceless(database, "b") == {("", "etl", E)}


# What is not understood.


@pytest.mark.parametrize(
    "entry",
    [
        into({**named("board"), "type": "DASHBOARD"}, table("a")),
        into(table("c"), table("a"), {**named("m"), "type": "MODEL"}),
        into(table("c"), table("a"), {"type": "PIPELINE", "id": 7}),
    ],
    ids=["as a target", "as a source", "without a name"],
)
def test_a_kind_unknown_today_is_kept_and_its_sender_told(database: Database, entry: dict[str, Any]) -> None:
    (receipt,) = take(database, etl(entry).event("COMPLETE", 1))

    (warning,) = receipt.warnings
    assert (warning.code, warning.pointer) == ("lineage-type", "/job/facets/lineage")
    assert any(f"'{kind}'" in warning.detail for kind in ("DASHBOARD", "MODEL", "PIPELINE"))
    with database.read() as connection:
        etl_id = ids.job_id(*named("etl").values())
        (kept,) = (row for row in facets.of_jobs(connection, [etl_id])[etl_id] if row.name == "lineage")
    assert json.loads(kept.payload)["entries"] == [entry]
    assert kept.understood
    flowing = whole_graph(database, Granularity.DATASET)
    assert flowing == ({("a", "c", E)} if "c" in entry.values() else set())


def test_what_is_said_a_thousand_times_is_one_warning(database: Database) -> None:
    entries = [into({**named(f"board {number}"), "type": "DASHBOARD"}, table("a")) for number in range(1_000)]
    (receipt,) = take(database, etl(*entries).event("COMPLETE", 1))

    assert [warning.detail for warning in receipt.warnings] == [
        "'DASHBOARD' is no kind of thing that lineage is known between: kept, but in no answer. (1000 times)"
    ]


def test_a_facet_that_cannot_be_read_is_kept_and_its_sender_told(database: Database) -> None:
    broken = ran("etl").job_with(lineage=facet(entries=[named("c")])).reading("a").writing("c")
    (receipt,) = take(database, broken.event("COMPLETE", 1))

    assert [(warning.code, warning.pointer) for warning in receipt.warnings] == [("lineage-shape", "/job")]
    assert whole_graph(database, Granularity.DATASET) == set()
    assert whole_graph(database, Granularity.JOB) == {("a", "etl", I), ("etl", "c", I)}


@pytest.mark.parametrize(
    "part",
    [named("c"), {"type": "DATASET", "name": "d", "inputs": []}, {**table("d"), "inputs": [named("a")]}, "c", 5, [[]]],
)
def test_a_part_that_cannot_be_read_takes_no_other_with_it(database: Database, part: Any) -> None:
    (receipt,) = take(database, etl(into(table("c"), table("a")), part).event("COMPLETE", 1))

    (warning,) = receipt.warnings
    assert (warning.code, warning.pointer) == ("lineage-shape", "/job")
    assert warning.detail == "Parts of the facet lineage could not be read, 1: kept, but in no answer."
    assert whole_graph(database, Granularity.DATASET) == {("a", "c", E)}


def test_a_column_source_that_cannot_be_read_takes_no_other_with_it(database: Database) -> None:
    fields = {"x": {"inputFields": [named("b"), {**named("a"), "field": "k"}]}}
    run = ran("etl").reading("a", "b").writing("c", columnLineage=facet(fields=fields))
    (receipt,) = take(database, run.event("COMPLETE", 1))

    assert [(warning.code, warning.pointer) for warning in receipt.warnings] == [("lineage-shape", "/outputs")]
    assert whole_graph(database, Granularity.DATASET) == {("a", "c", "COLUMN")}


def test_a_declaration_that_cannot_be_read_still_takes_the_place_of_the_one_before(database: Database) -> None:
    said = [facet(inputs=[table("a")]), facet(inputs=[named("b")])]
    take(database, *(declared_dataset("v", at, lineage=one) for at, one in enumerate(said)))

    assert whole_graph(database, Granularity.DATASET) == set()


def test_a_dataset_event_has_no_own_job(database: Database) -> None:
    (receipt,) = take(database, declared_dataset("v", 1, lineage=facet(inputs=[job(), table("a")])))

    assert [warning.code for warning in receipt.warnings] == ["lineage-type"]
    assert whole_graph(database, Granularity.JOB) == {("a", "v", "DECLARED")}


def test_the_lineage_of_a_dataset_counts_in_dataset_events_alone(database: Database) -> None:
    run = ran("etl").reading("b").writing("c", lineage=facet(inputs=[table("a")]))
    (receipt,) = take(database, run.event("COMPLETE", 1))

    assert [(warning.code, warning.pointer) for warning in receipt.warnings] == [("lineage-place", "/outputs")]
    assert whole_graph(database, Granularity.DATASET) == {("b", "c", I)}


def test_a_run_that_an_entry_names_is_known_by_its_name(database: Database) -> None:
    take(database, etl(into(job("load", run="r-load"), job("feed", run="r-feed"))).event("COMPLETE", 1))

    with database.read() as connection:
        named_runs = [runs.find_run(connection, run, "shop") for run in ("r-load", "r-feed")]
    jobs = [ids.job_id(*named(name).values()) for name in ("load", "feed")]
    assert named_runs == [ids.run_id(jobs[0], "r-load"), ids.run_id(jobs[1], "r-feed")]


# And it stays so.


def test_a_statement_of_none_of_this_keeps_the_id_it_had() -> None:
    said = project_raw(ran("etl").reading("a").writing("b").event("COMPLETE", 1)).statement

    assert msgspec.msgpack.decode(said.encode())[-1] == []
    assert len(msgspec.msgpack.decode(said.encode())) == SEVEN_PARTS


def test_a_rebuild_gives_the_rows_that_were_there(database: Database) -> None:
    take(database, *(etl(*entries).event("COMPLETE", at) for at, (entries, *_) in enumerate(ROWS.values())))
    take(database, *(declared_dataset("v", at, lineage=said) for at, (said, *_) in enumerate(OF_DATASETS.values())))
    take(database, declared_dataset("v", 20, lineage=facet(inputs=[])))
    before = rows(database)
    replay.rebuild(database)

    assert rows(database) == before


def rows(database: Database) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return sorted(maintenance.canonical_dump(connection), key=repr)
