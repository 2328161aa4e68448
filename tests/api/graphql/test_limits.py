import asyncio
import json
import logging
import math
import time
from collections.abc import AsyncGenerator

import pytest
import strawberry
from graphql import get_introspection_query
from strawberry.schema.config import StrawberryConfig

from catalog.api.graphql.errors import MaskedErrors, UserError
from catalog.api.graphql.limits import Limits, extensions
from catalog.api.graphql.schema import execute
from catalog.store.engine import Database

PRIVATE = "db password=hunter2"
SOON = 5.0  # seconds; what these bombs cost without the limits is hours
"""Seconds; the refusals measured take 0.2 to 15 ms, Strawberry's own limiters 11 s for the same text."""


@strawberry.type
class Node:
    name: str = "n"
    tags: list[str] = strawberry.field(default_factory=lambda: ["t"])

    @strawberry.field
    def child(self) -> "Node":
        return Node()

    @strawberry.field
    def children(self) -> list["Node"]:
        return [Node(), Node()]

    @strawberry.field
    def page(self, first: int = 50) -> "Page":
        return Page(edges=[Edge(node=Node(name=str(first)))])


@strawberry.type
class Edge:
    node: Node


@strawberry.type
class Page:
    edges: list[Edge]


@strawberry.type
class Lineage:
    nodes: list[Node]


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Thing(Named):
    pass


@strawberry.type
class Query:
    @strawberry.field
    def node(self, text: str = "") -> Node:
        return Node(name=text)

    @strawberry.field
    def page(self, first: int = 50) -> Page:
        return Page(edges=[Edge(node=Node(name=str(first)))])

    @strawberry.field
    def unsized(self, first: int | None = None) -> Page:
        return Page(edges=[Edge(node=Node(name=str(first)))])

    @strawberry.field
    def lineage(self, max_nodes: int = 1000) -> Lineage:
        return Lineage(nodes=[Node(name=str(max_nodes))])

    @strawberry.field
    def broken(self, text: str = PRIVATE) -> str | None:
        raise RuntimeError(text)

    @strawberry.field
    def mistyped(self) -> Thing:
        return {"uri": PRIVATE}  # what a bug in a resolver would do

    @strawberry.field
    def unserialisable(self) -> int:
        return PRIVATE  # likewise

    @strawberry.field
    def missing(self) -> str | None:
        raise UserError("There is no dataset `a`.", code="NOT_FOUND", name="a")


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self) -> AsyncGenerator[Node, None]:
        yield Node()
        raise RuntimeError(PRIVATE)


class Schema(MaskedErrors, strawberry.Schema):
    pass


def schema(**limits):
    return Schema(
        Query,
        subscription=Subscription,
        extensions=extensions(Limits(**limits)),
        config=StrawberryConfig(disable_field_suggestions=True),
    )


SCHEMA = schema()


def codes(result):
    return [error.extensions.get("limit") for error in result.errors or ()]


def cost(query, variables=None, **limits):
    """Read the cost of `query` off the refusal it gets where nothing is allowed."""
    result = schema(max_cost=0, **limits).execute_sync(query, variables)
    (error,) = (error for error in result.errors if error.extensions["limit"] == "max_cost")
    return int(error.message.split()[3])


def doubling(depth, leaf="name"):
    fragments = (f"fragment F{i} on Node {{ ...F{i + 1} ...F{i + 1} }}" for i in range(depth))
    return f"{{ node {{ ...F0 }} }} {' '.join(fragments)} fragment F{depth} on Node {{ {leaf} }}"


