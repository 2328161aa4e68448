from __future__ import annotations

import random
import sqlite3
import string
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, delete, select, update

from catalog.domain.errors import BadRequest, CatalogError, NotMigrated, Unavailable
from catalog.store import maintenance
from catalog.store.dialect import insert
from catalog.store.engine import Database
from catalog.store.maintenance import backup, canonical_dump, copy, dump_digest
from catalog.store.tables import GRAPH, metadata, namespace, statement

NewDatabase = Callable[[], AbstractContextManager[Database]]
NewUrl = Callable[..., AbstractContextManager[str]]

ALL = metadata.sorted_tables
LETTERS = string.ascii_letters + " éßλ🙂'\"\\%:,;\n"


@pytest.fixture(params=["to sqlite", "to postgresql"])
def target(request: pytest.FixtureRequest) -> Iterator[Database]:
    with request.getfixturevalue("new_sqlite_url" if "sqlite" in request.param else "new_postgres_url")() as url:
        database = Database(url)
        yield database
        database.close()


def test_a_backup_holds_every_row(sqlite: Database, tmp_path: Path) -> None:
    _fill(sqlite)
    backup(sqlite, tmp_path / "kept.db")
    kept = Database(f"sqlite:///{tmp_path / 'kept.db'}")
    assert _dump(kept) == _dump(sqlite)
    kept.close()


def test_a_backup_is_one_file(sqlite: Database, tmp_path: Path) -> None:
    _fill(sqlite)
    backup(sqlite, tmp_path / "kept.db")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.db"]


def test_a_backup_is_of_one_moment_and_stops_no_writer(sqlite: Database, tmp_path: Path) -> None:
    _fill(sqlite)
    before = _dump(sqlite)
    with sqlite.write() as connection:
        connection.execute(namespace.insert(), [{"id": 10**18, "name": "later", "sort_key": "later"}])
        backup(sqlite, tmp_path / "kept.db")
    kept = Database(f"sqlite:///{tmp_path / 'kept.db'}")
    assert _dump(kept) == before
    kept.close()


def test_a_backup_has_no_page_of_what_was_erased(sqlite: Database, tmp_path: Path) -> None:
    secret = b"the name of a person"
    with sqlite.write() as connection:
        connection.execute(statement.insert(), [{"id": 1, "body": secret * 1000}])
    with sqlite.write() as connection:
        connection.execute(delete(statement))
    backup(sqlite, tmp_path / "kept.db")
    assert secret not in (tmp_path / "kept.db").read_bytes()


