"""The plan of a query answers what the default executor answers; here queries of all shapes, elsewhere every test's."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any, cast

import orjson
import pytest
import strawberry
from graphql import GraphQLError, get_introspection_query
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import both_executors
from builders import ran
from catalog.api.graphql import executor
from catalog.api.graphql.context import Bounds, Context, Info
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.permissions import Requires
from catalog.api.graphql.schema import build, execute
from catalog.domain.callers import LOCAL, Caller, Permission, Role
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database
from catalog.store.read.snapshot import Snapshot
from generated_queries import Word, queries

Watch = Callable[[Database], AbstractContextManager[list[str]]]

# Of what is drawn at random, some costs minutes: what costs more than this is refused, whoever answers.
CHEAP = Limits(max_cost=5_000, max_tokens=10_000, max_depth=50, max_aliases=10_000, max_directives=10_000)
ROOMY = Limits(max_cost=10**9, max_tokens=10_000, max_depth=50, max_aliases=10_000, max_directives=10_000)


@pytest.fixture
def by_plan() -> Callable[[], int]:
    """How many queries were answered by their plan since the test began, none of them left to the default executor."""
    before = dict(both_executors.SEEN)

    def count() -> int:
        assert both_executors.SEEN["left to the default"] == before["left to the default"]
        return both_executors.SEEN["answered"] - before["answered"]

    return count


def shown(result: Any) -> tuple[bytes, list[dict[str, Any]]]:
    errors = [error.formatted for error in result.errors or ()]
    for error in errors:
        error.get("extensions", {}).pop("errorId", None)
        error["message"] = error["message"].partition("Quote this id")[0]
    return orjson.dumps(result.data), errors


# Queries over the real schema.


@pytest.fixture(scope="module")
def words(demo: Database) -> dict[str, list[Any]]:
    """What there is in the demo to ask for, and some that there is not."""
    found = execute(
        demo,
        """{ datasets(first: 12) { nodes { id namespace name latestVersion { id } } pageInfo { endCursor } }
        jobs(first: 12) { nodes { id namespace name latestRun { id runId } } } namespaces { nodes { id name } } }""",
    ).data
    assert found is not None
    sets, jobs = found["datasets"]["nodes"], found["jobs"]["nodes"]
    names = [{"namespace": one["namespace"], "name": one["name"]} for one in sets + jobs]
    refs = [
        {"kind": Word("DATASET" if one in sets else "JOB"), **name}
        for one, name in zip(sets + jobs, names, strict=True)
    ]
    things = [*sets, *jobs, *found["namespaces"]["nodes"]]
    runs = [one["latestRun"] for one in jobs if one["latestRun"]]
    inner = [one["latestVersion"]["id"] for one in sets if one["latestVersion"]] + [run["id"] for run in runs]
    return {
        "NameInput": names,
        "EntityRef": refs,
        "ID": [one["id"] for one in things] + inner,
        "namespace": [one["namespace"] for one in sets + jobs],
        "name": [one["name"] for one in sets + jobs] + ["schema", "sql"],
        "runId": [run["runId"] for run in runs],
        "after": [found["datasets"]["pageInfo"]["endCursor"], ""],
        "first": [0, 1, 2, 3],
        "Int": [0, 1, 2, 20],
        "String": ["orders", "a", "", "TABLE"],
        "Boolean": [True, False],
        "BigInt": [0, 1, 10**12],
        "DateTime": ["2026-03-01T00:00:00Z", "2026-03-10", "2030-01-01", 0],
    }


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_any_query_is_answered_alike(demo: Database, words: dict[str, list[Any]], data: st.DataObject):
    query, variables = data.draw(queries(build(ROOMY)._schema, words))
    with warnings.catch_warnings():
        # Of fields beside one that fails, graphql-core leaves coroutines behind.
        warnings.simplefilter("ignore", RuntimeWarning)
        result = execute(demo, query, variables, limits=CHEAP)
        if result.errors:
            assert shown(result) == shown(execute(demo, query, variables, limits=CHEAP, compiled=False))
        gc.collect()
    differences = both_executors.DIFFERENCES.copy()
    # What one example found is not the fault of the next.
    both_executors.DIFFERENCES.clear()
    assert differences == []


def test_the_introspection_of_the_schema_is_answered_by_its_plan(demo: Database, by_plan: Callable[[], int]):
    assert execute(demo, get_introspection_query(), limits=ROOMY).errors is None
    assert by_plan() == 1


LINEAGE = """query ($of: [EntityRef!]!) { lineage(of: $of) {
  nodes { id kind namespace name depth column hiddenUpstream hiddenDownstream }
  edges { source target derivation masked firstSeen lastSeen transformations { type } job { name } lastRun { runId } }
} }"""
LISTS = """{ datasets(first: 50) { totalCount pageInfo { endCursor } edges { cursor node {
    id name tags { key } owners { name } fields { name } producers { name latestRun { state } } facets { payload }
    versions(first: 2) { nodes { rowCount run { job { name } } } } } } }
  jobs(first: 50) { nodes { ...J parent { ...J } } } runs(first: 50) { nodes { state inputs { dataset { name } } } }
  search(text: "orders") { nodes { score entity { __typename id ... on Dataset { name } } } } }
  fragment J on Job { id name runs(first: 1) { nodes { state outputs { dataset { name } } } } }"""


def test_lineage_and_lists_are_answered_by_their_plans(
    demo: Database, words: dict[str, list[Any]], by_plan: Callable[[], int]
):
    result = execute(demo, LINEAGE, {"of": words["EntityRef"][:1]})
    assert result.errors is None
    assert len((result.data or {})["lineage"]["nodes"]) > 1
    assert execute(demo, LISTS, limits=ROOMY).errors is None
    assert by_plan() == 2


def test_a_plan_asks_no_more_statements_than_the_default_executor(demo: Database, statements: Watch):
    counts = []
    for compiled in (True, False):
        with statements(demo) as seen:
            execute(demo, LISTS, limits=ROOMY, compiled=compiled)
        counts.append(len(seen))
    assert 1 < counts[0] <= counts[1]


def test_statements_do_not_grow_with_the_rows_of_a_plan(
    database: Database, statements: Watch, by_plan: Callable[[], int]
):
    counts = []
    for many in (1, 50):
        events = [event for n in range(many) for event in ran(f"j{n}", at=n).reading(f"r{n}").writing(f"w{n}")]
        Ingest(database).accept([Received(event, "test") for event in events])
        with statements(database) as seen:
            result = execute(database, LISTS, limits=ROOMY)
        assert result.errors is None
        assert len((result.data or {})["jobs"]["nodes"]) == many
        counts.append(len(seen))
    assert 1 < counts[1] <= counts[0]
    assert by_plan() == 2


def test_what_a_caller_may_not_ask_is_refused_in_the_same_words(demo: Database):
    reader = Caller("reader", Role.READER)
    query = "{ a: events { totalCount } runs(first: 2) { nodes { runId events { totalCount } } } }"
    plan, default = (execute(demo, query, caller=reader, compiled=compiled) for compiled in (True, False))
    assert shown(plan) == shown(default)


# Shapes that the catalog's own types do not have, or not yet.


class Colour(Enum):
    RED = "r"
    GREEN = "g"


strawberry.enum(Colour)


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Cat(Named):
    lives: int | None = 9

    @strawberry.field
    async def kittens(self, info: Info, many: int = 1) -> list[Cat]:
        asked = await info.context.load(_kittens, self.name)
        return [Cat(name=f"{asked}{n}") for n in range(many)]


@strawberry.type
class Dog(Named):
    friends: list[Pet | None]
    barks: bool = True


Pet = Annotated[Cat | Dog, strawberry.union("Pet")]
ASKED: list[list[str]] = []
DONE: list[str] = []


def _kittens(_: Any, names: list[str]) -> dict[str, str]:
    ASKED.append(list(names))
    return {name: f"of {name} " for name in names}


class Snapless(Snapshot):
    """Reads nothing."""

    def __init__(self) -> None:
        super().__init__(cast("Any", None))


PETS = [
    Cat(name="a"),
    Dog(name="b", friends=[Cat(name="c", lives=None), None, Dog(name="d", friends=[])]),
    Cat(name="e"),
]


@strawberry.type
class Query:
    @strawberry.field
    def pets(self) -> list[Pet]:
        return list(PETS)

    @strawberry.field
    def named(self, name: str | None = None) -> Named | None:
        return next((pet for pet in PETS if pet.name == name), None)

    @strawberry.field
    def table(self) -> list[list[int | None] | None]:
        return [[1, None], None, [], [2**31 - 1, True]]

    @strawberry.field
    def colours(self) -> list[Colour | None]:
        return [Colour.GREEN, None, Colour.RED, Colour.GREEN]

    @strawberry.field
    def lazily(self) -> list[str]:
        return cast("list[str]", (word for word in ("a", "b")))

    @strawberry.field
    def number(self, is_: Annotated[str, strawberry.argument(name="is")] = "int") -> int | None:
        values = {"int": 1, "text": "7", "large": 2**31, "error": ValueError("x"), "none": None, "float": 2.0}
        return cast("int", values[is_])

    @strawberry.field
    def numbers(self, of: int) -> list[int]:
        return cast("list[int]", [1, of, None, 2])

    @strawberry.field
    def strays(self) -> list[Cat]:
        return []

    @strawberry.field
    def stranger(self) -> Cat:
        return cast("Cat", SimpleNamespace(name="x"))

    @strawberry.field
    async def refused(self, text: str, ticks: int = 0) -> str | None:
        for _ in range(ticks):
            await asyncio.sleep(0)
        raise GraphQLError(text)

    @strawberry.field(extensions=[Requires(Permission.READ)])
    async def guarded(self) -> Cat:
        return Cat(name="g")


@strawberry.type
class Mutation:
    @strawberry.mutation
    def change(self, to: str) -> Cat:
        DONE.append(to)
        if to == "nothing":
            raise ValueError(to)
        return Cat(name=to)


SMALL = strawberry.Schema(Query, Mutation, types=[Cat, Dog], execution_context_class=executor.Executor)


def answered(query: str, variables: dict[str, Any] | None = None, *, compiled: bool = True) -> Any:
    """The result; None where the plan failed."""
    context = Context(Snapless(), Bounds(), 50, LOCAL, cast("Database", None), compiled=compiled)
    result = asyncio.run(SMALL.execute(query, variables, context))
    return None if context.stumbled else result


LEFT_OUT = "query ($s: Boolean!) { pets { ... on Named @skip(if: $s) { name } } table @include(if: $s) }"
SHAPES: list[tuple[str, dict[str, Any]]] = [
    (
        "{ pets { __typename ... on Named { name } ... on Dog { friends { __typename ... on Cat { lives } } } } }",
        {},
    ),
    ("{ pets { ...F ... on Dog { friends { ...F } } } } fragment F on Named { called: name __typename }", {}),
    ('{ a: named(name: "a") { name ... on Cat { lives } } b: named(name: "b") { name ... on Dog { barks } } }', {}),
    ("query ($n: String) { named(name: $n) { name } other: named { name } }", {"n": "nobody"}),
    ('query ($n: String = "a") { named(name: $n) { name } }', {}),
    ("{ table colours lazily guarded { name } }", {}),
    ("{ pets { ... on Cat { kittens { name kittens(many: 2) { name } } } } guarded { kittens { name } } }", {}),
    ("query ($n: Int = 1) { strays { kittens(many: $n) { name } } }", {"n": None}),
    (LEFT_OUT, {"s": True}),
    (LEFT_OUT, {"s": False}),
    ("{ pets { ... on Cat { name } } pets { ... on Cat { lives name } ... on Named { name } } }", {}),
    ('{ number(is: "text") a: number(is: "none") b: number(is: "float") n: number }', {}),
    ('{ __typename __schema { queryType { fields { type { kind } } } } __type(name: "Cat") { name } }', {}),
]


@pytest.mark.parametrize(("query", "variables"), SHAPES)
def test_a_plan_answers_values_of_every_shape(query: str, variables: dict[str, Any]):
    plan, default = (answered(query, variables, compiled=compiled) for compiled in (True, False))
    assert default.errors is None
    assert shown(plan) == shown(default)


@pytest.mark.parametrize(
    "query",
    [
        '{ number(is: "large") }',
        '{ number(is: "error") }',
        "{ numbers(of: 1) }",
        '{ table refused(text: "no") }',
        "{ stranger { name } }",
        '{ a: refused(text: "late", ticks: 5) b: refused(text: "soon", ticks: 1) c: refused(text: "now") }',
        "{ pets { ... on Cat { kittens(many: 2) { name } } } numbers(of: 3) }",
    ],
)
def test_what_a_plan_does_not_answer_is_left_to_the_default_executor(query: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert answered(query) is None
        gc.collect()


def test_a_plan_loads_for_all_objects_of_a_level_at_once():
    ASKED.clear()
    result = answered("{ pets { ... on Cat { kittens { kittens { name } } } } }")
    assert result.errors is None
    assert ASKED == [["a", "e"], ["of a 0", "of e 0"]]
    ASKED.clear()
    apart = " ".join(f'{name}: named(name: "{name}") {{ ... on Cat {{ kittens {{ name }} }} }}' for name in "ae")
    assert answered(f"{{ {apart} }}").errors is None
    assert ASKED == [["a", "e"]]


@pytest.mark.parametrize("to", ["something", "nothing"])
def test_a_mutation_is_executed_once(to: str):
    DONE.clear()
    result = answered(f'mutation {{ change(to: "{to}") {{ name }} }}')
    assert [to] == DONE
    assert bool(result.errors) == (to == "nothing")


def test_a_plan_is_kept_for_the_values_of_the_variables_in_directives():
    query = "query ($s: Boolean!, $n: String) { named(name: $n) { name ... on Cat @include(if: $s) { lives } } }"
    executor._kept.cache_clear()
    found = [answered(query, {"s": s, "n": n}).data["named"] for n in ("a", "e") for s in (True, False)]
    assert found == [{"name": "a", "lives": 9}, {"name": "a"}, {"name": "e", "lives": 9}, {"name": "e"}]
