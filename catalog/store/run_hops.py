"""Which run's output was read by which run.

A run reads a dataset when it begins. What it reads is the version its event names, else what was written last
before that: by a completed run at its end, by a streaming one since it first reported the output.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import select

from catalog.domain.timeline import Window
from catalog.domain.words import Lifecycle, Role
from catalog.store.dialect import any_of, listed
from catalog.store.engine import Read
from catalog.store.facet_writer import STREAMING
from catalog.store.names import Names
from catalog.store.rows import by_ids
from catalog.store.tables import job, run
from catalog.store.uses import of_activities, uses


class _Written(NamedTuple):
    at: int
    run: int
    label: str | None


class _Read(NamedTuple):
    at: int
    run: int
    label: str | None


class RunHops:
    """Steps between runs, as known at the last moment of the window."""

    def __init__(self, connection: Read, window: Window, names: Names) -> None:
        """Nothing is read yet."""
        self.connection = connection
        self.until = window.last
        self.names = names

    def step(
        self, datasets: Collection[int], jobs: Collection[int], runs: Collection[int], *, upstream: bool
    ) -> Iterator[tuple[int, int, int]]:
        """(source, target, moment of reading) of every hop from these runs; datasets and jobs are entry points.

        A job stands for its latest run, a dataset for the run that wrote it last and those that read that.
        """
        latest = self._latest_runs(jobs)
        for job_id, (run_id, at) in latest.items():
            yield (run_id, job_id, at) if upstream else (job_id, run_id, at)
        touched = self._touched([*runs], upstream=upstream) | set(datasets)
        wanted = set(runs)
        for dataset, (writes, reads) in self._history(touched).items():
            if dataset in datasets and writes:
                newest = writes[-1]
                if upstream:
                    yield newest.run, dataset, newest.at
                else:
                    yield from ((dataset, r.run, r.at) for w, r in _fed(writes, reads) if w.run == newest.run)
            for written, reading in _fed(writes, reads):
                if (reading.run if upstream else written.run) in wanted:
                    yield written.run, reading.run, reading.at

    def _latest_runs(self, jobs: Collection[int]) -> dict[int, tuple[int, int]]:
        if not jobs:
            return {}
        wanted = listed(self.connection, ("job",), [(id,) for id in jobs])
        newest = (
            select(run.c.id)
            .where(run.c.job_id == wanted.c.job, run.c.first_at <= self.until)
            .order_by(run.c.first_at.desc(), run.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        chosen = self.connection.scalars(select(newest).select_from(wanted)).all()
        rows = by_ids(self.connection, run, run.c.id, [id for id in chosen if id is not None])
        return {row.job_id: (row.id, row.first_at) for row in rows}

    def _touched(self, runs: Collection[int], *, upstream: bool) -> set[int]:
        """The datasets these runs read (upstream) or wrote."""
        role = Role.INPUT if upstream else Role.OUTPUT
        uses = of_activities(self.connection, runs, role)
        self.names.learn([use.dataset_id for use in uses])
        return {self.names.canonical[use.dataset_id] for use in uses}

    def _history(self, datasets: Collection[int]) -> dict[int, tuple[list[_Written], list[_Read]]]:
        """Every write and read of these datasets until the window's end, each in order of time."""
        self.names.learn(datasets)
        history: dict[int, tuple[list[_Written], list[_Read]]] = defaultdict(lambda: ([], []))
        if not datasets:
            return history
        names = self.names.of(datasets)
        use = uses(lambda said: (any_of(self.connection, said.dataset_id, names), said.first_at <= self.until))
        rows = self.connection.execute(
            select(use, run.c.first_at.label("began"), run.c.completed_at, job.c.processing_type)
            .join(run, run.c.id == use.c.activity_id)
            .join(job, job.c.id == run.c.job_id)
        )
        for row in rows:
            writes, reads = history[self.names.canonical[row.dataset_id]]
            if row.role == Role.INPUT:
                if row.began <= self.until:
                    reads.append(_Read(row.began, row.activity_id, row.label))
                continue
            at = row.first_at if row.processing_type == STREAMING else row.completed_at
            if at is not None and at <= self.until and not Lifecycle(row.lifecycle).ends_dataset:
                writes.append(_Written(at, row.activity_id, row.label))
        for writes, reads in history.values():
            writes.sort(key=lambda w: (w.at, w.run))
            reads.sort(key=lambda r: (r.at, r.run))
        return history


def _fed(writes: Sequence[_Written], reads: Iterable[_Read]) -> Iterator[tuple[_Written, _Read]]:
    """Which write each read got; both in order of time."""
    labelled: dict[str | None, list[_Written]] = defaultdict(list)
    for written in writes:
        labelled[written.label].append(written)
    for reading in reads:
        # Labels come again: a table that was dropped and made anew counts its versions from the start.
        same = [] if reading.label is None else labelled.get(reading.label, [])
        after = (written for written in same if written.run != reading.run)
        if got := _before(same, reading) or next(after, None) or _before(writes, reading):
            yield got, reading


def _before(writes: Sequence[_Written], reading: _Read) -> _Written | None:
    """The last write before a read; a run that reads what it writes itself read what was there before."""
    place = bisect_right(writes, reading.at, key=attrgetter("at"))
    while place and writes[place - 1].run == reading.run:
        place -= 1
    return writes[place - 1] if place else None
