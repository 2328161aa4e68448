"""What alembic runs: on the connection it is given, or on the database that CATALOG_DATABASE_URL or alembic.ini names.

A change to the tables needs a revision. On a scratch database (never on one with data):

    export CATALOG_DATABASE_URL=sqlite:////tmp/scratch.db
    alembic upgrade head && alembic revision --autogenerate -m "what changes"

Read what it wrote: a changed name looks like one column dropped and another added, and a table that becomes WITHOUT
ROWID is not seen. `pytest tests/test_migrations.py` shows every difference that is left.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from logging.config import fileConfig
from typing import Any

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation
from alembic.operations.ops import CreateIndexOp, DropIndexOp, DropTableOp, MigrationScript, ModifyTableOps
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from catalog.store.engine import Database
from catalog.store.migrate import migrating
from catalog.store.tables import metadata
from catalog.store.tables.base import Key, Sorted
from catalog.store.tables.search import is_declared

# A revision repeats these, and imports nothing of the catalog: it must do tomorrow what it does today.
_OUR_TYPES = {
    "Key": (Key, 'sa.BigInteger().with_variant(sa.Integer(), "sqlite")'),
    "Sorted": (Sorted, 'sa.Text(collation="C").with_variant(sa.Text(), "sqlite")'),
}


def _short_types(kind: str, item: object, autogenerate: AutogenContext) -> str | bool:
    for name, (ours, definition) in _OUR_TYPES.items():
        if kind == "type" and item is ours:
            autogenerate.imports.add(f"{name} = {definition}")
            return name
    return False


def _date_named(_: MigrationContext, __: object, scripts: list[MigrationScript]) -> None:
    for script in scripts:
        # The file and the revision have one name. The table of versions has room for 32 characters.
        slug = re.sub(r"\W+", "_", (script.message or "").lower())[:20].strip("_")
        script.rev_id = f"{datetime.now(UTC):%Y_%m_%d}_{slug}"
        for part in (script.upgrade_ops, script.downgrade_ops):
            if part is not None:
                part.ops = list(_indexes_alone(part.ops))


def _indexes_alone(operations: Sequence[MigrateOperation]) -> Iterator[MigrateOperation]:
    """An index is made without making its table anew, and goes when its table goes."""
    dropped = {operation.table_name for operation in operations if isinstance(operation, DropTableOp)}
    for operation in operations:
        if not (isinstance(operation, ModifyTableOps) and all(map(_of_index, operation.ops))):
            yield operation
        elif operation.table_name not in dropped:
            yield from operation.ops


def _of_index(operation: MigrateOperation) -> bool:
    return isinstance(operation, CreateIndexOp | DropIndexOp)


_OPTIONS: dict[str, Any] = {
    "target_metadata": metadata,
    # SQLite cannot alter a table; a batch makes it anew. On PostgreSQL a batch is ALTER TABLE.
    "render_as_batch": True,
    # Both engines can roll a CREATE TABLE back; alembic does not expect that of SQLite.
    "transactional_ddl": True,
    "render_item": _short_types,
    "process_revision_directives": _date_named,
    "include_name": is_declared,
}


def _url() -> str:
    return os.environ.get("CATALOG_DATABASE_URL") or context.config.get_main_option("sqlalchemy.url") or ""


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, **_OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def _print_sql() -> None:
    database = Database(_url())
    context.configure(dialect_name=database.engine.dialect.name, literal_binds=True, **_OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def _main() -> None:
    # Only the command has a file; inside a program, logging belongs to that program.
    if context.config.config_file_name:
        fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    given: Connection | None = context.config.attributes.get("connection")
    if context.is_offline_mode():
        _print_sql()
    elif given is not None:
        _migrate(given)
    else:
        database = Database(_url())
        with migrating(database) as connection:
            _migrate(connection)
        database.close()


_main()
