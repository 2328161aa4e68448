"""A test cannot tell that its database was another's before: what that one changed is not there."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from builders import columns, ran
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database
from catalog.store.tables import metadata
from conftest import NewUrl


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All there are, by table."""
    with database.read() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(table.select())] for table in metadata.sorted_tables
        }


def test_what_a_test_wrote_is_gone_and_what_every_new_database_has_is_there(new_postgres_url: NewUrl) -> None:
    with new_postgres_url() as url:
        database = Database(url)
        new = rows(database)
        sent = [*ran("etl").reading("raw").writing("clean", schema=columns(a="int")), b"no event"]
        Ingest(database).accept([Received(raw, "test") for raw in sent])
        assert rows(database) != new
        database.close()
    with new_postgres_url() as again:
        assert again == url
        database = Database(again)
        assert rows(database) == new
        database.close()


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE more (id int)",
        "ALTER TABLE edge ADD COLUMN more int",
        "DROP INDEX {index}",
        "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ANALYZE edge",
        "ALTER DATABASE {database} SET synchronous_commit = off",
        "INSERT INTO log_body SELECT n, 0, 'salt', sha256(n::text::bytea) FROM generate_series(1, 100000) AS n",
    ],
)
def test_a_database_that_is_another_than_before_is_nobodys_again(new_postgres_url: NewUrl, change: str) -> None:
    with new_postgres_url() as url:
        database = Database(url)
        with database.write() as connection:
            index = connection.scalar(
                text("SELECT indexname FROM pg_indexes WHERE tablename = 'run' AND indexname ~ '^ix'")
            )
            connection.execute(text(change.format(index=index, database=database.url.database)))
        database.close()
    with new_postgres_url() as other:
        assert other != url


def test_who_is_still_there_when_a_test_ends_is_sent_away(new_postgres_url: NewUrl) -> None:
    with new_postgres_url() as url:
        left = Database(url)
        connection = left.engine.connect()
        connection.execute(text("LOCK TABLE edge"))
    with new_postgres_url() as again:
        assert again == url
        database = Database(again)
        with database.write() as other:
            assert (
                other.execute(text("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'")).scalar() == 0
            )
        database.close()
    connection.invalidate()
    connection.close()
    left.close()
