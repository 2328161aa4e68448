"""Datasets: a record for each, under the name it is shown by; any of its names finds it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, Select, and_, exists, func, or_, select, union_all

from catalog.domain.ids import field_id, key, namespace_id
from catalog.domain.timeline import FOREVER, Interval, joined
from catalog.store import paging
from catalog.store.among import among_found
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.liveness import deaths
from catalog.store.paging import Order, Page, Slice
from catalog.store.read.subjects import SPEAKER, begins, contains, last, said_last
from catalog.store.tables import (
    dataset,
    dataset_alias,
    facet,
    field,
    namespace,
    ownership,
    run_dataset,
    run_statement,
    statement_dataset,
    tag,
)

_ORDER = Order("dataset", (dataset.c.sort_key, dataset.c.id))

_other = dataset.alias("other")
_SHOWN: Select[Any] = select(
    dataset.c.id, namespace.c.name.label("namespace"), dataset.c.name, dataset.c.type, dataset.c.sub_type,
    dataset.c.description, dataset.c.created_at,
    exists().where(_other.c.canonical_id == dataset.c.id, _other.c.id != dataset.c.id).label("has_aliases"),
).join(namespace, namespace.c.id == dataset.c.namespace_id)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A dataset. `created_at` is when it was first named, in microseconds since 1970 UTC."""

    id: int
    namespace: str
    name: str
    type: str | None
    sub_type: str | None
    description: str | None
    created_at: int


@dataclass(frozen=True, slots=True)
class AliasRow:
    """Another name of a dataset; `type` is what its producer called the link, empty where nobody did."""

    namespace: str
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class DatasetFilter:
    """Which datasets: those that all of what is given is true of. A name or facet may be that of any alias."""

    namespace: str | None = None
    name_contains: str | None = None
    name_prefix: str | None = None
    type: str | None = None
    tag: str | None = None
    owner: str | None = None


def by_ids(connection: Read, ids: Collection[int]) -> dict[int, DatasetRow]:
    """Datasets by the id of any of their names."""
    name = dataset.alias("asked")
    found = _SHOWN.add_columns(name.c.id.label("asked")).join(name, name.c.canonical_id == dataset.c.id)
    rows = connection.execute(found.where(any_of(connection, name.c.id, ids))).all()
    return dict(zip([row.asked for row in rows], _records(connection, rows), strict=True))


def page(connection: Read, wanted: DatasetFilter, page: Page) -> Slice[DatasetRow]:
    """Datasets by namespace and name."""
    found = paging.paginate(connection, _matching(connection, wanted), _ORDER, page)
    return found.of(_records(connection, found.items))


def count(connection: Read, wanted: DatasetFilter) -> int:
    """How many match."""
    return paging.count(connection, _matching(connection, wanted))


def aliases(connection: Read, ids: Collection[int]) -> dict[int, list[AliasRow]]:
    """The other names of each dataset, in the order of lists."""
    rows = connection.execute(
        select(
            dataset.c.canonical_id,
            namespace.c.name,
            dataset.c.name,
            func.coalesce(func.max(dataset_alias.c.type), ""),
        )
        .join(namespace, namespace.c.id == dataset.c.namespace_id)
        .outerjoin(dataset_alias, dataset_alias.c.alias_id == dataset.c.id)
        .where(any_of(connection, dataset.c.canonical_id, ids), dataset.c.id != dataset.c.canonical_id)
        .group_by(dataset.c.canonical_id, dataset.c.id, dataset.c.name, dataset.c.sort_key, namespace.c.name)
        .order_by(dataset.c.sort_key, dataset.c.id)
    )
    result: dict[int, list[AliasRow]] = defaultdict(list)
    for owner, *said in rows:
        result[owner].append(AliasRow(*said))
    return result


def columns(connection: Read, ids: Collection[int]) -> dict[int, list[str]]:
    """Every column of each dataset that a schema or a lineage ever named, by name."""
    rows = connection.execute(
        select(dataset.c.canonical_id, field.c.name)
        .join(field, field.c.dataset_id == dataset.c.id)
        .where(any_of(connection, dataset.c.canonical_id, ids))
    )
    result: dict[int, set[str]] = defaultdict(set)
    for owner, name in rows:
        result[owner].add(name)
    return {owner: sorted(names) for owner, names in result.items()}


