from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, select, text, update

from catalog.domain.errors import BadRequest, Unavailable
from catalog.store import engine
from catalog.store.engine import Database
from catalog.store.tables import log_head, namespace

HEAD = {"id": 1, "origin": "test", "size": 0, "peaks": b""}


def test_a_database_of_another_kind_is_refused_with_what_is_possible() -> None:
    with pytest.raises(BadRequest, match="mysql") as refused:
        Database("mysql://user@host/name")
    assert "sqlite:///" in refused.value.fix
    assert "postgresql://" in refused.value.fix


def test_what_was_written_is_there_for_the_next_reader(database: Database) -> None:
    with database.write() as connection:
        _insert(connection, 1)
    assert _names(database) == [1]


def test_an_error_takes_everything_back(database: Database) -> None:
    def fail_after_writing() -> None:
        with database.write() as connection:
            _insert(connection, 1)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail_after_writing()
    assert _names(database) == []


def test_a_reader_does_not_see_what_is_not_committed(database: Database) -> None:
    with database.write() as connection:
        _insert(connection, 1)
        assert _names(database) == []
    assert _names(database) == [1]


def test_a_reader_sees_one_state_from_its_first_to_its_last_statement(database: Database) -> None:
    with database.read() as reading:
        first = reading.execute(select(namespace)).all()
        with database.write() as connection:
            _insert(connection, 1)
        assert reading.execute(select(namespace)).all() == first
    assert _names(database) == [1]


def test_writers_that_read_first_and_write_later_follow_each_other(database: Database) -> None:
    with database.write() as connection:
        connection.execute(log_head.insert(), [HEAD])

    def count_up(_: int) -> None:
        with database.write() as connection:
            size = connection.execute(select(log_head.c.size).with_for_update()).scalar_one()
            connection.execute(update(log_head).values(size=size + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count_up, range(40)))
    with database.read() as connection:
        assert connection.execute(select(log_head.c.size)).scalar_one() == 40


def test_a_writer_that_waits_too_long_is_told_to_come_again(database: Database) -> None:
    with database.write() as connection:
        connection.execute(log_head.insert(), [HEAD])

    def impatient() -> None:
        if database.is_sqlite:
            with database.engine.connect() as connection:
                connection.connection.cursor().execute("PRAGMA busy_timeout = 1")
        with database.write() as connection:
            if not database.is_sqlite:
                connection.exec_driver_sql("SET LOCAL lock_timeout = 1")
            connection.execute(update(log_head).values(size=2))

    with database.write() as connection:
        connection.execute(update(log_head).values(size=1))
        with pytest.raises(Unavailable):
            impatient()


def test_a_database_that_cannot_be_reached_is_unavailable(tmp_path: object) -> None:
    for url in (f"sqlite:///{tmp_path}/no/folder/catalog.db", f"postgresql://postgres@/catalog?host={tmp_path}"):
        database = Database(url)
        with pytest.raises(Unavailable), database.read():
            pass
        database.close()


def end_sessions(database: Database, *pids: int) -> None:
    with database.write() as killer:
        for pid in pids:
            killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})


def test_a_connection_that_the_server_closed_is_replaced(postgres_url: str) -> None:
    database, other = Database(postgres_url), Database(postgres_url)

    def lose_the_connection() -> None:
        with database.read() as connection:
            mine = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            end_sessions(other, mine)
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(Unavailable):
        lose_the_connection()
    assert _names(database) == []
    database.close()
    other.close()


def test_a_connection_that_was_closed_while_nobody_used_it_is_replaced_unnoticed(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, other = Database(postgres_url), Database(postgres_url)
    with database.read() as one, database.read() as two:
        mine = [connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() for connection in (one, two)]
    end_sessions(other, *mine)
    monkeypatch.setattr(engine, "_FRESH_SECONDS", 0.0)

    assert _names(database) == []
    database.close()
    other.close()


def test_a_connection_that_was_good_a_moment_ago_is_not_asked_whether_it_is(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, asked = Database(postgres_url), []
    monkeypatch.setattr(database.engine.dialect, "do_ping", asked.append)
    for _ in range(3):
        assert _names(database) == []
    assert asked == []

    monkeypatch.setattr(engine, "_FRESH_SECONDS", 0.0)
    assert _names(database) == []
    assert len(asked) == 1
    database.close()


def test_what_was_acknowledged_survives_the_death_of_the_process(database_url: str) -> None:
    program = f"""
import os, signal
from catalog.store.engine import Database
from catalog.store.tables import namespace
with Database({database_url!r}).write() as connection:
    connection.execute(namespace.insert(), [{{"id": 7, "name": "kept", "sort_key": "kept"}}])
with Database({database_url!r}).write() as connection:
    connection.execute(namespace.insert(), [{{"id": 8, "name": "lost", "sort_key": "lost"}}])
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9  # noqa: S603 - our own program
    again = Database(database_url)
    assert _names(again) == [7]
    again.close()


def test_sqlite_is_opened_durable_and_erasing(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    with database.read() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in wanted}
    database.close()
    assert found == wanted


def test_postgresql_commits_are_durable(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.read() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
    database.close()


def _insert(connection: Connection, id: int) -> None:
    connection.execute(namespace.insert(), [{"id": id, "name": "n", "sort_key": "n"}])


def _names(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.execute(select(namespace.c.id).order_by(namespace.c.id)).scalars())
