from __future__ import annotations

import re
import socket
import tomllib
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from builders import ran
from catalog.cli import doctor, floors
from catalog.domain.callers import Caller, Role
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database
from catalog.store.tables import log_entry

ROOT = Path(__file__).parents[2]
Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil has it


@pytest.fixture
def url(database_url: str) -> str:
    """A catalog with a few events in it."""
    database = Database(database_url)
    Ingest(database).accept([Received(raw, "test") for raw in ran("j").reading("a").writing("b")])
    database.close()
    return database_url


def examined(run: Any, url: str, code: int = 0) -> dict[str, Any]:
    return {found["check"]: found for found in run("doctor", "--database", url, "--json", code=code).json}


def change(url: str, statement: Any) -> None:
    database = Database(url)
    with database.write() as connection:
        connection.execute(statement)
    database.close()


def test_a_catalog_in_order_has_nothing_but_ok(run: Any, url: str, engine_name: str):
    found = examined(run, url)
    assert {name for name, one in found.items() if one["state"] != "ok"} == set()
    assert {"python", "libraries", "database", "durability", "migrations", "log", "graph", "clock", "keys"} <= set(
        found
    )
    assert ("disk" in found, "integrity" in found) == (engine_name == "sqlite",) * 2
    assert found["log"]["says"] == "2 entries"


def test_the_table_says_the_same(run: Any, url: str):
    said = run("doctor", "--database", url)
    assert [row[1] for row in said.rows] == ["ok"] * len(said.rows)
    assert said.err == f"{len(said.rows)} checks: 0 problem(s), 0 warning(s)\n"


def test_no_password_is_shown(run: Any):
    said = run("doctor", "--database", "postgresql://somebody:hunter2@127.0.0.1:1/catalog", code=1)
    assert "hunter2" not in said.out + said.err
    assert examined(run, "postgresql://somebody@127.0.0.1:1/catalog", 1)["database"]["state"] == "problem"


def test_a_database_without_tables_is_a_problem_with_the_command_that_helps(run: Any, empty_url: str, engine_name: str):
    if engine_name == "sqlite":
        change(empty_url, text("CREATE TABLE other (x INTEGER)"))
    found = examined(run, empty_url, 1)["migrations"]
    assert (found["state"], found["fix"]) == ("problem", "Run `catalog db upgrade`.")


def test_a_file_that_is_not_there_yet_is_a_warning_and_not_made(run: Any, tmp_path: Path):
    found = examined(run, f"sqlite:///{tmp_path}/new.db")["database"]
    assert (found["state"], (tmp_path / "new.db").exists()) == ("warning", False)


def test_a_file_that_is_no_database_is_a_problem(run: Any, tmp_path: Path):
    (tmp_path / "x.db").write_text("hello" * 1000)
    found = examined(run, f"sqlite:///{tmp_path}/x.db", 1)["database"]
    assert (found["state"], "not a database" in found["says"]) == ("problem", True)


def test_an_entry_that_is_gone_is_a_problem(run: Any, url: str):
    change(url, delete(log_entry).where(log_entry.c.seq == 0))
    found = examined(run, url, 1)["log"]
    assert (found["state"], found["says"]) == ("problem", "the head says 2, there are 1, the last is 1")


def test_what_waits_for_somebody_is_a_warning_with_the_command_for_it(run: Any, url: str):
    database = Database(url)
    theirs = ran(("theirs", "j")).event("COMPLETE", 0)
    team = Caller("team", Role.INGESTOR, ("ours",))
    Ingest(database).accept([Received(b"{", "test"), Received(theirs, "test", team)])
    database.close()
    change(url, update(log_entry).where(log_entry.c.seq == 1).values(failure="x"))
    found = examined(run, url)
    assert {name for name, one in found.items() if one["state"] == "warning"} == {"graph", "quarantine"}
    assert "catalog rebuild --failed-only" in found["graph"]["fix"]
    assert found["quarantine"]["says"] == "refused: 1 forbidden, 1 parse"
    assert "catalog quarantine list" in found["quarantine"]["fix"]


def test_a_log_from_the_future_is_a_problem_of_the_clock(run: Any, url: str):
    change(url, update(log_entry).values(received_at=log_entry.c.received_at + 60_000_000))
    assert examined(run, url, 1)["clock"]["state"] == "problem"


def test_a_postgresql_that_does_not_wait_for_its_disk_is_a_problem_unless_that_is_allowed(
    run: Any, postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    lose(postgres_url)
    found = examined(run, postgres_url, 1)["durability"]
    assert found["says"].startswith("synchronous_commit = off: what was acknowledged")
    monkeypatch.setenv("CATALOG_DATABASE_UNSAFE", "true")
    assert examined(run, postgres_url)["durability"]["state"] == "warning"


def lose(url: str) -> None:
    """From now on, sessions of this database do not wait for the disk."""
    name = Database(url).url.database
    change(url, text(f"ALTER DATABASE {name} SET synchronous_commit = off"))


def test_a_damaged_file_is_a_problem(run: Any, sqlite_url: str):
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    database = Database(sqlite_url)
    Ingest(database).accept([Received(raw, "test") for n in range(50) for raw in ran(f"j{n}").writing(f"d{n}")])
    database.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\x0d" + b"\xff" * 4095)
    states = {one["check"]: one["state"] for one in run("doctor", "--database", sqlite_url, "--json", code=1).json}
    assert "problem" in {states.get("integrity"), states["database"]}


@pytest.mark.parametrize(("free", "state"), [(50 << 20, "problem"), (500 << 20, "warning")])
def test_little_room_on_the_disk_is_said(
    run: Any, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, free: int, state: str
):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: Usage(1 << 40, 0, free))
    assert examined(run, sqlite_url, int(state == "problem"))["disk"]["state"] == state


def test_to_listen_for_others_without_a_key_is_a_problem(run: Any, sqlite_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CATALOG_HOST", "0.0.0.0")  # noqa: S104 - not listened on
    assert examined(run, sqlite_url, 1)["keys"]["state"] == "problem"


def test_an_address_in_use_is_said(run: Any, sqlite_url: str, monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("CATALOG_PORT", str(other.getsockname()[1]))
        assert "in use" in examined(run, sqlite_url)["address"]["says"]


def test_an_old_library_is_a_problem_with_what_it_lets_happen(
    run: Any, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
):
    old = floors.Floor("starlette", "99.1", "the reason")
    monkeypatch.setattr(floors, "FLOORS", (old,))
    found = examined(run, sqlite_url, 1)["library starlette"]
    assert found["says"].endswith(": the reason")
    assert found["fix"] == "pip install 'starlette>=99.1'"


def test_no_library_is_older_than_its_floor_here_nor_allowed_to_be():
    assert [library for library in floors.libraries() if library.is_old or not library.found] == []
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    least = dict(re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", line).groups() for line in wanted)  # type: ignore[union-attr]  # every line is so
    asked = {floor.name: floor.least for floor in floors.FLOORS if floor.name in least}
    assert [name for name, floor in asked.items() if floors.numbers(least[name]) < floors.numbers(floor)] == []
    assert len(asked) >= 3


@pytest.mark.parametrize(
    ("old", "new"), [("1.9", "1.10"), ("0.315", "0.315.7"), ("2.0rc1", "2.1"), ("1.0+x9", "1.0.1")]
)
def test_versions_are_compared_by_their_numbers(old: str, new: str):
    assert floors.numbers(old) < floors.numbers(new)
