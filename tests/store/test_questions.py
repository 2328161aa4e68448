"""Paths, loops and differences in the lineage of a database: what a search over all of it would find."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from builders import declared_job, facet, micros, named, ran
from catalog.domain.differences import Difference, difference
from catalog.domain.errors import BadRequest, UnknownEntity
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.timeline import Window
from catalog.domain.words import EntityKind, Granularity
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database
from catalog.store.lineage import answer
from catalog.store.questions import Loops, Path, Paths, cycles, paths

HOW = Question(of=())


def ref(name: str, column: str | None = None, kind: EntityKind = EntityKind.DATASET) -> EntityRef:
    return EntityRef(EntityKind.COLUMN if column else kind, "shop", name, column)


def put(database: Database, *stories: object) -> None:
    events = [raw for story in stories for raw in ([story] if isinstance(story, bytes) else story)]  # type: ignore[attr-defined] # a Ran iterates its events
    Ingest(database).accept([Received(raw, "test") for raw in events])


def between(database: Database, start: EntityRef, goal: EntityRef, most: int = 10, how: Question = HOW) -> Paths:
    with database.read() as connection:
        return paths(connection, start, goal, most, how)


def around(database: Database, *of: EntityRef, namespace: str | None = None, how: Question = HOW) -> Loops:
    with database.read() as connection:
        return cycles(connection, of, namespace, how)


def changes(database: Database, of: str, before: float, after: float, how: Question = HOW) -> Difference:
    windows = [Window(micros(at), micros(at)) for at in (before, after)]
    with database.read() as connection:
        return difference(*(answer(connection, replace(how, of=(ref(of),), window=window)) for window in windows))


def told(path: Path) -> str:
    return " ".join(f"{node.name}.{node.column}" if node.column else node.name for node in path.nodes)


def made(column: str, *sources: tuple[str, str, str, bool]) -> dict[str, object]:
    """An output's column, from columns by a way that may mask."""
    return {
        column: {
            "inputFields": [
                {**named(name), "field": source, "transformations": [{"type": how, "subtype": "X", "masking": masking}]}
                for name, source, how, masking in sources
            ]
        }
    }


@pytest.fixture
def diamond(database: Database) -> Database:
    """From a to d by b and by c; b to c; two jobs from a to b; and d back to a."""
    put(
        database,
        ran("ab", 0).reading("a").writing("b"),
        ran("ab2", 1).reading("a").writing("b"),
        ran("ac", 2).reading("a").writing("c"),
        ran("bc", 3).reading("b").writing("c"),
        ran("bd", 4).reading("b").writing("d"),
        ran("cd", 5).reading("c").writing("d"),
        ran("da", 6).reading("d").writing("a"),
        ran("side", 7).reading("x").writing("d"),
    )
    return database


