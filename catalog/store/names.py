"""The names of datasets, as walks need them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy import BigInteger, cast, exists, null, select, union, union_all

from catalog.store.among import Prepared, among, among_found
from catalog.store.engine import Read
from catalog.store.tables import dataset, dataset_alias, dataset_drop

_mine, _group = dataset.alias(), dataset.alias()
_LINKED = union(
    select(dataset_alias.c.dataset_id).where(among(dataset_alias.c.dataset_id, "ids")),
    select(dataset_alias.c.alias_id).where(among(dataset_alias.c.alias_id, "ids")),
)
_DROPPED = select(dataset_drop.c.dataset_id, cast(null(), BigInteger)).where(among(dataset_drop.c.dataset_id, "ids"))
# Both in one statement, as a walk needs both at every level, and mostly there is neither.
_SHOWN = select(_mine.c.canonical_id).distinct().where(_mine.c.id.in_(_LINKED))
_SAID = Prepared(
    union_all(
        # Not a join of names with names: of a dataset with a thousand of them that is a million rows.
        select(_group.c.id, _group.c.canonical_id).where(among_found(_group.c.canonical_id, _SHOWN)),
        _DROPPED,
    )
)
_DROPPED_AMONG = Prepared(_DROPPED)
_ANY = Prepared(select(exists(select(dataset_alias.c.alias_id)) | exists(select(dataset_drop.c.activity_id))))


class Canonical(dict[int, int]):
    """The id a dataset is shown under, by that of any of its names; only those that have several are kept."""

    def __missing__(self, id: int) -> int:
        return id


class Names:
    """The names of datasets: edges are stored under the name an event used, walks go over canonical ids.

    `dropped` has the names under which a dataset was ever dropped.
    """

    def __init__(self, connection: Read) -> None:
        """Nothing is read yet."""
        self.connection = connection
        self.canonical = Canonical()
        self.members: dict[int, list[int]] = {}
        self.dropped: set[int] = set()
        self._any: bool | None = None
        self._known: set[int] = set()

    def learn(self, ids: Iterable[int]) -> None:
        """Read the groups these ids are in, and whether they were dropped; at once where no dataset has either."""
        if self._any is None:
            self._any = bool(_ANY.rows(self.connection, {})[0][0])
        # Not `set(ids) - self._known`: that goes through all that are known, at every level.
        fresh = {id for id in ids if id not in self._known} if self._any else ()
        if not fresh:
            return
        self._known.update(fresh)
        groups: dict[int, set[int]] = defaultdict(set)
        for id, canonical in _SAID.rows(self.connection, {"ids": fresh}):
            if canonical is None:
                self.dropped.add(id)
            else:
                groups[canonical].add(id)
        self.members.update((canonical, sorted(names)) for canonical, names in groups.items())
        self.canonical.update((id, canonical) for canonical, names in groups.items() for id in names)
        others = set().union(*groups.values()) - fresh
        self._known.update(others)
        if others:
            self.dropped.update(id for id, _ in _DROPPED_AMONG.rows(self.connection, {"ids": others}))

    def of(self, canonical: Collection[int]) -> list[int]:
        """All names of these datasets."""
        if not self.members:
            return list(canonical)
        return [name for id in canonical for name in self.members.get(id, (id,))]
