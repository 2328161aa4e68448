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
from typing import Any

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
    lifecycle,
    name_of,
    node,
    passes_on,
    read,
    statement,
    uses_of,
)
from oracle_names import Turn, always_same, renames, shown_names, turns
from oracle_runs import FOREVER, RunKey, Use, node_of, run_id, undone_by_none, writers
from oracle_walks import walk, walk_columns

Told = tuple[Edge, How]
Write = tuple[Name, int, str, Name | None]
"""What was written or dropped, when, which of these, by which job."""
Drop = tuple[Name, int, Name | None]
Undone = Collection[tuple[Node, Name | None]]
Ways = frozenset[How]

BEFORE = float("-inf")
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
        self.renames = set(renames(self.events, self.end_of))
        self.names = shown_names(self.events, self.renames)
        self.same = always_same(self.events, self.renames)
        told = set(self._drops())
        self.drops = {(name, at, job) for name, at, job, ends in told if ends}
        self.drops_of_other_names = {(name, at, job) for name, at, job, ends in told if not ends}
        self.written = {(self.one_name(name), at, job) for name, at, what, job in self._writes() if what != "drop"}

    def end_of(self, event: Event) -> int | None:
        """When the run of an event completed."""
        return ended(self.runs[name_of(event.body["job"]), event.body["run"]["runId"]])

    def lineage(self, question: Question) -> tuple[dict[Node, int], dict[Edge, Ways]]:
        """The nodes with their signed depth, and the edges with how values change along them."""
        last, roots = question.window.last, [self.root(ref, question.granularity) for ref in question.of]
        if question.granularity is Granularity.RUN:
            nodes, edges = walk(self.run_edges(last) | self.run_roots(question.window.first, last), roots, question)
            return nodes, dict.fromkeys(edges, frozenset())
        graph = Graph()
        for moment in self.moments(question.window.first, last):
            graph.add(self.graph_at(moment))
        if question.granularity is Granularity.COLUMN:
            # What a job or run did with columns is said where a walk begins at it.
            begun = {root for root in roots if root[0] in ("JOB", "RUN")}
            used = {one for one in graph.used | self.run_columns(last) if begun.intersection(one[0][:2])}
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
        return node_of(min(same, key=lambda run: (self.runs[run][0].at, run_id(run))))

    def run_columns(self, until: int) -> set[Told]:
        """What runs read and wrote in their flows: where a walk over columns from a run begins."""
        told: set[Told] = set()
        for (job, run), events in self.runs.items():
            said = statement(job, [event for event in events if event.at <= until])
            told |= _used(map(self._told_renamed, said.told()), node_of((job, run)))
        return told

    def run_uses(self, until: int) -> set[Edge]:
        """From the datasets a run read to the run, from the run to those it wrote: where a walk from a run begins."""
        edges: set[Edge] = set()
        for (job, run), events in self.runs.items():
            own = node_of((job, run))
            heard = [event for event in events if event.at <= until]
            for role in ("inputs", "outputs"):
                for name in {self.one_name(name) for event in heard for name in uses_of(event, role)}:
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
        undone = self.undone(moment)
        told = {self._told_renamed(told) for s in said for told in s.told()}
        used: set[Told] = set()
        for job in {edge[2] for edge, _ in told if edge[2] is not None}:
            used |= _used((one for one in told if one[0][2] == job), ("JOB", *job))
        told, used = ({one for one in some if _holds(_of_datasets(one[0]), dead, undone)} for some in (told, used))
        return Graph(self._alive(graph.datasets, dead, undone), self._alive(graph.jobs, dead, undone), told, used)

    def _alive(self, edges: set[Edge], dead: Collection[Node], undone: Undone) -> set[Edge]:
        renamed = {(self._renamed(s), self._renamed(t), job, how) for s, t, job, how in edges}
        return {edge for edge in renamed if _holds(edge, dead, undone)}

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
                latest = max(reporting, key=lambda run: (self.runs[run][0].at, run_id(run)), default=None)
                if latest:
                    yield statement(job, heard[latest])
            elif completed:
                yield statement(job, mine[max(completed, key=lambda run: (ended(mine[run]), run_id(run)))])
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
        return {
            name
            for name in {name for name, _, _ in self.drops}
            if (at := self.last_drop(name, moment)) > BEFORE
            and not any(one == name and at < when <= moment for one, when, _ in self.written)
        }

    def undone(self, moment: int) -> Undone:
        """Datasets with jobs that dropped them, and have not written them since.

        Or that dropped a name they had no more, and wrote them by no other as they did.
        """

        def wrote(name: Name, job: Name, since: int) -> bool:
            return any((one, by) == (name, job) and since <= when <= moment for one, when, by in self.written)

        told = [(drop, drop[1] + 1) for drop in self.drops]
        told += [(drop, drop[1]) for drop in self.drops_of_other_names]
        return {
            (node(name), job)
            for (name, at, job), since in told
            if job is not None and at <= moment and not wrote(name, job, since)
        }

    def last_drop(self, name: Name, moment: int) -> float:
        """When a dataset (by its one name) was last dropped before a moment."""
        return max((at for one, at, _ in self.drops if one == name and at <= moment), default=BEFORE)

    def _drops(self) -> Iterator[tuple[Name, int, Name | None, bool]]:
        """When datasets (by their one name) were dropped under any name, by which job, and if that ends them."""
        told = self._writes()
        begun = {((at, 0), name) for name, at, what, _ in told if what == "first"}
        begun |= {(turn, name) for (_, name, _), turn in turns(self.renames).items()}
        for name, at, what, job in told:
            if what == "drop":
                yield self.one_name(name), at, job, self._ends(name, at, begun)

    def _writes(self) -> list[Write]:
        return [*self._run_writes(), *((*declared, None) for declared in self._declared_writes())]

    def _ends(self, dropped: Name, at: int, begun: set[tuple[Turn, Name]]) -> bool:
        """Whether a drop is under the name that the dataset had: the one it was last written by, or the same always."""
        mine = [turn for turn in begun if turn[0][0] <= at and self.one_name(turn[1]) == self.one_name(dropped)]
        last = max((when for when, _ in mine), default=None)
        return last is None or any(self.same(name) == self.same(dropped) for when, name in mine if when == last)

    def _run_writes(self) -> Iterator[Write]:
        """(dataset, when, what, job) of runs: the first and the last write of each and the end, or the drop."""
        for (job, _), events in self.runs.items():
            end, failed = ended(events), any(e.body.get("eventType") in ("FAIL", "ABORT") for e in events)
            wrote = not failed or end is not None or self.is_streaming(job)
            for role in ("inputs", "outputs"):
                for name in {name for event in events for name in uses_of(event, role)}:
                    said = [event.at for event in events if name in uses_of(event, role)]
                    if drops(_parts(events, role, name)):
                        if end is not None:
                            yield name, end, "drop", job
                    elif role == "outputs" and wrote:
                        yield name, said[0], "first", job
                        yield name, said[-1], "last", job
                        if end is not None:
                            yield name, end, "end", job

    def _declared_writes(self) -> Iterator[tuple[Name, int, str]]:
        for event in self.events:
            if "dataset" in event.body:
                for name, part in event.mentions("dataset"):
                    yield name, event.at, "drop" if lifecycle(part) == "DROP" else "first"
            elif "run" not in event.body:
                for name in uses_of(event, "outputs"):
                    is_drop = "DROP" in map(lifecycle, _parts([event], "outputs", name))
                    yield name, event.at, "drop" if is_drop else "first"

    def run_edges(self, until: int) -> set[Edge]:
        """From the run that wrote a dataset to each run that read what it wrote."""
        writes, reads = self.writes(until), self.reads(until)
        return {
            (node_of(writer), node_of(read.run), None, "")
            for read in reads
            for writer in writers(read, writes, self.last_drop)
        }

    def run_roots(self, first: int, until: int) -> set[Edge]:
        """Between jobs and their latest runs, datasets and the run that wrote them last, and who reads that."""
        return {edge for moment in self.moments(first, until) for edge in self._run_roots(moment, until)}

    def _run_roots(self, moment: int, until: int) -> set[Edge]:
        """The same as of one moment, with who had read by the end."""
        edges: set[Edge] = set()
        began = {run: events[0].at for run, events in self.runs.items() if events[0].at <= moment}
        for job in {job for job, _ in began}:
            latest = max((run for run in began if run[0] == job), key=lambda run: (began[run], run_id(run)))
            edges |= {(node_of(latest), ("JOB", *job), None, ""), (("JOB", *job), node_of(latest), None, "")}
        writes, reads = self.writes(until), self.reads(until)
        for name in {use.name for use in (*writes, *reads)}:
            there = [write for write in undone_by_none(name, writes, moment, self.last_drop) if write.at <= moment]
            readers = {r: set(writers(r, writes, self.last_drop)) for r in reads if r.name == name}
            if there:
                edges.add((node_of(there[-1].run), node(name), None, ""))
                edges |= {(node(name), node_of(r.run), None, "") for r, by in readers.items() if there[-1].run in by}
            elif self.last_drop(name, moment) == BEFORE:
                fed = {r.run for r, by in readers.items() if by}
                edges |= {(node(name), node_of(r.run), None, "") for r in readers if r.run not in fed}
        return edges

    def writes(self, until: int) -> list[Use]:
        """What runs had reported to write, and when others could read it: at the end, or from the first word on."""
        found = []
        for run, name, parts, said in self._uses("outputs", until):
            stops = self._stops(run)
            at = ended(self.runs[run]) if stops is None else said[0]
            if at is not None and at <= until and not drops(parts):
                found.append(Use(run, name, at, _label(parts), at if stops is None else max(at, stops)))
        return found

    def reads(self, until: int) -> list[Use]:
        """What runs read since they began, or found where they only altered it."""
        found = []
        for role in ("inputs", "outputs"):
            for run, name, parts, _ in self._uses(role, until):
                at, stops = self.runs[run][0].at, self._stops(run)
                if at <= until and (role == "inputs" or passes_on(parts)):
                    label = _label(parts) if role == "inputs" else None
                    found.append(Use(run, name, at, label, at if stops is None else max(at, stops)))
        return found

    def _stops(self, run: RunKey) -> float | None:
        """When a streaming run ended; None of a batch run."""
        if not self.is_streaming(run[0]):
            return None
        ends = [e.at for e in self.runs[run] if e.body.get("eventType") in ("COMPLETE", "FAIL", "ABORT")]
        return max(ends, default=FOREVER)

    def _uses(self, role: str, until: int) -> Iterator[tuple[RunKey, Name, list[dict[str, Any]], list[int]]]:
        """Runs, what they used by then, all that they said of it and when."""
        for run, events in self.runs.items():
            for name in {name for event in events for name in uses_of(event, role)}:
                said = [event.at for event in events if name in uses_of(event, role)]
                if said[0] <= until:
                    yield run, self.one_name(name), _parts(events, role, name), said


def _parts(events: Iterable[Event], role: str, name: Name) -> list[dict[str, Any]]:
    """All that events say of a dataset where they list it."""
    return [part for event in events for found, part in event.mentions(role) if found == name]


def _label(parts: Iterable[dict[str, Any]]) -> str | None:
    """The version that was said last."""
    labels = [str(version["datasetVersion"]) for part in parts if (version := facet(part, "version"))]
    return labels[-1] if labels else None


def _holds(edge: Edge, dead: Collection[Node], undone: Undone) -> bool:
    """Whether both ends of an edge are there, and its job has not dropped the one it goes to."""
    source, target, job, how = edge
    return source not in dead and target not in dead and (how == "DECLARED" or (target, job) not in undone)


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
    return ways is not None and bool(ways) and all(type.upper() == "INDIRECT" for type, *_ in ways)


def masks(ways: Ways) -> bool:
    """Whether every way that the value itself takes hides it; of an influence alone, whether every one does."""
    direct = {way for way in ways if way[0].upper() != "INDIRECT"} or ways
    return bool(direct) and all(masking for *_, masking in direct)


def _any_lineage(events: Iterable[Event]) -> bool:
    return any(event.says_lineage for event in events)


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
