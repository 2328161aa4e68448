"""How data changes along lineage edges: what their column flows say, put together per pair of datasets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Case, Column, and_, bindparam, case, func, literal_column, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from catalog.domain.changes import Transformation
from catalog.domain.lineage import is_indirect
from catalog.domain.words import Derivation, Node
from catalog.store.among import Prepared, among
from catalog.store.engine import Read
from catalog.store.hop import NO_JOB, Changes, EdgeKey, Found, Product
from catalog.store.living import Living
from catalog.store.tables import edge, field_edge

_IMPLICIT = int(Derivation.IMPLICIT)


def doing(columns: ReadOnlyColumnCollection[str, Column[int]]) -> Case[int]:
    """The job that a flow goes through; none if the dataset it goes into declares it itself, or a person does.

    A person may name a job all the same: see `Edge`.
    """
    manual = columns.owner_id < literal_column("0")
    through = select(func.max(edge.c.through_group)).where(edge.c.owner_id == columns.owner_id)
    own = and_(columns.owner_id == columns.target_owner, columns.target_node == literal_column(str(int(Node.DATASET))))
    named = through.scalar_subquery()
    return case((manual, named), (own, literal_column(str(NO_JOB))), else_=columns.owner_id)


_c = field_edge.c
_SAID = Prepared(
    select(
        _c.source_owner, _c.target_owner, doing(_c), _c.derivation, _c.valid_from, _c.valid_to,
        _c.type, _c.subtype, _c.description, _c.masking,
    ).where(
        among(_c.owner_id, "owners"), among(_c.source_owner, "sources"),
        _c.valid_to > bindparam("first"), _c.valid_from <= bindparam("last"),
    )
)  # fmt: skip


class Flows:
    """Transformations of edges between datasets, in the window of one walk."""

    def __init__(self, connection: Read, living: Living) -> None:
        """Nothing is read yet."""
        self.connection = connection
        self.living = living
        self.manual: set[int] = set()
        """The owners of edges that people declared, as far as the walk has met them."""

    def of_edges(self, edges: Iterable[EdgeKey]) -> dict[EdgeKey, Changes]:
        """What is said of these edges; edges of which nothing is said are missing."""
        asked = set(edges)
        return {edge: ways for edge, ways in self._said(asked).items() if edge in asked}

    def direct_only(self, found: Found) -> Found:
        """What is left without hops of which every flow is known to be indirect.

        That is never known of supposed inputs x outputs. Of declared ones it is, where a declaration at another moment
        says how.
        """
        asked = {hop[:4] for hop in found.hops}
        # One hop of each source finds what its job says of all.
        asked.update(
            (source, one.targets[0], one.job, one.derivation) for one in found.products for source in one.sources
        )
        left_out = {edge for edge, ways in self._said(asked).items() if all_indirect(ways)}
        left = Found([hop for hop in found.hops if hop[:4] not in left_out], beside=found.beside)
        for one in found.products:
            _take(left, one, left_out)
        return left

    def _said(self, asked: Collection[EdgeKey]) -> dict[EdgeKey, Changes]:
        """What is said of these edges, and of others that those who say it know of from the same datasets."""
        # Inputs x outputs are only supposed; nobody said how.
        told = [edge for edge in asked if edge[3] != _IMPLICIT]
        if not told:
            return {}
        names = self.living.names
        owners = {job for _, _, job, _ in told if job != NO_JOB}
        owners.update(names.of([target for _, target, job, _ in told if job == NO_JOB]))
        sources = names.of({edge[0] for edge in told})
        given = {"owners": owners | self.manual, "sources": sources, **self.living.window._asdict()}
        shown = names.canonical
        rows = [(shown[source], shown[target], *rest) for source, target, *rest in _SAID.rows(self.connection, given)]
        found: dict[EdgeKey, set[Transformation]] = defaultdict(set)
        for source, target, job, derivation, _, _, *how in self.living.among(rows):
            found[source, target, job, derivation].update(transformations(*how))
        return {edge: in_order(ways) for edge, ways in found.items()}


def _take(into: Found, one: Product, left_out: Collection[EdgeKey]) -> None:
    """A product without some of its hops: sources that lose one stand alone."""
    sources, targets = set(one.sources), set(one.targets)
    pairs = {
        (source, target) for source, target, job, how in left_out
        if (job, how) == (one.job, one.derivation) and source in sources and target in targets
    }  # fmt: skip
    if not pairs:
        into.products.append(one)
        return
    losing = {source for source, _ in pairs}
    into.hops += [hop for hop in replace(one, sources=tuple(losing)).hops() if hop[:2] not in pairs]
    if kept := tuple(id for id in one.sources if id not in losing):
        into.products.append(replace(one, sources=kept))


def transformations(type: str, subtype: str, description: str, masking: int) -> Changes:
    """What a row says of how data changes; nothing where nobody said."""
    said = type or subtype or description or masking
    return (Transformation(type, subtype, description, bool(masking)),) if said else ()


def in_order(ways: Collection[Transformation]) -> Changes:
    """The same, in the order in which every answer has them."""
    return tuple(sorted(ways, key=lambda t: (t.type, t.subtype, t.description, t.masking)))


def all_indirect(ways: Sequence[Transformation]) -> bool:
    """Whether only an influence is known, and something is."""
    return bool(ways) and all(map(is_indirect, ways))
