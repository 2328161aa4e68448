"""The picture of a lineage answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from catalog import pictures
from catalog.domain.lineage import Lineage
from catalog.domain.words import EntityKind
from catalog.pictures.plan import MOST_EDGES, MOST_NODES
from catalog.store.read import jobs

if TYPE_CHECKING:
    from catalog.api.graphql.types.lineage import Things

DESCRIPTION: Final = (
    "The answer as a picture: one SVG, whole by itself, without script. Columns are rows in the boxes of their "
    f"datasets. It shows the {MOST_NODES:,} nodes nearest to the start and {MOST_EDGES:,} edges between them at most, "
    "and says so where there are more."
)


def drawn(found: Lineage, things: Things, recorded: int | None) -> str:
    """The picture of an answer; `things` are those in it, `recorded` is when it was known (None: now)."""
    rows = {edge.job_id: things.get(jobs.by_ids, EntityKind.JOB, edge.job_id) for edge in found.edges}
    names = {id: (row.namespace, row.name) for id, row in rows.items() if id is not None and row is not None}
    return pictures.svg(found, names, things.window, recorded=recorded)
