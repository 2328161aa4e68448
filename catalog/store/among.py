"""Many ids in one bound parameter, in statements that are built once, whose rows are the driver's own.

A walk asks the same few statements again at every level. Building one and finding it in SQLAlchemy's cache took twice
as long as the database took to answer it, and its rows take twice as long to read as tuples: see decision 5.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ClauseElement,
    ColumnElement,
    Connection,
    Dialect,
    Select,
    Text,
    bindparam,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from catalog.store.dialect import is_sqlite
from catalog.store.engine import BINARY

Tuple = tuple[Any, ...]
"""A row as the driver has it."""
# To write numbers as text, and to read them again, was a twentieth of a large walk.
_PLAIN = {BINARY: True}


class Prepared:
    """A statement that is made once; every value in it is a parameter with a name."""

    def __init__(self, statement: ClauseElement) -> None:
        """Nothing is compiled before it is asked for."""
        self._statement = statement
        self._texts: dict[bool, str] = {}

    def rows(self, connection: Connection, given: dict[str, int | Collection[int]]) -> Sequence[Tuple]:
        """All rows, each as a tuple; collections of ids are for `among`."""
        lite = is_sqlite(connection)
        if lite not in self._texts:
            dialect = sqlite.dialect(paramstyle="named") if lite else psycopg.dialect()  # type: ignore[no-untyped-call] # sqlalchemy's
            self._texts[lite] = str(self._statement.compile(dialect=dialect))
        values = {name: value if isinstance(value, int) else _listed(value, lite) for name, value in given.items()}
        text = self._texts[lite]
        cursor = connection.exec_driver_sql(text, values, execution_options=_PLAIN).cursor
        try:
            return () if cursor is None else cursor.fetchall()
        except connection.dialect.loaded_dbapi.Error as error:
            # SQLite reads while rows are fetched, so that may fail too: in the words of everything that does.
            raise DBAPIError(text, values, error) from error


def _listed(ids: Collection[int], lite: bool) -> str:
    """Ids as the text that this engine reads a list from; the drivers take their time with lists."""
    text = orjson.dumps(ids if isinstance(ids, list) else list(ids)).decode()
    return text if lite else f"{{{text[1:-1]}}}"


class Ids(TypeDecorator[Collection[int]]):
    """Any number of ids as one value: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type on this engine."""
        return Text() if dialect.name == "sqlite" else ARRAY(BigInteger)

    def process_bind_param(self, value: Collection[int] | None, dialect: Dialect) -> Any:  # noqa: ANN401 - as the type has it
        """The value on this engine."""
        ids = list(value or ())
        return orjson.dumps(ids).decode() if dialect.name == "sqlite" else ids


class _Among(FunctionElement[bool]):
    """`column` is one of the ids."""

    name = "among"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> _Among:  # noqa: ANN401, ARG002 - as sqlalchemy has it
        """As it is: `… = 1`, which SQLAlchemy would make of a function on SQLite, no index serves."""
        return self


def among(column: ColumnElement[int], ids: str | Collection[int]) -> ColumnElement[bool]:
    """`column` is one of the ids: given here, or as the parameter of this name when the statement is executed."""
    if isinstance(ids, str):
        return _Among(column, bindparam(ids, type_=Ids()))
    return _Among(column, bindparam(None, ids, type_=Ids()))


class _AmongFound(_Among):
    """`column` is one of what a query finds."""

    name = "among_found"
    inherit_cache = True


def among_found(column: ColumnElement[int], query: Select[tuple[int]]) -> ColumnElement[bool]:
    """`column` is one of what the query finds, which is looked up in an index however much that is.

    Of `IN (SELECT …)` PostgreSQL may think that it is more, and read the whole table instead.
    """
    return _AmongFound(column, query.scalar_subquery())


@compiles(_AmongFound, "sqlite")
def _in_found(element: _Among, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - the compiler's own
    column, query = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN {query}"


@compiles(_AmongFound, "postgresql")
def _in_found_array(element: _Among, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - the compiler's own
    column, query = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY (ARRAY{query})"


@compiles(_Among, "sqlite")
def _in_json(element: _Among, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - the compiler's own
    column, ids = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608 - compiled clauses, no text of anybody


@compiles(_Among, "postgresql")
def _in_array(element: _Among, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - the compiler's own
    column, ids = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({ids})"
