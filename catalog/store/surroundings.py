"""The entries of the log that what is asked could follow from.

What the catalog said at an earlier moment is found by making the graph of then again from the log. Of a large log only
a part can have a say in one answer: what was ever written about the things around those it is about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from sqlalchemy import select

from catalog.domain.ids import dataset_id, job_id, key
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.manual import is_manual
from catalog.domain.words import Direction, EntityKind, Node, Role
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.names import Names
from catalog.store.tables import (
    declaration,
    edge,
    field_edge,
    log_entry,
    run,
    run_dataset,
    run_statement,
    statement_dataset,
)

_WAYS = {Direction.UPSTREAM: (True,), Direction.DOWNSTREAM: (False,), Direction.BOTH: (True, False)}


@dataclass(slots=True)
class _Things:
    """Datasets under all their names, and jobs."""

    datasets: set[int] = field(default_factory=set)
    jobs: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.datasets or self.jobs)

    def add(self, other: _Things) -> None:
        self.datasets |= other.datasets
        self.jobs |= other.jobs

    def without(self, other: _Things) -> _Things:
        return _Things(self.datasets - other.datasets, self.jobs - other.jobs)


def entries_around(connection: Read, question: Question, until: int, most: int) -> list[int]:
    """Places in the log of what was received by `until` and can have a say in the answer: the first `most` + 1 of them.

    They are found by what is known now, whenever it held: a walk over everything that was ever read, written or
    declared, as far as the question goes. What is too much does no harm.
    """
    names = Names(connection)
    roots = _roots(connection, question.of)
    around = _Things()
    for upstream in _WAYS[question.direction]:
        seen, frontier = _Things(), roots
        for _ in range(question.depth + 1):
            frontier = _under_all_names(names, frontier).without(seen)
            if not frontier:
                break
            seen.add(frontier)
            frontier = _beside(connection, frontier, upstream=upstream)
        around.add(_under_all_names(names, frontier))
        around.add(seen)
    # Whoever names a dataset may say that it has another name, or is gone.
    subjects = around.datasets | around.jobs | _named_by(connection, around.datasets, tuple(Role))
    return list(
        connection.scalars(
            select(log_entry.c.seq)
            .where(
                any_of(connection, log_entry.c.subject_id, subjects),
                log_entry.c.received_at <= until,
                log_entry.c.failure.is_(None),
            )
            .order_by(log_entry.c.seq)
            .limit(most + 1)
        )
    )


def _roots(connection: Read, refs: Iterable[EntityRef]) -> _Things:
    found = _Things()
    for ref in refs:
        if ref.kind is EntityKind.RUN:
            # Of several jobs' runs with this id, which was meant then is not which is meant now.
            named = select(run.c.job_id).where(run.c.run_key == key("run_id", ref.name))
            found.jobs.update(connection.scalars(named))
        elif ref.kind is EntityKind.JOB:
            found.jobs.add(job_id(ref.namespace, ref.name))
        else:
            found.datasets.add(dataset_id(ref.namespace, ref.name))
    return found


def _under_all_names(names: Names, things: _Things) -> _Things:
    names.learn(things.datasets)
    return _Things(set(names.of({names.canonical[id] for id in things.datasets})), things.jobs)


def _beside(connection: Read, things: _Things, *, upstream: bool) -> _Things:
    """What is one hop away between datasets: the jobs at these datasets, and the datasets at the far side of jobs."""
    near, far = ((Role.OUTPUT, Role.DECLARED), (Role.INPUT,)) if upstream else ((Role.INPUT,), (Role.OUTPUT,))
    found = _Things(jobs=_named_by(connection, things.datasets, near))
    found.add(_across(connection, things, upstream=upstream))
    found.datasets |= _used_by(connection, things.jobs | found.jobs, far)
    return found


def _named_by(connection: Read, datasets: Collection[int], roles: Collection[Role]) -> set[int]:
    """Whose runs and events name one of these datasets in one of these roles: jobs, and datasets that declare."""
    wanted = [int(role) for role in roles]
    runs = (
        select(run.c.job_id)
        .join(run_statement, run_statement.c.run_id == run.c.id)
        .join(statement_dataset, statement_dataset.c.statement_id == run_statement.c.statement_id)
        .where(any_of(connection, statement_dataset.c.dataset_id, datasets), statement_dataset.c.role.in_(wanted))
    )
    events = select(run_dataset.c.activity_id).where(
        any_of(connection, run_dataset.c.dataset_id, datasets),
        run_dataset.c.last_at.is_not(None),
        run_dataset.c.role.in_(wanted),
    )
    declared = select(log_entry.c.subject_id).where(log_entry.c.activity_id.in_(events))
    return {*connection.scalars(runs.distinct()), *connection.scalars(declared.distinct())}


def _used_by(connection: Read, jobs: Collection[int], roles: Collection[Role]) -> set[int]:
    """The datasets that runs and declarations of these jobs name in one of these roles."""
    wanted = statement_dataset.c.role.in_([int(role) for role in roles])
    named = select(statement_dataset.c.dataset_id).distinct().where(wanted)
    by_runs = (
        named.join(run_statement, run_statement.c.statement_id == statement_dataset.c.statement_id)
        .join(run, run.c.id == run_statement.c.run_id)
        .where(any_of(connection, run.c.job_id, jobs))
    )
    by_events = named.join(declaration, declaration.c.statement_id == statement_dataset.c.statement_id).where(
        any_of(connection, declaration.c.owner_id, jobs)
    )
    return {*connection.scalars(by_runs), *connection.scalars(by_events)}


def _across(connection: Read, things: _Things, *, upstream: bool) -> _Things:
    """What edges of any time lead to, whoever made them: flows may name what is no input or output of a run."""
    found = _Things()
    ids = things.datasets | things.jobs
    for table, ends in ((edge, ("source_id", "target_id")), (field_edge, ("source_owner", "target_owner"))):
        source, target = (table.c[end] for end in ends)
        near, far = (target, source) if upstream else (source, target)
        node = table.c.source_node if upstream else table.c.target_node
        rows = connection.execute(select(far, node, table.c.owner_id).where(any_of(connection, near, ids)).distinct())
        for id, kind, owner in rows:
            (found.datasets if kind == Node.DATASET else found.jobs).add(id)
            if not is_manual(owner) and owner not in things.datasets:
                found.jobs.add(owner)
    return found
