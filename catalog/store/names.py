"""The names of datasets, as walks need them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy import select, union

from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.tables import dataset, dataset_alias


class Names:
    """The names of datasets: edges are stored under the name an event used, walks go over canonical ids."""

    def __init__(self, connection: Read) -> None:
        """Nothing is read yet."""
        self.connection = connection
        self.canonical: dict[int, int] = {}
        self.members: dict[int, list[int]] = {}

    def learn(self, ids: Collection[int]) -> None:
        """Read the groups these ids are in; most are alone and cost one look-up in a small index."""
        fresh = [id for id in ids if id not in self.canonical]
        if not fresh:
            return
        self.canonical.update((id, id) for id in fresh)
        alias = dataset_alias.c
        linked = union(
            select(alias.dataset_id).where(any_of(self.connection, alias.dataset_id, fresh)),
            select(alias.alias_id).where(any_of(self.connection, alias.alias_id, fresh)),
        )
        mine, group = dataset.alias(), dataset.alias()
        rows = self.connection.execute(
            select(group.c.id, group.c.canonical_id)
            .join(mine, mine.c.canonical_id == group.c.canonical_id)
            .where(mine.c.id.in_(linked))
            .distinct()
        ).all()
        groups: dict[int, list[int]] = defaultdict(list)
        for id, canonical in rows:
            self.canonical[id] = canonical
            groups[canonical].append(id)
        self.members.update(groups)

    def of(self, canonical: Iterable[int]) -> list[int]:
        """All names of these datasets."""
        return [name for id in canonical for name in self.members.get(id, (id,))]
