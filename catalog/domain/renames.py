"""Names that were given up: which of them a dataset still has, and which were used again.

A rename makes the former name one more name of the dataset, whatever becomes of that name afterwards. To part them when
the former name is written again was refused: where a staging table is renamed over the real one every night, the real
one would have no lineage from the moment the staging table is written until it is renamed again. So they stay one, and
that they may not be is said.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from catalog.domain.timeline import BEGINNING, FOREVER


class Renamed(NamedTuple):
    """That an activity gave a dataset the name `dataset_id`, in place of `previous_id`, at this moment."""

    at: int
    activity_id: int
    dataset_id: int
    previous_id: int


class Wrote(NamedTuple):
    """When an activity first said that it writes a dataset under this name."""

    at: int
    activity_id: int
    dataset_id: int


class Turn(NamedTuple):
    """When something was done, and after how much else of that moment; what is written comes before all renames."""

    at: int
    place: int = 0


def in_turn(renames: Iterable[Renamed]) -> list[tuple[Turn, Renamed]]:
    """The renames in the order in which they were done.

    At one moment a name is given up before another dataset gets it: who tells a swap at once has archived the table
    before the new one took its place. Where names go round in circles, none of them comes first.
    """
    moments: dict[int, list[Renamed]] = defaultdict(list)
    for rename in renames:
        moments[rename.at].append(rename)
    placed = []
    for at, together in moments.items():
        places = _places(together)
        placed += [(Turn(at, places[rename.dataset_id]), rename) for rename in together]
    return sorted(placed)


def _places(together: Collection[Renamed]) -> dict[int, int]:
    """Of each name that is given at a moment, the place of that, from 1 on; the last for circles and what follows."""
    before: dict[int, set[int]] = {rename.dataset_id: set() for rename in together}
    for rename in together:
        if rename.previous_id in before:
            before[rename.previous_id].add(rename.dataset_id)
    order = TopologicalSorter(before)
    with suppress(CycleError):
        order.prepare()
    places: dict[int, int] = {}
    place = 1
    while ready := order.get_ready():
        places.update(dict.fromkeys(ready, place))
        order.done(*ready)
        place += 1
    return {name: places.get(name, place) for name in before}


def standing(renames: Iterable[Renamed]) -> dict[int, tuple[bool, int, int]]:
    """What sorts the names of renames, the one a dataset was given last first, and those it gave up later behind all.

    `NEITHER` is where other names stand.
    """
    away: dict[int, Turn] = {}
    into: dict[int, Turn] = {}
    for turn, rename in in_turn(renames):
        away[rename.previous_id] = into[rename.dataset_id] = turn
    given = {name: into.get(name, Turn(BEGINNING)) for name in {*away, *into}}
    return {name: (name in away and turn < away[name], -turn.at, -turn.place) for name, turn in given.items()}


NEITHER = (False, -BEGINNING, 0)


def used_again(renames: Collection[Renamed], writes: Iterable[Wrote]) -> list[tuple[Renamed, Wrote]]:
    """Renames whose former name was written again before the dataset got it back, with the first such write.

    Of the renames between the same two names only the first is answered; the list is in the order of time.
    """
    ordered = in_turn(renames)
    givers: dict[int, set[int]] = defaultdict(set)
    for _, rename in ordered:
        givers[rename.dataset_id].add(rename.activity_id)
    by_name: dict[int, list[Wrote]] = defaultdict(list)
    for write in sorted(writes):
        # Who gives the name to a dataset writes under it, and may say so before it is done.
        if write.activity_id not in givers[write.dataset_id]:
            by_name[write.dataset_id].append(write)
    found: dict[tuple[int, int], tuple[Renamed, Wrote]] = {}
    for turn, rename in ordered:
        pair = (rename.dataset_id, rename.previous_id)
        if pair in found:
            continue
        again, back = _taken(rename, (later for _, later in ordered[bisect_left(ordered, (turn,)) :]))
        written = by_name[rename.previous_id]
        after = bisect_right(written, rename.at, key=lambda write: write.at)
        again += [write for write in written[after : after + 1] if write.at < back]
        if again:
            found[pair] = rename, min(again)
    return list(found.values())


def _taken(rename: Renamed, following: Iterable[Renamed]) -> tuple[list[Wrote], int]:
    """Who first gave the former name to another dataset, if anybody did; and when the same one got it back."""
    name = rename.dataset_id
    others: list[Wrote] = []
    for later in following:
        if later.previous_id == name:
            name = later.dataset_id
            if name == rename.previous_id:
                return others, later.at
        elif later.dataset_id == rename.previous_id and not others:
            others.append(Wrote(later.at, later.activity_id, later.dataset_id))
    return others, FOREVER
