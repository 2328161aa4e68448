"""Which versions of a job did the same under other names: that a dataset got another name is no change of a job.

A version is addressed by the names that its runs used, as edges are; which names are one dataset may be learnt later.
To address versions anew whenever names are joined was refused: it would write every run that ever used one of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, FromClause, func, or_, select

from catalog.domain.statement import Statement
from catalog.store.dialect import any_of, listed
from catalog.store.engine import Read
from catalog.store.names import Names
from catalog.store.read.subjects import has_several
from catalog.store.statements import Statements
from catalog.store.tables import edge, job_version, run

_BY_SEVERAL_NAMES = or_(has_several(edge.c.source_id), has_several(edge.c.target_id))


def of_jobs(connection: Read, jobs: Collection[int]) -> dict[int, int]:
    """For versions of these jobs the one that they are told as: of those that did the same, the first.

    Those that are told as themselves are missing: mostly all.
    """
    concerned = _using_several_names(connection, jobs)
    if not concerned:
        return {}
    mine = any_of(connection, run.c.job_id, concerned)
    made = (
        select(run.c.job_id, run.c.version_id, func.min(run.c.completed_at).label("at"), func.max(run.c.id).label("of"))
        .where(mine, run.c.version_id.is_not(None), run.c.completed_at.is_not(None))
        .group_by(run.c.job_id, run.c.version_id)
    )
    versions: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for job, version, at, of in connection.execute(made):
        versions[job].append((at, version, of))
    several = {job: rows for job, rows in versions.items() if len(rows) > 1}
    said = Statements(connection).of_runs({of for rows in several.values() for _, _, of in rows})
    names = Names(connection)
    names.learn({id for one in said.values() for id in one.datasets})
    return _first_of_each(several, said, names.canonical) if names.members else {}


def _using_several_names(connection: Read, jobs: Collection[int]) -> Collection[int]:
    """Those of these jobs that ever read or wrote a dataset that has several names: mostly few."""
    used = select(edge.c.owner_id).distinct().where(any_of(connection, edge.c.owner_id, jobs), _BY_SEVERAL_NAMES)
    return connection.scalars(used).all()


def _first_of_each(
    versions: Mapping[int, list[tuple[int, int, int]]], said: Mapping[int, Statement], shown: Mapping[int, int]
) -> dict[int, int]:
    told: dict[int, int] = {}
    first: dict[tuple[int, Statement], int] = {}
    for job, rows in versions.items():
        for _, version, of in sorted(rows):
            one = first.setdefault((job, said[of].under(shown)), version)
            if one != version:
                told[version] = one
    return told


def of_versions(connection: Read, ids: Collection[int]) -> dict[int, int]:
    """The same for these versions and all others of their jobs."""
    owners = connection.scalars(select(job_version.c.job_id).where(any_of(connection, job_version.c.id, ids)))
    return of_jobs(connection, set(owners))


def told_as(connection: Read, same: Mapping[int, int]) -> tuple[FromClause, ColumnElement[int]]:
    """Runs, and the version that each is told to have, by the answer of `of_jobs`."""
    if not same:
        return run, run.c.version_id
    pairs = listed(connection, ("version_id", "told_id"), list(same.items()))
    # Grouped, SQLite makes an index of them; else it goes through all pairs for every run.
    other = select(pairs.c.version_id, pairs.c.told_id).group_by(*pairs.c).subquery("told")
    runs = run.outerjoin(other, other.c.version_id == run.c.version_id)
    return runs, func.coalesce(other.c.told_id, run.c.version_id)
