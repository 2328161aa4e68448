"""What is said of things in an answer is as of its moment, and as it was known on the day that is asked about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import orjson
import pytest
from graphql import GraphQLError
from hypothesis import given, note, settings
from hypothesis import strategies as st

from builders import also_known_as, columns, declared_dataset, declared_job, facet, micros, moment, ran
from catalog.api.graphql.context import Bounds
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import execute
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database
from conftest import NewDatabase
from histories import put, told

Tell = Callable[..., Any]
Ask = Callable[..., Any]
Refusal = Callable[..., GraphQLError]

ROOMY = Limits(max_cost=10_000_000, max_tokens=5_000, max_aliases=100)
DAY = 1440
MONDAY, TUESDAY, WEDNESDAY = (moment(day * DAY) for day in (10, 11, 12))


def tagged(*keys: str, **on_columns: str) -> dict[str, Any]:
    whole = [{"key": key, "value": "true"} for key in keys]
    return facet(tags=[*whole, *({"key": key, "value": "true", "field": name} for name, key in on_columns.items())])


def owned(*names: str) -> dict[str, Any]:
    return facet(owners=[{"name": name, "type": "OWNER"} for name in names])


def of(name: str, kind: str = "DATASET") -> str:
    return f'of: [{{kind: {kind}, namespace: "shop", name: "{name}"}}]'


def receive(database: Database, day: int, events: Iterable[bytes]) -> None:
    """Take events in on a day."""
    Ingest(database, clock=lambda: micros(day * DAY)).accept([Received(event, "test") for event in events])


SAID = """kind name tags owners entity {
    ... on Dataset {
        type subType description tags { key } owners { name } fields { name type ordinal tags { key } }
        facets { name validFrom } facet(name: "schema") { payload } schemaHistory { validFrom fields { name } }
        latestVersion { createdAt }
    }
    ... on Job {
        type integration processingType description tags { key } owners { name }
        facets { name validFrom } facet(name: "sql") { payload } sql sourceCode sourceCodeLocation { url }
    } }"""


class TestAsOf:
    @pytest.fixture
    def changed(self, tell: Tell) -> None:
        tell(
            ran("etl", 0)
            .job_with(tags=tagged("nightly"), ownership=owned("ann"), sql=facet(query="select 1"))
            .reading("raw")
            .writing(
                "mart", tags=tagged("pii", a="secret"), ownership=owned("ann"), schema=columns(a="int"),
                documentation=facet(description="old"), datasetType=facet(datasetType="TABLE"),
            ),
            ran("etl", 100)
            .job_with(tags=tagged("hourly"), ownership=owned("ben"), sql=facet(query="select 2"))
            .reading("raw")
            .writing(
                "mart", tags=tagged("public"), ownership=owned("ben"), schema=columns(a="int", b="text"),
                documentation=facet(description="new"), datasetType=facet(datasetType="MODEL"),
            ),
        )  # fmt: skip

    def of_mart(self, ask: Ask, when: str) -> Any:
        (node,) = ask(f"{{ lineage({of('mart')}, depth: 0, {when}) {{ nodes {{ {SAID} }} }} }}")["lineage"]["nodes"]
        return node

    @pytest.mark.usefixtures("changed")
    @pytest.mark.parametrize("when", ["asOf: {}", "during: {{from: null, to: {}}}"])
    def test_a_node_and_its_entity_are_as_they_were(self, ask: Ask, when: str) -> None:
        node = self.of_mart(ask, when.format(f'"{moment(50)}"'))
        entity = node["entity"]
        assert (node["kind"], node["tags"], node["owners"]) == ("DATASET", ["pii"], ["ann"])
        assert (entity["type"], entity["description"]) == ("TABLE", "old")
        assert (entity["tags"], entity["owners"]) == ([{"key": "pii"}], [{"name": "ann"}])
        assert entity["fields"] == [{"name": "a", "type": "int", "ordinal": 1, "tags": [{"key": "secret"}]}]
        assert {each["validFrom"] for each in entity["facets"]} == {moment(0)}
        assert [field["name"] for field in entity["facet"]["payload"]["fields"]] == ["a"]
        assert [one["validFrom"] for one in entity["schemaHistory"]] == [moment(0)]
        assert entity["latestVersion"] == {"createdAt": moment(1)}

    @pytest.mark.usefixtures("changed")
    @pytest.mark.parametrize("when", ["cumulative: false", "cumulative: true", f'asOf: "{moment(200)}"'])
    def test_now_and_of_all_time_they_are_as_they_are(self, ask: Ask, when: str) -> None:
        node = self.of_mart(ask, when)
        entity = node["entity"]
        assert (node["kind"], node["tags"], node["owners"]) == ("MODEL", ["public"], ["ben"])
        assert (entity["type"], entity["description"]) == ("MODEL", "new")
        assert [field["name"] for field in entity["fields"]] == ["a", "b"]
        assert [one["validFrom"] for one in entity["schemaHistory"]] == [moment(0), moment(100)]

    @pytest.mark.usefixtures("changed")
    def test_jobs_are_as_they_were_on_nodes_and_on_edges(self, ask: Ask) -> None:
        said = f"""{{ lineage({of("mart")}, granularity: JOB, asOf: "{moment(50)}") {{
            nodes {{ kind tags owners entity {{ ... on Job {{ sql tags {{ key }} }} }} }}
            edges {{ job {{ sql owners {{ name }} }} }} }} }}"""
        found = ask(said)["lineage"]
        (node,) = (node for node in found["nodes"] if node["kind"] == "JOB")
        assert (node["tags"], node["owners"]) == (["nightly"], ["ann"])
        assert node["entity"] == {"sql": "select 1", "tags": [{"key": "nightly"}]}
        assert {edge["job"]["sql"] for edge in found["edges"]} == {"select 1"}
        assert found["edges"][0]["job"]["owners"] == [{"name": "ann"}]

    @pytest.mark.usefixtures("changed")
    def test_a_column_has_the_tags_it_had_and_the_owners_of_its_dataset(self, ask: Ask) -> None:
        column = 'of: [{kind: COLUMN, namespace: "shop", name: "mart", column: "a"}]'
        for at, tags, owners in ((50, ["secret"], ["ann"]), (150, [], ["ben"])):
            when = f'granularity: COLUMN, depth: 0, asOf: "{moment(at)}"'
            found = ask(f"{{ lineage({column}, {when}) {{ nodes {{ tags owners }} }} }}")
            assert found["lineage"]["nodes"] == [{"tags": tags, "owners": owners}]

    @pytest.mark.usefixtures("changed")
    def test_a_field_asked_for_a_moment_of_its_own_answers_for_that(self, ask: Ask) -> None:
        later = f'asOf: "{moment(150)}"'
        found = ask(
            f"""{{ lineage({of("mart")}, depth: 0, asOf: "{moment(50)}") {{ nodes {{ entity {{ ... on Dataset {{
                tags({later}) {{ key }} owners({later}) {{ name }} schemaHistory({later}) {{ validFrom }} }} }} }} }}
            job(namespace: "shop", name: "etl") {{ sql(asOf: "{moment(50)}") tags(asOf: "{moment(50)}") {{ key }}
                owners {{ name }} }} }}"""
        )
        (node,) = found["lineage"]["nodes"]
        assert (node["entity"]["tags"], node["entity"]["owners"]) == ([{"key": "public"}], [{"name": "ben"}])
        assert len(node["entity"]["schemaHistory"]) == 2
        assert found["job"] == {"sql": "select 1", "tags": [{"key": "nightly"}], "owners": [{"name": "ben"}]}

    @pytest.mark.usefixtures("changed")
    def test_counts_of_an_impact_are_by_the_tags_owners_and_kinds_of_then(self, ask: Ask) -> None:
        counts = "byKind { kind } byTag { name } byOwner { name }"
        for at, kind, tag, owner in ((50, "DATASET", "pii", "ann"), (150, "MODEL", "public", "ben")):
            found = ask(f'{{ impact({of("raw")}, asOf: "{moment(at)}") {{ {counts} }} }}')["impact"]
            assert found == {"byKind": [{"kind": kind}], "byTag": [{"name": tag}], "byOwner": [{"name": owner}]}

    @pytest.mark.usefixtures("changed")
    def test_both_sides_of_a_difference_are_each_as_of_their_moment(self, ask: Ask) -> None:
        tell_apart = f'from: "{moment(-1)}", to: "{moment(50)}"'
        found = ask(f"{{ lineageDiff({of('mart')}, {tell_apart}) {{ nodesAdded {{ name tags }} }} }}")
        assert found["lineageDiff"]["nodesAdded"] == [{"name": "raw", "tags": []}]
        back = f'from: "{moment(50)}", to: "{moment(-1)}"'
        (gone,) = ask(f"{{ lineageDiff({of('raw')}, {back}) {{ nodesRemoved {{ name tags owners }} }} }}")[
            "lineageDiff"
        ]["nodesRemoved"]
        assert gone == {"name": "mart", "tags": ["pii"], "owners": ["ann"]}

    @pytest.mark.usefixtures("changed")
    def test_an_event_that_comes_late_corrects_what_was_said_then_and_not_what_is(self, tell: Tell, ask: Ask) -> None:
        tell(declared_dataset("mart", 40, tags=tagged("reviewed"), ownership=owned("eve")))
        before, then, now = (self.of_mart(ask, f'asOf: "{moment(at)}"') for at in (39, 40, 150))
        assert [(node["tags"], node["owners"]) for node in (before, then, now)] == [
            (["pii"], ["ann"]), (["reviewed"], ["eve"]), (["public"], ["ben"]),
        ]  # fmt: skip

    def test_what_was_taken_back_is_gone_from_then_on(self, tell: Tell, ask: Ask) -> None:
        gone, model = facet(_deleted=True), facet(datasetType="MODEL")
        tell(
            declared_dataset("mart", 0, tags=tagged("pii"), ownership=owned("ann"), datasetType=model),
            declared_dataset("mart", 10, tags=gone, ownership=gone, datasetType=gone),
            declared_dataset("mart", 20, tags=tagged("late")),
        )  # fmt: skip
        said = [self.of_mart(ask, f'asOf: "{moment(at)}"') for at in (5, 15, 25)]
        assert [(node["kind"], node["tags"], node["owners"]) for node in said] == [
            ("MODEL", ["pii"], ["ann"]), ("DATASET", [], []), ("DATASET", ["late"], []),
        ]  # fmt: skip
        assert [node["entity"]["type"] for node in said] == ["MODEL", None, None]

    def test_of_several_names_the_one_that_spoke_last_tells_what_it_was(self, tell: Tell, ask: Ask) -> None:
        tell(
            declared_dataset("mart", 0, symlinks=also_known_as("files"), tags=tagged("a"), ownership=owned("ann")),
            declared_dataset("files", 10, tags=tagged("b"), documentation=facet(description="of files")),
            declared_dataset("mart", 20, tags=tagged("c"), documentation=facet(description="of mart")),
        )
        said = [self.of_mart(ask, f'asOf: "{moment(at)}"') for at in (5, 15, 25)]
        assert [node["tags"] for node in said] == [["a"], ["b"], ["c"]]
        assert [node["entity"]["description"] for node in said] == [None, "of files", "of mart"]


_SAID = {
    "tags": [tagged(), tagged("x"), tagged("x", "y", a="z"), facet(_deleted=True), facet(tags="no list")],
    "ownership": [owned("u"), owned("v", "u"), facet(_deleted=True)],
    "schema": [columns(a="int"), columns(a="text", b="int"), facet(_deleted=True)],
    "documentation": [facet(description="one"), facet(description="two"), facet(_deleted=True)],
    "datasetType": [facet(datasetType="TABLE"), facet(datasetType="model", subType="s"), facet(_deleted=True)],
    "jobType": [facet(processingType="BATCH", integration="X", jobType="TASK"), facet(_deleted=True)],
    "sql": [facet(query="select 1"), facet(query="select 2")],
}
_OF_JOBS = ("tags", "ownership", "documentation", "jobType", "sql")
_OF_DATASETS = ("tags", "ownership", "schema", "documentation", "datasetType")
_TIMES = range(4)


def _facets(names: Sequence[str]) -> st.SearchStrategy[Mapping[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: st.sampled_from(_SAID[name]) for name in names})


_at, _datasets = st.sampled_from(_TIMES), st.sampled_from(("a", "b", "c"))
_stories = st.one_of(
    st.builds(lambda name, at, said: [declared_dataset(name, at, **said)], _datasets, _at, _facets(_OF_DATASETS)),
    st.builds(lambda at, said: [declared_job("etl", at, ["a"], **said)], _at, _facets(_OF_JOBS)),
    st.builds(
        lambda name, at, job, out: list(ran("etl", at).job_with(**job).reading("a").writing(name, **out)),
        _datasets, _at, _facets(_OF_JOBS), _facets(_OF_DATASETS),
    ),
)  # fmt: skip
# From the beginning two names are one dataset: of names that are joined later, what is known now holds at all times.
_JOINED = declared_dataset("c", -1, symlinks=also_known_as("b"))


def _time_of(event: bytes) -> Any:
    return orjson.loads(event)["eventTime"]


def test_as_of_a_moment_everything_is_as_a_catalog_shows_that_heard_nothing_later(
    new_database: NewDatabase, engine_name: str
) -> None:
    known = ('{kind: DATASET, namespace: "shop", name: "c"}', '{kind: DATASET, namespace: "shop", name: "a"}')
    job = '{kind: JOB, namespace: "shop", name: "etl"}'

    def said(database: Database, names: Iterable[str], when: str) -> Any:
        query = f"{{ lineage(of: [{', '.join(names)}], granularity: JOB, depth: 0{when}) {{ nodes {{ {SAID} }} }} }}"
        result = execute(database, query, limits=ROOMY)
        assert result.errors is None, result.errors
        return orjson.loads(orjson.dumps(result.data))["lineage"]["nodes"]

    with new_database() as whole, new_database() as beginning:

        @settings(max_examples=settings().max_examples // (5 if engine_name == "sqlite" else 15))
        @given(st.data())
        def answers_agree(data: st.DataObject) -> None:
            stories = data.draw(st.lists(_stories, min_size=1, max_size=6))
            events = data.draw(st.permutations([event for story in stories for event in story]))
            note(told(events))
            start = [_JOINED, declared_dataset("a", -1), declared_job("etl", -1)]
            put(whole, [events, start])
            for at in (time for time in _TIMES if any(_time_of(event) == moment(time) for event in events)):
                put(beginning, [[*start, *(event for event in events if _time_of(event) <= moment(at))]])
                then = said(whole, (*known, job), f', asOf: "{moment(at)}"')
                assert then == said(beginning, (*known, job), "")

        answers_agree()


class TestRecordedAsOf:
    """The two times; see `docs/explanation/time.md`, whose Monday is day 10 here."""

    @pytest.fixture
    def corrected(self, database: Database) -> None:
        v1, v2 = ({"tags": tagged(key), "ownership": owned(name)} for key, name in (("v1", "ann"), ("v2", "ben")))
        first = ran("score", 10 * DAY - 120).reading("features_v1").writing("scores", **v1)
        second = ran("score", 10 * DAY - 60).reading("features_v2").writing("scores", **v2)
        receive(database, 10, list(first)[-1:])
        receive(database, 12, list(second)[-1:])

    @pytest.mark.usefixtures("corrected")
    @pytest.mark.parametrize(
        ("when", "source"),
        [
            ("", "features_v2"),
            (f', asOf: "{moment(10 * DAY - 90)}"', "features_v1"),
            (f', asOf: "{MONDAY}"', "features_v2"),
            (f', asOf: "{MONDAY}", recordedAsOf: "{TUESDAY}"', "features_v1"),
            (f', recordedAsOf: "{TUESDAY}"', "features_v1"),
            (f', recordedAsOf: "{WEDNESDAY}"', "features_v2"),
        ],
    )
    def test_the_example_of_the_page_on_time_holds(self, ask: Ask, when: str, source: str) -> None:
        found = ask(
            f"""{{ lineage({of("scores")}, direction: UPSTREAM{when}) {{ nodes {{ name }} asOf recordedAsOf }}
            impact({of("scores")}, direction: UPSTREAM{when}) {{ total byNamespace {{ name count }} }}
            paths(from: {{kind: DATASET, namespace: "shop", name: "{source}"}},
                  to: {{kind: DATASET, namespace: "shop", name: "scores"}}{when}) {{ nodes {{ name }} }} }}"""
        )
        assert [node["name"] for node in found["lineage"]["nodes"]] == ["scores", source]
        assert found["lineage"]["recordedAsOf"] == next((at for at in (TUESDAY, WEDNESDAY) if at in when), None)
        assert found["impact"] == {"total": 1, "byNamespace": [{"name": "shop", "count": 1}]}
        assert found["paths"] == [{"nodes": [{"name": source}, {"name": "scores"}]}]

    @pytest.mark.usefixtures("corrected")
    def test_a_picture_says_when_its_answer_was_known(self, ask: Ask) -> None:
        for when, said in ((f', recordedAsOf: "{TUESDAY}"', ", as recorded by 2026-01-"), ("", "1 edge.</desc>")):
            assert said in ask(f"{{ lineage({of('scores')}, direction: UPSTREAM{when}) {{ svg }} }}")["lineage"]["svg"]

    @pytest.mark.usefixtures("corrected")
    def test_tags_owners_and_the_entity_are_what_was_known(self, ask: Ask) -> None:
        said = "nodes { tags owners entity { ... on Dataset { tags { key } facets { name } } } }"
        for when, tag, owner in ((TUESDAY, "v1", "ann"), (WEDNESDAY, "v2", "ben")):
            asked = f'lineage(depth: 0, recordedAsOf: "{when}") {{ {said} }}'
            found = ask(f'{{ dataset(namespace: "shop", name: "scores") {{ {asked} }} }}')
            (node,) = found["dataset"]["lineage"]["nodes"]
            assert (node["tags"], node["owners"], node["entity"]["tags"]) == ([tag], [owner], [{"key": tag}])
            assert len(node["entity"]["facets"]) == 2

    @pytest.mark.usefixtures("corrected")
    def test_an_entity_leads_on_to_what_is_known_now(self, ask: Ask) -> None:
        asked = f'lineage({of("scores")}, depth: 0, recordedAsOf: "{TUESDAY}")'
        leads = "entity { id ... on Dataset { producers { name outputs { name tags { key } } } } }"
        (node,) = ask(f"{{ {asked} {{ nodes {{ {leads} }} }} }}")["lineage"]["nodes"]
        outputs = [{"name": "scores", "tags": [{"key": "v2"}]}]
        assert node["entity"]["producers"] == [{"name": "score", "outputs": outputs}]

    @pytest.mark.usefixtures("corrected")
    def test_a_difference_shows_what_a_correction_changed(self, ask: Ask) -> None:
        asked = f'from: "{MONDAY}", to: "{MONDAY}", fromRecorded: "{TUESDAY}", toRecorded: "{WEDNESDAY}"'
        found = ask(f"{{ lineageDiff({of('scores')}, {asked}) {{ nodesAdded {{ name }} nodesRemoved {{ name }} }} }}")
        assert found["lineageDiff"] == {
            "nodesAdded": [{"name": "features_v2"}],
            "nodesRemoved": [{"name": "features_v1"}],
        }

    def test_names_that_were_joined_since_are_two_datasets_then(self, database: Database, ask: Ask) -> None:
        receive(database, 10, [*ran("load").writing("a_table"), *ran("copy", 1).reading("files").writing("copied")])
        receive(database, 12, [declared_dataset("a_table", 2, symlinks=also_known_as("files"))])
        said = "nodes { name entity { ... on Dataset { aliases { name } consumers { name } } } }"
        for when, expected in ((TUESDAY, ("files", [])), (WEDNESDAY, ("a_table", [{"name": "files"}]))):
            asked = f'lineage({of("files")}, depth: 0, recordedAsOf: "{when}") {{ {said} }}'
            (node,) = ask(f"{{ {asked} }}")["lineage"]["nodes"]
            assert (node["name"], node["entity"]["aliases"]) == expected
            assert node["entity"]["consumers"] == [{"name": "copy"}]

    @pytest.mark.usefixtures("corrected")
    def test_what_was_not_heard_of_yet_and_what_is_to_come_are_errors_that_say_so(self, refusal: Refusal) -> None:
        before = refusal(f'{{ lineage({of("scores")}, recordedAsOf: "{moment(0)}") {{ truncated }} }}')
        assert (before.extensions or {})["code"] == "NOT_FOUND"
        assert before.message == "There is no dataset 'scores' in namespace 'shop'. At least nobody knew of it then."
        ahead = refusal(f'{{ lineage({of("scores")}, recordedAsOf: "9999-01-01T00:00:00Z") {{ truncated }} }}')
        assert "in the future" in ahead.message

    @pytest.mark.usefixtures("corrected")
    def test_one_operation_reads_no_more_of_the_log_again_than_is_allowed(self, database: Database) -> None:
        asked = f'lineage({of("scores")}, recordedAsOf: "{WEDNESDAY}") {{ truncated }}'
        other = f'lineage({of("features_v1")}, recordedAsOf: "{WEDNESDAY}") {{ truncated }}'

        def answered(query: str, most: int) -> Any:
            return execute(database, query, bounds=Bounds(max_entries=most))

        assert answered(f"{{ {asked} again: {asked} }}", 2).errors is None
        (error,) = answered(f"{{ {asked} other: {other} }}", 3).errors
        assert "more than 1 entries" in error.message
        assert "CATALOG_LINEAGE_MAX_ENTRIES" in error.message


Watch = Callable[[Database], AbstractContextManager[list[str]]]


@pytest.mark.parametrize("when", [f'asOf: "{moment(5000)}"', f'asOf: "{moment(5000)}", recordedAsOf: "{WEDNESDAY}"'])
def test_what_was_said_of_many_costs_no_more_statements_than_of_few(
    database: Database, statements: Watch, when: str
) -> None:
    def fan(hub: str, count: int) -> list[bytes]:
        said = {"tags": tagged("x"), "ownership": owned("y"), "schema": columns(a="int")}
        return [
            event for n in range(count)
            for event in ran(f"{hub}{n}", n).job_with(tags=tagged("x")).reading(hub).writing(f"{hub}_out{n}", **said)
        ]  # fmt: skip

    receive(database, 10, [*fan("few", 2), *fan("many", 40)])
    counts = []
    for hub in ("few", "many"):
        asked = (
            f"lineage({of(hub)}, granularity: JOB, {when}) {{ nodes {{ {SAID} }} edges {{ job {{ description }} }} }}"
        )
        with statements(database) as seen:
            result = execute(database, f"{{ {asked} }}", limits=ROOMY)
        assert result.errors is None, result.errors
        counts.append(len(seen))
    assert counts[1] <= counts[0]
