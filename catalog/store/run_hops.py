"""Which run's output was read by which run.

A batch run reads a dataset when it begins. What it reads is the version its event names, else what was written last
before that: by a completed run at its end, by a streaming one as long as it runs. A streaming run goes on reading what
is written until it ends. Who alters or renames a dataset passes on what was in it. A drop leaves nothing to read of
what was begun before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Row, false, select

from catalog.domain.timeline import BEGINNING, FOREVER, Window
from catalog.domain.words import STREAMING, Lifecycle, Role
from catalog.store.dialect import any_of, listed
from catalog.store.engine import Read
from catalog.store.living import Living
from catalog.store.rows import by_ids
from catalog.store.tables import job, run
from catalog.store.uses import of_activities, uses


class _Written(NamedTuple):
    """A write that can be read from `at` on, and goes on until `until` if it streams."""

    at: int
    run: int
    label: str | None
    until: int


class _Read(NamedTuple):
    """A read at one moment, or of all that comes until `until`."""

    at: int
    run: int
    label: str | None
    until: int


class _History(NamedTuple):
    """What happened to one dataset, in order of time; `streams` are the writes that go on, and in `writes` too."""

    writes: list[_Written]
    reads: list[_Read]
    streams: list[_Written]
    drops: list[int]

    def dropped(self, moment: int) -> int:
        """When the dataset was last dropped before a moment."""
        place = bisect_right(self.drops, moment)
        return self.drops[place - 1] if place else BEGINNING


class RunHops:
    """Steps between runs, as known at the last moment of the window.

    What a walk begins at, if that is no run, stands for other runs at other moments of the window.
    """

    def __init__(self, connection: Read, window: Window, living: Living) -> None:
        """Nothing is read yet."""
        self.connection = connection
        self.since, self.until = window
        self.living = living
        self.names = living.names

    def step(
        self, datasets: Collection[int], jobs: Collection[int], runs: Collection[int], *, upstream: bool
    ) -> Iterator[tuple[int, int, int]]:
        """(source, target, moment of reading) of every hop from these runs; datasets and jobs are entry points.

        A job stands for its latest run, a dataset for the run that wrote it last and those that read that; or that read
        it where nobody is known to have written it.
        """
        for job_id, run_id, at in self._latest_runs(jobs):
            yield (run_id, job_id, at) if upstream else (job_id, run_id, at)
        touched = self._touched([*runs], upstream=upstream) | set(datasets)
        wanted = set(runs)
        for dataset, history in self._history(touched).items():
            fed = list(_fed(history))
            if dataset in datasets:
                yield from self._around(dataset, history, fed, upstream=upstream)
            yield from (hop for hop in fed if hop[1 if upstream else 0] in wanted)

    def _around(
        self, dataset: int, history: _History, fed: Collection[tuple[int, int, int]], *, upstream: bool
    ) -> Iterator[tuple[int, int, int]]:
        """What a dataset stands for: what was there when the window began, and what came in it."""
        later = {written.at for written in history.writes if written.at > self.since}
        moments = (self.since, *sorted(later))
        there, *rest = (_before(history.writes, _Read(at, 0, None, at), history.dropped(at)) for at in moments)
        shown = [written for written in (there, *rest) if written]
        if upstream:
            yield from ((written.run, dataset, written.at) for written in shown)
            return
        writers = {written.run for written in shown}
        yield from ((dataset, reader, at) for writer, reader, at in fed if writer in writers)
        if there is None and history.dropped(self.since) == BEGINNING:
            known = {reader for _, reader, _ in fed}
            yield from ((dataset, one.run, one.at) for one in history.reads if one.run not in known)

    def _latest_runs(self, jobs: Collection[int]) -> Iterator[tuple[int, int, int]]:
        """(job, run, since when) of the runs that were the latest of their jobs at a moment of the window."""
        if not jobs:
            return
        wanted = listed(self.connection, ("job",), [(id,) for id in jobs])
        newest = (
            select(run.c.id)
            .where(run.c.job_id == wanted.c.job, run.c.first_at <= self.since)
            .order_by(run.c.first_at.desc(), run.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        chosen = self.connection.scalars(select(newest).select_from(wanted)).all()
        rows = by_ids(self.connection, run, run.c.id, [id for id in chosen if id is not None])
        began = run.c.first_at.between(self.since + 1, self.until) if self.since < self.until else false()
        rows = [*rows, *by_ids(self.connection, run, run.c.job_id, jobs, began)]
        # Of several that began at one moment one is the latest.
        latest = {(row.job_id, row.first_at): row.id for row in sorted(rows, key=lambda row: row.id)}
        yield from ((job_id, run_id, at) for (job_id, at), run_id in latest.items())

    def _touched(self, runs: Collection[int], *, upstream: bool) -> set[int]:
        """The datasets these runs read (upstream: or passed on) or wrote."""
        used = of_activities(self.connection, runs, Role.INPUT if upstream else Role.OUTPUT)
        if upstream:
            written = of_activities(self.connection, runs, Role.OUTPUT)
            used += [use for use in written if Lifecycle(use.lifecycle).passes_on]
        self.names.learn([use.dataset_id for use in used])
        return {self.names.canonical[use.dataset_id] for use in used}

    def _history(self, datasets: Collection[int]) -> dict[int, _History]:
        """Every write and read of these datasets until the window's end, each in order of time."""
        self.names.learn(datasets)
        history: dict[int, _History] = defaultdict(lambda: _History([], [], [], []))
        if not datasets:
            return history
        names = self.names.of(datasets)
        use = uses(lambda said: (any_of(self.connection, said.dataset_id, names), said.first_at <= self.until))
        ends = (run.c.completed_at, run.c.failed_at, run.c.aborted_at)
        rows = self.connection.execute(
            select(use, run.c.first_at.label("began"), *ends, job.c.processing_type)
            .join(run, run.c.id == use.c.activity_id)
            .join(job, job.c.id == run.c.job_id)
        )
        for row in rows:
            _note(row, history[self.names.canonical[row.dataset_id]], self.until)
        dead = self.living.dead(history) if self.living.needed else {}
        for id, of in history.items():
            of.drops.extend(start for start, _ in dead.get(id, ()))
            of.writes.sort(key=lambda written: written[:2])
            of.reads.sort(key=lambda reading: reading[:2])
            of.streams.extend(written for written in of.writes if written.until > written.at)
        return history


