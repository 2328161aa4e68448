"""Jobs: a record for each, their parts, and which datasets they read and write now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, Row, Select, select

from catalog.domain.ids import job_id, key, namespace_id
from catalog.domain.timeline import FOREVER
from catalog.domain.words import Node
from catalog.store import paging
from catalog.store.dialect import any_of
from catalog.store.engine import Read
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


def inputs(connection: Read, ids: Collection[int]) -> dict[int, list[int]]:
    """The datasets each job reads now."""
    return _datasets(connection, ids, _TARGET, _SOURCE)


def outputs(connection: Read, ids: Collection[int]) -> dict[int, list[int]]:
    """The datasets each job writes now."""
    return _datasets(connection, ids, _SOURCE, _TARGET)


def producers(connection: Read, ids: Collection[int]) -> dict[int, list[int]]:
    """The jobs that write each dataset now."""
    return _jobs(connection, ids, _TARGET, _SOURCE)


def consumers(connection: Read, ids: Collection[int]) -> dict[int, list[int]]:
    """The jobs that read each dataset now."""
    return _jobs(connection, ids, _SOURCE, _TARGET)


def _datasets(connection: Read, ids: Collection[int], here: _End, there: _End) -> dict[int, list[int]]:
    """Datasets at the other end of edges that hold now and have one of these jobs at this end, in list order."""
    shown = dataset.alias("shown")
    rows = connection.execute(
        select(here.id, shown.c.id, shown.c.sort_key)
        .distinct()
        .join(dataset, dataset.c.id == there.id)
        .join(shown, shown.c.id == dataset.c.canonical_id)
        .where(
            any_of(connection, here.id, ids),
            here.node == int(Node.JOB),
            there.node == int(Node.DATASET),
            edge.c.valid_to == FOREVER,
        )
        .order_by(shown.c.sort_key, shown.c.id)
    )
    return _grouped(rows)


def _jobs(connection: Read, ids: Collection[int], here: _End, there: _End) -> dict[int, list[int]]:
    """Jobs at the other end of edges that hold now and have any name of these datasets at this end, in list order."""
    rows = connection.execute(
        select(dataset.c.canonical_id, job.c.id, job.c.sort_key)
        .distinct()
        .select_from(edge)
        .join(dataset, dataset.c.id == here.id)
        .join(job, job.c.id == there.id)
        .where(
            any_of(connection, dataset.c.canonical_id, ids),
            here.node == int(Node.DATASET),
            there.node == int(Node.JOB),
            edge.c.valid_to == FOREVER,
        )
        .order_by(job.c.sort_key, job.c.id)
    )
    return _grouped(rows)


def _grouped(rows: Any) -> dict[int, list[int]]:  # noqa: ANN401 - rows of (owner, other, sort key)
    result: dict[int, list[int]] = defaultdict(list)
    for owner, other, _ in rows:
        result[owner].append(other)
    return result


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
