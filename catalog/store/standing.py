"""How runs stood when something failed: the table of runs has what each has come to since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import func, or_, select

from catalog.domain.words import RunState
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.read.runs import RunRow
from catalog.store.tables import log_entry

_GOING = (RunState.START, RunState.RUNNING)
_ENDS = (RunState.ABORT, RunState.FAIL, RunState.COMPLETE)


class Moments(NamedTuple):
    """When something `failed`, when it `began`, and since when all else is looked at; microseconds since 1970 UTC."""

    since: int
    began: int
    failed: int


class Standing(NamedTuple):
    """The `state` of a run when something failed, and when it came to that, None: it had not ended.

    `going_at` is when a run that was going on when the failed one began had last said that it began, or goes on; None:
    it had ended, or not begun. Of a run that fails and is begun again the state stays FAIL, as everywhere.
    """

    state: RunState
    ended_at: int | None
    going_at: int | None


def standings(connection: Read, rows: Collection[RunRow], when: Moments) -> dict[int, Standing]:
    """How these runs stood. One statement: of most of them their rows say it, of others the log of that time does."""
    unclear = {row.id for row in rows if _says_other(row, when.failed)}
    heard = _heard(connection, unclear, when)
    return {row.id: _standing(row, heard.get(row.id, {}) if row.id in unclear else None, when) for row in rows}


def was_open(row: RunRow, moment: int) -> bool:
    """Whether a run had begun and not ended."""
    began = row.began_at
    return began is not None and began <= moment and all(at > moment for at in _ends_of(row).values())


def _says_other(row: RunRow, moment: int) -> bool:
    """Whether a run that ended badly spoke after that, or failed after the moment: it may have failed before too."""
    bad = (at for at in (row.failed_at, row.aborted_at) if at is not None)
    return any(at > moment or (row.last_at or at) > at for at in bad)


def _ends_of(row: RunRow) -> dict[RunState, int]:
    ends = zip(_ENDS, (row.aborted_at, row.failed_at, row.completed_at), strict=True)
    return {state: at for state, at in ends if at is not None}


def _heard(connection: Read, ids: Collection[int], when: Moments) -> Mapping[int, dict[RunState, int]]:
    """When each of these runs last said what: of ends until the failure, of all else until the failed run began."""
    said = (
        select(log_entry.c.activity_id, log_entry.c.event_type, func.max(log_entry.c.event_time))
        .where(
            any_of(connection, log_entry.c.activity_id, ids),
            log_entry.c.event_time > when.since,
            log_entry.c.event_time <= when.failed,
            or_(log_entry.c.event_time <= when.began, log_entry.c.event_type.in_([int(end) for end in _ENDS])),
            log_entry.c.failure.is_(None),
        )
        .group_by(log_entry.c.activity_id, log_entry.c.event_type)
    )
    found: dict[int, dict[RunState, int]] = defaultdict(dict)
    for id, state, at in connection.execute(said):
        found[id][RunState(state)] = at
    return found


def _standing(row: RunRow, heard: Mapping[RunState, int] | None, when: Moments) -> Standing:
    if heard is None:
        return Standing(row.state, row.ended_at, row.began_at if was_open(row, when.began) else None)
    ends = {state: at for state, at in _ends_of(row).items() if at <= when.failed}
    ends |= {state: at for state, at in heard.items() if state in _ENDS}
    state = max(ends, default=RunState.START)
    going = max((at for state, at in heard.items() if state in _GOING), default=None)
    if going is not None and any(going <= at <= when.began for at in ends.values()):
        going = None
    return Standing(state, ends.get(state), going)
