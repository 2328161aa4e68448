"""What an event means: Event -> Projection. Pure, and done before any lock is taken.

Facet modules say what a facet means; this module puts their words together with the envelope's.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256

import msgspec

from catalog import facets
from catalog.domain.changes import (
    Change,
    ChildOf,
    CodeAt,
    ColumnsFrom,
    Explicit,
    LifecycleChanged,
    LineageEntry,
    Measured,
    Name,
    RunName,
    Scheduled,
    Source,
    Symlinked,
    Transformation,
    Versioned,
)
from catalog.domain.event import DatasetMention, Event, Facets
from catalog.domain.ids import dataset_id, digest_key, job_id, run_id
from catalog.domain.projection import (
    DELETED,
    DatasetUse,
    Declaration,
    FacetKey,
    FacetSaid,
    FacetSeen,
    JobParent,
    Projection,
    RunFacts,
    Stamp,
    Symlink,
)
from catalog.domain.statement import End, Flow, Statement
from catalog.domain.words import EventKind, Lifecycle, Node, Role, RunState, Scope
from catalog.ingest.times import parse_time

_PER_RUN = frozenset({"inputStatistics", "outputStatistics"})
"""Facets that differ with every run and stand in its own row: no history is kept of them."""


def project(event: Event) -> Projection:
    """Everything the graph learns from one event."""
    stamp = Stamp(event.event_time, digest_key(event.digest))
    subject = _subject_id(event)
    activity = stamp.tie if event.run_id is None else run_id(subject, event.run_id)
    projecting = _Projecting(event, Projection(event.kind, stamp, activity, subject))
    projecting.read_job()
    projecting.read_run()
    for mention in event.datasets:
        projecting.read_dataset(mention)
    return projecting.finish()


def _subject_id(event: Event) -> int:
    if event.job is not None:
        return job_id(event.job.namespace, event.job.name)
    return dataset_id(event.datasets[0].name.namespace, event.datasets[0].name.name)


class _Projecting:
    """One event on its way into a Projection."""

    def __init__(self, event: Event, into: Projection) -> None:
        self.event = event
        self.into = into
        self.inputs: set[int] = set()
        self.outputs: set[int] = set()
        self.columns: set[Flow] = set()
        self.entries: set[Flow] = set()
        self.targets: set[End] = set()
        self.code: set[str] = set()
        self.explicit = False

    def read_job(self) -> None:
        """The job and what its facets say."""
        if self.event.job is None:
            return
        subject = self.job(self.event.job)
        for _, change in self.understood(Scope.JOB, subject, self.event.job_facets):
            match change:
                case Explicit(entries):
                    self.state_explicit(entries, End(Node.JOB, subject))
                case CodeAt(location):
                    self.code.add(location)
                case _:
                    pass  # Tags, owners and the like live with the facet.

    def read_run(self) -> None:
        """The run: its state from the event type, its time and its parents from facets."""
        if self.event.run_id is None:
            return
        at, into, state = self.event.event_time, self.into, self.event.state
        facts = RunFacts(
            into.activity_id,
            into.subject_id,
            self.event.run_id,
            state=state,
            first_at=at,
            last_at=at,
            started_at=at if state is RunState.START else None,
            completed_at=at if state is RunState.COMPLETE else None,
            failed_at=at if state is RunState.FAIL else None,
            aborted_at=at if state is RunState.ABORT else None,
        )
        into.runs[facts.id] = facts
        for _, change in self.understood(Scope.RUN, facts.id, self.event.run_facets):
            match change:
                case ChildOf(parent, root):
                    facts |= self.child_of(facts, parent, root)
                case Scheduled(start, end):
                    facts |= RunFacts(
                        facts.id,
                        facts.job_id,
                        facts.run_id,
                        nominal_start=_time_or_none(start),
                        nominal_end=_time_or_none(end),
                        nominal_stamp=into.stamp,
                    )
                case _:
                    pass  # Other run facets are read from the log when they are asked for.
        into.runs[facts.id] = facts

    def read_dataset(self, mention: DatasetMention) -> None:
        """One mention of a dataset and what its facets say."""
        subject = self.dataset(mention.name)
        at, stamp = self.event.event_time, self.into.stamp
        use = DatasetUse(self.into.activity_id, subject, mention.role, at, at)
        if mention.role is Role.INPUT:
            self.inputs.add(subject)
        elif mention.role is Role.OUTPUT:
            self.outputs.add(subject)
        io_scope = Scope.INPUT if mention.role is Role.INPUT else Scope.OUTPUT
        said = [
            *self.understood(Scope.DATASET, subject, mention.facets),
            *self.understood(io_scope, subject, mention.io_facets),
        ]
        for name, change in said:
            match change:
                case Symlinked(names):
                    self.symlink(subject, names)
                case ColumnsFrom(flows) if mention.role is not Role.INPUT:
                    self.state_columns(subject, flows)
                case Explicit(entries) if self.event.kind is EventKind.DATASET:
                    self.state_explicit(entries, End(Node.DATASET, subject))
                case LifecycleChanged(what, _):
                    with suppress(KeyError):
                        use |= _use(use, lifecycle=Lifecycle[what])
                case Versioned(label):
                    use |= _use(use, label=label, label_stamp=stamp)
                case Measured(rows, size, files) if name in _PER_RUN:
                    use |= _use(use, rows=rows, size=size, files=files, measured_stamp=stamp)
                case _:
                    pass  # Tags, owners and the like live with the facet.
        self.into.uses.append(use)

    def finish(self) -> Projection:
        """The projection, with the statement the event makes."""
        if self.event.kind is EventKind.DATASET:
            # What a dataset event says of columns is about the dataset it declares.
            self.outputs.add(self.into.subject_id)
        self.into.statement = Statement(
            frozenset(self.inputs),
            frozenset(self.outputs),
            frozenset(self.columns),
            self.explicit,
            frozenset(self.entries),
            frozenset(self.targets),
            frozenset(self.code),
        )
        if self.event.kind is not EventKind.RUN:
            is_job = self.event.kind is EventKind.JOB
            self.into.declaration = Declaration(self.into.subject_id, is_job, self.into.stamp, self.into.activity_id)
        return self.into

    def understood(self, scope: Scope, subject: int, given: Facets) -> list[tuple[str, Change]]:
        """The changes of every facet a module understands; every facet is noted for the history."""
        found: list[tuple[str, Change]] = []
        noted = self.into.facets
        for name, payload in given.items():
            said = _said(scope, name, payload)
            if scope is not Scope.RUN and name not in _PER_RUN:
                noted.append(FacetSeen(FacetKey(subject, scope, name), said))
            if said.changes:
                found += [(name, change) for change in said.changes]
        return found

    def state_columns(self, target: int, flows: Iterable[tuple[str | None, Source]]) -> None:
        """Flows of a columnLineage facet into the columns of `target`, or into it as a whole."""
        for column, source in flows:
            self.columns.update(self.flows(source, End(Node.DATASET, target, column or "")))

    def state_explicit(self, entries: Iterable[LineageEntry], own: End) -> None:
        """Entries of a lineage facet; `own` is what an entry without a name is about."""
        self.explicit = True
        for entry in entries:
            target = self.end(entry.type, entry.name, own)
            if target is None:
                continue
            self.targets.add(target)
            for source in entry.sources:
                self.entries.update(self.flows(source, target))
            for column, source in entry.fields:
                into = End(target.node, target.id, column)
                self.entries.update(self.flows(source, into))

    def flows(self, source: Source, target: End) -> Iterable[Flow]:
        """One flow per transformation; a source without one flows untransformed."""
        end = self.end(source.type, source.name, End(Node.JOB, self.into.subject_id))
        if end is None:
            return
        if end.node == Node.DATASET:
            end = End(end.node, end.id, source.field or "")
        for how in source.transformations or (Transformation(),):
            yield Flow(end, target, how.type, how.subtype, how.description, how.masking)

    def end(self, kind: str, name: Name | None, own: End) -> End | None:
        """The node a lineage entry names. Kinds this version does not know make no edge; the facet keeps them."""
        match kind.upper():
            case "JOB":
                return own if name is None else End(Node.JOB, self.job(name))
            case "DATASET" if name is not None:
                return End(Node.DATASET, self.dataset(name))
            case "DATASET" if own.node == Node.DATASET:
                return own
            case _:
                return None

    def symlink(self, dataset: int, names: Iterable[tuple[Name, str]]) -> None:
        """Other names of a dataset. A name that links to itself says nothing."""
        for name, kind in names:
            alias = self.dataset(name)
            if alias != dataset:
                self.into.symlinks.append(Symlink(dataset, alias, kind))

    def child_of(self, facts: RunFacts, parent: RunName, root: RunName | None) -> RunFacts:
        """The parents of a run; a run that names itself as parent (old Airflow) has none."""
        parent_id = self.run(parent)
        root_id = self.run(root) if root else None
        if parent_id == facts.id:
            return facts
        parent_job = self.job(parent.job)
        if parent_job != facts.job_id:
            self.into.job_parents.append(JobParent(facts.job_id, parent_job, self.into.stamp))
        return RunFacts(
            facts.id,
            facts.job_id,
            facts.run_id,
            parent_id=parent_id,
            root_id=root_id,
            parent_stamp=self.into.stamp,
        )

    def dataset(self, name: Name) -> int:
        """The id of a dataset, noted so that it gets a row."""
        id = dataset_id(name.namespace, name.name)
        self.into.datasets[id] = (name.namespace, name.name)
        return id

    def job(self, name: Name) -> int:
        """The id of a job, noted so that it gets a row."""
        id = job_id(name.namespace, name.name)
        self.into.jobs[id] = (name.namespace, name.name)
        return id

    def run(self, name: RunName) -> int:
        """The id of a run that this event only names; its own events may still come."""
        job = self.job(name.job)
        id = run_id(job, name.run)
        self.into.runs.setdefault(id, RunFacts(id, job, name.run))
        return id


def _said(scope: Scope, name: str, payload: bytes) -> FacetSaid:
    """What a facet says. Pipelines repeat themselves, so most were read a moment ago; large ones are not kept."""
    return (_read_before if len(payload) < _KEPT_BYTES else _read)(scope, name, payload)


def _read(scope: Scope, name: str, payload: bytes) -> FacetSaid:
    if scope in (Scope.JOB, Scope.DATASET) and _is_deleted(payload):
        return FacetSaid(None, None, DELETED)
    return FacetSaid(payload, _changes(scope, name, payload), digest_key(sha256(payload).digest()) or 1)


_KEPT_BYTES = 16 * 1024
_read_before = lru_cache(maxsize=4_096)(_read)


def _changes(scope: Scope, name: str, payload: bytes) -> tuple[Change, ...] | None:
    """What the facet means, None where no module understands it or its shape."""
    facet = facets.find(scope, name)
    if facet is None:
        return None
    try:
        return facet.changes(payload)
    except ValueError:
        return None


def _is_deleted(payload: bytes) -> bool:
    # The cheap test first: hardly any facet has the key.
    if b'"_deleted"' not in payload:
        return False
    try:
        return _deletion.decode(payload).deleted
    except ValueError:
        return False


class _Deletion(msgspec.Struct, rename={"deleted": "_deleted"}):
    deleted: bool = False


_deletion = msgspec.json.Decoder(_Deletion)


def _use(use: DatasetUse, **said: object) -> DatasetUse:
    return DatasetUse(use.activity_id, use.dataset_id, use.role, use.first_at, use.last_at, **said)  # type: ignore[arg-type] # each caller names real fields


def _time_or_none(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return parse_time(text).at
    except ValueError:
        return None
