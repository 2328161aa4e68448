"""`catalog consume kafka`, as it is typed: what it prints, how it exits, and that it keeps secrets."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import catalog
from builders import ran
from catalog.store import log
from catalog.store.engine import Database
from mock_broker import TOPIC, Broker

START, END = ran("etl").reading("raw").writing("clean")


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    made = Broker()
    made.send([START, b"no event", None, END])
    return made


@pytest.fixture
def consume(broker: Broker, run: Any, database_url: str, request: pytest.FixtureRequest) -> Any:
    """Everything there is, in a group of this test alone."""
    group = request.node.name

    def call(*arguments: str, code: int = 0) -> Any:
        where = ["--bootstrap", broker.bootstrap, "--topic", TOPIC, "--database", database_url, "--group", group]
        return run("consume", "kafka", *where, "--until-end", *arguments, code=code)

    return call


def entries(url: str) -> int:
    with closing(Database(url)) as database, database.read() as connection:
        return log.size(connection)


def test_until_the_end_it_prints_what_ingest_prints_and_exits_alike(consume: Any, database_url: str) -> None:
    said = consume(code=3)
    assert said.rows == [["accepted", "2"], ["duplicates", "0"], ["quarantined", "2"], ["warnings", "0"]]
    assert f"{TOPIC}/1@0: Malformed JSON" in said.err
    assert f"{TOPIC}/2@0: The body is empty." in said.err
    assert entries(database_url) == 2


def test_json_names_the_partition_and_the_offset(consume: Any) -> None:
    said = consume("--json", code=3).json
    assert (said["accepted"], said["quarantined"]) == (2, 2)
    assert sorted((refused["file"], refused["line"]) for refused in said["refused"]) == [
        (f"{TOPIC}/1", 0),
        (f"{TOPIC}/2", 0),
    ]


def test_settings_come_from_a_file_and_the_command_line_wins(consume: Any, tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("# who we are\n\nsession.timeout.ms = x\nclient.id=lineage\n")
    assert "session.timeout.ms" in consume("--config-file", str(file), code=1).err
    consume("--config-file", str(file), "--config", "session.timeout.ms=6000", code=3)


def test_no_secret_is_printed(consume: Any, tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("sasl.password=hunter2\nhunter2\n")
    said = consume("--config-file", str(file), code=1)
    assert "number 2 is not KEY=VALUE" in said.err
    assert "hunter2" not in said.err + said.out
    said = consume("--config", "sasl.password=hunter2", "--config", "security.protocol=hunter2", code=1)
    assert "security.protocol" in said.err
    assert "hunter2" not in said.err + said.out


def test_a_file_of_settings_that_is_not_there_is_named(consume: Any) -> None:
    assert "nowhere.properties" in consume("--config-file", "nowhere.properties", code=1).err


def test_without_the_extra_it_says_what_to_install(consume: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("catalog.sources.kafka")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    assert "pip install 'lineage-catalog[kafka]'" in consume(code=1).err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_batch_and_within_eight_seconds(
    broker: Broker, sqlite_url: str, number: signal.Signals, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "catalog", "consume", "kafka", "--bootstrap", broker.bootstrap]
    command += ["--topic", TOPIC, "--database", sqlite_url, "--group", number.name]
    root = Path(catalog.__file__).parents[1]
    with (tmp_path / "out").open("w") as out:
        running = subprocess.Popen(command, cwd=root, stdout=out, stderr=subprocess.DEVNULL)  # noqa: S603 - our own command
    until = time.monotonic() + 30
    while entries_if_any(sqlite_url) < 2 and time.monotonic() < until:
        time.sleep(0.2)
    asked = time.monotonic()
    running.send_signal(number)
    assert running.wait(20) == 0
    assert time.monotonic() - asked < 8
    assert (tmp_path / "out").read_text().splitlines()[1:] == [
        "accepted\t2",
        "duplicates\t0",
        "quarantined\t2",
        "warnings\t0",
    ]


def entries_if_any(url: str) -> int:
    with closing(Database(url)) as database, database.write() as connection:
        log.create(connection)
        return log.size(connection)
