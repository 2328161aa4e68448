"""Where data is known to begin: what somebody stated to have no source, which is more than that nobody names one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from catalog.domain.statement import NOWHERE
from catalog.domain.timeline import Window
from catalog.domain.words import Derivation, Node
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.flows import doing
from catalog.store.hop import NO_JOB
from catalog.store.tables import dataset, field_edge


@dataclass(frozen=True, slots=True)
class Origin:
    """That a dataset ('' for `column`) or a column has no source, as a job says, or itself (`job_id` None).

    Times are microseconds since 1970 UTC; `valid_to` is FOREVER while it holds.
    """

    column: str
    job_id: int | None
    derivation: Derivation
    valid_from: int
    valid_to: int


def of_datasets(connection: Read, ids: Collection[int], window: Window) -> dict[int, list[Origin]]:
    """What was said at some moment of the window, by dataset (under the id that is shown), columns after the whole."""
    c = field_edge.c
    rows = connection.execute(
        select(dataset.c.canonical_id, c.target_column, doing(c).label("job"), c.derivation, c.valid_from, c.valid_to)
        .join(dataset, dataset.c.id == c.target_owner)
        .where(
            any_of(connection, dataset.c.canonical_id, ids),
            c.source_id == NOWHERE.id,
            c.source_node == int(Node.NOTHING),
            c.target_node == int(Node.DATASET),
            c.valid_to > window.first,
            c.valid_from <= window.last,
        )
        .order_by(c.target_column, c.valid_from, c.owner_id, c.derivation)
    )
    found: dict[int, list[Origin]] = defaultdict(list)
    for id, column, job, derivation, start, end in rows:
        found[id].append(Origin(column, None if job == NO_JOB else job, Derivation(derivation), start, end))
    return found
