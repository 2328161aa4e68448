"""When datasets did not exist: from a drop until they were written again."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select

from catalog.domain.components import components
from catalog.domain.renames import Renamed, Turn, in_turn
from catalog.domain.timeline import FOREVER, Interval
from catalog.domain.words import Lifecycle, Role
from catalog.store import renames
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.rows import by_ids
from catalog.store.tables import dataset_alias, dataset_drop, job, run
from catalog.store.uses import uses, wrote

_Begun = dict[int, list[tuple[Turn, int]]]
"""Of each dataset when it was written or renamed, and to which name."""
_Writes = dict[int | tuple[int, int], list[int]]
"""The moments at which each dataset was written, by anybody and by each job; 0 is who is no job."""


@dataclass(frozen=True, slots=True)
class Deaths:
    """When datasets were gone: one interval from each drop, in order.

    `by_job` has more: from when a job dropped a dataset until it writes it itself, whoever else has by then. That is so
    too where the drop was of a name that the dataset had no more, unless the same run wrote the dataset.
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
    drops: dict[int, set[_Drop]] = defaultdict(set)
    for row in _dropped(connection, owner) if owner else ():
        drops[owner[row.dataset_id]].add(_Drop(row.at, row.dataset_id, row.job_id))
    found = Deaths()
    if not drops:
        return found
    names = [name for id in drops for name in datasets[id]]
    renamed = renames.among(connection, names)
    same = _same(connection, names, renamed)
    begun, writes = _told(_written(connection, names), renamed, owner)
    for id, dropped in drops.items():
        ending = set(_ending(dropped, begun[id], same))
        if ending:
            found.whole[id] = [_until_written(drop.at, writes[id]) for drop in sorted(ending)]
        for drop in sorted(dropped):
            mine = writes[id, drop.job]
            if drop.job and (drop in ending or not _among(mine, drop.at)):
                found.by_job.setdefault((id, drop.job), []).append(_until_written(drop.at, mine))
    return found


class _Drop(NamedTuple):
    """A drop, under which name, and the job whose run it was; 0 if an event says it."""

    at: int
    name: int
    job: int


def _told(written: Iterable[Row[Any]], renamed: Iterable[Renamed], owner: Mapping[int, int]) -> tuple[_Begun, _Writes]:
    """What was written when, in order, and by which names datasets went."""
    begun: _Begun = defaultdict(list)
    writes: _Writes = defaultdict(list)
    for row in written:
        if not (row.lifecycle and Lifecycle(row.lifecycle).ends_dataset):
            id = owner[row.dataset_id]
            times = [at for at in (row.first_at, row.last_at, row.completed_at) if at is not None]
            writes[id] += times
            writes[id, row.job_id or 0] += times
            begun[id].append((Turn(row.first_at), row.dataset_id))
    for turn, rename in in_turn(renamed):
        begun[owner[rename.dataset_id]].append((turn, rename.dataset_id))
    for moments in writes.values():
        moments.sort()
    return begun, writes


def _until_written(at: int, writes: Sequence[int]) -> Interval:
    place = bisect_right(writes, at)
    return Interval(at, writes[place] if place < len(writes) else FOREVER)


def _among(writes: Sequence[int], at: int) -> bool:
    place = bisect_left(writes, at)
    return place < len(writes) and writes[place] == at


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


def _ending(drops: Iterable[_Drop], begun: Iterable[tuple[Turn, int]], same: Mapping[int, int]) -> Iterable[_Drop]:
    """The drops that end a dataset: those under the name that it had then, the last it was written or renamed by."""
    names: dict[Turn, set[int]] = defaultdict(set)
    for turn, name in begun:
        names[turn].add(same[name])
    turns = sorted(names)
    for drop in drops:
        place = bisect_right(turns, Turn(drop.at, FOREVER))
        if place == 0 or same[drop.name] in names[turns[place - 1]]:
            yield drop
