from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from threading import Event
from time import sleep
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from catalog.api.problems import Problems
from catalog.domain.errors import NotAnEvent, TooLarge, Unavailable
from catalog.ingest.accept import Ingest, Outcome, Receipt, Received
from catalog.ingest.group import GroupCommit, GroupLimits
from catalog.sources.http import HttpLimits, HttpSource
from catalog.sources.http_body import Budget, gunzip
from catalog.store import bodies, quarantine
from catalog.store.engine import Database
from catalog.store.tables import log_entry
from catalog.store.tables import quarantine as quarantined

ONE = "/api/v1/lineage"
MANY = "/api/v1/lineage/batch"
RUN_ID = "0190a2b4-0000-7000-8000-000000000001"


def event(name: str = "daily", **more: Any) -> dict[str, Any]:
    return {
        "eventTime": "2026-01-01T00:00:00Z",
        "eventType": "COMPLETE",
        "producer": "https://example.com/producer",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": RUN_ID},
        "job": {"namespace": "jobs", "name": name},
        **more,
    }


def body(name: str = "daily", **more: Any) -> bytes:
    return json.dumps(event(name, **more)).encode()


class Writer:
    """The real way in, and a switch that makes the database go away after so many transactions."""

    def __init__(self, database: Database) -> None:
        self.ingest = Ingest(database)
        self.left: int | None = None
        self.transactions: list[int] = []

    def accept(self, batch: Sequence[Received]) -> list[Outcome]:
        if self.left is not None:
            if not self.left:
                raise Unavailable("The database is gone.")
            self.left -= 1
        self.transactions.append(len(batch))
        return self.ingest.accept(batch)


@contextmanager
def serving(
    writer: Writer, limits: HttpLimits | None = None, group_limits: GroupLimits | None = None
) -> Iterator[Starlette]:
    problems = Problems(retry_after=3)
    group = GroupCommit(writer.accept, group_limits)
    source = HttpSource(writer.ingest, group, problems.answer, limits)
    group.start()
    try:
        yield Starlette(routes=source.routes(), exception_handlers=problems.handlers())
    finally:
        group.close(5)


class SlowWriter(Writer):
    """Answers without the database, so that only its own slowness counts.

    Each transaction takes `seconds`; after `quick` of them the next ones hang until `go` is set.
    """

    def __init__(self, database: Database, *, seconds: float = 0, quick: int = 1000) -> None:
        super().__init__(database)
        self.seconds = seconds
        self.quick = quick
        self.go = Event()

    def accept(self, batch: Sequence[Received]) -> list[Outcome]:
        self.transactions.append(len(batch))
        sleep(self.seconds)
        if len(self.transactions) > self.quick:
            assert self.go.wait(20)
        return [Receipt("r-0", "0", 0, duplicate=False) for _ in batch]


@pytest.fixture
def writer(database: Database) -> Writer:
    return Writer(database)


@pytest.fixture
def client(writer: Writer) -> Iterator[TestClient]:
    with serving(writer) as app:
        yield TestClient(app)


def stored(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(log_entry)) or 0


def kept(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(quarantined).order_by(quarantined.c.size)))


def problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = response.json()
    assert said["type"] == f"urn:lineage-catalog:problem:{kind}"
    assert said["status"] == status
    assert said["title"]
    return said


# One event.


def test_a_new_event_is_answered_with_its_receipt_and_is_in_the_log(client: TestClient, database: Database):
    response = client.post(ONE, content=body())
    assert response.status_code == 201
    digest = sha256(body()).hexdigest()
    assert response.json() == {
        "receipt": f"r-{digest[:32]}", "digest": digest, "seq": 0, "duplicate": False, "warnings": [],
    }  # fmt: skip
    assert stored(database) == 1


def test_the_same_bytes_again_are_the_same_entry_and_answered_with_200(client: TestClient, database: Database):
    first, again = client.post(ONE, content=body()), client.post(ONE, content=body())
    assert again.status_code == 200
    assert again.json() == {**first.json(), "duplicate": True}
    assert stored(database) == 1


