"""The entries of the log that what is asked could follow from.

What the catalog said at an earlier moment is found by making the graph of then again from the log. Of a large log only
a part can have a say in one answer: what was ever written about the things around those it is about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from sqlalchemy import ColumnElement, Select, exists, select

from catalog.domain.ids import dataset_id, job_id, key, namespace_id
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.manual import is_manual
from catalog.domain.words import Direction, EntityKind, Granularity, Lifecycle, Node, Role
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.names import Names
from catalog.store.tables import (
    dataset,
    declaration,
    edge,
    field_edge,
    job,
    log_entry,
    run,
    run_dataset,
    run_statement,
    statement_dataset,
)

_WAYS = {Direction.UPSTREAM: (True,), Direction.DOWNSTREAM: (False,), Direction.BOTH: (True, False)}
_NAMING: Final = 500
"""How many entries are read for one thing that others only name: the first of those that may name it."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a question is about, and how far from there what it asks for may lie.

    It is about `of`, and about all datasets and jobs of the `namespace`; and about what is inside of these jobs, for so
    many levels (`parts`). `depth` is in hops between datasets. `counted` is the granularity at which neighbours are
    counted that the answer does not show, None: they are not.
    """

    of: tuple[EntityRef, ...] = ()
    direction: Direction = Direction.BOTH
    depth: int = 0
    namespace: str | None = None
    parts: int = 0
    counted: Granularity | None = None

    @classmethod
    def lineage(cls, question: Question) -> Self:
        """What a lineage question is about."""
        counted = question.granularity if question.hidden else None
        return cls(question.of, question.direction, question.depth, counted=counted)


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


def entries_around(connection: Read, wanted: Around | None, until: int, most: int) -> list[int]:
    """Places in the log of what was received by `until` and can have a say in the answer: the first `most` + 1 of them.

    They are found by what is known now, whenever it held: a walk over everything that was ever read, written or
    declared, as far as the question goes. What is too much does no harm. None is about everything.
    """
    if wanted is None:
        return list(connection.scalars(_received(until, most + 1)))
    subjects = _subjects(connection, wanted)
    places = connection.scalars(_received(until, most + 1, any_of(connection, log_entry.c.subject_id, subjects)))
    naming = (place for ref in wanted.of for place in _naming(connection, ref, until))
    return sorted({*places, *naming})[: most + 1]


def _received(until: int, most: int, *where: ColumnElement[bool]) -> Select[int]:
    """The first entries that the graph has."""
    wanted = (*where, log_entry.c.received_at <= until, log_entry.c.failure.is_(None))
    return select(log_entry.c.seq).where(*wanted).order_by(log_entry.c.seq).limit(most)


def _subjects(connection: Read, wanted: Around) -> set[int]:
    """Whose entries can have a say."""
    names = Names(connection)
    roots = _roots(connection, wanted.of)
    if wanted.namespace is not None:
        roots.add(_in_namespace(connection, wanted.namespace))
    inside = roots.jobs
    for _ in range(wanted.parts):
        inside = _parts(connection, inside) - roots.jobs
        roots.jobs |= inside
    shown, around = _Things(), _Things()
    for upstream in _WAYS[wanted.direction]:
        seen, frontier = _Things(), roots
        for _ in range(wanted.depth + 1):
            frontier = _under_all_names(names, frontier).without(seen)
            if not frontier:
                break
            seen.add(frontier)
            frontier = _beside(connection, frontier, upstream=upstream)
        around.add(_under_all_names(names, frontier))
        shown.add(seen)
    around.add(shown)
    ids = around.datasets | around.jobs
    if wanted.counted is not None:
        beyond = _neighbours(connection, names, shown) - around.datasets
        # How runs are joined depends on whoever else read and wrote it.
        beyond = beyond if wanted.counted is Granularity.RUN else _in_doubt(connection, names, beyond)
        around.datasets |= beyond
    # Whoever names a dataset may say that it has another name, or is gone.
    named = _named_by(connection, around.datasets, tuple(Role))
    return ids | around.datasets | named | _saying(connection, ids)


def _neighbours(connection: Read, names: Names, things: _Things) -> set[int]:
    """The datasets one hop away, either way, under all their names."""
    found = _Things()
    for upstream in (True, False):
        found.add(_beside(connection, things, upstream=upstream))
    return _under_all_names(names, found).datasets


def _in_doubt(connection: Read, names: Names, datasets: Collection[int]) -> set[int]:
    """Those that may not count, or not each: that ever had another name, or of which anybody said that they are gone.

    Of most datasets neither is so, and whoever else names them need not be heard.
    """
    found = {id for id in datasets if id in names.dropped or names.canonical[id] in names.members}
    # A run that dropped a dataset may have said since that it made it anew: it is no drop any more.
    said = (
        select(run_dataset.c.dataset_id)
        .distinct()
        .join(run_statement, run_statement.c.run_id == run_dataset.c.activity_id)
        .join(statement_dataset, statement_dataset.c.statement_id == run_statement.c.statement_id)
        .where(
            any_of(connection, statement_dataset.c.dataset_id, set(datasets) - found),
            run_dataset.c.dataset_id == statement_dataset.c.dataset_id,
            run_dataset.c.lifecycle.bitwise_and(int(Lifecycle.DROP)) != 0,
        )
    )
    return found.union(connection.scalars(said))


def _naming(connection: Read, ref: EntityRef, until: int) -> list[int]:
    """Entries of runs that name this run, or a run of this job, as what contains them: all that may be known of it."""
    if ref.kind is EntityKind.RUN:
        meant = select(run.c.id).where(run.c.run_key == key("run_id", ref.name))
        heard = exists().where(log_entry.c.activity_id.in_(meant), log_entry.c.received_at <= until)
    elif ref.kind is EntityKind.JOB:
        id = job_id(ref.namespace, ref.name)
        meant = select(run.c.id).where(run.c.job_id == id)
        heard = exists().where(log_entry.c.subject_id == id, log_entry.c.received_at <= until)
    else:
        return []
    is_known = bool(connection.scalar(select(heard)))
    # Runs of several jobs may have one id: that one of them was heard of says nothing of the others.
    if is_known and ref.kind is EntityKind.JOB:
        return []
    child = run.alias("child")
    # Of roots there is no index: they are looked for where nothing else is known.
    for said in (child.c.parent_id,) if is_known else (child.c.parent_id, child.c.root_id):
        naming = select(child.c.id).where(said.in_(meant))
        if found := connection.scalars(_received(until, _NAMING, log_entry.c.activity_id.in_(naming))).all():
            return list(found)
    return []


def _saying(connection: Read, ids: Collection[int]) -> set[int]:
    """Who says that there are edges at these: they may be known by that alone. What a person says is of the target."""
    ends = (edge.c.source_id, edge.c.target_id)
    told = (select(edge.c.owner_id, edge.c.target_id).where(any_of(connection, end, ids)).distinct() for end in ends)
    rows = (row for statement in told for row in connection.execute(statement))
    return {target if is_manual(owner) else owner for owner, target in rows}


def _in_namespace(connection: Read, name: str) -> _Things:
    tables = (dataset, job)
    found = (connection.scalars(select(t.c.id).where(t.c.namespace_id == namespace_id(name))) for t in tables)
    return _Things(*map(set, found))


def _parts(connection: Read, jobs: Collection[int]) -> set[int]:
    """The jobs that are part of these, or have had runs inside of theirs."""
    outer, inner = run.alias("outer"), run.alias("inner")
    parts = select(job.c.id).where(any_of(connection, job.c.parent_id, jobs))
    ran_inside = select(inner.c.job_id).distinct().join(outer, outer.c.id == inner.c.parent_id)
    ran_inside = ran_inside.where(any_of(connection, outer.c.job_id, jobs))
    return {*connection.scalars(parts), *connection.scalars(ran_inside)}


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
    # One hop may lead through several jobs, each of which passes on what it got from another.
    passing = found.jobs - things.jobs
    while passing:
        further = _across(connection, _Things(jobs=passing), upstream=upstream)
        passing = further.jobs - found.jobs - things.jobs
        found.add(further)
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
