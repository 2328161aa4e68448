from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from graphql import GraphQLError

from builders import also_known_as, columns, declared_dataset, dropped, facet, micros, moment, ran
from catalog.api.graphql.schema import execute
from catalog.store.engine import Database

Tell = Callable[..., Any]
Ask = Callable[..., Any]
Refusal = Callable[..., GraphQLError]

ONE = 'dataset(namespace: "shop", name: "%s") { %s }'


def one(ask: Ask, name: str, fields: str) -> Any:
    return ask("{" + ONE % (name, fields) + "}")["dataset"]


def listed(ask: Ask, filter: str) -> list[str]:
    found = ask(f"{{ datasets(filter: {filter}) {{ totalCount edges {{ node {{ name }} }} }} }}")["datasets"]
    names = [edge["node"]["name"] for edge in found["edges"]]
    assert found["totalCount"] == len(names)
    return names


def versioned(label: str) -> dict[str, Any]:
    return facet(datasetVersion=label)


def test_a_dataset_nobody_named_is_null(ask: Ask):
    assert one(ask, "nothing", "id") is None


def test_a_dataset_says_what_its_facets_say_of_it(tell: Tell, ask: Ask):
    tell(
        ran("etl").writing(
            "clean",
            documentation=facet(description="All orders"),
            datasetType=facet(datasetType="VIEW", subType="MATERIALIZED"),
            tags=facet(tags=[{"key": "gold", "value": "true", "source": "DBT"}, {"key": "gold", "value": "true"}]),
            ownership=facet(owners=[{"name": "team:b", "type": "OWNER"}, {"name": "team:a"}]),
        )
    )
    said = "namespace name type subType description tags { key value source } owners { name type } createdAt updatedAt"
    assert one(ask, "clean", said) == {
        "namespace": "shop",
        "name": "clean",
        "type": "VIEW",
        "subType": "MATERIALIZED",
        "description": "All orders",
        "tags": [
            {"key": "gold", "value": "true", "source": "DBT"},
            {"key": "gold", "value": "true", "source": None},
        ],
        "owners": [{"name": "team:b", "type": "OWNER"}, {"name": "team:a", "type": None}],
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:01:00Z",
    }


def test_any_name_of_a_dataset_finds_it_with_all_that_was_said_under_each(tell: Tell, ask: Ask):
    tell(
        ran("a", 0).writing(
            "table",
            symlinks=also_known_as("path"),
            tags=facet(tags=[{"key": "one", "value": "1"}]),
            documentation=facet(description="old"),
        ),
        ran("b", 5).writing(
            "path",
            tags=facet(tags=[{"key": "two", "value": "2"}, {"key": "one", "value": "1"}]),
            documentation=facet(description="new"),
            datasetType=facet(datasetType="TABLE"),
            ownership=facet(owners=[{"name": "team"}]),
        ),
        ran("c", 7).reading("path"),
    )
    said = """id name aliases { name type } description type tags { key } owners { name } producers { name }
        consumers { name } facet(name: "documentation") { payload } versions { totalCount } createdAt"""
    by_table, by_path = one(ask, "table", said), one(ask, "path", said)
    assert by_table == by_path
    assert by_path["name"] == "table"
    assert by_path["aliases"] == [{"name": "path", "type": "TABLE"}]
    assert (by_path["description"], by_path["type"]) == ("new", "TABLE")
    assert by_path["facet"]["payload"]["description"] == "new"
    assert [tag["key"] for tag in by_path["tags"]] == ["two", "one"]
    assert [owner["name"] for owner in by_path["owners"]] == ["team"]
    assert [job["name"] for job in by_path["producers"]] == ["a", "b"]
    assert [job["name"] for job in by_path["consumers"]] == ["c"]
    assert by_path["versions"]["totalCount"] == 2
    assert by_path["createdAt"] == moment(0)