def test_what_was_tolerated_is_said_on_the_receipt(client: TestClient):
    response = client.post(ONE, content=b'{"eventTime": "2026-01-01T00:00:00", "job": {"namespace": "n", "name": "j"}}')
    assert response.status_code == 201
    assert all(set(warning) == {"code", "pointer", "detail"} for warning in response.json()["warnings"])
    assert "/eventTime" in {warning["pointer"] for warning in response.json()["warnings"]}


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded", ""]
)
def test_an_event_is_taken_whatever_its_content_type(client: TestClient, content_type: str):
    assert client.post(ONE, content=body(), headers={"Content-Type": content_type}).status_code == 201


def test_a_slash_at_the_end_of_the_path_makes_no_difference(client: TestClient):
    assert client.post(f"{ONE}/", content=body(), follow_redirects=False).status_code == 201
    assert client.post(f"{MANY}/", content=b"[]", follow_redirects=False).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_other_methods_are_refused_with_those_that_are_allowed(client: TestClient, method: str):
    response = client.request(method, ONE)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    if method != "HEAD":
        problem(response, 405, "method-not-allowed")


def test_bytes_that_are_no_event_are_kept_and_the_problem_says_what_where_and_how_to_fix_it(
    client: TestClient, database: Database
):
    raw = b'{"eventTime": "2026-01-01T00:00:00Z", "run": {"runId": "r"}}'
    said = problem(client.post(ONE, content=raw), 400, "not-an-event")
    assert said["pointer"] == "/job"
    assert said["detail"]
    assert said["fix"]
    assert said["receipt"] == f"r-{sha256(raw).hexdigest()[:32]}"
    [row] = kept(database)
    assert quarantine.body(row) == raw
    assert row.source == "http"
    assert stored(database) == 0


@pytest.mark.parametrize("raw", [b"", b"null", b"{", b"\x00\xff", b"NaN", b'"text"'])
def test_bad_json_is_a_400_and_never_a_500(client: TestClient, database: Database, raw: bytes):
    problem(client.post(ONE, content=raw), 400, "not-an-event")
    assert quarantine.body(kept(database)[0]) == raw


# Encodings.


def test_gzip_is_decompressed_and_the_log_has_the_plain_bytes(client: TestClient, database: Database):
    response = client.post(ONE, content=gzip.compress(body()), headers={"Content-Encoding": "gzip"})
    assert response.json()["digest"] == sha256(body()).hexdigest()
    assert client.post(ONE, content=body()).json()["duplicate"]
    assert stored(database) == 1


@pytest.mark.parametrize("encoding", ["x-gzip", "GZIP", "identity, gzip", " gzip "])
def test_gzip_has_several_names(client: TestClient, encoding: str):
    assert client.post(ONE, content=gzip.compress(body()), headers={"Content-Encoding": encoding}).status_code == 201


@pytest.mark.parametrize("encoding", ["identity", ""])
def test_no_encoding_has_several_names(client: TestClient, encoding: str):
    assert client.post(ONE, content=body(), headers={"Content-Encoding": encoding}).status_code == 201


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd", "deflate, gzip"])
def test_other_encodings_are_refused_with_those_that_are_understood(client: TestClient, encoding: str):
    response = client.post(ONE, content=body(), headers={"Content-Encoding": encoding})
    assert encoding in problem(response, 415, "unsupported-media-type")["detail"]
    assert response.headers["accept-encoding"] == "gzip, identity"


@pytest.mark.parametrize(
    "raw",
    [
        b"not gzip",
        b"",
        gzip.compress(body(), mtime=0)[:-9],
        gzip.compress(body(), mtime=0)[:40] + b"xxxx",
        gzip.compress(body(), mtime=0) + b"tail",
    ],
    ids=["no gzip", "nothing", "cut off", "damaged", "with a tail"],
)
def test_damaged_gzip_is_a_400_and_its_bytes_are_kept_as_they_came(client: TestClient, database: Database, raw: bytes):
    said = problem(client.post(ONE, content=raw, headers={"Content-Encoding": "gzip"}), 400, "not-an-event")
    assert said["code"] == "encoding"
    [row] = kept(database)
    assert quarantine.body(row) == raw
    assert said["receipt"] == f"r-{sha256(raw).hexdigest()[:32]}"


def unlimited(_: int) -> None:
    """A budget without bound."""


