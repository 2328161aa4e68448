"""What has no lineage: datasets nobody reads or writes, jobs that neither read nor write."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    SmallInteger,
    Subquery,
    Table,
    cast,
    exists,
    literal,
    or_,
    select,
    union_all,
)

from catalog.domain.changes import Understand
from catalog.domain.errors import BadRequest
from catalog.domain.ids import namespace_id
from catalog.domain.timeline import NOW, Interval, Window, without
from catalog.domain.words import EntityKind
from catalog.store import paging
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.paging import Order, Page, Slice
from catalog.store.read import datasets
from catalog.store.read.as_of import model_then
from catalog.store.tables import dataset, dataset_drop, edge, job, namespace

_PLACE: Final = {EntityKind.DATASET: 1, EntityKind.MODEL: 2, EntityKind.JOB: 3}
"""The kinds in the order of the list."""
_KINDS: Final = {place: kind for kind, place in _PLACE.items()}


@dataclass(frozen=True, slots=True)
class Orphan:
    """A dataset or job without lineage."""

    id: int
    kind: EntityKind
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orphans: things of these kinds without lineage in the window; with `namespace`, those that are shown in it.

    `understand` knows which datasets were models then; None: they are shown as what they are now.
    """

    kinds: Collection[EntityKind]
    window: Window = NOW
    namespace: str | None = None
    understand: Understand | None = None


def page(connection: Read, wanted: Wanted, page: Page) -> Slice[Orphan]:
    """Those of these kinds of which no edge holds in the window: datasets, models, then jobs, each by name.

    A job that has parts is none, whatever its own edges: its parts do the work. What nobody had named by the end of
    the window was not there, and neither was a dataset that had been dropped before it.

    Raises:
        BadRequest: things of such a kind have no lineage of their own.
    """
    found = _found(connection, wanted)
    if found is None:
        return Slice()
    order = Order("orphan", (found.c.place, found.c.sort_key, found.c.id))
    return paging.paginate(connection, select(found), order, page).each(_orphan)


def count(connection: Read, wanted: Wanted) -> int:
    """How many there are."""
    found = _found(connection, wanted)
    return 0 if found is None else paging.count(connection, select(found))


def _found(connection: Read, wanted: Wanted) -> Subquery | None:
    """All of them, with where each stands in the list."""
    if unfit := [kind.value for kind in wanted.kinds if kind not in _PLACE]:
        raise BadRequest(f"No orphans of kind {unfit[0]} are known.", fix="Ask for DATASET, MODEL or JOB.")
    window, kinds = wanted.window, sorted(set(wanted.kinds), key=_PLACE.__getitem__)
    parts = [_jobs(window) if kind is EntityKind.JOB else _datasets(connection, kind, wanted) for kind in kinds]
    if wanted.namespace is not None:
        parts = [part.where(namespace.c.id == namespace_id(wanted.namespace)) for part in parts]
    return union_all(*parts).subquery("orphan") if parts else None


def _datasets(connection: Read, kind: EntityKind, wanted: Wanted) -> Select[Any]:
    """Datasets under the name they are shown by: an edge under any of their names is one of theirs."""
    name = dataset.alias("name")
    own, window = name.c.canonical_id == dataset.c.id, wanted.window
    edges = [exists().where(own, end == name.c.id, *_holds(window)) for end in (edge.c.source_id, edge.c.target_id)]
    known = exists().where(own, name.c.created_at <= window.last)
    is_model = model_then(connection, window.moment, wanted.understand)
    return (
        select(*_shown(kind, dataset))
        .join(namespace, namespace.c.id == dataset.c.namespace_id)
        .where(dataset.c.id == dataset.c.canonical_id, known, ~or_(*edges))
        .where(is_model if kind is EntityKind.MODEL else ~is_model)
        .where(~any_of(connection, dataset.c.id, _gone(connection, window)))
    )


def _gone(connection: Read, window: Window) -> list[int]:
    """Datasets that were there at no moment of the window: few are ever dropped."""
    dropped = select(dataset.c.canonical_id).join(dataset_drop, dataset_drop.c.dataset_id == dataset.c.id)
    dead = datasets.dead(connection, set(connection.scalars(dropped)))
    whole = [Interval(window.first, window.last + 1)]
    return [id for id, holes in dead.items() if not without(whole, holes)]


def _jobs(window: Window) -> Select[Any]:
    part = job.alias("part")
    edges = [exists().where(end == job.c.id, *_holds(window)) for end in (edge.c.source_id, edge.c.target_id)]
    has_parts = exists().where(part.c.parent_id == job.c.id)
    named = select(*_shown(EntityKind.JOB, job)).join(namespace, namespace.c.id == job.c.namespace_id)
    return named.where(job.c.created_at <= window.last, ~or_(*edges, has_parts))


def _holds(window: Window) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return edge.c.valid_to > window.first, edge.c.valid_from <= window.last


def _shown(kind: EntityKind, table: Table) -> tuple[ColumnElement[Any], ...]:
    place = cast(literal(_PLACE[kind]), SmallInteger).label("place")
    return place, table.c.sort_key, table.c.id, namespace.c.name.label("namespace"), table.c.name


def _orphan(row: Row[Any]) -> Orphan:
    return Orphan(row.id, _KINDS[row.place], row.namespace, row.name)
