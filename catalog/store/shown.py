"""What there is to say of the nodes and edges that a walk found, looked up for all at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from sqlalchemy import select

from catalog.domain.words import EntityKind
from catalog.store.among import Prepared, among
from catalog.store.engine import Read
from catalog.store.read.subjects import last_type
from catalog.store.tables import dataset, job, namespace, run

Named: TypeAlias = tuple[int, EntityKind, str, str]
"""The id of a node, what it is, the namespace and the name it is shown under."""

_DATASETS = Prepared(
    select(dataset.c.id, last_type(dataset), namespace.c.name, dataset.c.name)
    .join(namespace, namespace.c.id == dataset.c.namespace_id)
    .where(among(dataset.c.id, "ids"))
)
_JOBS = Prepared(
    select(job.c.id, namespace.c.name, job.c.name)
    .join(namespace, namespace.c.id == job.c.namespace_id)
    .where(among(job.c.id, "ids"))
)
# A run is named by its run id, in the namespace of its job.
_RUNS = Prepared(
    select(run.c.id, namespace.c.name, run.c.run_id)
    .join(job, job.c.id == run.c.job_id)
    .join(namespace, namespace.c.id == job.c.namespace_id)
    .where(among(run.c.id, "ids"))
)
_DATASET, _MODEL = EntityKind.DATASET, EntityKind.MODEL


def named(connection: Read, nodes: Iterable[int], kinds: Mapping[int, EntityKind]) -> Iterator[Named]:
    """Datasets, jobs and runs with their names, as `kinds` says; the others are datasets, which may be models."""
    datasets = [id for id in nodes if id not in kinds]
    for id, type, space, name in _DATASETS.rows(connection, {"ids": datasets}) if datasets else ():
        yield id, _DATASET if type is None or type.upper() != _MODEL.value else _MODEL, space, name
    for kind, statement in ((EntityKind.JOB, _JOBS), (EntityKind.RUN, _RUNS)):
        ids = [id for id in nodes if kinds.get(id) is kind] if kinds else ()
        for id, space, name in statement.rows(connection, {"ids": ids}) if ids else ():
            yield id, kind, space, name
