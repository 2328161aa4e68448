"""What lineage an event history means, answered slowly: nothing is stored, every question reads every event again.

The product keeps intervals and answers from indices. This module takes the rules one by one, builds the whole graph
of each moment a question is about, and walks the union. It shares with the product only how ids are computed,
because ties of time are broken by them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

from catalog.domain import ids
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.words import EntityKind, Granularity
from oracle_events import (
    UNSAID,
    Edge,
    Event,
    How,
    Name,
    Node,
    Statement,
    Step,
    declaration,
    drops,
    ended,
    facet,
    former_name,
    lifecycle,
    name_of,
    node,
    read,
    statement,
)
from oracle_walks import walk, walk_columns

RunKey = tuple[Name, str]
Rename = tuple[int, Name, Name]
"""When, to what, from what."""
Told = tuple[Edge, How]
Ways = frozenset[How]

STRENGTHS = ("EXPLICIT", "COLUMN", "IMPLICIT", "DECLARED")


@dataclass
class Graph:
    """Edges of one moment, or of many."""

    datasets: set[Edge] = field(default_factory=set)
    jobs: set[Edge] = field(default_factory=set)
    told: set[Told] = field(default_factory=set)
    used: set[Told] = field(default_factory=set)

    def add(self, other: Graph) -> None:
        self.datasets |= other.datasets
        self.jobs |= other.jobs
        self.told |= other.told
        self.used |= other.used


class Oracle:
    """Answers lineage questions about a history of raw events, in whatever order they are given."""

    def __init__(self, events: Iterable[bytes]) -> None:
        self.events = sorted(map(read, set(events)), key=lambda event: event.order)
        self.runs: dict[RunKey, list[Event]] = defaultdict(list)
        self._graphs: dict[int, Graph] = {}
        for event in self.events:
            if "run" in event.body:
                self.runs[name_of(event.body["job"]), event.body["run"]["runId"]].append(event)
        self.renames = set(self._renames())
        self.names = _shown_names(self.events, self.renames)
        self.same = _always_same(self.events, self.renames)

    def _renames(self) -> Iterator[Rename]:
        """When datasets were renamed, to what and from what: by a run when it completes, by another event at once."""
        for event in self.events:
            at: int | None = event.at
            if "run" in event.body:
                at = ended(self.runs[name_of(event.body["job"]), event.body["run"]["runId"]])
            for role in ("dataset",) if "dataset" in event.body else ("inputs", "outputs"):
                for name, part in event.mentions(role):
                    before = former_name(name, part)
                    if at is not None and before is not None:
                        yield at, name, before

    def lineage(self, question: Question) -> tuple[dict[Node, int], dict[Edge, Ways]]:
        """The nodes with their signed depth, and the edges with how values change along them."""
        last, roots = question.window.last, [self.root(ref, question.granularity) for ref in question.of]
        if question.granularity is Granularity.RUN:
            nodes, edges = walk(self.run_edges(last), roots, question)
            return nodes, dict.fromkeys(edges, frozenset())
        graph = Graph()
        for moment in self.moments(question.window.first, last):
            graph.add(self.graph_at(moment))
        if question.granularity is Granularity.COLUMN:
            used = graph.used | self.run_columns(last)
            told = {(edge, how) for edge, how in graph.told if _has_column(edge)}
            edges = {edge for edge, _ in told}
            of_roots = edges | {edge for edge, _ in used}
            told |= used
        else:
            told = {(_of_datasets(edge), how) for edge, how in graph.told}
            edges, of_roots = graph.jobs | self.run_uses(last), set()
            if question.granularity is Granularity.DATASET:
                edges |= graph.datasets
        ways = _ways(told)
        if not question.include_indirect:
            edges, of_roots = ({e for e in some if not all_indirect(ways.get(e))} for some in (edges, of_roots))
        if question.granularity is Granularity.COLUMN:
            nodes, walked = walk_columns(edges, of_roots, roots, question)
        else:
            nodes, walked = walk(edges, roots, question)
        return nodes, {edge: ways.get(edge, frozenset()) for edge in walked}

    def root(self, ref: EntityRef, granularity: Granularity) -> Node:
        if ref.kind in (EntityKind.DATASET, EntityKind.COLUMN):
            whole = node(self.one_name((ref.namespace, ref.name)))
            if ref.kind is EntityKind.COLUMN and granularity is Granularity.COLUMN:
                assert ref.column is not None
                return ("COLUMN", *whole[1:], ref.column)
            return whole
        if ref.kind is EntityKind.JOB:
            return ("JOB", ref.namespace, ref.name)
        same = [run for run in self.runs if run[1] == ref.name and ref.namespace in ("", run[0][0])]
        job, run = min(same, key=lambda run: (self.runs[run][0].at, _run_id(run)))
        return ("RUN", *job, run)

    def run_columns(self, until: int) -> set[Told]:
        """What runs read and wrote in their flows: where a walk over columns from a run begins."""
        told: set[Told] = set()
        for (job, run), events in self.runs.items():
            said = statement(job, [event for event in events if event.at <= until])
            told |= _used(map(self._told_renamed, said.told()), ("RUN", *job, run))
        return told

    def run_uses(self, until: int) -> set[Edge]:
        """From the datasets a run read to the run, from the run to those it wrote: where a walk from a run begins."""
        edges: set[Edge] = set()
        for (job, run), events in self.runs.items():
            own = ("RUN", *job, run)
            heard = [event for event in events if event.at <= until]
            for role in ("inputs", "outputs"):
                for name in {self.one_name(name) for event in heard for name, _ in event.mentions(role)}:
                    ends = (node(name), own) if role == "inputs" else (own, node(name))
                    edges.add((*ends, job, "IMPLICIT"))
        return edges

    def moments(self, first: int, last: int) -> list[int]:
        """All that a range of time can show: things change only when something happens."""
        return [first, *(event.at for event in self.events if first < event.at <= last)]

    def graph_at(self, moment: int) -> Graph:
        """The whole graph as of a moment, remembered: that is all that one question does not read again."""
        if moment not in self._graphs:
            self._graphs[moment] = self._graph_at(moment)
        return self._graphs[moment]

    def _graph_at(self, moment: int) -> Graph:
        said = [*self.observed(moment), *self.declared(moment)]
        graph = Graph({e for s in said for e in s.dataset_edges()}, {e for s in said for e in s.job_edges()})
        graph.datasets |= _through_jobs(said)
        dead = {node(name) for name in self.dropped(moment)}
        told = {self._told_renamed(told) for s in said for told in s.told()}
        used: set[Told] = set()
        for job in {edge[2] for edge, _ in told if edge[2] is not None}:
            used |= _used((one for one in told if one[0][2] == job), ("JOB", *job))
        told, used = ({one for one in some if dead.isdisjoint(_of_datasets(one[0])[:2])} for some in (told, used))
        return Graph(self._alive(graph.datasets, dead), self._alive(graph.jobs, dead), told, used)

    def _alive(self, edges: set[Edge], dead: Collection[Node]) -> set[Edge]:
        renamed = {(self._renamed(s), self._renamed(t), job, how) for s, t, job, how in edges}
        return {edge for edge in renamed if edge[0] not in dead and edge[1] not in dead}

    def _told_renamed(self, told: Told) -> Told:
        (source, target, job, derivation), how = told
        return (self._renamed(source), self._renamed(target), job, derivation), how

    def one_name(self, name: Name) -> Name:
        """The name a dataset is shown by, whichever of its names this is."""
        return self.names.get(name, name)

    def _renamed(self, end: Node) -> Node:
        if end[0] not in ("DATASET", "COLUMN"):
            return end
        return (end[0], *self.one_name((end[1], end[2])), *end[3:])

    def observed(self, moment: int) -> Iterator[Statement]:
        """What the runs of each job say as of a moment."""
        for job in {job for job, _ in self.runs}:
            mine = {run: events for run, events in self.runs.items() if run[0] == job and _any_lineage(events)}
            heard = {run: [e for e in events if e.at <= moment] for run, events in mine.items()}
            reporting = [run for run in mine if _any_lineage(heard[run])]
            completed = [run for run, events in mine.items() if (end := ended(events)) is not None and end <= moment]
            if self.is_streaming(job):
                latest = max(reporting, key=lambda run: (self.runs[run][0].at, _run_id(run)), default=None)
                if latest:
                    yield statement(job, heard[latest])
            elif completed:
                yield statement(job, mine[max(completed, key=lambda run: (ended(mine[run]), _run_id(run)))])
            else:
                yield from (statement(job, heard[run]) for run in reporting)

    def declared(self, moment: int) -> Iterator[Statement]:
        """The declarations in force at a moment: the latest of each job, and of each dataset."""
        latest: dict[Node, Event] = {}
        for event in self.events:
            if event.at <= moment and "run" not in event.body:
                if "job" in event.body:
                    latest["JOB", *name_of(event.body["job"])] = event
                else:
                    latest[node(self.one_name(name_of(event.body["dataset"])))] = event
        yield from map(declaration, latest.values())

    def is_streaming(self, job: Name) -> bool:
        """Whether the job is not expected to end, by the last that was ever said of it."""
        said = [e.body["job"] for e in self.events if "job" in e.body and name_of(e.body["job"]) == job]
        typed = [part for part in said if "jobType" in (part.get("facets") or {})]
        last = facet(typed[-1], "jobType") if typed else None
        return last is not None and str(last.get("processingType")).upper() == "STREAMING"

    def dropped(self, moment: int) -> set[Name]:
        """The datasets (by their one name) that are gone at a moment."""
        endings: dict[Name, set[int]] = defaultdict(set)
        writes: dict[Name, set[int]] = defaultdict(set)
        told = [*self._run_writes(), *self._declared_writes()]
        begun = {(at, name) for name, at, what in told if what == "first"} | {(at, n) for at, n, _ in self.renames}
        for name, at, what in told:
            is_drop = what == "drop"
            if not is_drop or self._ends(name, at, begun):
                (endings if is_drop else writes)[self.one_name(name)].add(at)
        last = {name: max((at for at in times if at <= moment), default=None) for name, times in endings.items()}
        return {
            name
            for name, dropped in last.items()
            if dropped is not None and not any(dropped < at <= moment for at in writes[name])
        }

    def _ends(self, dropped: Name, at: int, begun: set[tuple[int, Name]]) -> bool:
        """Whether a drop is under the name that the dataset had: the one it was last written by, or the same always."""
        mine = [(when, name) for when, name in begun if when <= at and self.one_name(name) == self.one_name(dropped)]
        last = max((when for when, _ in mine), default=None)
        return last is None or any(self.same(name) == self.same(dropped) for when, name in mine if when == last)

    def _run_writes(self) -> Iterator[tuple[Name, int, str]]:
        """(dataset, when, what) of runs: the first and the last write of each, or the drop."""
        for events in self.runs.values():
            for role in ("inputs", "outputs"):
                for name in {name for event in events for name, _ in event.mentions(role)}:
                    parts = [(e.at, part) for e in events for found, part in e.mentions(role) if found == name]
                    end = ended(events)
                    if drops([part for _, part in parts]):
                        if end is not None:
                            yield name, end, "drop"
                    elif role == "outputs":
                        yield name, parts[0][0], "first"
                        yield name, parts[-1][0], "last"

    def _declared_writes(self) -> Iterator[tuple[Name, int, str]]:
        for event in self.events:
            if "run" not in event.body:
                for name, part in event.mentions("dataset" if "dataset" in event.body else "outputs"):
                    yield name, event.at, "drop" if lifecycle(part) == "DROP" else "first"

    def run_edges(self, until: int) -> set[Edge]:
        """From the run that wrote a dataset to each run that read what it wrote."""
        writes = [use for run in self.runs for use in self.uses(run, "outputs", until)]
        reads = [use for run in self.runs for use in self.uses(run, "inputs", until)]
        return {
            (("RUN", *writer[0], writer[1]), ("RUN", *read.run[0], read.run[1]), None, "")
            for read in reads
            for writer in _writer(read, writes)
        }

    def uses(self, run: RunKey, role: str, until: int) -> Iterator[Use]:
        """What a run had reported: what it read when it began, or wrote and when others could read that."""
        events = self.runs[run]
        done = ended(events)
        for name in {name for event in events for name, _ in event.mentions(role)}:
            said = [(event.at, part) for event in events for found, part in event.mentions(role) if found == name]
            labels = [str(version["datasetVersion"]) for _, part in said if (version := facet(part, "version"))]
            written = said[0][0] if self.is_streaming(run[0]) else done
            at = events[0].at if role == "inputs" else written
            if at is None or max(at, said[0][0]) > until:
                continue
            if role == "inputs" or not drops([part for _, part in said]):
                yield Use(run, self.one_name(name), at, labels[-1] if labels else None)


@dataclass(frozen=True)
class Use:
    """A run read or wrote a dataset (by its one name) at a moment, in the version of a label."""

    run: RunKey
    name: Name
    at: int
    label: str | None

    @property
    def order(self) -> tuple[int, int]:
        return self.at, _run_id(self.run)


def _writer(read: Use, writes: Iterable[Use]) -> list[RunKey]:
    """Who wrote what was read (one run or none): another run that wrote this label, else whoever wrote before."""
    others = sorted((w for w in writes if w.name == read.name and w.run != read.run), key=lambda w: w.order)
    labelled = [write for write in others if read.label is not None and write.label == read.label]
    for candidates, otherwise in ((labelled, labelled[:1]), (others, [])):
        before = [write for write in candidates if write.at <= read.at]
        if found := before[-1:] or otherwise:
            return [found[0].run]
    return []


def _has_column(edge: Edge) -> bool:
    return "COLUMN" in (edge[0][0], edge[1][0])


def _of_datasets(edge: Edge) -> Edge:
    """The same, with datasets in place of their columns."""
    source, target = (node((end[1], end[2])) if end[0] == "COLUMN" else end for end in edge[:2])
    return (source, target, *edge[2:])


def _used(told: Iterable[Told], by: Node) -> set[Told]:
    """From the columns and wholes that flows come from to who makes them flow, and from there to those they go to."""
    flows = [((s, t, *rest), how) for (s, t, *rest), how in told if _has_column((s, t, None, ""))]
    reads = {((s, by, *rest), how) for (s, _, *rest), how in flows if s[0] != "JOB"}
    return reads | {((by, t, *rest), how) for (_, t, *rest), how in flows if t[0] != "JOB"}


def _ways(told: Iterable[Told]) -> dict[Edge, Ways]:
    ways: dict[Edge, set[How]] = defaultdict(set)
    for edge, how in told:
        ways[edge].update([how] if how != UNSAID else [])
    return {edge: frozenset(said) for edge, said in ways.items()}


def all_indirect(ways: Ways | None) -> bool:
    """Whether something is said of how values change, and only that they have an influence."""
    return bool(ways) and all(type.upper() == "INDIRECT" for type, *_ in ways)


def masks(ways: Ways) -> bool:
    """Whether every way that the value itself takes hides it; of an influence alone, whether every one does."""
    direct = {way for way in ways if way[0].upper() != "INDIRECT"} or ways
    return bool(direct) and all(masking for *_, masking in direct)


def _any_lineage(events: Iterable[Event]) -> bool:
    return any(event.says_lineage for event in events)


def _run_id(run: RunKey) -> int:
    return ids.run_id(ids.job_id(*run[0]), run[1])


def _shown_names(events: Iterable[Event], renames: Iterable[Rename]) -> dict[Name, Name]:
    """The one name of each dataset that has several.

    It is the one a rename gave last, unless it was given up later; else the least of those that said they have others.
    """
    said, into, away = set(_symlinks(events)), dict[Name, int](), dict[Name, int]()
    for at, new, old in sorted(renames):
        said.add((new, old))
        into[new], away[old] = at, at
    declaring = {one for one, _ in said}

    def rank(name: Name) -> tuple[bool, float, bool, str]:
        given = into.get(name, float("-inf"))
        return away.get(name, float("-inf")) > given, -given, name not in declaring, f"{name[0]}\x1f{name[1]}"

    return {name: min(together, key=rank) for name, together in _groups(said).items()}


def _always_same(events: Iterable[Event], renames: Iterable[Rename]) -> Callable[[Name], frozenset[Name]]:
    """Which names are one by what is said of them, and not because one was given in place of the other."""
    groups = _groups(set(_symlinks(events)) - {(new, old) for _, new, old in renames})
    return lambda name: groups.get(name, frozenset([name]))


def _symlinks(events: Iterable[Event]) -> Iterator[tuple[Name, Name]]:
    for event in events:
        for role in ("dataset",) if "dataset" in event.body else ("inputs", "outputs"):
            for name, part in event.mentions(role):
                said = facet(part, "symlinks") or {"identifiers": []}
                yield from ((name, other) for other in map(name_of, said["identifiers"]) if other != name)


def _groups(said: Iterable[tuple[Name, Name]]) -> dict[Name, frozenset[Name]]:
    same: dict[Name, frozenset[Name]] = {}
    for one, other in said:
        together = same.get(one, frozenset([one])) | same.get(other, frozenset([other]))
        same.update(dict.fromkeys(together, together))
    return same


def _through_jobs(said: Iterable[Statement]) -> set[Edge]:
    """Dataset to dataset by way of at least one step from job to job, whoever stated the steps.

    Such an edge names the job beside its target, and is known as well as its weakest part.
    """
    enters: set[Step] = set()
    calls: set[Step] = set()
    leaves: set[Step] = set()
    for one in said:
        in_, on, out = one.job_ends()
        enters |= in_
        calls |= on
        leaves |= out
    reach = _joined(enters, calls)
    while further := _joined(reach, calls) - reach:
        reach |= further
    return {(source, target, (job[1], job[2]), how) for source, job, target, how in _met(reach, leaves)}


def _joined(one: set[Step], other: set[Step]) -> set[Step]:
    return {(begin, end, how) for begin, _, end, how in _met(one, other)}


def _met(one: set[Step], other: set[Step]) -> Iterator[tuple[Node, Node, Node, str]]:
    for (a, b, how), (c, d, then) in product(one, other):
        if b == c:
            yield a, b, d, max(how, then, key=STRENGTHS.index)
