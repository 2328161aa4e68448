"""What an event means: Event -> Projection. Pure, and done before any lock is taken.

Facet modules say what a facet means; this module puts their words together with the envelope's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

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
from catalog.domain.event import DatasetMention, Event, Facets, Tolerated
from catalog.domain.ids import dataset_id, digest_key, job_id, run_id
from catalog.domain.projection import (
    DatasetUse,
    Declaration,
    FacetKey,
    FacetSeen,
    JobParent,
    Projection,
    Rename,
    RunFacts,
    Stamp,
    Symlink,
)
from catalog.domain.statement import End, Flow, Statement
from catalog.domain.words import EventKind, Lifecycle, Node, Role, RunState, Scope
from catalog.ingest.records import of_lineage
from catalog.ingest.said import said_by
from catalog.ingest.times import parse_time

_OF_LINEAGE = frozenset({"lineage", "columnLineage"})
"""Facets that edges are made of: a sender is told if they could not be read."""
_EXPLICIT = {(Scope.JOB, "lineage", "/job"), (Scope.DATASET, "lineage", "/dataset")}
"""Where the `lineage` facet says all that flows, readable or not."""
_PLACES = {Role.INPUT: "/inputs", Role.OUTPUT: "/outputs", Role.DECLARED: "/dataset"}
_MOST_NOTES = 100
_SHOWN = 60

_PER_RUN = frozenset({"inputStatistics", "outputStatistics"})
"""Facets that differ with every run and stand in its own row: no history is kept of them."""


def project(event: Event) -> Projection:
    """Everything the graph learns from one event, or from one record."""
    if event.record is not None:
        return of_lineage(event.record, digest_key(event.digest))
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
        self.sourceless: set[End] = set()
        self.explicit = False
        self.noted: Counter[tuple[str, str, str]] = Counter()

    def read_job(self) -> None:
        """The job and what its facets say."""
        if self.event.job is None:
            return
        subject = self.job(self.event.job)
        for _, change in self.understood(Scope.JOB, subject, self.event.job_facets, "/job"):
            match change:
                case Explicit(entries):
                    self.state_explicit(entries, End(Node.JOB, subject), "/job/facets/lineage")
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
        for _, change in self.understood(Scope.RUN, facts.id, self.event.run_facets, "/run"):
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
        io_scope, place = Scope.INPUT if mention.role is Role.INPUT else Scope.OUTPUT, _PLACES[mention.role]
        said = [
            *self.understood(Scope.DATASET, subject, mention.facets, place),
            *self.understood(io_scope, subject, mention.io_facets, place),
        ]
        for name, change in said:
            match change:
                case Symlinked(names):
                    self.symlink(subject, names)
                case ColumnsFrom() | Explicit():
                    self.state_of_dataset(subject, mention.role, change)
                case LifecycleChanged(what, previous):
                    with suppress(KeyError):
                        use |= _use(use, lifecycle=Lifecycle[what])
                    if what == Lifecycle.RENAME.name and previous is not None:
                        self.rename(subject, previous)
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
            frozenset(self.sourceless),
            reads=self.done(read=True),
            writes=self.done(read=False),
            renames=frozenset((rename.previous_id, rename.dataset_id) for rename in self.into.renames),
        )
        if self.event.kind is not EventKind.RUN:
            self.declare_uses()
        self.into.warnings = tuple(
            Tolerated(code, pointer, detail if many == 1 else f"{detail} ({many} times)")
            for (code, pointer, detail), many in list(self.noted.items())[:_MOST_NOTES]
        )
        if self.event.kind is not EventKind.RUN:
            is_job = self.event.kind is EventKind.JOB
            self.into.declaration = Declaration(self.into.subject_id, is_job, self.into.stamp, self.into.activity_id)
        return self.into

    def done(self, *, read: bool) -> frozenset[int]:
        """The datasets that entries say the event's own job read (or wrote): from or to datasets, or itself."""
        if self.event.job is None:
            return frozenset()
        own = End(Node.JOB, self.into.subject_id)
        ends = ((f.source, f.target) if read else (f.target, f.source) for f in self.entries)
        return frozenset(
            one.id for one, other in ends if one.node == Node.DATASET and (other.node == Node.DATASET or other == own)
        )

    def declare_uses(self) -> None:
        """Uses that only columns and entries of a job or dataset event name. Those of a run are in its statement."""
        said, at = self.into.statement, self.event.event_time
        # What a dataset is drawn from no job is said to read.
        drawn = {flow.source.id for flow in self.entries if flow.source.node == Node.DATASET and not self.event.job}
        read = said.used(Role.INPUT) | drawn
        for role, used in ((Role.INPUT, read - self.inputs), (Role.OUTPUT, said.used(Role.OUTPUT) - self.outputs)):
            for dataset in sorted(used):
                self.into.uses.append(DatasetUse(self.into.activity_id, dataset, role, at, at))

    def note(self, code: str, pointer: str, detail: str) -> None:
        """Warn the sender; what is said a thousand times is one warning."""
        self.noted[code, pointer, detail] += 1

    def understood(self, scope: Scope, subject: int, given: Facets, place: str) -> list[tuple[str, Change]]:
        """The changes of every facet a module understands; every facet is noted for the history."""
        found: list[tuple[str, Change]] = []
        noted = self.into.facets
        for name, payload in given.items():
            said = said_by(scope, name, payload)
            if scope is not Scope.RUN and name not in _PER_RUN:
                noted.append(FacetSeen(FacetKey(subject, scope, name), said))
            if name in _OF_LINEAGE and said.payload is not None:
                self.note_unread(scope, name, said.changes, place)
            if said.changes:
                found += [(name, change) for change in said.changes]
        return found

    def note_unread(self, scope: Scope, name: str, changes: tuple[Change, ...] | None, place: str) -> None:
        """Tell the sender what of a facet could not be read; one of explicit lineage leaves nothing to infer still."""
        if changes is None:
            self.note("lineage-shape", place, f"The facet {name} could not be read: kept, but no lineage is from it.")
            self.explicit |= (scope, name, place) in _EXPLICIT
        elif many := sum(change.unread for change in changes if isinstance(change, ColumnsFrom | Explicit)):
            self.note(
                "lineage-shape", place, f"Parts of the facet {name} could not be read, {many}: kept, but in no answer."
            )

    def state_of_dataset(self, subject: int, role: Role, change: ColumnsFrom | Explicit) -> None:
        """What a facet of a dataset says of its lineage."""
        match change:
            case ColumnsFrom(flows) if role is not Role.INPUT:
                self.state_columns(subject, flows)
            case Explicit(entries) if role is Role.DECLARED:
                self.state_explicit(entries, End(Node.DATASET, subject), "/dataset/facets/lineage")
            case Explicit():
                detail = "The lineage of a dataset is read in dataset events alone: kept, but in no answer."
                self.note("lineage-place", _PLACES[role], detail)
            case _:
                pass  # What columns of an input come from is a matter of whoever writes it.

    def state_columns(self, target: int, flows: Iterable[tuple[str | None, Source]]) -> None:
        """Flows of a columnLineage facet into the columns of `target`, or into it as a whole."""
        for column, source in flows:
            self.columns.update(self.flows(source, End(Node.DATASET, target, column or "")))

    def state_explicit(self, entries: Iterable[LineageEntry], own: End, pointer: str) -> None:
        """Entries of a lineage facet; `own` is what an entry without a name is about."""
        self.explicit = True
        for entry in entries:
            target = self.end(entry.type, entry.name, own)
            if target is None:
                self.not_an_end(entry.type, pointer)
                continue
            self.targets.add(target)
            self.sourceless |= {End(target.node, target.id, column) for column in entry.sourceless}
            self.name_run(entry.name, entry.run)
            for column, source in (*(("", source) for source in entry.sources), *entry.fields):
                self.name_run(source.name, source.run)
                into = End(target.node, target.id, column)
                flows = list(self.flows(source, into))
                self.entries.update(flows)
                if not flows:
                    self.not_an_end(source.type, pointer)

    def not_an_end(self, kind: str, pointer: str) -> None:
        """Say that an end of explicit lineage is in no answer; the facet keeps it for a version that knows better."""
        what = f"'{kind[:_SHOWN]}' is no kind of thing that lineage is known between"
        if kind.upper() == "JOB":
            what = "A job without a name is the event's own, and a dataset event has none"
        self.note("lineage-type", pointer, f"{what}: kept, but in no answer.")

    def name_run(self, job: Name | None, run: str | None) -> None:
        """See that a run which lineage names is known, as far as its name goes; the own one is anyway."""
        if job is not None and run is not None:
            self.run(RunName(job, run))

    def flows(self, source: Source, target: End) -> Iterable[Flow]:
        """One flow per transformation; a source without one flows untransformed."""
        own = End(Node.NOTHING, 0) if self.event.job is None else End(Node.JOB, self.into.subject_id)
        end = self.end(source.type, source.name, own)
        if end is None:
            return
        if end.node == Node.DATASET:
            end = End(end.node, end.id, source.field or "")
        for how in source.transformations or (Transformation(),):
            yield Flow(end, target, how.type, how.subtype, how.description, how.masking)

    def end(self, kind: str, name: Name | None, own: End) -> End | None:
        """The node a lineage entry names. Kinds this version does not know make no edge; the facet keeps them."""
        match kind.upper():
            case "JOB" if name is not None:
                return End(Node.JOB, self.job(name))
            case "JOB" if own.node == Node.JOB:
                return own
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

    def rename(self, dataset: int, previous: Name) -> None:
        """The name of a dataset before this event. To be renamed to what it is called says nothing."""
        before = self.dataset(previous)
        if before != dataset:
            self.into.renames.append(Rename(dataset, before))

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


def _use(use: DatasetUse, **said: object) -> DatasetUse:
    return DatasetUse(use.activity_id, use.dataset_id, use.role, use.first_at, use.last_at, **said)  # type: ignore[arg-type] # each caller names real fields


def _time_or_none(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return parse_time(text).at
    except ValueError:
        return None
