"""`catalog demo`: a story to look at."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from catalog.cli import serve as server
from catalog.cli.console import Bar, say, tell_json, tell_table
from catalog.cli.databases import DatabaseOption, JsonOption, begin, opened, settings, shown_url
from catalog.domain.errors import BadRequest, CatalogError
from catalog.domain.names import visible

if TYPE_CHECKING:
    from catalog.ingest.accept import Received
    from catalog.store.engine import Database

BATCH_EVENTS: Final = 500
SOURCE: Final = "demo"
"""What the log says about where an event arrived."""

_PERSONAL: Final = '{ datasets(filter: {tag: "pii"}) { edges { node { name fields { name tags { key } } } } } }'
_SCORES: Final = ("lineage", "dataset", "snowflake://harbour-eu", "lending.scoring.scores", "--direction", "up")

TO_TRY: Final[tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]] = (
    ("Which columns hold personal data?", (("query", "-"),)),
    (
        "What were scores made from, before and after scoring moved to other features?",
        (
            (*_SCORES, "--depth", "1", "--as-of", "2026-10-19T12:00:00Z"),
            (*_SCORES, "--depth", "1", "--as-of", "2026-10-20T12:00:00Z"),
        ),
    ),
    (
        "What does the bureau's file reach, if it is wrong tonight?",
        (("lineage", "dataset", "s3://harbour-lake", "landing/bureau/scores", "--direction", "down", "--depth", "7"),),
    ),
)
"""Questions to the story, each with the commands that ask them; what is asked of `query -` is `_PERSONAL`."""


def demo(
    *,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the catalog afterwards, as `catalog serve` does.")
    ] = False,
    host: Annotated[str | None, typer.Option("--host", help="With --serve: the address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65_535, help="With --serve: the port; 0 for any that is free.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, also where the log has other events.")] = False,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Load a story: sixty days of a bank's nightly pipelines, from core banking to the supervisor.

    The bank does not exist, and its namespaces are its own: what else is in the catalog stays as it is. But what is in
    the log stays for good, so where it has other events this asks before. Doing it twice changes nothing.
    """
    if not serve and (host is not None or port is not None):
        raise typer.BadParameter("--host and --port go with --serve.")
    chosen = settings(database)
    begin(chosen.database.url)
    with opened(chosen.database.url) as target:
        if not yes and _is_of_others(target):
            _confirm(target)
        loaded = _load(target)
    if as_json:
        tell_json(loaded)
    else:
        tell_table(("demo", "number"), [(name.replace("_", " "), value) for name, value in loaded.items()])
    if serve:
        server.run(partial(_suggest, database), host, port, database)
    else:
        _suggest(database)


def _is_of_others(target: Database) -> bool:
    """Whether the log has events, and not the one that the story begins with."""
    from catalog.demo import events
    from catalog.store import log

    with target.read() as connection:
        # Not its size: a catalog that nothing was ever sent to has no head yet.
        if not list(log.replay(connection, 0, 1)):
            return False
        first = sha256(next(events())).digest()
        return not log.known(connection, [first])


def _confirm(target: Database) -> None:
    where = visible(shown_url(target))
    if not _is_asking():
        raise BadRequest(
            f"The log of {where} has events that are not the demo's, and what is added to it stays for good.",
            fix="Name a new file, such as --database sqlite:///demo.db, or say --yes.",
        )
    say(f"The log of {where} has events that are not the demo's. What is added to it stays for good.")
    typer.confirm("Add the demo to it?", abort=True, err=True)


def _is_asking() -> bool:
    """Whether a person can answer."""
    return sys.stdin.isatty()


def _load(target: Database) -> dict[str, float]:
    """Take in the story, and count."""
    from catalog.demo import events
    from catalog.ingest.accept import Ingest, Received, Refused
    from catalog.store.read import datasets, jobs
    from catalog.store.read.snapshot import snapshot

    begun = time.perf_counter()
    ingest = Ingest(target)
    new = known = 0
    with Bar("telling a story") as bar:
        for batch in _batches(Received(raw, SOURCE) for raw in events()):
            for outcome in ingest.accept(batch):
                if isinstance(outcome, Refused):
                    raise CatalogError(f"An event of the demo was refused: {outcome.reason.detail}")
                known += outcome.duplicate
                new += not outcome.duplicate
            bar.add(len(batch))
    took = round(time.perf_counter() - begun, 2)
    with snapshot(target) as reading:
        return {
            "events_loaded": new,
            "already_there": known,
            "datasets": reading.ask(datasets.count, datasets.DatasetFilter()),
            "jobs": reading.ask(jobs.count, jobs.JobFilter()),
            "seconds": took,
        }


def _batches(received: Iterator[Received]) -> Iterator[list[Received]]:
    while batch := list(islice(received, BATCH_EVENTS)):
        yield batch


def _suggest(database: str | None, url: str | None = None) -> None:
    """Say three things to try, as they can be pasted; and where the query page is, if there is a server."""
    where = ("--database", database) if database else ()
    say("Three things to try:")
    for question, commands in TO_TRY:
        say(f"  {question}")
        for command in commands:
            given = f"echo {shlex.quote(_PERSONAL)} | " if command[0] == "query" else ""
            say(f"    {given}{shlex.join((_program(), *command, *where))}")
    if url:
        say(f"Or ask in a browser: {url}/graphql")


def _program() -> str:
    """What to write for this program: its path where the shell would not find it, as after `make run`."""
    beside = Path(sys.executable).with_name("catalog")
    if shutil.which("catalog") or not beside.exists():
        return "catalog"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)
