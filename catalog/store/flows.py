"""How data changes along lineage edges: what their column flows say, put together per pair of datasets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import select

from catalog.domain.changes import Transformation
from catalog.domain.timeline import Window
from catalog.domain.words import Derivation
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.hops import Hops
from catalog.store.names import Names
from catalog.store.tables import field_edge

INDIRECT = "INDIRECT"


class EdgeKey(NamedTuple):
    """Which edge of an answer: there is one for each job and each way it is known."""

    source: int
    target: int
    job_id: int | None
    derivation: Derivation


class Flows:
    """Transformations of edges between datasets, over one window of moments."""

    def __init__(self, connection: Read, names: Names, window: Window) -> None:
        """Nothing is read yet."""
        self.connection = connection
        self.names = names
        self.window = window

    def of_edges(self, edges: Iterable[EdgeKey]) -> dict[EdgeKey, tuple[Transformation, ...]]:
        """What is said of these edges, in a fixed order; edges of which nothing is said are missing."""
        # Inputs x outputs are only supposed; nobody said how.
        told = {edge for edge in edges if edge.derivation is not Derivation.IMPLICIT}
        sources = self.names.of({edge.source for edge in told})
        owners = {edge.job_id for edge in told if edge.job_id is not None}
        owners.update(self.names.of({edge.target for edge in told if edge.job_id is None}))
        if not sources or not owners:
            return {}
        c = field_edge.c
        rows = self.connection.execute(
            select(
                c.owner_id, c.source_owner, c.target_owner, c.derivation, c.type, c.subtype, c.description, c.masking
            )
            .where(
                any_of(self.connection, c.owner_id, owners),
                any_of(self.connection, c.source_owner, sources),
                c.type != "",
                c.valid_to > self.window.first,
                c.valid_from <= self.window.last,
            )
            .distinct()
        )
        found: dict[EdgeKey, set[Transformation]] = defaultdict(set)
        for row in rows:
            source, target = (self.names.canonical.get(id, id) for id in (row.source_owner, row.target_owner))
            how = Transformation(row.type, row.subtype, row.description, bool(row.masking))
            for job_id in (row.owner_id, None):
                edge = EdgeKey(source, target, job_id, Derivation(row.derivation))
                if edge in told:
                    found[edge].add(how)
        return {
            edge: tuple(sorted(ways, key=lambda t: (t.type, t.subtype, t.description, t.masking)))
            for edge, ways in found.items()
        }

    def direct_only(self, hops: Collection[Hops]) -> list[Hops]:
        """The hops without those of which every flow is known to be indirect: filters, joins, sort orders."""
        keys = {hop: _key(hop) for hop in hops if len(hop.sources) == len(hop.targets) == 1}
        said = self.of_edges(keys.values())
        return [hop for hop in hops if not _is_indirect(said.get(keys[hop], ()) if hop in keys else ())]


def _key(hop: Hops) -> EdgeKey:
    return EdgeKey(hop.sources[0], hop.targets[0], hop.job_id, hop.derivation)


def _is_indirect(ways: Sequence[Transformation]) -> bool:
    return bool(ways) and all(way.type.upper() == INDIRECT for way in ways)
