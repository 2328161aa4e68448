"""Subscriptions as clients have them: over the network, from several servers on one database."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from threading import Thread
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from catalog.domain.callers import LOCAL, Role
from catalog.store import keys
from catalog.store.engine import Database
from catalog.store.keys import Wanted
from servers import MIB, Server, peak_of

ONE = "/api/v1/lineage"
PROTOCOL = Subprotocol("graphql-transport-ws")
SEQS = "subscription($after: BigInt) { eventAccepted(after: $after) { seq } }"
PAYLOADS = "subscription { eventAccepted(after: -1) { seq payload } }"


def event(name: str, **more: Any) -> bytes:
    job = {"namespace": "acceptance", "name": name}
    return json.dumps({"eventTime": "2026-01-01T00:00:00Z", "job": job, **more}).encode()


@contextmanager
def following(server: Server, query: str = SEQS, *, key: str = "", **variables: Any) -> Iterator[ClientConnection]:
    """A client that has subscribed."""
    url = f"ws://127.0.0.1:{server.port}/graphql"
    with connect(url, subprotocols=[PROTOCOL], max_size=None, proxy=None) as client:
        payload = {"Authorization": f"Bearer {key}"} if key else {}
        client.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert json.loads(client.recv(10)) == {"type": "connection_ack"}
        client.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": query, "variables": variables}}))
        yield client


def accepted(client: ClientConnection, count: int) -> list[int]:
    """The places in the log of the next events."""
    messages = [json.loads(client.recv(30)) for _ in range(count)]
    return [message["payload"]["data"]["eventAccepted"]["seq"] for message in messages]


def closed(client: ClientConnection, seconds: float) -> int | None:
    """The code it is closed with, within this time."""
    try:
        while True:
            client.recv(seconds)
    except ConnectionClosed as error:
        return error.rcvd.code if error.rcvd else None


def test_what_one_server_takes_another_delivers_in_order_and_once(database_url: str):
    writers, each = 4, 15
    with ExitStack() as stack:
        servers = [stack.enter_context(Server(database_url)) for _ in range(2)]
        clients = [stack.enter_context(following(server, after=-1)) for server in servers for _ in range(2)]

        def write(number: int) -> None:
            kept: HTTPConnection = servers[number % 2].connect()
            for i in range(each):
                kept.request("POST", ONE, event(f"{number}.{i}"))
                response = kept.getresponse()
                response.read()
                assert response.status == 201
            kept.close()

        threads = [Thread(target=write, args=(number,)) for number in range(writers)]
        for thread in threads:
            thread.start()
        for client in clients:
            assert accepted(client, writers * each) == list(range(writers * each))
        for thread in threads:
            thread.join()
        # A moment later there is nothing but the next.
        for client in clients:
            with pytest.raises(TimeoutError):
                client.recv(0.2)
        begun = time.monotonic()
        assert servers[0].request("POST", ONE, event("last"))[0] == 201
        for client in clients:
            assert accepted(client, 1) == [writers * each]
        assert time.monotonic() - begun < 5


def test_a_client_whose_server_died_goes_on_at_another_and_has_missed_nothing(database_url: str):
    with Server(database_url) as one, Server(database_url) as other:
        with following(one) as client:
            # It has no answer that it has begun: an event that comes says so.
            for number in itertools.count():
                one.request("POST", ONE, event(f"first {number}"))
                try:
                    client.recv(0.5)
                except TimeoutError:
                    continue
                break
            last = number
            one.kill()
            assert closed(client, 10) is None
        for name in ("b", "c"):
            assert other.request("POST", ONE, event(name))[0] == 201
        with following(other, after=last) as client:
            assert accepted(client, 2) == [last + 1, last + 2]


def test_a_server_that_is_told_to_stop_ends_subscriptions_and_is_gone_at_once(database_url: str):
    with Server(database_url) as server, following(server, after=-1) as busy, following(server) as idle:
        server.request("POST", ONE, event("a"))
        assert accepted(busy, 1) == [0]
        assert server.stop() < 5
        assert server.process.returncode == 0
        assert (closed(busy, 5), closed(idle, 5)) == (1012, 1012)
        assert server.complained() == ""


def subscribe_and_never_read(server: Server, stack: ExitStack) -> None:
    """What a client that has died in its sleep looks like."""
    client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(
        b"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    )
    assert client.recv(4096).startswith(b"HTTP/1.1 101")
    for message in (
        {"type": "connection_init"},
        *({"type": "subscribe", "id": str(id), "payload": {"query": PAYLOADS}} for id in range(10)),
    ):
        raw = json.dumps(message).encode()
        # A frame of text, masked with zeros: bytes as they are.
        client.sendall(bytes([0x81, 0x80 | 126]) + len(raw).to_bytes(2, "big") + bytes(4) + raw)


def test_who_does_not_read_costs_little_memory_and_keeps_nobody_waiting(database_url: str):
    count = 30
    with Server(database_url) as server, following(server, after=-1) as client, ExitStack() as stack:
        for number in range(count):
            assert server.request("POST", ONE, event(str(number), padding="x" * MIB))[0] == 201
        assert accepted(client, count) == list(range(count))
        with peak_of(server) as peak:
            for _ in range(4):
                subscribe_and_never_read(server, stack)
            server.request("POST", ONE, event("next"))
            assert accepted(client, 1) == [count]
            time.sleep(1)
            # 40 subscriptions to 30 MiB each. One page for each connection is held, and what is on its way.
            assert peak() < 60 * MIB


def test_who_does_not_read_does_not_keep_the_server_from_stopping(sqlite_url: str):
    with Server(sqlite_url) as server, ExitStack() as stack:
        for number in range(8):
            assert server.request("POST", ONE, event(str(number), padding="x" * MIB))[0] == 201
        subscribe_and_never_read(server, stack)
        time.sleep(1)
        assert server.stop() < 5
        assert server.process.returncode == 0
        assert server.complained() == ""


def test_a_key_that_is_revoked_ends_its_subscriptions_at_every_server_soon(database_url: str):
    database = Database(database_url)
    try:
        with database.write() as connection:
            key, secret = keys.create(connection, Wanted(Role.AUDITOR), LOCAL)
        with Server(database_url) as one, Server(database_url) as other, ExitStack() as stack:
            clients = [stack.enter_context(following(server, key=secret)) for server in (one, other)]
            with database.write() as connection:
                keys.revoke(connection, key.prefix, LOCAL)
            assert [closed(client, 8) for client in clients] == [4401, 4401]
            header = {"Authorization": f"Bearer {secret}"}
            url = f"ws://127.0.0.1:{one.port}/graphql"
            with (
                pytest.raises(InvalidStatus) as caught,
                connect(url, subprotocols=[PROTOCOL], additional_headers=header, proxy=None),
            ):
                pass
            assert caught.value.response.status_code == 401
    finally:
        database.close()


def test_a_message_that_is_too_long_is_not_even_read(database_url: str):
    with Server(database_url) as server:
        with following(server) as client:
            client.send(json.dumps({"type": "ping", "payload": "x" * MIB}))
            assert closed(client, 10) == 1009
        with following(server, after=-1) as client:
            server.request("POST", ONE, event("a"))
            assert accepted(client, 1) == [0]
        assert server.stop() < 8
        assert server.complained() == ""
