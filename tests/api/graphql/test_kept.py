from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from builders import ran
from catalog.api.graphql import app, schema
from catalog.api.graphql.asked import Asked
from catalog.api.graphql.context import Bounds
from catalog.api.graphql.kept import _OF_THE_GRAPH, Answers, is_lasting
from catalog.api.graphql.limits import Limits
from catalog.domain.callers import LOCAL, Caller, Role
from catalog.domain.projection import Projection
from catalog.ingest import accept, replay
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database

Tell = Callable[..., Any]
Statements = Callable[[Database], AbstractContextManager[list[str]]]

DOWNSTREAM = """query ($name: String!) {
  lineage(of: {kind: DATASET, namespace: "shop", name: $name}) { nodes { name } } }"""
RECEIVED = "{ events(first: 10) { totalCount } }"
FAILED = "{ events(filter: {failed: true}) { totalCount } }"


class Asking:
    """Somebody with a connection to a server."""

    def __init__(self, client: TestClient) -> None:
        self._client = client
        self.caller = LOCAL

    def says(self, query: str, **variables: Any) -> Any:
        answer = self._client.post("/graphql", json={"query": query, "variables": variables})
        assert answer.status_code == 200
        return answer.json()

    def downstream(self, name: str) -> list[str]:
        return sorted(node["name"] for node in self.says(DOWNSTREAM, name=name)["data"]["lineage"]["nodes"])


@contextmanager
def asking(database: Database, limits: Limits | None = None) -> Iterator[Asking]:
    def caller(_: object) -> Caller:
        return somebody.caller

    routes = app.routes(database, limits or Limits(), Bounds(), {}, caller)
    with TestClient(Starlette(routes=routes)) as client:
        somebody = Asking(client)
        yield somebody


@pytest.fixture
def somebody(database: Database) -> Iterator[Asking]:
    with asking(database) as one:
        yield one


def test_who_asks_again_costs_one_statement(somebody: Asking, database: Database, tell: Tell, statements: Statements):
    tell(ran("etl").reading("raw").writing("clean"))
    assert somebody.downstream("raw") == ["clean", "raw"]
    with statements(database) as seen:
        assert somebody.downstream("raw") == ["clean", "raw"]
    assert len(seen) == 1
    with statements(database) as seen:
        assert somebody.downstream("clean") == ["clean", "raw"]  # other variables are another question
    assert len(seen) > 1


def test_an_answer_is_made_anew_when_something_was_received(somebody: Asking, database: Database, tell: Tell):
    tell(ran("etl").reading("raw").writing("clean"))
    assert somebody.downstream("raw") == ["clean", "raw"]
    elsewhere = Database(database.url.render_as_string(hide_password=False))
    try:
        Ingest(elsewhere).accept([Received(raw, "test") for raw in ran("mart").reading("clean").writing("report")])
    finally:
        elsewhere.close()
    assert somebody.downstream("raw") == ["clean", "raw", "report"]


@pytest.mark.parametrize("again", [replay.retry_failed, replay.rebuild])
def test_an_answer_is_made_anew_when_the_graph_was_mended(
    again: Callable[[Database], int], somebody: Asking, database: Database, tell: Tell, monkeypatch: pytest.MonkeyPatch
):
    def broken(_: object) -> Projection:
        raise RuntimeError("a facet nobody understands")

    tell(ran("etl").reading("raw").writing("clean"))
    with monkeypatch.context() as patched:
        patched.setattr(accept, "project", broken)
        tell(ran("mart").reading("clean").writing("report"))
    assert somebody.downstream("raw") == ["clean", "raw"]
    again(database)
    assert somebody.downstream("raw") == ["clean", "raw", "report"]


def test_what_still_fails_may_fail_for_another_reason(
    somebody: Asking, database: Database, tell: Tell, monkeypatch: pytest.MonkeyPatch
):
    def failing(reason: str) -> Callable[[object], Projection]:
        def broken(_: object) -> Projection:
            raise RuntimeError(reason)

        return broken

    monkeypatch.setattr(accept, "project", failing("one"))
    tell(ran("etl").reading("raw").writing("clean"))
    why = "{ events { nodes { failure } } }"
    before = somebody.says(why)
    assert "one" in str(before)
    monkeypatch.setattr(accept, "project", failing("another"))
    assert replay.retry_failed(database) == 0
    assert "another" in str(somebody.says(why))


def test_nobody_gets_what_was_answered_to_somebody_who_may_read_more(somebody: Asking, tell: Tell):
    tell(ran("etl").reading("raw").writing("clean"))
    somebody.caller = Caller("auditor", Role.AUDITOR)
    assert somebody.says(RECEIVED)["data"]["events"]["totalCount"] > 0
    somebody.caller = Caller("reader", Role.READER)
    assert somebody.says(RECEIVED)["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    somebody.caller = Caller("another", Role.AUDITOR)
    assert somebody.says(RECEIVED)["data"]["events"]["totalCount"] > 0


def test_what_went_wrong_is_not_kept(somebody: Asking, tell: Tell):
    assert somebody.says(DOWNSTREAM, name="raw")["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    tell(ran("etl").reading("raw").writing("clean"))
    assert somebody.downstream("raw") == ["clean", "raw"]


def test_nothing_is_kept_where_nothing_may_be(database: Database, tell: Tell, statements: Statements):
    tell(ran("etl").reading("raw").writing("clean"))
    with asking(database, Limits(max_kept_bytes=0)) as somebody:
        somebody.downstream("raw")
        with statements(database) as seen:
            somebody.downstream("raw")
    assert len(seen) > 1


@pytest.mark.parametrize(
    ("query", "lasting"),
    [
        (DOWNSTREAM, True),
        ("{ again: jobs { totalCount } __typename }", True),
        ("{ viewer { name } }", False),
        ("{ jobs { totalCount } viewer { name } }", False),
        ("{ hidden: keys { nodes { prefix } } }", False),
        ("{ quarantine { totalCount } }", False),
        # Where no failure has a moment it is that of the question.
        ('{ rootCandidates(of: {kind: DATASET, namespace: "shop", name: "clean"}) { moment } }', False),
        ("{ ...more } fragment more on Query { viewer { name } }", False),
        ("{ ... on Query { viewer { name } } }", False),
        ("mutation { node(id: 1) { id } }", False),
        ("query one { jobs { totalCount } } query two { viewer { name } }", False),
    ],
)
def test_only_what_follows_from_the_log_is_kept(query: str, lasting: bool):
    assert is_lasting(Asked(query, None, "two" if "two" in query else None), 1_000) is lasting


def test_of_every_root_field_somebody_decided_whether_it_follows_from_the_log():
    root = schema.build(Limits())._schema.query_type
    assert root is not None
    assert set(root.fields) == (_OF_THE_GRAPH - {"__typename"}) | {"keys", "quarantine", "rootCandidates", "viewer"}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40), st.integers(0, 3))))
def test_what_is_kept_is_bounded_and_always_the_last_answer(kept: list[tuple[int, int, int]]):
    answers, told = Answers(160), {}
    for name, size, mended in kept:
        key, body = (f"{name}".encode(), LOCAL.permissions), bytes([name]) * size
        answers.keep(key, (0, mended), body)
        if size < 20:
            told[key] = (mended, body)
            assert answers.find(key, (0, mended)) == body
    found = 0
    for key, (mended, body) in told.items():
        assert answers.find(key, (1, mended)) is None
        again = answers.find(key, (0, mended))
        assert again in (None, body)
        found += 0 if again is None else len(again) + 1
    assert found <= 160