def test_gzip_of_several_members_with_padding_is_their_concatenation():
    members = gzip.compress(b"one ") + gzip.compress(b"") + b"\0" * 100_000 + gzip.compress(b"two") + b"\0" * 512
    assert gunzip(members, 100, unlimited) == b"one two"


def test_gunzip_makes_hardly_more_than_its_limit_from_a_bomb():
    made: list[int] = []
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    with pytest.raises(TooLarge):
        gunzip(bomb, 4 * 1024 * 1024, made.append)
    assert sum(made) <= 4 * 1024 * 1024


def test_gunzip_gives_exactly_its_limit_but_not_a_byte_more():
    text = bytes(3 * 1024 * 1024)
    assert gunzip(gzip.compress(text), len(text), unlimited) == text
    with pytest.raises(TooLarge):
        gunzip(gzip.compress(text), len(text) - 1, unlimited)


def test_gunzip_refuses_a_body_of_ever_so_many_empty_members():
    with pytest.raises(TooLarge, match="members"):
        gunzip(gzip.compress(b"") * 50_000, 100, unlimited)


def test_gunzip_notices_every_cut():
    whole = gzip.compress(body())
    for end in range(len(whole)):
        with pytest.raises(NotAnEvent):
            gunzip(whole[:end], 100_000, unlimited)


# Limits.

SMALL = HttpLimits(max_body_bytes=200_000, max_compressed_bytes=100_000)


def test_a_body_over_the_limit_is_a_413_with_its_beginning_size_and_digest_kept(writer: Writer, database: Database):
    raw = body(padding="x" * 300_000)
    with serving(writer, SMALL) as app:
        said = problem(TestClient(app).post(ONE, content=raw), 413, "too-large")
    assert "200000" in said["detail"]
    [row] = kept(database)
    assert (row.size, row.truncated, bytes(row.digest)) == (len(raw), 1, sha256(raw).digest())
    assert quarantine.body(row) == raw[: 64 * 1024]
    assert said["receipt"] == f"r-{sha256(raw).hexdigest()[:32]}"


def test_a_body_of_unknown_length_is_measured_as_it_arrives(writer: Writer, database: Database):
    raw = body(padding="x" * 300_000)
    pieces = (raw[i : i + 10_000] for i in range(0, len(raw), 10_000))
    with serving(writer, SMALL) as app:
        problem(TestClient(app).post(ONE, content=pieces), 413, "too-large")
    assert kept(database)[0].size == len(raw)


@pytest.mark.parametrize("path", [ONE, MANY])
def test_a_bomb_is_a_413_and_what_was_sent_is_kept(writer: Writer, database: Database, path: str):
    bomb = gzip.compress(bytes(1_000_000))
    with serving(writer, SMALL) as app:
        problem(TestClient(app).post(path, content=bomb, headers={"Content-Encoding": "gzip"}), 413, "too-large")
    assert quarantine.body(kept(database)[0]) == bomb


def test_an_endless_body_is_not_read_to_its_end(writer: Writer, database: Database):
    sent = 0

    async def endless() -> dict[str, Any]:
        nonlocal sent
        sent += 1
        return {"type": "http.request", "body": b"x" * 10_000, "more_body": True}

    with serving(writer, SMALL) as app:
        assert asyncio.run(post(app, endless)) == 413
    assert 80 <= sent <= 90
    assert kept(database)[0].size == sent * 10_000


def test_bodies_that_are_too_many_bytes_together_are_told_to_come_again(writer: Writer):
    with serving(writer, HttpLimits(max_inflight_bytes=100_000)) as app:
        client = TestClient(app)
        response = client.post(ONE, content=body(padding="x" * 100_000))
        problem(response, 503, "unavailable")
        assert response.headers["retry-after"] == "3"
        assert client.post(ONE, content=body(padding="x" * 90_000)).status_code == 201
        assert client.post(ONE, content=body("other", padding="x" * 90_000)).status_code == 201


def test_a_budget_is_shared_and_given_back():
    budget = Budget(10)
    with budget.hold() as one:
        one(6)
        with budget.hold() as other:
            other(4)
            with pytest.raises(Unavailable):
                one(1)
        one(4)
    with budget.hold() as later:
        later(10)