def test_a_backup_never_replaces_a_file(sqlite: Database, tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    path.write_bytes(b"precious")
    with pytest.raises(BadRequest, match="already"):
        backup(sqlite, path)
    assert path.read_bytes() == b"precious"


def test_a_backup_into_no_folder_says_so(sqlite: Database, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no folder"):
        backup(sqlite, tmp_path / "nowhere" / "kept.db")


def test_a_backup_that_fails_leaves_no_file(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(maintenance, "_to_disk", full)
    with pytest.raises(Unavailable, match="No space left"):
        backup(sqlite, tmp_path / "kept.db")
    assert list(tmp_path.iterdir()) == []


def test_a_half_written_backup_of_a_killed_process_is_no_obstacle(sqlite: Database, tmp_path: Path) -> None:
    (tmp_path / "kept.db.partial").write_bytes(b"half of it")
    backup(sqlite, tmp_path / "kept.db")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.db"]
    with sqlite3.connect(tmp_path / "kept.db") as kept:
        assert kept.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    kept.close()


def test_a_postgresql_database_is_not_backed_up_to_a_file(postgres_url: str, tmp_path: Path) -> None:
    database = Database(postgres_url)
    with pytest.raises(BadRequest) as refused:
        backup(database, tmp_path / "kept.db")
    assert "pg_dump" in refused.value.fix
    database.close()


def test_a_copy_has_every_row_of_every_table_on_either_engine(database: Database, target: Database) -> None:
    _fill(database)
    copy(database, target)
    assert _dump(target) == _dump(database)
    with target.read() as connection:
        assert [table.name for table in ALL if connection.execute(select(table)).first() is None] == []


def test_a_copy_of_an_empty_database_is_empty(database: Database, target: Database) -> None:
    copy(database, target)
    assert _dump(target) == []


def test_a_copy_is_made_in_batches_that_are_bounded_in_rows_and_bytes(
    database: Database, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "_BATCH_ROWS", 4)
    monkeypatch.setattr(maintenance, "_BATCH_BYTES", 100)
    with database.write() as connection:
        sizes = [1, 1, 1, 1, 1, 60, 60, 1]
        connection.execute(statement.insert(), [{"id": at, "body": b"x" * size} for at, size in enumerate(sizes)])
    told: list[tuple[str, int, int]] = []
    copy(database, target, lambda *news: told.append(news))
    assert told == [("statement", 4, 8), ("statement", 7, 8), ("statement", 8, 8)]
    assert _dump(target) == _dump(database)


def test_what_is_written_during_a_copy_is_not_copied(database: Database, target: Database) -> None:
    _fill(database)
    before = _dump(database)

    def meanwhile(*_: object) -> None:
        with database.write() as connection:
            for table in ALL:
                connection.execute(delete(table))

    copy(database, target, meanwhile)
    assert _dump(target) == before
    assert _dump(database) == []


def test_a_copy_to_a_database_with_rows_is_refused(database: Database, target: Database) -> None:
    _fill(database)
    with target.write() as connection:
        connection.execute(namespace.insert(), [{"id": 5, "name": "mine", "sort_key": "mine"}])
    before = _dump(target)
    with pytest.raises(BadRequest, match="'namespace'"):
        copy(database, target)
    assert _dump(target) == before


def test_a_copy_to_itself_is_refused(database: Database) -> None:
    _fill(database)
    before = _dump(database)
    with pytest.raises(BadRequest):
        copy(database, database)
    assert _dump(database) == before


def test_a_copy_needs_both_databases_migrated(database: Database, empty_url: str) -> None:
    empty = Database(empty_url)
    for source, target in ((database, empty), (empty, database)):
        with pytest.raises(NotMigrated):
            copy(source, target)
    empty.close()


def test_a_copy_that_is_interrupted_or_differs_leaves_the_target_empty(database: Database, target: Database) -> None:
    _fill(database)

    def interrupt(table: str, _done: int, _total: int) -> None:
        if table == ALL[-1].name:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        copy(database, target, interrupt)
    assert _dump(target) == []


def test_a_copy_that_differs_is_not_kept(database: Database, target: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(database)

    def wrong(connection: Any, table: Any, rows: Any) -> None:
        insert(connection, table, rows)
        if table is namespace:
            connection.execute(update(namespace).values(name="another"))

    monkeypatch.setattr(maintenance, "insert", wrong)
    with pytest.raises(CatalogError, match="'namespace' is not the same"):
        copy(database, target)
    assert _dump(target) == []


def test_a_dump_has_every_graph_table_and_only_plain_values(database: Database) -> None:
    _fill(database)
    with database.read() as connection:
        rows = list(canonical_dump(connection))
    assert {row[0] for row in rows} == {table.name for table in GRAPH}
    assert {type(value) for row in rows for value in row} == {int, str, bytes, type(None)}


def test_a_dump_is_in_the_order_of_tables_and_keys(database: Database) -> None:
    _fill(database)
    with database.read() as connection:
        rows = list(canonical_dump(connection))
    names = [table.name for table in GRAPH]
    keys = {table.name: [list(table.columns).index(column) + 1 for column in table.primary_key] for table in GRAPH}
    assert rows == sorted(rows, key=lambda row: (names.index(row[0]), [row[at] for at in keys[row[0]]]))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_the_order_of_writing_and_the_engine_do_not_show_in_a_dump(
    seed: int, new_sqlite_url: NewUrl, new_postgres_url: NewUrl
) -> None:
    digests = set()
    for new_url, shuffled in ((new_sqlite_url, 1), (new_postgres_url, 2), (new_postgres_url, 3)):
        with new_url() as url:
            database = Database(url)
            _fill(database, seed, shuffled)
            with database.read() as connection:
                digests.add(dump_digest(connection, ALL))
            database.close()
    assert len(digests) == 1


def test_one_changed_value_changes_the_digest(new_database: NewDatabase) -> None:
    def digest(database: Database) -> str:
        with database.read() as connection:
            return dump_digest(connection)

    with new_database() as database:
        nothing = digest(database)
        _fill(database)
        whole = digest(database)
        with database.write() as connection:
            connection.execute(update(namespace).where(namespace.c.id == 3).values(name="another"))
        assert len({nothing, whole, digest(database)}) == 3
        assert digest(database) == digest(database)


def test_a_digest_does_not_confuse_neighbouring_values(new_database: NewDatabase) -> None:
    digests = set()
    for name, sort_key in (("ab", "c"), ("a", "bc"), ("a'", "'bc"), ("a', 'b", "c")):
        with new_database() as database:
            with database.write() as connection:
                connection.execute(namespace.insert(), [{"id": 1, "name": name, "sort_key": sort_key}])
            with database.read() as connection:
                digests.add(dump_digest(connection))
    assert len(digests) == 4


def test_a_dump_streams_with_one_statement_a_table(database: Database, statements: Any) -> None:
    _fill(database)
    with statements(database) as seen, database.read() as connection:
        dump_digest(connection)
    assert len(seen) == len(GRAPH)


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


def _dump(database: Database) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return list(canonical_dump(connection, ALL))


def _fill(database: Database, seed: int = 0, shuffled: int = 0) -> None:
    """The same twelve rows a table for the same seed, written in an order of their own for each `shuffled`."""
    chance = random.Random(seed)
    with database.write() as connection:
        for table in ALL:
            rows = [{column.name: _value(column, at, chance) for column in table.columns} for at in range(12)]
            random.Random(shuffled).shuffle(rows)
            connection.execute(table.insert(), rows)


def _value(column: Column[Any], at: int, chance: random.Random) -> int | str | bytes | None:
    if column.primary_key:
        return at
    if column.nullable and chance.random() < 0.3:
        return None
    if column.type.python_type is bytes:
        return chance.randbytes(chance.randrange(40))
    if column.type.python_type is str:
        return "".join(chance.choices(LETTERS, k=chance.randrange(40)))
    return chance.randrange(2**63) if isinstance(column.type, BigInteger) else chance.randrange(-(2**15), 2**15)
