"""What a walk needs of what it walks by, at whichever granularity."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol, Self

from catalog.domain.timeline import Window
from catalog.domain.words import EntityKind
from catalog.store.engine import Read
from catalog.store.hop import Changes, ColumnName, EdgeKey, Found, Ways
from catalog.store.living import Living


class Steps(Protocol):
    """What one step reaches, over one window of moments: see `hops` and `field_hops`."""

    @property
    def connection(self) -> Read:
        """Where it reads."""

    @property
    def living(self) -> Living:
        """When the datasets that were met were there."""

    @property
    def columns(self) -> Mapping[int, ColumnName]:
        """The columns that were met."""

    @property
    def kinds(self) -> Mapping[int, EntityKind]:
        """What was met that is no dataset as a whole."""

    @property
    def passed_on(self) -> Collection[EdgeKey]:
        """Hops by way of several jobs."""

    def over(self, window: Window) -> Self:
        """The same steps over another window; none is left out for being indirect."""

    def leaves(self, id: int) -> bool:
        """Whether a step can begin here."""

    def step(self, frontiers: Ways) -> dict[bool, Found]:
        """Every hop that ends (downstream: begins) in the frontier of its way and holds in the window."""

    def transformations(self, edges: Iterable[EdgeKey]) -> Mapping[EdgeKey, Changes]:
        """How data changes along these edges; edges of which nothing is said are missing."""
