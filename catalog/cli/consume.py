"""`catalog consume`: sources that are read as long as there is something, into a database."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Annotated, Final

import typer

from catalog.cli.console import ExitCode
from catalog.cli.databases import DatabaseOption, JsonOption, begin, opened, settings
from catalog.domain.errors import BadRequest, CatalogError

if TYPE_CHECKING:
    from catalog.cli.outcomes import Tally
    from catalog.ingest.accept import Outcome
    from catalog.sources.kafka import KafkaRecord, KafkaSource, OnTaken, Subscription
    from catalog.store.engine import Database

_LONGEST_STOP_SECONDS: Final = 7.0

app = typer.Typer(
    help="Take in events from a message broker.",
    epilog="Example: catalog consume kafka --bootstrap broker:9092 --topic openlineage",
    no_args_is_help=True,
)


class From(StrEnum):
    """Where a group begins that has never read a topic."""

    EARLIEST = "earliest"
    LATEST = "latest"


@app.callback()
def _sources() -> None:
    """Take in events from a message broker."""


@app.command(epilog="Example: catalog consume kafka --bootstrap broker:9092 --topic openlineage")
def kafka(
    *,
    bootstrap: Annotated[
        str, typer.Option("--bootstrap", metavar="HOST:PORT", help="A broker, or several with commas between.")
    ],
    topic: Annotated[list[str], typer.Option("--topic", metavar="NAME", help="May be given again.")],
    group: Annotated[
        str, typer.Option("--group", metavar="NAME", help="Consumers of one group share the partitions.")
    ] = "lineage-catalog",
    start: Annotated[
        From, typer.Option("--from", help="Where the group begins in a topic it has never read.")
    ] = From.EARLIEST,
    config: Annotated[
        list[str] | None,
        typer.Option("--config", metavar="KEY=VALUE", help="A setting of librdkafka; may be given again."),
    ] = None,
    config_file: Annotated[
        Path | None,
        typer.Option("--config-file", metavar="FILE", help="Such settings, a line each: the place for passwords."),
    ] = None,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Stop where the topics ended at the start, and exit as `ingest` does.")
    ] = False,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in OpenLineage events from topics of Kafka, each exactly once.

    How far each partition was taken is stored in the database together with the events, so whatever is killed or away
    meanwhile, nothing is lost and nothing taken twice. Messages that are no event go to quarantine.

    Stops on Ctrl-C or SIGTERM after the batch that was begun. Needs `pip install 'lineage-catalog[kafka]'`.
    """
    from catalog.cli.outcomes import Fate, Tally

    try:
        from catalog.sources.kafka import Start, Subscription
    except ModuleNotFoundError as error:
        if error.name != "confluent_kafka":
            raise
        raise CatalogError(
            "Kafka's client is not installed.", fix="Run: pip install 'lineage-catalog[kafka]'"
        ) from error
    given = {**(_from_file(config_file) if config_file else {}), **_properties(config or (), "--config")}
    wanted = Subscription(bootstrap, tuple(dict.fromkeys(topic)), group, Start(start), until_end, given)
    chosen = settings(database)
    tally = Tally()
    begin(chosen.database.url)
    with opened(chosen.database.url) as target:
        _run(target, wanted, chosen.ingest.max_body_bytes, tally, as_json=as_json)
    if until_end and tally.counts[Fate.QUARANTINED]:
        raise typer.Exit(ExitCode.QUARANTINED)


def _run(database: Database, wanted: Subscription, max_bytes: int, tally: Tally, *, as_json: bool) -> None:
    from catalog.ingest.accept import Ingest
    from catalog.ingest.decode import DecodeLimits
    from catalog.sources.kafka import KafkaSource

    logging.getLogger("catalog.kafka").setLevel(logging.INFO)
    source = KafkaSource(Ingest(database, DecodeLimits(max_bytes=max_bytes)), wanted, _into(tally))
    try:
        with _stopped_by_signals(source):
            source.run()
    except CatalogError:
        if tally:
            tally.tell(as_json=as_json)
        raise
    tally.tell(as_json=as_json)


def _into(tally: Tally) -> OnTaken:
    from catalog.cli.senders import sent_of

    def add(records: Sequence[KafkaRecord], outcomes: Sequence[Outcome]) -> None:
        for record, outcome in zip(records, outcomes, strict=True):
            tally.add(record, sent_of(outcome))

    return add


@contextmanager
def _stopped_by_signals(source: KafkaSource) -> Iterator[None]:
    """The first signal asks to stop; a second one, or a database that does not answer, ends it at once."""

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        source.stop()
        # A transaction that is cut off here is undone, and its messages come again: there is nothing to complain of.
        last = Timer(_LONGEST_STOP_SECONDS, os._exit, (0,))
        last.daemon = True
        last.start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _from_file(path: Path) -> Mapping[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(
            f"{path} cannot be read: {error}.", fix="It holds lines such as security.protocol=SSL."
        ) from None
    return _properties([line for line in map(str.strip, lines) if line and line[0] not in "#!"], str(path))


def _properties(lines: Iterable[str], where: str) -> dict[str, str]:
    found = {}
    for number, line in enumerate(lines, 1):
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            # Not the text itself: a password on a line of its own would be shown.
            raise BadRequest(f"{where}: number {number} is not KEY=VALUE.", fix="Such as security.protocol=SSL.")
        found[name.strip()] = value.strip()
    return found