class TestPaths:
    def test_are_the_shortest_first_and_come_by_nothing_twice(self, diamond: Database) -> None:
        found = between(diamond, ref("a"), ref("d"))
        assert [told(path) for path in found.paths] == ["a b d", "a c d", "a b c d"]
        assert [path.length for path in found.paths] == [2, 2, 3]
        assert [node.depth for node in found.paths[2].nodes] == [0, 1, 2, 3]
        assert found.truncated_by is None

    def test_of_jobs_have_the_jobs_as_nodes(self, diamond: Database) -> None:
        found = between(diamond, ref("a"), ref("d"), 2, replace(HOW, granularity=Granularity.JOB))
        assert {told(path) for path in found.paths} <= {"a ab b bd d", "a ab2 b bd d", "a ac c cd d"}
        assert found.truncated_by == "first"

    def test_have_all_edges_of_every_hop(self, diamond: Database) -> None:
        path = between(diamond, ref("a"), ref("d"), 1).paths[0]
        assert len(path.edges) == 3
        assert len({edge.job_id for edge in path.edges}) == 3

    def test_are_none_where_nothing_leads(self, diamond: Database) -> None:
        found = between(diamond, ref("a"), ref("x"))
        assert (found.paths, found.truncated_by) == ((), None)

    def test_say_what_cut_them(self, diamond: Database) -> None:
        assert between(diamond, ref("a"), ref("d"), 2).truncated_by == "first"
        assert between(diamond, ref("a"), ref("d"), 3).truncated_by is None
        assert between(diamond, ref("a"), ref("d"), 3, replace(HOW, max_nodes=3)).truncated_by == "maxNodes"

    def test_are_whole_where_one_of_the_two_walks_is(self, database: Database) -> None:
        put(
            database,
            ran("many", 0).reading(*(f"source{n}" for n in range(30)), "a").writing("b"),
        )
        found = between(database, ref("a"), ref("b"), how=replace(HOW, max_nodes=5))
        assert [told(path) for path in found.paths] == ["a b"]
        assert found.truncated_by is None

    def test_are_those_of_the_moment(self, database: Database) -> None:
        put(database, ran("j", 0).reading("a").writing("b"), ran("j", 10).reading("z").writing("b"))
        then = replace(HOW, window=Window(micros(5), micros(5)))
        assert len(between(database, ref("a"), ref("b"), how=then).paths) == 1
        assert between(database, ref("a"), ref("b")).paths == ()

    def test_of_columns_go_on_from_the_whole_dataset_that_a_column_is_of(self, database: Database) -> None:
        joined = [{**named("people"), "field": "id", "transformations": [{"type": "INDIRECT", "subtype": "JOIN"}]}]
        put(
            database,
            ran("j", 0)
            .reading("people")
            .writing("clean", columnLineage=facet(fields=made("mail", ("people", "email", "DIRECT", True)))),
            ran("k", 1)
            .reading("clean")
            .writing("out", columnLineage=facet(fields=made("m", ("clean", "mail", "DIRECT", False)))),
            ran("l", 2).reading("people").writing("out2", columnLineage=facet(fields={}, dataset=joined)),
            ran("m", 3)
            .reading("out2")
            .writing("last", columnLineage=facet(fields=made("n", ("out2", "o", "DIRECT", False)))),
        )
        columns = replace(HOW, granularity=Granularity.COLUMN)
        (path,) = between(database, ref("people", "email"), ref("out", "m"), how=columns).paths
        assert told(path) == "people.email clean.mail out.m"
        assert path.masked
        assert [edge.masked for edge in path.edges] == [True, False]
        (whole,) = between(database, ref("people", "id"), ref("last", "n"), how=columns).paths
        assert told(whole) == "people.id out2 out2.o last.n"
        assert (whole.length, len(whole.edges), whole.masked) == (2, 2, False)
        assert [node.depth for node in whole.nodes] == [0, 1, 1, 2]
        # Asked of datasets, any column of the one to any of the other.
        assert {told(one) for one in between(database, ref("people"), ref("last"), how=columns).paths} == {
            "people people.id out2 out2.o last.n last"
        }
        assert between(database, ref("people", "email"), ref("last", "n"), how=columns).paths == ()

    def test_begin_and_end_at_jobs_and_runs_too(self, diamond: Database) -> None:
        put(diamond, ran("ab", 8, "again").reading("a").writing("b"))
        job, run = EntityKind.JOB, EntityKind.RUN
        assert told(between(diamond, ref("ab", kind=job), ref("d")).paths[0]) == "ab b d"
        assert told(between(diamond, ref("ab", kind=job), ref("cd", kind=job)).paths[0]) == "ab b c cd"
        assert told(between(diamond, ref("x"), ref("ac", kind=job)).paths[0]) == "x d a ac"
        assert told(between(diamond, ref("again", kind=run), ref("c")).paths[0]) == "again b c"
        by_runs = replace(HOW, granularity=Granularity.RUN)
        put(diamond, ran("bc", 9, "reading").reading("b").writing("c"))
        assert told(between(diamond, ref("again", kind=run), ref("reading", kind=run), how=by_runs).paths[0]) == (
            "again reading"
        )
        assert told(between(diamond, ref("again", kind=run), ref("c"), how=by_runs).paths[0]) == "again reading c"

    def test_of_a_thing_to_itself_are_refused(self, diamond: Database) -> None:
        with pytest.raises(BadRequest, match="same thing"):
            between(diamond, ref("a"), ref("a"))

    def test_of_what_nobody_knows_are_refused(self, diamond: Database) -> None:
        with pytest.raises(UnknownEntity, match="nowhere"):
            between(diamond, ref("a"), ref("nowhere"))


