"""What runs were at a moment: what their events up to then had said, whatever they said afterwards.

The table of runs has what each has come to by now. State and times of then follow from the rows of the log; what only
the bytes say is read from them, and only where the table has a later word.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import reduce
from operator import or_
from typing import Any, NamedTuple, TypeAlias

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Row, case, func, select

from catalog.domain.projection import DatasetUse, Projection, RunFacts
from catalog.domain.words import Role, RunState
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.read import events
from catalog.store.rows import by_ids, run_facts, storable
from catalog.store.tables import log_entry, run

Project: TypeAlias = Callable[[bytes], Projection]
"""What the bytes of an entry mean: the store does not know, whoever asks it does."""

UseKey: TypeAlias = tuple[int, int, Role]
"""A use: the activity, the dataset, the role."""


class Then(NamedTuple):
    """A moment, in microseconds since 1970 UTC, and how to read the log of it."""

    at: int
    project: Project


def _time_of(state: RunState) -> ColumnElement[int | None]:
    return case((log_entry.c.event_type == int(state), log_entry.c.event_time))


_TIMES = (
    select(
        log_entry.c.activity_id,
        func.max(log_entry.c.event_type).label("state"),
        func.min(log_entry.c.event_time).label("first_at"),
        func.max(log_entry.c.event_time).label("last_at"),
        func.min(_time_of(RunState.START)).label("started_at"),
        func.max(_time_of(RunState.COMPLETE)).label("completed_at"),
        func.max(_time_of(RunState.FAIL)).label("failed_at"),
        func.max(_time_of(RunState.ABORT)).label("aborted_at"),
    )
    .where(log_entry.c.failure.is_(None))
    .group_by(log_entry.c.activity_id)
)


def facts(connection: Read, ids: Collection[int], then: Then) -> dict[int, RunFacts]:
    """These runs as they were then. One that had said nothing yet has its name, and UNKNOWN for a state."""
    stored = [run_facts(row) for row in by_ids(connection, run, run.c.id, ids)]
    heard = _TIMES.where(any_of(connection, log_entry.c.activity_id, ids), log_entry.c.event_time <= then.at)
    times = {row.activity_id: row for row in connection.execute(heard)}
    overtaken = {one.id for one in stored if max(one.nominal_stamp.at, one.parent_stamp.at) > then.at}
    told: dict[int, list[RunFacts]] = {id: [] for id in overtaken}
    for id, said in _projected(connection, overtaken, then):
        told[id].append(said.runs[id])
    found: dict[int, RunFacts] = {}
    for one in stored:
        bare = RunFacts(one.id, one.job_id, one.run_id)
        known = reduce(or_, told[one.id], bare) if one.id in told else one
        found[one.id] = replace(known, version_id=None, **_times(times.get(one.id)))
    return found


def used(connection: Read, ids: Collection[int], then: Then) -> Mapping[UseKey, DatasetUse]:
    """What these runs had said by then of the datasets they used: how much, which version, what was done to it."""
    found: dict[UseKey, DatasetUse] = {}
    for _, said in _projected(connection, ids, then):
        for use in said.uses:
            label = None if use.label is None else storable(use.label)
            key, one = (use.activity_id, use.dataset_id, use.role), replace(use, label=label)
            found[key] = found[key] | one if key in found else one
    return found


def _projected(connection: Read, ids: Collection[int], then: Then) -> Iterator[tuple[int, Projection]]:
    if ids:
        for id, bodies in events.bodies_of_runs(connection, ids, then.at).items():
            for body in bodies:
                yield id, then.project(body)


def _times(row: Row[Any] | None) -> dict[str, Any]:
    names = ("first_at", "last_at", "started_at", "completed_at", "failed_at", "aborted_at")
    state = RunState.UNKNOWN if row is None else RunState(row.state)
    return {"state": state, **{name: None if row is None else getattr(row, name) for name in names}}
