"""Jobs: a record for each, their parts, and which datasets they read and write now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, Row, Select, select

from catalog.domain.ids import job_id, key, namespace_id
from catalog.domain.timeline import FOREVER
from catalog.domain.words import Node
from catalog.store import paging
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.living import living_now
from catalog.store.paging import Order, Page, Slice
from catalog.store.read.subjects import begins, contains
from catalog.store.tables import dataset, edge, job, namespace, ownership, tag

_ORDER = Order("job", (job.c.sort_key, job.c.id))

_ALL: Select[Any] = select(
    job.c.id, namespace.c.name.label("namespace"), job.c.name, job.c.parent_id, job.c.processing_type,
    job.c.integration, job.c.type, job.c.description, job.c.created_at,
).join(namespace, namespace.c.id == job.c.namespace_id)  # fmt: skip


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job. `created_at` is when it was first named, in microseconds since 1970 UTC."""

    id: int
    namespace: str
    name: str
    parent_id: int | None
    processing_type: str | None
    integration: str | None
    type: str | None
    description: str | None
    created_at: int


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs: those that all of what is given is true of. `parent` is a namespace and a name."""

    namespace: str | None = None
    name_contains: str | None = None
    name_prefix: str | None = None
    integration: str | None = None
    type: str | None = None
    processing_type: str | None = None
    tag: str | None = None
    owner: str | None = None
    parent: tuple[str, str] | None = None


def by_ids(connection: Read, ids: Collection[int]) -> dict[int, JobRow]:
    """These jobs."""
    return {row.id: _record(row) for row in connection.execute(_ALL.where(any_of(connection, job.c.id, ids)))}


def page(connection: Read, wanted: JobFilter, page: Page) -> Slice[JobRow]:
    """Jobs by namespace and name."""
    return paging.paginate(connection, _matching(connection, wanted), _ORDER, page).each(_record)


def count(connection: Read, wanted: JobFilter) -> int:
    """How many match."""
    return paging.count(connection, _matching(connection, wanted))


def children(connection: Read, ids: Collection[int], page: Page) -> dict[int, Slice[JobRow]]:
    """The jobs that each of these contains, by name."""
    found = paging.paginate_each(connection, _ALL, job.c.parent_id, ids, order=_ORDER, page=page)
    return {parent: rows.each(_record) for parent, rows in found.items()}


def count_of_children(connection: Read, ids: Collection[int]) -> dict[int, int]:
    """How many jobs each of these contains."""
    return paging.count_each(connection, _ALL, job.c.parent_id, ids)


class _End(NamedTuple):
    """One end of edges: the id and what it is an id of."""

    id: Column[int]
    node: Column[int]


_SOURCE = _End(edge.c.source_id, edge.c.source_node)
_TARGET = _End(edge.c.target_id, edge.c.target_node)
_NAME, _SHOWN = dataset.alias("named"), dataset.alias("shown")


def inputs(connection: Read, ids: Collection[int]) -> dict[int, list[int]]:
    """The datasets each job reads now, as lineage has it: none that is gone."""
    return _datasets(connection, ids, _SOURCE, _TARGET)


def outputs(connection: Read, ids: Collection[int]) -> dict[int, list[int]]:
    """The datasets each job writes now, as lineage has it: none that is gone, or that the job itself dropped last."""
    return _datasets(connection, ids, _TARGET, _SOURCE)


def producers(connection: Read, ids: Collection[int]) -> dict[int, list[int]]:
    """The jobs that write each dataset now; see `outputs`."""
    return _jobs(connection, ids, _TARGET, _SOURCE)


def consumers(connection: Read, ids: Collection[int]) -> dict[int, list[int]]:
    """The jobs that read each dataset now; see `inputs`."""
    return _jobs(connection, ids, _SOURCE, _TARGET)


def _datasets(connection: Read, ids: Collection[int], data: _End, work: _End) -> dict[int, list[int]]:
    """The datasets that these jobs have edges with that hold now, in list order."""
    found = (
        _edges(data, work)
        .join(_SHOWN, _SHOWN.c.id == _NAME.c.canonical_id)
        .where(any_of(connection, work.id, ids))
        .order_by(_SHOWN.c.sort_key, _SHOWN.c.id)
    )
    return _grouped((one, id) for id, one in _ends(connection, found, data))


def _jobs(connection: Read, ids: Collection[int], data: _End, work: _End) -> dict[int, list[int]]:
    """The jobs that these datasets, under any of their names, have edges with that hold now, in list order."""
    found = (
        _edges(data, work)
        .join(job, job.c.id == work.id)
        .where(any_of(connection, _NAME.c.canonical_id, ids))
        .order_by(job.c.sort_key, job.c.id)
    )
    return _grouped(_ends(connection, found, data))


def _edges(data: _End, work: _End) -> Select[Any]:
    """Edges between datasets, under the ids that are shown, and jobs: hops that no row ends."""
    ends = (_NAME.c.canonical_id, work.id) if data is _SOURCE else (work.id, _NAME.c.canonical_id)
    return (
        select(*ends, edge.c.owner_id, edge.c.derivation, edge.c.valid_from, edge.c.valid_to)
        .select_from(edge)
        .join(_NAME, _NAME.c.id == data.id)
        .where(data.node == int(Node.DATASET), work.node == int(Node.JOB), edge.c.valid_to == FOREVER)
    )


def _ends(connection: Read, found: Select[Any], data: _End) -> Iterator[tuple[int, int]]:
    """Dataset and job of those of these edges that hold though datasets may have been dropped."""
    at, other = (0, 1) if data is _SOURCE else (1, 0)
    hops = [tuple(row) for row in connection.execute(found)]
    return ((hop[at], hop[other]) for hop in living_now(connection, hops, {hop[at] for hop in hops}))


def _grouped(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """What each has, once and in this order."""
    result: dict[int, dict[int, None]] = defaultdict(dict)
    for owner, one in pairs:
        result[owner][one] = None
    return {owner: list(ones) for owner, ones in result.items()}


def _matching(connection: Read, wanted: JobFilter) -> Select[Any]:
    found = _ALL
    if wanted.namespace is not None:
        found = found.where(job.c.namespace_id == namespace_id(wanted.namespace))
    if wanted.name_contains:
        found = found.where(contains(connection, job.c.name, wanted.name_contains))
    if wanted.name_prefix:
        found = found.where(begins(connection, job.c.name, wanted.name_prefix))
    for column, value in (
        (job.c.integration, wanted.integration),
        (job.c.type, wanted.type),
        (job.c.processing_type, wanted.processing_type),
    ):
        if value is not None:
            found = found.where(column == value)
    if wanted.tag is not None:
        tagged = select(tag.c.subject_id).where(tag.c.tag_key == key("tag", wanted.tag))
        found = found.where(job.c.id.in_(tagged))
    if wanted.owner is not None:
        owned = select(ownership.c.subject_id).where(ownership.c.owner_key == key("owner", wanted.owner))
        found = found.where(job.c.id.in_(owned))
    if wanted.parent is not None:
        found = found.where(job.c.parent_id == job_id(*wanted.parent))
    return found


def _record(row: Row[Any]) -> JobRow:
    return JobRow(
        row.id, row.namespace, row.name, row.parent_id, row.processing_type, row.integration, row.type,
        row.description, row.created_at,
    )  # fmt: skip
