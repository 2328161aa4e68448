"""`catalog doctor`: what is in order here, what is not, and what to do about it."""

from __future__ import annotations

import platform
import shutil
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import typer

from catalog.cli.console import ExitCode, say, tell_json, tell_table
from catalog.cli.databases import DatabaseOption, JsonOption, loaded, settings, shown_url, unchecked
from catalog.domain.errors import CatalogError

if TYPE_CHECKING:
    from catalog.settings import Settings
    from catalog.store.engine import Database, Read

_PYTHON: Final = (3, 11)
_MIB: Final = 1 << 20
_FULL_BYTES: Final = 100 * _MIB
_LITTLE_BYTES: Final = 1024 * _MIB
_AHEAD_SECONDS: Final = 5.0
_MICROSECONDS: Final = 1_000_000
_CONNECT_SECONDS: Final = 1.0


class State(StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(NamedTuple):
    """One thing that was looked at, and the next step where it is not in order."""

    check: str
    state: State
    says: str
    fix: str = ""


def doctor(database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Look at everything a catalog depends on, and say what to do about what is not in order.

    Nothing is changed. Exits with 1 where there is a problem; warnings are no problems.
    """
    chosen = settings(database)
    findings = [*_program(), *_settings(), *_database(chosen), *_address(chosen)]
    if as_json:
        tell_json([finding._asdict() for finding in findings])
    else:
        tell_table(("check", "state", "found", "next step"), findings)
    problems = sum(finding.state is State.PROBLEM for finding in findings)
    warnings = sum(finding.state is State.WARNING for finding in findings)
    say(f"{len(findings)} checks: {problems} problem(s), {warnings} warning(s)")
    if problems:
        raise typer.Exit(ExitCode.ERROR)


def _settings() -> Iterator[Finding]:
    origins = sorted(set(loaded().origins.values()))
    yield Finding("settings", State.OK, f"from {', '.join(origins)}" if origins else "all defaults")


def _program() -> Iterator[Finding]:
    import catalog
    from catalog.cli.floors import EXTRAS, installed, libraries
    from catalog.store.health import FLOORS, has_full_text

    yield Finding("program", State.OK, f"catalog {catalog.__version__}")
    python = f"Python {platform.python_version()}"
    fix = f"Use Python {'.'.join(map(str, _PYTHON))} or later."
    yield _judged("python", sys.version_info >= _PYTHON, python, fix)
    all_ = list(libraries())
    for library in all_:
        if library.is_old:
            name, least, why = library.floor
            yield Finding(f"library {name}", State.PROBLEM, f"{library.found}: {why}", f"pip install '{name}>={least}'")
    if not any(library.is_old for library in all_):
        yield Finding("libraries", State.OK, ", ".join(f"{each.floor.name} {each.found}" for each in all_))
    extras = [f"{extra} {found}" for extra, name in EXTRAS.items() if (found := installed(name))]
    yield Finding("extras", State.OK, ", ".join(extras) or "none: pip install 'lineage-catalog[kafka]' for Kafka")
    fix = f"Use a Python with SQLite {_dotted(FLOORS['SQLite'])} or later and its FTS5."
    yield _judged(
        "full text", has_full_text(), "SQLite of this Python has FTS5", fix, "SQLite of this Python has no FTS5"
    )


def _database(chosen: Settings) -> Iterator[Finding]:
    try:
        with unchecked(chosen.database.url) as database:
            shown = shown_url(database)
            file = Path(database.url.database or "") if database.is_sqlite else None
            if file is not None and not (file.exists() and file.stat().st_size):
                yield Finding("database", State.WARNING, f"{shown}: nothing there yet", "`catalog serve` begins it.")
                return
            if file is not None:
                yield _room(file)
            yield from _opened(database, shown, chosen)
    except CatalogError as error:
        yield Finding("database", State.PROBLEM, error.detail, error.fix or "Is it running, and is the URL right?")
    except Exception as error:  # noqa: BLE001 - whatever a database does, what else was found is worth saying
        says = f"{type(error).__name__}: {error}".partition("\n")[0]
        yield Finding("database", State.PROBLEM, says, "Is the URL that of a catalog? If it is, restore a backup.")


def _opened(database: Database, shown: str, chosen: Settings) -> Iterator[Finding]:
    from catalog.store import health, migrate

    engine = "SQLite" if database.is_sqlite else "PostgreSQL"
    with database.read() as connection:
        version, durability = health.version(connection), health.durability(connection)
    floor = health.FLOORS[engine]
    yield _judged(
        "database",
        version >= floor,
        f"{shown}, {engine} {_dotted(version)}",
        f"Use {engine} {_dotted(floor)} or later.",
    )
    said = ", ".join(f"{name} = {value}" for name, value in durability.settings.items())
    if durability.losses:
        allowed = chosen.database.unsafe
        state = State.WARNING if allowed else State.PROBLEM
        fix = "Turn it on: an event that was acknowledged can be lost."
        yield Finding("durability", state, "; ".join(durability.losses), fix)
    else:
        yield Finding("durability", State.OK, said)
    try:
        migrate.check(database)
    except CatalogError as error:
        yield Finding("migrations", State.PROBLEM, error.detail, error.fix)
        return
    yield Finding("migrations", State.OK, f"at {migrate.head()}")
    with database.read() as connection:
        yield from _contents(connection)
        yield _keys(connection, chosen.host)


def _contents(connection: Read) -> Iterator[Finding]:
    from catalog.store import health

    if connection.dialect.name == "sqlite":
        damage = health.damage(connection)
        fix = "Stop the server, keep the file, and restore a backup."
        yield _judged("integrity", not damage, "the file is sound", fix, "; ".join(damage))
    log = health.log_state(connection)
    whole = log.size == log.entries == log.last + 1
    counted = f"{log.entries} entries"
    if log.bodies < log.entries:
        counted += f", {log.entries - log.bodies} of them without their bytes"
    torn = f"the head says {log.size}, there are {log.entries}, the last is {log.last}"
    yield _judged("log", whole, counted, "Somebody has changed it by hand: restore a backup.", torn)
    fix = "`catalog rebuild --failed-only` tries them again, after an upgrade for example."
    yield _warned("graph", log.failed, "everything is in the graph", f"{log.failed} events are not in the graph", fix)
    fix = "`catalog quarantine list` says why; `catalog quarantine retry --all` tries again."
    waiting = ", ".join(f"{count} {code}" for code, count in sorted(log.quarantined.items()))
    yield _warned("quarantine", len(waiting), "nothing waits", f"refused: {waiting}", fix)
    ahead = ((log.newest or 0) / _MICROSECONDS) - time.time()
    yield _judged(
        "clock",
        ahead < _AHEAD_SECONDS,
        "not behind the log",
        "Set this machine's clock, or that of the server that wrote it.",
        f"the newest event was received {ahead:.0f} s in the future",
    )


def _keys(connection: Read, host: str) -> Finding:
    from catalog.api.auth import is_loopback
    from catalog.store import keys

    usable = keys.count_usable(connection)
    if usable:
        return Finding("keys", State.OK, f"{usable} can be used")
    if not is_loopback(host):
        fix = "`catalog keys create --role admin`, or listen on 127.0.0.1."
        return Finding("keys", State.PROBLEM, f"none, and others can reach {host}: the server will not start", fix)
    return Finding("keys", State.OK, "none: whoever is on this machine may read and write")


def _room(file: Path) -> Finding:
    """A backup, and the log that is written ahead, need about as much as there is."""
    free, size = shutil.disk_usage(file.resolve().parent).free, file.stat().st_size
    said = f"{free // _MIB} MiB free, the file has {size // _MIB} MiB"
    if free < _FULL_BYTES:
        return Finding("disk", State.PROBLEM, said, "Make room: events are refused when the disk is full.")
    if free < max(_LITTLE_BYTES, size):
        return Finding("disk", State.WARNING, said, "Make room: a backup needs as much as the file has.")
    return Finding("disk", State.OK, said)


def _address(chosen: Settings) -> Iterator[Finding]:
    """Whether somebody listens where `catalog serve` would."""
    if not chosen.port:
        return
    host = "127.0.0.1" if chosen.host in {"0.0.0.0", ""} else chosen.host  # noqa: S104 - not listened on
    answers = False
    with suppress(OSError), socket.create_connection((host, chosen.port), _CONNECT_SECONDS):
        answers = True
    said = "in use: by a server of this catalog, or by another program" if answers else "free"
    yield Finding("address", State.OK, f"{chosen.host}, port {chosen.port} is {said}")


def _judged(check: str, good: bool, says: str, fix: str, otherwise: str = "") -> Finding:
    return Finding(check, State.OK, says) if good else Finding(check, State.PROBLEM, otherwise or says, fix)


def _warned(check: str, count: int, says: str, otherwise: str, fix: str) -> Finding:
    return Finding(check, State.WARNING, otherwise, fix) if count else Finding(check, State.OK, says)


def _dotted(version: Iterable[int]) -> str:
    return ".".join(map(str, version))