ALIASES = "{node{" + " ".join(f"a{i}: name" for i in range(160)) + "}}"
ALIASES_IN_FRAGMENTS = (
    "{node{" + " ".join(f"a{i}: child {{ ...F }}" for i in range(12)) + "}}"
    "fragment F on Node {" + " ".join(f"b{i}: name" for i in range(12)) + "}"
)
BOMBS = {
    "aliases": (ALIASES, "max_aliases"),
    "aliases in fragments": (ALIASES_IN_FRAGMENTS, "max_aliases"),
    "repeated fields": ("{node{" + "child{name} " * 240 + "}}", "max_aliases"),
    "repeated fields in inline fragments": ("{node{" + "...{child{name}} " * 120 + "}}", "max_aliases"),
    "repeated fields in an unused fragment": (
        "{node{name}} fragment U on Node {" + "child{name} " * 220 + "}",
        "max_aliases",
    ),
    "repeated fields in an operation not run": (
        "query a{node{name}} query b{node{" + "name " * 900 + "}}",
        "max_aliases",
    ),
    "repeated typename": ("{node{" + "__typename " * 900 + "}}", "max_aliases"),
    "fragments doubling 22 times": (doubling(22), "max_cost"),
    "fragments doubling 90 times": (doubling(90), "max_cost"),
    "deep fields": ("{node" + "{child" * 100 + "{name}" + "}" * 101, "max_depth"),
    "directives": ("{node" + "@include(if:true)" * 100 + "{name}}", "max_directives"),
    "root fields": ("{" + " ".join(f"a{i}:__typename" for i in range(21)) + "}", "max_root_fields"),
    "root fields in a fragment": (
        "{...F} fragment F on Query {" + " ".join(f"a{i}:__typename" for i in range(21)) + "}",
        "max_root_fields",
    ),
    "nested pages": ("{page(first:999){edges{node{page(first:999){edges{node{name}}}}}}}", "max_cost"),
    "circular introspection": ("{__schema{types{fields{type{fields{type{fields{type{fields{name}}}}}}}}}}", "max_cost"),
    "tokens": ("{" + "node " * 13_000 + "}", "max_tokens"),
    "comments": ("{node{name}}" + "#\n" * 30_000, "max_tokens"),
    "a long literal": ('{node(text:"' + "y" * 1_000_000 + '"){name}}', "max_source_bytes"),
    "a literal long in bytes": ('{node(text:"' + "€" * 30_000 + '"){name}}', "max_source_bytes"),
    "a page by literal": ("{page(first:1000000){edges{node{name}}}}", "max_page"),
    "a page of many digits": ("{page(first:" + "9" * 5000 + "){edges{node{name}}}}", "max_page"),
}


