from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from threading import Thread
from typing import Any, Self

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from builders import declared_dataset, drawn_from, ran
from catalog.api import auth
from catalog.api.graphql import feed, following, websocket
from catalog.api.graphql.asked import Asked
from catalog.api.graphql.websocket import PROTOCOL, Capacity
from catalog.app import Service
from catalog.domain.callers import LOCAL, Caller, Role
from catalog.domain.errors import Unavailable
from catalog.ingest.accept import Ingest, Received
from catalog.settings import DatabaseSettings, Settings
from catalog.store import keys
from catalog.store.engine import Database
from catalog.store.keys import Key, Wanted
from catalog.store.read import events

Tell = Callable[..., Any]
Statements = Callable[[Database], AbstractContextManager[list[str]]]

HERE = {"host": "127.0.0.1"}
SEQS = "subscription { eventAccepted { seq } }"
MANY_EVENTS = "{ nodes { events(first: 999) { nodes { seq } } } }"
FROM_THE_BEGINNING = "subscription { eventAccepted(after: -1) { seq } }"


class Client:
    """Somebody who speaks the protocol."""

    def __init__(self, socket: WebSocketTestSession) -> None:
        self.socket = socket

    def say(self, type: str, **message: Any) -> None:
        self.socket.send_json({"type": type, **message})

    def hear(self) -> Any:
        return self.socket.receive_json()

    def begin(self, **payload: str) -> Self:
        self.say("connection_init", payload=payload)
        assert self.hear() == {"type": "connection_ack"}
        return self

    def subscribe(self, query: str, id: str = "s", **variables: Any) -> Self:
        self.say("subscribe", id=id, payload={"query": query, "variables": variables})
        return self

    def follow(self, query: str, id: str = "s", **variables: Any) -> Self:
        """Subscribe, and wait until the server has looked at it: what is accepted from now on is to be delivered."""
        before = self.operations()
        self.subscribe(query, id, **variables)
        self.until(lambda: self.operations() > before)
        return self

    operations: Callable[[], int]

    def until(self, is_so: Callable[[], bool], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end
            time.sleep(0.005)

    def next(self, id: str = "s") -> Any:
        message = self.hear()
        assert (message["id"], message["type"]) == (id, "next"), message
        return message["payload"]

    def seqs(self, count: int) -> list[int]:
        return [self.next()["data"]["eventAccepted"]["seq"] for _ in range(count)]

    def hears_nothing_more(self, seconds: float = 0.3) -> bool:
        time.sleep(seconds)
        self.say("ping")
        return bool(self.hear() == {"type": "pong"})

    def ends(self) -> int:
        """The code it is closed with."""
        try:
            while True:
                self.hear()
        except WebSocketDisconnect as error:
            return error.code


Connect = Callable[..., AbstractContextManager[Client]]


@pytest.fixture
def service(database: Database) -> Service:
    return Service(Settings(database=DatabaseSettings(database.url.render_as_string(hide_password=False))))


@pytest.fixture
def server(service: Service) -> Iterator[TestClient]:
    with TestClient(service.app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def connect(server: TestClient, service: Service) -> Connect:
    followers: list[Any] = []
    beyond = service.sockets.feed.beyond

    async def noted(place: int) -> int:
        followers.append(place)
        return await beyond(place)

    service.sockets.feed.beyond = noted  # type: ignore[method-assign] # tells when somebody has begun to wait

    @contextmanager
    def make(**headers: str) -> Iterator[Client]:
        with server.websocket_connect("/graphql", [PROTOCOL], headers=HERE | headers) as socket:
            client = Client(socket)
            client.operations = lambda: len(followers)
            yield client

    return make


@pytest.fixture
def tell(database: Database) -> Tell:
    ingest = Ingest(database)

    def take(*stories: Any) -> None:
        raw = [event for story in stories for event in ([story] if isinstance(story, bytes) else story)]
        ingest.accept([Received(event, "test") for event in raw])

    return take


def create(database: Database, role: Role) -> tuple[Key, str]:
    with database.write() as connection:
        key, secret = keys.create(connection, Wanted(role), LOCAL)
    return key, f"Bearer {secret}"


def test_an_event_is_delivered_soon_after_it_was_accepted_as_events_would_show_it(connect: Connect, tell: Tell):
    with connect() as client:
        client.begin().follow("subscription { eventAccepted { seq state job { name } run { state } payload } }")
        begun = time.monotonic()
        for number, (event, state) in enumerate(zip(ran("etl").writing("d"), ["START", "COMPLETE"], strict=True)):
            tell(event)
            shown = client.next()["data"]["eventAccepted"]
            assert shown["payload"]["job"]["name"] == "etl"
            del shown["payload"]
            # The run as it is now, not as it was when the subscription began.
            assert shown == {"seq": number, "state": state, "job": {"name": "etl"}, "run": {"state": state}}
        assert time.monotonic() - begun < 10


def test_what_many_write_at_once_is_delivered_in_the_order_of_the_log_and_once(connect: Connect, database: Database):
    writers, each = 4, 20

    def write(writer: int) -> None:
        ingest = Ingest(database)
        left = [Received(declared_dataset(f"d{writer}.{number}", number), "test") for number in range(each)]
        while left:
            # SQLite has no queue of writers: one of them may find the lock taken for too long.
            with suppress(Unavailable):
                ingest.accept(left[-1:])
                left.pop()

    with connect() as client, connect() as other:
        client.begin().follow(SEQS)
        other.begin().follow(FROM_THE_BEGINNING)
        threads = [Thread(target=write, args=(writer,)) for writer in range(writers)]
        for thread in threads:
            thread.start()
        expected = list(range(writers * each))
        assert client.seqs(len(expected)) == expected
        assert other.seqs(len(expected)) == expected
        for thread in threads:
            thread.join()
        assert client.hears_nothing_more()


def test_only_events_that_match_the_filter_are_delivered(connect: Connect, tell: Tell, server: TestClient):
    filters = [
        "{kind: DATASET}",
        '{job: {namespace: "shop", name: "etl"}}',
        '{dataset: {namespace: "shop", name: "d"}}',
        '{runId: "r", eventTime: {from: "2026-01-01T00:00:30Z"}}',
        "{failed: true}",
    ]
    with connect() as client:
        client.begin()
        for number, wanted in enumerate(filters):
            client.follow(f"subscription {{ eventAccepted(filter: {wanted}) {{ seq }} }}", str(number))
        view = declared_dataset("f", 5, lineage=drawn_from("d"))
        tell(ran("etl", 0, "r").writing("d"), ran("other", 3).writing("e"), view)
        query = "{ events(filter: %s) { nodes { seq } } }"
        answers = [server.post("/graphql", json={"query": query % wanted}).json() for wanted in filters]
        expected = {
            (str(number), event["seq"])
            for number, answer in enumerate(answers)
            for event in answer["data"]["events"]["nodes"]
        }
        assert len(expected) == 1 + 2 + 3 + 1
        heard = [client.hear() for _ in expected]
        assert {(one["id"], one["payload"]["data"]["eventAccepted"]["seq"]) for one in heard} == expected
        assert client.hears_nothing_more()


def test_a_client_goes_on_behind_the_last_event_it_has(connect: Connect, tell: Tell):
    tell(ran("a"), ran("b", 5))
    query = "subscription($after: BigInt) { eventAccepted(after: $after) { seq } }"
    for after, seqs in ((-1, [0, 1, 2, 3]), (1, [2, 3]), (3, [])):
        with connect() as client:
            assert client.begin().subscribe(query, after=after).seqs(len(seqs)) == seqs
            assert client.hears_nothing_more(0.1)


@pytest.mark.parametrize("after", [-2, 2, 2**63 - 1, 2**200])
def test_an_event_that_there_is_not_is_nothing_to_go_on_behind(connect: Connect, tell: Tell, after: int):
    tell(ran("a"))
    with connect() as client:
        client.begin().subscribe(f"subscription {{ eventAccepted(after: {after}) {{ seq }} }}")
        message = client.hear()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "BAD_REQUEST")


def test_a_page_that_is_too_long_goes_on_with_the_next(connect: Connect, tell: Tell, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(following, "PAGE_BYTES", 60)
    monkeypatch.setattr(feed, "PAGE", 7)
    monkeypatch.setattr(feed, "_STRETCH", 11)
    tell(*(declared_dataset(f"d{number}", number) for number in range(40)))
    with connect() as client:
        assert client.begin().subscribe(FROM_THE_BEGINNING).seqs(40) == list(range(40))
        tell(*(declared_dataset(f"e{number}", number) for number in range(40)))
        assert client.seqs(40) == list(range(40, 80))
        assert client.hears_nothing_more()


def test_while_the_database_is_away_a_subscriber_waits_and_misses_nothing(
    connect: Connect, tell: Tell, monkeypatch: pytest.MonkeyPatch
):
    between, times = events.between, iter(range(100))

    def away(*arguments: Any, **named: Any) -> Any:
        if next(times) < 2:
            raise Unavailable("host db.internal is down")
        return between(*arguments, **named)

    monkeypatch.setattr(events, "between", away)
    monkeypatch.setattr(websocket, "_AWAY_SECONDS", 0.01)
    tell(ran("a"))
    with connect() as client:
        assert client.begin().subscribe(FROM_THE_BEGINNING).seqs(2) == [0, 1]
        assert client.hears_nothing_more(0.1)


def test_a_fault_of_ours_is_masked_and_the_next_event_is_delivered(
    connect: Connect, tell: Tell, monkeypatch: pytest.MonkeyPatch
):
    tell(ran("a"))
    with connect() as client, monkeypatch.context() as patched:
        client.begin().follow("subscription { eventAccepted { seq payload } }")

        def faulty(*_: object) -> None:
            raise RuntimeError("secret")

        patched.setattr("catalog.store.bodies.read_many", faulty)
        tell(declared_dataset("d", 1))
        answer = client.next()
        assert answer["data"]["eventAccepted"] == {"seq": 2, "payload": None}
        assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"
        assert "secret" not in str(answer)
        patched.undo()
        tell(declared_dataset("e", 2))
        assert client.next()["data"]["eventAccepted"]["payload"]["dataset"]["name"] == "e"


def test_a_subscription_ends_when_its_client_says_so_and_its_id_is_free(connect: Connect, tell: Tell, service: Service):
    with connect() as client:
        client.begin().follow(SEQS)
        assert service.sockets.operations == 1
        client.say("complete", id="s")
        client.say("complete", id="never begun")
        assert client.hears_nothing_more(0)
        tell(ran("a"))
        client.subscribe(FROM_THE_BEGINNING)
        assert client.seqs(2) == [0, 1]
    client.until(lambda: service.sockets.operations == 0)


def test_queries_and_mutations_are_answered_once(connect: Connect):
    with connect() as client:
        client.begin().subscribe("{ viewer { name } }")
        assert client.next() == {"data": {"viewer": {"name": "anonymous"}}}
        assert client.hear() == {"type": "complete", "id": "s"}
        client.subscribe("mutation($prefix: String!) { revokeKey(input: {prefix: $prefix}) { errors { code } } }",
                         prefix="none")  # fmt: skip
        assert client.next()["data"]["revokeKey"]["errors"] == [{"code": "NOT_FOUND"}]
        assert client.hear() == {"type": "complete", "id": "s"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("#", None), ("{", None), ("subscription { nothing }", None), ("subscription { __typename }", None),
        ("subscription { eventAccepted { seq } other: eventAccepted { seq } }", None),
        ("subscription { eventAccepted @skip(if: true) { seq } }", None),
        ("subscription { ...A } fragment A on Subscription { ...A }", None),
        ('subscription { eventAccepted(after: "x") { seq } }', None),
        ('subscription { eventAccepted(filter: {eventTime: {from: "soon"}}) { seq } }', None),
        (f"subscription {{ eventAccepted {{ {'seq ' * 1200} }} }}", "LIMIT_EXCEEDED"),
        (f"subscription {{ eventAccepted {{ seq }} }} # {'x' * 70_000}", "LIMIT_EXCEEDED"),
        ("subscription { eventAccepted { job { runs(first: 1001) { totalCount } } } }", "LIMIT_EXCEEDED"),
        (f"subscription {{ eventAccepted {{ job {{ runs(first: 999) {MANY_EVENTS} }} }} }}", "LIMIT_EXCEEDED"),
    ],
)  # fmt: skip
def test_an_operation_that_cannot_be_executed_is_refused_and_others_go_on(
    connect: Connect, tell: Tell, query: str, code: str | None
):
    with connect() as client:
        client.begin().follow(SEQS)
        client.subscribe(query, "refused")
        message = client.hear()
        assert (message["type"], message["id"]) == ("error", "refused")
        assert message["payload"][0]["message"]
        assert message["payload"][0].get("extensions", {}).get("code") == code
        tell(ran("a"))
        assert client.seqs(2) == [0, 1]


@pytest.mark.parametrize(
    "said",
    [
        ("", 4400), ("{", 4400), ("[]", 4400), ("1", 4400), ('"ping"', 4400), ("{}", 4400), ('{"type": 1}', 4400),
        ('{"type": "start"}', 4400), ("[" * 100_000, 4400), ('{"type": "ping", "x": "\\ud800"}', 4400),
        ('{"type": "complete"}', 4400), ('{"type": "complete", "id": []}', 4400), ('{"type": "subscribe"}', 4400),
        ('{"type": "subscribe", "id": ""}', 4400), ('{"type": "subscribe", "id": "s"}', 4400),
        ('{"type": "subscribe", "id": "s", "payload": []}', 4400),
        ('{"type": "subscribe", "id": "s", "payload": {"query": 1}}', 4400),
        ('{"type": "subscribe", "id": "s", "payload": {"query": "{ a }", "variables": []}}', 4400),
        ('{"type": "subscribe", "id": "s", "payload": {"query": "{ a }", "operationName": 7}}', 4400),
        ('{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}', 4400),
        ('{"type": "subscribe", "id": "%s", "payload": {"query": "{ __typename }"}}' % ("x" * 256), 4400),
        ('{"type": "subscribe", "id": "first", "payload": {"query": "{ __typename }"}}', 4409),
        ('{"type": "connection_init"}', 4429),
    ],
)  # fmt: skip
def test_a_message_that_is_none_ends_the_connection_and_nothing_else(
    connect: Connect, tell: Tell, service: Service, caplog: pytest.LogCaptureFixture, said: tuple[str, int]
):
    text, code = said
    with connect() as other:
        other.begin().follow(SEQS)
        with connect() as client:
            client.begin().follow(SEQS, "first")
            client.socket.send_text(text)
            assert client.ends() == code
        tell(ran("a"))
        assert other.seqs(2) == [0, 1]
        assert service.sockets.operations == 1
    assert caplog.records == []


def test_bytes_are_no_message(connect: Connect):
    with connect() as client:
        client.socket.send_bytes(b'{"type": "ping"}')
        assert client.ends() == 4400


@pytest.mark.parametrize("payload", [1, [], "x", {"Authorization": 1}])
def test_a_beginning_that_makes_no_sense_is_refused(connect: Connect, payload: Any):
    with connect() as client:
        client.say("connection_init", payload=payload)
        assert client.ends() == (4401 if isinstance(payload, dict) else 4400)


def test_nothing_is_executed_before_the_client_has_said_who_it_is(connect: Connect):
    with connect() as client:
        client.say("ping")
        assert client.hear() == {"type": "pong"}
        client.subscribe("{ __typename }")
        assert client.ends() == 4401


def test_who_does_not_say_who_it_is_in_time_is_sent_away(connect: Connect, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(websocket, "_INIT_SECONDS", 0.1)
    with connect() as client:
        assert client.ends() == 4408


@pytest.mark.parametrize("protocols", [[], ["graphql-ws"]])
def test_another_protocol_is_not_spoken(server: TestClient, protocols: list[str]):
    with server.websocket_connect("/graphql", protocols, headers=dict(HERE)) as socket:
        assert Client(socket).ends() == 4406


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"host": "evil.example"}])
def test_a_page_from_elsewhere_cannot_open_one_on_a_server_without_keys(server: TestClient, headers: dict[str, str]):
    with (
        pytest.raises(WebSocketDenialResponse) as caught,
        server.websocket_connect("/graphql", [PROTOCOL], headers=HERE | headers),
    ):
        pass
    assert caught.value.status_code == 403


