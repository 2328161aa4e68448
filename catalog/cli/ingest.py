"""`catalog ingest`: files of events into a database or to a server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from catalog.cli.console import Bar, ExitCode
from catalog.cli.databases import ApiKeyOption, DatabaseOption, JsonOption, begin, opened, settings
from catalog.cli.outcomes import Fate, Tally
from catalog.domain.errors import CatalogError

if TYPE_CHECKING:
    from catalog.cli.senders import Sender
    from catalog.sources.files import FileRecord

BATCH_EVENTS: Final = 500
BATCH_BYTES: Final = 8_000_000


def ingest(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files or folders; - is standard input.")],
    database: DatabaseOption = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Send them to this server instead.")] = None,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in OpenLineage events from files.

    Files hold JSON (one event, an array, or one after another) or NDJSON, may be packed with gzip, and are told by
    their content. Events that are in the log already count as duplicates, so an interrupted run can be repeated.

    Exits with 3 where something was no event: it is in quarantine then, and everything else was taken.
    """
    if url and database:
        raise typer.BadParameter("--database and --url are two places to bring events to; name one.")
    from catalog.sources import files

    chosen = settings(database)
    found = files.expand(paths)
    tally = Tally()
    stopped: CatalogError | KeyboardInterrupt | None = None
    with _sender(url, api_key, chosen.database.url, chosen.ingest.max_body_bytes) as sender:
        try:
            with Bar("reading", files.size(found), in_bytes=True) as bar:
                for batch in batches(files.records(found, chosen.ingest.max_body_bytes, bar.add)):
                    for record, sent in zip(batch, sender.send(batch), strict=True):
                        tally.add(record, sent)
        except (CatalogError, KeyboardInterrupt) as error:
            stopped = error
    if tally or not stopped:
        tally.tell(as_json=as_json)
    if stopped:
        raise stopped
    if tally.counts[Fate.QUARANTINED]:
        raise typer.Exit(ExitCode.QUARANTINED)


@contextmanager
def _sender(url: str | None, api_key: str | None, database: str, max_bytes: int) -> Iterator[Sender]:
    from catalog.cli.senders import DatabaseSender, RemoteSender

    if url:
        from catalog.cli.remote import Remote

        with Remote(url, api_key) as remote:
            yield RemoteSender(remote)
        return
    from catalog.ingest.accept import Ingest
    from catalog.ingest.decode import DecodeLimits

    begin(database)
    with opened(database) as target:
        yield DatabaseSender(Ingest(target, DecodeLimits(max_bytes=max_bytes)))


def batches(records: Iterable[FileRecord]) -> Iterator[list[FileRecord]]:
    """Records in groups that share a transaction; what was read before an error is given out before it is raised."""
    batch: list[FileRecord] = []
    size = 0
    try:
        for record in records:
            if batch and (len(batch) == BATCH_EVENTS or size + len(record.raw) > BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(record)
            size += len(record.raw)
    except CatalogError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
