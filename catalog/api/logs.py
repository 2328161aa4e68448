"""The server's log: a line of JSON for machines, a line of text for people, and never a reason to wait."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections import deque
from datetime import UTC, datetime
from threading import Condition, Thread
from typing import Any, Final, TextIO

import orjson

from catalog.api.requests import current

_WAITING_LINES: Final = 10_000
_LAST_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.5
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class JsonLines(logging.Formatter):
    """A record as one JSON object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if request := current():
            said["request_id"] = request.id
            if request.trace_id:
                said["trace_id"] = request.trace_id
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(said, default=str).decode()
        except TypeError:
            # Half a character, which no UTF-8 has: written out, since an escape of JSON stops strict readers too.
            line = json.dumps(said, default=str, ensure_ascii=False)
            return _SURROGATE.sub(lambda half: rf"\\u{ord(half[0]):x}", line)


class TextLines(logging.Formatter):
    """A record as a line for people; only a traceback has more."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        # What a terminal would obey is written out: messages quote what was sent.
        message = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in record.getMessage())
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()} {record.name}: "
        line = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {level}{message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class Writer(logging.Handler):
    """Writes lines from a thread of its own.

    Somebody may have stopped reading them: a full pipe would hold the event loop, and with it every request. So when
    too many wait the next ones are dropped, and the log says how many once it is read again. The same where a line
    cannot be written: disks are full for a while. Only a stream that is closed is left for good.
    """

    def __init__(self, stream: TextIO, most: int = _WAITING_LINES) -> None:
        """`most` lines wait."""
        super().__init__()
        self._stream = stream
        self._most = most
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._writing = self._closing = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a log may not fail whoever writes to it
            self.handleError(record)
            return
        with self._changed:
            if len(self._lines) >= self._most:
                self._dropped += 1
                return
            self._lines.append(line)
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all is written, if that is soon."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._lines or self._writing), _LAST_SECONDS)

    def close(self) -> None:
        """Write what waits, if that can be done soon."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(_LAST_SECONDS)
        super().close()

    def _run(self) -> None:
        before = ""
        while any(taken := self._next()):
            lines, dropped = taken
            try:
                self._stream.write(before + "".join(f"{line}\n" for line in [*lines, *self._missing(dropped)]))
                self._stream.flush()
                before = ""
            except BrokenPipeError:  # closed at the other end
                return
            except (OSError, UnicodeError):
                if not self._lose(len(lines) + dropped):
                    return
                before = "\n"  # half a line may have been written
            except ValueError:  # closed at ours
                return

    def _lose(self, lines: int) -> bool:
        """Count lines that could not be written, and wait a moment; whether to go on."""
        with self._changed:
            self._dropped += lines
            return not self._changed.wait_for(lambda: self._closing, _PAUSE_SECONDS)

    def _missing(self, lines: int) -> list[str]:
        if not lines:
            return []
        said = "%d lines were not logged: nobody read them, or they could not be written"
        return [self.format(logging.LogRecord("catalog.log", logging.WARNING, "", 0, said, (lines,), None))]

    def _next(self) -> tuple[list[str], int]:
        with self._changed:
            self._writing = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._lines or self._closing)
            self._writing = True
            lines, dropped = list(self._lines), self._dropped
            self._lines.clear()
            self._dropped = 0
            return lines, dropped


def configure(level: str, form: str, stream: TextIO | None = None) -> None:
    """Log everything of this process in one form, to standard error.

    Args:
        level: The least that is logged of the catalog; of libraries warnings, unless that is higher.
        form: "text", "json", or "auto", which is text on a terminal.
        stream: Instead of standard error.
    """
    stream = stream or sys.stderr
    is_text = form == "text" or (form == "auto" and stream.isatty())
    handler = Writer(stream)
    handler.setFormatter(TextLines() if is_text else JsonLines())
    # Libraries never below warnings: sqlalchemy would log the values of every statement.
    logging.basicConfig(level=max(logging.WARNING, _number(level)), handlers=[handler], force=True)
    logging.getLogger("catalog").setLevel(_number(level))


def flush() -> None:
    """Have what was logged written: a process that is ended by a signal runs nothing afterwards."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]
