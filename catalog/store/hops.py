"""What one step of a lineage walk reaches, and when: edges of the graph read level by level.

A hop between datasets is an edge between them, or inputs x outputs of one job (of one group: see `Edge`), or a way
through jobs that pass data to each other. A hop of the bipartite graph has a job at one end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Row, select

from catalog.domain.timeline import Interval, Window, without
from catalog.domain.words import Conduct, Derivation, EntityKind, Granularity, Node, Role
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.liveness import dead_intervals
from catalog.store.names import Names
from catalog.store.rows import by_ids
from catalog.store.run_hops import RunHops
from catalog.store.tables import edge, run, run_dataset


@dataclass(frozen=True, slots=True)
class Hop:
    """Data flows from source to target during [start, end), through this job."""

    source: int
    target: int
    job_id: int | None
    derivation: Derivation
    start: int
    end: int


class _Way(NamedTuple):
    """How far a walk from a dataset through jobs has come: `via` is the job beside the target, where that is known."""

    job: int
    origin: int
    via: int | None
    derivation: int


class Hops:
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

    def step(self, frontier: Sequence[int], *, upstream: bool) -> Iterator[Hop]:
        """Every hop that begins (upstream: ends) in the frontier and holds at some moment of the window."""
        by_kind: dict[EntityKind, list[int]] = defaultdict(list)
        for id in frontier:
            by_kind[self.kinds[id]].append(id)
        datasets, jobs, runs = (by_kind[k] for k in (EntityKind.DATASET, EntityKind.JOB, EntityKind.RUN))
        if self.granularity is Granularity.RUN:
            yield from self._of_runs(datasets, jobs, runs, upstream=upstream)
            return
        if runs:
            yield from self._of_run_io(runs, upstream=upstream)
        if self.granularity is Granularity.JOB:
            yield from self._alive(self._bipartite(datasets, jobs, upstream=upstream))
            return
        if jobs:
            yield from self._alive(self._bipartite([], jobs, upstream=upstream))
        if datasets:
            yield from self._alive(self._between_datasets(datasets, upstream=upstream))

    def _of_runs(self, datasets: list[int], jobs: list[int], runs: list[int], *, upstream: bool) -> Iterator[Hop]:
        for source, target, at in self.runs.step(datasets, jobs, runs, upstream=upstream):
            self.kinds.setdefault(source, EntityKind.RUN)
            self.kinds.setdefault(target, EntityKind.RUN)
            yield Hop(source, target, None, Derivation.IMPLICIT, at, at + 1)

    def _of_run_io(self, runs: list[int], *, upstream: bool) -> Iterator[Hop]:
        """What runs read or wrote: the first hop of a walk that begins at a run."""
        role = Role.INPUT if upstream else Role.OUTPUT
        uses = by_ids(self.connection, run_dataset, run_dataset.c.activity_id, runs, run_dataset.c.role == int(role))
        jobs = {row.id: row.job_id for row in by_ids(self.connection, run, run.c.id, runs)}
        self.names.learn([use.dataset_id for use in uses])
        for use in (use for use in uses if use.first_at <= self.window.last):
            id = self.names.canonical[use.dataset_id]
            self.kinds.setdefault(id, EntityKind.DATASET)
            source, target = (id, use.activity_id) if upstream else (use.activity_id, id)
            yield Hop(source, target, jobs[use.activity_id], Derivation.IMPLICIT, use.first_at, use.last_at + 1)

    def _rows(self, near: Collection[int], *, upstream: bool) -> Sequence[Row[Any]]:
        """Edges whose near end is one of these, that hold at some moment of the window."""
        if not near:
            return ()
        column = edge.c.target_id if upstream else edge.c.source_id
        return self.connection.execute(
            select(edge).where(
                any_of(self.connection, column, near),
                edge.c.valid_to > self.window.first,
                edge.c.valid_from <= self.window.last,
            )
        ).all()

    def _bipartite(self, datasets: list[int], jobs: list[int], *, upstream: bool) -> Iterator[Hop]:
        """Edges with a job at one end, and those between datasets that no job made."""
        self.names.learn(datasets)
        rows = self._rows([*self.names.of(datasets), *jobs], upstream=upstream)
        self._learn_ends(rows)
        for row in rows:
            without_job = row.source_node == row.target_node == Node.DATASET and row.owner_id == row.target_id
            if Node.JOB in (row.source_node, row.target_node) or without_job:
                yield self._hop(row, row, None if without_job else row.owner_id)

    def _between_datasets(self, datasets: list[int], *, upstream: bool) -> Iterator[Hop]:
        self.names.learn(datasets)
        rows = self._rows(self.names.of(datasets), upstream=upstream)
        into_jobs: list[Row[Any]] = []
        direct: list[Row[Any]] = []
        for row in rows:
            (direct if row.source_node == row.target_node else into_jobs).append(row)
        entered = [row for row in into_jobs if row.conduct in (Conduct.THROUGH, Conduct.END)]
        beyond = self._rows({_far(row, upstream=upstream) for row in entered}, upstream=upstream)
        self._learn_ends([*direct, *entered, *beyond])
        for row in direct:
            yield self._hop(row, row, None if row.owner_id == row.target_id else row.owner_id)
        yield from self._through(entered, beyond, upstream=upstream)
        yield from self._passed_on(entered, beyond, upstream=upstream)

    def _through(self, entered: list[Row[Any]], beyond: Sequence[Row[Any]], *, upstream: bool) -> Iterator[Hop]:
        """Inputs x outputs of one job, multiplied here and nowhere stored."""
        far_side: dict[tuple[int, bool, int], list[Row[Any]]] = defaultdict(list)
        for row in beyond:
            if row.conduct == Conduct.THROUGH:
                far_side[_through_key(row)].append(row)
        near_side: dict[tuple[int, bool, int], list[Row[Any]]] = defaultdict(list)
        for row in entered:
            if row.conduct == Conduct.THROUGH:
                near_side[_through_key(row)].append(row)
        # Far ends outside: if an answer is cut at its edges, every node is still found.
        for key, nears in near_side.items():
            for far in far_side[key]:
                for near in nears:
                    ends = (far, near) if upstream else (near, far)
                    if max(near.valid_from, far.valid_from) < min(near.valid_to, far.valid_to):
                        yield self._hop(*ends, near.owner_id)

    def _passed_on(self, entered: list[Row[Any]], beyond: Sequence[Row[Any]], *, upstream: bool) -> Iterator[Hop]:
        """From a dataset into a job, from job to job, and out of the last one into a dataset: one hop.

        Its job is the one beside the target and its derivation the weakest on the way, whichever way is walked.
        """
        arrived: dict[_Way, list[Interval]] = defaultdict(list)
        for row in entered:
            far = _far(row, upstream=upstream)
            origin = row.target_id if upstream else row.source_id
            way = _Way(far, origin, far if upstream else None, row.derivation)
            arrived[way].append(Interval(row.valid_from, row.valid_to))
        been: dict[_Way, list[Interval]] = defaultdict(list)
        rows = beyond
        while arrived := _further(arrived, rows, been, upstream=upstream):
            rows = self._rows({way.job for way in arrived}, upstream=upstream)
            self._learn_ends(rows)
            leaving = [row for row in rows if row.conduct in (Conduct.THROUGH, Conduct.END)]
            for row, way, moments in _met(arrived, leaving, upstream=upstream):
                ends = (row.source_id, way.origin) if upstream else (way.origin, row.target_id)
                source, target = (self.names.canonical[id] for id in ends)
                derivation = Derivation(max(way.derivation, row.derivation))
                yield Hop(source, target, way.via or way.job, derivation, *moments)

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

    def _hop(self, source: Row[Any], target: Row[Any], job: int | None) -> Hop:
        """The hop from the source of one edge to the target of another (or the same)."""
        start, end = max(source.valid_from, target.valid_from), min(source.valid_to, target.valid_to)
        origin, reached = (self.names.canonical.get(id, id) for id in (source.source_id, target.target_id))
        return Hop(origin, reached, job, Derivation(max(source.derivation, target.derivation)), start, end)

    def _alive(self, hops: Iterable[Hop]) -> Iterator[Hop]:
        """The hops that hold in the window while both their ends exist."""
        found = list(hops)
        ends = {id for hop in found for id in (hop.source, hop.target)}
        datasets = [id for id in ends if self.kinds[id] is EntityKind.DATASET]
        dead = dead_intervals(self.connection, {id: self.names.members.get(id, [id]) for id in datasets})
        for hop in found:
            held = [Interval(hop.start, hop.end)]
            if dead:
                held = without(held, [*dead.get(hop.source, ()), *dead.get(hop.target, ())])
            if any(self.window.holds(*piece) for piece in held):
                yield hop


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
    calls = [row for row in rows if row.source_node == row.target_node == Node.JOB]
    for row, way, moments in _met(arrived, calls, upstream=upstream):
        on = way._replace(job=_far(row, upstream=upstream), derivation=max(way.derivation, row.derivation))
        new = without([moments], been[on])
        if new:
            been[on] += new
            further[on] += new
    return further


def _near(row: Row[Any], *, upstream: bool) -> int:
    id: int = row.target_id if upstream else row.source_id
    return id


def _far(row: Row[Any], *, upstream: bool) -> int:
    id: int = row.source_id if upstream else row.target_id
    return id


def _through_key(row: Row[Any]) -> tuple[int, bool, int]:
    return (row.owner_id, row.derivation == Derivation.DECLARED, row.through_group)
