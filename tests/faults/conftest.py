"""Worlds to break. `CATALOG_TEST_FAULTS=long`, which `make faults` sets, runs the long form: more of everything."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import postgres

LONG = os.environ.get("CATALOG_TEST_FAULTS") == "long"


@pytest.fixture(scope="session")
def times() -> Any:
    """How often a fault is repeated: `times(20)` is 20 in the long form and 2 in the short one."""
    return lambda most: most if LONG else max(2, most // 10)


@pytest.fixture
def new_cluster() -> Iterator[Any]:
    """Starts PostgreSQL servers of this test's own, as a user has them: with fsync and full_page_writes."""
    made: list[postgres.Cluster] = []
    folders: list[Path] = []

    def start(home: Path | None = None, **options: object) -> postgres.Cluster:
        # pytest's own folders are closed to the user that PostgreSQL runs as, and their names too long for a socket.
        folder = Path(tempfile.mkdtemp(prefix="catalog-pg-"))
        folder.chmod(0o755)
        folders.append(folder)
        programs = postgres.programs(folder)
        cluster = postgres.Cluster(home or folder / "home", programs, {"listen_addresses": "''", **options})
        made.append(cluster)
        cluster.start()
        return cluster

    yield start
    for cluster in made:
        cluster.stop()
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 256 MB. Only who may mount can have one; the short form does without."""
    # Not in pytest's own folders, as above.
    folder = Path(tempfile.mkdtemp(prefix="catalog-disk-"))
    folder.chmod(0o755)
    command = ["mount", "-t", "tmpfs", "-o", "size=256m,mode=777", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    if mounted.returncode:
        pytest.skip(f"no file system of its own can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607 - what we mounted
        folder.rmdir()
