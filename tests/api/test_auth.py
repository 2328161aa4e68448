from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from builders import ran
from catalog.api import auth
from catalog.api.auth import Callers, LastUse, is_loopback
from catalog.app import Service, serve
from catalog.domain import keys as spelling
from catalog.domain.callers import LOCAL, Caller, Role
from catalog.domain.errors import BadRequest, CatalogError, Unauthenticated, Unavailable
from catalog.settings import DatabaseSettings, Settings
from catalog.store import keys
from catalog.store.engine import Database
from catalog.store.keys import Key, Wanted
from catalog.store.tables import log_entry

Statements = Callable[[Database], AbstractContextManager[list[str]]]

ONE = "/api/v1/lineage"
MANY = f"{ONE}/batch"
LOOPBACK = "http://127.0.0.1:8180"
UNKNOWN = spelling.spell("0" * 30)
EVERYBODY = ["0.0.0.0", "::", ""]  # noqa: S104 - what is refused


def settings_of(url: str, host: str = "127.0.0.1") -> Settings:
    return replace(Settings(), host=host, database=replace(DatabaseSettings(), url=url))


@pytest.fixture
def service(database_url: str) -> Iterator[Service]:
    made = Service(settings_of(database_url))
    yield made
    made.database.close()


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(service.app, LOOPBACK, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered: every request sees the database as it is."""
    monkeypatch.setattr(auth, "FRESH_SECONDS", 0.0)


def create(database: Database, role: Role, **wanted: Any) -> tuple[Key, dict[str, str]]:
    with database.write() as connection:
        key, secret = keys.create(connection, Wanted(role, **wanted), LOCAL)
    return key, {"Authorization": f"Bearer {secret}"}


def event(job: tuple[str, str] = ("ours", "j"), at: float = 0) -> bytes:
    return ran(job, at).event("COMPLETE", at)


def ask(client: TestClient, query: str, headers: dict[str, str] | None = None) -> Any:
    return client.post("/graphql", json={"query": query}, headers=headers)


def principals(database: Database) -> list[str]:
    with database.read() as connection:
        return [row.principal for row in connection.execute(log_entry.select().order_by(log_entry.c.seq))]


def problem(answer: Any, status: int) -> Any:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    return answer.json()


def test_before_the_first_key_this_machine_may_read_and_write(client: TestClient, service: Service) -> None:
    assert client.post(ONE, content=event()).status_code == 201
    viewer = ask(client, "{ viewer { name role permissions namespaces keyPrefix expiresAt } }").json()["data"]["viewer"]
    assert viewer == {
        "name": "anonymous",
        "role": "ADMIN",
        "permissions": ["READ", "READ_LOG", "INGEST", "STEWARD", "MANAGE_KEYS"],
        "namespaces": [],
        "keyPrefix": None,
        "expiresAt": None,
    }
    assert principals(service.database) == ["anonymous"]


@pytest.mark.parametrize("given", ["Bearer nonsense", f"Bearer {UNKNOWN}", "Basic YTpi", "Bearer a b", UNKNOWN])
def test_a_wrong_key_is_noticed_also_on_an_open_server(client: TestClient, given: str) -> None:
    answer = client.post(ONE, content=event(), headers={"Authorization": given})
    said = problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "catalog keys create" in said["fix"]
    assert given not in answer.text
    assert UNKNOWN not in answer.text


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "bearer  "])
def test_an_empty_key_is_none(client: TestClient, given: str) -> None:
    assert client.post(ONE, content=event(), headers={"Authorization": given}).status_code == 201


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8180", "localhost.evil.example", "192.168.0.1", "[::2]:1", "[", ""]
)
def test_an_open_server_answers_no_other_name(client: TestClient, host: str) -> None:
    for answer in (
        client.post(ONE, content=event(), headers={"Host": host}),
        ask(client, "{ viewer { name } }", {"Host": host}),
    ):
        assert "keys create" in problem(answer, 403)["fix"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "localhost.", "127.0.0.1", "127.8.8.8:80", "[::1]:8180"])
def test_every_name_of_this_machine_will_do(client: TestClient, host: str) -> None:
    assert client.post(ONE, content=event(), headers={"Host": host}).status_code == 201


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "file://", "http://localhost.evil.example"])
def test_a_page_from_elsewhere_cannot_write_to_an_open_server(client: TestClient, origin: str) -> None:
    problem(client.post(ONE, content=event(), headers={"Origin": origin, "Content-Type": "text/plain"}), 403)
    assert client.post(ONE, content=event(), headers={"Origin": "http://localhost:3000"}).status_code == 201


def test_the_first_key_closes_a_running_server(client: TestClient, service: Service) -> None:
    assert ask(client, "{ viewer { name } }").status_code == 200
    _, admin = create(service.database, Role.ADMIN)
    until = time.monotonic() + 5
    while ask(client, "{ viewer { name } }").status_code == 200:
        assert time.monotonic() < until
        time.sleep(0.1)
    problem(ask(client, "{ viewer { name } }"), 401)
    problem(client.post(ONE, content=event()), 401)
    assert ask(client, "{ viewer { name } }", admin).status_code == 200
    # With a key, how the server is called is the proxy's matter.
    assert ask(client, "{ viewer { name } }", {**admin, "Host": "catalog.example"}).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/graphql", "/graphql/query.js", "/graphql/query.css"])
def test_probes_and_the_files_of_the_page_need_no_key(client: TestClient, service: Service, path: str) -> None:
    create(service.database, Role.ADMIN)
    assert client.get(path, headers={"Accept": "text/html", "Host": "elsewhere"}).status_code == 200


def test_a_route_that_nobody_opened_is_closed(client: TestClient, service: Service) -> None:
    create(service.database, Role.ADMIN)
    for path in ("/nothing", "/graphqlx", "/livez/", "/api/v1/lineage"):
        problem(client.get(path), 401)
    problem(client.post("/graphql/query.js"), 401)


@pytest.mark.usefixtures("at_once")
def test_a_revoked_or_expired_key_lets_nobody_in_and_says_which_it_was(client: TestClient, service: Service) -> None:
    create(service.database, Role.ADMIN)
    key, reader = create(service.database, Role.READER)
    assert ask(client, "{ viewer { name } }", reader).status_code == 200
    with service.database.write() as connection:
        keys.revoke(connection, key.prefix, LOCAL)
    assert problem(ask(client, "{ viewer { name } }", reader), 401)["detail"] == f"The key {key.prefix} was revoked."
    ended, ending = create(service.database, Role.READER, expires_at=keys.now() + 300_000)
    time.sleep(0.31)
    assert problem(ask(client, "{ viewer { name } }", ending), 401)["detail"] == f"The key {ended.prefix} has expired."


def test_a_revocation_is_seen_within_seconds(client: TestClient, service: Service) -> None:
    key, reader = create(service.database, Role.READER)
    assert ask(client, "{ viewer { name } }", reader).status_code == 200
    with service.database.write() as connection:
        keys.revoke(connection, key.prefix, LOCAL)
    until = time.monotonic() + 5
    while ask(client, "{ viewer { name } }", reader).status_code == 200:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_the_log_says_whose_key_it_was(client: TestClient, service: Service) -> None:
    _, ingestor = create(service.database, Role.INGESTOR, name="nightly")
    assert client.post(ONE, content=event(), headers=ingestor).status_code == 201
    assert principals(service.database) == ["nightly"]


@pytest.mark.parametrize("role", [Role.READER, Role.STEWARD, Role.AUDITOR])
def test_who_may_not_send_is_told_so_and_nothing_is_kept(client: TestClient, service: Service, role: Role) -> None:
    _, headers = create(service.database, role)
    for path, body in ((ONE, event()), (MANY, b"[" + event() + b"]"), (ONE, b"nonsense")):
        said = problem(client.post(path, content=body, headers=headers), 403)
        assert "ingestor or admin" in said["fix"]
        assert "receipt" not in said
    assert principals(service.database) == []


def test_an_ingestor_writes_only_its_namespaces_and_what_is_refused_is_kept(
    client: TestClient, service: Service
) -> None:
    _, ours = create(service.database, Role.INGESTOR, namespaces=("ours",))
    said = problem(client.post(ONE, content=event(("theirs", "j")), headers=ours), 403)
    assert (said["code"], said["pointer"]) == ("forbidden", "/job/namespace")
    assert "theirs" in said["detail"]
    assert "--namespace 'theirs'" in said["fix"]
    assert said["receipt"].startswith("r-")
    mixed = b"[" + b",".join([event(at=1), event(("theirs", "j"), 1), event(at=2)]) + b"]"
    answer = client.post(MANY, content=mixed, headers=ours).json()
    assert answer["summary"] == {"received": 3, "successful": 2, "failed": 1, "retriable": 0, "non_retriable": 1}
    (failed,) = answer["failed_events"]
    assert failed["index"] == 1
    assert "/job/namespace" in failed["reason"]
    assert len(principals(service.database)) == 2


def test_requests_with_a_known_key_ask_nothing_more_of_the_database(
    client: TestClient, service: Service, statements: Statements
) -> None:
    _, ingestor = create(service.database, Role.INGESTOR, namespaces=("ours",))
    for at in (0, 1):
        assert client.post(ONE, content=event(at=at), headers=ingestor).status_code == 201
    with statements(service.database) as seen:
        for at in range(2, 6):
            assert client.post(ONE, content=event(at=at), headers=ingestor).status_code == 201
    assert sum("api_key" in statement for statement in seen) <= 1


def request(**headers: str) -> HTTPConnection:
    named = [(name.lower().encode(), value.encode()) for name, value in {"Host": "localhost", **headers}.items()]
    return HTTPConnection({"type": "http", "headers": named})


async def identified(callers: Callers, *requests: HTTPConnection) -> list[Caller | BaseException]:
    return await asyncio.gather(*(callers.of(one) for one in requests), return_exceptions=True)


def test_all_who_ask_at_once_share_one_question(database: Database, statements: Statements) -> None:
    _, header = create(database, Role.READER, name="r")
    callers = Callers(database, "127.0.0.1")
    with statements(database) as seen:
        found = asyncio.run(identified(callers, *(request(**header) for _ in range(50))))
    assert {one.name for one in found if isinstance(one, Caller)} == {"r"}
    assert len(found) == 50
    assert len([statement for statement in seen if "api_key" in statement]) == 1


def test_without_a_database_nobody_is_told_that_a_key_is_wrong(sqlite_url: str) -> None:
    database = Database(f"{sqlite_url}/nowhere/at/all.db")
    callers = Callers(database, "127.0.0.1")
    found = asyncio.run(identified(callers, request(), request(Authorization=f"Bearer {UNKNOWN}")))
    assert [type(one) for one in found] == [Unavailable, Unavailable]
    # A typo is seen all the same.
    assert [type(one) for one in asyncio.run(identified(callers, request(Authorization="Bearer x")))] == [
        Unauthenticated
    ]


def test_a_database_that_comes_back_is_asked_again_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    callers = Callers(database, "127.0.0.1")

    def away(*_: object) -> bool:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr(keys, "exist", away)
        assert [type(one) for one in asyncio.run(identified(callers, request()))] == [Unavailable]
    assert [type(one) for one in asyncio.run(identified(callers, request()))] == [Caller]


def test_what_is_remembered_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_REMEMBERED", 3)
    callers = Callers(database, "127.0.0.1")
    for _ in range(5):
        _, header = create(database, Role.READER)
        assert [type(one) for one in asyncio.run(identified(callers, request(**header)))] == [Caller]
    assert len(callers._answers) == 3


def test_keys_that_are_made_up_push_out_none_that_is_known(
    database: Database, statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "_REMEMBERED", 3)
    monkeypatch.setattr(auth, "FRESH_SECONDS", 60.0)
    callers = Callers(database, "127.0.0.1")
    _, header = create(database, Role.READER)
    assert [type(one) for one in asyncio.run(identified(callers, request(**header)))] == [Caller]
    for number in range(10):
        wrong = request(Authorization=f"Bearer {spelling.spell(f'{number:030}')}")
        assert [type(one) for one in asyncio.run(identified(callers, wrong))] == [Unauthenticated]
    with statements(database) as seen:
        assert [type(one) for one in asyncio.run(identified(callers, request(**header)))] == [Caller]
    assert seen == []


@pytest.mark.parametrize("host", [*EVERYBODY, "192.168.0.1", "catalog.example"])
def test_an_address_for_others_is_never_open(database: Database, host: str) -> None:
    assert not is_loopback(host)
    assert [type(one) for one in asyncio.run(identified(Callers(database, host), request()))] == [Unauthenticated]


@pytest.mark.parametrize("host", EVERYBODY)
def test_a_server_for_others_does_not_start_before_there_is_a_key_that_can_be_used(
    database_url: str, host: str
) -> None:
    database = Database(database_url)
    key, _ = create(database, Role.ADMIN)
    with database.write() as connection:
        keys.revoke(connection, key.prefix, LOCAL)
    database.close()
    started: list[str] = []
    with pytest.raises(CatalogError, match="no key") as refused:
        serve(replace(settings_of(database_url, host), port=0), started.append)
    assert "catalog keys create --role admin" in refused.value.fix
    assert started == []


def test_what_is_no_address_of_this_machine_is_said_to_be_none(database_url: str) -> None:
    with pytest.raises(BadRequest, match=r"Cannot listen on 203\.0\.113\.1"):
        serve(replace(settings_of(database_url, "203.0.113.1"), port=0))


def test_the_last_use_is_written_when_the_server_stops(database_url: str) -> None:
    service = Service(settings_of(database_url))
    key, reader = create(service.database, Role.READER)
    before = keys.now()
    with TestClient(service.app, LOOPBACK) as client:
        assert ask(client, "{ viewer { name } }", reader).status_code == 200
    database = Database(database_url)
    with database.read() as connection:
        used = keys.find(connection, spelling.digest(reader["Authorization"].removeprefix("Bearer ")))
    database.close()
    assert used is not None
    assert used.id == key.id
    assert before <= (used.last_used_at or 0) <= keys.now()


def test_a_last_use_that_cannot_be_written_is_written_later(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key, header = create(database, Role.READER)

    def away(*_: object) -> None:
        raise Unavailable("The disk is full.")

    noting = LastUse(database, seconds=60)
    noting.note(key, 5_000)
    with monkeypatch.context() as broken:
        broken.setattr(keys, "note_used", away)
        noting._write()
    assert "The disk is full." in caplog.text
    noting.start()
    noting.close(5)
    with database.read() as connection:
        found = keys.find(connection, spelling.digest(header["Authorization"].removeprefix("Bearer ")))
    assert found is not None
    assert found.last_used_at == 5_000


@pytest.mark.usefixtures("at_once")
def test_no_log_line_and_no_answer_has_a_key_in_it(
    client: TestClient, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key, header = create(service.database, Role.INGESTOR, namespaces=("ours",))
    secret = header["Authorization"].removeprefix("Bearer ")
    answers = [
        client.post(ONE, content=event(), headers=header),
        client.post(ONE, content=event(("theirs", "j")), headers=header),
        client.post(ONE, content=event(), headers={"Authorization": f"Basic {secret}"}),
        client.post(ONE, content=event(), headers={"Authorization": f"Bearer {secret}x"}),
        ask(client, "{ datasets { totalCount } viewer { name } }", header),
    ]
    with service.database.write() as connection:
        keys.revoke(connection, secret, LOCAL)
    answers.append(ask(client, "{ viewer { name } }", header))
    said = "".join(answer.text for answer in answers) + caplog.text + repr(key) + repr(key.caller)
    assert [answer.status_code for answer in answers] == [201, 403, 401, 401, 200, 401]
    assert secret[12:] not in said


def test_the_query_page_has_a_place_for_a_key_that_goes_with_the_tab(client: TestClient) -> None:
    page = client.get("/graphql", headers={"Accept": "text/html"})
    assert '<input id="key" type="password" autocomplete="off"' in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    script = client.get("/graphql/query.js").text
    assert "headers.Authorization = `Bearer " in script
    assert "sessionStorage" in script
    assert "localStorage" not in script
