"""What one step of a lineage walk reaches, and when: edges of the graph read level by level.

A hop between datasets is an edge between them, or inputs x outputs of one job (of one group: see `Edge`), or a way
through jobs that pass data to each other. A hop of the bipartite graph has a job at one end. Steps between columns
are in `field_hops`.

A walk of ten thousand nodes is to take a tenth of a second, so what there is of every node is a tuple, and only what
an index has is read: which end of an edge is a job follows from where the step began.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple, Self, TypeAlias

from sqlalchemy import ColumnElement, Label, Select, bindparam, literal_column, select, union_all

from catalog.domain.timeline import Interval, Window, without
from catalog.domain.words import Conduct, Derivation, EntityKind, Granularity, Role
from catalog.store.among import Prepared, Tuple, among, among_found
from catalog.store.engine import Read
from catalog.store.flows import Flows
from catalog.store.hop import NO_JOB, Changes, ColumnName, EdgeKey, Found, Hop, Product, Ways
from catalog.store.living import Living
from catalog.store.names import Names
from catalog.store.rows import by_ids
from catalog.store.run_hops import RunHops
from catalog.store.tables import edge, run
from catalog.store.uses import of_activities

_IMPLICIT, _DECLARED = int(Derivation.IMPLICIT), int(Derivation.DECLARED)
_END, _THROUGH, _DIRECT = int(Conduct.END), int(Conduct.THROUGH), int(Conduct.DIRECT)
_STEPPED = (EntityKind.DATASET, EntityKind.JOB, EntityKind.RUN)
# Where a row stands in a level: at the nodes, or beyond the jobs that those lead to.
_AT, _BEYOND = 0, 1


def _edges(ends: tuple[ColumnElement[int], ColumnElement[int]], where: ColumnElement[bool], place: int) -> Select[Any]:
    """Edges that hold at some moment of the window, with the end that a step begins at first."""
    c = edge.c
    marked: Label[int] = literal_column(str(place)).label("place")
    columns = (*ends, c.owner_id, c.derivation, c.conduct, c.through_group, c.valid_from, c.valid_to)
    return select(marked, *columns).where(where, c.valid_to > bindparam("first"), c.valid_from <= bindparam("last"))


_UP, _DOWN = (edge.c.target_id, edge.c.source_id), (edge.c.source_id, edge.c.target_id)
_ENDS = {True: _UP, False: _DOWN}
_IDS = {True: "up", False: "down"}


def _place(upstream: bool, place: int) -> int:
    """The mark of a row: which way it is walked, and where it stands."""
    return 2 * upstream + place


def _at(*, upstream: bool) -> Select[Any]:
    ends = _ENDS[upstream]
    return _edges(ends, among(ends[0], _IDS[upstream]), _place(upstream, _AT))


def _and_beyond(*, upstream: bool) -> tuple[Select[Any], Select[Any]]:
    """Edges at datasets, and those beyond the jobs that they lead to: a statement less at every level."""
    ends = _ENDS[upstream]
    at = _at(upstream=upstream).cte(f"at_{_IDS[upstream]}").prefix_with("MATERIALIZED")
    conduct, far = at.c.conduct, at.c[ends[1].name]
    entered = select(far).where(conduct.between(literal_column(str(_END)), literal_column(str(_THROUGH))))
    return select(at), _edges(ends, among_found(ends[0], entered), _place(upstream, _BEYOND))


# Both ways in one statement: what a small level costs is mostly its statements.
_EDGES = Prepared(union_all(_at(upstream=True), _at(upstream=False)))
_EDGES_AND_BEYOND = Prepared(union_all(*_and_beyond(upstream=True), *_and_beyond(upstream=False)))


_Group: TypeAlias = int | tuple[int, bool, int]
"""A job, and where it says things apart whether it declares them, and which of its runs (see `Edge`)."""


class _Way(NamedTuple):
    """How far a walk from a dataset through jobs has come: `via` is the job beside the target, where that is known."""

    job: int
    origin: int
    via: int | None
    derivation: int


class Steps:
    """Steps at one granularity, over one window of moments; without `include_indirect` none that is all indirect."""

    def __init__(
        self, connection: Read, granularity: Granularity, window: Window, kinds: Mapping[int, EntityKind],
        *, include_indirect: bool = True,
    ) -> None:  # fmt: skip
        """`kinds` has the roots; every node that is reached and is no dataset is added to it."""
        self.connection = connection
        self.granularity = granularity
        self.window = window
        self.columns: Mapping[int, ColumnName] = {}
        self.passed_on: set[EdgeKey] = set()
        """Hops by way of several jobs."""
        self._include_indirect = include_indirect
        self.kinds = {id: kind for id, kind in kinds.items() if kind is not EntityKind.DATASET}
        self._roots = kinds.keys()
        self.names = Names(connection)
        self.living = Living(connection, self.names, window)
        self.flows = Flows(connection, self.living)
        self.runs = RunHops(connection, window, self.living)

    def over(self, window: Window) -> Self:
        """The same steps over another window; none is left out for being indirect."""
        return type(self)(self.connection, self.granularity, window, self.kinds)

    def leaves(self, id: int) -> bool:  # noqa: ARG002 - steps between columns leave not everything
        """Whether a step can begin here."""
        return True

    def step(self, frontiers: Ways) -> dict[bool, Found]:
        """Every hop that ends (downstream: begins) in the frontier of its way and holds in the window."""
        found = self._step(frontiers)
        return found if self._include_indirect else {up: self.flows.direct_only(each) for up, each in found.items()}

    def transformations(self, edges: Iterable[EdgeKey]) -> Mapping[EdgeKey, Changes]:
        """How data changes along these edges; edges of which nothing is said are missing."""
        return self.flows.of_edges(edges)

    def _step(self, frontiers: Ways) -> dict[bool, Found]:
        if self.granularity is Granularity.RUN:
            return {up: Found(list(self._of_runs(ids, upstream=up))) for up, ids in frontiers.items()}
        runs = {up: self._only(EntityKind.RUN, ids) for up, ids in frontiers.items()}
        found = {up: Found(list(self._of_run_io(ids, upstream=up)) if ids else []) for up, ids in runs.items()}
        datasets = {up: self._only(EntityKind.DATASET, ids) for up, ids in frontiers.items()}
        jobs = {up: self._only(EntityKind.JOB, ids) for up, ids in frontiers.items()}
        for ids in datasets.values():
            self.names.learn(ids)
        names = {upstream: self.names.of(ids) for upstream, ids in datasets.items()}
        bipartite = jobs
        if self.granularity is Granularity.JOB:
            bipartite = {upstream: [*names[upstream], *jobs[upstream]] for upstream in frontiers}
        elif any(names.values()):
            self._between_datasets(found, names)
        if any(bipartite.values()):
            self._bipartite(found, bipartite)
        return found

    def _only(self, kind: EntityKind, ids: Sequence[int]) -> Sequence[int]:
        """Those of this kind."""
        kinds = self.kinds
        if kind is EntityKind.DATASET:
            return [id for id in ids if id not in kinds]
        return [id for id in ids if kinds.get(id) is kind] if kinds else ()

    def _of_runs(self, near: Sequence[int], *, upstream: bool) -> Iterator[Hop]:
        datasets, jobs, runs = (self._only(kind, near) for kind in _STEPPED)
        for source, target, at in self.runs.step(datasets, jobs, runs, upstream=upstream):
            # All else than a root is a run, and a root that is a dataset stays one.
            self.kinds.update((id, EntityKind.RUN) for id in (source, target) if id not in self._roots)
            yield source, target, NO_JOB, _IMPLICIT, at, at + 1

    def _of_run_io(self, runs: Sequence[int], *, upstream: bool) -> Iterator[Hop]:
        """What runs read or wrote: the first hop of a walk that begins at a run."""
        uses = of_activities(self.connection, runs, Role.INPUT if upstream else Role.OUTPUT)
        jobs = {row.id: row.job_id for row in by_ids(self.connection, run, run.c.id, runs)}
        self.names.learn([use.dataset_id for use in uses])
        for use in (use for use in uses if use.first_at <= self.window.last):
            id, run_id = self.names.canonical[use.dataset_id], use.activity_id
            ends = (id, run_id) if upstream else (run_id, id)
            yield *ends, jobs[run_id], _IMPLICIT, use.first_at, use.last_at + 1

    def _rows(self, statement: Prepared, near: Mapping[bool, Iterable[int]]) -> tuple[list[Tuple], ...]:
        """The rows that the statement finds at these nodes, by their place."""
        given = {"up": list(near.get(True, ())), "down": list(near.get(False, ()))}
        placed: tuple[list[Tuple], ...] = ([], [], [], [])
        for row in statement.rows(self.connection, {**given, **self.window._asdict()}):
            placed[row[0]].append(row)
        return placed

    def _bipartite(self, found: Mapping[bool, Found], near: Mapping[bool, Sequence[int]]) -> None:
        """Edges with a job at one end, and those between datasets that no job made."""
        placed = self._rows(_EDGES, near)
        rows = {upstream: placed[_place(upstream, _AT)] for upstream in near}
        at_jobs = {id for ids in near.values() for id in ids if id in self.kinds}
        jobs = [row[2] for of in rows.values() for row in of if (row[5] == _DIRECT) == (row[1] in at_jobs)]
        self.kinds.update(dict.fromkeys(jobs, EntityKind.JOB))
        self.names.learn(row[2] for of in rows.values() for row in of if row[2] not in self.kinds)
        for upstream, of in rows.items():
            # What a job did between two datasets is shown by way of the job.
            shown = (
                row for row in of if row[5] != _DIRECT or row[1] in at_jobs or self._undone(row, upstream=upstream)
            )
            found[upstream].hops += self.living.among(list(self._hops(shown, upstream=upstream)))

    def _between_datasets(self, found: Mapping[bool, Found], near: Mapping[bool, Sequence[int]]) -> None:
        placed = self._rows(_EDGES_AND_BEYOND, near)
        self.names.learn(row[2] for row in chain(*placed) if row[0] % 2 == _BEYOND or row[5] == _DIRECT)
        for upstream in near:
            at, beyond = placed[_place(upstream, _AT)], placed[_place(upstream, _BEYOND)]
            reached = Found(list(self._hops([row for row in at if row[5] == _DIRECT], upstream=upstream)))
            self._through(at, beyond, reached, upstream=upstream)
            if any(row[5] == _DIRECT for row in beyond):
                entered = [row for row in at if _END <= row[5] <= _THROUGH]
                reached.hops += self._passed_on(entered, beyond, upstream=upstream)
            if canonical := self.names.canonical:
                reached.hops = [(canonical[hop[0]], canonical[hop[1]], *hop[2:]) for hop in reached.hops]
            found[upstream].hops += self.living.among(reached.hops)
            for one in reached.products:
                self._add_alive(one, found[upstream])

    def _hops(self, rows: Iterable[Tuple], *, upstream: bool) -> Iterator[Hop]:
        """The hops that these edges are."""
        canonical = self.names.canonical
        for row in rows:
            _, near, far, owner, how, _, number, start, end = row
            job = owner
            if owner < 0:  # A person declares it, and says there what job it goes through.
                job = number
                self.flows.manual.add(owner)
            elif self._undone(row, upstream=upstream):
                job = NO_JOB
            source, target = (far, near) if upstream else (near, far)
            yield canonical[source], canonical[target], job, how, start, end

    def _undone(self, row: Tuple, *, upstream: bool) -> bool:
        """Whether a dataset, or a person, declares the edge itself: no job does it."""
        if row[3] < 0:
            return bool(row[6] == NO_JOB)
        return bool(row[3] == row[1 if upstream else 2] and row[3] not in self.kinds)

    def _through(self, at: Iterable[Tuple], beyond: Iterable[Tuple], into: Found, *, upstream: bool) -> None:
        """Inputs x outputs of one job, of one group: single hops where that is no multiplication."""
        nears: dict[_Group, list[Tuple]] = defaultdict(list)
        for row in at:
            if row[5] == _THROUGH:
                nears[row[3] if row[6] == 0 and row[4] != _DECLARED else _group(row)].append(row)
        several: dict[_Group, list[Tuple]] = defaultdict(list)
        first, last = self.window
        for row in beyond:
            if row[5] != _THROUGH or (near := nears.get(group := _group(row))) is None:
                continue
            if len(near) > 1:
                several[group].append(row)
                continue
            _, _, far, job, how, _, _, start, end = row
            _, one, _, _, _, _, _, since, until = near[0]
            start, end = max(start, since), min(end, until)
            if start < end and start <= last and end > first:
                how = _DECLARED if how == _DECLARED else _IMPLICIT
                into.hops.append((far, one, job, how, start, end) if upstream else (one, far, job, how, start, end))
        for group, fars in several.items():
            for one in self._products(nears[group], fars, upstream=upstream):
                if len(fars) > 1:
                    into.products.append(one)
                else:
                    into.hops += one.hops()

    def _products(self, near: Sequence[Tuple], far: Sequence[Tuple], *, upstream: bool) -> Iterator[Product]:
        """Ends of one group; those that hold at the same moments stay together."""
        job, how = near[0][3], _DECLARED if near[0][4] == _DECLARED else _IMPLICIT
        fars = self._together(far, 2)
        for near_span, near_ids in self._together(near, 1).items():
            for far_span, far_ids in fars.items():
                start, end = max(near_span.start, far_span.start), min(near_span.end, far_span.end)
                if start < end and self.window.holds(start, end):
                    sources, targets = (far_ids, near_ids) if upstream else (near_ids, far_ids)
                    yield Product(tuple(sorted(sources)), tuple(sorted(targets)), job, how, start, end)

    def _together(self, rows: Iterable[Tuple], which: int) -> Mapping[Interval, set[int]]:
        """The near ends (1) or the far ones (2) by when they hold."""
        spans: dict[Interval, set[int]] = defaultdict(set)
        for row in rows:
            spans[Interval(row[7], row[8])].add(self.names.canonical[row[which]])
        return spans

    def _passed_on(self, entered: Iterable[Tuple], beyond: Iterable[Tuple], *, upstream: bool) -> Iterator[Hop]:
        """From a dataset into a job, from job to job, and out of the last one into a dataset: one hop.

        Its job is the one beside the target and its derivation the weakest on the way, whichever way is walked.
        """
        arrived: dict[_Way, list[Interval]] = defaultdict(list)
        for _, near, far, _, how, _, _, start, end in entered:
            arrived[_Way(far, near, far if upstream else None, how)].append(Interval(start, end))
        been: dict[_Way, list[Interval]] = defaultdict(list)
        rows = beyond
        while arrived := _further(arrived, rows, been):
            rows = self._rows(_EDGES, {upstream: {way.job for way in arrived}})[_place(upstream, _AT)]
            leaving = [row for row in rows if _END <= row[5] <= _THROUGH]
            self.names.learn(row[2] for row in leaving)
            for row, way, moments in _met(arrived, leaving):
                if self.window.holds(*moments):
                    ends = (row[2], way.origin) if upstream else (way.origin, row[2])
                    source, target = (self.names.canonical[id] for id in ends)
                    key = (source, target, way.via or way.job, max(way.derivation, row[4]))
                    self.passed_on.add(key)
                    yield *key, *moments

    def _add_alive(self, one: Product, found: Found) -> None:
        """A product as far as its ends exist: pairs with an end that was dropped stand alone."""
        dead = self.living.dead({*one.sources, *one.targets}) if self.living.needed else {}
        if not dead:
            found.products.append(one)
            return
        sources, targets = (tuple(id for id in ends if id not in dead) for ends in (one.sources, one.targets))
        whole = replace(one, sources=sources, targets=targets)
        if sources and targets:
            found.products.append(whole)
        mortal = [hop for hop in one.hops() if hop[0] in dead or hop[1] in dead]
        found.hops += self.living.among(mortal)


def _group(row: Tuple) -> _Group:
    """Whose inputs meet whose outputs; of most rows the job alone says it."""
    owner: int = row[3]
    declared = row[4] == _DECLARED
    return (owner, declared, row[6]) if declared or row[6] else owner


def _met(arrived: Mapping[_Way, Sequence[Interval]], rows: Iterable[Tuple]) -> Iterator[tuple[Tuple, _Way, Interval]]:
    """Each edge that leaves a job with each way that led there, and the moments at which both held."""
    at: dict[int, list[tuple[_Way, Interval]]] = defaultdict(list)
    for way, pieces in arrived.items():
        at[way.job] += [(way, piece) for piece in pieces]
    for row in rows:
        for way, piece in at[row[1]]:
            both = Interval(max(piece.start, row[7]), min(piece.end, row[8]))
            if both.start < both.end:
                yield row, way, both


def _further(
    arrived: Mapping[_Way, Sequence[Interval]], rows: Iterable[Tuple], been: dict[_Way, list[Interval]]
) -> dict[_Way, list[Interval]]:
    """Where one step from job to job leads at moments it had not led there before."""
    further: dict[_Way, list[Interval]] = defaultdict(list)
    calls = [row for row in rows if row[5] == _DIRECT]
    for row, way, moments in _met(arrived, calls):
        on = way._replace(job=row[2], derivation=max(way.derivation, row[4]))
        new = without([moments], been[on])
        if new:
            been[on] += new
            further[on] += new
    return further
