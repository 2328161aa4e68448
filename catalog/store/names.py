"""The names of datasets, as walks need them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy import BigInteger, cast, null, select, union, union_all

from catalog.store.among import among
from catalog.store.engine import Read
from catalog.store.tables import dataset, dataset_alias, dataset_drop

_mine, _group = dataset.alias(), dataset.alias()
_LINKED = union(
    select(dataset_alias.c.dataset_id).where(among(dataset_alias.c.dataset_id, "ids")),
    select(dataset_alias.c.alias_id).where(among(dataset_alias.c.alias_id, "ids")),
)
_DROPPED = select(dataset_drop.c.dataset_id, cast(null(), BigInteger)).where(among(dataset_drop.c.dataset_id, "ids"))
# Both in one statement, as a walk needs both at every level, and mostly there is neither.
_SAID = union_all(
    select(_group.c.id, _group.c.canonical_id)
    .join(_mine, _mine.c.canonical_id == _group.c.canonical_id)
    .where(_mine.c.id.in_(_LINKED)),
    _DROPPED,
)


class Names:
    """The names of datasets: edges are stored under the name an event used, walks go over canonical ids.

    `dropped` has the names under which a dataset was ever dropped.
    """

    def __init__(self, connection: Read) -> None:
        """Nothing is read yet."""
        self.connection = connection
        self.canonical: dict[int, int] = {}
        self.members: dict[int, list[int]] = {}
        self.dropped: set[int] = set()

    def learn(self, ids: Collection[int]) -> None:
        """Read the groups these ids are in; most are alone and cost one look-up in a small index."""
        # Not `set(ids) - self.canonical.keys()`: that goes through all that are known, at every level.
        fresh = {id for id in ids if id not in self.canonical}
        if not fresh:
            return
        self.canonical.update((id, id) for id in fresh)
        groups: dict[int, set[int]] = defaultdict(set)
        for id, canonical in self.connection.execute(_SAID, {"ids": fresh}):
            if canonical is None:
                self.dropped.add(id)
            else:
                groups[canonical].add(id)
        self.members.update((canonical, sorted(names)) for canonical, names in groups.items())
        self.canonical.update((id, canonical) for canonical, names in groups.items() for id in names)
        others = set().union(*groups.values()) - fresh
        if others:
            self.dropped.update(self.connection.scalars(_DROPPED, {"ids": others}))

    def of(self, canonical: Iterable[int]) -> list[int]:
        """All names of these datasets."""
        return [name for id in canonical for name in self.members.get(id, (id,))]