@pytest.mark.parametrize(("query", "limit"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_soon_naming_the_limit_and_its_setting(query, limit):
    start = time.perf_counter()
    result = SCHEMA.execute_sync(query)
    taken = time.perf_counter() - start
    assert result.data is None
    assert codes(result).count(limit) == 1
    assert all(error.extensions["code"] == "LIMIT_EXCEEDED" for error in result.errors)
    assert any(f"(CATALOG_GRAPHQL_{limit.upper()})" in error.message for error in result.errors)
    assert taken < SOON


def test_a_refusal_says_what_the_query_had_what_is_allowed_and_what_to_do():
    (error,) = SCHEMA.execute_sync("{page(first:1000){edges{node{children{children{children{tags}}}}}}}").errors
    assert error.message == (
        "The query costs 1113001 points, more than the 100000 allowed (CATALOG_GRAPHQL_MAX_COST). "
        "Ask for fewer items with `first`, or fewer nested lists."
    )
    assert error.extensions == {"code": "LIMIT_EXCEEDED", "limit": "max_cost"}


@pytest.mark.parametrize("query", [doubling(22), ALIASES, "{" + "node " * 13_000 + "}"])
def test_awaited_and_streamed_operations_meet_the_same_limits(query):
    async def first_streamed():
        return await anext(await SCHEMA.stream(query))

    expected = codes(SCHEMA.execute_sync(query))
    assert expected
    assert codes(asyncio.run(SCHEMA.execute(query))) == expected
    assert codes(asyncio.run(first_streamed())) == expected


@pytest.mark.parametrize(
    "query",
    [
        "{node{...A}} fragment A on Node{child{...B}} fragment B on Node{child{...A}}",
        "{node{...A}} fragment A on Node{...A}",
        "{node{...A}} fragment A on Node{...B ...B} fragment B on Node{...A ...A}",
    ],
)
def test_cyclic_fragments_are_reported_by_the_standard_rule(query):
    (message, *_) = [error.message for error in SCHEMA.execute_sync(query).errors]
    assert message.startswith("Cannot spread fragment 'A' within itself")


def test_nesting_that_exhausts_the_stack_is_refused():
    inner = "".join(f"fragment F{i} on Node{{...{{...{{...{{...F{i + 1}}}}}}}}}" for i in range(400))
    result = schema(max_tokens=100_000).execute_sync(
        "{node{...F0}}" + inner + "fragment F400 on Node{name}",
    )
    assert codes(result) == ["max_depth"]


def test_the_full_introspection_query_passes():
    result = SCHEMA.execute_sync(get_introspection_query())
    assert result.errors is None
    assert {"Node", "Page"} <= {found["name"] for found in result.data["__schema"]["types"]}


@pytest.mark.parametrize("value", [1_000_000, 1_000_000.0, math.inf, 10**400])
def test_a_page_size_in_a_variable_does_not_evade_the_limit(value):
    query = "query($n: Int!) { page(first: $n) { edges { node { name } } } }"
    assert SCHEMA.execute_sync(query, {"n": 10}).data == {"page": {"edges": [{"node": {"name": "10"}}]}}
    assert codes(SCHEMA.execute_sync(query, {"n": value})) == ["max_page"]


def test_a_page_size_in_a_variables_default_does_not_evade_the_limit():
    query = "query($n: Int = 1000000) { page(first: $n) { edges { node { name } } } }"
    assert codes(SCHEMA.execute_sync(query)) == ["max_page"]
    assert SCHEMA.execute_sync(query, {"n": 7}).errors is None


def test_each_request_is_weighed_with_its_own_variables_though_its_text_is_cached():
    query = "query($n: Int!) {page(first:$n){edges{node{page(first:$n){edges{node{name}}}}}}}"
    found = [codes(SCHEMA.execute_sync(query, {"n": size})) for size in (5, 900, 5)]
    assert found == [[], ["max_cost"], []]


def test_only_the_operation_run_is_charged_for_its_sizes():
    query = "query big {page(first:5000){edges{node{name}}}} query small {page{edges{node{name}}}}"
    assert SCHEMA.execute_sync(query, operation_name="small").errors is None
    assert codes(SCHEMA.execute_sync(query, operation_name="big")) == ["max_page"]


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        ("{node{name}}", None, 2),
        ("{node{children{name}}}", None, 1 + 1 + 10),
        ("{page(first:7){edges{node{name}}}}", None, 1 + 7 * 3),
        ("{page{edges{node{name}}}}", None, 1 + 50 * 3),
        ("{unsized{edges{node{name}}}}", None, 1 + 20 * 3),
        ("query($n:Int){unsized(first:$n){edges{node{name}}}}", None, 1 + 20 * 3),
        ("{page(first:2){edges{node{children{name}}}}}", None, 1 + 2 * (1 + 1 + 1 + 10)),
        ("{lineage(maxNodes:3000){nodes{name}}}", None, 1 + 3000 * 2),
        ("query($n:Int){lineage(maxNodes:$n){nodes{name}}}", {"n": 5}, 1 + 5 * 2),
        ("{page(first:-9){edges{node{name}}} node{name}}", None, 1 + 2),
        ("query($n:Int!){page(first:$n){edges{node{name}}}}", {"n": math.nan}, 1),
        ("query($n:Int!){page(first:$n){edges{node{name}}}}", {"n": "5"}, 1 + 1000 * 3),
        ("{page(first:null){edges{node{name}}}}", None, 1 + 1000 * 3),
        ("{page(first:2){...P}} fragment P on Page{edges{...E}} fragment E on Edge{node{name}}", None, 1 + 2 * 3),
        ("{nothing{like{this}} ...Gone}", None, 3),
    ],
)
def test_a_field_costs_one_and_its_selection_times_the_size_asked_for(query, variables, expected):
    assert cost(query, variables, default_page=20) == expected


def test_variables_that_are_no_object_are_left_to_coercion():
    result = SCHEMA.execute_sync("query($n:Int!){page(first:$n){edges{node{name}}}}", [1])
    assert result.data is None
    assert [error.extensions["code"] for error in result.errors] == ["INTERNAL"]


def test_a_syntax_error_keeps_its_own_words():
    (error,) = SCHEMA.execute_sync("{node{").errors
    assert error.message.startswith("Syntax Error: Expected Name")


@pytest.mark.parametrize(
    "query",
    ["{node{nmae}}", '{node(txet:"a"){name}}', "{node{...on Nod{name}}}", "query($a:Strin){node(text:$a){name}}"],
)
def test_no_name_of_the_schema_is_suggested(query):
    errors = SCHEMA.execute_sync(query).errors
    assert errors
    assert not [error.message for error in errors if "Did you mean" in error.message]


