"""Columns as things with an id of their own: what lineage hands out, `node` finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from builders import also_known_as, columns, declared_dataset, facet, moment, ran
from catalog.store.engine import Database

Tell = Callable[..., Any]
Ask = Callable[..., Any]

NODE = """query($id: ID!) { node(id: $id) { __typename id ... on Column {
    name type description ordinal tags { key } dataset { name }
    lineage(direction: UPSTREAM) { nodes { id kind name column depth } } } } }"""


def shown(ask: Ask, dataset: str, column: str) -> dict[str, Any]:
    """The columns upstream of one and itself, by dataset and column: the nodes of an answer."""
    of = f'{{kind: COLUMN, namespace: "shop", name: "{dataset}", column: "{column}"}}'
    asked = f"lineage(of: [{of}], granularity: COLUMN, direction: UPSTREAM) {{ nodes {{ id kind name column }} }}"
    nodes = ask(f"{{ {asked} }}")["lineage"]["nodes"]
    return {f"{node['name']}.{node['column']}": node["id"] for node in nodes if node["kind"] == "COLUMN"}


def test_a_column_in_an_answer_is_found_again_by_its_id(tell: Tell, ask: Ask) -> None:
    tagged = facet(tags=[{"key": "pii", "value": "true", "field": "who"}])
    flows = facet(fields={"who": {"inputFields": [{"namespace": "shop", "name": "raw", "field": "label"}]}})
    schema = facet(fields=[{"name": "n", "type": "int"}, {"name": "who", "type": "text", "description": "a name"}])
    tell(ran("clean").reading("raw").writing("mart", columnLineage=flows, schema=schema, tags=tagged))
    ids = shown(ask, "mart", "who")

    assert ask(NODE, id=ids["mart.who"])["node"] == {
        "__typename": "Column", "id": ids["mart.who"], "name": "who", "type": "text", "description": "a name",
        "ordinal": 2, "tags": [{"key": "pii"}], "dataset": {"name": "mart"},
        "lineage": {"nodes": [
            {"id": ids["mart.who"], "kind": "COLUMN", "name": "mart", "column": "who", "depth": 0},
            {"id": ids["raw.label"], "kind": "COLUMN", "name": "raw", "column": "label", "depth": -1},
        ]},
    }  # fmt: skip
    of_no_schema = ask(NODE, id=ids["raw.label"])["node"]
    assert (of_no_schema["name"], of_no_schema["type"], of_no_schema["ordinal"]) == ("label", None, None)


def test_a_column_that_was_named_under_another_name_of_its_dataset_is_found_too(tell: Tell, ask: Ask) -> None:
    tell(ran("clean").reading("raw").from_columns("mart", who=[("raw", "label")]))
    before = shown(ask, "mart", "who")["mart.who"]
    tell(declared_dataset("a_table", 2, symlinks=also_known_as("mart")))
    after = shown(ask, "mart", "who")["a_table.who"]

    assert before != after
    for id in (before, after):
        found = ask(NODE, id=id)["node"]
        assert (found["id"], found["name"], found["dataset"]) == (after, "who", {"name": "a_table"})
        assert [node["column"] for node in found["lineage"]["nodes"]] == ["who", "label"]


def test_what_is_said_of_a_column_has_its_time(tell: Tell, ask: Ask) -> None:
    tell(declared_dataset("mart", 0, schema=columns(who="text")), declared_dataset("mart", 9, schema=columns(a="int")))
    at = moment(5)
    fields = f'... on Column {{ type then: type(asOf: "{at}") ordinal first: ordinal(asOf: "{at}") }}'
    id = shown(ask, "mart", "who")["mart.who"]
    found = ask(f"query($id: ID!) {{ node(id: $id) {{ {fields} }} }}", id=id)["node"]
    assert found == {"type": None, "then": "text", "ordinal": None, "first": 1}


def test_many_columns_cost_no_more_statements_than_one(
    tell: Tell, ask: Ask, database: Database, statements: Callable[..., Any]
) -> None:
    tell(ran("clean").from_columns("mart", **{f"c{n}": [("raw", "label")] for n in range(20)}))
    ids = [shown(ask, "mart", f"c{n}")[f"mart.c{n}"] for n in range(20)]
    counts = []
    for some in (ids[:1], ids):
        asked = " ".join(f'_{n}: node(id: "{id}") {{ ... on Column {{ type }} }}' for n, id in enumerate(some))
        with statements(database) as seen:
            ask(f"{{ {asked} }}")
        counts.append(len(seen))
    assert counts[1] <= counts[0]
