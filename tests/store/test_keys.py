from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from builders import ran
from catalog.domain import keys as spelling
from catalog.domain.callers import LOCAL, Role
from catalog.domain.errors import BadRequest, UnknownEntity
from catalog.ingest import replay
from catalog.ingest.accept import Ingest, Received
from catalog.store import keys, maintenance
from catalog.store.engine import Database
from catalog.store.keys import Key, Wanted
from catalog.store.paging import Page
from catalog.store.tables import api_key

NewDatabase = Callable[[], AbstractContextManager[Database]]


def create(database: Database, role: Role = Role.READER, at: int = 1_000, **wanted: Any) -> tuple[Key, str]:
    with database.write() as connection:
        return keys.create(connection, Wanted(role, **wanted), LOCAL, at)


def found(database: Database, secret: str) -> Key | None:
    with database.read() as connection:
        return keys.find(connection, spelling.digest(secret))


def test_a_key_is_found_by_what_it_is_and_says_who_uses_it(database: Database) -> None:
    key, secret = create(database, Role.INGESTOR, namespaces=("s3://*", "n"), name="nightly", expires_at=5_000)
    assert spelling.is_key(secret)
    assert found(database, secret) == key
    caller = key.caller
    assert (caller.name, caller.role, caller.namespaces) == ("nightly", Role.INGESTOR, ("s3://*", "n"))
    assert (caller.key_prefix, caller.expires_at) == (spelling.prefix(secret), 5_000)
    assert found(database, spelling.spell("0" * 30)) is None


def test_another_key_with_the_same_first_bits_is_not_taken_for_it(database: Database) -> None:
    key, secret = create(database)
    with database.write() as connection:
        connection.execute(api_key.update().values(digest=b"\0" * 32))
    assert key.prefix in secret
    assert found(database, secret) is None


def test_a_key_without_a_name_is_called_by_its_role_and_prefix(database: Database) -> None:
    key, _ = create(database, Role.AUDITOR)
    assert key.name == f"auditor-{key.prefix}"


def test_no_key_is_in_any_row(database: Database) -> None:
    _, secret = create(database)
    with database.read() as connection:
        rows = list(maintenance.canonical_dump(connection, [api_key]))
    assert len(rows) == 1
    assert spelling.prefix(secret) in rows[0]
    assert not [value for value in rows[0] if secret[12:] in str(value)]


def test_no_key_is_in_any_file_of_the_database(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    _, secret = create(database)
    path = Path(str(database.url.database))
    files = [path, path.with_name(f"{path.name}-wal")]
    written = b"".join(file.read_bytes() for file in files if file.exists())
    database.close()
    assert spelling.prefix(secret).encode() in written
    assert secret[12:].encode() not in written


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(Role.READER, ("n",)),
        Wanted(Role.INGESTOR, ("",)),
        Wanted(Role.READER, expires_at=1_000),
        Wanted(Role.READER, name="x" * 201),
        Wanted(Role.READER, name="a\nb"),
        Wanted(Role.READER, name="a\0"),
    ],
)
def test_what_can_be_no_key_is_refused(database: Database, wanted: Wanted) -> None:
    with pytest.raises(BadRequest), database.write() as connection:
        keys.create(connection, wanted, LOCAL, 1_000)
    with database.read() as connection:
        assert not keys.exist(connection)


def test_a_key_is_usable_until_it_ends_or_is_revoked(database: Database) -> None:
    key, secret = create(database, expires_at=5_000)
    assert key.usable(4_999)
    assert not key.usable(5_000)
    with database.read() as connection:
        assert (keys.count_usable(connection, 4_999), keys.count_usable(connection, 5_000)) == (1, 0)
    for at in (2_000, 3_000):
        with database.write() as connection:
            revoked = keys.revoke(connection, secret[:12], LOCAL, at)
        assert (revoked.revoked_at, revoked.revoked_by) == (2_000, "local")
        assert not revoked.usable(2_000)
    with database.read() as connection:
        assert keys.count_usable(connection, 2_000) == 0
        assert keys.exist(connection)


@pytest.mark.parametrize("named", ["", "nothing", "a\0b", "\ud800", "cat_", "%"])
def test_a_key_that_is_not_there_cannot_be_revoked(database: Database, named: str) -> None:
    create(database)
    with pytest.raises(UnknownEntity), database.write() as connection:
        keys.revoke(connection, named, LOCAL)


def test_the_last_use_is_noted_and_never_goes_back(database: Database) -> None:
    used, unused = create(database)[0], create(database)[0]
    for at in (7_000, 6_000):
        with database.write() as connection:
            keys.note_used(connection, {used.id: at, 12345: at})
    with database.read() as connection:
        rows = {key.id: key.last_used_at for key in keys.page(connection, Page()).items}
    assert rows == {used.id: 7_000, unused.id: None}


def test_keys_are_listed_the_newest_first_page_by_page(database: Database) -> None:
    made = [create(database, at=at)[0].prefix for at in (1_000, 2_000, 3_000)]
    listed: list[str] = []
    after = None
    while True:
        with database.read() as connection:
            page = keys.page(connection, Page(2, after))
            assert keys.count(connection) == 3
        listed += [key.prefix for key in page.items]
        if not page.has_next:
            break
        after = page.cursors[-1]
    assert listed == made[::-1]


@pytest.fixture
def story(database: Database) -> tuple[Key, str]:
    Ingest(database).accept([Received(raw, "test") for raw in ran("j").writing("d")])
    return create(database)


def test_using_a_key_changes_nothing_in_the_graph_and_a_rebuild_leaves_keys_alone(
    database: Database, story: tuple[Key, str]
) -> None:
    key, secret = story
    with database.read() as connection:
        before = maintenance.dump_digest(connection)
    with database.write() as connection:
        keys.note_used(connection, {key.id: 9_000})
    replay.rebuild(database)
    with database.read() as connection:
        assert maintenance.dump_digest(connection) == before
    after = found(database, secret)
    assert after is not None
    assert after.last_used_at == 9_000


def test_a_copy_carries_the_keys(database: Database, story: tuple[Key, str], new_database: NewDatabase) -> None:
    with new_database() as target:
        maintenance.copy(database, target)
        assert found(target, story[1]) == story[0]


def test_a_backup_carries_the_keys(sqlite_url: str, tmp_path: Path) -> None:
    source = Database(sqlite_url)
    key, secret = create(source)
    maintenance.backup(source, tmp_path / "backup.db")
    copied = Database(f"sqlite:///{tmp_path / 'backup.db'}")
    assert found(copied, secret) == key
    source.close()
    copied.close()
