"""A run in an answer as of a moment is what its events had said by then, whatever became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from builders import Ran, dataset, facet, micros, moment, ran
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import execute
from catalog.domain.ids import job_id, run_id
from catalog.ingest.accept import Ingest, Received, project_raw
from catalog.store.engine import Database
from catalog.store.read import events, runs
from catalog.store.read.run_moments import Then
from conftest import NewDatabase
from histories import put, told

Tell = Callable[..., Any]
Ask = Callable[..., Any]
Watch = Callable[[Database], AbstractContextManager[list[str]]]

ROOMY = Limits(max_cost=10_000_000, max_tokens=5_000, max_aliases=100)
SAID = """id name entity { ... on Run {
    runId state conflicting startedAt endedAt nominalStart nominalEnd
    parent { runId state startedAt } ancestors { runId state } root { runId state }
    inputs { version rowCount size lifecycle dataset { name tags { key } } }
    outputs { version rowCount size lifecycle dataset { name description } }
    facets { name payload } error { message } dependencies { triggerRule }
    job { name description latestRun { runId state endedAt } runs { totalCount nodes { runId state facets { name } } } }
    } }"""


def of(*names: str) -> str:
    return "of: [" + ", ".join(f'{{kind: RUN, namespace: "shop", name: "{name}"}}' for name in names) + "]"


def measured(rows: int) -> dict[str, Any]:
    return {"outputStatistics": facet(rowCount=rows, size=rows)}


def counted(story: Ran, name: str, rows: int, label: str) -> Ran:
    """A run that writes this dataset, so many rows of it, as this version."""
    said = dataset(name, {"version": facet(datasetVersion=label)}, outputFacets=measured(rows))
    return Ran(**{**vars(story), "outputs": (*story.outputs, said)})


@pytest.fixture
def went_on(tell: Tell) -> Ran:
    """A run that had said little by 15 and fails at 20, having said more by then."""
    story = ran("etl", 10, "r").reading("raw")
    after = counted(story.inside(ran("dag", 0, "p")), "mart", 7, "v7").failing("disk full")
    tell(story.event("START", 10), after.event("FAIL", 20), ran("etl", 30, "next").writing("mart"))
    return story


class TestANode:
    def node(self, ask: Ask, when: str) -> Any:
        (node,) = ask(f"{{ lineage({of('r')}, granularity: RUN, depth: 0, {when}) {{ nodes {{ {SAID} }} }} }}")[
            "lineage"
        ]["nodes"]
        return node["entity"]

    @pytest.mark.usefixtures("went_on")
    @pytest.mark.parametrize("when", ["asOf: {}", "during: {{from: null, to: {}}}"])
    def test_of_a_run_that_goes_on_is_as_it_was(self, ask: Ask, when: str) -> None:
        was = self.node(ask, when.format(f'"{moment(15)}"'))
        assert (was["state"], was["startedAt"], was["endedAt"]) == ("START", moment(10), None)
        assert (was["parent"], was["ancestors"], was["error"], was["outputs"]) == (None, [], None, [])
        assert [use["dataset"]["name"] for use in was["inputs"]] == ["raw"]
        assert was["facets"] == []

    @pytest.mark.usefixtures("went_on")
    def test_leads_to_the_runs_there_were_as_they_were(self, ask: Ask) -> None:
        was = self.node(ask, f'asOf: "{moment(15)}"')["job"]
        assert was["latestRun"] == {"runId": "r", "state": "START", "endedAt": None}
        assert was["runs"] == {"totalCount": 1, "nodes": [{"runId": "r", "state": "START", "facets": []}]}

    @pytest.mark.usefixtures("went_on")
    @pytest.mark.parametrize("when", ["cumulative: true", f'asOf: "{moment(20)}"', f'asOf: "{moment(99)}"'])
    def test_of_a_run_that_had_said_all_is_as_it_is(self, ask: Ask, when: str) -> None:
        now = self.node(ask, when)
        assert (now["state"], now["endedAt"], now["error"]) == ("FAIL", moment(20), {"message": "disk full"})
        assert (now["parent"]["runId"], [one["runId"] for one in now["ancestors"]]) == ("p", ["p"])
        (wrote,) = now["outputs"]
        assert (wrote["version"], wrote["rowCount"], wrote["dataset"]["name"]) == ("v7", 7, "mart")

    def test_of_a_run_that_ended_in_two_ways_knows_of_the_first_before_the_second(self, tell: Tell, ask: Ask) -> None:
        story = ran("etl", 0, "r")
        tell(story.event("START", 0), story.event("FAIL", 1), story.event("COMPLETE", 2))
        seen = [self.node(ask, f'asOf: "{moment(at)}"') for at in (0, 1, 2)]
        assert [(one["state"], one["conflicting"], one["endedAt"]) for one in seen] == [
            ("START", False, None), ("FAIL", False, moment(1)), ("COMPLETE", True, moment(2)),
        ]  # fmt: skip

    def test_of_a_run_that_was_only_named_by_then_has_its_name_alone(self, tell: Tell, ask: Ask) -> None:
        tell(ran("task", 0).inside(ran("dag", 0, "r")), ran("dag", 10, "r").reading("a").with_facets(x=facet(y=1)))
        was = self.node(ask, f'asOf: "{moment(5)}"')
        assert (was["runId"], was["state"], was["startedAt"], was["endedAt"]) == ("r", "UNKNOWN", None, None)
        assert (was["inputs"], was["facets"], was["job"]["runs"]["totalCount"]) == ([], [], 0)

    def test_known_on_an_earlier_day_has_the_facets_and_inputs_that_had_come_in(
        self, database: Database, ask: Ask
    ) -> None:
        story = ran("etl", 0, "r").reading("a")
        later = story.reading("b").with_facets(x=facet(y=1))
        for day, event in ((10, story.event("START", 0)), (12, later.event("COMPLETE", 1))):
            Ingest(database, clock=partial(micros, day * 1440)).accept([Received(event, "test")])
        days = (f'recordedAsOf: "{moment(day * 1440)}"' for day in (11, 12))
        asked = (*days, f'recordedAsOf: "{moment(12 * 1440)}", asOf: "{moment(0.5)}"')
        was, now, then = (self.node(ask, when) for when in asked)
        assert [(one["state"], len(one["inputs"]), len(one["facets"])) for one in (was, now, then)] == [
            ("START", 1, 0), ("COMPLETE", 2, 1), ("START", 1, 0),
        ]  # fmt: skip


def test_children_and_attempts_are_those_there_were(tell: Tell, ask: Ask) -> None:
    dag = ran("dag", 0, "p")
    said = "children(first: 5) { totalCount nodes { attempts(first: 5) { totalCount nodes { runId state } } } }"
    tell(dag, *(list(ran("task", at, f"t{at}").inside(dag)) for at in (10, 20)))
    for at, seen in (
        (10, [("t10", "START")]),
        (15, [("t10", "COMPLETE")]),
        (20, [("t10", "COMPLETE"), ("t20", "START")]),
    ):
        asked = f'lineage({of("p")}, granularity: RUN, depth: 0, asOf: "{moment(at)}")'
        query = f"{{ {asked} {{ nodes {{ entity {{ ... on Run {{ {said} }} }} }} }} }}"
        (node,) = ask(query)["lineage"]["nodes"]
        children = node["entity"]["children"]
        assert children["totalCount"] == len(children["nodes"]) == len(seen)
        for child in children["nodes"]:
            assert child["attempts"]["totalCount"] == len(seen)
            assert [(one["runId"], one["state"]) for one in child["attempts"]["nodes"]] == seen


def test_no_run_of_an_answer_began_after_its_moment(tell: Tell, ask: Ask) -> None:
    tell(*(list(ran("etl", at).reading("raw").writing("mart")) for at in range(0, 50, 10)))
    shown = "runId startedAt state"
    for at in (1, 10.5, 25, 39):
        asked = f'of: [{{kind: DATASET, namespace: "shop", name: "raw"}}], granularity: JOB, asOf: "{moment(at)}"'
        entity = f"entity {{ ... on Job {{ latestRun {{ {shown} }} runs {{ nodes {{ {shown} }} }} }} }}"
        found = ask(f"{{ lineage({asked}) {{ nodes {{ {entity} }} edges {{ lastRun {{ {shown} }} }} }} }}")["lineage"]
        (job,) = (node["entity"] for node in found["nodes"] if node["entity"])
        last = [edge["lastRun"] for edge in found["edges"]]
        assert job["latestRun"] in job["runs"]["nodes"]
        assert all(one["startedAt"] <= moment(at) for one in (*last, *job["runs"]["nodes"]))
        assert {one["state"] for one in last} == {"COMPLETE"}


def test_of_a_run_with_very_many_events_state_and_times_are_exact_all_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "READ_AT_MOST", 2)
    story = counted(ran("j", 0, "r").inside(ran("dag", 0, "p")), "out", 3, "v1")
    sent = [story.event("START", 0), *(story.event("RUNNING", at) for at in range(1, 9)), story.event("COMPLETE", 9)]
    Ingest(database).accept([Received(event, "test") for event in sent])
    id, then = run_id(job_id("shop", "j"), "r"), Then(micros(6), project_raw)
    with database.read() as connection:
        row = runs.by_ids(connection, [id], then)[id]
        (use,) = runs.outputs(connection, [id], then)[id]
    assert (row.state.name, row.started_at, row.last_at, row.ended_at) == ("RUNNING", micros(0), micros(6), None)
    assert (row.parent_id, use.label, use.rows) == (run_id(job_id("shop", "dag"), "p"), "v1", 3)


RUNS, TIMES = ("r0", "r1", "r2"), range(5)


@st.composite
def _events(draw: st.DrawFn) -> bytes:
    """An event of one of the runs, which may say anything that runs say."""
    name, state = draw(st.sampled_from(RUNS)), draw(st.sampled_from(("START", "RUNNING", "COMPLETE", "FAIL", "OTHER")))
    said: dict[str, Any] = {}
    if draw(st.booleans()):
        said["parent"] = facet(
            run={"runId": draw(st.sampled_from(("p", "q", *RUNS)))}, job={"namespace": "shop", "name": "dag"}
        )
    if draw(st.booleans()):
        said["nominalTime"] = facet(nominalStartTime=moment(draw(st.integers(0, 2))))
    if draw(st.booleans()):
        said["errorMessage"] = facet(message=draw(st.sampled_from("ab")), programmingLanguage="PYTHON")
    story = ran("etl", 0, name).with_facets(**said)
    for names, role in ((("a", "b"), "inputs"), (("b", "c"), "outputs")):
        for used in draw(st.lists(st.sampled_from(names), max_size=2, unique=True)):
            facets: dict[str, Any] = {}
            if draw(st.booleans()):
                facets["version"] = facet(datasetVersion=draw(st.sampled_from("xy")))
            if draw(st.booleans()):
                facets["tags"] = facet(tags=[{"key": draw(st.sampled_from("tu")), "value": "true"}])
            if role == "outputs" and draw(st.booleans()):
                facets["lifecycleStateChange"] = facet(lifecycleStateChange="TRUNCATE")
            io = {"outputFacets": measured(draw(st.integers(0, 3)))} if role == "outputs" else {}
            story = Ran(**{**vars(story), role: (*vars(story)[role], dataset(used, facets, **io))})
    at: int = draw(st.sampled_from(TIMES))
    return story.event(state, at)


def test_as_of_a_moment_runs_are_as_a_catalog_shows_them_that_heard_nothing_later(
    new_database: NewDatabase, engine_name: str
) -> None:
    def said(database: Database, names: Iterable[str], when: str = "") -> Any:
        query = f"{{ lineage({of(*names)}, granularity: RUN, depth: 0{when}) {{ nodes {{ {SAID} }} }} }}"
        result = execute(database, query, limits=ROOMY)
        assert result.errors is None, result.errors
        return orjson.loads(orjson.dumps(result.data))["lineage"]["nodes"]

    def time_and_run(event: bytes) -> tuple[str, str]:
        said = orjson.loads(event)
        return said["eventTime"], said["run"]["runId"]

    with new_database() as whole, new_database() as beginning:

        @settings(max_examples=settings().max_examples // (5 if engine_name == "sqlite" else 15))
        @given(st.lists(_events(), min_size=1, max_size=8))
        def answers_agree(events: list[bytes]) -> None:
            note(told(events))
            put(whole, [events])
            for at in (time for time in TIMES if any(time_and_run(event)[0] == moment(time) for event in events)):
                heard = [event for event in events if time_and_run(event)[0] <= moment(at)]
                names = sorted({time_and_run(event)[1] for event in heard})
                put(beginning, [heard])
                assert said(whole, names, f', asOf: "{moment(at)}"') == said(beginning, names)

        answers_agree()


MANY = 50


@pytest.fixture(scope="module")
def few_and_many(new_database: NewDatabase) -> Iterator[tuple[Database, Database]]:
    with new_database() as few, new_database() as many:
        for database, count in ((few, 1), (many, MANY)):
            sent = [*ran("load", 0).writing("hub")]
            for n in range(count):
                story = counted(ran(f"fan{n}", 10).inside(ran(f"dag{n}", 5)), f"spoke{n}", n, "v").reading("hub")
                sent += [*ran(f"dag{n}", 5), *story, *ran(f"fan{n}", 20).writing(f"spoke{n}")]
            Ingest(database).accept([Received(event, "test") for event in sent])
        yield few, many


def test_many_runs_as_they_were_cost_no_more_statements_than_one(
    few_and_many: tuple[Database, Database], statements: Watch
) -> None:
    hub = 'of: [{kind: DATASET, namespace: "shop", name: "hub"}], granularity: RUN'
    query = f"""{{ lineage({hub}, asOf: "{moment(10.5)}") {{ nodes {{ {SAID} entity {{ ... on Run {{
        children {{ totalCount nodes {{ runId }} }} attempts {{ totalCount nodes {{ runId }} }} }} }} }}
        edges {{ lastRun {{ state facets {{ name }} }} }} }} }}"""
    seen, nodes = [], []
    for database in few_and_many:
        with statements(database) as asked:
            result = execute(database, query, limits=ROOMY)
        assert result.errors is None, result.errors
        assert result.data is not None
        seen.append(len(asked))
        nodes.append([node["entity"] for node in result.data["lineage"]["nodes"] if node["entity"].get("runId")])
    assert len(nodes[1]) >= MANY
    assert {one["state"] for one in nodes[1] if one["job"]["name"] != "load"} == {"START"}
    few, many = seen
    assert many <= few
