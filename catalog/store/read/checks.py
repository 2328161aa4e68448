"""When quality assertions on datasets were checked, and by which runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from sqlalchemy import and_, func, select

from catalog.domain.ids import key
from catalog.domain.timeline import Window
from catalog.domain.words import EventKind, Node, Scope
from catalog.store import bodies
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.read.events import READ_AT_MOST
from catalog.store.read.run_moments import Project
from catalog.store.read.subjects import attached
from catalog.store.tables import dataset, facet, log_body, log_entry
from catalog.store.uses import sayings

ASSERTIONS = "dataQualityAssertions"
"""The facet that says which assertions held."""


def first_said(connection: Read, ids: Collection[int]) -> dict[tuple[int, int], int]:
    """Which run first said each thing of the assertions on a dataset, by the dataset and when it said so."""
    said = attached(connection, facet, (facet.c.valid_from, log_entry.c.activity_id), ids, Node.DATASET)
    told = and_(log_entry.c.digest_key == facet.c.tie, log_entry.c.event_time == facet.c.valid_from)
    by_runs = said.join(log_entry, told).where(
        facet.c.name_key == key("facet", ASSERTIONS), log_entry.c.kind == int(EventKind.RUN)
    )
    return {(owner, at): run_id for owner, at, run_id in connection.execute(by_runs)}


def last_said(
    connection: Read, ids: Collection[int], lately: Window, project: Project
) -> dict[tuple[int, Scope], tuple[int, int | None]]:
    """When assertions on each dataset, in each place of an event, were last said in this time, and by which run if any.

    They are looked for in the last `READ_AT_MOST` events of that time that name the dataset: no row has them.
    """
    if not ids:
        return {}
    rows = connection.execute(
        select(dataset.c.id, dataset.c.canonical_id).where(any_of(connection, dataset.c.canonical_id, ids))
    )
    owners = {name: owner for name, owner in rows}  # noqa: C416 - rows, not pairs, to mypy
    found: dict[tuple[int, Scope], tuple[int, int | None]] = {}
    for kind, raw in _naming(connection, owners, lately):
        # What has not even the word need not be understood.
        if ASSERTIONS.encode() not in raw:
            continue
        said = project(raw)
        run_id = said.activity_id if kind == EventKind.RUN else None
        for one in said.facets:
            if one.key.name == ASSERTIONS and one.key.subject_id in owners:
                found.setdefault((owners[one.key.subject_id], one.key.scope), (said.stamp.at, run_id))
    return found


def _naming(connection: Read, owners: Mapping[int, int], lately: Window) -> Iterator[tuple[int, bytes]]:
    """The events of this time that name one of these datasets, the last first: their kinds and bytes."""
    said = sayings(lambda said: (any_of(connection, said.dataset_id, owners), said.last_at >= lately.first)).subquery()
    named = select(dataset.c.canonical_id, said.c.activity_id).distinct()
    named_by = named.join(dataset, dataset.c.id == said.c.dataset_id).subquery()
    last = (log_entry.c.event_time.desc(), log_entry.c.digest_key.desc())
    place = func.row_number().over(partition_by=named_by.c.canonical_id, order_by=last)
    placed = (
        select(log_entry.c.seq, log_entry.c.kind, log_entry.c.event_time, log_entry.c.digest_key, place.label("place"))
        .join(named_by, named_by.c.activity_id == log_entry.c.activity_id)
        .where(log_entry.c.event_time.between(*lately), log_entry.c.failure.is_(None))
        .subquery()
    )
    rows = connection.execute(
        select(placed.c.kind, log_body.c.dictionary, log_body.c.body)
        .join(log_body, log_body.c.seq == placed.c.seq)
        .where(placed.c.place <= READ_AT_MOST)
        .order_by(placed.c.event_time.desc(), placed.c.digest_key.desc())
    )
    for kind, dictionary, body in rows:
        yield kind, bodies.unpack(dictionary, body)