def test_a_list_shows_a_dataset_once_and_a_filter_fits_any_of_its_names(tell: Tell, ask: Ask):
    tell(ran("a").writing("table", symlinks=also_known_as(("s3://x", "path"))).reading("other"))
    assert listed(ask, "{}") == ["other", "table"]
    assert listed(ask, '{namespace: "s3://x"}') == ["table"]
    assert listed(ask, '{namespace: "s3://x", nameContains: "ABL"}') == []
    assert listed(ask, '{nameContains: "ATH"}') == ["table"]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ('{nameContains: "%"}', ["100% sure"]),
        ('{nameContains: "_"}', ["a_b"]),
        ('{nameContains: "/"}', ["x/y"]),
        ('{nameContains: "\\\\"}', ["back\\slash"]),
        ('{nameContains: "AXB"}', ["aXb"]),
        ('{nameContains: "É"}', ["École"]),
        ('{nameContains: "é"}', []),
        ('{nameContains: "\\u0000"}', ["nul\u2400"]),
        ('{namePrefix: "a"}', ["aXb", "a_b"]),
        ('{namePrefix: "A_"}', ["a_b"]),
        ('{namePrefix: "X"}', ["x/y"]),
        ('{type: "VIEW"}', ["x/y"]),
        ('{tag: "pii"}', ["École"]),
        ('{owner: "team"}', ["aXb"]),
        ('{owner: "team", nameContains: "z"}', []),
        ('{namespace: "nowhere"}', []),
        ('{nameContains: "", namePrefix: ""}', ["100% sure", "aXb", "a_b", "back\\slash", "nul\u2400", "x/y", "École"]),
    ],
)
def test_a_filter_finds_the_same_on_both_engines_and_takes_every_character_as_itself(
    tell: Tell, ask: Ask, filter: str, expected: list[str]
):
    tell(
        ran("j")
        .reading("a_b", "100% sure", "back\\slash", "nul\0")
        .reading("aXb", ownership=facet(owners=[{"name": "team"}]))
        .reading("x/y", datasetType=facet(datasetType="VIEW"))
        .reading("École", tags=facet(tags=[{"key": "pii", "value": "true", "field": "city"}]))
    )
    assert listed(ask, filter) == expected


def test_a_text_too_long_to_look_for_is_refused(refusal: Refusal):
    error = refusal("query($t: String) { datasets(filter: {nameContains: $t}) { totalCount } }", t="x" * 60_000)
    assert "1000" in error.message


def test_columns_are_those_of_the_schema_then_those_only_lineage_or_a_tag_names(tell: Tell, ask: Ask):
    tag = facet(tags=[{"key": "pii", "value": "true", "field": "b"}, {"key": "old", "value": "true", "field": "gone"}])
    nested = facet(
        fields=[
            {"name": "z", "type": "struct", "fields": [{"name": "in", "type": "int", "description": "inner"}]},
            {"name": "b", "type": "text", "ordinal_position": 7},
        ]
    )
    tell(
        ran("up").writing("source", schema=nested, tags=tag),
        ran("down", 2).from_columns("sink", x=[("source", "hidden")]),
    )
    assert one(ask, "source", "fields { name type description ordinal tags { key } }")["fields"] == [
        {"name": "z", "type": "struct", "description": None, "ordinal": 1, "tags": []},
        {"name": "z.in", "type": "int", "description": "inner", "ordinal": 2, "tags": []},
        {"name": "b", "type": "text", "description": None, "ordinal": 7, "tags": [{"key": "pii"}]},
        {"name": "gone", "type": None, "description": None, "ordinal": None, "tags": [{"key": "old"}]},
        {"name": "hidden", "type": None, "description": None, "ordinal": None, "tags": []},
    ]
    assert one(ask, "source", "tags { key }")["tags"] == []


