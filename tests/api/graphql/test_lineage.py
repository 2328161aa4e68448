"""The question's arguments and the answer's shape; what the lineage is, is tested at the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from graphql import GraphQLError

from builders import columns, declared_dataset, drawn_from, facet, moment, ran
from catalog.api.graphql.context import Bounds
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import execute
from catalog.store.engine import Database

Tell = Callable[..., Any]
Ask = Callable[..., Any]
Refusal = Callable[..., GraphQLError]

MIDDLE = '{kind: DATASET, namespace: "shop", name: "b"}'


def told(tell: Tell) -> None:
    """A to e, one job a step; and a run that later reads something else."""
    tell(
        ran("ab", 0, "r1").reading("a").writing("b", tags=facet(tags=[{"key": "pii", "value": "true"}])),
        ran("bc", 1, "r2").reading("b").writing("c"),
        ran("cd", 2, "r3").reading("c").writing("d"),
        ran("de", 3, "r4").reading("d").writing("e"),
        ran("ab", 10, "r5").reading("z").writing("b"),
    )


def names(lineage: Any) -> dict[str, int]:
    return {node["name"]: node["depth"] for node in lineage["nodes"]}


def lineage(ask: Ask, arguments: str, fields: str = "nodes { name depth }", of: str = MIDDLE) -> Any:
    return ask(f"{{ lineage(of: [{of}] {arguments}) {{ {fields} }} }}")["lineage"]


def test_an_answer_has_nodes_edges_and_says_how_complete_it_is(tell: Tell, ask: Ask):
    told(tell)
    found = lineage(
        ask,
        "depth: 1",
        """truncated truncatedBy depthReached asOf
        nodes { id kind namespace name column depth tags owners hiddenUpstream hiddenDownstream
                entity { __typename id ... on Dataset { name } } }
        edges { source target derivation masked transformations { type } firstSeen lastSeen
                job { name } lastRun { runId } }""",
    )
    ids = {node["name"]: node["id"] for node in found["nodes"]}
    assert {
        node["name"]: (node["depth"], node["hiddenUpstream"], node["hiddenDownstream"]) for node in found["nodes"]
    } == {
        "b": (0, 0, 0),
        "z": (-1, 0, 0),
        "c": (1, 0, 1),
    }
    for node in found["nodes"]:
        assert node["entity"] == {"__typename": "Dataset", "id": node["id"], "name": node["name"]}
        assert (node["kind"], node["namespace"], node["column"], node["owners"]) == ("DATASET", "shop", None, [])
        assert node["tags"] == (["pii"] if node["name"] == "b" else [])
    edges = {(edge["source"], edge["target"]): edge for edge in found["edges"]}
    assert edges[ids["z"], ids["b"]] == {
        "source": ids["z"],
        "target": ids["b"],
        "derivation": "IMPLICIT",
        "masked": False,
        "transformations": [],
        "firstSeen": moment(11),
        "lastSeen": moment(11),
        "job": {"name": "ab"},
        "lastRun": {"runId": "r5"},
    }
    assert set(edges) == {(ids["z"], ids["b"]), (ids["b"], ids["c"])}
    assert (found["truncated"], found["truncatedBy"], found["depthReached"], found["asOf"]) == (False, None, 1, None)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", {"b": 0, "z": -1, "c": 1, "d": 2, "e": 3}),
        ("depth: null", {"b": 0, "z": -1, "c": 1, "d": 2, "e": 3}),
        ("depth: 0", {"b": 0}),
        ("depth: 2, direction: DOWNSTREAM", {"b": 0, "c": 1, "d": 2}),
        ("direction: UPSTREAM", {"b": 0, "z": -1}),
        ('direction: UPSTREAM, asOf: "2026-01-01T00:05:00Z"', {"b": 0, "a": -1}),
        ('direction: UPSTREAM, asOf: "2025-01-01"', {"b": 0}),
        ('direction: UPSTREAM, during: {from: "2026-01-01T00:05:00Z"}', {"b": 0, "a": -1, "z": -1}),
        ('direction: UPSTREAM, during: {from: "2026-01-01T00:20:00Z"}', {"b": 0, "z": -1}),
        ('direction: UPSTREAM, during: {to: "2026-01-01T00:05:00Z"}', {"b": 0, "a": -1}),
        ("direction: UPSTREAM, during: {}", {"b": 0, "a": -1, "z": -1}),
        ("direction: UPSTREAM, cumulative: true", {"b": 0, "a": -1, "z": -1}),
        ("granularity: JOB, depth: 1", {"b": 0, "ab": -1, "bc": 1}),
    ],
)
def test_arguments_say_which_way_how_far_and_when(tell: Tell, ask: Ask, arguments: str, expected: dict[str, int]):
    told(tell)
    assert names(lineage(ask, arguments)) == expected


def made_of(source: str, column: str, *ways: dict[str, Any]) -> dict[str, Any]:
    return {"namespace": "shop", "name": source, "field": column, "transformations": list(ways)}


def test_edges_say_how_data_changed_on_the_way_and_whether_it_is_masked(tell: Tell, ask: Ask):
    hashed = {"type": "DIRECT", "subtype": "TRANSFORMATION", "description": "sha256", "masking": True}
    copied = {"type": "DIRECT", "subtype": "IDENTITY", "description": "", "masking": False}
    joined = {"type": "INDIRECT", "subtype": "JOIN", "description": "", "masking": False}
    flows = facet(
        fields={
            "who": {"inputFields": [made_of("people", "email", hashed)]},
            "sum": {"inputFields": [made_of("sales", "sum", copied), made_of("sales", "id", joined)]},
        },
        dataset=[made_of("rules", "id", joined)],
    )
    tell(ran("j", 0, "r").reading("people", "sales", "rules").writing("shown", columnLineage=flows))
    of = '{kind: DATASET, namespace: "shop", name: "shown"}'
    shown = "nodes { id name } edges { source masked transformations { type subtype description masking } }"

    def ways(arguments: str) -> dict[str, tuple[bool, list[dict[str, Any]]]]:
        found = lineage(ask, arguments, shown, of)
        names = {node["id"]: node["name"] for node in found["nodes"]}
        return {names[edge["source"]]: (edge["masked"], edge["transformations"]) for edge in found["edges"]}

    def answered(said: dict[str, Any]) -> dict[str, Any]:
        return {**said, "description": said["description"] or None}

    everything = {
        "people": (True, [answered(hashed)]),
        "sales": (False, [answered(copied), answered(joined)]),
        "rules": (False, [answered(joined)]),
    }
    assert ways("") == everything
    del everything["rules"]
    assert ways("includeIndirect: false") == everything


def test_an_answer_that_is_cut_says_by_which_limit(tell: Tell, ask: Ask):
    told(tell)
    found = lineage(ask, "direction: DOWNSTREAM, maxNodes: 2", "truncated truncatedBy nodes { name }")
    assert (found["truncated"], found["truncatedBy"], len(found["nodes"])) == (True, "maxNodes", 2)


def test_hidden_neighbours_are_counted_only_when_asked_for_also_in_a_fragment(
    tell: Tell, ask: Ask, database: Database, statements: Any
):
    told(tell)
    with statements(database) as plain:
        lineage(ask, "depth: 1", "nodes { id }")
    with statements(database) as counted:
        fragment = "fragment A on Lineage { nodes { ... { hiddenDownstream } } }"
        query = f"{{ lineage(of: [{MIDDLE}], depth: 1) {{ ...A }} }} {fragment}"
        found = ask(query)["lineage"]
    assert sum(node["hiddenDownstream"] for node in found["nodes"]) == 1
    assert len(plain) < len(counted)


def test_jobs_and_runs_are_nodes_and_roots_too(tell: Tell, ask: Ask):
    told(tell)
    shown = "nodes { kind name depth tags entity { __typename id } id }"
    jobs = lineage(ask, "granularity: JOB, depth: 1", shown, '{kind: JOB, namespace: "shop", name: "bc"}')
    assert {node["name"]: node["kind"] for node in jobs["nodes"]} == {"b": "DATASET", "bc": "JOB", "c": "DATASET"}
    assert all(node["entity"]["id"] == node["id"] for node in jobs["nodes"])
    runs = lineage(ask, "granularity: RUN, depth: 1", shown, '{kind: RUN, namespace: "", name: "r2"}')
    assert {"r2": "Run"}.items() <= {n["name"]: n["entity"]["__typename"] for n in runs["nodes"]}.items()


def test_a_dataset_leads_to_the_run_that_wrote_it_and_those_that_read_it(tell: Tell, ask: Ask):
    tell(ran("etl", 0, run="w").reading("raw").writing("clean"), ran("mart", 5, run="r").reading("clean").writing("m"))
    clean = '{kind: DATASET, namespace: "shop", name: "clean"}'
    found = lineage(ask, "granularity: RUN", "nodes { id kind name depth } edges { source target }", clean)
    assert {(node["kind"], node["name"]): node["depth"] for node in found["nodes"]} == {
        ("RUN", "w"): -1, ("DATASET", "clean"): 0, ("RUN", "r"): 1
    }  # fmt: skip
    assert {end for edge in found["edges"] for end in edge.values()} <= {node["id"] for node in found["nodes"]}


def test_a_dataset_answers_its_own_lineage(tell: Tell, ask: Ask):
    told(tell)
    own = ask('{ dataset(namespace: "shop", name: "b") { lineage(direction: UPSTREAM) { nodes { name depth } } } }')
    assert names(own["dataset"]["lineage"]) == {"b": 0, "z": -1}


def test_an_edge_a_dataset_declares_itself_has_no_job(tell: Tell, ask: Ask):
    tell(declared_dataset("view", 0, lineage=drawn_from("table"), schema=columns(a="int")))
    found = lineage(
        ask,
        "",
        "edges { derivation job { name } lastRun { runId } }",
        '{kind: DATASET, namespace: "shop", name: "view"}',
    )
    assert found["edges"] == [{"derivation": "DECLARED", "job": None, "lastRun": None}]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("of: []", "`of` is empty"),
        (f"of: [{MIDDLE}], depth: -1", "depth of -1"),
        (f"of: [{MIDDLE}], maxNodes: 0", "maxNodes"),
        (f'of: [{MIDDLE}], asOf: "2026-01-01", cumulative: true', "exclude each other"),
        (f'of: [{MIDDLE}], asOf: "2026-01-01", during: {{}}', "exclude each other"),
        (f'of: [{MIDDLE}], during: {{from: "2026-01-02", to: "2026-01-01"}}', "ends before it begins"),
        (
            'of: [{kind: COLUMN, namespace: "shop", name: "b", column: "z"}], granularity: COLUMN',
            "There is no column 'z'",
        ),
        ('of: [{kind: JOB, namespace: "shop", name: "none"}]', "none"),
        ('of: [{kind: DATASET, namespace: "shop", name: "b", column: "x"}]', "A DATASET has no `column`"),
        ('of: [{kind: COLUMN, namespace: "shop", name: "b"}]', "Say which column"),
        ('of: [{kind: RUN, namespace: "", name: "r1", version: "1"}]', "`version` is not used of a RUN"),
        ('of: [{kind: MODEL, namespace: "shop", name: "b", version: "1"}]', "`version` is not used of a MODEL"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_in_words(
    tell: Tell, refusal: Refusal, arguments: str, says: str
):
    told(tell)
    assert says in refusal(f"{{ lineage({arguments}) {{ truncated }} }}").message


def test_a_reference_with_a_part_that_means_nothing_is_a_bad_request(refusal: Refusal):
    error = refusal('{ lineage(of: [{kind: JOB, namespace: "shop", name: "ab", column: "x"}]) { truncated } }')
    assert error.extensions == {"code": "BAD_REQUEST"}


def test_what_is_unknown_is_told_apart_from_what_is_wrong(refusal: Refusal):
    error = refusal(f"{{ lineage(of: [{MIDDLE}]) {{ truncated }} }}")
    assert error.extensions == {"code": "NOT_FOUND"}


def test_more_nodes_than_the_setting_allows_are_refused_naming_it(tell: Tell, database: Database):
    told(tell)
    query = f"{{ lineage(of: [{MIDDLE}], maxNodes: 6) {{ truncated }} }}"
    result = execute(database, query, bounds=Bounds(max_nodes=5))
    assert result.errors is not None
    assert "CATALOG_LINEAGE_MAX_NODES" in result.errors[0].message
    assert result.errors[0].extensions == {"code": "LIMIT_EXCEEDED", "limit": "max_nodes"}
    assert execute(database, query, bounds=Bounds(max_nodes=6)).errors is None
    unsaid = execute(
        database, f"{{ lineage(of: [{MIDDLE}], maxNodes: null) {{ nodes {{ name }} }} }}", bounds=Bounds(3)
    )
    assert unsaid.data is not None
    assert len(unsaid.data["lineage"]["nodes"]) == 3


def test_a_picture_shows_the_answer_with_the_names_of_its_jobs_and_what_is_hidden(tell: Tell, ask: Ask):
    told(tell)
    found = lineage(ask, "depth: 1", "svg nodes { name }")
    assert found["svg"].startswith("<svg ")
    assert found["svg"].count(" data-node=") == len(found["nodes"]) == 3
    assert found["svg"].count(" data-edge=") == 2
    assert "by job bc in " in found["svg"]
    assert "1 more downstream that are not shown" in found["svg"]


def test_a_picture_alone_has_names_and_says_which_moment_it_is_about(tell: Tell, ask: Ask):
    told(tell)
    svg = lineage(ask, f'asOf: "{moment(5)}"', "svg")["svg"]
    assert "Lineage of b" in svg
    assert ", as of 2026-" in svg


def test_a_picture_costs_as_much_as_twenty_fields_of_each_node(database: Database):
    pictures = " ".join(f"{name}: lineage(of: [{MIDDLE}], maxNodes: 1000) {{ svg }}" for name in "abcde")
    (error,) = execute(database, f"{{ {pictures} }}", {}, limits=Limits()).errors or ()
    assert error.extensions == {"code": "LIMIT_EXCEEDED", "limit": "max_cost"}
    assert error.message.startswith("The query costs 100005 points")
