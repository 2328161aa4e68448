"""Files go into a database, and whoever sent them is told what became of every event."""

from __future__ import annotations

import gzip
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from builders import ran
from catalog.cli import ingest, senders
from catalog.domain.errors import Unavailable
from catalog.ingest.accept import Ingest
from catalog.store import log
from catalog.store.engine import Database

START, END = ran("etl").reading("raw").writing("clean")


def counts(accepted: int = 0, duplicates: int = 0, quarantined: int = 0, warnings: int = 0) -> list[list[str]]:
    named = {"accepted": accepted, "duplicates": duplicates, "quarantined": quarantined, "warnings": warnings}
    return [[name, str(count)] for name, count in named.items()]


def entries(url: str) -> int:
    database = Database(url)
    with database.read() as connection:
        found = log.size(connection)
    database.close()
    return found


def test_files_folders_and_gzip_go_into_the_log_once(run: Any, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "a.json").write_bytes(START)
    (tmp_path / "events" / "b.ndjson.gz").write_bytes(gzip.compress(START + b"\n" + END))
    assert run("ingest", "events", "--database", database_url).rows == counts(accepted=2, duplicates=1)
    assert run("ingest", "events", "--database", database_url).rows == counts(duplicates=3)
    assert entries(database_url) == 2


def test_standard_input_is_a_file_too(run: Any, database_url: str) -> None:
    assert run("ingest", "-", "--database", database_url, given=START).rows == counts(accepted=1)


def test_what_is_no_event_is_named_with_its_place_and_reason_and_the_rest_is_taken(
    run: Any, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "e.ndjson").write_bytes(START + b'\n{"a": nope}\n\n' + END + b'\n{"eventTime": "now", "job": 1}\n')
    said = run("ingest", "e.ndjson", "--database", database_url, code=3)
    assert said.rows == counts(accepted=2, quarantined=2)
    assert "e.ndjson:2: " in said.err
    assert "e.ndjson:5 at /job" in said.err
    assert "fix: " in said.err


def test_json_has_the_counts_and_every_refusal(run: Any, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "e.json").write_bytes(b"[\n" + START + b",\n{}\n]")
    said = run("ingest", "e.json", "--database", database_url, "--json", code=3).json
    assert (said["accepted"], said["duplicates"], said["quarantined"], said["warnings"]) == (1, 0, 1, 0)
    (refused,) = said["refused"]
    assert (refused["file"], refused["line"]) == ("e.json", 3)
    assert refused["reason"]
    assert run("quarantine", "show", refused["receipt"], "--database", database_url, "--json").json["begins"] == "{}"


def test_what_was_tolerated_is_told_once_of_a_kind(run: Any, database_url: str, tmp_path: Path) -> None:
    lenient = [START.replace(b"2026-01-01T00:00:00Z", b"2026-01-0%dT00:00:00" % day) for day in (1, 2, 3)]
    (tmp_path / "e.ndjson").write_bytes(b"\n".join(lenient))
    said = run("ingest", "e.ndjson", "--database", database_url)
    assert said.rows == counts(accepted=3, warnings=3)
    assert "3 times, first" in said.err
    assert "e.ndjson:1 at /eventTime" in said.err
    assert said.err.count("warning: ") == 1


def test_a_file_that_is_not_there_is_an_error_and_nothing_is_taken(run: Any, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "e.json").write_bytes(START)
    said = run("ingest", "e.json", "nowhere.json", "--database", database_url, code=1)
    assert said.err.startswith("error: There is no file or folder nowhere.json.\nfix: ")
    assert said.out == ""


def test_what_came_before_the_damage_in_a_file_is_taken(run: Any, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "e.json").write_bytes(b"[" + START + b"," + END + b",")
    said = run("ingest", "e.json", "--database", database_url, code=1)
    assert said.rows == counts(accepted=2)
    assert "error: e.json cannot be read to its end" in said.err


