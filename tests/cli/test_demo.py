"""`catalog demo` loads a story once, and says what to ask it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from builders import ran
from catalog.cli import demo
from catalog.cli.demo import TO_TRY
from catalog.demo import events

Run = Callable[..., Any]


def test_it_says_what_was_loaded_and_the_second_time_that_it_is_there(run: Run) -> None:
    told = len(list(events()))
    first, second = run("demo", "--json").json, run("demo", "--json").json

    assert (first["events_loaded"], first["already_there"]) == (told, 0)
    assert (second["events_loaded"], second["already_there"]) == (0, told)
    assert (first["datasets"], first["jobs"]) == (second["datasets"], second["jobs"])
    assert first["seconds"] > 0


def test_each_of_the_three_things_to_try_is_answered(run: Run) -> None:
    suggested = run("demo").err
    answers = []
    for question, commands in TO_TRY:
        assert question in suggested
        for command in commands:
            assert " ".join(command[:3]) in suggested
            answers.append(run(*command, given=b'{ datasets(filter: {tag: "pii"}) { totalCount } }').out)
    personal, before, after, impact = answers

    assert json.loads(personal)["data"]["datasets"]["totalCount"] > 0
    assert "lending.features.applicant " in before
    assert "lending.features.applicant_v2 " in after
    assert "corep/submissions" in impact


def test_what_else_is_in_the_catalog_stays(run: Run) -> None:
    given = b"\n".join(ran("etl").reading("raw").writing("clean"))
    run("ingest", "-", given=given)
    before = run("lineage", "dataset", "shop", "clean").out
    run("demo", "--yes")

    assert run("lineage", "dataset", "shop", "clean").out == before


def test_a_log_with_other_events_is_not_added_to_unasked(run: Run) -> None:
    run("ingest", "-", given=b"\n".join(ran("etl").writing("clean")))
    refused = run("demo", code=1).err

    assert "stays for good" in refused
    assert "--yes" in refused
    assert run("demo", "--yes", "--json").json["already_there"] == 0
    assert run("demo", "--json").json["events_loaded"] == 0


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_on_a_terminal_it_asks(answer: str, code: int, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("ingest", "-", given=b"\n".join(ran("etl").writing("clean")))
    monkeypatch.setattr(demo, "_is_asking", lambda: True)

    said = run("demo", given=answer.encode(), code=code)

    assert "Add the demo to it?" in said.err
    assert ("events loaded" in said.out) is (code == 0)


@pytest.mark.parametrize("option", ["--host=127.0.0.1", "--port=0"])
def test_where_to_listen_is_nothing_without_a_server(option: str, run: Run) -> None:
    assert "go with --serve" in run("demo", option, code=2).err


def test_another_database_is_named_in_the_suggestions_too(run: Run) -> None:
    said = run("demo", "--database", "sqlite:///other.db").err

    assert said.count("--database sqlite:///other.db") == sum(len(commands) for _, commands in TO_TRY)
