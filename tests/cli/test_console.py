"""Talk and data are kept apart, bars are for people, and no text commands a terminal."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.cli import console
from catalog.cli.console import Bar, complain, shown_time, tell_table
from catalog.domain.errors import BadRequest, NotAnEvent
from catalog.domain.names import visible
from catalog.domain.timeline import BEGINNING, FOREVER


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def terminal() -> Iterator[Terminal]:
    # Not a fixture: pytest takes the streams back between setting up a test and calling it.
    screen = Terminal()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(screen), redirect_stderr(screen):
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", "60")
        yield screen


def test_an_error_says_what_where_and_how_to_fix_it(capsys: pytest.CaptureFixture[str]) -> None:
    complain(NotAnEvent("There is no time.", pointer="/eventTime", fix="Send one."))
    complain(BadRequest("No."))
    assert capsys.readouterr() == ("", "error: There is no time. (at /eventTime)\nfix: Send one.\nerror: No.\n")


def test_a_table_in_a_pipe_is_separated_by_tabs_and_nothing_breaks_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    tell_table(("a", "b"), [("x\ty", "z\n"), (None, 1)])
    assert capsys.readouterr().out == "a\tb\nx\\ty\tz\\n\n\t1\n"


def test_a_table_on_a_terminal_shows_all_of_a_long_text() -> None:
    with terminal() as screen:
        tell_table(("name",), [("x" * 100,), ("[red]no markup[/red]",)])
    assert screen.getvalue().count("x") == 100
    assert "[red]no markup[/red]" in screen.getvalue()


def test_what_is_copied_from_a_table_is_not_broken_on_a_narrow_terminal() -> None:
    with terminal() as screen:
        tell_table(("prefix", "a", "b"), [("4fQx81Lm", "x " * 60, "y" * 60)], whole=("prefix",))
    assert " 4fQx81Lm " in screen.getvalue()
    assert screen.getvalue().count("y") == 60


@given(st.text())
def test_visible_text_is_printable_and_unchanged_where_it_was(text: str) -> None:
    assert visible(text).isprintable()
    assert visible(text) == text or not text.isprintable()


@pytest.mark.parametrize(
    ("at", "text"),
    [(None, None), (0, "1970-01-01T00:00:00Z"), (1, "1970-01-01T00:00:00.000001Z"), (FOREVER, None), (BEGINNING, None)],
)
def test_times_are_shown_as_iso_8601_where_there_is_a_date(at: int | None, text: str | None) -> None:
    assert shown_time(at) == text


def work(bar: Bar, clock: list[float], seconds: float) -> None:
    with bar:
        for _ in range(10):
            clock[0] += seconds / 10
            bar.add(1)


@pytest.mark.parametrize(("seconds", "drawn"), [(0.5, False), (5, True)])
def test_a_bar_is_drawn_on_a_terminal_after_a_second(
    monkeypatch: pytest.MonkeyPatch, seconds: float, drawn: bool
) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    with terminal() as screen:
        work(Bar("working", 10), clock, seconds)
    assert ("working" in screen.getvalue()) == drawn


def test_no_bar_is_drawn_where_nobody_is_watching(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    work(Bar("working", 10), clock, 5)
    assert capsys.readouterr() == ("", "")


def test_a_bar_of_unknown_size_and_one_of_bytes_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    with terminal() as screen:
        work(Bar("unknown"), clock, 5)
        work(Bar("bytes", 10, in_bytes=True), clock, 5)
    assert "unknown" in screen.getvalue()
    assert "bytes" in screen.getvalue()


def test_errors_of_the_catalog_never_become_tracebacks(run: Any) -> None:
    said = run("db", "current", "--database", "mysql://x/y", code=1)
    assert "Traceback" not in said.err
    assert said.out == ""


def test_a_log_record_is_one_line_without_a_traceback() -> None:
    try:
        int("no number")
    except ValueError:
        record = logging.LogRecord("catalog", logging.ERROR, "", 1, "an event\n\x1b[2J failed", (), sys.exc_info())
    assert console._Lines("%(levelname)s: %(message)s").format(record) == "ERROR: an event\\n\\x1b[2J failed"
