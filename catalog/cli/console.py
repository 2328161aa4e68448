"""How commands speak: data to standard output, talk to standard error, plain text wherever nobody is watching."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Self

import typer
from typer.core import TyperGroup

from catalog.domain.errors import CatalogError, NotAnEvent
from catalog.domain.names import visible

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_QUIET_SECONDS: Final = 1.0


class ExitCode(IntEnum):
    """What the shell is told. 2, wrong usage, is said by Typer itself."""

    ERROR = 1
    QUARANTINED = 3


class Commands(TyperGroup):
    """A group of commands whose errors are sentences, never tracebacks."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's own context class is not public
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except CatalogError as error:
            complain(error)
            raise typer.Exit(ExitCode.ERROR) from error


class _Lines(logging.Formatter):
    """Log records without tracebacks; what they say is in the message, and where events went is in the database."""

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, ARG002, N802 - as the base class has it
        return ""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as above
        return visible(super().formatMessage(record))


def log_in_lines() -> None:
    """Let libraries and the parts below warn, each in one line on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def complain(error: CatalogError) -> None:
    """Say what went wrong, where, and how to fix it."""
    where = f" (at {error.pointer})" if isinstance(error, NotAnEvent) and error.pointer else ""
    detail = visible(error.detail, keep="\n")
    say(f"error: {detail}{where}")
    if error.fix:
        say(f"fix: {visible(error.fix)}")


def say(text: str) -> None:
    """Talk: to standard error."""
    typer.echo(text, err=True)


def tell(text: str) -> None:
    """Data: to standard output."""
    typer.echo(text)


def tell_json(value: object) -> None:
    """Data as JSON: exact, also where names hold what a terminal would obey."""
    # Not at the top: orjson and its like would be loaded for `--help` too.
    import orjson

    tell(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def tell_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Collection[str] = ()) -> None:
    """Rows for people on a terminal; separated by tabs, uncut and with the headings first, for other programs.

    Columns in `whole`, by their headings, are never broken: they hold what is copied into the next command.
    """
    texts = [[visible("" if value is None else str(value)) for value in row] for row in rows]
    if not sys.stdout.isatty():
        tell("\n".join("\t".join(row) for row in [list(headings), *texts]))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, no_wrap=heading in whole)
    for row in texts:
        table.add_row(*(Text(text, overflow="fold") for text in row))
    Console().print(table)


def shown_time(at: int | None) -> str | None:
    """Microseconds since 1970 UTC as ISO 8601; None for what has no date, such as the end of all time."""
    if at is None:
        return None
    try:
        return (_EPOCH + timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None


def is_terminal() -> bool:
    """Whether a person watches standard output."""
    return sys.stdout.isatty()


class Bar:
    """A progress bar on standard error: only for a terminal, and only once the work has taken a second."""

    def __init__(self, label: str, total: int | None = None, *, in_bytes: bool = False) -> None:
        """`total` None is work of unknown size."""
        self._label, self._total, self._in_bytes = label, total, in_bytes
        self._done = 0
        self._since = time.monotonic()
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress:
            self._progress.stop()

    def add(self, more: int) -> None:
        """So much more is done."""
        self.at(self._done + more, self._total)

    def at(self, done: int, total: int | None) -> None:
        """So much is done, of so much."""
        self._done, self._total = done, total
        if self._progress is None:
            if time.monotonic() - self._since < _QUIET_SECONDS or not sys.stderr.isatty():
                return
            self._progress = self._start()
        self._progress.update(self._progress.task_ids[0], completed=done, total=total)

    def _start(self) -> Progress:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        amount: ProgressColumn = DownloadColumn() if self._in_bytes else MofNCompleteColumn()
        columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
        progress = Progress(*columns, console=Console(stderr=True), transient=True)
        progress.add_task(self._label, total=self._total)
        progress.start()
        return progress


def tell_record(record: Mapping[str, object], *, as_json: bool) -> None:
    """One thing: a line for each of its properties, or JSON."""
    if as_json:
        tell_json(record)
        return
    width = max(map(len, record))
    for name, value in record.items():
        tell(f"{name:<{width}}  {visible('' if value is None else str(value))}")
