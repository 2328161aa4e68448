from __future__ import annotations

import logging
from typing import Any

import pytest
from starlette.testclient import TestClient

from builders import encode
from catalog.api.requests import trace_id
from catalog.app import Service

ONE, MANY = "/api/v1/lineage", "/api/v1/lineage/batch"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def event(name: str) -> bytes:
    return encode({"eventTime": "2026-01-01T00:00:00Z", "job": {"namespace": "secret-shop", "name": name}})


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """The fields of every line about a request so far."""
    caplog.set_level(logging.DEBUG, "catalog")
    return lambda: [record.fields for record in caplog.records if record.name == "catalog.requests"]


def test_a_request_with_an_event_is_one_line_with_its_receipt(client: TestClient, lines: Any):
    raw = event("j")
    receipt = client.post(ONE, content=raw).json()["receipt"]
    [line] = lines()
    assert line.pop("ms") >= 0
    assert line == {
        "method": "POST", "route": ONE, "status": 201, "bytes_in": len(raw), "caller": "anonymous",
        "events": {"accepted": 1}, "receipt": receipt,
    }  # fmt: skip


def test_a_line_about_a_batch_has_numbers(client: TestClient, lines: Any):
    client.post(MANY, content=b"[%s, %s, 7]" % (event("j"), event("j")))
    [line] = lines()
    assert line["events"] == {"accepted": 1, "duplicate": 1, "quarantined": 1}
    assert "receipt" not in line


def test_a_line_about_a_question_has_its_kind(client: TestClient, lines: Any):
    client.post("/graphql", json={"query": "query Chosen { __typename }"})
    assert [line["operation"] for line in lines()] == ["query"]


def test_no_line_has_a_payload_a_path_a_key_or_a_name(client: TestClient, lines: Any, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "catalog")
    client.post(ONE, content=event("secret-job"))
    client.post(ONE, content=b"secret-bytes")
    client.get("/secret/path?secret=1", headers={"authorization": "Bearer secret-key"})
    client.post("/graphql", json={"query": 'query Secret { dataset(namespace: "secret", name: "s") { name } secret }'})
    assert [line["route"] for line in lines()] == [ONE, ONE, "(none)", "/graphql"]
    assert "secret" not in caplog.text.lower()
    assert not [record for record in caplog.records if "secret" in str(vars(record)).lower().replace("secrets", "")]


def test_what_is_asked_every_few_seconds_is_for_debugging(client: TestClient, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "catalog")
    for path in ("/livez", "/healthz", "/readyz", "/metrics"):
        assert client.get(path).status_code == 200
    assert caplog.text == ""


def test_a_sane_request_id_comes_back(client: TestClient):
    answer = client.get("/livez", headers={"x-request-id": "job-7/try:2"})
    assert answer.headers["x-request-id"] == "job-7/try:2"


@pytest.mark.parametrize("given", ["", " ", "two words", "x" * 129, "<script>", "caf\xe9"])
def test_any_other_request_id_is_replaced(client: TestClient, given: str):
    made = client.get("/livez", headers={"x-request-id": given.encode("latin-1")}).headers["x-request-id"]
    assert len(made) == 16
    assert made != given


def test_a_problem_document_names_its_request(client: TestClient):
    answer = client.post(ONE, content=b"{", headers={"x-request-id": "abc"})
    assert answer.json()["request"] == answer.headers["x-request-id"] == "abc"


def test_an_error_that_nobody_expected_has_its_id_and_its_line(
    client: TestClient, service: Service, lines: Any, monkeypatch: pytest.MonkeyPatch
):
    def broken(_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(service.group, "submit_many", broken)
    answer = client.post(ONE, content=event("j"), headers={"x-request-id": "abc"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "abc")
    assert [(line["status"], line["events"]) for line in lines()] == [(500, {"refused": 1})]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([f"00-{TRACE}-{SPAN}-01"], TRACE),
        ([f" 00-{TRACE}-{SPAN}-00 "], TRACE),
        ([f"01-{TRACE}-{SPAN}-01-more"], TRACE),
        ([], ""),
        ([f"00-{TRACE}-{SPAN}-01"] * 2, ""),
        ([f"00-{TRACE}-{SPAN}-01-more"], ""),
        ([f"01-{TRACE}-{SPAN}-01more"], ""),
        ([f"ff-{TRACE}-{SPAN}-01"], ""),
        ([f"00-{'0' * 32}-{SPAN}-01"], ""),
        ([f"00-{TRACE}-{'0' * 16}-01"], ""),
        ([f"00-{TRACE.upper()}-{SPAN}-01"], ""),
        ([f"00-{TRACE}-{SPAN}"], ""),
        (["nonsense"], ""),
    ],
)
def test_a_trace_is_read_by_the_rules_of_the_w3c_or_not_at_all(given: list[str], found: str):
    assert trace_id(given) == found