def _fed(history: _History) -> Iterator[tuple[int, int, int]]:
    """(writing run, reading run, since when) of all that was read."""
    labelled: dict[str | None, list[_Written]] = defaultdict(list)
    for written in history.writes:
        labelled[written.label].append(written)
    for reading in history.reads:
        dropped = history.dropped(reading.at)
        # Labels come again: a table that was dropped and made anew counts its versions from the start.
        same = [] if reading.label is None else labelled.get(reading.label, [])
        got = _before(same, reading, dropped) or _after(same, reading, dropped)
        got = got or _before(history.writes, reading, dropped)
        if got:
            yield got.run, reading.run, reading.at
        if reading.label is not None and reading.until == reading.at:
            continue  # It says which version it read, and that is all it did.
        yield from _besides(history, reading, dropped)


def _before(writes: Sequence[_Written], reading: _Read, dropped: int) -> _Written | None:
    """The last write before a read, since a drop; a run that reads what it writes itself read what was there before."""
    place = bisect_right(writes, reading.at, key=attrgetter("at"))
    while place and writes[place - 1].at > dropped:
        place -= 1
        if writes[place].run != reading.run:
            return writes[place]
    return None


def _after(writes: Sequence[_Written], reading: _Read, dropped: int) -> _Written | None:
    """The first write since a drop."""
    return next((one for one in writes if one.run != reading.run and one.at > dropped), None)


def _besides(history: _History, reading: _Read, dropped: int) -> Iterator[tuple[int, int, int]]:
    """What is written while it is read: a writer or a reader that streams."""
    begun = (written for written in history.streams if dropped < written.at <= reading.at < written.until)
    first, last = (bisect_right(history.writes, at, key=attrgetter("at")) for at in (reading.at, reading.until))
    for written in (*begun, *history.writes[first:last]):
        if written.run != reading.run:
            yield written.run, reading.run, max(written.at, reading.at)


def _note(row: Row[Any], history: _History, until: int) -> None:
    """Take a use into the history, as far as it had happened by then."""
    streams, change = row.processing_type == STREAMING, Lifecycle(row.lifecycle)
    reads = row.role == Role.INPUT
    if (reads or change.passes_on) and row.began <= until:
        label = row.label if reads else None
        history.reads.append(_Read(row.began, row.activity_id, label, _end(row, row.began) if streams else row.began))
    at = row.first_at if streams else row.completed_at
    if not reads and at is not None and at <= until and not change.ends_dataset:
        history.writes.append(_Written(at, row.activity_id, row.label, _end(row, at) if streams else at))


def _end(row: Row[Any], begun: int) -> int:
    """When what a streaming run began was over; mostly it is not."""
    ends = [at for at in (row.completed_at, row.failed_at, row.aborted_at) if at is not None]
    return max(begun, *ends) if ends else FOREVER
