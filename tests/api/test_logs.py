from __future__ import annotations

import errno
import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from catalog.api import logs
from catalog.api.logs import JsonLines, TextLines, Writer, configure
from catalog.api.requests import Current, _current


@pytest.fixture
def kept_as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("catalog")
    handlers, level, own = root.handlers[:], root.level, ours.level
    root.handlers[:] = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(own)


def record(message: str, *args: object, level: int = logging.INFO, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("catalog.x", level, "", 0, message, args, None)
    made.fields = fields
    return made


def test_a_line_of_json_has_the_fields_beside_what_was_said():
    line = json.loads(JsonLines().format(record("took %d", 7, level=logging.WARNING, route="/a", status=200)))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {"level": "warning", "logger": "catalog.x", "message": "took 7", "route": "/a", "status": 200}


def test_whatever_is_logged_while_a_request_is_answered_names_it():
    token = _current.set(Current("abc", "0af7651916cd43dd8448eb211c80319c"))
    try:
        line = json.loads(JsonLines().format(record("x")))
    finally:
        _current.reset(token)
    assert (line["request_id"], line["trace_id"]) == ("abc", "0af7651916cd43dd8448eb211c80319c")


def test_an_exception_stays_in_the_one_line():
    made = record("x")
    try:
        int("a\nb")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = JsonLines().format(made)
    assert "\n" not in line
    assert "Traceback (most recent call last):\n" in json.loads(line)["exception"]


def test_a_line_of_text_writes_out_what_a_terminal_would_obey():
    assert TextLines().format(record("a\x1b[31m\nb")).endswith(r"a\x1b[31m\nb")


@pytest.mark.usefixtures("kept_as_it_was")
@pytest.mark.parametrize(("form", "is_json"), [("json", True), ("auto", True), ("text", False)])
def test_off_a_terminal_the_log_is_json_unless_text_is_wanted(form: str, is_json: bool):
    stream = io.StringIO()
    configure("info", form, stream)
    logging.getLogger("catalog.x").info("said")
    logging.getLogger().handlers[0].close()
    assert stream.getvalue().startswith("{") == is_json
    assert "said" in stream.getvalue()


@pytest.mark.usefixtures("kept_as_it_was")
def test_libraries_speak_from_warnings_on_in_the_same_form():
    stream = io.StringIO()
    configure("debug", "json", stream)
    logging.getLogger("uvicorn.error").info("quiet")
    logging.getLogger("uvicorn.error").warning("loud")
    logging.getLogger("catalog.x").debug("ours")
    logging.getLogger().handlers[0].close()
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["loud", "ours"]


def test_a_log_that_nobody_reads_holds_up_nobody_and_says_later_what_is_missing():
    read, write = os.pipe()
    stream: TextIO = os.fdopen(write, "w")
    handler = Writer(stream, most=100)
    handler.setFormatter(JsonLines())
    for _ in range(3_000):
        handler.emit(record("x" * 1_000))
    seen: list[str] = []

    def drain() -> None:
        with os.fdopen(read) as reading:
            seen.extend(reading)

    reader = threading.Thread(target=drain)
    reader.start()
    handler.close()
    stream.close()
    reader.join()
    messages = [json.loads(line)["message"] for line in seen]
    told = [int(message.split()[0]) for message in messages if "nobody read them" in message]
    assert told
    assert sum(told) + len(messages) - len(told) == 3_000


def test_a_log_whose_reader_is_gone_is_no_error():
    read, write = os.pipe()
    os.close(read)
    handler = Writer(os.fdopen(write, "w"))
    handler.emit(record("x"))
    handler.close()
    assert not handler._thread.is_alive()
    with pytest.raises(BrokenPipeError):
        handler._stream.close()


class Full(io.StringIO):
    """A stream that takes half a line and fails, so many times."""

    failures = 2

    def write(self, text: str) -> int:
        if self.failures:
            self.failures -= 1
            super().write(text[:5])
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_disk_that_is_full_for_a_while_costs_lines_that_are_counted_and_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logs, "_PAUSE_SECONDS", 0.01)
    stream = Full()
    handler = Writer(stream)
    handler.setFormatter(JsonLines())
    for number in range(4):
        handler.emit(record(str(number)))
        handler.flush()
    handler.close()
    whole = [line for line in stream.getvalue().splitlines() if line.endswith("}")]
    said = [json.loads(line)["message"] for line in whole]
    assert said[0] == "2"
    assert said[1].startswith("2 lines were not logged")
    assert said[2:] == ["3"]


def test_a_disk_that_stays_full_does_not_keep_the_server_from_stopping():
    stream = Full()
    stream.failures = 1_000
    handler = Writer(stream)
    handler.emit(record("x"))
    handler.close()
    assert not handler._thread.is_alive()


def test_half_a_character_is_written_out_and_the_line_stays_json():
    line = json.loads(JsonLines().format(record('a\ud800 "b"', path="\udcff")))
    assert (line["message"], line["path"]) == ('a\\ud800 "b"', "\\udcff")


def test_after_a_flush_everything_that_was_logged_is_written():
    stream = io.StringIO()
    handler = Writer(stream)
    for number in range(1_000):
        handler.emit(record(str(number)))
    handler.flush()
    assert stream.getvalue().splitlines()[-1].endswith("999")
    handler.close()
