"""When datasets did not exist: from a drop until they were written again."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select

from catalog.domain.components import components
from catalog.domain.renames import Renamed
from catalog.domain.timeline import FOREVER, Interval
from catalog.domain.words import Lifecycle, Role
from catalog.store import renames
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.rows import by_ids
from catalog.store.tables import dataset_alias, dataset_drop, job, run
from catalog.store.uses import uses, wrote

_Moments = dict[int, list[tuple[int, int]]]
"""Of each dataset the moments at which something happened to it, and under which name."""


@dataclass(frozen=True, slots=True)
class Deaths:
    """When datasets were gone: one interval from each drop, in order.

    `by_job` has more: from when a job dropped a dataset until it writes it itself, whoever else has by then.
    """

    whole: dict[int, list[Interval]] = field(default_factory=dict)
    by_job: dict[tuple[int, int], list[Interval]] = field(default_factory=dict)


def deaths(connection: Read, datasets: Mapping[int, Sequence[int]]) -> Deaths:
    """When these datasets (id: all its names) were dropped, and by whom.

    A dataset lives again at the first write after the drop: when a run first or last reported it as output, or
    completed, or an event declared it. A batch run that failed, or was aborted, has written nothing, as it has dropped
    nothing.
    """
    owner = {name: id for id, names in datasets.items() for name in names}
    drops: dict[int, list[_Drop]] = defaultdict(list)
    for row in _dropped(connection, owner) if owner else ():
        drops[owner[row.dataset_id]].append(_Drop(row.at, row.dataset_id, row.job_id))
    found = Deaths()
    if not drops:
        return found
    begun: _Moments = defaultdict(list)
    writes: dict[int | tuple[int, int], list[int]] = defaultdict(list)
    names = [name for id in drops for name in datasets[id]]
    for row in _written(connection, names):
        if not Lifecycle(row.lifecycle).ends_dataset:
            id = owner[row.dataset_id]
            times = [at for at in (row.first_at, row.last_at, row.completed_at) if at is not None]
            writes[id] += times
            writes[id, row.job_id or 0] += times
            begun[id].append((row.first_at, row.dataset_id))
    renamed = renames.among(connection, names)
    for rename in renamed:
        begun[owner[rename.dataset_id]].append((rename.at, rename.dataset_id))
    same = _same(connection, names, renamed)
    for id, dropped in drops.items():
        ending = sorted(_ending(dropped, begun[id], same))
        if ending:
            found.whole[id] = [_until_written(drop, writes[id]) for drop in ending]
        for job_id in {drop.job for drop in ending if drop.job}:
            mine = [drop for drop in ending if drop.job == job_id]
            found.by_job[id, job_id] = [_until_written(drop, writes[id, job_id]) for drop in mine]
    return found


class _Drop(NamedTuple):
    """A drop, under which name, and the job whose run it was; 0 if an event says it."""

    at: int
    name: int
    job: int


def _until_written(drop: _Drop, writes: Iterable[int]) -> Interval:
    return Interval(drop.at, _next(sorted(writes), drop.at))


def _dropped(connection: Read, names: Collection[int]) -> Iterable[Row[Any]]:
    """When, under which name and by which job."""
    by = func.coalesce(run.c.job_id, 0).label("job_id")
    drops = select(dataset_drop.c.at, dataset_drop.c.dataset_id, by)
    drops = drops.outerjoin(run, run.c.id == dataset_drop.c.activity_id)
    return connection.execute(drops.where(any_of(connection, dataset_drop.c.dataset_id, names)))


def _written(connection: Read, names: Collection[int]) -> Iterable[Row[Any]]:
    """What was written under these names, or declared."""
    use = uses(lambda said: (any_of(connection, said.dataset_id, names), said.role != int(Role.INPUT)))
    return connection.execute(
        select(use, run.c.completed_at, run.c.job_id)
        .outerjoin(run, run.c.id == use.c.activity_id)
        .outerjoin(job, job.c.id == run.c.job_id)
        .where(wrote())
    )


def _same(connection: Read, names: Collection[int], renamed: Collection[Renamed]) -> dict[int, int]:
    """Which of these names were one at all times, as symlinks say, and not because one was given up for another."""
    if not renamed:
        return dict.fromkeys(names, 0)
    rows = by_ids(connection, dataset_alias, dataset_alias.c.dataset_id, names)
    said = {(row.dataset_id, row.alias_id) for row in rows}
    said -= {(rename.dataset_id, rename.previous_id) for rename in renamed}
    return {name: min(group) for group in components(names, said) for name in group}


def _ending(drops: Iterable[_Drop], writes: Iterable[tuple[int, int]], same: Mapping[int, int]) -> Iterable[_Drop]:
    """The drops that end a dataset: those under the name that it had then, which is the one it was last written by."""
    times, by = _in_turn(writes, same)
    for drop in drops:
        place = bisect_right(times, drop.at)
        if place == 0 or same[drop.name] in by[place - 1]:
            yield drop


def _in_turn(writes: Iterable[tuple[int, int]], same: Mapping[int, int]) -> tuple[list[int], list[set[int]]]:
    """The moments of writes in order, and at each of them the names it was written by."""
    names: dict[int, set[int]] = defaultdict(set)
    for at, name in writes:
        names[at].add(same[name])
    times = sorted(names)
    return times, [names[at] for at in times]


def _next(times: Sequence[int], after: int) -> int:
    place = bisect_right(times, after)
    return times[place] if place < len(times) else FOREVER
