"""Databases of PostgreSQL that tests have one after another: to empty one takes a fifth of what a new one does.

Sessions of a `Database` stay open meanwhile, and have planned already what the next test will say. A database is used
again only if nobody can tell: its tables, functions and settings are those of the template that it was copied from, to
the transaction that made them, and its rows those that the template has. Any other is dropped, as is one that has
grown: rows that were deleted still take room, and statements might be planned in another way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import psycopg
from psycopg import sql

from catalog.store.tables import metadata

KEPT: Final = "kept"
"""What sessions call themselves that stay open for the next test."""

_ROOM: Final = 2 * 1024 * 1024

_SHAPE: Final = " UNION ALL ".join(
    f"SELECT '{name}', count(*), max(xmin::text::bigint), {more} FROM {name}"  # noqa: S608 - the names below
    for name, more in (
        ("pg_class", "sum(reltuples)"), ("pg_attribute", "0"), ("pg_index", "0"), ("pg_constraint", "0"),
        ("pg_attrdef", "0"), ("pg_proc", "0"), ("pg_trigger", "0"), ("pg_namespace", "0"), ("pg_extension", "0"),
        ("pg_statistic", "0"),
    )
)  # fmt: skip
"""Who changes a row of the system's tables leaves the number of a later transaction in it; ANALYZE counts rows."""

_SETTINGS: Final = """
SELECT count(*) FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
WHERE datname = current_database()
"""
_END_OTHERS: Final = f"""
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
AND NOT (application_name = '{KEPT}' AND state = 'idle')
"""  # noqa: S608 - the word above
_SEQUENCES: Final = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"
_SIZE: Final = (
    "SELECT sum(pg_table_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)


class Template:
    """What a database that nobody has used yet is like."""

    def __init__(self, url: str) -> None:
        """Look at the template itself."""
        with psycopg.connect(url, autocommit=True) as connection:
            self._shape = connection.execute(_SHAPE).fetchall()
            tables = ["alembic_version", *(table.name for table in metadata.sorted_tables)]
            sequences = [name for (name,) in connection.execute(_SEQUENCES).fetchall()]
            self._most = connection.execute(_SIZE).fetchone()[0] + _ROOM  # type: ignore[index] # an aggregate has a row
            steps = [sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name in reversed(tables)]
            steps += [step for name in tables for step in self._filled(connection, name)]
            steps += [sql.SQL("SELECT setval({}::regclass, 1, false)").format(sql.Literal(name)) for name in sequences]
            self._empty = sql.SQL("; ").join(steps).as_string(connection)

    @staticmethod
    def _filled(connection: psycopg.Connection[Any], table: str) -> Iterator[sql.Composed]:
        """The rows that the template has in a table, as an INSERT; nothing where it has none."""
        name = sql.Identifier(table)
        rows = connection.execute(sql.SQL("SELECT to_json(t)::text FROM {} AS t").format(name)).fetchall()
        if rows:
            insert = sql.SQL("INSERT INTO {0} SELECT * FROM json_populate_recordset(null::{0}, {1})")
            yield insert.format(name, sql.Literal(f"[{','.join(row for (row,) in rows)}]"))

    def again(self, connection: psycopg.Connection[Any]) -> bool:
        """Make the database of a connection, a copy of the template, like it again; False where it is to be dropped."""
        try:
            connection.execute(_END_OTHERS)
            if not self._may_be(connection):
                return False
            connection.execute(f"BEGIN; {self._empty}; COMMIT")  # composed above
        except psycopg.Error:
            # Its test has ended this session too, or dropped the database.
            return False
        return True

    def _may_be(self, connection: psycopg.Connection[Any]) -> bool:
        """Whether only rows are to be deleted, and not many were."""
        as_made = connection.execute(_SHAPE).fetchall() == self._shape
        as_usual = connection.execute(_SETTINGS).fetchone() == (0,)
        return as_made and as_usual and connection.execute(_SIZE).fetchone()[0] <= self._most  # type: ignore[index] # as above