async def post(app: Starlette, receive: Any, headers: Sequence[tuple[bytes, bytes]] = ()) -> int | None:
    """Post to the route of single events, message by message. The answer is the status, None if there was none."""
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http", "method": "POST", "path": ONE, "raw_path": ONE.encode(), "root_path": "", "query_string": b"",
        "headers": list(headers), "scheme": "http", "server": ("test", 80), "client": ("test", 1),
        "http_version": "1.1",
    }  # fmt: skip
    await app(scope, receive, send)
    return statuses[0] if statuses else None


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(writer: Writer, database: Database):
    messages = iter([
        {"type": "http.request", "body": body(), "more_body": True},
        {"type": "http.disconnect"},
    ])  # fmt: skip

    async def receive() -> dict[str, Any]:
        return next(messages)

    with serving(writer) as app:
        asyncio.run(post(app, receive))
    assert (stored(database), kept(database)) == (0, [])


def test_a_body_that_does_not_arrive_in_time_is_told_to_come_again(writer: Writer, database: Database):
    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        raise AssertionError

    with serving(writer, HttpLimits(body_seconds=0.05)) as app:
        assert asyncio.run(post(app, receive)) == 503
    assert (stored(database), kept(database)) == (0, [])


def test_stopping_hurries_bodies_that_are_arriving_and_refuses_new_ones(writer: Writer):
    problems = Problems(retry_after=3)
    group = GroupCommit(writer.accept)
    source = HttpSource(writer.ingest, group, problems.answer)
    app = Starlette(routes=source.routes(), exception_handlers=problems.handlers())

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        raise AssertionError

    async def story() -> tuple[int | None, int | None]:
        arriving = asyncio.create_task(post(app, receive))
        await asyncio.sleep(0.05)
        source.stop(0.05)
        return await arriving, await post(app, receive)

    assert asyncio.run(story()) == (503, 503)
    group.close(1)


# Trouble.


def test_a_database_that_is_away_is_a_503_that_says_when_to_come_again_but_not_why(writer: Writer):
    writer.left = 0
    with serving(writer) as app:
        response = TestClient(app).post(ONE, content=body())
    problem(response, 503, "unavailable")
    assert response.headers["retry-after"] == "3"


def test_the_words_of_a_driver_stay_in_the_log(writer: Writer, monkeypatch: pytest.MonkeyPatch):
    def gone(_: Sequence[Received]) -> list[Outcome]:
        raise Unavailable("The database cannot be used now: password=hunter2") from OSError("password=hunter2")

    monkeypatch.setattr(writer, "accept", gone)
    with serving(writer) as app:
        response = TestClient(app).post(ONE, content=body())
    problem(response, 503, "unavailable")
    assert "hunter2" not in response.text


