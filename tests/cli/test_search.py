"""`catalog search` finds by words, in a table or as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from builders import columns, ran

EVENTS = [
    *ran("load orders").reading("landing").writing("raw.orders", schema=columns(order_id="int", email="text")),
    *ran("old", 3).writing("archive"),
]


@pytest.fixture
def ask(run: Any, database_url: str) -> Any:
    run("ingest", "-", "--database", database_url, given=b"\n".join(EVENTS))
    return lambda *arguments, **more: run("search", *arguments, "--database", database_url, **more)


def test_a_pipe_gets_rows_separated_by_tabs(ask: Any) -> None:
    assert ask("orders").rows == [
        ["dataset", "shop", "raw.orders", "", "name"],
        ["job", "shop", "load orders", "", "name"],
    ]
    assert ask("raw", "email").rows == [["dataset", "shop", "raw.orders", "email", "name; column"]]


def test_json_has_what_was_matched(ask: Any) -> None:
    (hit,) = ask("email", "--kind", "column", "--json").json
    assert (hit["kind"], hit["name"], hit["column"]) == ("COLUMN", "raw.orders", "email")
    assert hit["matched"] == [{"field": "column", "text": "email"}]


def test_nothing_found_is_a_table_without_rows(ask: Any) -> None:
    assert ask("zebra").rows == []
    assert ask("zebra", "--json").json == []


def test_that_there_is_more_is_said(ask: Any) -> None:
    said = ask("orders", "--first", 1)
    assert len(said.rows) == 1
    assert "more" in said.err


def test_an_empty_text_is_an_error_in_one_sentence(ask: Any) -> None:
    assert "nothing to look for" in ask(" ", code=1).err
