"""What lineage an event history means, answered slowly: nothing is stored, every question reads every event again.

The product keeps intervals and answers from indices. This module takes the rules one by one, builds the whole graph
of each moment a question is about, and walks the union. It shares with the product only how ids are computed,
because ties of time are broken by them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

from catalog.domain import ids
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.words import Direction, EntityKind, Granularity
from oracle_events import (
    Edge,
    Event,
    Name,
    Node,
    Statement,
    Step,
    declaration,
    drops,
    ended,
    facet,
    lifecycle,
    name_of,
    node,
    read,
    statement,
)

RunKey = tuple[Name, str]

STRENGTHS = ("EXPLICIT", "COLUMN", "IMPLICIT", "DECLARED")


@dataclass
class Graph:
    """Edges of one moment, or of many."""

    datasets: set[Edge] = field(default_factory=set)
    jobs: set[Edge] = field(default_factory=set)

    def add(self, other: Graph) -> None:
        self.datasets |= other.datasets
        self.jobs |= other.jobs


class Oracle:
    """Answers lineage questions about a history of raw events, in whatever order they are given."""

    def __init__(self, events: Iterable[bytes]) -> None:
        self.events = sorted(map(read, set(events)), key=lambda event: event.order)
        self.names = _shown_names(self.events)
        self.runs: dict[RunKey, list[Event]] = defaultdict(list)
        self._graphs: dict[int, Graph] = {}
        for event in self.events:
            if "run" in event.body:
                self.runs[name_of(event.body["job"]), event.body["run"]["runId"]].append(event)

    def lineage(self, question: Question) -> tuple[dict[Node, int], set[Edge]]:
        """The nodes with their signed depth, and the edges."""
        last = question.window.last
        if question.granularity is Granularity.RUN:
            return walk(self.run_edges(last), [self.root(ref) for ref in question.of], question)
        graph = Graph()
        for moment in self.moments(question.window.first, last):
            graph.add(self.graph_at(moment))
        edges = graph.jobs | self.run_uses(last)
        if question.granularity is Granularity.DATASET:
            edges |= graph.datasets
        return walk(edges, map(self.root, question.of), question)

    def root(self, ref: EntityRef) -> Node:
        if ref.kind is EntityKind.DATASET:
            return node(self.one_name((ref.namespace, ref.name)))
        if ref.kind is EntityKind.JOB:
            return ("JOB", ref.namespace, ref.name)
        same = [run for run in self.runs if run[1] == ref.name and ref.namespace in ("", run[0][0])]
        job, run = min(same, key=lambda run: (self.runs[run][0].at, _run_id(run)))
        return ("RUN", *job, run)

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
        gone = self.dropped(moment)
        return Graph(self._alive(graph.datasets, gone), self._alive(graph.jobs, gone))

    def _alive(self, edges: set[Edge], gone: Collection[Name]) -> set[Edge]:
        renamed = {(self._renamed(s), self._renamed(t), job, how) for s, t, job, how in edges}
        dead = {node(name) for name in gone}
        return {edge for edge in renamed if edge[0] not in dead and edge[1] not in dead}

    def one_name(self, name: Name) -> Name:
        """The name a dataset is shown by, whichever of its names this is."""
        return self.names.get(name, name)

    def _renamed(self, end: Node) -> Node:
        return node(self.one_name((end[1], end[2]))) if end[0] == "DATASET" else end

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
                kind = "job" if "job" in event.body else "dataset"
                latest[kind, *name_of(event.body[kind])] = event
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
        for name, at, is_drop in [*self._run_writes(), *self._declared_writes()]:
            (endings if is_drop else writes)[self.one_name(name)].add(at)
        last = {name: max((at for at in times if at <= moment), default=None) for name, times in endings.items()}
        return {
            name
            for name, dropped in last.items()
            if dropped is not None and not any(dropped < at <= moment for at in writes[name])
        }

    def _run_writes(self) -> Iterator[tuple[Name, int, bool]]:
        """(dataset, when, whether that was a drop) of runs."""
        for events in self.runs.values():
            for role in ("inputs", "outputs"):
                for name in {name for event in events for name, _ in event.mentions(role)}:
                    parts = [(e.at, part) for e in events for found, part in e.mentions(role) if found == name]
                    end = ended(events)
                    if drops([part for _, part in parts]):
                        if end is not None:
                            yield name, end, True
                    elif role == "outputs":
                        yield name, parts[0][0], False
                        yield name, parts[-1][0], False

    def _declared_writes(self) -> Iterator[tuple[Name, int, bool]]:
        for event in self.events:
            if "run" not in event.body:
                for name, part in event.mentions("dataset" if "dataset" in event.body else "outputs"):
                    yield name, event.at, lifecycle(part) == "DROP"

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


def _any_lineage(events: Iterable[Event]) -> bool:
    return any(event.says_lineage for event in events)


def _run_id(run: RunKey) -> int:
    return ids.run_id(ids.job_id(*run[0]), run[1])


def _shown_names(events: Iterable[Event]) -> dict[Name, Name]:
    """The one name of each dataset that has several: the least of those that said they have others."""
    same: dict[Name, set[Name]] = {}
    declaring: set[Name] = set()
    for event in events:
        for role in ("dataset",) if "dataset" in event.body else ("inputs", "outputs"):
            for name, part in event.mentions(role):
                said = facet(part, "symlinks") or {"identifiers": []}
                for other in map(name_of, said["identifiers"]):
                    if other != name:
                        declaring.add(name)
                        together = same.get(name, {name}) | same.get(other, {other})
                        same.update(dict.fromkeys(together, together))
    return {name: min(together & declaring, key=lambda n: f"{n[0]}\x1f{n[1]}") for name, together in same.items()}


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


def _may_go(near: Node, far: Node, granularity: Granularity) -> bool:
    """A walk may begin at what is no node of the granularity, but never comes to such a thing again."""
    if granularity is Granularity.DATASET:
        return far[0] == "DATASET" or (far[0] == "JOB" and near[0] == "JOB")
    return (far[0] == "RUN") == (granularity is Granularity.RUN)


def walk(edges: Collection[Edge], roots: Iterable[Node], question: Question) -> tuple[dict[Node, int], set[Edge]]:
    """Breadth-first, each way on its own; what is found both ways keeps the nearer depth, upstream if equal."""
    roots = list(roots)
    depths = dict.fromkeys(roots, 0)
    walked: set[Edge] = set()
    for sign, other_way in ((-1, Direction.DOWNSTREAM), (1, Direction.UPSTREAM)):
        if question.direction is other_way:
            continue
        seen = dict.fromkeys(roots, 0)
        frontier = set(roots)
        for depth in range(1, question.depth + 1):
            steps = {(edge, *(edge[:2] if sign > 0 else edge[1::-1])) for edge in edges}
            taken = {
                (edge, far)
                for edge, near, far in steps
                if near in frontier and _may_go(near, far, question.granularity)
            }
            walked |= {edge for edge, _ in taken}
            frontier = {far for _, far in taken} - seen.keys()
            seen.update(dict.fromkeys(frontier, sign * depth))
        for found, depth in seen.items():
            if found not in depths or abs(depth) < abs(depths[found]):
                depths[found] = depth
    return depths, walked
