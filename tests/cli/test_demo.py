"""`catalog demo` loads a story once, and says what to ask it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from builders import ran
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
    run("demo")

    assert run("lineage", "dataset", "shop", "clean").out == before


def test_another_database_is_named_in_the_suggestions_too(run: Run) -> None:
    said = run("demo", "--database", "sqlite:///other.db").err

    assert said.count("--database sqlite:///other.db") == sum(len(commands) for _, commands in TO_TRY)
