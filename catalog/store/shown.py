"""What there is to say of the nodes and edges that a walk found, looked up for all at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeAlias

from sqlalchemy import ColumnElement, ScalarSelect, case, func, select

from catalog.domain.words import EntityKind
from catalog.store.among import Prepared, among
from catalog.store.dialect import listed
from catalog.store.engine import Read
from catalog.store.tables import dataset, job, log_entry, namespace, run

Named: TypeAlias = tuple[int, EntityKind, str, str]
"""The id of a node, what it is, the namespace and the name it is shown under."""

_DATASETS = Prepared(
    select(dataset.c.id, dataset.c.type, namespace.c.name, dataset.c.name)
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
_LAST_POINTS = Prepared(
    select(job.c.id, job.c.last_point_at, job.c.last_point_run).where(
        among(job.c.id, "ids"), job.c.last_point_run.is_not(None)
    )
)


def named(connection: Read, nodes: Iterable[int], kinds: Mapping[int, EntityKind]) -> Iterator[Named]:
    """Datasets, jobs and runs with their names, as `kinds` says; the others are datasets, which may be models."""
    datasets = [id for id in nodes if id not in kinds]
    for id, type, space, name in _DATASETS.rows(connection, {"ids": datasets}) if datasets else ():
        yield id, _DATASET if type is None or type.upper() != _MODEL.value else _MODEL, space, name
    for kind, statement in ((EntityKind.JOB, _JOBS), (EntityKind.RUN, _RUNS)):
        ids = [id for id in nodes if kinds.get(id) is kind] if kinds else ()
        for id, space, name in statement.rows(connection, {"ids": ids}) if ids else ():
            yield id, kind, space, name


def last_runs(connection: Read, asked: Collection[tuple[int, int]]) -> Mapping[tuple[int, int], tuple[int, int]]:
    """For each (job, moment) the last run completed with lineage by then; else the last with lineage seen by then.

    The answer is when it was last seen until that moment, and which run.
    """
    points = {id: (at, run_id) for id, at, run_id in _LAST_POINTS.rows(connection, {"ids": {job for job, _ in asked}})}
    # Mostly the moment is now, and the job itself knows.
    found = {(id, moment): points[id] for id, moment in asked if id in points and points[id][0] <= moment}
    rest = sorted(set(asked) - found.keys())
    return {**found, **_last_runs_before(connection, rest)} if rest else found


def _last_runs_before(connection: Read, asked: list[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, int]]:
    wanted = listed(connection, ("job", "moment"), asked)

    def newest(at: ColumnElement[int | None], *where: ColumnElement[bool]) -> ScalarSelect[int]:
        seen = select(run.c.id).where(run.c.job_id == wanted.c.job, at <= wanted.c.moment, *where)
        return seen.order_by(at.desc(), run.c.id.desc()).limit(1).correlate(wanted).scalar_subquery()

    # One after the other, as most jobs have completed: then the second is never looked for.
    with_lineage = run.c.version_id.is_not(None)
    chosen = func.coalesce(newest(run.c.completed_at, with_lineage), newest(run.c.first_at, with_lineage))
    found = select(wanted.c.job, wanted.c.moment, chosen.label("run")).subquery()
    # A run may have gone on behind the moment: what it had said by then, its entries know.
    said = select(func.max(log_entry.c.event_time)).where(
        log_entry.c.activity_id == run.c.id, log_entry.c.event_time <= found.c.moment
    )
    at = case((run.c.completed_at <= found.c.moment, run.c.completed_at), else_=said.scalar_subquery())
    rows = connection.execute(
        select(found.c.job, found.c.moment, func.coalesce(at, run.c.first_at), run.c.id).join(
            found, found.c.run == run.c.id
        )
    )
    return {(job_id, moment): (at, id) for job_id, moment, at, id in rows}
