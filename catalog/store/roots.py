"""Where a lineage walk begins: what a person named, as nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select

from catalog.domain.errors import BadRequest, UnknownEntity
from catalog.domain.ids import dataset_id, field_id, job_id
from catalog.domain.lineage import EntityRef
from catalog.domain.words import EntityKind, Granularity
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.hop import ColumnName
from catalog.store.read.runs import find_run
from catalog.store.tables import dataset, job
from catalog.store.tables import field as column

_SHOWN = 10


@dataclass(slots=True)
class Roots:
    """What each root is; of those that are columns, which."""

    kinds: dict[int, EntityKind] = field(default_factory=dict)
    columns: dict[int, ColumnName] = field(default_factory=dict)


def find_roots(connection: Read, refs: Iterable[EntityRef], granularity: Granularity) -> Roots:
    """The nodes these references name. A column is its dataset where columns are no nodes.

    Raises:
        UnknownEntity: one of them is not in the catalog.
        BadRequest: a column is asked for and not named.
    """
    roots, refs = Roots(), list(refs)
    known = _known(connection, refs)
    for ref in refs:
        id, kind = _find(connection, ref, known)
        if ref.kind is EntityKind.COLUMN and granularity is Granularity.COLUMN:
            named = _find_column(connection, ref, id)
            id, kind = field_id(*named), EntityKind.COLUMN
            roots.columns[id] = named
        roots.kinds[id] = kind
    return roots


def _known(connection: Read, refs: Iterable[EntityRef]) -> dict[int, int]:
    """The datasets and jobs there are, by the id of the name that was given: a statement each, however many."""
    jobs = [job_id(ref.namespace, ref.name) for ref in refs if ref.kind is EntityKind.JOB]
    others = (EntityKind.JOB, EntityKind.RUN)
    datasets = [dataset_id(ref.namespace, ref.name) for ref in refs if ref.kind not in others]
    known: dict[int, int] = {}
    if jobs:
        known |= {id: id for id in connection.scalars(select(job.c.id).where(any_of(connection, job.c.id, jobs)))}
    if datasets:
        found = select(dataset.c.id, dataset.c.canonical_id).where(any_of(connection, dataset.c.id, datasets))
        known |= {id: shown for id, shown in connection.execute(found)}  # noqa: C416 - rows, not pairs, to mypy
    return known


def _find(connection: Read, ref: EntityRef, known: Mapping[int, int]) -> tuple[int, EntityKind]:
    """What a reference names: a dataset by any of its names, in place of a column of it."""
    kind, id = ref.kind, None
    if kind is EntityKind.RUN:
        id = find_run(connection, ref.name, ref.namespace)
    elif kind is EntityKind.JOB:
        id = known.get(job_id(ref.namespace, ref.name))
    else:
        kind = EntityKind.DATASET
        id = known.get(dataset_id(ref.namespace, ref.name))
    if id is None:
        shown = kind if ref.kind is EntityKind.COLUMN else ref.kind
        raise UnknownEntity(f"There is no {shown.value.lower()} '{ref.name}' in namespace '{ref.namespace}'.")
    return id, kind


def _find_column(connection: Read, ref: EntityRef, owner: int) -> ColumnName:
    """The column of this dataset, named under any of the dataset's names."""
    if ref.column is None:
        raise BadRequest(
            f"A column of '{ref.name}' is asked for, and not which.",
            fix="Name it with `column`, or ask for the dataset: every column.",
        )
    same = connection.scalars(select(dataset.c.id).where(dataset.c.canonical_id == owner)).all()
    wanted = column.c.id.in_([field_id(name, ref.column) for name in same])
    if connection.scalar(select(column.c.id).where(wanted).limit(1)) is None:
        known = select(column.c.name).where(column.c.dataset_id.in_(same)).distinct()
        names = connection.scalars(known.order_by(column.c.name).limit(_SHOWN + 1)).all()
        more = " …" if len(names) > _SHOWN else ""
        said = f"It has {', '.join(names[:_SHOWN])}{more}." if names else "No column of it was ever named."
        raise UnknownEntity(
            f"There is no column '{ref.column}' in dataset '{ref.name}' in namespace '{ref.namespace}'.", fix=said
        )
    return ColumnName(owner, ref.column)