def test_our_own_fault_is_a_500_that_tells_nothing_but_an_id_that_is_in_the_log(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(_: Sequence[Received]) -> list[Outcome]:
        raise ZeroDivisionError("hunter2")

    monkeypatch.setattr(writer, "accept", broken)
    with serving(writer) as app:
        response = TestClient(app, raise_server_exceptions=False).post(ONE, content=body())
    said = problem(response, 500, "internal")
    assert "hunter2" not in response.text
    assert said["instance"] in caplog.text


def test_a_writer_that_takes_too_long_is_not_waited_for(writer: Writer):
    problems = Problems(retry_after=3)
    group = GroupCommit(writer.accept)  # never started
    source = HttpSource(writer.ingest, group, problems.answer, HttpLimits(answer_seconds=0.05))
    app = Starlette(routes=source.routes(), exception_handlers=problems.handlers())
    problem(TestClient(app).post(ONE, content=body()), 503, "unavailable")
    group.start()
    assert group.close(5)
    assert writer.transactions == []


def slow_to_keep(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each write to the quarantine take 0.3 s."""
    write = writer.ingest.database.write

    @contextmanager
    def slow() -> Iterator[Any]:
        sleep(0.3)
        with write() as connection:
            yield connection

    monkeypatch.setattr(writer.ingest.database, "write", slow)


@pytest.mark.parametrize(
    ("path", "raw", "encoding"),
    [
        pytest.param(MANY, b"no batch", "", id="no-batch"),
        pytest.param(ONE, b"no gzip", "gzip", id="no-gzip"),
        pytest.param(ONE, body(padding="x" * 300_000), "", id="too-large"),
    ],
)
def test_a_quarantine_that_takes_too_long_is_not_waited_for_and_the_body_is_kept_nevertheless(
    writer: Writer, database: Database, monkeypatch: pytest.MonkeyPatch, *, path: str, raw: bytes, encoding: str
):
    slow_to_keep(writer, monkeypatch)
    limits = HttpLimits(max_body_bytes=200_000, answer_seconds=0.05)
    with serving(writer, limits) as app:
        response = TestClient(app).post(path, content=raw, headers={"Content-Encoding": encoding})
    said = problem(response, 503, "unavailable")
    assert said["detail"] == "It could not be stored in time."
    assert response.headers["retry-after"] == "3"
    assert [bytes(row.digest) for row in kept(database)] == [sha256(raw).digest()]


def test_a_path_that_is_not_there_is_a_problem_as_well(client: TestClient):
    problem(client.post("/api/v1/nothing"), 404, "not-found")


# Many events.


def answer(received: int, successful: int, failed: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    retriable = sum(1 for one in failed if one["retriable"])
    return {
        "status": "partial_success" if failed else "success",
        "summary": {
            "received": received, "successful": successful, "failed": len(failed),
            "retriable": retriable, "non_retriable": len(failed) - retriable,
        },
        "failed_events": list(failed),
    }  # fmt: skip


@pytest.mark.parametrize("path", [ONE, MANY])
def test_an_array_of_events_is_stored_whichever_route_it_comes_by(client: TestClient, database: Database, path: str):
    response = client.post(path, json=[event(f"job {i}") for i in range(5)])
    assert (response.status_code, response.json()) == (200, answer(5, 5))
    assert stored(database) == 5


@pytest.mark.parametrize("raw", [b"[]", b" [ ]\n", b"\xef\xbb\xbf[]"])
@pytest.mark.parametrize("path", [ONE, MANY])
def test_an_empty_batch_is_a_success(client: TestClient, path: str, raw: bytes):
    response = client.post(path, content=raw)
    assert (response.status_code, response.json()) == (200, answer(0, 0))


def test_events_that_are_in_the_log_already_are_successes(client: TestClient, database: Database):
    batch = [event("a"), event("a"), event("b")]
    for _ in range(2):
        assert client.post(MANY, json=batch).json() == answer(3, 3)
    assert stored(database) == 2


def test_good_events_of_a_partly_bad_batch_are_kept_and_the_bad_ones_explained(client: TestClient, database: Database):
    response = client.post(MANY, json=[event("a"), {"nothing": 1}, event("b"), 7])
    said = response.json()
    reasons = [one.pop("reason") for one in said["failed_events"]]
    failed = [{"index": index, "retriable": False} for index in (1, 3)]
    assert (response.status_code, said) == (200, answer(4, 2, failed))
    assert stored(database) == 2
    rows = kept(database)
    assert [quarantine.body(row) for row in rows] == [b"7", b'{"nothing":1}']
    assert f"r-{bytes(rows[1].digest).hex()[:32]}" in reasons[0]


@pytest.mark.parametrize("path", [ONE, MANY])
def test_ndjson_is_told_by_its_content_type_and_may_be_compressed(client: TestClient, database: Database, path: str):
    lines = body("a") + b"\n\n" + body("b") + b"\r\nbroken\n"
    headers = {"Content-Type": "application/x-ndjson; charset=utf-8", "Content-Encoding": "gzip"}
    said = client.post(path, content=gzip.compress(lines), headers=headers).json()
    assert said["summary"] == answer(3, 2, [{"retriable": False}])["summary"]
    assert said["failed_events"][0]["index"] == 2
    assert stored(database) == 2


@pytest.mark.parametrize("raw", [b"{}", b"garbage", b"", body()])
def test_a_batch_that_is_no_array_is_a_400_and_kept_whole(client: TestClient, database: Database, raw: bytes):
    said = problem(client.post(MANY, content=raw), 400, "not-an-event")
    [row] = kept(database)
    assert quarantine.body(row) == raw
    assert said["receipt"] == f"r-{sha256(raw).hexdigest()[:32]}"
    assert stored(database) == 0


def test_a_large_batch_is_stored_in_several_transactions(writer: Writer, database: Database):
    with serving(writer, HttpLimits(max_batch_events=10)) as app:
        said = TestClient(app).post(MANY, json=[event(f"job {i}") for i in range(25)]).json()
    assert said == answer(25, 25)
    assert writer.transactions == [10, 10, 5]
    assert stored(database) == 25


def test_what_could_not_be_stored_of_a_batch_may_be_sent_again(writer: Writer, database: Database):
    writer.left = 1
    with serving(writer, HttpLimits(max_batch_events=2)) as app:
        response = TestClient(app).post(MANY, json=[event(f"job {i}") for i in range(5)])
    said = response.json()
    assert response.status_code == 200
    assert said["summary"] == {"received": 5, "successful": 2, "failed": 3, "retriable": 3, "non_retriable": 0}
    assert [one["index"] for one in said["failed_events"]] == [2, 3, 4]
    assert stored(database) == 2


def test_a_batch_of_which_nothing_could_be_stored_is_a_503(writer: Writer):
    writer.left = 0
    with serving(writer) as app:
        response = TestClient(app).post(MANY, json=[event()])
    problem(response, 503, "unavailable")
    assert response.headers["retry-after"] == "3"


LATE = {"reason": "It could not be stored in time. Send it again.", "retriable": True}


def test_all_events_of_a_batch_share_one_deadline_however_many_transactions_they_need(database: Database):
    writer = SlowWriter(database, seconds=0.1)
    with serving(writer, HttpLimits(max_batch_events=1, answer_seconds=0.45)) as app:
        response = TestClient(app).post(MANY, json=[event(f"job {i}") for i in range(10)])
    done = response.json()["summary"]["successful"]
    assert 0 < done < 10
    assert response.json() == answer(10, done, [{"index": index, **LATE} for index in range(done, 10)])
    assert len(writer.transactions) <= done + 1


def test_what_is_settled_at_the_deadline_counts_and_what_is_not_may_be_sent_again(database: Database):
    writer = SlowWriter(database, quick=1)
    with serving(writer, HttpLimits(max_batch_events=6, answer_seconds=0.4), GroupLimits(max_events=2)) as app:
        response = TestClient(app).post(MANY, json=[event(f"job {i}") for i in range(10)])
        writer.go.set()
    assert response.status_code == 200
    assert response.json() == answer(10, 2, [{"index": index, **LATE} for index in range(2, 10)])
    assert writer.transactions == [2, 2]  # what was waiting at the deadline is not written for nobody


def test_a_batch_of_which_nothing_was_stored_in_time_is_a_503_and_known_when_it_comes_again(
    writer: Writer, database: Database, monkeypatch: pytest.MonkeyPatch
):
    go, accept = Event(), writer.accept

    def slow(batch: Sequence[Received]) -> list[Outcome]:
        assert go.wait(20)
        return accept(batch)

    monkeypatch.setattr(writer, "accept", slow)
    with serving(writer, HttpLimits(answer_seconds=0.3)) as app:
        response = TestClient(app).post(MANY, json=[event("a"), event("b")])
        go.set()
    said = problem(response, 503, "unavailable")
    assert said["detail"] == "It could not be stored in time."
    assert response.headers["retry-after"] == "3"
    assert stored(database) == 2
    with serving(writer) as app:
        assert TestClient(app).post(MANY, json=[event("a"), event("b")]).json() == answer(2, 2)
    assert stored(database) == 2


def test_a_batch_that_finds_the_queue_full_is_a_503(writer: Writer):
    group = GroupCommit(writer.accept, GroupLimits(max_waiting_events=2))
    problems = Problems(retry_after=3)
    app = Starlette(
        routes=HttpSource(writer.ingest, group, problems.answer).routes(), exception_handlers=problems.handlers()
    )
    waiting = group.submit(Received(body(), "test"))
    problem(TestClient(app).post(MANY, json=[event("a"), event("b")]), 503, "unavailable")
    group.start()
    assert group.close(5)
    assert waiting.done()


def test_the_bytes_in_the_log_are_those_that_were_sent(client: TestClient, database: Database):
    raw = b'  {"job" : {"namespace":"n","name":"\\u00e9"},\n "eventTime":"2026-01-01T00:00:00Z"} '
    seq = client.post(ONE, content=raw).json()["seq"]
    with database.read() as connection:
        assert bodies.read(connection, seq) == raw