class TestCycles:
    def test_are_what_leads_back_with_the_edges_between(self, diamond: Database) -> None:
        found = around(diamond, ref("c"))
        (loop,) = found.loops
        assert {node.name for node in loop.nodes} == {"a", "b", "c", "d"}
        assert len(loop.edges) == 7
        assert found.truncated_by is None

    def test_are_found_from_a_namespace(self, diamond: Database) -> None:
        assert len(around(diamond, namespace="shop").loops) == 1
        assert around(diamond, namespace="elsewhere").loops == ()

    def test_from_a_model_to_its_own_training_data_are_found_among_jobs_too(self, database: Database) -> None:
        put(
            database,
            ran("train", 0).reading("training").writing("model", datasetType=facet(datasetType="MODEL")),
            ran("score", 1).reading("model", "new").writing("scores"),
            ran("collect", 2).reading("scores").writing("training"),
        )
        found = around(database, ref("model", kind=EntityKind.MODEL), how=replace(HOW, granularity=Granularity.JOB))
        (loop,) = found.loops
        assert {node.name for node in loop.nodes} == {"training", "model", "scores", "train", "score", "collect"}

    def test_of_one_thing_are_its_edges_to_itself_and_come_last(self, diamond: Database) -> None:
        put(diamond, ran("merge", 20).reading("x").writing("x"))
        assert [len(loop.nodes) for loop in around(diamond, ref("x")).loops] == [4, 1]

    def test_of_an_answer_that_is_cut_say_so(self, diamond: Database) -> None:
        assert around(diamond, ref("c"), how=replace(HOW, max_nodes=2)).truncated_by == "maxNodes"

    def test_are_none_where_data_only_goes_on(self, database: Database) -> None:
        put(database, declared_job("plan", 0, ["a"], ["b"]))
        assert around(database, ref("a")).loops == ()


class TestDifference:
    def test_says_what_came_what_went_and_what_is_through_another_job(self, database: Database) -> None:
        put(
            database,
            ran("ab", 0).reading("a").writing("b"),
            ran("bc", 1).reading("b").writing("c"),
            ran("bc", 10).reading("z").writing("c"),
            ran("ab", 11).reading("q").writing("r"),
            ran("other", 12).reading("a").writing("b"),
            ran("zb", 13).reading("b").writing("z"),
        )
        first = changes(database, "c", 5, 20, replace(HOW, depth=3))
        assert [node.name for node in first.nodes_added] == ["z"]
        assert [node.name for node in first.nodes_removed] == []
        assert {(one.name, one.depth, other.depth) for one, other in first.nodes_changed} == {
            ("b", -1, -2),
            ("a", -2, -3),
        }
        assert len(first.edges_added) == 2
        assert len(first.edges_removed) == 1
        assert [change.what for change in first.edges_changed] == [("job",)]

    def test_of_two_moments_between_which_nothing_happened_is_empty(self, diamond: Database) -> None:
        found = changes(diamond, "a", 50, 60)
        assert found == changes(diamond, "a", 60, 50)
        assert not any(getattr(found, part) for part in found.__slots__)

    def test_says_when_the_way_the_value_changes_is_another(self, database: Database) -> None:
        for at, masking in ((0, False), (10, True)):
            flows = facet(fields=made("m", ("a", "x", "DIRECT", masking)))
            put(database, ran("j", at).reading("a").writing("b", columnLineage=flows))
        (change,) = changes(database, "b", 5, 20).edges_changed
        assert change.what == ("transformations", "masked")


def test_a_question_costs_as_many_statements_for_many_paths_as_for_one(
    database: Database, statements: Callable[[Database], AbstractContextManager[list[str]]]
) -> None:
    put(database, *(ran(f"j{n}", n).reading("few" if n < 1 else "many", f"in{n}").writing(f"to{n}") for n in range(30)))
    put(database, *(ran(f"k{n}", n + 40).reading(f"to{n}").writing("one" if n < 1 else "all") for n in range(30)))
    with statements(database) as few:
        assert len(between(database, ref("few"), ref("one"), 50).paths) == 1
    with statements(database) as many:
        assert len(between(database, ref("many"), ref("all"), 50).paths) == 29
    assert len(many) == len(few)


def test_loops_of_a_namespace_cost_as_many_statements_for_many_datasets_as_for_two(
    database: Database, statements: Callable[[Database], AbstractContextManager[list[str]]]
) -> None:
    put(database, ran("j", 0).reading(("few", "a")).writing(("few", "b")))
    put(database, *(ran(f"j{n}", n).reading(("many", f"a{n}")).writing(("many", f"b{n}")) for n in range(50)))
    put(database, ran("back", 90).reading(("many", "b7")).writing(("many", "a7")))
    seen = []
    for namespace, loops in (("few", 0), ("many", 1)):
        with statements(database) as asked:
            assert len(around(database, namespace=namespace, how=replace(HOW, hidden=True)).loops) == loops
        seen.append(len(asked))
    assert seen[1] - seen[0] <= 8  # the next level, and what the loop's nodes do not show
