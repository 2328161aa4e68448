"""The command line as a shell sees it: real processes, pipes and terminals."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from builders import ran

EVENTS = b"\n".join(event for at in range(3) for event in ran("etl", at).reading("raw").writing("clean"))
CATALOG = [sys.executable, "-m", "catalog"]
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith(("CATALOG_", "OPENLINEAGE_"))}


def shell(folder: Path, *arguments: str, given: bytes = b"", code: int = 0) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(  # noqa: S603 - our own program
        [*CATALOG, *arguments], cwd=folder, env=ENVIRON, input=given, capture_output=True, check=False
    )
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[str, str]]:
    """The URL of a server, and what it said on its way up."""
    command = [*CATALOG, "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=folder, env=ENVIRON, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        assert process.stderr
        said = ""
        while "Ctrl-C" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        try:
            yield said.split(" at ")[1].split()[0], said
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) in {0, -signal.SIGTERM}


def on_a_terminal(folder: Path, command: Sequence[str]) -> str:
    """What a person sees."""
    ours, theirs = pty.openpty()
    environ = {**ENVIRON, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, cwd=folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs):  # noqa: S603 - our own program
        os.close(theirs)
        seen = b""
        while True:
            try:
                chunk = os.read(ours, 65_536)
            except OSError:  # Linux says so when the other end is closed.
                break
            if not chunk:
                break
            seen += chunk
    os.close(ours)
    return seen.decode()


def test_from_nothing_to_lineage_in_three_commands(tmp_path: Path) -> None:
    (tmp_path / "events.ndjson").write_bytes(EVENTS)
    assert b"accepted\t6" in shell(tmp_path, "ingest", "events.ndjson").stdout
    assert b"dataset shop raw" in shell(tmp_path, "lineage", "dataset", "shop", "clean").stdout
    query = b"{ datasets { edges { node { name } } } }"
    assert len(json.loads(shell(tmp_path, "query", "-", given=query).stdout)["data"]["datasets"]["edges"]) == 2


def test_data_goes_to_standard_output_and_talk_to_standard_error(tmp_path: Path) -> None:
    done = shell(tmp_path, "ingest", "-", "--json", given=EVENTS + b"\nnope", code=3)
    assert json.loads(done.stdout)["quarantined"] == 1
    done = shell(tmp_path, "lineage", "dataset", "shop", "nothing", code=1)
    assert done.stdout == b""
    assert done.stderr.startswith(b"error: ")


def test_a_server_begins_a_new_file_takes_events_and_stops_when_told(tmp_path: Path) -> None:
    with serving(tmp_path, "--database", "sqlite:///new.db") as (url, said):
        assert "new.db" in said
        assert f"catalog ingest events.ndjson --url {url}" in said
        assert b"accepted\t6" in shell(tmp_path, "ingest", "-", "--url", url, given=EVENTS).stdout
        query = b'{ job(namespace: "shop", name: "etl") { name } }'
        assert json.loads(shell(tmp_path, "query", "-", "--url", url, given=query).stdout)["data"] == {
            "job": {"name": "etl"}
        }
        taken = shell(tmp_path, "serve", "--port", url.rpartition(":")[2], "--database", "sqlite:///b.db", code=1)
        assert b"--port 0 takes any that is free" in taken.stderr
    assert shell(tmp_path, "rebuild", "--json", "--database", "sqlite:///new.db").stdout


def test_several_processes_share_one_port(tmp_path: Path, postgres_url: str) -> None:
    with serving(tmp_path, "--workers", "2", "--database", postgres_url) as (url, _):
        assert b"accepted\t6" in shell(tmp_path, "ingest", "-", "--url", url, given=EVENTS).stdout
    assert json.loads(shell(tmp_path, "rebuild", "--json", "--database", postgres_url).stdout)["projected"] == 6


def test_a_server_on_a_postgres_database_without_a_catalog_says_what_to_do(
    tmp_path: Path, new_postgres_url: Any
) -> None:
    with new_postgres_url(migrated=False) as url:
        assert b"catalog db upgrade" in shell(tmp_path, "serve", "--port", "0", "--database", url, code=1).stderr


def test_a_tree_is_drawn_on_a_terminal_and_names_do_not_command_it(tmp_path: Path) -> None:
    shell(tmp_path, "ingest", "-", given=b"\n".join(ran("etl").reading("\x1b[2Jevil").writing("clean")))
    seen = on_a_terminal(tmp_path, [*CATALOG, "lineage", "dataset", "shop", "clean"])
    assert "└──" in seen
    assert "\\x1b[2Jevil" in seen
    assert "\x1b[2J" not in seen


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    shell(tmp_path, "ingest", "-", given=EVENTS)
    with subprocess.Popen([*CATALOG, "schema"], cwd=tmp_path, env=ENVIRON, stdout=-1, stderr=-1) as process:  # noqa: S603 - our own program
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


@contextmanager
def heard(number: signal.Signals) -> Iterator[None]:
    """See that a program we start hears a signal, though an `&` behind which we were started would make it deaf."""
    before = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def wait_for_entries(file: Path) -> None:
    """Until the log in a file has something."""
    for _ in range(400):
        time.sleep(0.05)
        if file.exists():
            with closing(sqlite3.connect(file)) as connection, suppress(sqlite3.OperationalError):
                if connection.execute("SELECT count(*) FROM log_entry").fetchone()[0]:
                    return
    raise AssertionError("nothing came into the log")


def test_an_interrupted_ingest_says_what_was_taken_and_can_be_repeated(tmp_path: Path) -> None:
    command = [*CATALOG, "ingest", "-", "--database", "sqlite:///c.db"]
    lines = [event for at in range(300) for event in ran("etl", at)]
    with (
        heard(signal.SIGINT),
        subprocess.Popen(command, cwd=tmp_path, env=ENVIRON, stdin=-1, stdout=-1, stderr=-1) as process,  # noqa: S603 - our own program
    ):
        assert process.stdin
        process.stdin.write(b"\n".join([*lines, b'{"open": "']) + b"x" * 1_100_000)
        process.stdin.flush()
        wait_for_entries(tmp_path / "c.db")
        process.send_signal(signal.SIGINT)
        process.stdin.close()
        process.stdin = None
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in err
    taken = int(out.decode().split("accepted\t")[1].split()[0])
    again = json.loads(shell(tmp_path, *command[3:], "--json", given=b"\n".join(lines)).stdout)
    assert (again["duplicates"], again["accepted"]) == (taken, 600 - taken)
    assert taken > 0


def test_help_starts_within_half_a_second(tmp_path: Path) -> None:
    # Processor time: by the clock, other tests that run meanwhile would be measured.
    def used() -> float:
        children = os.times()
        return children.children_user + children.children_system

    shell(tmp_path, "--help")  # and store what has been compiled
    before = used()
    shell(tmp_path, "--help")
    assert used() - before < 0.5


@pytest.mark.parametrize("arguments", [("--help",), ("db", "--help")])
def test_help_in_a_pipe_is_plain_text(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert b"\x1b" not in shell(tmp_path, *arguments).stdout
