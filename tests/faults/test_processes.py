"""Processes that die, stop, and share: whatever happens to them, what was acknowledged is there, once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest

from faults.conftest import LONG
from faults.history import Clients, audit
from servers import MIB, Server, peak_of

Times = Callable[[int], int]

READY_SECONDS = 3.0 if LONG else 15.0
"""Ready again within: 3 s on a machine that does nothing else, as `make faults` wants one."""


def to(port: int) -> Callable[[int], HTTPConnection]:
    return lambda _: HTTPConnection("127.0.0.1", port, timeout=10)


def test_a_server_that_is_killed_again_and_again_loses_nothing(database_url: str, times: Times):
    with ExitStack() as stack:
        server = stack.enter_context(Server(database_url))
        port = server.port
        with Clients(to(port)) as clients:
            for _ in range(times(20)):
                clients.wait_for(30)
                time.sleep(random.uniform(0, 0.1))
                server.kill()
                server = stack.enter_context(Server(database_url, cold=LONG, CATALOG_PORT=str(port)))
                assert server.ready_after < READY_SECONDS
            clients.wait_for(30)
    assert audit(database_url, clients.history) >= 30 * times(20)
    assert clients.history.broken, "nobody noticed"


def test_a_server_that_is_told_to_stop_under_load_answers_what_it_took_and_is_gone_in_time(
    database_url: str, times: Times
):
    with ExitStack() as stack:
        server = stack.enter_context(Server(database_url))
        port = server.port
        with Clients(to(port), how_many=16) as clients:
            for _ in range(times(20)):
                clients.wait_for(60)
                assert server.stop() < 8
                server = stack.enter_context(Server(database_url, CATALOG_PORT=str(port)))
            clients.wait_for(20)
    audit(database_url, clients.history)
    assert clients.history.statuses.keys() <= {200, 201, 503}


def test_two_servers_on_one_sqlite_file_take_turns(sqlite_url: str, times: Times):
    with Server(sqlite_url) as one, Server(sqlite_url) as other:
        ports = (one.port, other.port)
        with Clients(lambda number: HTTPConnection("127.0.0.1", ports[number % 2], timeout=10)) as clients:
            clients.wait_for(100 * times(20), seconds=100)
    audit(sqlite_url, clients.history)
    assert clients.history.statuses.keys() <= {200, 201, 503}


@pytest.mark.timeout(300)
def test_four_times_more_than_fits_is_told_to_come_again_and_taken_later(database_url: str):
    fits = 16
    with Server(database_url, CATALOG_INGEST_MAX_WAITING_EVENTS=str(fits)) as server:
        with Clients(to(server.port), how_many=1, say="before") as first:
            first.wait_for(20)
        with peak_of(server) as peak, Clients(to(server.port), how_many=4 * fits, pause=0.05) as many:
            time.sleep(60 if LONG else 4)
            assert peak() < 64 * MIB
        with Clients(to(server.port), how_many=1, say="after") as newcomer:
            newcomer.wait_for(2, seconds=5)
    audit(database_url, first.history, many.history, newcomer.history)
    assert many.history.statuses.keys() == {201, 503}
    assert many.history.without_retry_after == 0
    assert many.history.slowest < 5
