"""`catalog serve`: what it says once it answers."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import pytest

from catalog import app
from catalog.settings import Settings

HIDDEN = "postgresql://me:hunter2@127.0.0.1:1/catalog"


@pytest.fixture
def started_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a server be started at a URL, without one."""

    def serve(url: str, _settings: Settings, started: Any, *_: object, **__: object) -> None:
        started(url)

    return lambda url: monkeypatch.setattr(app, "serve", partial(serve, url))


@pytest.mark.parametrize(
    ("listens", "reached"),
    [
        ("http://0.0.0.0:8180", "http://127.0.0.1:8180"),
        ("http://[::]:8180", "http://[::1]:8180"),
        ("http://10.0.0.0:8180", "http://10.0.0.0:8180"),
        ("http://[2001:db8::]:8180", "http://[2001:db8::]:8180"),
    ],
)
def test_advice_names_an_address_that_can_be_connected_to(run: Any, started_at: Any, listens: str, reached: str):
    started_at(listens)
    said = run("serve").err
    assert f" at {listens}\n" in said
    assert f"OPENLINEAGE_URL={reached} dbt-ol run" in said
    assert f"open {reached}/graphql" in said


@pytest.mark.parametrize("form", ["text", "json"])
def test_it_says_where_the_data_is_and_who_has_access_and_no_password(
    run: Any, started_at: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, form: str
):
    monkeypatch.setenv("CATALOG_LOG_FORMAT", form)
    monkeypatch.setenv("CATALOG_DATABASE_URL", HIDDEN)
    monkeypatch.setattr("catalog.cli.serve.begin", lambda _: None)
    started_at("http://127.0.0.1:8180")
    with caplog.at_level(logging.INFO, "catalog.serve"):
        said = run("serve").err
    if form == "json":
        [record] = caplog.records
        said = str(vars(record)["fields"])
    assert "postgresql://me:***@127.0.0.1:1/catalog" in said
    assert "not known while the database is away" in said
