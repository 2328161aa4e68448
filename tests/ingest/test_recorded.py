"""What the catalog said on an earlier day is what it would say if it had never heard of anything since."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import also_known_as, declared_dataset, dropped, micros, ran
from catalog.domain.errors import BadRequest, UnknownEntity
from catalog.domain.lineage import EntityRef, Lineage, Question
from catalog.domain.timeline import NOW, Window
from catalog.domain.words import Direction, EntityKind
from catalog.ingest.recorded import recorded
from catalog.store import lineage
from catalog.store.engine import Database
from catalog.store.surroundings import Around, entries_around
from conftest import NewDatabase
from histories import cut_in_two, questions, receive

MONDAY, TUESDAY, WEDNESDAY = (micros(day * 1440) for day in (10, 11, 12))


def said(database: Database, question: Question, until: int) -> Lineage:
    with database.read() as connection, recorded(connection, Around.lineage(question), until) as then:
        return lineage.answer(then, question)


def said_or_not(database: Database, question: Question, until: int | None) -> Lineage | None:
    """None where the catalog did not know what is asked about."""
    try:
        if until is not None:
            return said(database, question, until)
        with database.read() as connection:
            return lineage.answer(connection, question)
    except UnknownEntity:
        return None


def is_only_named(answer: Lineage | None) -> bool:
    """Whether nothing is said but that it exists: runs named it as what contains them, and may name another by now."""
    return answer is not None and not answer.edges and all(n.kind is not EntityKind.DATASET for n in answer.nodes)


def upstream_of(name: str, window: Window = NOW) -> Question:
    return Question((EntityRef(EntityKind.DATASET, "shop", name),), Direction.UPSTREAM, window=window)


def names(answer: Lineage) -> list[str]:
    return [node.name for node in answer.nodes]


def test_an_event_that_came_late_corrects_how_it_was_and_not_what_was_said(database: Database) -> None:
    receive(database, MONDAY, ran("score", at=1).reading("old_features").writing("scores"))
    receive(database, WEDNESDAY, ran("score", at=2).reading("new_features").writing("scores"))
    on_the_day = upstream_of("scores", Window(micros(5), micros(5)))

    with database.read() as connection:
        assert names(lineage.answer(connection, on_the_day)) == ["scores", "new_features"]
    assert names(said(database, on_the_day, TUESDAY)) == ["scores", "old_features"]
    assert names(said(database, on_the_day, WEDNESDAY)) == ["scores", "new_features"]


@pytest.mark.parametrize(
    ("as_of", "recorded_as_of", "source"),
    [
        (None, None, "features_v2"),
        (18.5, None, "features_v1"),
        (23, None, "features_v2"),
        (23, TUESDAY, "features_v1"),
        (None, TUESDAY, "features_v1"),
    ],
)
def test_the_example_of_the_page_on_time_holds(
    database: Database, as_of: float | None, recorded_as_of: int | None, source: str
) -> None:
    """See `docs/explanation/time.md`; hours of Monday as minutes; a run takes one."""
    receive(database, MONDAY, list(ran("score", at=17).reading("features_v1").writing("scores"))[-1:])
    receive(database, WEDNESDAY, list(ran("score", at=18).reading("features_v2").writing("scores"))[-1:])
    question = upstream_of("scores", NOW if as_of is None else Window(micros(as_of), micros(as_of)))

    answer = said(database, question, WEDNESDAY if recorded_as_of is None else recorded_as_of)
    assert names(answer) == ["scores", source]
    if recorded_as_of is None:
        with database.read() as connection:
            assert lineage.answer(connection, question) == answer


def test_what_was_not_heard_of_yet_is_not_there(database: Database) -> None:
    receive(database, WEDNESDAY, ran("score").reading("features").writing("scores"))

    with pytest.raises(UnknownEntity, match="no dataset 'scores'"):
        said(database, upstream_of("scores"), TUESDAY)


def test_names_and_drops_are_those_that_were_known(database: Database) -> None:
    receive(database, MONDAY, ran("load").reading("raw").writing("table"))
    receive(database, MONDAY, ran("score", at=1).reading("files").writing("scores"))
    receive(database, WEDNESDAY, [declared_dataset("table", 2, symlinks=also_known_as(("shop", "files")))])
    receive(database, WEDNESDAY + 1, ran("clean up", at=3).writing("files", lifecycleStateChange=dropped()))

    assert names(said(database, upstream_of("scores"), TUESDAY)) == ["scores", "files"]
    assert names(said(database, upstream_of("scores"), WEDNESDAY)) == ["scores", "table", "raw"]
    assert names(said(database, upstream_of("scores"), WEDNESDAY + 1)) == ["scores"]


@pytest.mark.parametrize("named_as", ["parent", "root"])
@pytest.mark.parametrize("kind", [EntityKind.RUN, EntityKind.JOB])
def test_who_was_only_named_as_what_contains_a_run_was_known(
    database: Database, kind: EntityKind, named_as: str
) -> None:
    night, other = ran("night", 0, "n"), ran("other", 0, "o")
    task = ran("task", 1).inside(night) if named_as == "parent" else ran("task", 1).inside(other, night)
    asked = Question((EntityRef(kind, "shop", "n" if kind is EntityKind.RUN else "night"),))
    receive(database, MONDAY, task.reading("a").writing("b"))
    receive(database, WEDNESDAY, night.reading("x").writing("y"))

    (named,) = said(database, asked, TUESDAY).nodes
    assert (named.kind, named.depth) == (kind, 0)
    assert len(said(database, asked, WEDNESDAY).nodes) > 1
    with pytest.raises(UnknownEntity):
        said(database, asked, MONDAY - 1)


def test_only_what_is_around_the_question_is_read_again(database: Database) -> None:
    receive(database, MONDAY, ran("load").reading("raw").writing("table"))
    receive(database, MONDAY, (event for n in range(30) for event in ran(f"other{n}").reading("x").writing(f"y{n}")))

    with database.read() as connection:
        assert len(entries_around(connection, Around.lineage(upstream_of("table")), TUESDAY, 1_000)) == 2


def test_too_much_to_read_again_is_refused_with_a_way_out(database: Database) -> None:
    receive(database, MONDAY, (event for n in range(6) for event in ran("load", at=n).reading("raw").writing("table")))

    with (
        database.read() as connection,
        pytest.raises(BadRequest, match="more than 11 entries") as refused,
        recorded(connection, Around.lineage(upstream_of("table")), TUESDAY, most=11),
    ):
        pass
    assert "depth" in refused.value.fix


def test_any_history_cut_at_any_receipt_answers_as_its_beginning_alone(
    new_database: NewDatabase, engine_name: str
) -> None:
    with new_database() as whole, new_database() as beginning:

        @settings(max_examples=settings().max_examples // (10 if engine_name == "sqlite" else 30))
        @given(st.data())
        def answers_agree(data: st.DataObject) -> None:
            events, _ = cut_in_two(data, whole, beginning, (MONDAY, WEDNESDAY))
            for one in data.draw(st.lists(questions(events), min_size=1, max_size=3)):
                question = replace(one, depth=data.draw(st.sampled_from((0, 1, 2, one.depth))), hidden=True)
                then, alone = said_or_not(whole, question, TUESDAY), said_or_not(beginning, question, None)
                assert then == alone or (then is None and is_only_named(alone))

        answers_agree()
