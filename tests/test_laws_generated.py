"""Laws 1, 2 and 7 on generated histories: order, batching and repetition change nothing, a rerun retires nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from builders import declared_job, facet, ran
from catalog.domain.timeline import FOREVER
from catalog.ingest import replay
from catalog.ingest.accept import Ingest, Receipt, Received
from catalog.store import maintenance
from catalog.store.engine import Database
from catalog.store.tables import edge, log_entry
from conftest import NewDatabase
from histories import JOBS, LAST, arrivals, histories, put, told

Rows = list[tuple[Any, ...]]


def examples(engine_name: str) -> int:
    """How many histories to try: what the profile says on SQLite, fewer on PostgreSQL, which is slower to empty."""
    return settings().max_examples // (1 if engine_name == "sqlite" else 4)


def rows(database: Database) -> Rows:
    with database.read() as connection:
        return list(maintenance.canonical_dump(connection))


def rows_after(database: Database, batches: Sequence[Sequence[bytes]]) -> Rows:
    put(database, batches)
    return rows(database)


def assert_same(one: Rows, other: Rows) -> None:
    assert one
    assert sorted(set(one) ^ set(other), key=repr) == []


def test_the_same_events_give_the_same_rows_in_any_order_batching_and_repetition(
    new_database: NewDatabase, engine_name: str
) -> None:
    with new_database() as database:

        @settings(max_examples=examples(engine_name))
        @given(st.data())
        def order_does_not_matter(data: st.DataObject) -> None:
            events = data.draw(histories())
            note(told(events))
            one = rows_after(database, [sorted(events)])
            assert_same(one, rows_after(database, data.draw(arrivals(events))))

        order_does_not_matter()


def test_a_rebuild_from_the_log_gives_the_rows_that_were_there(new_database: NewDatabase, engine_name: str) -> None:
    with new_database() as database:

        @settings(max_examples=examples(engine_name) // 2)
        @given(st.data())
        def rebuilt_is_live(data: st.DataObject) -> None:
            events = data.draw(histories())
            note(told(events))
            live = rows_after(database, data.draw(arrivals(events)))
            assert replay.rebuild(database) == len(set(events))
            assert_same(live, rows(database))

        rebuilt_is_live()


def test_the_same_bytes_are_one_entry_and_only_the_first_answer_says_new(
    new_database: NewDatabase, engine_name: str
) -> None:
    with new_database() as database:

        @settings(max_examples=examples(engine_name) // 3)
        @given(st.data())
        def repetition_does_not_matter(data: st.DataObject) -> None:
            events = data.draw(histories(most=6))
            batches = data.draw(arrivals(events + events[:2]))
            outcomes = put(database, batches)
            sent = [raw for batch in batches for raw in batch]
            answered = [outcome.duplicate for outcome in outcomes if isinstance(outcome, Receipt)]
            assert answered == [raw in sent[:place] for place, raw in enumerate(sent)]
            with database.read() as connection:
                assert connection.scalar(select(func.count()).select_from(log_entry)) == len(set(sent))

        repetition_does_not_matter()


def test_a_rerun_that_starts_runs_fails_or_aborts_retires_no_edge(new_database: NewDatabase, engine_name: str) -> None:
    with new_database() as database:

        @settings(max_examples=examples(engine_name) // 3)
        @given(st.data())
        def nothing_blinks(data: st.DataObject) -> None:
            done = ran(data.draw(st.sampled_from(JOBS)), at=LAST, run="done").reading("a").writing("b")
            events = [*data.draw(histories()), *done, declared_job(done.job, LAST + 1, **batch_job())]
            note(told(events))
            put(database, [events])
            before = edges_now(database)
            rerun = ran(done.job, run="again").reading("c").writing("d")
            states = data.draw(st.lists(st.sampled_from(("START", "RUNNING", "OTHER", "FAIL", "ABORT")), min_size=1))
            more = [rerun.event(state, LAST + 2 + place) for place, state in enumerate(states)]
            Ingest(database).accept([Received(raw, "test") for raw in more])
            assert edges_now(database) == before

        nothing_blinks()


def batch_job() -> dict[str, Any]:
    return {"jobType": facet(processingType="BATCH", integration="X")}


def edges_now(database: Database) -> set[tuple[Any, ...]]:
    """Every row of an edge that holds at the end of time."""
    with database.read() as connection:
        return {tuple(row) for row in connection.execute(select(edge).where(edge.c.valid_to == FOREVER))}


FEED = ran("feed", run="r1").streaming()
BROKE_LAW_1: dict[str, list[bytes]] = {
    "a streaming job's run completes without a word on lineage": [
        FEED.reading("a").writing("b").event("RUNNING", 1),
        FEED.event("COMPLETE", 2),
    ],
    "a run of a streaming job turns out to have begun before another": [
        FEED.writing("a").event("RUNNING", 5),
        ran("feed", run="r2").writing("b").event("RUNNING", 3),
        FEED.event("START", 1, bare=True),
    ],
}


@pytest.mark.parametrize("events", BROKE_LAW_1.values(), ids=BROKE_LAW_1)
def test_a_history_that_once_depended_on_its_order_does_no_more(database: Database, events: list[bytes]) -> None:
    together = rows_after(database, [events])

    for order in permutations(events):
        assert_same(together, rows_after(database, [[event] for event in order]))
