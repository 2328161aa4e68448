"""`db`, `rebuild`, `query`, `schema`, `config`, `version`: each does its work and says what it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import catalog
from builders import ran
from catalog.store import log, maintenance, migrate
from catalog.store.engine import Database
from catalog.store.tables import dataset

EVENTS = b"\n".join(event for at in (0, 10) for event in ran("etl", at).reading("raw").writing("clean"))


@pytest.fixture
def filled(run: Any, database_url: str) -> str:
    run("ingest", "-", "--database", database_url, given=EVENTS)
    return database_url


def graph(url: str) -> str:
    database = Database(url)
    with database.read() as connection:
        digest = maintenance.dump_digest(connection)
    database.close()
    return digest


def test_an_upgrade_brings_an_empty_database_to_this_version(run: Any, empty_url: str) -> None:
    assert run("db", "current", "--database", empty_url, "--json").json["now"] is None
    said = run("db", "upgrade", "--database", empty_url, "--json").json
    assert (said["before"], said["now"]) == (None, migrate.head())
    assert run("db", "upgrade", "--database", empty_url, "--json").json["before"] == migrate.head()


def test_asking_for_the_version_makes_no_file(run: Any, tmp_path: Path) -> None:
    assert run("db", "current", "--database", "sqlite:///new.db", "--json").json["now"] is None
    assert list(tmp_path.iterdir()) == []


def test_a_copy_on_the_other_file_is_equal(run: Any, filled: str, tmp_path: Path) -> None:
    said = run("db", "copy", "--to", f"sqlite:///{tmp_path}/copy.db", "--database", filled, "--json").json
    assert said["rows"] > 10
    assert graph(f"sqlite:///{tmp_path}/copy.db") == graph(filled)
    again = run("db", "copy", "--to", f"sqlite:///{tmp_path}/copy.db", "--database", filled, code=1)
    assert "error: There are rows in" in again.err


def test_a_backup_is_a_catalog_of_its_own(run: Any, sqlite_url: str, tmp_path: Path) -> None:
    run("ingest", "-", "--database", sqlite_url, given=EVENTS)
    assert run("db", "backup", "b.db", "--database", sqlite_url, "--json").json["bytes"] > 0
    assert graph(f"sqlite:///{tmp_path}/b.db") == graph(sqlite_url)
    assert "There is a file" in run("db", "backup", "b.db", "--database", sqlite_url, code=1).err


def test_a_password_is_not_shown(run: Any, postgres_url: str) -> None:
    with_password = postgres_url.replace("postgres@", "postgres:hunter2@")
    said = run("db", "current", "--database", with_password)
    assert "hunter2" not in said.out + said.err
    assert "***" in said.out


def test_rebuilding_mends_the_graph(run: Any, filled: str) -> None:
    before = graph(filled)
    database = Database(filled)
    with database.write() as connection:
        connection.execute(dataset.delete())
    database.close()
    assert run("rebuild", "--database", filled, "--json").json == {"projected": 4, "failed": []}
    assert graph(filled) == before


def test_rebuilding_only_what_failed_leaves_the_rest_and_lists_what_fails(run: Any, filled: str) -> None:
    database = Database(filled)
    with database.write() as connection:
        log.fail(connection, 2, "an old reason")
    database.close()
    before = graph(filled)
    assert run("rebuild", "--failed-only", "--database", filled, "--json").json == {"projected": 1, "failed": []}
    assert graph(filled) == before


def test_a_query_is_answered_from_the_database(run: Any, filled: str, tmp_path: Path) -> None:
    (tmp_path / "q.graphql").write_text("query ($n: Int!) { datasets(first: $n) { edges { node { name } } } }")
    said = run("query", "q.graphql", "--variables", '{"n": 1}', "--database", filled)
    assert said.json == {"data": {"datasets": {"edges": [{"node": {"name": "clean"}}]}}}


def test_a_query_with_errors_is_printed_and_fails(run: Any, filled: str) -> None:
    said = run("query", "-", "--database", filled, given=b"{ nope }", code=1)
    assert "nope" in said.json["errors"][0]["message"]
    assert said.err.startswith("error: ")


def test_limits_of_queries_come_from_the_settings(run: Any, filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_GRAPHQL_MAX_TOKENS", "5")
    said = run("query", "-", "--database", filled, given=b"{ datasets { edges { node { name } } } }", code=1)
    assert "CATALOG_GRAPHQL_MAX_TOKENS" in said.err


@pytest.mark.parametrize("variables", ["nope", "[1]"])
def test_variables_that_are_no_object_are_wrong_usage(run: Any, variables: str) -> None:
    assert "--variables" in run("query", "-", "--variables", variables, given=b"{ a }", code=2).err


@pytest.mark.parametrize("content", [None, b"\xff\xfe{"])
def test_a_query_that_cannot_be_read_is_an_error(run: Any, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "q").write_bytes(content)
    assert run("query", "q", code=1).err.startswith("error: q ")


def test_the_schema_is_printed_as_graphql(run: Any) -> None:
    assert "type Query {" in run("schema").out


def test_the_version_is_that_of_the_package(run: Any) -> None:
    assert run("version").out == f"{catalog.__version__}\n"
    assert run("version", "--json").json["version"] == catalog.__version__


def test_the_settings_are_shown_as_they_are_here(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_PORT", "9001")
    monkeypatch.setenv("CATALOG_DATABASE_URL", "postgresql://me:hunter2@db/catalog")
    said = run("config", "show")
    assert ["CATALOG_PORT", "9001", "8180"] in [row[:3] for row in said.rows]
    assert ["CATALOG_DATABASE_URL", "postgresql://me:***@db/catalog"] in [row[:2] for row in said.rows]
    assert "hunter2" not in said.out
    assert {"name", "key", "value", "default", "origin", "about"} == set(run("config", "show", "--json").json[0])


def test_a_setting_that_does_not_exist_is_an_error(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_PROT", "9001")
    assert "CATALOG_PROT: there is no such setting" in run("rebuild", code=1).err


def test_the_database_comes_from_the_environment_unless_it_is_named(
    run: Any, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATALOG_DATABASE_URL", filled)
    assert run("rebuild", "--json").json["projected"] == 4
    assert "nowhere.db" in run("rebuild", "--database", "sqlite:///nowhere.db", code=1).err


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("catalog.db", "fix: For a file, write sqlite:///catalog.db."),
        ("mysql://localhost/x", "error: No catalog can live in 'mysql'."),
        ("sqlite:///no/such/folder/x.db", "error: There is no folder no/such/folder."),
    ],
)
def test_a_url_that_names_no_database_is_an_error_that_says_what_to_write(run: Any, url: str, said: str) -> None:
    assert said in run("ingest", "-", "--database", url, given=b"{}", code=1).err
