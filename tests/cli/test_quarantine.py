"""What is no event can be listed, looked at, taken out and tried again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from builders import ran
from catalog.store.engine import Database
from catalog.store.tables import quarantine

START, _ = ran("etl")
BAD = [b'{"a": nope}', b'{"b": [1', b"\x1b[2J\xff"]


@pytest.fixture
def ask(run: Any, database_url: str, tmp_path: Path) -> Any:
    for number, raw in enumerate(BAD):
        (tmp_path / f"{number}.json").write_bytes(raw)
    run("ingest", "0.json", "1.json", "2.json", "--database", database_url, code=3)
    return lambda *arguments, **more: run("quarantine", *arguments, "--database", database_url, **more)


def receipts(said: Any) -> list[str]:
    return [row[0] for row in said.rows]


def mend(url: str, good: bytes) -> None:
    """As if a newer release could read what was refused: one of the bodies is an event now."""
    database = Database(url)
    with database.write() as connection:
        (row, *_) = connection.execute(quarantine.select()).all()
        changed = quarantine.update().where(quarantine.c.id == row.id)
        connection.execute(changed.values(body=zstandard.compress(good)))
    database.close()


def test_the_list_has_each_with_its_reason(ask: Any) -> None:
    said = ask("list")
    assert len(said.rows) == 3
    assert all(row[0].startswith("r-") and row[6] for row in said.rows)
    listed = ask("list", "--json").json
    assert [row["receipt"] for row in listed] == receipts(said)
    assert {row["source"] for row in listed} == {"file"}


def test_one_is_shown_by_receipt_or_id_with_how_it_begins(ask: Any) -> None:
    by_bytes = {row["bytes"]: row for row in ask("list", "--json").json}
    row = by_bytes[len(BAD[0])]
    said = ask("show", row["receipt"])
    assert row["reason"] in said.out
    assert said.out.endswith('{"a": nope}\n')
    assert ask("show", row["id"], "--json").json["begins"] == '{"a": nope}'


def test_what_a_terminal_would_obey_is_written_out_and_raw_is_exact(ask: Any) -> None:
    row = next(row for row in ask("list", "--json").json if row["bytes"] == len(BAD[2]))
    assert ask("show", row["receipt"]).out.endswith("\\x1b[2J\\xff\n")


@pytest.mark.parametrize("named", ["r-" + "0" * 32, "7"])
def test_what_is_not_there_is_an_error(ask: Any, named: str) -> None:
    assert "not in quarantine" in ask("show", named, code=1).err


def test_what_is_no_receipt_is_an_error(ask: Any) -> None:
    assert "no receipt" in ask("show", "hello", code=1).err


def test_trying_again_what_is_no_event_still_is_refused_again_and_not_lost(ask: Any) -> None:
    said = ask("retry", "--all", code=3)
    assert len(said.rows) == 3
    assert all(refused for _, _, refused in said.rows)
    assert len(ask("list").rows) == 3


def test_what_is_accepted_at_last_leaves_the_list_and_is_in_the_log(ask: Any, run: Any, database_url: str) -> None:
    mend(database_url, START)
    said = ask("retry", "--all", "--json", code=3).json
    assert sorted(one["seq"] is None for one in said) == [False, True, True]
    assert len(ask("list").rows) == 2
    assert len(ask("list", "--all").rows) == 3
    assert run("ingest", "-", "--database", database_url, given=START).rows[1] == ["duplicates", "1"]


def test_trying_one_again_leaves_the_others(ask: Any) -> None:
    one, *_ = receipts(ask("list"))
    assert receipts(ask("retry", one, code=3)) == [one]


def test_trying_again_wants_to_know_what(ask: Any) -> None:
    assert "Name receipts, or say --all" in ask("retry", code=2).err


def test_the_export_has_every_body_byte_for_byte_and_what_is_known_of_it(ask: Any, tmp_path: Path) -> None:
    said = ask("export", "out/refused", "--json").json
    assert said == {"written": 3, "folder": "out/refused"}
    folder = tmp_path / "out" / "refused"
    described = [json.loads(line) for line in (folder / "quarantine.ndjson").read_bytes().splitlines()]
    assert sorted((folder / f"{one['receipt']}.raw").read_bytes() for one in described) == sorted(BAD)


def test_an_export_to_a_file_is_an_error(ask: Any, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    assert "cannot be written" in ask("export", "taken", code=1).err