def test_a_page_from_here_can(connect: Connect):
    with connect(origin="http://localhost:8180") as client:
        client.begin()


def test_other_paths_have_no_websockets(server: TestClient):
    for path in ("/", "/api/v1/lineage", "/graphql/", "/nothing"):
        with pytest.raises(WebSocketDisconnect), server.websocket_connect(path, [PROTOCOL], headers=dict(HERE)):
            pass


def test_a_key_lets_in_by_the_header_or_the_first_message(connect: Connect, tell: Tell, database: Database):
    _, auditor = create(database, Role.AUDITOR)
    tell(ran("a"))
    with connect(authorization=auditor, origin="https://pages.example") as client:
        assert client.begin().subscribe(FROM_THE_BEGINNING).seqs(2) == [0, 1]
    with connect() as client:
        assert client.begin(authorization=auditor).subscribe(FROM_THE_BEGINNING).seqs(2) == [0, 1]


def test_without_a_key_that_is_known_nobody_gets_in(connect: Connect, database: Database):
    _, auditor = create(database, Role.AUDITOR)
    for payload in ({}, {"Authorization": ""}, {"Authorization": auditor[:-1]}, {"Authorization": "Basic x"}):
        with connect() as client:
            client.say("connection_init", payload=payload)
            assert client.ends() == 4401
    with pytest.raises(WebSocketDenialResponse) as caught, connect(authorization=auditor[:-1]):
        pass
    assert caught.value.status_code == 401


