"""A database that dies, fills up, restarts or falls silent under a server that goes on taking events."""

from __future__ import annotations

import random
import resource
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from catalog.store import migrate
from catalog.store.engine import Database
from faults.conftest import LONG
from faults.history import Clients, audit
from faults.proxy import Proxy
from faults.test_processes import READY_SECONDS, to
from postgres import Cluster
from servers import Server

Times = Callable[[int], int]
NewCluster = Callable[..., Cluster]

ANSWER_SECONDS = 5.0
"""Clients hang up then."""


def catalog_in(cluster: Cluster, port: int | None = None) -> str:
    """The URL of a new catalog; with `port` as it is reached through a proxy."""
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE catalog")
    url = f"postgresql://postgres@/catalog?host={cluster.home}"
    database = Database(url)
    migrate.upgrade(database)
    database.close()
    return url if port is None else f"postgresql://postgres@127.0.0.1:{port}/catalog"


@contextmanager
def under_load(url: str, under: Sequence[str] = ()) -> Iterator[tuple[Server, Clients]]:
    """A server, and clients that have begun."""
    with Server(url, under=under) as server, Clients(to(server.port)) as clients:
        clients.wait_for(20)
        yield server, clients


def wait_for(status: int, clients: Clients, seconds: float = 10) -> None:
    """Until a client is answered so once more."""
    before = clients.history.statuses.get(status, 0)
    deadline = time.monotonic() + seconds
    while clients.history.statuses.get(status, 0) == before:
        assert time.monotonic() < deadline, f"no {status}: {clients.history.statuses}"
        time.sleep(0.01)


def nothing_lost(url: str, clients: Clients) -> None:
    """All that was acknowledged is there, and nobody was told anything but yes or later."""
    audit(url, clients.history)
    assert clients.history.statuses.keys() <= {200, 201, 503}


@pytest.mark.timeout(300)
def test_a_postgresql_that_is_killed_again_and_again_loses_nothing(new_cluster: NewCluster, times: Times):
    cluster = new_cluster()
    url = catalog_in(cluster)
    with under_load(url) as (_, clients):
        for _ in range(times(20)):
            clients.wait_for(20)
            time.sleep(random.uniform(0, 0.1))
            cluster.kill()
            wait_for(503, clients)
            cluster.start()
            begun = time.monotonic()
            clients.wait_for(1)
            assert time.monotonic() - begun < READY_SECONDS
    nothing_lost(url, clients)
    assert clients.history.slowest < ANSWER_SECONDS


@pytest.mark.timeout(300)
def test_a_postgresql_that_is_restarted_is_waited_for(new_cluster: NewCluster, times: Times):
    cluster = new_cluster()
    url = catalog_in(cluster)
    with under_load(url) as (_, clients):
        for _ in range(times(10)):
            clients.wait_for(20)
            cluster.stop("fast")
            cluster.start()
            clients.wait_for(1, seconds=READY_SECONDS)
    nothing_lost(url, clients)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["slow", "half_open", "refuse", "deaf"])
def test_a_wire_that_breaks_delays_answers_and_loses_nothing(mode: str, new_cluster: NewCluster, times: Times):
    cluster = new_cluster()
    with Proxy(cluster.home / ".s.PGSQL.5432") as wire:
        direct = f"postgresql://postgres@/catalog?host={cluster.home}"
        with under_load(catalog_in(cluster, wire.port)) as (server, clients):
            for _ in range(times(10) // 2):
                wire.break_with(mode, delay=0.02 if mode == "slow" else 0)
                if mode == "slow":
                    clients.wait_for(5)
                else:
                    wait_for(503, clients)
                assert server.request("GET", "/livez")[0] == 200
                wire.break_with("ok")
                clients.wait_for(10, seconds=10 + READY_SECONDS)
        nothing_lost(direct, clients)
    assert clients.history.slowest < ANSWER_SECONDS


def test_a_file_that_may_not_grow_is_answered_with_503_until_it_may(sqlite_url: str, times: Times):
    with under_load(sqlite_url) as (server, clients):
        process = psutil.Process(server.process.pid)
        for _ in range(times(10)):
            # The limit of a process stands in for the end of a disk: nobody needs to be root for it.
            process.rlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
            wait_for(503, clients)
            assert server.request("GET", "/livez")[0] == 200
            process.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            clients.wait_for(10)
    nothing_lost(sqlite_url, clients)


@pytest.mark.skipif(not (LONG and shutil.which("fiu-run")), reason="needs fiu-run (Debian: fiu-utils): make faults")
@pytest.mark.timeout(300)
def test_a_disk_that_fails_now_and_then_is_answered_with_503_and_loses_nothing(sqlite_url: str):
    broken = ("posix/io/rw/pwrite", "posix/io/sync/fdatasync", "posix/io/sync/fsync")
    wanted = [word for name in broken for word in ("-c", f"enable_random name={name},probability=0.03")]
    with under_load(sqlite_url, under=("fiu-run", "-x", *wanted)) as (_, clients):
        clients.wait_for(500, seconds=240)
    audit(sqlite_url, clients.history)
    assert clients.history.statuses.keys() == {201, 503} | (clients.history.statuses.keys() & {200})


@contextmanager
def no_room_in(folder: Path) -> Iterator[None]:
    """A file system without a free byte."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 20)) == 1 << 20:
                pass
        except OSError:
            pass
    yield
    filler.unlink()


@pytest.mark.skipif(not LONG, reason="the long form mounts a file system: make faults")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_disk_that_is_full_is_answered_with_503_until_there_is_room(
    engine: str, small_disk: Path, new_cluster: NewCluster, times: Times
):
    if engine == "postgresql":
        url = catalog_in(new_cluster(small_disk / "pg"))
    else:
        url = f"sqlite:///{small_disk / 'catalog.db'}"
        database = Database(url)
        migrate.upgrade(database)
        database.close()
    with under_load(url) as (_, clients):
        for _ in range(times(10)):
            with no_room_in(small_disk):
                wait_for(503, clients, seconds=60)
            clients.wait_for(10)
    nothing_lost(url, clients)
