"""The server's log: a line of JSON for machines, a line of text for people, and never a reason to wait."""

from __future__ import annotations

import logging
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
        return orjson.dumps(said, default=str).decode()


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
    too many wait the next ones are dropped, and the log says how many once it is read again.
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
        while lines := self._next():
            try:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # closed at the other end, or at ours
                return

    def _next(self) -> list[str]:
        with self._changed:
            self._writing = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._lines or self._closing)
            self._writing = True
            lines = list(self._lines)
            self._lines.clear()
            if self._dropped:
                record = logging.LogRecord(
                    "catalog.log",
                    logging.WARNING,
                    "",
                    0,
                    "%d lines were not logged: nobody read them",
                    (self._dropped,),
                    None,
                )
                lines.append(self.format(record))
                self._dropped = 0
            return lines


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