def test_schemas_and_facets_can_be_asked_as_of_a_moment(tell: Tell, ask: Ask):
    reordered = {**columns(a="int", b="int"), "_producer": "other"}
    tell(
        ran("j", 0).writing("d", schema=columns(a="int")),
        ran("j", 10).writing("d", schema=columns(a="int", b="int")),
        ran("j", 20).writing("d", schema=reordered),
        ran("j", 30).writing("d", schema=columns(a="int")),
    )
    history = one(ask, "d", "schemaHistory { validFrom validTo fields { name } }")["schemaHistory"]
    assert [(s["validFrom"], s["validTo"], [f["name"] for f in s["fields"]]) for s in history] == [
        (moment(0), moment(10), ["a"]),
        (moment(10), moment(30), ["a", "b"]),
        (moment(30), None, ["a"]),
    ]
    # A column that is to come is not there yet; one that went is known still.
    for at, expected in ((9, {"a": 1}), (10, {"a": 1, "b": 2}), (25, {"a": 1, "b": 2}), (40, {"a": 1, "b": None})):
        held = one(ask, "d", f'fields(asOf: "{moment(at)}") {{ name ordinal }}')["fields"]
        assert {field["name"]: field["ordinal"] for field in held} == expected
    assert one(ask, "d", "fields { name type ordinal }")["fields"] == [
        {"name": "a", "type": "int", "ordinal": 1},
        {"name": "b", "type": None, "ordinal": None},
    ]
    before = one(ask, "d", f'facets(asOf: "{moment(-1)}") {{ name }}')
    assert before["facets"] == []
    then = one(ask, "d", f'facet(name: "schema", asOf: "{moment(25)}") {{ producer validFrom validTo understood }}')
    assert then["facet"] == {"producer": "other", "validFrom": moment(20), "validTo": moment(30), "understood": True}


def test_a_deleted_facet_is_gone_and_its_history_stays(tell: Tell, ask: Ask):
    tell(
        ran("j", 0).writing("d", schema=columns(a="int"), mine=facet(x=1)),
        ran("j", 10).writing("d", schema=facet(_deleted=True), mine=facet(x=1)),
    )
    now = one(ask, "d", 'facets { name } facet(name: "schema") { name } schemaHistory { validFrom validTo }')
    assert [facet["name"] for facet in now["facets"]] == ["mine"]
    assert now["facet"] is None
    assert now["schemaHistory"] == [{"validFrom": moment(0), "validTo": moment(10)}]


def test_a_facet_is_answered_byte_for_byte_with_numbers_no_float_can_hold(tell: Tell, database: Database):
    raw = b'{"_producer":7,"big":123456789012345678901234567890,"exact":1.10,"text":"\\u00e9"}'
    tell(next(iter(ran("j").writing("d", odd={"here": 1}))).replace(b'{"here": 1}', raw))
    result = execute(database, "{" + ONE % ("d", 'facet(name: "odd") { payload producer understood }') + "}")
    assert result.errors is None
    assert result.data is not None
    found = result.data["dataset"]["facet"]
    assert orjson.dumps(found["payload"]) == raw
    assert (found["producer"], found["understood"]) == (None, False)


def test_versions_are_what_completed_runs_made_the_latest_first(tell: Tell, ask: Ask):
    tell(
        ran("j", 0, "one").writing("d", schema=columns(a="int"), version=versioned("v1")),
        ran("j", 10, "two").writing("d").failing(),
        ran("j", 20, "three").writing("d").still_running(),
        ran("j", 30, "four").writing("d", schema=columns(b="int"), lifecycleStateChange=dropped("OVERWRITE")),
        declared_dataset("d", 40, version=versioned("v9")),
        declared_dataset("d", 50),
    )
    shown = "version createdAt run { runId } schemaVersion { fields { name } } lifecycle"
    found = one(ask, "d", f"versions {{ totalCount edges {{ node {{ {shown} }} }} }}")["versions"]
    assert found["totalCount"] == 3
    assert [edge["node"] for edge in found["edges"]] == [
        {
            "version": "v9",
            "createdAt": moment(40),
            "run": None,
            "schemaVersion": {"fields": [{"name": "b"}]},
            "lifecycle": [],
        },
        {
            "version": None,
            "createdAt": moment(31),
            "run": {"runId": "four"},
            "schemaVersion": {"fields": [{"name": "b"}]},
            "lifecycle": ["OVERWRITE"],
        },
        {
            "version": "v1",
            "createdAt": moment(1),
            "run": {"runId": "one"},
            "schemaVersion": {"fields": [{"name": "a"}]},
            "lifecycle": [],
        },
    ]
    latest = one(
        ask, "d", f'now: latestVersion {{ version }} then: latestVersion(asOf: "{moment(35)}") {{ run {{ runId }} }}'
    )
    assert latest == {"now": {"version": "v9"}, "then": {"run": {"runId": "four"}}}
    assert one(ask, "d", f'latestVersion(asOf: "{moment(0)}") {{ version }}') == {"latestVersion": None}


