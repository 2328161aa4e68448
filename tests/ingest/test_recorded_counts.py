"""How many neighbours a node had that the answer does not show, is counted as it was known on an earlier day."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from builders import also_known_as, declared_dataset, dropped, entry, micros, named, ran, renamed
from catalog.domain.errors import UnknownEntity
from catalog.domain.lineage import EntityRef, Lineage, Question
from catalog.domain.words import Direction, EntityKind, Granularity
from catalog.ingest.recorded import recorded
from catalog.store import lineage
from catalog.store.engine import Database
from catalog.store.surroundings import Around, entries_around
from conftest import NewDatabase
from histories import put, receive, told, windows

Watch = Callable[[Database], AbstractContextManager[list[str]]]

MONDAY, TUESDAY, WEDNESDAY = (micros(day * 1440) for day in (10, 11, 12))
WAYS = (Direction.UPSTREAM, Direction.DOWNSTREAM, Direction.BOTH)
GRANULARITIES = (Granularity.DATASET, Granularity.JOB, Granularity.RUN)


def about(name: str, direction: Direction, granularity: Granularity, depth: int) -> Question:
    return Question((EntityRef(EntityKind.DATASET, "shop", name),), direction, granularity, depth, hidden=True)


def then(database: Database, question: Question) -> Lineage | None:
    """What was known on Tuesday; None: not even the dataset."""
    try:
        with database.read() as connection, recorded(connection, Around.lineage(question), TUESDAY) as reading:
            return lineage.answer(reading, question)
    except UnknownEntity:
        return None


def alone(database: Database, question: Question) -> Lineage | None:
    try:
        with database.read() as connection:
            return lineage.answer(connection, question)
    except UnknownEntity:
        return None


def job(name: str, *sources: dict[str, Any]) -> dict[str, Any]:
    return {**named(name), "type": "JOB", "inputs": list(sources)}


def from_job(target: str, name: str) -> dict[str, Any]:
    return {**entry(target), "inputs": [{**named(name), "type": "JOB"}]}


BOTH = [*ran("one", 0).reading("x").writing("y"), *ran("two", 0).reading("x").writing("z")]
DROP = ran("clean up", 2, "c").writing("y", lifecycleStateChange=dropped())
BEYOND = {
    "was dropped by somebody else": [*BOTH, *DROP],
    "was dropped, and written by yet another": [*BOTH, *DROP, *ran("restore", 4).writing("y")],
    "is another one by its second name": [*BOTH, *ran("look", 2).reading("y", symlinks=also_known_as("z"))],
    "is another one by the name of a third": [
        *BOTH,
        *ran("look", 2).reading("w", symlinks=also_known_as("z")),
        declared_dataset("w", 3, symlinks=also_known_as("y")),
    ],
    "was renamed to it": [*BOTH, *ran("move", 2).writing("z", lifecycleStateChange=renamed("y"))],
    "is reached through jobs that pass on data": [
        ran("one", 0).reading("x").event("COMPLETE", 0),
        *ran("says", 1).explicitly(job("pipe", {**named("one"), "type": "JOB"})),
        *ran("says more", 1).explicitly(from_job("y", "pipe")),
        *DROP,
    ],
    "is read by runs of others": [
        *ran("two", 0).reading("x").writing("z", "y"),
        *ran("look", 3).reading("y"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("events", BEYOND.values(), ids=BEYOND)
def test_what_lies_beyond_the_answer_counts_as_what_it_was_known_to_be(
    new_database: NewDatabase, events: list[bytes]
) -> None:
    with new_database() as whole, new_database() as beginning:
        receive(whole, MONDAY, events)
        receive(whole, WEDNESDAY, [DROP.event("RUNNING", 2.5), *ran("late", 5).reading("x").writing("v")])
        put(beginning, [events])
        for asked in (*product("x", WAYS, GRANULARITIES, [0]), *product("xz", WAYS[:2], GRANULARITIES, [1])):
            question = about(*asked)
            assert then(whole, question) == alone(beginning, question), asked


def test_a_drop_that_was_taken_back_since_was_one(database: Database) -> None:
    made_anew = ran("clean up", 2, "c").writing("y", lifecycleStateChange=dropped("CREATE"))
    receive(database, MONDAY, [*BOTH, *DROP])
    receive(database, WEDNESDAY, [made_anew.event("RUNNING", 2.5)])
    question = about("x", Direction.UPSTREAM, Granularity.DATASET, 0)
    for answer, count in ((then(database, question), 1), (alone(database, question), 2)):
        assert answer is not None
        assert [node.hidden_downstream for node in answer.nodes] == [count]


def test_counting_reads_nothing_more_where_nothing_beyond_has_another_name_or_is_gone(
    database: Database, statements: Watch
) -> None:
    for hub, many in (("few", 1), ("many", 20)):
        steps = [ran(f"{hub}{n}").reading(hub).writing(f"{hub}.{n}") for n in range(many)]
        others = [ran(f"{hub}.{n}.{m}").reading(f"{hub}.{n}") for n in range(many) for m in range(3)]
        receive(database, MONDAY, [event for run in (*steps, *others) for event in run])
    # Somebody else's names and drops, without which nobody would look.
    receive(database, MONDAY, [declared_dataset("p", 0, symlinks=also_known_as("q")), *DROP])
    counts = []
    for hub, entries in (("few", 2), ("many", 40)):
        question = about(hub, Direction.UPSTREAM, Granularity.DATASET, 0)
        with database.read() as connection, statements(database) as seen:
            places = [
                entries_around(connection, Around.lineage(replace(question, hidden=hidden)), TUESDAY, 1_000)
                for hidden in (True, False)
            ]
        assert [len(each) for each in places] == [entries, entries]
        counts.append(len(seen))
    assert counts[0] == counts[1]


NAMES, JOBS = ("x", "y", "z", "w", "v"), ("one", "two", "clean up", "look")


@st.composite
def stories(draw: st.DrawFn) -> list[bytes]:
    """Somebody moves data, or says of a dataset that it is gone, or that it is another one."""
    at, this, other = draw(st.integers(0, 9)), draw(st.sampled_from(("y", *NAMES))), draw(st.sampled_from(NAMES))
    run = ran(draw(st.sampled_from(JOBS)), at, draw(st.sampled_from(("r", "s", "t"))))
    change = draw(st.sampled_from(("DROP", "DROP", "CREATE", "OVERWRITE")))
    end = draw(st.sampled_from(("COMPLETE", "COMPLETE", "START", "FAIL")))
    return [
        draw(
            st.sampled_from(
                (
                    run.reading(this).writing(other).event(end, at),
                    run.writing(this, lifecycleStateChange=dropped(change)).event(end, at),
                    run.reading(this, symlinks=also_known_as(other)).event(end, at),
                    run.writing(this, lifecycleStateChange=renamed(other)).event(end, at),
                    declared_dataset(this, at, lifecycleStateChange=dropped()),
                    declared_dataset(this, at, symlinks=also_known_as(other)),
                )
            )
        )
    ]


def test_any_history_cut_at_any_receipt_counts_as_its_beginning_alone(
    new_database: NewDatabase, engine_name: str
) -> None:
    with new_database() as whole, new_database() as beginning:

        @settings(max_examples=settings().max_examples // (3 if engine_name == "sqlite" else 10))
        @given(st.data())
        def counts_agree(data: st.DataObject) -> None:
            first = [*BOTH, *(event for story in data.draw(st.lists(stories(), max_size=4)) for event in story)]
            since = [event for story in data.draw(st.lists(stories(), max_size=2)) for event in story]
            note(told([*first, *since]))
            put(whole, [])
            receive(whole, MONDAY, first)
            receive(whole, WEDNESDAY, since)
            put(beginning, [first])
            window = data.draw(windows)
            name, depth = data.draw(st.sampled_from("xxy")), data.draw(st.sampled_from((0, 0, 1, 2)))
            granularity = data.draw(st.sampled_from((Granularity.DATASET, *GRANULARITIES)))
            for direction in WAYS:
                question = replace(about(name, direction, granularity, depth), window=window)
                note(repr(question))
                assert then(whole, question) == alone(beginning, question)

        counts_agree()
