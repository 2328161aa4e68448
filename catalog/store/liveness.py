"""When datasets did not exist: from a drop until they were written again."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, or_, select

from catalog.domain.components import components
from catalog.domain.renames import Renamed
from catalog.domain.timeline import FOREVER, Interval
from catalog.domain.words import Lifecycle, Role
from catalog.store import renames
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.facet_writer import STREAMING
from catalog.store.rows import by_ids
from catalog.store.tables import dataset_alias, dataset_drop, job, run
from catalog.store.uses import uses

_Moments = dict[int, list[tuple[int, int]]]
"""Of each dataset the moments at which something happened to it, and under which name."""


def dead_intervals(connection: Read, datasets: Mapping[int, Sequence[int]]) -> dict[int, list[Interval]]:
    """The intervals during which these datasets (id: all its names) were dropped, one from each drop. Most have none.

    A dataset lives again at the first write after the drop: when a run first or last reported it as output, or
    an event declared it. A batch run that failed, or was aborted, has written nothing, as it has dropped nothing.
    """
    owner = {name: id for id, names in datasets.items() for name in names}
    drops: _Moments = defaultdict(list)
    if owner:
        for row in by_ids(connection, dataset_drop, dataset_drop.c.dataset_id, owner):
            drops[owner[row.dataset_id]].append((row.at, row.dataset_id))
    if not drops:
        return {}
    begun: _Moments = defaultdict(list)
    writes: dict[int, list[int]] = defaultdict(list)
    names = [name for id in drops for name in datasets[id]]
    for row in _written(connection, names):
        if not Lifecycle(row.lifecycle).ends_dataset:
            writes[owner[row.dataset_id]] += [row.first_at, row.last_at]
            begun[owner[row.dataset_id]].append((row.first_at, row.dataset_id))
    renamed = renames.among(connection, names)
    for rename in renamed:
        begun[owner[rename.dataset_id]].append((rename.at, rename.dataset_id))
    same = _same(connection, names, renamed)
    return {
        id: dead
        for id, dropped in drops.items()
        if (dead := sorted(Interval(at, _next(sorted(writes[id]), at)) for at in _ending(dropped, begun[id], same)))
    }


def _written(connection: Read, names: Collection[int]) -> Iterable[Row[Any]]:
    """What was written under these names, or declared."""
    use = uses(lambda said: (any_of(connection, said.dataset_id, names), said.role != int(Role.INPUT)))
    ended_badly = run.c.completed_at.is_(None) & or_(run.c.failed_at.is_not(None), run.c.aborted_at.is_not(None))
    streams = func.coalesce(job.c.processing_type, "") == STREAMING
    return connection.execute(
        select(use)
        .outerjoin(run, run.c.id == use.c.activity_id)
        .outerjoin(job, job.c.id == run.c.job_id)
        .where(or_(run.c.id.is_(None), ~ended_badly, streams))
    )


def _same(connection: Read, names: Collection[int], renamed: Collection[Renamed]) -> dict[int, int]:
    """Which of these names were one at all times, as symlinks say, and not because one was given up for another."""
    if not renamed:
        return dict.fromkeys(names, 0)
    rows = by_ids(connection, dataset_alias, dataset_alias.c.dataset_id, names)
    said = {(row.dataset_id, row.alias_id) for row in rows}
    said -= {(rename.dataset_id, rename.previous_id) for rename in renamed}
    return {name: min(group) for group in components(names, said) for name in group}


def _ending(
    drops: Iterable[tuple[int, int]], writes: Iterable[tuple[int, int]], same: Mapping[int, int]
) -> Iterable[int]:
    """The drops that end a dataset: those under the name that it had then, which is the one it was last written by."""
    times, by = _in_turn(writes, same)
    for at, name in drops:
        place = bisect_right(times, at)
        if place == 0 or same[name] in by[place - 1]:
            yield at


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
