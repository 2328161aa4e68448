"""Rows to domain records and back, and the few conversions every writer needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, select

from catalog.domain.projection import NEVER, DatasetUse, RunFacts, Stamp
from catalog.domain.words import Lifecycle, Role, RunState
from catalog.store.dialect import any_bound, bound, is_sqlite
from catalog.store.engine import Read

_BATCH = 10_000


def storable(text: str) -> str:
    """Text as both engines hold it: PostgreSQL has no NUL, so its visible symbol stands for it.

    Ids come from the name as sent, so two names that differ in this alone stay two.
    """
    return text.replace("\0", "\u2400") if "\0" in text else text


def sort_key(*names: str) -> str:
    """What a list is ordered by: the beginning of the names, as an index entry has a size limit and a name has none."""
    return "\x1f".join(storable(name)[:200] for name in names)


def by_ids(
    connection: Read, table: Table, column: ColumnElement[int], ids: Collection[int], *where: ColumnElement[bool]
) -> list[Row[Any]]:
    """All rows whose `column` is one of `ids`; one statement for any ordinary number of them."""
    if not ids:
        return []
    wanted = sorted(set(ids))
    found = _by_ids(is_sqlite(connection), table, column)
    if where:
        found = found.where(*where)
    rows: list[Row[Any]] = []
    for start in range(0, len(wanted), _BATCH):
        rows.extend(connection.execute(found, bound(connection, wanted[start : start + _BATCH])))
    return rows


@lru_cache(maxsize=256)
def _by_ids(sqlite: bool, table: Table, column: ColumnElement[int]) -> Select[Any]:
    # Made once: putting a statement together takes as long as running it. Conditions are left out, as one that is made
    # anew every time would find nothing here and push out what others look for.
    return select(table).where(any_bound(column, sqlite=sqlite))


def run_facts(row: Iterable[Any]) -> RunFacts:
    """A row of `run` as a record."""
    (
        id, job_id, _, first_at, last_at, started_at, completed_at, failed_at, aborted_at, nominal_start, nominal_end,
        nominal_at, nominal_tie, parent_id, root_id, parent_at, parent_tie, version_id, state, run_id,
    ) = row  # fmt: skip
    return RunFacts(
        id, job_id, run_id, RunState(state), first_at, last_at, started_at, completed_at, failed_at, aborted_at,
        nominal_start, nominal_end, _stamp(nominal_at, nominal_tie), parent_id, root_id,
        _stamp(parent_at, parent_tie), version_id,
    )  # fmt: skip


def run_row(facts: RunFacts, run_key: int) -> Mapping[str, Any]:
    """A record as a row of `run`."""
    nominal_at, nominal_tie = _given(facts.nominal_stamp)
    parent_at, parent_tie = _given(facts.parent_stamp)
    return {
        "id": facts.id, "job_id": facts.job_id, "run_id": storable(facts.run_id), "run_key": run_key,
        "state": int(facts.state), "first_at": facts.first_at, "last_at": facts.last_at,
        "started_at": facts.started_at, "completed_at": facts.completed_at, "failed_at": facts.failed_at,
        "aborted_at": facts.aborted_at, "nominal_start": facts.nominal_start, "nominal_end": facts.nominal_end,
        "nominal_at": nominal_at, "nominal_tie": nominal_tie, "parent_id": facts.parent_id, "root_id": facts.root_id,
        "parent_at": parent_at, "parent_tie": parent_tie, "version_id": facts.version_id,
    }  # fmt: skip


def use_record(row: Row[Any]) -> DatasetUse:
    """A row of `run_dataset` as a record."""
    return DatasetUse(
        row.activity_id, row.dataset_id, Role(row.role), row.first_at, row.last_at, row.row_count, row.byte_count,
        row.file_count, _stamp(row.measured_at, row.measured_tie), row.label, _stamp(row.label_at, row.label_tie),
        Lifecycle(row.lifecycle) if row.lifecycle else Lifecycle.NONE,
    )  # fmt: skip


def use_row(use: DatasetUse) -> Mapping[str, Any]:
    """A record as a row of `run_dataset`."""
    measured_at, measured_tie = _given(use.measured_stamp)
    label_at, label_tie = _given(use.label_stamp)
    return {
        "activity_id": use.activity_id, "dataset_id": use.dataset_id, "role": int(use.role),
        "first_at": use.first_at, "last_at": use.last_at, "row_count": use.rows, "byte_count": use.size,
        "file_count": use.files, "measured_at": measured_at, "measured_tie": measured_tie,
        "label": None if use.label is None else storable(use.label), "label_at": label_at, "label_tie": label_tie,
        "lifecycle": int(use.lifecycle),
    }  # fmt: skip


def _stamp(at: int | None, tie: int | None) -> Stamp:
    return NEVER if at is None or tie is None else Stamp(at, tie)


def _given(stamp: Stamp) -> tuple[int | None, int | None]:
    """A stamp as two columns, which are NULL where nobody gave one."""
    return (None, None) if stamp == NEVER else stamp


def merged(records: Iterable[Any], key: str) -> dict[Any, Any]:
    """Records with the same key joined with `|`."""
    result: dict[Any, Any] = {}
    for record in records:
        id = getattr(record, key)
        result[id] = result[id] | record if id in result else record
    return result