def test_a_new_sqlite_file_is_made_into_a_catalog(run: Any, tmp_path: Path) -> None:
    run("ingest", "-", given=START)
    assert (tmp_path / "catalog.db").exists()
    assert run("db", "current", "--json").json["now"] == run("db", "current", "--json").json["needed"]


def test_a_postgres_database_without_a_catalog_is_left_alone(run: Any, new_postgres_url: Any) -> None:
    with new_postgres_url(migrated=False) as url:
        assert "catalog db upgrade" in run("ingest", "-", "--database", url, given=START, code=1).err
        assert run("db", "current", "--database", url, "--json").json["now"] is None


def test_batches_are_bounded_by_events_and_by_bytes(
    run: Any, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    accept = Ingest.accept

    def counted(self: Ingest, batch: Any) -> Any:
        sizes.append(len(batch))
        return accept(self, batch)

    monkeypatch.setattr(Ingest, "accept", counted)
    events = [event for minute in range(10) for event in ran("etl", minute)]
    (tmp_path / "e.ndjson").write_bytes(b"\n".join(events))
    monkeypatch.setattr(ingest, "BATCH_EVENTS", 8)
    run("ingest", "e.ndjson", "--database", database_url)
    monkeypatch.setattr(ingest, "BATCH_BYTES", 3 * len(events[0]))
    run("ingest", "e.ndjson", "--database", database_url)
    assert sizes[:3] == [8, 8, 4]
    assert set(sizes[3:-1]) <= {2, 3}
    assert sum(sizes) == 40


def test_an_event_over_the_limit_is_kept_in_part_and_the_others_are_taken(
    run: Any, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATALOG_INGEST_MAX_BODY_BYTES", "2000")
    (tmp_path / "e.ndjson").write_bytes(START + b'\n{"a": "' + b"x" * 5_000_000 + b'"}\n' + END)
    said = run("ingest", "e.ndjson", "--database", database_url, "--json", code=3).json
    assert (said["accepted"], said["quarantined"]) == (2, 1)
    (refused,) = said["refused"]
    assert refused["line"] == 2
    shown = run("quarantine", "show", refused["receipt"], "--database", database_url, "--json").json
    assert shown["truncated"]
    assert shown["bytes"] >= 5_000_009
    assert run("quarantine", "retry", refused["receipt"], "--database", database_url, code=3).rows[0][2]


def test_a_database_that_is_busy_is_asked_again(run: Any, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "_WAIT_SECONDS", 0)
    accept, tries = Ingest.accept, []

    def busy(self: Ingest, batch: Any) -> Any:
        tries.append(len(batch))
        if len(tries) < 3:
            raise Unavailable("The database is locked.")
        return accept(self, batch)

    monkeypatch.setattr(Ingest, "accept", busy)
    said = run("ingest", "-", "--database", database_url, given=START)
    assert said.rows == counts(accepted=1)
    assert said.err.count("The database is locked.") == 2


def test_two_places_to_bring_events_to_are_wrong_usage(run: Any) -> None:
    assert "name one" in run("ingest", "-", "--database", "sqlite:///x.db", "--url", "http://x", code=2).err


def test_names_in_files_cannot_command_the_terminal(run: Any, database_url: str, tmp_path: Path) -> None:
    name = "evil\x1b[2J.json"
    (tmp_path / name).write_bytes(b"{}")
    said = run("ingest", name, "--database", database_url, code=3)
    assert "\x1b" not in said.err
    assert "evil\\x1b[2J.json:1" in said.err


def test_two_that_begin_the_same_new_file_at_once_both_bring_their_events(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    command = [sys.executable, "-m", "catalog", "ingest", "-", "--database", url]
    given = [b"".join(event + b"\n" for event in ran("etl", at).writing("clean")) for at in (0, 10, 20)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in given]  # noqa: S603 - our own program
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda process, events: process.communicate(events), started, given))
    assert [process.returncode for process in started] == [0, 0, 0]
    assert entries(url) == 6
