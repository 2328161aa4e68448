"""What the catalog said on an earlier day: the graph of what it had received by then, made again from its log.

`asOf` asks how things were, as far as is known now; events that came late have corrected it. `recordedAsOf` asks what
could be known on that day. Nothing is stored for it: the log has every event with its time of receipt, and the graph
follows from the events (law 1), so a part of the log makes a part of the graph of then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import time_ns
from typing import Concatenate, Final, ParamSpec, TypeVar

from catalog.domain.errors import BadRequest, UnknownEntity
from catalog.domain.words import EventKind
from catalog.ingest.accept import AS_TAKEN, Ingest, Received
from catalog.store import log, scratch
from catalog.store.engine import Database, Read
from catalog.store.read.snapshot import Snapshot
from catalog.store.surroundings import Around, entries_around

P = ParamSpec("P")
T = TypeVar("T")

MOST_ENTRIES: Final = 20_000
"""Entries read again where no setting says otherwise: about five seconds."""

_AT_ONCE: Final = 500


class Past(Snapshot):
    """A snapshot of what was known on an earlier day: `recorded` has the connection."""

    def ask(self, read: Callable[Concatenate[Read, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a reading function answers.

        Raises:
            UnknownEntity: the catalog has not heard of it, or had not then.
        """
        try:
            return super().ask(read, *args, **kwargs)
        except UnknownEntity as error:
            raise UnknownEntity(error.detail, fix=f"{error.fix} At least nobody knew of it then.".strip()) from error


@contextmanager
def recorded(connection: Read, wanted: Around | None, until: int, most: int = MOST_ENTRIES) -> Iterator[Read]:
    """A connection to the graph around what is wanted as it was known at `until`, microseconds since 1970 UTC.

    It has what is needed there and little else, or all there was (None); ids are the same as everywhere.

    Raises:
        BadRequest: that is in the future, or more than `most` entries would have to be read again.
    """
    if until > time_ns() // 1_000:
        raise BadRequest("The moment is in the future: nobody knows yet what will be known then.")
    places = entries_around(connection, wanted, until, most)
    if len(places) > most:
        raise BadRequest(
            f"What was known then follows from more than {most:,} entries of the log around this.",
            fix="Ask with less `depth`, in one direction, for one `namespace`, or for less at once. "
            "(CATALOG_LINEAGE_MAX_ENTRIES)",
        )
    with scratch.database() as database:
        _take(connection, database, places)
        with database.read() as reading:
            yield reading


def _take(connection: Read, database: Database, places: Sequence[int]) -> None:
    """Everything at these places of the log, in its order."""
    ingest = Ingest(database, AS_TAKEN)
    for start in range(0, len(places), _AT_ONCE):
        entries = log.at(connection, places[start : start + _AT_ONCE])
        ingest.accept([Received(raw, "log", is_record=kind == EventKind.RECORD) for kind, raw in entries])
