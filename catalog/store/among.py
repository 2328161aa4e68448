"""Many ids in one bound parameter, in statements that are built once.

A walk asks the same few statements again at every level. Building one and finding it in SQLAlchemy's cache took twice
as long as the database took to answer it; a statement of a module, with the ids as its parameter, skips both.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
from sqlalchemy import ARRAY, BigInteger, Boolean, ColumnElement, Dialect, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


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


@compiles(_Among, "sqlite")
def _in_json(element: _Among, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - the compiler's own
    column, ids = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608 - compiled clauses, no text of anybody


@compiles(_Among, "postgresql")
def _in_array(element: _Among, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - the compiler's own
    column, ids = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({ids})"