def column_names(connection: Read, ids: Collection[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """What columns are called, by the id of any name of their dataset and the id that they have under this name."""
    asked = dataset.alias("asked")
    rows = connection.execute(
        select(asked.c.id, field.c.id, field.c.name)
        .join(dataset, dataset.c.canonical_id == asked.c.canonical_id)
        .join(field, field.c.dataset_id == dataset.c.id)
        .where(any_of(connection, asked.c.id, {owner for owner, _ in ids}))
    )
    wanted = set(ids)
    return {
        (owner, id): name
        for owner, said, name in rows
        # Under the name it is asked by nobody need have said it.
        for id in (said, field_id(owner, name))
        if (owner, id) in wanted
    }


def updated_at(connection: Read, ids: Collection[int]) -> dict[int, int]:
    """When each dataset was last read, written or declared, or a facet of it changed; never heard of: missing."""
    mine = any_of(connection, dataset.c.canonical_id, ids)
    # By statements, each of whose last runs the index says: a dataset has few of those, and many runs.
    last = select(func.max(run_statement.c.last_at)).where(
        run_statement.c.statement_id == statement_dataset.c.statement_id
    )
    used = select(dataset.c.canonical_id.label("id"), func.max(last.scalar_subquery()).label("at")).join(
        statement_dataset, statement_dataset.c.dataset_id == dataset.c.id
    )
    declared = select(dataset.c.canonical_id.label("id"), func.max(run_dataset.c.last_at).label("at")).join(
        run_dataset, and_(run_dataset.c.dataset_id == dataset.c.id, run_dataset.c.last_at.is_not(None))
    )
    said = select(dataset.c.canonical_id.label("id"), func.max(facet.c.valid_from).label("at")).join(
        facet, facet.c.subject_id == dataset.c.id
    )
    both = union_all(*(each.where(mine).group_by(dataset.c.canonical_id) for each in (used, declared, said))).subquery()
    rows = connection.execute(select(both.c.id, func.max(both.c.at)).group_by(both.c.id))
    return {id: at for id, at in rows}  # noqa: C416 - rows, not pairs, to mypy


def deleted_at(connection: Read, ids: Collection[int]) -> dict[int, int]:
    """Since when each dataset has been gone: dropped and not written again. The others are missing."""
    last = {id: intervals[-1] for id, intervals in dead(connection, ids).items()}
    return {id: one.start for id, one in last.items() if one.end == FOREVER}


def gone(connection: Read, ids: Collection[int], at: int) -> dict[int, Interval]:
    """Those of these datasets, by any of their names, that were gone at a moment: from when until when."""
    rows = connection.execute(select(dataset.c.id, dataset.c.canonical_id).where(any_of(connection, dataset.c.id, ids)))
    shown = {name: id for name, id in rows}  # noqa: C416 - rows, not pairs, to mypy
    intervals = dead(connection, set(shown.values()))
    holes = ((name, hole) for name, id in shown.items() for hole in intervals.get(id, ()))
    return {name: hole for name, hole in holes if hole.start <= at < hole.end}


def dead(connection: Read, ids: Collection[int]) -> dict[int, list[Interval]]:
    """When these datasets were gone, if ever; a second drop of what is gone already changes nothing."""
    rows = connection.execute(
        select(dataset.c.canonical_id, dataset.c.id).where(any_of(connection, dataset.c.canonical_id, ids))
    )
    names: dict[int, list[int]] = defaultdict(list)
    for owner, name in rows:
        names[owner].append(name)
    return {id: joined(intervals) for id, intervals in deaths(connection, names).whole.items()}


def _matching(connection: Read, wanted: DatasetFilter) -> Select[Any]:
    """A name that fits brings its dataset, once."""
    name = dataset.alias("matching")
    groups = []
    if wanted.type is not None:
        groups.append(select(name.c.canonical_id).where(name.c.type == wanted.type, said_last(name, "datasetType")))
    if wanted.tag is not None:
        tagged = select(name.c.canonical_id).join(tag, tag.c.subject_id == name.c.id)
        groups.append(tagged.where(tag.c.tag_key == key("tag", wanted.tag), said_last(name, "tags")))
    if wanted.owner is not None:
        owned = select(name.c.canonical_id).join(ownership, ownership.c.subject_id == name.c.id)
        mine = ownership.c.owner_key == key("owner", wanted.owner)
        groups.append(owned.where(mine, said_last(name, "ownership")))
    found = _SHOWN.where(dataset.c.id == dataset.c.canonical_id, *(dataset.c.id.in_(group) for group in groups))
    if fits := _fits(connection, dataset, wanted):
        # Few datasets have other names: those are found first, so that a page is read in the order of its index.
        others = select(name.c.canonical_id).where(name.c.id != name.c.canonical_id, *_fits(connection, name, wanted))
        found = found.where(or_(and_(*fits), among_found(dataset.c.id, others)))
    return found


def _fits(connection: Read, name: FromClause, wanted: DatasetFilter) -> list[ColumnElement[bool]]:
    """What has to be true of one of the names."""
    fits: list[ColumnElement[bool]] = []
    if wanted.namespace is not None:
        fits.append(name.c.namespace_id == namespace_id(wanted.namespace))
    if wanted.name_contains:
        fits.append(contains(connection, name.c.name, wanted.name_contains))
    if wanted.name_prefix:
        fits.append(begins(connection, name.c.name, wanted.name_prefix))
    return fits


def _records(connection: Read, rows: Sequence[Row[Any]]) -> list[DatasetRow]:
    said = _said_of_groups(connection, [row.id for row in rows if row.has_aliases])
    return [
        replace(
            DatasetRow(row.id, row.namespace, row.name, row.type, row.sub_type, row.description, row.created_at),
            **said.get(row.id, {}),
        )
        for row in rows
    ]


def _said_of_groups(connection: Read, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """What holds of datasets with several names: of what was said under each, the latest."""
    if not ids:
        return {}
    rows = connection.execute(
        select(
            dataset.c.id,
            select(func.min(_other.c.created_at))
            .where(_other.c.canonical_id == dataset.c.id)
            .scalar_subquery()
            .label("created_at"),
            last(dataset.c.id, "datasetType", SPEAKER.c.type).label("type"),
            last(dataset.c.id, "datasetType", SPEAKER.c.sub_type).label("sub_type"),
            last(dataset.c.id, "documentation", SPEAKER.c.description).label("description"),
        ).where(any_of(connection, dataset.c.id, ids))
    ).mappings()
    return {row["id"]: {column: row[column] for column in row if column != "id"} for row in rows}
