"""Symlinks and renames: which names are one dataset, and under which of them it is shown.

What was said is kept as it was said; the groups are the connected components. The shown name is the one that a rename
gave last; without renames the first, in the order of lists, of those that said of themselves that they have another:
never the first to arrive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import or_, select, update

from catalog.domain.components import components
from catalog.domain.projection import Symlink
from catalog.domain.renames import NEITHER, standing
from catalog.store import renames
from catalog.store.dialect import any_of, upsert
from catalog.store.engine import Write
from catalog.store.rows import by_ids, storable
from catalog.store.tables import dataset, dataset_alias


@dataclass(frozen=True, slots=True)
class Regrouped:
    """Every name of the datasets whose names changed; `joined` are those of what were several datasets before."""

    names: set[int] = field(default_factory=set)
    joined: set[int] = field(default_factory=set)


def write(connection: Write, symlinks: Sequence[Symlink], touched: Collection[int] = ()) -> Regrouped:
    """Note the symlinks and bring `canonical_id` of every name they touch up to date.

    `touched` are names of which another may be shown for another reason.
    """
    said = {(link.dataset_id, link.alias_id): "" for link in symlinks}
    for link in symlinks:
        pair = (link.dataset_id, link.alias_id)
        said[pair] = max(said[pair], storable(link.type))
    if not said:
        return Regrouped()
    known = {
        (row.dataset_id, row.alias_id): row.type
        for row in by_ids(connection, dataset_alias, dataset_alias.c.dataset_id, {d for d, _ in said})
    }
    changed = {pair: type for pair, type in said.items() if pair not in known or known[pair] < type}
    upsert(
        connection,
        dataset_alias,
        [{"dataset_id": d, "alias_id": a, "type": type} for (d, a), type in changed.items()],
    )
    fresh = {id for pair in said if pair not in known for id in pair}.union(touched)
    return _regroup(connection, fresh) if fresh else Regrouped()


def _regroup(connection: Write, touched: set[int]) -> Regrouped:
    """Recompute the components that the touched names are in; the answer has all names in them."""
    shown_before = {row.canonical_id for row in by_ids(connection, dataset, dataset.c.id, touched)}
    members = by_ids(connection, dataset, dataset.c.canonical_id, shown_before)
    ids = [row.id for row in members]
    links = connection.execute(
        select(dataset_alias.c.dataset_id, dataset_alias.c.alias_id).where(
            or_(any_of(connection, dataset_alias.c.dataset_id, ids), any_of(connection, dataset_alias.c.alias_id, ids))
        )
    ).all()
    speakers = {link.dataset_id for link in links}
    named = standing(renames.among(connection, ids))
    order = {row.id: (*named.get(row.id, NEITHER), row.id not in speakers, row.sort_key, row.id) for row in members}
    groups = components(ids, [(link.dataset_id, link.alias_id) for link in links])
    shown = {id: one for group in groups for one in [min(group, key=order.__getitem__)] for id in group}
    moved: dict[int, list[int]] = defaultdict(list)
    were: dict[int, set[int]] = defaultdict(set)
    for row in members:
        were[shown[row.id]].add(row.canonical_id)
        if row.canonical_id != shown[row.id]:
            moved[shown[row.id]].append(row.id)
    for canonical, names in sorted(moved.items()):
        connection.execute(
            update(dataset).where(any_of(connection, dataset.c.id, names)).values(canonical_id=canonical)
        )
    return Regrouped(set(ids), {id for id in ids if len(were[shown[id]]) > 1})
