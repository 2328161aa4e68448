"""Datasets: a record for each, under the name it is shown by; any of its names finds it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, Select, and_, exists, func, or_, select, union_all

from catalog.domain.ids import field_id, key, namespace_id
from catalog.domain.timeline import FOREVER, joined
from catalog.domain.words import Scope
from catalog.store import paging
from catalog.store.among import among_found
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.liveness import dead_intervals
from catalog.store.paging import Order, Page, Slice
from catalog.store.read.subjects import begins, contains, said_last
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
    rows = connection.execute(
        select(dataset.c.canonical_id, dataset.c.id).where(any_of(connection, dataset.c.canonical_id, ids))
    )
    names: dict[int, list[int]] = defaultdict(list)
    for owner, name in rows:
        names[owner].append(name)
    # A second drop of what is gone already changes nothing.
    dead = {id: joined(intervals)[-1] for id, intervals in dead_intervals(connection, names).items()}
    return {id: last.start for id, last in dead.items() if last.end == FOREVER}


def _matching(connection: Read, wanted: DatasetFilter) -> Select[Any]:
    """A name that fits brings its dataset, once."""
    name = dataset.alias("matching")
    groups = []
    if wanted.type is not None:
        groups.append(select(name.c.canonical_id).where(name.c.type == wanted.type))
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
    documented, typed = key("facet", "documentation"), key("facet", "datasetType")
    now = and_(
        facet.c.subject_id == dataset.c.id,
        facet.c.scope == int(Scope.DATASET),
        or_(facet.c.name_key == documented, facet.c.name_key == typed),
        facet.c.valid_to == FOREVER,
    )
    names = connection.execute(
        select(dataset, facet.c.name_key, facet.c.valid_from, facet.c.tie)
        .outerjoin(facet, now)
        .where(any_of(connection, dataset.c.canonical_id, ids))
        # Of two names in one event the one that is shown says what holds, or else the first.
        .order_by(facet.c.valid_from, facet.c.tie, dataset.c.id == dataset.c.canonical_id,
                  dataset.c.sort_key.desc(), dataset.c.id.desc())
    )  # fmt: skip
    result: dict[int, dict[str, Any]] = defaultdict(dict)
    for row in names:
        said = result[row.canonical_id]
        said["created_at"] = min(row.created_at, said.get("created_at", row.created_at))
        if row.name_key == documented:
            said["description"] = row.description
        elif row.name_key == typed:
            said |= {"type": row.type, "sub_type": row.sub_type}
    return result
