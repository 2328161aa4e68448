"""Rows reach the database past sqlalchemy's types, as tuples or as one JSON text: nothing may change on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from catalog.store.dialect import insert, insert_new, upsert
from catalog.store.engine import Database
from catalog.store.tables import facet, job_version

BIG = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "subject_id": BIG, "scope": st.integers(1, 5), "name_key": BIG, "valid_from": BIG, "tie": BIG,
            "valid_to": BIG, "name": TEXT, "content_key": BIG, "understood": st.integers(0, 1),
            "payload": st.none() | st.binary(),
        }
    ),
    max_size=5,
    unique_by=lambda row: tuple(row[column.name] for column in facet.primary_key),
)  # fmt: skip


def in_order(row: Mapping[str, Any]) -> list[str]:
    return [repr(row[column.name]) for column in facet.columns]


def version(id: int, code: str) -> dict[str, Any]:
    return {"id": id, "job_id": 1, "code": code}


def codes(database: Database) -> dict[int, str]:
    with database.read() as connection:
        return {row.id: row.code for row in connection.execute(select(job_version))}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(rows=ROWS)
def test_rows_come_back_as_they_were_written(database: Database, rows: list[dict[str, Any]]) -> None:
    with database.write() as connection:
        connection.execute(facet.delete())
        insert(connection, facet, rows)
    with database.read() as connection:
        found = [dict(row._mapping) for row in connection.execute(select(facet))]

    assert sorted(map(in_order, found)) == sorted(map(in_order, rows))


def test_columns_may_come_in_any_order(database: Database) -> None:
    with database.write() as connection:
        insert(connection, job_version, [{"code": "a", "job_id": 1, "id": 2}, {"job_id": 1, "id": 1, "code": "b"}])

    assert codes(database) == {1: "b", 2: "a"}


@pytest.mark.parametrize(("write", "left"), [(insert_new, "old"), (upsert, "new")])
def test_a_row_that_is_there_is_kept_or_replaced(database: Database, write: Callable[..., None], left: str) -> None:
    with database.write() as connection:
        insert(connection, job_version, [version(1, "old")])
        write(connection, job_version, [version(2, "new"), version(1, "new")])

    assert codes(database) == {1: left, 2: "new"}


def test_a_row_that_cannot_be_there_and_is_there_is_an_error(database: Database) -> None:
    with database.write() as connection:
        insert(connection, job_version, [version(1, "old")])

    with pytest.raises(IntegrityError), database.write() as connection:
        insert(connection, job_version, [version(1, "new")])


def test_of_rows_with_one_key_the_last_is_left(database: Database) -> None:
    with database.write() as connection:
        upsert(connection, job_version, [version(1, "first"), version(1, "last")])

    assert codes(database) == {1: "last"}


def test_any_number_of_rows_is_one_statement(
    database: Database, statements: Callable[[Database], AbstractContextManager[list[str]]]
) -> None:
    with statements(database) as seen, database.write() as connection:
        upsert(connection, job_version, [version(id, "x") for id in range(1_000)])

    assert len(seen) == 1
    assert len(codes(database)) == 1_000
