"""What one step of a lineage walk reaches, and when: edges of the graph read level by level.

A hop between datasets is an edge between them, or inputs x outputs of one job (of one group: see `Edge`), or a way
through jobs that pass data to each other. A hop of the bipartite graph has a job at one end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Executable, Label, Row, Select, bindparam, literal_column, select, union_all

from catalog.domain.timeline import Interval, Window, without
from catalog.domain.words import Conduct, Derivation, EntityKind, Granularity, Node, Role
from catalog.store.among import among
from catalog.store.engine import Read
from catalog.store.liveness import dead_intervals
from catalog.store.names import Names
from catalog.store.rows import by_ids
from catalog.store.run_hops import RunHops
from catalog.store.tables import edge, run
from catalog.store.uses import of_activities

_ENTERING = (Conduct.THROUGH, Conduct.END)
_STEPPED = (EntityKind.DATASET, EntityKind.JOB, EntityKind.RUN)
_IDS = {True: "up", False: "down"}


def _holding(*, upstream: bool) -> Select[Any]:
    """Edges that hold at some moment of the window, marked with the way they are walked."""
    way: Label[int] = literal_column("1" if upstream else "0").label("upstream")
    return select(edge, way).where(edge.c.valid_to > bindparam("first"), edge.c.valid_from <= bindparam("last"))


def _at(*, upstream: bool) -> Select[Any]:
    """Edges into the nodes of the way up, or out of those of the way down."""
    near = edge.c.target_id if upstream else edge.c.source_id
    return _holding(upstream=upstream).where(among(near, _IDS[upstream]))


def _beyond(*, upstream: bool) -> Select[Any]:
    """Edges beyond the jobs that those lead to: a statement less at every level."""
    ends = (edge.c.target_id, edge.c.source_id, edge.c.source_node)
    near, far, far_node = ends if upstream else (edge.c.source_id, edge.c.target_id, edge.c.target_node)
    entering = edge.c.conduct.in_([int(conduct) for conduct in _ENTERING])
    entered = _at(upstream=upstream).with_only_columns(far).where(far_node == int(Node.JOB), entering)
    return _holding(upstream=upstream).where(near.in_(entered))


# Both ways in one statement: what a level costs is mostly its statements.
_EDGES = union_all(_at(upstream=True), _at(upstream=False))
_EDGES_AND_BEYOND = union_all(_at(upstream=True), _beyond(upstream=True), _at(upstream=False), _beyond(upstream=False))

Ways = Mapping[bool, Sequence[int]]
"""Nodes to step from: under True those to go upstream from, under False downstream."""


@dataclass(frozen=True, slots=True)
class Hops:
    """Data flows from every source to every target during [start, end), through this job.

    Mostly one of each. Inputs x outputs of a job stay two lists, so that a thousand times a thousand costs two
    thousand here too; who reads it multiplies as far as it wants to.
    """

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    job_id: int | None
    derivation: Derivation
    start: int
    end: int

    def near(self, *, upstream: bool) -> tuple[int, ...]:
        """The ends that a step began at."""
        return self.targets if upstream else self.sources

    def far(self, *, upstream: bool) -> tuple[int, ...]:
        """The ends that a step reached."""
        return self.sources if upstream else self.targets


class _Way(NamedTuple):
    """How far a walk from a dataset through jobs has come: `via` is the job beside the target, where that is known."""

    job: int
    origin: int
    via: int | None
    derivation: int


class Steps:
    """Steps at one granularity, over one window of moments."""

    def __init__(
        self, connection: Read, granularity: Granularity, window: Window, kinds: dict[int, EntityKind]
    ) -> None:
        """`kinds` has the roots; every node that is reached is added to it."""
        self.connection = connection
        self.granularity = granularity
        self.window = window
        self.kinds = dict(kinds)
        self.names = Names(connection)
        self.runs = RunHops(connection, window, self.names)

    def step(self, frontiers: Ways) -> dict[bool, list[Hops]]:
        """Every hop that ends (downstream: begins) in the frontier of its way and holds in the window."""
        hops: dict[bool, list[Hops]] = {upstream: [] for upstream in frontiers}
        kinds = {upstream: self._by_kind(frontier) for upstream, frontier in frontiers.items()}
        datasets, jobs, runs = ({upstream: of[kind] for upstream, of in kinds.items()} for kind in _STEPPED)
        for upstream in frontiers:
            if self.granularity is Granularity.RUN:
                given = (datasets[upstream], jobs[upstream], runs[upstream])
                hops[upstream] += self._of_runs(*given, upstream=upstream)
            elif runs[upstream]:
                hops[upstream] += self._of_run_io(runs[upstream], upstream=upstream)
        if self.granularity is Granularity.RUN:
            return hops
        self.names.learn([id for of in datasets.values() for id in of])
        names = {upstream: self.names.of(of) for upstream, of in datasets.items()}
        if self.granularity is Granularity.JOB:
            for upstream, rows in self._rows(_EDGES, _joined(names, jobs)).items():
                hops[upstream] += self._alive(self._bipartite(rows))
            return hops
        for upstream, rows in self._rows(_EDGES, jobs).items():
            hops[upstream] += self._alive(self._bipartite(rows))
        for upstream, rows in self._rows(_EDGES_AND_BEYOND, names).items():
            hops[upstream] += self._alive(self._between_datasets(rows, upstream=upstream))
        return hops

    def _by_kind(self, frontier: Sequence[int]) -> Mapping[EntityKind, list[int]]:
        by_kind: dict[EntityKind, list[int]] = defaultdict(list)
        for id in frontier:
            by_kind[self.kinds[id]].append(id)
        return by_kind

    def _of_runs(self, datasets: list[int], jobs: list[int], runs: list[int], *, upstream: bool) -> Iterator[Hops]:
        for source, target, at in self.runs.step(datasets, jobs, runs, upstream=upstream):
            self.kinds.setdefault(source, EntityKind.RUN)
            self.kinds.setdefault(target, EntityKind.RUN)
            yield Hops((source,), (target,), None, Derivation.IMPLICIT, at, at + 1)

    def _of_run_io(self, runs: list[int], *, upstream: bool) -> Iterator[Hops]:
        """What runs read or wrote: the first hop of a walk that begins at a run."""
        role = Role.INPUT if upstream else Role.OUTPUT
        uses = of_activities(self.connection, runs, role)
        jobs = {row.id: row.job_id for row in by_ids(self.connection, run, run.c.id, runs)}
        self.names.learn([use.dataset_id for use in uses])
        for use in (use for use in uses if use.first_at <= self.window.last):
            id = self.names.canonical[use.dataset_id]
            self.kinds.setdefault(id, EntityKind.DATASET)
            source, target = (id, use.activity_id) if upstream else (use.activity_id, id)
            job = jobs[use.activity_id]
            yield Hops((source,), (target,), job, Derivation.IMPLICIT, use.first_at, use.last_at + 1)

    def _rows(self, statement: Executable, near: Ways) -> dict[bool, list[Row[Any]]]:
        """The edges that the statement finds at these nodes, by way; the nodes they end in are known then."""
        found: dict[bool, list[Row[Any]]] = {upstream: [] for upstream in near}
        if any(near.values()):
            window = {"first": self.window.first, "last": self.window.last}
            ids = {name: near.get(upstream, ()) for upstream, name in _IDS.items()}
            rows = self.connection.execute(statement, {**ids, **window}).all()
            self._learn_ends(rows)
            for row in rows:
                found[bool(row.upstream)].append(row)
        return found

    def _bipartite(self, rows: Iterable[Row[Any]]) -> Iterator[Hops]:
        """Edges with a job at one end, and those between datasets that no job made."""
        for row in rows:
            without_job = row.source_node == row.target_node == Node.DATASET and row.owner_id == row.target_id
            if Node.JOB in (row.source_node, row.target_node) or without_job:
                yield self._hop(row, None if without_job else row.owner_id)

    def _between_datasets(self, rows: Iterable[Row[Any]], *, upstream: bool) -> Iterator[Hops]:
        direct: list[Row[Any]] = []
        entered: list[Row[Any]] = []
        beyond: list[Row[Any]] = []
        for row in rows:
            if (row.target_node if upstream else row.source_node) == Node.JOB:
                beyond.append(row)
            elif row.source_node == row.target_node:
                direct.append(row)
            elif row.conduct in _ENTERING:
                entered.append(row)
        for row in direct:
            yield self._hop(row, None if row.owner_id == row.target_id else row.owner_id)
        yield from self._through(entered, beyond, upstream=upstream)
        yield from self._passed_on(entered, beyond, upstream=upstream)

    def _through(self, entered: list[Row[Any]], beyond: Sequence[Row[Any]], *, upstream: bool) -> Iterator[Hops]:
        """Inputs x outputs of one job, of one group; ends that hold at the same moments stay together."""
        nears = _together(row for row in entered if row.conduct == Conduct.THROUGH)
        fars = _together(row for row in beyond if row.conduct == Conduct.THROUGH)
        for group, near_spans in nears.items():
            for near_span, near in near_spans.items():
                for far_span, far in fars.get(group, {}).items():
                    start, end = max(near_span.start, far_span.start), min(near_span.end, far_span.end)
                    if start < end and self.window.holds(start, end):
                        sources, targets = (far, near) if upstream else (near, far)
                        derivation = Derivation.DECLARED if group.declared else Derivation.IMPLICIT
                        yield Hops(
                            tuple(sorted({self.names.canonical[row.source_id] for row in sources})),
                            tuple(sorted({self.names.canonical[row.target_id] for row in targets})),
                            group.job,
                            derivation,
                            start,
                            end,
                        )

    def _passed_on(self, entered: list[Row[Any]], beyond: Sequence[Row[Any]], *, upstream: bool) -> Iterator[Hops]:
        """From a dataset into a job, from job to job, and out of the last one into a dataset: one hop.

        Its job is the one beside the target and its derivation the weakest on the way, whichever way is walked.
        """
        if not any(_is_call(row) for row in beyond):
            return
        arrived: dict[_Way, list[Interval]] = defaultdict(list)
        for row in entered:
            far = _far(row, upstream=upstream)
            origin = row.target_id if upstream else row.source_id
            way = _Way(far, origin, far if upstream else None, row.derivation)
            arrived[way].append(Interval(row.valid_from, row.valid_to))
        been: dict[_Way, list[Interval]] = defaultdict(list)
        rows = beyond
        while arrived := _further(arrived, rows, been, upstream=upstream):
            rows = self._rows(_EDGES, {upstream: sorted({way.job for way in arrived})})[upstream]
            leaving = [row for row in rows if row.conduct in _ENTERING]
            for row, way, moments in _met(arrived, leaving, upstream=upstream):
                ends = (row.source_id, way.origin) if upstream else (way.origin, row.target_id)
                source, target = (self.names.canonical[id] for id in ends)
                derivation = Derivation(max(way.derivation, row.derivation))
                yield Hops((source,), (target,), way.via or way.job, derivation, *moments)

    def _learn_ends(self, rows: Iterable[Row[Any]]) -> None:
        """Know the names and kinds of every node these edges end in."""
        ids: list[int] = []
        for row in rows:
            for node, id in ((row.source_node, row.source_id), (row.target_node, row.target_id)):
                if node == Node.DATASET:
                    ids.append(id)
                else:
                    self.kinds.setdefault(id, EntityKind.JOB)
        self.names.learn(ids)
        for id in ids:
            self.kinds.setdefault(self.names.canonical[id], EntityKind.DATASET)

    def _hop(self, row: Row[Any], job: int | None) -> Hops:
        """The hop that one edge is."""
        source, target = (self.names.canonical.get(id, id) for id in (row.source_id, row.target_id))
        return Hops((source,), (target,), job, Derivation(row.derivation), row.valid_from, row.valid_to)

    def _alive(self, hops: Iterable[Hops]) -> Iterator[Hops]:
        """The hops that hold in the window while both their ends exist."""
        found = [hop for hop in hops if self.window.holds(hop.start, hop.end)]
        dropped = {self.names.canonical[name] for name in self.names.dropped}
        if not dropped:
            yield from found
            return
        mortal = dropped.intersection(id for hop in found for id in (*hop.sources, *hop.targets))
        dead = dead_intervals(self.connection, {id: self.names.of([id]) for id in mortal}) if mortal else {}
        for hop in found:
            yield from self._while_alive(hop, dead)

    def _while_alive(self, hop: Hops, dead: Mapping[int, Sequence[Interval]]) -> Iterator[Hops]:
        """A hop without the pairs that do not hold while one of their ends is dropped."""
        sources, targets = ([id for id in ends if id not in dead] for ends in (hop.sources, hop.targets))
        whole = replace(hop, sources=tuple(sources), targets=tuple(targets))
        dropped = [id for id in hop.targets if id in dead]
        mortal = [(source, target) for source in hop.sources if source in dead for target in hop.targets]
        mortal += [(source, target) for target in dropped for source in sources]
        pairs = [replace(hop, sources=(source,), targets=(target,)) for source, target in mortal]
        for one in [whole, *pairs] if whole.sources and whole.targets else pairs:
            holes = [hole for id in (*one.sources, *one.targets) for hole in dead.get(id, ())]
            if any(self.window.holds(*piece) for piece in without([Interval(hop.start, hop.end)], holes)):
                yield one


def _met(
    arrived: Mapping[_Way, Sequence[Interval]], rows: Iterable[Row[Any]], *, upstream: bool
) -> Iterator[tuple[Row[Any], _Way, Interval]]:
    """Each edge that leaves a job with each way that led there, and the moments at which both held."""
    at: dict[int, list[tuple[_Way, Interval]]] = defaultdict(list)
    for way, pieces in arrived.items():
        at[way.job] += [(way, piece) for piece in pieces]
    for row in rows:
        for way, piece in at[_near(row, upstream=upstream)]:
            both = Interval(max(piece.start, row.valid_from), min(piece.end, row.valid_to))
            if both.start < both.end:
                yield row, way, both


def _further(
    arrived: Mapping[_Way, Sequence[Interval]],
    rows: Iterable[Row[Any]],
    been: dict[_Way, list[Interval]],
    *,
    upstream: bool,
) -> dict[_Way, list[Interval]]:
    """Where one step from job to job leads at moments it had not led there before."""
    further: dict[_Way, list[Interval]] = defaultdict(list)
    calls = [row for row in rows if _is_call(row)]
    for row, way, moments in _met(arrived, calls, upstream=upstream):
        on = way._replace(job=_far(row, upstream=upstream), derivation=max(way.derivation, row.derivation))
        new = without([moments], been[on])
        if new:
            been[on] += new
            further[on] += new
    return further


def _is_call(row: Row[Any]) -> bool:
    """Whether data goes from job to job."""
    return bool(row.source_node == row.target_node == Node.JOB)


def _near(row: Row[Any], *, upstream: bool) -> int:
    id: int = row.target_id if upstream else row.source_id
    return id


def _far(row: Row[Any], *, upstream: bool) -> int:
    id: int = row.source_id if upstream else row.target_id
    return id


def _joined(some: Ways, others: Ways) -> Ways:
    """The nodes of both, by way."""
    return {upstream: [*some[upstream], *others[upstream]] for upstream in some}


class _Group(NamedTuple):
    """Whose inputs meet whose outputs."""

    job: int
    declared: bool
    number: int


def _together(rows: Iterable[Row[Any]]) -> dict[_Group, dict[Interval, list[Row[Any]]]]:
    """THROUGH edges by group, and within it by when they hold."""
    groups: dict[_Group, dict[Interval, list[Row[Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        group = _Group(row.owner_id, row.derivation == Derivation.DECLARED, row.through_group)
        groups[group][Interval(row.valid_from, row.valid_to)].append(row)
    return groups
