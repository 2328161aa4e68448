from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from builders import ran
from catalog.api.graphql import app, schema
from catalog.api.graphql.context import Bounds
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import printed
from catalog.api.problems import Problems
from catalog.domain.errors import Unavailable
from catalog.store.engine import Database
from catalog.store.read import jobs
from catalog.web.query_page import query_page

Tell = Callable[..., Any]

JSON = {"content-type": "application/json"}
HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def serving(database: Database) -> TestClient:
    routes = app.routes(database, Limits(), Bounds(), query_page(printed()))
    return TestClient(
        Starlette(routes=routes, exception_handlers=Problems(2).handlers()), raise_server_exceptions=False
    )


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    with serving(database) as client:
        yield client


def test_an_operation_is_answered_as_json(client: TestClient, tell: Tell):
    tell(ran("j").writing("d"))
    answer = client.post(
        "/graphql",
        json={
            "query": 'query A($n: String!) { dataset(namespace: $n, name: "d") { name } } query B { __typename }',
            "variables": {"n": "shop"},
            "operationName": "A",
        },
    )
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {"data": {"dataset": {"name": "d"}}}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ nothing }", None),
        ("{", None),
        ('{ events(after: "x") { totalCount } }', "BAD_REQUEST"),
        ("{ jobs(first: 5000) { totalCount } }", "LIMIT_EXCEEDED"),
    ],
)
def test_what_is_wrong_with_an_operation_is_in_its_errors(client: TestClient, query: str, code: str | None):
    answer = client.post("/graphql", json={"query": query})
    assert answer.status_code == 200
    assert answer.json()["data"] is None
    (error,) = answer.json()["errors"]
    assert error["message"]
    assert error.get("extensions", {}).get("code") == code


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b'"{ jobs }"', b"{}", b'{"query": ""}', b'{"query": 1}', b'[{"query": "{ jobs }"}]',
        b'{"query": "{ __typename }", "variables": []}', b'{"query": "{ __typename }", "operationName": 1}',
        b'{"query": "\xff"}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_body_that_is_no_graphql_request_is_a_problem_that_says_what_to_send(client: TestClient, body: bytes):
    answer = client.post("/graphql", content=body, headers=JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert '"query"' in answer.json()["fix"]


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""]
)
def test_only_json_is_taken_so_that_no_form_of_another_site_can_ask(client: TestClient, content_type: str):
    headers = {"content-type": content_type} if content_type else {}
    answer = client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


def test_json_may_say_its_charset(client: TestClient):
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    answer = client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)
    assert answer.json() == {"data": {"__typename": "Query"}}


def test_a_body_larger_than_any_request_is_refused(client: TestClient):
    body = orjson.dumps({"query": "{ __typename }", "variables": {"x": "y" * 2_000_000}})
    answer = client.post("/graphql", content=body, headers=JSON)
    assert answer.status_code == 413


@pytest.mark.parametrize("headers", [{}, {"accept": "application/json"}, HTML])
def test_a_query_is_never_answered_by_get(client: TestClient, headers: dict[str, str]):
    answer = client.get("/graphql?query={__typename}", headers={"accept": "*/*", **headers})
    assert '"data"' not in answer.text
    assert answer.status_code == (200 if headers is HTML else 405)


def test_a_browser_gets_a_page_that_needs_nothing_from_elsewhere(client: TestClient):
    page = client.get("/graphql", headers=HTML)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    markup = page.text[: page.text.index('<pre id="schema"')]
    links = re.findall(r'(?:src|href)="([^"]*)"', markup)
    assert links == ["data:,", "graphql/query.css", "graphql/query.js"]
    assert "<style" not in page.text
    assert not re.search(r"<script(?! src)|\son\w+=|style=", markup)
    assert html.escape(printed()) in page.text
    for link in links[1:]:
        file = client.get(f"/{link}")
        assert file.status_code == 200
        assert "http" not in file.text


def test_the_page_without_files_is_not_there(database: Database):
    routes = app.routes(database, Limits(), Bounds(), {})
    with TestClient(Starlette(routes=routes, exception_handlers=Problems(2).handlers())) as client:
        assert client.get("/graphql", headers=HTML).status_code == 405
        assert client.post("/graphql", json={"query": "{ __typename }"}).status_code == 200


def test_a_database_that_is_away_is_answered_with_503_and_when_to_come_back(tmp_path: Any):
    away = Database(f"sqlite:///{tmp_path}/missing/catalog.db")
    with serving(away) as client:
        answer = client.post("/graphql", json={"query": "{ jobs { totalCount } }"})
    away.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "missing" not in answer.text


def test_a_database_that_goes_away_meanwhile_is_answered_with_503(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    def gone(*_: object) -> None:
        raise Unavailable("host db.internal is down")

    monkeypatch.setattr(jobs, "page", gone)
    answer = client.post("/graphql", json={"query": "{ datasets { totalCount } jobs { totalCount } }"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_a_fault_of_ours_is_masked(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    def faulty(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(jobs, "page", faulty)
    answer = client.post("/graphql", json={"query": "{ jobs { totalCount } }"})
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "secret" not in answer.text


def test_a_slow_query_keeps_nobody_else_waiting(database: Database, monkeypatch: pytest.MonkeyPatch):
    begun, go_on = Event(), Event()
    page = jobs.page

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert go_on.wait(20)
        return page(*arguments)

    monkeypatch.setattr(jobs, "page", slow)
    answers: list[int] = []
    with serving(database) as client:

        def ask() -> None:
            answers.append(client.post("/graphql", json={"query": "{ jobs { totalCount } }"}).status_code)

        waiting = Thread(target=ask)
        waiting.start()
        assert begun.wait(20)
        other = client.post("/graphql", json={"query": "{ runs { totalCount } }"})
        assert (other.status_code, answers) == (200, [])
        go_on.set()
        waiting.join()
    assert answers == [200]


def test_when_too_many_wait_new_ones_are_sent_away(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(app, "_WAITING", 0)
    with serving(database) as client:
        answer = client.post("/graphql", json={"query": "{ __typename }"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_one_operation_sees_one_state_whatever_is_written_meanwhile(
    tell: Tell, database: Database, monkeypatch: pytest.MonkeyPatch
):
    tell(ran("j").writing("d"))
    page = jobs.page

    def writing_between(*arguments: Any) -> Any:
        found = page(*arguments)
        tell(ran("later").writing("e"))
        return found

    monkeypatch.setattr(jobs, "page", writing_between)
    result = schema.execute(database, "{ jobs { edges { node { name } } } datasets { totalCount } }")
    assert result.data == {"jobs": {"edges": [{"node": {"name": "j"}}]}, "datasets": {"totalCount": 1}}
    assert schema.execute(database, "{ datasets { totalCount } }").data == {"datasets": {"totalCount": 2}}
