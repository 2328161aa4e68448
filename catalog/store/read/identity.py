"""What is known of why names are one dataset: what was said of other names, and when the dataset was renamed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select

from catalog.domain.ids import key
from catalog.domain.projection import Stamp
from catalog.domain.renames import Renamed, Wrote
from catalog.domain.words import Role, Scope
from catalog.store import renames
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.tables import dataset, facet, job, namespace, run
from catalog.store.uses import sayings, wrote

_SYMLINKS = key("facet", "symlinks")
_NAMES = select(dataset.c.id, dataset.c.canonical_id, namespace.c.name, dataset.c.name).join(
    namespace, namespace.c.id == dataset.c.namespace_id
)


@dataclass(frozen=True, slots=True)
class NameRow:
    """One name of a dataset, and the id the dataset is shown under."""

    id: int
    shown_id: int
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class SymlinksRow:
    """A `symlinks` facet said under a name, from this moment until the next of that name; None: it was deleted."""

    dataset_id: int
    since: Stamp
    payload: bytes | None


def names(connection: Read, ids: Collection[int]) -> list[NameRow]:
    """Every name of these datasets."""
    rows = connection.execute(_NAMES.where(any_of(connection, dataset.c.canonical_id, ids)))
    return [NameRow(*row) for row in rows]


def symlinks(connection: Read, names: Collection[int]) -> list[SymlinksRow]:
    """What was ever said under each of these names, in the order of time."""
    said = select(facet.c.subject_id, facet.c.valid_from, facet.c.tie, facet.c.payload).where(
        any_of(connection, facet.c.subject_id, names),
        facet.c.scope == int(Scope.DATASET),
        facet.c.name_key == _SYMLINKS,
    )
    rows = connection.execute(said.order_by(facet.c.valid_from, facet.c.tie))
    return [SymlinksRow(row.subject_id, Stamp(row.valid_from, row.tie), row.payload) for row in rows]


def writes(connection: Read, names: Collection[int]) -> list[Wrote]:
    """When each run, or event that is none, first said that it writes or is a dataset under one of these names."""
    said = sayings(lambda said: (any_of(connection, said.dataset_id, names), said.role != int(Role.INPUT))).subquery()
    first = select(func.min(said.c.first_at), said.c.activity_id, said.c.dataset_id)
    first = first.outerjoin(run, run.c.id == said.c.activity_id).outerjoin(job, job.c.id == run.c.job_id).where(wrote())
    return [Wrote(*row) for row in connection.execute(first.group_by(said.c.activity_id, said.c.dataset_id))]


def of_datasets(connection: Read, ids: Collection[int]) -> dict[int, list[Renamed]]:
    """The renames of each dataset that became true, the first first."""
    rows = select(dataset.c.id, dataset.c.canonical_id).where(any_of(connection, dataset.c.canonical_id, ids))
    shown = {id: canonical for id, canonical in connection.execute(rows)}  # noqa: C416 - rows, not pairs, to mypy
    result: dict[int, list[Renamed]] = defaultdict(list)
    for one in sorted(renames.among(connection, shown)):
        result[shown[one.dataset_id]].append(one)
    return result


def by_names(connection: Read, ids: Collection[int]) -> dict[int, NameRow]:
    """The names with these ids."""
    rows = connection.execute(_NAMES.where(any_of(connection, dataset.c.id, ids)))
    return {row.id: NameRow(*row) for row in rows}