def test_versions_of_one_dataset_are_paged(tell: Tell, ask: Ask):
    tell(*(ran("j", at, str(at)).writing("d") for at in range(5)))
    seen, after = [], None
    for _ in range(3):
        query = 'query($after: String) { dataset(namespace: "shop", name: "d") { versions(first: 2, after: $after) {'
        query += " pageInfo { hasNextPage hasPreviousPage endCursor } edges { node { run { runId } } } } } }"
        page = ask(query, after=after)["dataset"]["versions"]
        seen += [edge["node"]["run"]["runId"] for edge in page["edges"]]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert page["pageInfo"]["hasNextPage"] is (len(seen) < 5)
        after = page["pageInfo"]["endCursor"]
    assert seen == ["4", "3", "2", "1", "0"]


def test_a_dropped_dataset_says_since_when_until_it_is_written_again(tell: Tell, ask: Ask):
    tell(ran("j", 0).writing("d"), ran("drop", 10).writing("d", lifecycleStateChange=dropped()))
    assert one(ask, "d", "deletedAt") == {"deletedAt": moment(11)}
    tell(ran("j", 20).writing("d"))
    assert one(ask, "d", "deletedAt") == {"deletedAt": None}


def test_producers_and_consumers_are_the_jobs_that_do_it_now(tell: Tell, ask: Ask):
    tell(
        ran("old", 0).writing("d").reading("x"),
        ran("new", 1).writing("d"),
        ran("report", 2).reading("d"),
        ran("old", 10).writing("elsewhere"),
    )
    found = one(ask, "d", "producers { name } consumers { name }")
    assert found == {"producers": [{"name": "new"}], "consumers": [{"name": "report"}]}


def test_times_outside_of_what_datetime_can_hold_do_no_harm(tell: Tell, ask: Ask):
    tell(declared_dataset("d", 0).replace(b"2026-01-01T00:00:00Z", b"9999-12-31T23:59:59.999999Z"))
    found = one(ask, "d", 'createdAt updatedAt facets(asOf: "0001-01-01T00:00:00Z") { name }')
    assert found["createdAt"] == found["updatedAt"] == "9999-12-31T23:59:59.999999Z"


@pytest.mark.parametrize(
    "written", ["2026-01-01T00:10:00", "2026-01-01T02:10:00+02:00", str(micros(10)), "2026-01-01 00:10:00.000Z"]
)
def test_a_moment_may_be_written_as_producers_write_it(tell: Tell, ask: Ask, written: str):
    tell(ran("j", 0).writing("d", mine=facet(x=1)), ran("j", 11).writing("d", mine=facet(x=2)))
    query = (
        'query($t: DateTime) { dataset(namespace: "shop", name: "d") { facet(name: "mine", asOf: $t) { payload } } }'
    )
    assert ask(query, t=written)["dataset"]["facet"]["payload"]["x"] == 1


def test_what_is_no_moment_is_refused_in_words(refusal: Refusal):
    error = refusal(
        'query($t: DateTime) { dataset(namespace: "a", name: "b") { fields(asOf: $t) { name } } }', t="soon"
    )
    assert "is not a time such as" in error.message