@pytest.mark.parametrize("role", [Role.READER, Role.INGESTOR, Role.STEWARD])
def test_who_may_not_read_the_log_cannot_follow_it(connect: Connect, database: Database, role: Role):
    _, key = create(database, role)
    with connect() as client:
        client.begin(Authorization=key).subscribe(SEQS)
        message = client.hear()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "FORBIDDEN")


def test_a_key_that_is_revoked_ends_what_was_begun_with_it(
    connect: Connect, database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(auth, "FRESH_SECONDS", 0.1)
    monkeypatch.setattr(websocket, "_CHECK_SECONDS", 0.1)
    key, auditor = create(database, Role.AUDITOR)
    with connect() as client:
        client.begin(Authorization=auditor).follow(SEQS)
        assert client.hears_nothing_more()
        with database.write() as connection:
            keys.revoke(connection, key.prefix, LOCAL)
        assert client.ends() == 4401


def test_a_revoked_key_gets_no_event_more_even_before_its_connection_is_closed(
    connect: Connect, tell: Tell, database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(auth, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(websocket, "_CHECK_SECONDS", 1000)
    key, auditor = create(database, Role.AUDITOR)
    with connect() as client:
        client.begin(Authorization=auditor).follow(SEQS)
        with database.write() as connection:
            keys.revoke(connection, key.prefix, LOCAL)
        tell(ran("a"))
        with pytest.raises(WebSocketDisconnect) as caught:
            client.hear()
        assert caught.value.code == 4401


def test_more_subscriptions_than_a_connection_takes_are_refused_in_words(connect: Connect, service: Service):
    service.sockets.capacity = Capacity(per_connection=2, operations=3)
    with connect() as client, connect() as other:
        client.begin().follow(SEQS, "1").follow(SEQS, "2").subscribe(SEQS, "3")
        message = client.hear()
        assert (message["id"], message["type"]) == ("3", "error")
        assert "A connection takes 2 operations" in message["payload"][0]["message"]
        other.begin().follow(SEQS, "1").subscribe(SEQS, "2")
        assert "The server takes 3 operations" in other.hear()["payload"][0]["message"]
        client.say("complete", id="1")
        client.until(lambda: service.sockets.operations == 2)
        other.follow(SEQS, "2")


def test_more_connections_than_the_server_takes_are_told_to_come_again(connect: Connect, service: Service):
    service.sockets.capacity = Capacity(connections=1)
    with connect() as client:
        client.begin()
        with pytest.raises(WebSocketDenialResponse) as caught, connect():
            pass
        assert (caught.value.status_code, caught.value.headers["retry-after"]) == (503, "2")
    client.until(lambda: service.sockets._open == 0)
    with connect() as client:
        client.begin()


def test_twenty_subscribers_ask_the_database_no_more_than_one(
    connect: Connect, tell: Tell, service: Service, statements: Statements, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feed, "LONGEST_SECONDS", 0.25)
    tell(ran("a"))
    asked = {}
    with connect() as client:
        client.begin()
        for count in (1, 20):
            while service.sockets.operations < count:
                client.follow(SEQS, str(service.sockets.operations))
            time.sleep(1.5 * feed.LONGEST_SECONDS)
            with statements(service.database) as seen:
                time.sleep(4 * feed.LONGEST_SECONDS)
            asked[count] = len(seen)
        # What differs is when one began to look.
        assert 1 <= asked[20] <= asked[1] + 2
        with statements(service.database) as seen:
            tell(declared_dataset("d", 9))
            assert {client.hear()["id"] for _ in range(20)} == {str(number) for number in range(20)}
        assert sum("log_entry" in statement for statement in seen) == 1
    client.until(lambda: service.sockets.operations == 0)
    with statements(service.database) as seen:
        time.sleep(2 * feed.LONGEST_SECONDS)
    assert seen == []


def test_what_several_ask_in_the_same_words_and_may_is_executed_once(
    connect: Connect, tell: Tell, database: Database, monkeypatch: pytest.MonkeyPatch
):
    executed: list[str] = []
    page = following.Executions.page

    def noted(executions: following.Executions, asked: Asked, caller: Caller, *entries: Any) -> Any:
        executed.append(caller.name)
        return page(executions, asked, caller, *entries)

    monkeypatch.setattr(following.Executions, "page", noted)
    monkeypatch.setattr(auth, "FRESH_SECONDS", 100)
    (one, auditor), (other, admin) = create(database, Role.AUDITOR), create(database, Role.ADMIN)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect()).begin(authorization=key) for key in (auditor, admin) * 4]
        for client in clients:
            client.follow(SEQS)
        tell(declared_dataset("d", 1))
        assert [client.seqs(1) for client in clients] == [[0]] * 8
    assert sorted(executed) == sorted([one.name, other.name])


def test_a_subscription_is_not_answered_over_http(server: TestClient):
    answer = server.post("/graphql", json={"query": SEQS})
    assert answer.status_code == 200
    assert "WebSocket" in answer.json()["errors"][0]["message"]


def test_an_operation_that_is_not_in_the_query_is_refused_in_words(server: TestClient):
    answer = server.post("/graphql", json={"query": "query A { __typename }", "operationName": "B"})
    assert answer.status_code == 200
    assert "operationName" in answer.json()["errors"][0]["message"]


def test_the_metrics_say_how_many_subscriptions_are_open(connect: Connect, server: TestClient):
    with connect() as client:
        client.begin().follow(SEQS)
        assert "catalog_graphql_subscriptions 1.0" in server.get("/metrics").text
