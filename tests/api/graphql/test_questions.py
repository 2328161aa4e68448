"""Questions about lineage as clients put them, of a lender's sixty days: each has an answer one can check by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from graphql import GraphQLError

from builders import ran
from catalog.api.graphql.context import Bounds
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import execute
from catalog.store.engine import Database

Tell = Callable[..., Any]
Ask = Callable[..., Any]
Refusal = Callable[..., GraphQLError]

ROOMY = Limits(max_cost=10_000_000, max_tokens=5_000)
WAREHOUSE, LAKE, AIRFLOW = "snowflake://harbour-eu", "s3://harbour-lake", "harbour-airflow"


def thing(name: str, namespace: str = WAREHOUSE, kind: str = "DATASET", column: str | None = None) -> str:
    more = f', column: "{column}"' if column else ""
    return f'{{kind: {"COLUMN" if column else kind}, namespace: "{namespace}", name: "{name}"{more}}}'


BUREAU, SCORES = thing("landing/bureau/scores", LAKE), thing("lending.scoring.scores")


@pytest.fixture
def of_demo(demo: Database) -> Ask:
    def answer(query: str, bounds: Bounds = Bounds()) -> Any:  # noqa: B008 - frozen
        result = execute(demo, f"{{ {query} }}", limits=ROOMY, bounds=bounds)
        assert result.errors is None, result.errors
        (answered,) = orjson.loads(orjson.dumps(result.data)).values()
        return answered

    return answer


class TestPaths:
    def test_say_of_every_hop_by_which_job_and_how_the_value_changes(self, of_demo: Ask) -> None:
        found = of_demo(
            f"paths(from: {BUREAU}, to: {SCORES}) {{ length masked nodes {{ name depth entity {{ __typename }} }} "
            "edges { source target derivation masked job { name } lastRun { runId } transformations { subtype } } }"
        )
        assert [path["length"] for path in found] == sorted(path["length"] for path in found)
        shortest = found[0]
        assert [node["name"].rpartition(".")[2] for node in shortest["nodes"]] == [
            "landing/bureau/scores", "bureau_scores", "bureau_history", "applicant_v2", "scores"
        ]  # fmt: skip
        assert [node["depth"] for node in shortest["nodes"]] == list(range(5))
        jobs = [edge["job"]["name"].removeprefix("nightly_lending.") for edge in shortest["edges"]]
        assert jobs == ["stage_bureau", "build_bureau_history", "build_applicant_v2", "score_applications"]
        assert {"IDENTITY", "TRANSFORMATION"} == {how["subtype"] for how in shortest["edges"][0]["transformations"]}
        assert all(edge["lastRun"] for edge in shortest["edges"])
        assert any("credit_risk" in [node["name"] for node in path["nodes"]] for path in found)

    def test_of_a_tax_number_are_all_masked(self, of_demo: Ask) -> None:
        number = thing("landing/bureau/scores", LAKE, column="tax_number")
        found = of_demo(
            f"paths(from: {number}, to: {thing('lending.features.applicant_v2')}, granularity: COLUMN) "
            "{ masked edges { masked transformations { description masking } } nodes { column } }"
        )
        assert found
        assert all(path["masked"] for path in found)
        (hashed,) = found[0]["edges"][0]["transformations"]
        assert hashed == {"description": "hmac_sha256(tax_number)", "masking": True}

    def test_are_those_of_the_moment(self, of_demo: Ask) -> None:
        asked = f"from: {thing('lending.features.applicant')}, to: {SCORES}"
        assert of_demo(f"paths({asked}) {{ length }}") == []
        assert of_demo(f'paths({asked}, asOf: "2026-10-19T12:00:00Z") {{ length }}') == [{"length": 1}]

    def test_that_were_searched_in_part_only_are_an_error_that_says_where_to_get_them(
        self, demo: Database, of_demo: Ask
    ) -> None:
        small = Bounds(max_nodes=4)
        refused = execute(demo, f"{{ paths(from: {BUREAU}, to: {SCORES}) {{ length }} }}", bounds=small)
        assert refused.errors is not None
        assert "pathSearch" in refused.errors[0].message
        assert refused.errors[0].extensions == {"code": "LIMIT_EXCEEDED", "limit": "maxNodes"}
        found = of_demo(f"pathSearch(from: {BUREAU}, to: {SCORES}) {{ truncated truncatedBy }}", small)
        assert found == {"truncated": True, "truncatedBy": "maxNodes"}

    def test_that_are_only_the_first_are_told_as_such(self, of_demo: Ask) -> None:
        asked = f"from: {BUREAU}, to: {SCORES}, first: 1"
        found = of_demo(f"pathSearch({asked}) {{ truncated truncatedBy paths {{ length }} }}")
        assert found == {"truncated": True, "truncatedBy": "first", "paths": [{"length": 4}]}
        assert of_demo(f"paths({asked}) {{ length }}") == [{"length": 4}]

    def test_count_the_neighbours_they_do_not_show(self, of_demo: Ask) -> None:
        asked = f"from: {thing('landing/bureau/scores', LAKE)}, to: {thing('lending.staging.bureau_scores')}"
        (path,) = of_demo(f"paths({asked}) {{ nodes {{ hiddenUpstream hiddenDownstream }} }}")
        assert path["nodes"] == [
            {"hiddenUpstream": 1, "hiddenDownstream": 0}, {"hiddenUpstream": 0, "hiddenDownstream": 1}
        ]  # fmt: skip


class TestImpact:
    def test_is_counted_as_the_nodes_of_the_lineage_are(self, of_demo: Ask) -> None:
        counts = of_demo(
            f"impact(of: [{BUREAU}]) {{ total truncated truncatedBy withoutOwner byKind {{ kind count }} "
            "byDepth { depth count } byNamespace { name count } byOwner { name count } byTag { name count } }"
        )
        asked = f"lineage(of: [{BUREAU}], direction: DOWNSTREAM, depth: null)"
        nodes = of_demo(f"{asked} {{ nodes {{ kind namespace depth owners tags }} }}")["nodes"][1:]

        def counted(key: str) -> dict[str, int]:
            said = [node[key] if isinstance(node[key], list) else [node[key]] for node in nodes]
            return {one: sum(one in each for each in said) for each in said for one in each}

        assert counts["total"] == len(nodes) == 17
        assert {one["kind"]: one["count"] for one in counts["byKind"]} == counted("kind")
        assert {one["depth"]: one["count"] for one in counts["byDepth"]} == counted("depth")
        for list_, key in (("byNamespace", "namespace"), ("byOwner", "owners"), ("byTag", "tags")):
            assert {one["name"]: one["count"] for one in counts[list_]} == counted(key)
        assert (counts["withoutOwner"], counts["truncated"], counts["truncatedBy"]) == (0, False, None)

    def test_of_more_than_the_server_walks_says_so(self, of_demo: Ask) -> None:
        found = of_demo(f"impact(of: [{BUREAU}]) {{ total truncatedBy }}", Bounds(max_nodes=5))
        assert found == {"total": 4, "truncatedBy": "maxNodes"}


class TestRootCandidates:
    SHOWN = (
        "moment since truncated truncatedBy candidates { reason distance at detail node { kind name } "
        "run { runId state error { message } } facet { name scope payload } }"
    )

    def test_of_stale_features_are_the_failed_staging_with_its_error(self, of_demo: Ask) -> None:
        features = thing("lending.features.payment_behaviour")
        found = of_demo(f'rootCandidates(of: {features}, asOf: "2026-10-07T06:00:00Z") {{ {self.SHOWN} }}')
        (one,) = found["candidates"]
        assert (one["reason"], one["distance"]) == ("FAILED", 3)
        assert one["node"] == {"kind": "JOB", "name": "nightly_lending.stage_payments"}
        assert one["run"]["state"] == "FAIL"
        assert "out of range for NUMERIC(12,2)" in one["run"]["error"]["message"]
        assert (found["since"], found["truncated"]) == ("2026-09-30T06:00:00Z", False)

    def test_are_gone_when_the_night_was_run_again(self, of_demo: Ask) -> None:
        features = thing("lending.features.payment_behaviour")
        found = of_demo(f'rootCandidates(of: {features}, asOf: "2026-10-07T10:00:00Z") {{ {self.SHOWN} }}')
        assert found["candidates"] == []

    def test_of_the_failed_night_are_the_task_in_it_that_failed(self, of_demo: Ask) -> None:
        night = of_demo(
            f'runs(filter: {{state: [FAIL], job: {{namespace: "{AIRFLOW}", name: "nightly_lending"}}}}) '
            "{ nodes { runId endedAt } }"
        )["nodes"]
        of = thing(night[0]["runId"], AIRFLOW, "RUN")
        found = of_demo(f"rootCandidates(of: {of}) {{ {self.SHOWN} }}")
        assert [(one["reason"], one["distance"], one["node"]["name"]) for one in found["candidates"]] == [
            ("FAILED", 0, "nightly_lending.stage_payments")
        ]
        assert found["moment"] == night[0]["endedAt"]

    def test_of_doubtful_scores_are_the_assertion_that_failed_upstream(self, of_demo: Ask) -> None:
        found = of_demo(f'rootCandidates(of: {SCORES}, asOf: "2026-10-27T06:00:00Z") {{ {self.SHOWN} }}')
        (one,) = found["candidates"]
        assert (one["reason"], one["node"]["name"]) == ("ASSERTION_FAILED", "lending.features.affordability")
        assert one["detail"] == (
            "Quality assertions failed: debt_to_income_is_mostly_there (expected <= 0.05, was 0.118)."
        )
        assert (one["facet"]["name"], one["facet"]["scope"]) == ("dataQualityAssertions", "INPUT")
        assert one["facet"]["payload"]["assertions"][0]["actual"] == "0.118"
        checked = (
            f'runs(filter: {{job: {{namespace: "{AIRFLOW}", name: "nightly_lending.check_features"}}}}, first: 50)'
        )
        runs = of_demo(f"{checked} {{ nodes {{ runId startedAt endedAt }} }}")["nodes"]
        (of_that_night,) = [run["runId"] for run in runs if run["startedAt"] <= one["at"] <= run["endedAt"]]
        assert one["run"]["runId"] == of_that_night

    def test_after_a_release_are_the_columns_that_changed_the_nearest_first(self, of_demo: Ask) -> None:
        found = of_demo(f'rootCandidates(of: {SCORES}, asOf: "2026-10-13T06:00:00Z", within: 48) {{ {self.SHOWN} }}')
        changed = [one for one in found["candidates"] if one["reason"] == "SCHEMA_CHANGED"]
        assert [one["distance"] for one in changed] == sorted(one["distance"] for one in changed)
        nearest = changed[0]
        assert nearest["node"]["name"] == "lending.staging.applications"
        assert "retyped declared_income numeric(10,2) to numeric(14,2)" in nearest["detail"]
        assert "added open_banking_consent boolean" in nearest["detail"]
        assert nearest["facet"]["name"] == "schema"

    def test_that_are_not_all_say_so(self, of_demo: Ask) -> None:
        asked = f'rootCandidates(of: {SCORES}, asOf: "2026-10-13T06:00:00Z", within: 48, first: 1)'
        found = of_demo(f"{asked} {{ truncated truncatedBy candidates {{ at }} }}")
        assert (found["truncated"], found["truncatedBy"], len(found["candidates"])) == (True, "first", 1)


class TestOrphans:
    def test_are_what_nothing_is_done_with(self, of_demo: Ask) -> None:
        found = of_demo("orphans { totalCount nodes { kind namespace name entity { ... on Dataset { name } } } }")
        corrections = "landing/bureau/corrections"
        assert found == {
            "totalCount": 1,
            "nodes": [{"kind": "DATASET", "namespace": LAKE, "name": corrections, "entity": {"name": corrections}}],
        }

    def test_of_the_day_it_was_read_are_others(self, of_demo: Ask) -> None:
        assert of_demo('orphans(asOf: "2026-10-29T12:00:00Z") { totalCount }') == {"totalCount": 0}

    def test_come_in_pages(self, tell: Tell, ask: Ask) -> None:
        tell(*(ran(f"job{n}", n) for n in range(5)))
        first = ask("{ orphans(first: 3) { nodes { name } pageInfo { endCursor hasNextPage } } }")["orphans"]
        after = first["pageInfo"]["endCursor"]
        second = ask(f'{{ orphans(after: "{after}", kinds: [JOB]) {{ nodes {{ name }} }} }}')["orphans"]
        assert [one["name"] for one in first["nodes"] + second["nodes"]] == [f"job{n}" for n in range(5)]

    def test_fifty_cost_as_many_statements_as_one(
        self, tell: Tell, ask: Ask, database: Database, statements: Any
    ) -> None:
        tell(*(ran(f"job{n}", n) for n in range(50)))
        seen = []
        for first in (1, 50):
            with statements(database) as asked:
                found = ask(
                    f"{{ orphans(first: {first}) {{ nodes {{ entity {{ ... on Job {{ tags {{ key }} }} }} }} }} }}"
                )
            assert len(found["orphans"]["nodes"]) == first
            seen.append(len(asked))
        assert seen[0] == seen[1]


class TestCycles:
    def test_show_the_loop_from_a_model_to_what_it_is_trained_with(self, tell: Tell, ask: Ask) -> None:
        tell(
            ran("train", 0).reading("training").writing("model"),
            ran("score", 1).reading("model").writing("scores"),
            ran("collect", 2).reading("scores").writing("training"),
            ran("show", 3).reading("scores").writing("page"),
        )
        of = '{kind: DATASET, namespace: "shop", name: "model"}'
        for asked in (f"of: [{of}]", 'namespace: "shop"'):
            found = ask(
                f"{{ cycles({asked}) {{ truncated cycles {{ nodes {{ name }} edges {{ job {{ name }} }} }} }} }}"
            )
            (loop,) = found["cycles"]["cycles"]
            assert {node["name"] for node in loop["nodes"]} == {"training", "model", "scores"}
            assert {edge["job"]["name"] for edge in loop["edges"]} == {"train", "score", "collect"}
            assert not found["cycles"]["truncated"]

    def test_and_counts_of_all_time_have_what_no_longer_holds(self, tell: Tell, ask: Ask) -> None:
        tell(ran("ab", 0).reading("a").writing("b"), ran("ba", 1).reading("b").writing("a"))
        tell(ran("ba", 10).reading("z").writing("a"))
        of = '[{kind: DATASET, namespace: "shop", name: "b"}]'
        then = 'during: {to: "2026-01-01T00:05:00Z"}'
        for when, loops, below in (("cumulative: false", 0, 0), ("cumulative: true", 1, 1), (then, 1, 1)):
            found = ask(
                f"{{ cycles(of: {of}, {when}) {{ cycles {{ nodes {{ id }} }} }} impact(of: {of}, {when}) {{ total }} }}"
            )
            assert (len(found["cycles"]["cycles"]), found["impact"]["total"]) == (loops, below)

    def test_of_a_bank_without_feedback_are_none(self, of_demo: Ask) -> None:
        assert of_demo(f'cycles(namespace: "{WAREHOUSE}") {{ truncated cycles {{ nodes {{ name }} }} }}') == {
            "truncated": False,
            "cycles": [],
        }


class TestLineageDiff:
    MOVED = f'lineageDiff(of: [{SCORES}], from: "2026-10-19T12:00:00Z", to: "2026-10-20T12:00:00Z", direction: UPSTREAM'

    def test_says_from_what_to_what_scoring_moved(self, of_demo: Ask) -> None:
        found = of_demo(
            f"{self.MOVED}, depth: 1) {{ added removed changed truncated truncatedBy nodesAdded {{ name }} "
            "nodesRemoved { name } nodesChanged { before { depth } after { depth } } edgesAdded { source target } "
            "edgesRemoved { job { name } } edgesChanged { changed before { masked } after { masked } } "
            "before { nodeCount edgeCount truncated truncatedBy } after { nodeCount edgeCount truncated truncatedBy } }"
        )
        assert [node["name"] for node in found["nodesAdded"]] == ["lending.features.applicant_v2"]
        assert [node["name"] for node in found["nodesRemoved"]] == ["lending.features.applicant"]
        assert (len(found["edgesAdded"]), found["nodesChanged"], found["edgesChanged"]) == (1, [], [])
        assert found["edgesRemoved"] == [{"job": {"name": "nightly_lending.score_applications"}}]
        assert (found["added"], found["removed"], found["changed"], found["truncated"]) == (2, 2, 0, False)
        whole = {"nodeCount": 3, "edgeCount": 2, "truncated": False, "truncatedBy": None}
        assert found["before"] == found["after"] == whole

    def test_says_which_edges_changed_and_in_what(self, tell: Tell, ask: Ask) -> None:
        tell(ran("one", 0).reading("a").writing("b"), ran("one", 10).reading("z").writing("c"))
        tell(ran("two", 11).reading("a").writing("b"))
        of = '{kind: DATASET, namespace: "shop", name: "b"}'
        found = ask(
            f'{{ lineageDiff(of: [{of}], from: "2026-01-01T00:05:00Z") {{ edgesChanged {{ changed '
            "before { job { name } } after { job { name } } } changed } }"
        )["lineageDiff"]
        change = {"changed": ["job"], "before": {"job": {"name": "one"}}, "after": {"job": {"name": "two"}}}
        assert found == {"edgesChanged": [change], "changed": 1}

    def test_of_answers_that_were_cut_says_so(self, of_demo: Ask) -> None:
        found = of_demo(f"{self.MOVED}, maxNodes: 2) {{ truncated truncatedBy after {{ truncated }} }}")
        assert found == {"truncated": True, "truncatedBy": "maxNodes", "after": {"truncated": True}}


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (f"paths(from: {BUREAU}, to: {BUREAU}) {{ length }}", "same thing"),
        (f"paths(from: {BUREAU}, to: {thing('nothing')}) {{ length }}", "nothing"),
        (f"paths(from: {BUREAU}, to: {SCORES}, first: -1) {{ length }}", "-1"),
        ("impact(of: []) { total }", "`of` is empty"),
        (f"impact(of: [{BUREAU}], depth: -1) {{ total }}", "depth of -1"),
        (f"rootCandidates(of: {BUREAU}, within: 0) {{ truncated }}", "`within` is 0"),
        ("orphans(kinds: [RUN]) { totalCount }", "RUN"),
        ("cycles { truncated }", "Neither `of` nor `namespace`"),
        ('lineageDiff(of: [], from: "2026-01-01") { added }', "`of` is empty"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_in_words(demo: Database, question: str, says: str) -> None:
    result = execute(demo, f"{{ {question} }}", limits=ROOMY)
    assert result.errors is not None
    assert says in result.errors[0].message
    assert (result.errors[0].extensions or {}).get("code") != "INTERNAL"
