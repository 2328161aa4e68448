from __future__ import annotations

import json
from typing import Any

import pytest

from builders import ran
from catalog.cli.keys import _moment
from catalog.domain import keys as spelling
from catalog.domain.callers import Caller, Role
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database

Run = Any


def test_the_key_alone_is_on_standard_output_and_is_shown_this_once(run: Run, database_url: str) -> None:
    made = run("keys", "create", "--role", "reader", "--database", database_url)
    secret = made.out.removesuffix("\n")
    assert spelling.is_key(secret)
    assert secret not in made.err
    assert "It is the first key" in made.err
    listed = run("keys", "list", "--database", database_url)
    assert secret not in listed.out + listed.err
    assert spelling.prefix(secret) in listed.out
    again = run("keys", "create", "--role", "READER", "--database", database_url)
    assert "first key" not in again.err


def test_a_key_may_be_made_before_there_is_a_catalog(run: Run) -> None:
    assert spelling.is_key(run("keys", "create", "--role", "admin").out.strip())
    assert [row[2] for row in run("keys", "list").rows] == ["admin"]


def test_what_a_key_is_for_is_in_the_list(run: Run, database_url: str) -> None:
    told = ("--namespace", "s3://lake*", "--namespace", "n", "--name", "nightly", "--expires", "2999-01-01")
    made = run("keys", "create", "--role", "ingestor", *told, "--json", "--database", database_url).json
    (row,) = run("keys", "list", "--database", database_url).rows
    assert row[:4] == [made["prefix"], "nightly", "ingestor", "s3://lake*, n"]
    assert row[5:] == ["2999-01-01T00:00:00Z", "", "usable"]
    (listed,) = run("keys", "list", "--json", "--database", database_url).json
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert listed["createdBy"] == "local"


@pytest.mark.parametrize(("text", "days"), [("90d", 90), ("48h", 2), ("2w", 14)])
def test_an_end_may_be_so_far_from_now(run: Run, database_url: str, text: str, days: int) -> None:
    assert _moment(text, 1_000) == 1_000 + days * 86_400_000_000
    run("keys", "create", "--role", "reader", "--expires", text, "--database", database_url)
    assert run("keys", "list", "--database", database_url).rows[0][7] == "usable"


def test_what_can_be_no_key_is_an_error_that_says_why(run: Run, database_url: str) -> None:
    def refused(*told: str, code: int) -> str:
        return str(run("keys", "create", *told, "--database", database_url, code=code).err)

    assert "only what an ingestor writes" in refused("--role", "reader", "--namespace", "n", code=1)
    assert "expired already" in refused("--role", "reader", "--expires", "2001-01-01", code=1)
    assert "is no time" in refused("--role", "reader", "--expires", "soon", code=2)
    for late in ("999999w", "9999-12-31T23:59:59-01:00"):
        assert "is outside of the years 1 to 9999" in " ".join(
            refused("--role", "reader", "--expires", late, code=2).split()
        )
    assert "--role" in refused(code=2)
    assert run("keys", "list", "--database", database_url).rows == []


@pytest.mark.parametrize("length", [8, 12, 40])
def test_a_key_is_revoked_by_how_it_begins(run: Run, database_url: str, length: int) -> None:
    secret = run("keys", "create", "--role", "reader", "--database", database_url).out.strip()
    named = secret[:length] if length > 8 else spelling.prefix(secret)
    revoked = run("keys", "revoke", named, "--json", "--database", database_url)
    assert (revoked.json["state"], revoked.json["revokedBy"]) == ("revoked", "local")
    assert "No key is left" in revoked.err
    assert run("keys", "list", "--database", database_url).rows[0][7] == "revoked"


def test_a_key_that_is_not_there_cannot_be_revoked(run: Run, database_url: str) -> None:
    assert "catalog keys list" in run("keys", "revoke", "nothing", "--database", database_url, code=1).err


def test_what_a_key_may_not_write_the_operator_can_take_in(run: Run, database_url: str) -> None:
    raw = ran(("theirs", "j")).event("COMPLETE", 0)
    database = Database(database_url)
    team = Caller("team", Role.INGESTOR, ("ours",))
    Ingest(database).accept([Received(raw, "http", team)])
    database.close()
    (row,) = run("quarantine", "list", "--database", database_url).rows
    assert row[4:6] == ["forbidden", "/job/namespace"]
    run("quarantine", "retry", row[0], "--database", database_url)
    assert run("quarantine", "list", "--database", database_url).rows == []
    asked = run("query", "-", "--database", database_url, given=b"{ events { nodes { principal } } }")
    assert json.loads(asked.out)["data"]["events"]["nodes"] == [{"principal": "team"}]


def test_events_from_files_are_those_of_the_command_line(run: Run, database_url: str) -> None:
    run("ingest", "-", "--database", database_url, given=ran("j").event("COMPLETE", 0))
    asked = run("query", "-", "--database", database_url, given=b"{ events { nodes { principal } } }")
    assert json.loads(asked.out)["data"]["events"]["nodes"] == [{"principal": "local"}]


@pytest.mark.parametrize("variable", ["CATALOG_API_KEY", "OPENLINEAGE_API_KEY"])
def test_the_key_for_a_server_comes_from_the_environment(
    run: Run, server: Any, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "from-the-environment")
    server.says(200, {"data": {}})
    run("query", "-", "--url", server.url, given=b"{ viewer { name } }")
    run("query", "-", "--url", server.url, "--api-key", "given", given=b"{ viewer { name } }")
    sent = [headers["Authorization"] for _, headers, _ in server.requests]
    assert sent == ["Bearer from-the-environment", "Bearer given"]


def test_one_event_that_a_key_may_not_send_does_not_stop_the_others(run: Run, server: Any) -> None:
    problem = {
        "detail": "Not yours.",
        "pointer": "/job/namespace",
        "fix": "Ask.",
        "receipt": "r-1",
        "code": "forbidden",
    }
    server.says(403, problem)
    told = run("ingest", "-", "--url", server.url, given=ran("j").event("COMPLETE", 0), code=3)
    assert "Not yours. [r-1]" in told.err


def test_a_key_that_may_not_send_at_all_stops_it(run: Run, server: Any) -> None:
    server.says(
        403, {"detail": "r has the role reader.", "fix": "Use a key of the role ingestor.", "code": "forbidden"}
    )
    told = run("ingest", "-", "--url", server.url, given=ran("j").event("COMPLETE", 0), code=1)
    assert "fix: Use a key of the role ingestor." in told.err
