"""Edges that people declared, with the records that say who did and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Row, select

from catalog.domain.manual import ManualEdge
from catalog.domain.statement import NOTHING_SAID, statement_key
from catalog.domain.timeline import Window
from catalog.store import bodies
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.rows import by_ids
from catalog.store.tables import dataset, declaration, edge, log_body, log_entry

RETRACTED = statement_key(NOTHING_SAID.encode())
"""The statement of a record that takes an edge back."""


class Ends(NamedTuple):
    """Two ends of an edge: datasets (under the id that is shown) or jobs, and the job it goes through, 0 for none."""

    source: int
    target: int
    job: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """What a person declared: the record as it is in the log. The bytes say the rest."""

    seq: int
    digest: bytes
    raw: bytes


def declared_at(connection: Read, owner: int, at: int) -> bool:
    """Whether the edge of this owner is declared at a moment."""
    latest = (declaration.c.at.desc(), declaration.c.tie.desc())
    said = connection.scalar(
        select(declaration.c.statement_id)
        .where(declaration.c.owner_id == owner, declaration.c.at <= at)
        .order_by(*latest)
        .limit(1)
    )
    return said not in (None, RETRACTED)


def shown_as(connection: Read, ids: Collection[int]) -> dict[int, int]:
    """The id under which each of these datasets is shown; ids that are none of a dataset stand for themselves."""
    known = {row.id: row.canonical_id for row in by_ids(connection, dataset, dataset.c.id, ids)}
    return {id: known.get(id, id) for id in ids}


def of_edges(connection: Read, wanted: Collection[Ends], window: Window) -> dict[Ends, list[Said]]:
    """What people declared of each of these edges that held at some moment of the window, the latest word last."""
    owners = _owners(connection, wanted, window)
    said = _in_force(connection, {owner for of in owners.values() for owner in of}, window)
    return {
        ends: sorted((one for owner in of for one in said.get(owner, ())), key=lambda one: one.seq)
        for ends, of in owners.items()
    }


def of_same_ends(connection: Read, edge: ManualEdge, at: int) -> list[Said]:
    """What people declared that held at a moment between the same things through the same job, the latest word last.

    Under whatever names of theirs, and between whichever columns.
    """
    shown = shown_as(connection, (edge.source.id, edge.target.id))
    ends = Ends(shown[edge.source.id], shown[edge.target.id], edge.job_id or 0)
    return of_edges(connection, [ends], Window(at, at)).get(ends, [])


def _owners(connection: Read, wanted: Collection[Ends], window: Window) -> Mapping[Ends, set[int]]:
    """The manual edges between these ends, under whatever names of theirs they were declared."""
    shown = {id for ends in wanted for id in (ends.source, ends.target)}
    names = {row.id: row.canonical_id for row in by_ids(connection, dataset, dataset.c.canonical_id, shown)}
    rows = connection.execute(
        select(edge.c.owner_id, edge.c.source_id, edge.c.target_id, edge.c.through_group).where(
            any_of(connection, edge.c.source_id, {ends.source for ends in wanted} | names.keys()),
            edge.c.owner_id < 0,
            edge.c.valid_to > window.first,
            edge.c.valid_from <= window.last,
        )
    )
    asked = set(wanted)
    owners: dict[Ends, set[int]] = defaultdict(set)
    for owner, source, target, job in rows:
        ends = Ends(names.get(source, source), names.get(target, target), job)
        if ends in asked:
            owners[ends].add(owner)
    return owners


def _in_force(connection: Read, owners: Collection[int], window: Window) -> dict[int, list[Said]]:
    """The declarations of each owner that held in the window."""
    history: dict[int, list[Row[Any]]] = defaultdict(list)
    rows = by_ids(connection, declaration, declaration.c.owner_id, owners, declaration.c.at <= window.last)
    for row in sorted(rows, key=lambda row: (row.owner_id, row.at, row.tie)):
        history[row.owner_id].append(row)
    held = {owner: _held(of, window.first) for owner, of in history.items()}
    records = _records(connection, {row.activity_id for of in held.values() for row in of})
    return {owner: [records[row.activity_id] for row in of if row.activity_id in records] for owner, of in held.items()}


def _held(rows: Sequence[Row[Any]], first: int) -> list[Row[Any]]:
    """Those of one owner that say more than that it is over, and were not followed before the window began."""
    last_by_moment = {row.at: row for row in rows}
    moments = list(last_by_moment)
    ends: Iterable[int | None] = [*moments[1:], None]
    return [
        last_by_moment[at]
        for at, end in zip(moments, ends, strict=True)
        if (end is None or end > first) and last_by_moment[at].statement_id != RETRACTED
    ]


def _records(connection: Read, activities: Collection[int]) -> dict[int, Said]:
    """The entries of the log that these are; those whose bodies were erased are missing."""
    rows = connection.execute(
        select(log_entry.c.seq, log_entry.c.activity_id, log_entry.c.digest, log_body.c.dictionary, log_body.c.body)
        .join(log_body, log_body.c.seq == log_entry.c.seq)
        .where(any_of(connection, log_entry.c.activity_id, activities))
    )
    return {row.activity_id: Said(row.seq, bytes(row.digest), bodies.unpack(row.dictionary, row.body)) for row in rows}
