"""Hops as long as both their ends exist: a dataset that is dropped conducts nothing until it is written again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import select

from catalog.domain.timeline import NOW, Interval, Window, joined, without
from catalog.domain.words import Derivation
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.liveness import deaths
from catalog.store.names import Names
from catalog.store.tables import dataset, dataset_drop

H = TypeVar("H", bound=tuple[Any, ...])
"""A hop, or more than a hop: its two ends come first, since when and until when fifth and sixth."""


class Living:
    """When datasets were there, in one window of moments."""

    def __init__(self, connection: Read, names: Names, window: Window) -> None:
        """Nothing is read yet."""
        self.connection = connection
        self.names = names
        self.window = window
        self._dead: dict[int, Sequence[Interval]] = {}
        self._holes: dict[int, Sequence[Interval]] = {}
        self._by_job: dict[tuple[int, int], Sequence[Interval]] = {}

    @property
    def needed(self) -> bool:
        """Whether any of the datasets met so far was ever dropped."""
        return bool(self.names.dropped)

    def dead(self, ids: Iterable[int]) -> Mapping[int, Sequence[Interval]]:
        """When those of these datasets were gone that ever were."""
        dropped = {self.names.canonical[name] for name in self.names.dropped}
        mortal = dropped.intersection(ids)
        fresh = mortal - self._dead.keys()
        if fresh:
            found = deaths(self.connection, {id: self.names.of([id]) for id in fresh})
            self._dead.update((id, found.whole.get(id, ())) for id in fresh)
            # A table may be dropped every hour: what is over before the window is nothing to ask every hop about.
            self._holes.update((id, self._within(self._dead[id])) for id in fresh)
            self._by_job.update((key, self._within(holes)) for key, holes in found.by_job.items())
        return {id: self._dead[id] for id in mortal}

    def holes(self, source: int, target: int, job: int, derivation: int) -> list[Interval]:
        """When in the window an edge between datasets holds for nobody: an end was gone, or dropped by its own job.

        Known of ends that `among` or `dead` was asked of before.
        """
        holes = [hole for end in {source, target} for hole in self._holes.get(end, ())]
        if derivation != Derivation.DECLARED:
            holes += self._by_job.get((target, job), ())
        return holes

    def among(self, hops: list[H], dataset_of: Callable[[int], int] = int) -> list[H]:
        """The hops that hold at a moment of the window at which both their ends exist."""
        if not self.needed:
            return hops
        dead = self.dead({dataset_of(end) for hop in hops for end in (hop[0], hop[1])})
        if not dead:
            return hops
        return [hop for hop in hops if self._holds(hop, dataset_of(hop[0]), dataset_of(hop[1]))]

    def _holds(self, hop: tuple[Any, ...], source: int, target: int) -> bool:
        if source not in self._dead and target not in self._dead:
            return True
        holes = self.holes(source, target, hop[2], hop[3])
        return any(self.window.holds(*piece) for piece in without([Interval(hop[4], hop[5])], holes))

    def _within(self, holes: Iterable[Interval]) -> list[Interval]:
        return [hole for hole in joined(holes) if self.window.holds(*hole)]


def living_now(connection: Read, hops: list[H], datasets: Collection[int]) -> list[H]:
    """Of hops that no row ends, those that hold now; `datasets` are all in them, by the ids they are shown under.

    Where none of them was ever dropped, that costs one statement.
    """
    shown = dataset.c.canonical_id
    found = select(shown).join(dataset_drop, dataset_drop.c.dataset_id == dataset.c.id)
    dropped = connection.scalars(found.distinct().where(any_of(connection, shown, datasets))).all() if hops else ()
    if not dropped:
        return hops
    names = Names(connection)
    names.learn(dropped)
    return Living(connection, names, NOW).among(hops)
