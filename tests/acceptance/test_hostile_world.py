"""The whole service fed with the hostile corpus: every answer is a proper one, and all of it can be asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from builders import dataset, encode
from catalog.app import build_app
from catalog.settings import DatabaseSettings, Settings
from test_hostile import BASE, FACETS, NAMES, NO_EVENTS, NUMBERS

EVERYTHING = """{
  namespaces(first: 1000) { nodes { name } }
  datasets(first: 200) { nodes {
    id namespace name type description aliases { namespace name } tags { key value } owners { name }
    facets { name payload understood validFrom } schemaHistory { validFrom } deletedAt updatedAt
  } }
  jobs(first: 200) { nodes { id namespace name sql facets { name payload } inputs { name } outputs { name } } }
  runs(first: 200) { nodes { id runId state conflicting startedAt facets { name payload } error { message } } }
  events(first: 200) { nodes { kind eventTime } }
  quarantine(first: 200) { nodes { reason } }
  failed: events(first: 0, filter: {failed: true}) { totalCount }
}"""


@pytest.fixture
def client(database_url: str) -> Iterator[TestClient]:
    settings = replace(Settings(), database=DatabaseSettings(url=database_url))
    with TestClient(build_app(settings), "http://localhost", raise_server_exceptions=False) as client:
        yield client


def ask(client: TestClient, query: str, **variables: Any) -> Any:
    answer = client.post("/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == 200
    return answer.json()


def named(name: str) -> bytes:
    job = {"namespace": name[:1_000], "name": name, "facets": {"documentation": {"description": name}}}
    tags = {"tags": [{"key": name[:100] or "k", "value": name[:100]}]}
    return encode(
        {**BASE, "job": job, "outputs": [dataset((name[:1_000], name), {"tags": tags, f"x{name[:50]}": {"v": name}})]}
    )


def test_no_event_and_no_question_ever_ends_in_an_error_of_ours(client: TestClient) -> None:
    numbered = encode({**BASE, "outputs": [dataset("n", {"n": {"v": 7_777}})]})
    numbers = [numbered.replace(b"7777", number) for number in NUMBERS.values()]
    facets = [encode({**BASE, "outputs": [dataset("f", given)]}) for given in FACETS.values()]
    good = [*map(named, NAMES.values()), *numbers, *facets]
    statuses = {raw: client.post("/api/v1/lineage", content=raw).status_code for raw in good}
    refused = {raw: client.post("/api/v1/lineage", content=raw).status_code for raw in NO_EVENTS.values()}

    assert set(statuses.values()) == {201}
    assert set(refused.values()) <= {200, 400}, "an empty array is a batch of nothing"
    answer = ask(client, EVERYTHING)
    assert answer.get("errors") is None
    assert answer["data"]["failed"]["totalCount"] == 0
    assert len(answer["data"]["events"]["nodes"]) == len(statuses)
    assert len(answer["data"]["jobs"]["nodes"]) >= len(NAMES)


def test_every_hostile_name_can_be_asked_for_and_its_id_finds_it_again(client: TestClient) -> None:
    for name in NAMES.values():
        client.post("/api/v1/lineage", content=named(name))
    query = """query ($namespace: String!, $name: String!, $of: [EntityRef!]!) {
      dataset(namespace: $namespace, name: $name) { id }
      lineage(of: $of) { nodes { id name depth } }
    }"""
    for name in (name for name in NAMES.values() if len(name) < 100_000):  # A question has a size limit too.
        ref = {"kind": "DATASET", "namespace": name[:1_000], "name": name}
        answer = ask(client, query, namespace=name[:1_000], name=name, of=[ref])
        assert answer.get("errors") is None
        root = answer["data"]["lineage"]["nodes"][0]
        again = ask(client, "query ($id: ID!) { node(id: $id) { ... on Dataset { id name } } }", id=root["id"])
        assert again["data"]["node"]["id"] == answer["data"]["dataset"]["id"] == root["id"]


def test_hostile_queries_are_refused_in_words(client: TestClient) -> None:
    shapes = [b"", b"{", b"[]", b"null", b'{"query": 1}', b'{"query": "{"}', b"\xff"]
    deep = b'{"query": "' + b"{a" * 5_000 + b'"}'
    listed = b'{"query": "{ __typename }", "variables": []}'
    asked = {"content-type": "application/json"}
    answers = [client.post("/graphql", content=body, headers=asked) for body in [*shapes, deep, listed]]

    assert {answer.status_code for answer in answers} <= {200, 400, 413}
    assert all("Traceback" not in answer.text and json.loads(answer.text) is not None for answer in answers)
