"""The few things the two engines say differently. Everything else in `store` is one statement for both."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum
from functools import cache
from operator import itemgetter
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Table,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg

Row = Mapping[str, Any]
"""A row to write: every column by its name, and the same columns in all rows of one call."""

_Insert = TypeVar("_Insert", sqlite.Insert, postgresql.Insert)


def is_sqlite(connection: Connection) -> bool:
    """Whether this is a connection to SQLite (else: PostgreSQL)."""
    return connection.dialect.name == "sqlite"


def any_of(connection: Connection, column: ColumnElement[int], ids: Collection[int]) -> ColumnElement[bool]:
    """`column` is one of `ids`, in one bound parameter however many there are.

    `IN (…)` was 2.5 times slower at 10,000 ids and compiles anew for every count.
    """
    if is_sqlite(connection):
        values = func.json_each(orjson.dumps(list(ids)).decode()).table_valued("value")
        return column.in_(select(values.c.value))
    return column == func.any(bindparam(None, list(ids), type_=ARRAY(BigInteger)))


def any_bound(column: ColumnElement[int], *, sqlite: bool) -> ColumnElement[bool]:
    """As `any_of`, for a statement that is made once: the ids are given when it runs, see `bound`."""
    if sqlite:
        values = func.json_each(bindparam("ids", type_=Text)).table_valued("value")
        return column.in_(select(values.c.value))
    return column == func.any(bindparam("ids", type_=ARRAY(BigInteger)))


def bound(connection: Connection, ids: Collection[int]) -> dict[str, Any]:
    """The ids of a statement made with `any_bound`."""
    return {"ids": orjson.dumps(list(ids)).decode() if is_sqlite(connection) else list(ids)}


def listed(connection: Connection, names: Sequence[str], rows: Sequence[tuple[int, ...]]) -> FromClause:
    """A table of numbers with these columns, from bound values: many look-ups in one statement."""
    if is_sqlite(connection):
        each = func.json_each(orjson.dumps(rows).decode()).table_valued("value", name="each")
        part = func.json_extract
        columns = [cast(part(each.c.value, f"$[{i}]"), BigInteger).label(name) for i, name in enumerate(names)]
        return select(*columns).subquery("listed")
    sides = [bindparam(None, list(side), type_=ARRAY(BigInteger)) for side in zip(*rows, strict=True)]
    return func.unnest(*sides).table_valued(*names, name="listed").render_derived()


def insert_new(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Insert the rows whose key is not there yet, in key order (law 11)."""
    _write(connection, table, rows, OnConflict.KEEP)


def upsert(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Insert the rows or replace those with the same key, in key order (law 11)."""
    _write(connection, table, rows, OnConflict.REPLACE)


def insert(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Insert rows that cannot be there yet, in key order (law 11)."""
    _write(connection, table, rows, OnConflict.FAIL)


def delete_keys(connection: Connection, table: Table, keys: Iterable[tuple[Any, ...]]) -> None:
    """Delete the rows with these primary keys, in key order (law 11)."""
    columns = list(table.primary_key)
    ordered = [{f"key_{i}": value for i, value in enumerate(values)} for values in sorted(keys)]
    if ordered:
        where = [column == bindparam(f"key_{i}") for i, column in enumerate(columns)]
        connection.execute(table.delete().where(*where), ordered)


def in_key_order(table: Table, rows: Iterable[Row]) -> list[Row]:
    """The rows sorted by primary key: writers that lock rows in one order cannot deadlock.

    Of rows with the same key the last is left.
    """
    key = itemgetter(*(column.name for column in table.primary_key))
    by_key = {key(row): row for row in rows}
    return [by_key[key] for key in sorted(by_key)]


class OnConflict(Enum):
    """What becomes of a row whose key is there already."""

    FAIL = 0
    KEEP = 1
    REPLACE = 2


def _write(connection: Connection, table: Table, rows: Iterable[Row], conflict: OnConflict) -> None:
    """Rows of one table in one call of the driver.

    Past sqlalchemy's handling of every row, which took longer than the database; a row costs a fifth of it. On
    PostgreSQL all rows are one JSON text: executemany took twice as long, `unnest` of arrays lost its gain to
    building them, and COPY, which is faster still, cannot say ON CONFLICT.
    """
    ordered = in_key_order(table, rows)
    if not ordered:
        return
    names = tuple(ordered[0])
    if is_sqlite(connection):
        text, values = _values(table, names, conflict)
        connection.exec_driver_sql(text, list(map(values, ordered)))
    else:
        # Rows that were read have names of sqlalchemy's own kind of text, which orjson does not take.
        columns, values = [str(name) for name in names], itemgetter(*names)
        given = orjson.dumps([dict(zip(columns, values(row), strict=True)) for row in ordered], default=_hex).decode()
        connection.exec_driver_sql(_recordset(table, names, conflict), {"given": given})


@cache
def _values(table: Table, names: tuple[str, ...], conflict: OnConflict) -> tuple[str, itemgetter[Any]]:
    """The statement of a row, and what brings a row into its order."""
    statement = sqlite.insert(table).values({name: bindparam(name) for name in names})
    compiled = _resolved(statement, names, conflict).compile(dialect=sqlite.dialect())
    return str(compiled), itemgetter(*(compiled.positiontup or names))


@cache
def _recordset(table: Table, names: tuple[str, ...], conflict: OnConflict) -> str:
    """The statement of all rows, which are the parameter `given`."""
    dialect = psycopg.dialect()  # type: ignore[no-untyped-call] # sqlalchemy's
    shape: ColumnElement[Any] = literal_column(f"NULL::{dialect.identifier_preparer.format_table(table)}")
    given = cast(bindparam("given", type_=Text), postgresql.JSON)
    rows = func.json_populate_recordset(shape, given).table_valued(*names, name="given")
    statement = postgresql.insert(table).from_select(list(names), select(*(rows.c[name] for name in names)))
    return str(_resolved(statement, names, conflict).compile(dialect=dialect))


def _resolved(statement: _Insert, names: tuple[str, ...], conflict: OnConflict) -> _Insert:
    """The insert with what is to be done about rows that are there."""
    if conflict is OnConflict.KEEP:
        return statement.on_conflict_do_nothing()
    if conflict is OnConflict.REPLACE:
        keys = [column.name for column in statement.table.primary_key]
        changed = {name: statement.excluded[name] for name in names if name not in keys}
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)
    return statement


def _hex(value: object) -> str:
    """Bytes as PostgreSQL reads them from a text."""
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    raise TypeError(f"no column holds a {type(value).__name__}")
