"""The facets of runs. They differ with every run, so no history is kept of them: they are read from the log."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from catalog import facets
from catalog.domain.errors import NotAnEvent
from catalog.domain.words import Scope
from catalog.ingest.decode import decode
from catalog.store.engine import Read
from catalog.store.read import events
from catalog.store.read.facets import FacetRow


def of_runs(connection: Read, ids: Collection[int], as_of: int | None = None) -> dict[int, list[FacetRow]]:
    """The facets of each run: all its events' together, where several have one the latest, by name.

    With `as_of`, in microseconds since 1970 UTC, those of its events up to then.
    """
    bodies = events.bodies_of_runs(connection, ids, as_of)
    return {run: _merged(said) for run, said in bodies.items()}


def _merged(bodies: Iterable[bytes]) -> list[FacetRow]:
    """The facets in events that are in the order of their times."""
    latest: dict[str, FacetRow] = {}
    for body in bodies:
        try:
            event = decode(body)
        except NotAnEvent:
            continue  # It was one when it was accepted: under other limits.
        for name, payload in event.run_facets.items():
            if not _is_deleted(payload):
                latest[name] = FacetRow(Scope.RUN, name, payload, _is_understood(name, payload), event.event_time, None)
    return [latest[name] for name in sorted(latest)]


def _is_understood(name: str, payload: bytes) -> bool:
    facet = facets.find(Scope.RUN, name)
    if facet is None:
        return False
    try:
        facet.changes(payload)
    except ValueError:
        return False
    return True


class _Deletion(msgspec.Struct, rename={"deleted": "_deleted"}, gc=False):
    deleted: bool = False


_deletion = msgspec.json.Decoder(_Deletion).decode


def _is_deleted(payload: bytes) -> bool:
    # The cheap test first: hardly any facet has the key.
    try:
        return b'"_deleted"' in payload and _deletion(payload).deleted
    except ValueError:
        return False
