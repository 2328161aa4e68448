"""What each version of a job does that the one before did not: read from what a run of each said."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import func, select

from catalog.domain.job_changes import JobChanges, Work, compare, work
from catalog.domain.statement import Statement
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.names import Names
from catalog.store.read import same_work, versions
from catalog.store.statements import Statements
from catalog.store.tables import job_version, run


class Step(NamedTuple):
    """From one version of a job to another, by their ids."""

    before: int
    after: int
    job: int


def of_versions(connection: Read, ids: Collection[int]) -> dict[int, JobChanges]:
    """The changes from the version before to each of these; the first of a job, before which none was, is missing."""
    steps = _before(connection, ids)
    changes = between(connection, steps.values())
    return {id: changes[step] for id, step in steps.items()}


def between(connection: Read, steps: Collection[Step]) -> dict[Step, JobChanges]:
    """The changes of each of these steps."""
    runs = versions.latest_runs(connection, {version for step in steps for version in (step.before, step.after)})
    said = Statements(connection).of_runs(runs.values())
    shown = _shown(connection, said)

    def done(version: int, job: int) -> Work:
        return work(said[runs[version]], job, shown.__getitem__)

    return {step: compare(done(step.before, step.job), done(step.after, step.job)) for step in steps}


def _before(connection: Read, ids: Collection[int]) -> dict[int, Step]:
    """For each version the step to it from the one before: in the order in which runs first completed with them."""
    jobs = select(job_version.c.job_id).where(any_of(connection, job_version.c.id, ids))
    same = same_work.of_versions(connection, ids)
    runs, version = same_work.told_as(connection, same)
    done = (
        select(run.c.job_id, version.label("version_id"), func.min(run.c.completed_at).label("created_at"))
        .select_from(runs)
        .where(run.c.job_id.in_(jobs), run.c.version_id.is_not(None), run.c.completed_at.is_not(None))
        .group_by(run.c.job_id, version)
        .subquery("done")
    )
    turn = (done.c.created_at, done.c.version_id)
    earlier = func.lag(done.c.version_id).over(partition_by=done.c.job_id, order_by=turn).label("earlier")
    rows = connection.execute(select(done.c.version_id, earlier, done.c.job_id))
    steps = {id: Step(previous, id, job) for id, previous, job in rows if previous is not None}
    return {id: steps[told] for id in ids if (told := same.get(id, id)) in steps}


def _shown(connection: Read, said: Mapping[int, Statement]) -> Mapping[int, int]:
    """The ids that all datasets are shown under that are named here."""
    names = Names(connection)
    names.learn({id for one in said.values() for id in one.datasets})
    return names.canonical