@pytest.mark.parametrize("field", ["broken", "mistyped { name }", "unserialisable"])
def test_an_internal_errors_text_reaches_the_log_under_an_id_and_never_the_client(field, caplog):
    result = SCHEMA.execute_sync(f"{{ {field} }}")
    (error,) = (error.formatted for error in result.errors)
    error_id = error["extensions"]["errorId"]
    assert error["message"] == f"Internal error. Quote this id to the operator: {error_id}"
    assert error["extensions"] == {"code": "INTERNAL", "errorId": error_id}
    assert "hunter2" not in json.dumps(error)
    assert result.errors[0].original_error is None
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("catalog.graphql", "ERROR")
    assert error_id in record.message
    assert "hunter2" in record.message


def test_an_awaited_operations_internal_error_is_masked():
    result = asyncio.run(SCHEMA.execute("{broken}"))
    assert [error.extensions["code"] for error in result.errors] == ["INTERNAL"]
    assert "hunter2" not in repr(result)


def test_a_subscriptions_internal_error_is_masked():
    async def collected():
        return [result async for result in await SCHEMA.subscribe("subscription{ticks{name}}")]

    good, bad = asyncio.run(collected())
    assert good.data == {"ticks": {"name": "n"}}
    assert [error.extensions["code"] for error in bad.errors] == ["INTERNAL"]
    assert "hunter2" not in repr(bad)


def test_an_exception_in_an_extension_is_masked():
    class Faulty(strawberry.extensions.SchemaExtension):
        def on_execute(self):
            raise RuntimeError(PRIVATE)

    faulty = Schema(Query, extensions=[*extensions(Limits()), Faulty])
    for result in (faulty.execute_sync("{node{name}}"), asyncio.run(faulty.execute("{node{name}}"))):
        assert [error.extensions["code"] for error in result.errors] == ["INTERNAL"]
        assert "hunter2" not in repr(result)


def test_a_user_error_reaches_the_client_as_it_was_written():
    (error,) = SCHEMA.execute_sync("{missing}").errors
    assert error.message == "There is no dataset `a`."
    assert error.extensions == {"code": "NOT_FOUND", "name": "a"}
    assert error.path == ["missing"]


def test_a_coercion_error_reaches_the_client():
    (error,) = SCHEMA.execute_sync("query($n:Int!){page(first:$n){edges{node{name}}}}", {"n": "many"}).errors
    assert "Variable '$n'" in error.message
    assert "many" in error.message


def test_many_internal_errors_of_one_operation_share_an_id_and_few_lines(caplog):
    query = "{" + " ".join(f'a{i}:broken(text:"{"x" * 900} {i}")' for i in range(15)) + "}"
    result = SCHEMA.execute_sync(query)
    assert len({error.extensions["errorId"] for error in result.errors}) == 1
    assert len(caplog.records) == 3
    assert all(len(record.message) <= 500 for record in caplog.records)


def test_the_log_holds_one_line_without_the_traceback_unless_at_debug_level(caplog):
    query = '{broken(text:"one\\ntwo\\u0085three")}'
    SCHEMA.execute_sync(query)
    (plain,) = caplog.records
    assert "one two three" in plain.message
    assert plain.exc_info is None
    with caplog.at_level(logging.DEBUG, "catalog.graphql"):
        SCHEMA.execute_sync(query)
    assert "raise RuntimeError(text)" in caplog.text


def test_four_kilobytes_of_bad_query_write_less_than_two_of_log(caplog):
    query = "{node{" + " ".join(f"unknown{i}" for i in range(400)) + "}}"
    assert len(query) > 4000
    with caplog.at_level(logging.DEBUG):
        result = SCHEMA.execute_sync(query)
    assert len(result.errors) == 101
    assert 0 < len(caplog.text) < 2000


def test_a_long_name_is_not_quoted_back_many_times():
    operations = "".join(f"query q{i}{{...F}}" for i in range(90))
    query = operations + "fragment F on Query{node(text:$" + "v" * 60_000 + "){name}}"
    result = SCHEMA.execute_sync(query, operation_name="q0")
    assert len(result.errors) == 90
    assert len(json.dumps([error.formatted for error in result.errors])) < 2 * len(query)


def test_of_several_operations_none_is_executed_unless_it_is_said_which(database: Database) -> None:
    query = "query a { one: __typename } mutation b { two: __typename }"
    several = execute(database, query)
    assert several.data is None
    assert [error.message for error in several.errors or []] == [
        "The query has several operations. Say which of them is meant with `operationName`."
    ]
    assert execute(database, query, operation_name="b").data == {"two": "Mutation"}
    assert execute(database, "query a { one: __typename }").data == {"one": "Query"}
