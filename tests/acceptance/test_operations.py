"""What operators rely on, asked of real processes: how it starts and stops, and that a backup is of one moment."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select, text

from builders import ran
from catalog.app import serve
from catalog.domain.errors import NotDurable
from catalog.ingest.replay import rebuild
from catalog.settings import DatabaseSettings, Settings
from catalog.store import migrate
from catalog.store.engine import Database
from catalog.store.health import log_state
from catalog.store.maintenance import backup, copy, dump_digest
from catalog.store.tables import log_entry
from servers import MIB, Server

ONE = "/api/v1/lineage"


@pytest.mark.parametrize("signalled", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_was_told_to_stop_says_that_it_went_well(database_url: str, signalled: signal.Signals):
    with Server(database_url) as server:
        server.process.send_signal(signalled)
        assert server.process.wait(10) == 0


def test_an_idle_server_is_small_and_soon_ready(database_url: str):
    with Server(database_url, cold=True) as server:
        assert server.request("GET", "/readyz")[0] == 200
        # Its own processor time: by the clock, other tests that run meanwhile would be measured.
        used = psutil.Process(server.process.pid).cpu_times()
        assert used.user + used.system < 2
        assert server.resident() < 150 * MIB


def lose(url: str) -> None:
    """From now on, sessions of this PostgreSQL database do not wait for the disk."""
    database = Database(url)
    with database.write() as connection:
        connection.execute(text(f"ALTER DATABASE {database.url.database} SET synchronous_commit = off"))
    database.close()


def end_sessions(url: str) -> None:
    """Let everybody who is connected to this PostgreSQL database connect again."""
    database = Database(url)
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    with database.write() as connection:
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))  # noqa: S608 - no input
    database.close()


def test_a_database_that_may_lose_events_is_not_served_unless_that_is_allowed(postgres_url: str):
    lose(postgres_url)
    with pytest.raises(NotDurable, match="synchronous_commit = off") as caught:
        serve(Settings(port=0, database=DatabaseSettings(postgres_url)))
    assert "CATALOG_DATABASE_UNSAFE" in caught.value.fix
    with Server(postgres_url, CATALOG_DATABASE_UNSAFE="true") as server:
        assert server.request("GET", "/readyz") == (200, b"ready\n")


def test_a_database_that_becomes_unsafe_makes_its_server_not_ready(postgres_url: str):
    with Server(postgres_url) as server:
        lose(postgres_url)
        end_sessions(postgres_url)
        # A connection that was good a moment ago is not asked whether it still is.
        for _ in range(100):
            status, said = server.request("GET", "/readyz")
            assert status == 503
            if said["type"] != "urn:lineage-catalog:problem:unavailable":
                break
            time.sleep(0.05)
        assert said["type"] == "urn:lineage-catalog:problem:not-durable"


def test_systemd_is_told_when_it_is_ready_and_when_it_stops(sqlite_url: str, tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(10)
        with Server(sqlite_url, NOTIFY_SOCKET=str(tmp_path / "notify")) as server:
            assert told.recv(100) == b"READY=1"
            server.stop()
            assert told.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize(("workers", "form"), [(1, "json"), (2, "auto")])
def test_off_a_terminal_every_line_of_the_log_is_json_in_every_process(sqlite_url: str, workers: int, form: str):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CATALOG_")}
    command = [sys.executable, "-m", "catalog", "serve", "--port", "0", "--workers", str(workers)]
    server = subprocess.Popen(  # noqa: S603 - our own program
        command,
        env=environ | {"CATALOG_DATABASE_URL": sqlite_url, "CATALOG_LOG_FORMAT": form},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    first = server.stderr.readline()
    client = object.__new__(Server)
    found = re.search(r"http://127\.0\.0\.1:[0-9]+", first)
    assert found, first
    client.url = found[0]
    assert client.request("POST", ONE, b"{}")[0] == 400
    server.terminate()
    rest = server.communicate(timeout=15)[1].splitlines()
    assert server.returncode == 0
    lines = [json.loads(line) for line in ([first, *rest] if form == "json" else rest) if line.startswith("{")]
    assert [line["status"] for line in lines if line["logger"] == "catalog.requests"] == [400]
    if form == "json":
        assert lines[0]["message"] == f"serving at {lines[0]['url']}"
        assert lines[0]["data"] == sqlite_url
        assert lines[0]["access"].startswith("no keys: who reaches it may read and write")


@contextmanager
def being_written(server: Server) -> Iterator[list[str]]:
    """Four clients that send runs; the list grows by the digest of each event that was acknowledged."""
    acknowledged: list[str] = []
    done = threading.Event()

    def send(number: int) -> None:
        connection = server.connect()
        with suppress(OSError, HTTPException):
            for count in range(100_000):
                for raw in ran(f"job {number}", at=count).reading(f"in {count % 7}").writing(f"out {number}"):
                    connection.request("POST", ONE, raw)
                    acknowledged.append(json.loads(connection.getresponse().read())["digest"])
                if done.is_set():
                    break
        connection.close()

    senders = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for sender in senders:
        sender.start()
    try:
        deadline = time.monotonic() + 20
        while len(acknowledged) < 40 and time.monotonic() < deadline:
            time.sleep(0.005)
        yield acknowledged
    finally:
        done.set()
        for sender in senders:
            sender.join()


def digests(database: Database) -> list[str]:
    with database.read() as connection:
        found = connection.execute(select(log_entry.c.digest).order_by(log_entry.c.seq))
        return [bytes(digest).hex() for (digest,) in found]


def graph_of(database: Database) -> str:
    with database.read() as connection:
        return dump_digest(connection)


def copied(source: Database, path: Path) -> None:
    target = Database(f"sqlite:///{path}")
    migrate.upgrade(target)
    copy(source, target)
    target.close()


def test_a_backup_taken_while_others_write_is_one_moment_and_restores_equal(sqlite_url: str, tmp_path: Path):
    restores_equal(sqlite_url, tmp_path / "kept.db", backup)


def test_a_copy_taken_while_others_write_is_one_moment_and_restores_equal(database_url: str, tmp_path: Path):
    restores_equal(database_url, tmp_path / "kept.db", copied)


def restores_equal(database_url: str, path: Path, take: Callable[[Database, Path], None]) -> None:
    with Server(database_url) as server:
        with being_written(server) as acknowledged:
            before, source = list(acknowledged), Database(database_url)
            take(source, path)
            source.close()
        assert server.stop() < 8
    live, kept = Database(database_url), Database(f"sqlite:///{path}")
    log = digests(kept)
    # All that was acknowledged before, then what came meanwhile, without a gap; and the graph is that of this log.
    assert set(before) <= set(log)
    assert log == digests(live)[: len(log)]
    assert len(log) < len(digests(live))
    with kept.read() as connection:
        state = log_state(connection)
    assert (state.size, state.bodies, state.failed) == (len(log), len(log), 0)
    graph = graph_of(kept)
    rebuild(kept)
    assert graph_of(kept) == graph
    live.close()
    kept.close()
    with Server(f"sqlite:///{path}") as restored:
        assert restored.request("GET", "/readyz")[0] == 200
        assert restored.request("POST", ONE, next(iter(ran("job 0", at=0).reading("in 0").writing("out 0"))))[0] == 200
