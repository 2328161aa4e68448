"""How runs stood when something failed: the table of runs has what each has come to since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import func, or_, select

from catalog.domain.words import RunState
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.read.runs import RunRow
from catalog.store.tables import log_entry

_GOING = (RunState.START, RunState.RUNNING)
_BAD_ENDS = (RunState.ABORT, RunState.FAIL)
_ENDS = (*_BAD_ENDS, RunState.COMPLETE)


class Moments(NamedTuple):
    """Since when all is looked at, when what failed `began`, and when it `failed`: microseconds since 1970 UTC."""

    since: int
    began: int
    failed: int


class Standing(NamedTuple):
    """The `state` of a run when something failed, and when it came to that, None: it had not ended.

    What completed only after the failed one had begun had not completed when that read: such a run is as it was before,
    under whatever run id it was tried again. `going_at` is when a run that was going on when the failed one began had
    begun, or, after an end, had last said that it goes on; None: it had ended, or not begun. Of a run that fails and is
    begun again the state stays FAIL, as everywhere.
    """

    state: RunState
    ended_at: int | None
    going_at: int | None

    @property
    def completed_at(self) -> int | None:
        """When it had completed, before the failed one began."""
        return self.ended_at if self.state is RunState.COMPLETE else None


def standings(connection: Read, rows: Collection[RunRow], when: Moments) -> dict[int, Standing]:
    """How these runs stood. One statement at most: of most their rows say it, of the others the log of that time."""
    unclear = {row.id for row in rows if _says_other(row, when)}
    heard = _heard(connection, unclear, when) if unclear else {}
    return {row.id: _standing(row, heard.get(row.id, {}), when) for row in rows}


def _says_other(row: RunRow, when: Moments) -> bool:
    """Whether a run ended too late to count, and may have ended before too, or spoke after it had ended badly."""
    late = any(at > _until(state, when) for state, at in _ends_of(row).items())
    bad = (at for at in (row.failed_at, row.aborted_at) if at is not None)
    return late or any((row.last_at or at) > at for at in bad)


def _until(state: RunState, when: Moments) -> int:
    """Until when such an end counts: a completion only until the failed one began, and read."""
    return when.began if state is RunState.COMPLETE else when.failed


def _ends_of(row: RunRow) -> dict[RunState, int]:
    ends = zip(_ENDS, (row.aborted_at, row.failed_at, row.completed_at), strict=True)
    return {state: at for state, at in ends if at is not None}


def _heard(connection: Read, ids: Collection[int], when: Moments) -> Mapping[int, dict[RunState, int]]:
    """When each of these runs last said what: of bad ends until the failure, of all else until the failed run began."""
    said = (
        select(log_entry.c.activity_id, log_entry.c.event_type, func.max(log_entry.c.event_time))
        .where(
            any_of(connection, log_entry.c.activity_id, ids),
            log_entry.c.event_time > when.since,
            log_entry.c.event_time <= when.failed,
            or_(log_entry.c.event_time <= when.began, log_entry.c.event_type.in_([int(end) for end in _BAD_ENDS])),
            log_entry.c.failure.is_(None),
        )
        .group_by(log_entry.c.activity_id, log_entry.c.event_type)
    )
    found: dict[int, dict[RunState, int]] = defaultdict(dict)
    for id, state, at in connection.execute(said):
        found[id][RunState(state)] = at
    return found


def _standing(row: RunRow, heard: Mapping[RunState, int], when: Moments) -> Standing:
    ends = {state: at for state, at in _ends_of(row).items() if at <= _until(state, when)}
    ends |= {state: at for state, at in heard.items() if state in _ENDS}
    state = max(ends, default=RunState.START)
    return Standing(state, ends.get(state), _going(row, ends.values(), heard, when.began))


def _going(row: RunRow, ends: Iterable[int], heard: Mapping[RunState, int], began: int) -> int | None:
    ended = max((at for at in ends if at <= began), default=None)
    if ended is None:
        return row.began_at if row.began_at is not None and row.began_at <= began else None
    again = max((at for state, at in heard.items() if state in _GOING), default=ended)
    return again if again > ended else None
