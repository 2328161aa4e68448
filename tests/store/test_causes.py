"""Root candidates: each with its facts, the failures first, and none that are not there."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from builders import also_known_as, columns, declared_dataset, dropped, facet, micros, ran
from catalog import facets
from catalog.domain.causes import Reason
from catalog.domain.changes import Column, Structured
from catalog.domain.errors import UnknownEntity
from catalog.domain.ids import dataset_id
from catalog.domain.lineage import EntityRef
from catalog.domain.words import EntityKind, Scope
from catalog.facets import data_quality_assertions
from catalog.ingest.accept import Ingest, Received, project_raw
from catalog.store import causes
from catalog.store.causes import Asked, Candidate, Candidates, Readers
from catalog.store.engine import Database
from catalog.store.paging import Page
from catalog.store.read import runs, versions
from catalog.store.tables import dataset

HOUR = 60


def columns_of(payload: bytes) -> tuple[Column, ...]:
    schema = facets.find(Scope.DATASET, "schema")
    assert schema is not None
    return next(change.columns for change in schema.changes(payload) if isinstance(change, Structured))


READERS = Readers(columns_of, data_quality_assertions.failed, project_raw)


def put(database: Database, *stories: Any) -> None:
    events = [raw for story in stories for raw in ([story] if isinstance(story, bytes) else story)]
    Ingest(database).accept([Received(raw, "test") for raw in events])


def look(database: Database, kind: str, name: str, at: float | None = None, **more: Any) -> Candidates:
    asked = {"within": 24 * HOUR * 60_000_000, "depth": 20, "max_nodes": 1_000, "max_edges": 10_000, **more}
    of = EntityRef(EntityKind[kind], "shop", name)
    with database.read() as connection:
        question = Asked(of, None if at is None else micros(at), micros(100 * 24 * HOUR), **asked)
        return causes.candidates(connection, question, READERS)


def told(found: Candidates) -> list[tuple[Reason, str, int]]:
    return [(one.reason, one.node.name, one.distance) for one in found.candidates]


def checked(success: bool) -> dict[str, Any]:
    said = {"assertion": "not_null", "success": success, "column": "a", "expected": "0", "actual": "7"}
    return facet(assertions=[said, {"assertion": "unique", "success": True}])


def test_the_nearest_failed_run_comes_first_with_the_run_as_evidence(database: Database) -> None:
    put(
        database,
        ran("ab", 0).reading("a").writing("b"),
        ran("bc", 1).reading("b").writing("c"),
        ran("cd", 2).reading("c").writing("d"),
        ran("ab", 100, "far").reading("a").failing(),
        ran("bc", 110, "near").reading("b").aborting(),
        ran("cd", 120, "asked").reading("c").failing(),
    )
    found = look(database, "RUN", "asked")
    assert told(found) == [(Reason.ABORTED, "bc", 2), (Reason.FAILED, "ab", 4)]
    assert found.moment == micros(121)
    assert [one.detail for one in found.candidates] == ["Its run near was aborted.", "Its run far failed."]
    assert [one.at for one in found.candidates] == [micros(111), micros(101)]
    assert all(one.run_id is not None for one in found.candidates)
    assert found.truncated_by is None


def test_a_failure_that_was_made_good_in_time_explains_nothing(database: Database) -> None:
    story = (
        ran("ab", 0).reading("a").writing("b"),
        ran("ab", 100).failing(),
        ran("ab", 200).reading("a").writing("b"),
        ran("bc", 150, "early").reading("b").failing(),
        ran("bc", 250, "late").reading("b").failing(),
    )
    put(database, *story)
    assert told(look(database, "RUN", "early")) == [(Reason.FAILED, "ab", 2)]
    assert told(look(database, "RUN", "late")) == []
    assert told(look(database, "DATASET", "b", 199)) == [(Reason.FAILED, "ab", 1)]


def test_only_what_was_shortly_before_counts(database: Database) -> None:
    put(database, ran("ab", 0).reading("a").writing("b"), ran("ab", 100).failing())
    assert told(look(database, "DATASET", "b", 50)) == []
    assert told(look(database, "DATASET", "b", 100 + 23 * HOUR)) == [(Reason.FAILED, "ab", 1)]
    assert told(look(database, "DATASET", "b", 102 + 24 * HOUR)) == []


def test_a_run_that_fails_because_one_inside_of_it_does_has_that_one_as_its_nearest_cause(database: Database) -> None:
    put(database, ran("land", 0).writing("landed"), ran("land", 90).failing())
    dag = ran("dag", 200, "dag-run")
    put(database, ran("dag.load", 200, "load-run").inside(dag).reading("landed").failing())
    put(database, *[dag.event("START", 200), dag.event("FAIL", 210)])
    assert told(look(database, "RUN", "dag-run")) == [(Reason.FAILED, "dag.load", 0), (Reason.FAILED, "land", 2)]
    assert told(look(database, "JOB", "dag")) == told(look(database, "RUN", "dag-run"))


def test_a_failed_run_that_does_not_say_what_it_read_is_looked_at_through_its_job(database: Database) -> None:
    put(
        database,
        ran("ab", 0).reading("a").writing("b"),
        ran("bc", 1).reading("b").writing("c"),
        ran("ab", 100).failing(),
        ran("bc", 110, "silent").failing(),
    )
    assert told(look(database, "RUN", "silent")) == [(Reason.FAILED, "ab", 2)]


def test_a_run_upstream_that_had_not_ended_yet_is_told_unless_it_streams(database: Database) -> None:
    slow = ran("ab", 100, "slow").reading("a").writing("b")
    put(
        database,
        ran("ab", 0).reading("a").writing("b"),
        slow.event("START", 100),
        slow.event("COMPLETE", 130),
        ran("stream", 90, "endless").reading("x").writing("b").streaming().still_running(),
        ran("bc", 120, "asked").reading("b").failing(),
    )
    (one,) = look(database, "RUN", "asked").candidates
    assert (one.reason, one.node.name, one.at) == (Reason.UNFINISHED, "ab", micros(100))
    assert (
        one.detail == "Its run slow had begun, and not ended by 2026-01-01T02:00:00Z; it ended at 2026-01-01T02:10:00Z."
    )


STREAM = ran("stream", 0, "s").reading("x").writing("b").streaming()
AGAIN = ran("stream", 110, "again").reading("x").writing("b").streaming()
ASKED = ran("bc", 120, "asked").reading("b").failing()
DOWN: list[tuple[Reason, str, int]] = [(Reason.FAILED, "stream", 2)]


@pytest.mark.parametrize(
    ("since", "candidates"),
    [
        pytest.param([], DOWN, id="and stayed down"),
        pytest.param([STREAM.event("START", 110)], [], id="and was begun again as the same run"),
        pytest.param([STREAM.event("RUNNING", 110)], [], id="and goes on"),
        pytest.param([AGAIN.event("START", 110)], [], id="and was begun again as another run"),
        pytest.param([STREAM.event("START", 121)], DOWN, id="and was begun again too late"),
        pytest.param([AGAIN.event("START", 121)], DOWN, id="and was begun again as another run too late"),
        pytest.param(
            [STREAM.event("START", 110), STREAM.event("FAIL", 300)], [], id="and was begun again, and fails later"
        ),
        pytest.param([STREAM.event("FAIL", 300)], DOWN, id="and says so once more, later"),
        pytest.param(
            [AGAIN.event("START", 110), AGAIN.event("FAIL", 115)],
            [*DOWN, *DOWN],
            id="as did the one begun in its place",
        ),
    ],
)
def test_a_stream_that_failed_explains_something_until_it_goes_on(
    database: Database, since: list[bytes], candidates: list[tuple[Reason, str, int]]
) -> None:
    put(database, STREAM.event("START", 0), STREAM.event("FAIL", 100), ASKED, *since)
    assert told(look(database, "RUN", "asked")) == candidates


def test_a_run_that_had_failed_and_was_completed_later_had_failed_by_then(database: Database) -> None:
    retried = ran("ab", 100, "r").reading("a").writing("b")
    put(database, retried.event("FAIL", 100), ran("bc", 120, "asked").reading("b").failing())
    put(database, retried.event("COMPLETE", 200), ran("bc", 220, "late").reading("b").failing())
    (one,) = look(database, "RUN", "asked").candidates
    assert (one.reason, one.at, one.detail) == (Reason.FAILED, micros(100), "Its run r failed.")
    assert told(look(database, "RUN", "late")) == []


ROTTEN = ran("ab", 0, "r").reading("a").writing("b")
RETRY = ran("ab", 90, "again").reading("a").writing("b")


@pytest.mark.parametrize(
    ("retry", "made_good"),
    [
        pytest.param([ROTTEN.event("COMPLETE", 99)], True, id="as the same run"),
        pytest.param([ROTTEN.event("COMPLETE", 100.5)], False, id="as the same run, too late"),
        pytest.param([RETRY.event("START", 20), RETRY.event("COMPLETE", 99)], True, id="as another run"),
        pytest.param([RETRY.event("START", 20), RETRY.event("COMPLETE", 100.5)], False, id="as another run, too late"),
        pytest.param(
            [ROTTEN.event("COMPLETE", 99), ROTTEN.event("COMPLETE", 100.5)], True, id="as the same run, said twice"
        ),
        pytest.param(
            [RETRY.event("START", 20), RETRY.event("COMPLETE", 99), RETRY.event("COMPLETE", 100.5)],
            True,
            id="as another run, said twice",
        ),
    ],
)
@pytest.mark.parametrize("end", ["ABORT", "FAIL"])
def test_what_was_made_good_after_the_failed_run_began_had_not_been_when_it_read(
    database: Database, end: str, retry: list[bytes], made_good: bool
) -> None:
    put(database, ROTTEN.event("START", 0), ROTTEN.event(end, 10), ran("bc", 100, "asked").reading("b").failing())
    put(database, *retry)
    found = look(database, "RUN", "asked").candidates
    bad = [(one.reason.name, one.detail.split()[2], one.at) for one in found if one.reason.is_failure]
    assert bad == ([] if made_good else [("ABORTED" if end == "ABORT" else "FAILED", "r", micros(10))])


@pytest.mark.parametrize("second", ["load", "another"])
@pytest.mark.parametrize(
    ("until", "candidates"),
    [
        pytest.param(104, [], id="in time"),
        pytest.param(120, ["dag.load"], id="only after the whole had failed"),
    ],
)
def test_a_part_that_was_tried_again_explains_nothing_if_it_completed_in_time(
    database: Database, second: str, until: float, candidates: list[str]
) -> None:
    dag = ran("dag", 100, "dag-run")
    load, again = (ran("dag.load", 101, name).inside(dag).writing("loaded") for name in ("load", second))
    # What reads it came later than both: the failure before that is none of something upstream.
    check = ran("dag.check", 105, "check").inside(dag).reading("loaded").failing()
    put(database, dag.event("START", 100), load.event("START", 101), load.event("FAIL", 102), *check)
    put(database, again.event("START", 103), again.event("COMPLETE", until), dag.event("FAIL", 110))
    assert told(look(database, "RUN", "dag-run")) == [(Reason.FAILED, name, 0) for name in ["dag.check", *candidates]]


def test_a_run_inside_of_the_failed_one_that_was_tried_again_with_success_explains_nothing(database: Database) -> None:
    dag = ran("dag", 100, "dag-run")
    load, check = (ran(f"dag.{name}", 101, f"{name}-1").inside(dag) for name in ("load", "check"))
    put(database, dag.event("START", 100), load.event("FAIL", 102), check.event("START", 101), check.event("FAIL", 103))
    # What ran beside it is another part of the same work, not the same part again.
    put(database, ran("dag.load", 104, "load-2").inside(dag), ran("dag.check", 101.5, "check-2").inside(dag))
    put(database, dag.event("FAIL", 110))
    assert told(look(database, "RUN", "dag-run")) == [(Reason.FAILED, "dag.check", 0)]


def test_a_schema_that_changed_is_told_with_the_difference_and_the_facet(database: Database) -> None:
    put(
        database,
        ran("ab", 0).reading("a").writing("b", schema=columns(x="int", y="text")),
        ran("ab", 100).reading("a").writing("b", schema=columns(x="bigint", z="text")),
        ran("bc", 110, "asked").reading("b").failing(),
    )
    (one,) = look(database, "RUN", "asked").candidates
    assert (one.reason, one.node.name, one.distance, one.at) == (Reason.SCHEMA_CHANGED, "b", 1, micros(100))
    assert one.detail == "Its schema changed: added z text; removed y; retyped x int to bigint."
    assert one.facet is not None
    assert b"bigint" in one.facet.payload


def test_an_assertion_that_fails_is_told_until_it_holds_again(database: Database) -> None:
    put(
        database,
        ran("ab", 0).reading("a").writing("b"),
        ran("check", 50).reading("b", dataQualityAssertions=checked(True)),
        ran("check", 100).reading("b", dataQualityAssertions=checked(False)),
        ran("bc", 110, "asked").reading("b").writing("c").failing(),
        ran("check", 200).reading("b", dataQualityAssertions=checked(True)),
        ran("bc", 210, "fine").reading("b").writing("c").failing(),
    )
    (one,) = look(database, "RUN", "asked").candidates
    assert (one.reason, one.node.name, one.distance) == (Reason.ASSERTION_FAILED, "b", 1)
    assert one.detail == "Quality assertions failed: not_null of a (expected 0, was 7)."
    assert told(look(database, "RUN", "fine")) == []


def test_an_assertion_counts_if_it_was_checked_shortly_before(database: Database) -> None:
    day = 24 * HOUR
    put(
        database,
        ran("ab", 0).reading("a").writing("b"),
        ran("check", 10).reading("b", dataQualityAssertions=checked(False)),
        ran("bc", 5 * day, "unchecked").reading("b").failing(),
        ran("check", 9 * day, "checked again").reading("b", dataQualityAssertions=checked(False)),
        ran("ab", 9.2 * day).reading("a").writing("b"),
        ran("bc", 9.5 * day, "asked").reading("b").failing(),
    )
    assert told(look(database, "RUN", "unchecked")) == []
    (one,) = look(database, "RUN", "asked").candidates
    assert (one.reason, one.node.name, one.at) == (Reason.ASSERTION_FAILED, "b", micros(9 * day + 1))
    with database.read() as connection:
        assert runs.by_ids(connection, [one.run_id or 0])[one.run_id or 0].run_id == "checked again"
    week = look(database, "RUN", "unchecked", within=6 * day * 60_000_000)
    assert [(one.reason, one.at) for one in week.candidates] == [(Reason.ASSERTION_FAILED, micros(10))]


def test_a_dataset_whose_assertions_fail_is_asked_about_as_of_then_and_does_not_explain_itself(
    database: Database,
) -> None:
    put(
        database,
        ran("ab", 0).reading("a").writing("b"),
        ran("ab", 90, "broken").failing(),
        ran("check", 100).reading("b", dataQualityAssertions=checked(False)),
    )
    found = look(database, "DATASET", "b")
    assert told(found) == [(Reason.FAILED, "ab", 1)]
    assert found.moment in (micros(100), micros(101))


def test_a_dataset_that_was_not_written_for_longer_than_ever_is_told(database: Database) -> None:
    put(
        database,
        *(ran("ab", at).reading("a").writing("b") for at in (0, 60, 120, 180)),
        ran("bc", 300, "asked").reading("b").failing(),
        ran("bc", 235, "early").reading("b").failing(),
    )
    # A version that a reader names is nothing that was written.
    put(database, ran("look", 290).reading("b", version=facet(datasetVersion="s9")))
    (one,) = look(database, "RUN", "asked").candidates
    assert (one.reason, one.node.name, one.at) == (Reason.NOT_REFRESHED, "b", micros(181))
    assert one.detail == "It was last written 1 h 59 min before; it never took longer than 1 h."
    assert told(look(database, "RUN", "early")) == []


def test_the_last_writes_of_a_dataset_are_the_versions_that_somebody_made_of_it(database: Database) -> None:
    once = ran("ab", 10, "two ways")
    put(
        database,
        *[once.writing("b").event("START", 10), once.reading("a").writing("b").event("COMPLETE", 11)],
        ran("ab", 20, "two names").writing("b", "bee"),
        ran("ab", 30).writing("b").failing(),
        ran("ab", 40).writing("b").still_running(),
        ran("look", 45).reading("b", version=facet(datasetVersion="s9")),
        declared_dataset("b", 50),
        declared_dataset("b", 60, version=facet(datasetVersion="s10")),
        declared_dataset("bee", 70, lifecycleStateChange=dropped("TRUNCATE")),
        ran("ab", 80, "last").writing("bee"),
        declared_dataset("b", 0, symlinks=also_known_as("bee")),
    )
    with database.read() as connection:
        (b,) = connection.scalars(select(dataset.c.canonical_id).where(dataset.c.id == dataset_id("shop", "b")))
        every = versions.of_datasets(connection, [b], Page(), micros(79))[b].items
        made = versions.last_made(connection, [b], 20, micros(79))[b]
        last = versions.last_made(connection, [b], 2, micros(200))[b]
    assert [at for at, _ in made] == [micros(at) for at in (70, 60, 21, 21, 11)]
    assert [at for at, _ in last] == [micros(81), micros(70)]
    assert made == [(one.created_at, one.run_id) for one in every if one.activity_id > 0]


def test_an_answer_that_is_cut_says_by_what(database: Database) -> None:
    put(database, *(ran(f"j{n}", n).reading(f"t{n}").writing(f"t{n + 1}") for n in range(9)))
    put(database, ran("j8", 100, "asked").failing())
    assert look(database, "RUN", "asked", max_nodes=4).truncated_by == "maxNodes"
    assert look(database, "RUN", "asked", depth=3).truncated_by is None


def test_runs_deeper_inside_than_is_looked_are_told_as_missing(database: Database) -> None:
    inner = ran("level0", 100, "run0")
    events = [inner.event("FAIL", 110)]
    for level in range(1, 8):
        inner = ran(f"level{level}", 100, f"run{level}").inside(inner)
        events.append(inner.event("FAIL", 110))
    put(database, *events)
    found = look(database, "RUN", "run0")
    assert [one.node.name for one in found.candidates] == [f"level{n}" for n in range(1, 6)]
    assert found.truncated_by == "maxRuns"
    assert look(database, "RUN", "run2").truncated_by is None


@pytest.mark.parametrize("kind", ["RUN", "JOB", "DATASET"])
def test_what_nobody_knows_is_refused(database: Database, kind: str) -> None:
    with pytest.raises(UnknownEntity, match="nothing"):
        look(database, kind, "nothing")


def test_many_candidates_cost_as_many_statements_as_one(database: Database, statements: Any) -> None:
    def failing(goal: str, count: int) -> list[Any]:
        return [
            story
            for n in range(count)
            for story in (
                ran(f"{goal}{n}", n).writing(f"{goal}{n}.t", schema=columns(x="int")),
                ran(f"{goal}{n}", 50 + n).writing(f"{goal}{n}.t", schema=columns(x="text")),
                ran(f"{goal}{n}", 100 + n).failing(),
                ran(f"{goal}.check{n}", 120 + n).reading(f"{goal}{n}.t", dataQualityAssertions=checked(False)),
            )
        ] + [ran(goal, 200, f"{goal}-run").reading(*(f"{goal}{n}.t" for n in range(count))).failing()]

    put(database, *failing("few", 1), *failing("many", 30))
    with statements(database) as few:
        assert len(look(database, "RUN", "few-run").candidates) == 3
    with statements(database) as many:
        found: tuple[Candidate, ...] = look(database, "RUN", "many-run").candidates
    assert len(found) == 90
    assert [one.reason.is_failure for one in found] == [True] * 60 + [False] * 30
    assert len(many) == len(few)
