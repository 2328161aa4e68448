"""When datasets did not exist: from a drop until they were written again."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import select

from catalog.domain.timeline import FOREVER, Interval, joined
from catalog.domain.words import Lifecycle, Role
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.rows import by_ids
from catalog.store.tables import dataset_drop
from catalog.store.uses import uses


def dead_intervals(connection: Read, datasets: Mapping[int, Sequence[int]]) -> dict[int, list[Interval]]:
    """The intervals during which these datasets (id: all its names) were dropped. Most have none.

    A dataset lives again at the first write after the drop: when a run first or last reported it as output, or
    an event declared it.
    """
    owner = {name: id for id, names in datasets.items() for name in names}
    drops: dict[int, list[int]] = defaultdict(list)
    if owner:
        for row in by_ids(connection, dataset_drop, dataset_drop.c.dataset_id, owner):
            drops[owner[row.dataset_id]].append(row.at)
    if not drops:
        return {}
    writes: dict[int, list[int]] = defaultdict(list)
    names = [name for id in drops for name in datasets[id]]
    written = uses(lambda said: (any_of(connection, said.dataset_id, names), said.role != int(Role.INPUT)))
    for row in connection.execute(select(written)):
        if not Lifecycle(row.lifecycle).ends_dataset:
            writes[owner[row.dataset_id]] += [row.first_at, row.last_at]
    return {id: joined(Interval(at, _next(sorted(writes[id]), at)) for at in dropped) for id, dropped in drops.items()}


def _next(times: Sequence[int], after: int) -> int:
    place = bisect_right(times, after)
    return times[place] if place < len(times) else FOREVER
