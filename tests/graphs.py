"""What tests read of the whole graph of a database."""

from __future__ import annotations

from sqlalchemy import select

from catalog.domain.lineage import EntityRef, Question
from catalog.domain.timeline import ALWAYS
from catalog.domain.words import EntityKind
from catalog.store.engine import Database
from catalog.store.lineage import answer
from catalog.store.tables import dataset, namespace


def pairs(database: Database) -> set[tuple[str, str]]:
    """The names of every two datasets of which one was ever made from the other: source and target."""
    with database.read() as connection:
        named = connection.execute(
            select(namespace.c.name, dataset.c.name)
            .join(namespace, namespace.c.id == dataset.c.namespace_id)
            .where(dataset.c.id == dataset.c.canonical_id)
        ).all()
        refs = tuple(EntityRef(EntityKind.DATASET, space, name) for space, name in named)
        found = answer(connection, Question(refs, window=ALWAYS))
    names = {node.id: node.name for node in found.nodes}
    return {(names[edge.source], names[edge.target]) for edge in found.edges}
