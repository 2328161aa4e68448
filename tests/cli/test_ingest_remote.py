"""Events are sent to a server in batches where it takes them, one by one where it does not, and with patience."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from builders import ran
from catalog.cli import remote

MANY, ONE = "/api/v1/lineage/batch", "/api/v1/lineage"
EVENTS = [event for minute in range(3) for event in ran("etl", minute).reading("raw").writing("clean")]


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


@pytest.fixture(autouse=True)
def file(run: Any, tmp_path: Path) -> None:
    assert run
    (tmp_path / "e.ndjson").write_bytes(b"\n".join(EVENTS))


def outcome(run: Any, server: Any, *more: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = run("ingest", "e.ndjson", "--url", server.url, "--json", *more, code=code).json
    return found


def answer(failed: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"status": "success", "summary": {}, "failed_events": failed or []}


def test_all_events_go_in_one_array_byte_for_byte(run: Any, server: Any) -> None:
    server.says(200, answer())
    assert outcome(run, server)["accepted"] == 6
    (path, headers, body), *others = server.requests
    assert (path, others) == (MANY, [])
    assert body == b"[" + b",".join(EVENTS) + b"]"
    assert headers["Content-Encoding"] == "gzip"


def test_an_answer_without_a_body_means_that_all_is_well(run: Any, server: Any) -> None:
    server.says(204)
    assert outcome(run, server)["accepted"] == 6


def test_events_a_batch_failed_for_are_quarantined_and_those_to_be_retried_go_alone(run: Any, server: Any) -> None:
    failed = [
        {"index": 1, "reason": "no event", "retriable": False},
        {"index": 4, "reason": "try later", "retriable": True},
    ]
    server.says(200, answer(failed)).says(201, {"receipt": "r-1", "duplicate": False, "warnings": []})
    said = outcome(run, server, code=3)
    assert (said["accepted"], said["quarantined"]) == (5, 1)
    assert [(refused["line"], refused["reason"]) for refused in said["refused"]] == [(2, "no event")]
    assert [(path, body) for path, _, body in server.requests[1:]] == [(ONE, EVENTS[4])]


@pytest.mark.parametrize("status", [404, 501])
def test_a_server_without_batches_gets_events_one_by_one(run: Any, server: Any, status: int) -> None:
    server.says(status).says(200, {"duplicate": True}).says(201, {"warnings": [{"code": "x", "detail": "why"}]}).says(
        201
    )
    said = outcome(run, server)
    assert (said["accepted"], said["duplicates"], said["warnings"]) == (5, 1, 1)
    assert server.paths == [MANY] + [ONE] * 6
    assert [body for _, _, body in server.requests[1:]] == EVENTS


def test_a_batch_that_is_too_large_is_sent_one_by_one(run: Any, server: Any) -> None:
    server.says(413).says(201)
    assert outcome(run, server)["accepted"] == 6


def test_a_refused_event_is_told_with_what_the_server_says(run: Any, server: Any) -> None:
    problem = {
        "title": "Not an event",
        "detail": "no time",
        "pointer": "/eventTime",
        "fix": "send it",
        "receipt": "r-2",
    }
    server.says(501).says(400, problem).says(201)
    said = outcome(run, server, code=3)
    assert said["refused"] == [
        {
            "file": "e.ndjson",
            "line": 1,
            "reason": "no time",
            "pointer": "/eventTime",
            "fix": "send it",
            "receipt": "r-2",
        }
    ]


def test_what_is_no_json_goes_alone_and_breaks_no_batch(run: Any, server: Any, tmp_path: Path) -> None:
    (tmp_path / "e.ndjson").write_bytes(b"\n".join([EVENTS[0], b'{"a": [', EVENTS[1]]))
    server.says(200, answer()).says(400, {"detail": "no JSON"})
    assert outcome(run, server, code=3)["quarantined"] == 1
    assert [body for _, _, body in server.requests] == [b"[" + EVENTS[0] + b"," + EVENTS[1] + b"]", b'{"a": [']


def test_a_server_that_is_busy_is_asked_again_when_it_said(run: Any, server: Any, slept: list[float]) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    server.says(503, Retry_After="7").says(503, Retry_After=date).says(503).says(200, answer())
    assert outcome(run, server)["accepted"] == 6
    assert slept[0] == 7
    assert 15 < slept[1] <= 20
    assert slept[2] == 4


def test_a_server_that_stays_busy_is_given_up_and_what_to_do_is_said(run: Any, server: Any, slept: list[float]) -> None:
    server.says(503, {"detail": "full"}, Retry_After="1")
    said = run("ingest", "e.ndjson", "--url", server.url, code=1)
    assert "cannot take this now: full" in said.err
    assert "fix: Send it again later" in said.err
    assert len(server.requests) == len(slept) + 1 == remote.TRIES


def test_a_server_that_is_not_there_is_an_error_at_once(run: Any, slept: list[float]) -> None:
    said = run("ingest", "e.ndjson", "--url", "http://127.0.0.1:1", code=1)
    assert "cannot be reached" in said.err
    assert slept == []


def test_a_key_is_sent_and_its_refusal_says_how_to_pass_one(run: Any, server: Any) -> None:
    server.says(401, {"detail": "no key"})
    said = run("ingest", "e.ndjson", "--url", server.url, "--api-key", "secret", code=1)
    assert server.requests[0][1]["Authorization"] == "Bearer secret"
    assert "error: no key\nfix: Pass a key" in said.err
    assert "secret" not in said.err


def test_a_server_that_cannot_unpack_gets_plain_bodies(run: Any, server: Any) -> None:
    server.says(415).says(200, answer())
    assert outcome(run, server)["accepted"] == 6
    assert "Content-Encoding" not in server.requests[1][1]


def test_a_server_that_takes_no_events_is_an_error_and_not_a_quarantine(run: Any, server: Any) -> None:
    server.says(404, {"message": "nothing here"})
    assert "takes no OpenLineage events" in run("ingest", "e.ndjson", "--url", server.url, code=1).err


@pytest.mark.parametrize("suffix", ["", "/", "/api/v1/lineage"])
def test_the_url_may_be_that_of_the_server_or_of_its_endpoint(run: Any, server: Any, suffix: str) -> None:
    server.says(200, answer())
    run("ingest", "e.ndjson", "--url", server.url + suffix)
    assert server.paths == [MANY]


@pytest.mark.parametrize("url", ["localhost:8180", "ftp://localhost", "http://"])
def test_what_is_no_url_is_an_error(run: Any, url: str) -> None:
    assert "no URL of a server" in run("ingest", "e.ndjson", "--url", url, code=1).err


def test_a_query_can_be_asked_of_a_server(run: Any, server: Any) -> None:
    server.says(200, {"data": {"viewer": None}})
    said = run("query", "-", "--url", server.url, "--variables", '{"a": 1}', "--operation", "q", given=b"query q {v}")
    assert said.json == {"data": {"viewer": None}}
    path, _, body = server.requests[0]
    assert (path, json.loads(body)) == (
        "/graphql", {"query": "query q {v}", "variables": {"a": 1}, "operationName": "q"},
    )  # fmt: skip
