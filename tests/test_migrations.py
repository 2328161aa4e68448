"""The migrations make what the tables declare, on both engines, all or nothing.

Where a test here shows a difference, the tables changed without a revision: see migrations/env.py for how to write one.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Inspector, Table, event, inspect, select, text

from catalog.domain.errors import BadRequest, NotMigrated, Unavailable
from catalog.domain.projection import NEVER
from catalog.store import migrate
from catalog.store.engine import Database
from catalog.store.tables import log_entry, log_head, metadata, run, run_dataset
from catalog.store.tables.search import is_declared
from catalog.store.uses import uses
from histories import put

NewUrl = Callable[..., AbstractContextManager[str]]

ROOT = Path(migrate.__file__).parents[2]
_TIMES = {"first_at", "last_at"}


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    database = Database(empty_url)
    yield database
    database.close()


def test_up_down_and_up_again_ends_with_the_same_schema(empty: Database) -> None:
    migrate.upgrade(empty)
    first = _schema(empty)
    migrate.downgrade(empty, "base")
    assert _schema(empty) == {}
    migrate.upgrade(empty)
    assert first
    assert _schema(empty) == first


def test_each_revision_goes_up_and_down_by_itself(empty: Database) -> None:
    for script in reversed(_revisions()):
        migrate.upgrade(empty, script.revision)
        migrate.downgrade(empty, script.down_revision or "base")
        migrate.upgrade(empty, script.revision)
        assert migrate.current(empty) == script.revision
    assert migrate.current(empty) == migrate.head()


def test_a_database_with_rows_in_every_table_goes_down_and_up(database: Database) -> None:
    with database.write() as connection:
        for table in metadata.sorted_tables:
            row = {column.name: 1 if column.type.python_type is int else _filler(column) for column in table.columns}
            connection.execute(table.insert(), [row])
    migrate.downgrade(database, "base")
    migrate.upgrade(database)
    with database.read() as connection:
        assert {connection.execute(table.select()).first() for table in metadata.sorted_tables} == {None}


def test_rows_survive_being_packed_as_before_and_back(database: Database) -> None:
    tables = (log_entry, run, run_dataset)
    with database.write() as connection:
        for table in tables:
            # The first microseconds are of the period 0.
            full = {c.name: int(c.name != "period") if c.type.python_type is int else _filler(c) for c in table.columns}
            # With its times, a use is that of an event: of runs the statements have them.
            bare = {**full, **{c.name: None for c in table.columns if c.nullable and c.name not in _TIMES}}
            keys = [column.name for column in table.primary_key]
            connection.execute(table.insert(), [full, {**bare, **dict.fromkeys(keys, 2)}])
    before = _rows(database, tables)
    migrate.downgrade(database, "2026_11_22_search")
    with database.read() as connection:
        never = connection.exec_driver_sql(
            "SELECT parent_at, parent_tie, measured_at, label_tie FROM run JOIN run_dataset ON activity_id = id "
            "WHERE id = 2"
        ).one()
    migrate.upgrade(database)
    assert tuple(never) == (NEVER.at, NEVER.tie, NEVER.at, NEVER.tie)
    assert _rows(database, tables) == before


def test_what_runs_used_survives_being_said_by_statements(database: Database) -> None:
    put(database, [(Path(__file__).parent / "events" / "spark.ndjson").read_bytes().splitlines()])
    before = _uses(database)
    migrate.downgrade(database, "2026_11_22_tuned")
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT activity_id, dataset_id, role, first_at, last_at FROM run_dataset")
        assert {tuple(row) for row in rows} == {use[:5] for use in before}
    migrate.upgrade(database)
    assert before
    assert _uses(database) == before


def _uses(database: Database) -> set[tuple[Any, ...]]:
    with database.read() as connection:
        return {tuple(row) for row in connection.execute(select(uses(lambda _: ())))}


def test_alembic_finds_nothing_that_tables_and_migrations_say_differently(database: Database) -> None:
    with database.read() as connection:
        assert compare_metadata(_compared(connection), metadata) == []


def test_the_migrated_schema_is_the_declared_one_to_the_last_word(database: Database, empty: Database) -> None:
    with empty.write() as connection:
        metadata.create_all(connection)
    assert _schema(database) == _schema(empty)


def test_tables_with_a_composite_key_have_no_row_id_on_sqlite(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    made = _schema(database)
    database.close()
    composite = [table.name for table in metadata.sorted_tables if len(table.primary_key) > 1]
    assert composite
    assert [name for name in composite if "WITHOUT ROWID" not in made[name]] == []


def test_a_migration_that_fails_leaves_nothing_behind(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MigrationContext, "_ensure_version_table", _then_fail(MigrationContext._ensure_version_table))
        with pytest.raises(InterruptedError):
            migrate.upgrade(empty)
    assert _schema(empty) == {}
    migrate.upgrade(empty)
    assert migrate.current(empty) == migrate.head()


def test_processes_that_start_together_may_all_upgrade(empty_url: str) -> None:
    program = f"from catalog.store import engine, migrate; migrate.upgrade(engine.Database({empty_url!r}))"
    started = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) for _ in range(3)]  # noqa: S603 - our own program
    assert [process.wait() for process in started] == [0, 0, 0]
    database = Database(empty_url)
    migrate.check(database)
    database.close()


def test_threads_may_migrate_different_databases_at_once(new_url: NewUrl) -> None:
    with new_url(migrated=False) as one, new_url(migrated=False) as other:
        databases = [Database(one), Database(other), Database(one)]
        with ThreadPoolExecutor(len(databases)) as pool:
            list(pool.map(migrate.upgrade, databases))
        assert {migrate.current(database) for database in databases} == {migrate.head()}
        for database in databases:
            database.close()


def test_a_database_that_is_being_written_is_migrated_another_time(sqlite_url: str) -> None:
    writer, impatient = Database(sqlite_url), Database(sqlite_url)
    event.listen(impatient.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 1"))
    with writer.write(), pytest.raises(Unavailable, match="locked"):
        migrate.downgrade(impatient, "base")
    migrate.check(writer)
    writer.close()
    impatient.close()


def test_upgrading_what_is_at_head_changes_nothing(database: Database) -> None:
    before = _schema(database)
    migrate.upgrade(database)
    assert _schema(database) == before


def test_foreign_keys_are_enforced_again_after_migrating(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with migrate.migrating(database) as connection:
        during = connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one()
    with database.read() as connection:
        after = connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one()
    database.close()
    assert (during, after) == (0, 1)


def test_rows_that_refer_to_nothing_refuse_the_migration(sqlite_url: str) -> None:
    database = Database(sqlite_url)

    def orphan() -> None:
        with migrate.migrating(database) as connection:
            connection.exec_driver_sql("CREATE TABLE child (parent INTEGER REFERENCES log_head (id))")
            connection.exec_driver_sql("INSERT INTO child VALUES (7)")

    with pytest.raises(RuntimeError, match="child"):
        orphan()
    left = _schema(database)
    database.close()
    assert "child" not in left


def test_a_database_without_a_catalog_says_what_to_run(empty: Database) -> None:
    assert migrate.current(empty) is None
    with pytest.raises(NotMigrated) as refused:
        migrate.check(empty)
    assert "catalog db upgrade" in refused.value.fix


def test_a_migrated_database_passes_the_check(database: Database) -> None:
    migrate.check(database)
    assert migrate.current(database) == migrate.head()


def test_a_database_of_a_newer_release_is_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '2999_01_01_future'"))
    before = _schema(database)
    for attempt in (migrate.check, migrate.upgrade, lambda one: migrate.downgrade(one, "base")):
        with pytest.raises(NotMigrated, match="2999_01_01_future") as refused:
            attempt(database)
        assert "newer release" in refused.value.fix
    assert _schema(database) == before


def test_an_unknown_revision_is_a_bad_request(empty: Database) -> None:
    with pytest.raises(BadRequest, match="nonsense"):
        migrate.upgrade(empty, "nonsense")
    assert _schema(empty) == {}


def test_migrating_in_a_program_leaves_its_logging_as_it_was(empty: Database) -> None:
    ours = logging.getLogger("catalog.somewhere")
    before = (logging.root.level, list(logging.root.handlers), logging.getLogger("alembic").level, ours.disabled)
    migrate.upgrade(empty)
    after = (logging.root.level, list(logging.root.handlers), logging.getLogger("alembic").level, ours.disabled)
    assert after == before


def test_the_alembic_command_migrates_the_database_that_the_environment_names(empty_url: str) -> None:
    _alembic(empty_url, "upgrade", "head")
    database = Database(empty_url)
    migrate.check(database)
    database.close()


def test_the_alembic_command_prints_sql_that_makes_the_same_schema(empty: Database, empty_url: str) -> None:
    printed = _alembic(empty_url, "upgrade", "head", "--sql")
    with empty.write() as connection:
        for statement in printed.split(";\n"):
            if statement.strip() not in ("", "BEGIN", "COMMIT"):
                connection.exec_driver_sql(statement.replace("%", "%%"))
    migrate.check(empty)
    with empty.read() as connection:
        assert compare_metadata(_compared(connection), metadata) == []


def test_revisions_are_named_by_their_date_in_one_line() -> None:
    scripts = _revisions()
    assert [script.revision for script in scripts] == sorted((script.revision for script in scripts), reverse=True)
    assert {Path(script.path).stem for script in scripts} == {script.revision for script in scripts}
    # The table of versions has no room for more.
    assert max(len(script.revision) for script in scripts) <= 32


def test_revisions_import_nothing_of_the_catalog() -> None:
    assert [script.path for script in _revisions() if "catalog" in _imports(Path(script.path))] == []


def _compared(connection: Connection) -> MigrationContext:
    options = {"compare_server_default": True, "include_name": is_declared}
    return MigrationContext.configure(connection, opts=options)


def _revisions() -> list[Any]:
    return list(ScriptDirectory(str(ROOT / "migrations")).walk_revisions())


def _imports(path: Path) -> set[str]:
    lines = path.read_text().splitlines()
    return {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}


def _filler(column: Any) -> str | bytes:
    return b"x" if column.type.python_type is bytes else "x"


def _then_fail(original: Any) -> Any:
    def interrupted(context: MigrationContext) -> None:
        original(context)
        connection = context.connection
        assert connection is not None
        log_head.create(connection)
        raise InterruptedError

    return interrupted


def _alembic(url: str, *arguments: str) -> str:
    environment = {**os.environ, "CATALOG_DATABASE_URL": url}
    command = [sys.executable, "-m", "alembic", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)  # noqa: S603 - our own command
    return done.stdout


def _rows(database: Database, tables: Iterable[Table]) -> list[list[tuple[Any, ...]]]:
    with database.read() as connection:
        return [
            [tuple(row) for row in connection.execute(table.select().order_by(*table.primary_key))] for table in tables
        ]


def _schema(database: Database) -> dict[str, str]:
    """What the engine itself says about every table and index of ours, by name."""
    with database.read() as connection:
        said = _sqlite_schema(connection) if database.is_sqlite else _postgres_schema(connection)
    return {name: what for name, what in said.items() if not name.startswith("alembic_version")}


def _sqlite_schema(connection: Connection) -> dict[str, str]:
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {name: " ".join(sql.split()) for name, sql in rows}


def _postgres_schema(connection: Connection) -> dict[str, str]:
    tables = inspect(connection)
    said = {name: repr([inspected(name) for inspected in _facts(tables)]) for name in tables.get_table_names()}
    indexes = connection.exec_driver_sql("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'")
    return said | {row.indexname: row.indexdef for row in indexes}


def _facts(tables: Inspector) -> list[Callable[[str], Any]]:
    return [
        tables.get_columns,
        tables.get_pk_constraint,
        tables.get_unique_constraints,
        tables.get_foreign_keys,
        tables.get_check_constraints,
        tables.get_table_comment,
    ]
