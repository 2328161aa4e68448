"""Where names that are joined may not be one dataset: put together from what was said and what was renamed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from catalog.domain.changes import Symlinked
from catalog.domain.identity import Doubt, Said, withdrawn
from catalog.domain.ids import dataset_id
from catalog.domain.renames import Renamed, Wrote, used_again
from catalog.facets import symlinks
from catalog.store import renames
from catalog.store.engine import Read
from catalog.store.read import identity
from catalog.store.read.identity import SymlinksRow


@dataclass(frozen=True, slots=True)
class Conflict:
    """That two names of a dataset may not be one: since when, and by what.

    `name_id` is the name that said the other was its own, or was given in its place. `cause` is the activity, or the
    key of the event's digest, whichever is known.
    """

    doubt: Doubt
    name_id: int
    other_id: int
    since: int
    cause: int


def conflicts(connection: Read, ids: Collection[int]) -> dict[int, list[Conflict]]:
    """What there is to doubt of each dataset, the first first; a fixed number of statements for any number."""
    shown = {name.id: name.shown_id for name in identity.names(connection, ids)}
    found: dict[int, list[Conflict]] = defaultdict(list)
    for owner, rows in _by_dataset(shown, identity.symlinks(connection, shown)).items():
        found[owner] += _withdrawn(rows)
    for conflict in _used_again(connection, renames.among(connection, shown)):
        found[shown[conflict.name_id]].append(conflict)
    return {id: sorted(each, key=lambda one: (one.since, one.name_id, one.other_id)) for id, each in found.items()}


def _by_dataset(shown: Mapping[int, int], rows: Iterable[SymlinksRow]) -> Mapping[int, list[SymlinksRow]]:
    result: dict[int, list[SymlinksRow]] = defaultdict(list)
    for row in rows:
        result[shown[row.dataset_id]].append(row)
    return result


def _withdrawn(rows: Iterable[SymlinksRow]) -> list[Conflict]:
    histories: dict[int, list[Said]] = defaultdict(list)
    for row in rows:
        histories[row.dataset_id].append(Said(row.since, _names_in(row.payload)))
    return [
        Conflict(Doubt.WITHDRAWN, one.dataset_id, one.alias_id, *one.since)
        for one in withdrawn(histories)
        if one.dataset_id != one.alias_id
    ]


def _names_in(payload: bytes | None) -> frozenset[int] | None:
    """The names that a `symlinks` facet gives; none where it was deleted."""
    if payload is None:
        return frozenset()
    try:
        said = symlinks.changes(payload)
    except ValueError:
        return None
    given = [name for change in said if isinstance(change, Symlinked) for name, _ in change.names]
    return frozenset(dataset_id(name.namespace, name.name) for name in given)


def _used_again(connection: Read, renamed: Collection[Renamed]) -> list[Conflict]:
    if not renamed:
        return []
    wrote: list[Wrote] = identity.writes(connection, {rename.previous_id for rename in renamed})
    return [
        Conflict(Doubt.USED_AGAIN, rename.dataset_id, rename.previous_id, write.at, write.activity_id)
        for rename, write in used_again(renamed, wrote)
    ]
