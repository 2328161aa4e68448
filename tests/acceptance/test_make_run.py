"""The first of the two commands: what it does is seen, but for the installation, which the tests have behind them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from catalog.demo import events

ROOT = Path(__file__).parents[2]
ASKED = "{ events { totalCount } }"
STARTED = re.compile(r"Lineage Catalog .* at (http://127\.0\.0\.1:[0-9]+)")


def answer_of(url: str) -> int:
    """How many events a server has."""
    asked = Request(  # noqa: S310 - a URL of this machine
        f"{url}/graphql", json.dumps({"query": ASKED}).encode(), {"Content-Type": "application/json"}
    )
    with build_opener(ProxyHandler({})).open(asked, timeout=15) as response:
        return int(json.load(response)["data"]["events"]["totalCount"])


def test_make_run_serves_the_demo_and_says_what_to_try(tmp_path: Path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    count, said = served(tmp_path)
    assert count == len(list(events()))
    assert "catalog.db" in said
    assert "Three things to try:" in said


def served(folder: Path) -> tuple[int, str]:
    """The events that `make run` serves, and what it says on its way; it is stopped as Ctrl-C does."""
    # MAKE…: the `make test` that runs this test would have it do the same. PYTHON…: see test_docs.py.
    foreign = ("CATALOG_", "MAKE", "MFLAGS", "PYTHON")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    made = subprocess.Popen(  # noqa: S603 - our own Makefile
        ["make", "run", f"VENV={sys.prefix}", f"--assume-old={sys.prefix}/.installed"],  # noqa: S607
        cwd=folder,
        env=environ | {"CATALOG_PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert made.stdout is not None
    said = ""
    try:
        while "Ctrl-C" not in said:
            line = made.stdout.readline()
            assert line, said
            said += line
        found = STARTED.search(said)
        assert found, said
        return answer_of(found[1]), said
    finally:
        os.killpg(made.pid, signal.SIGINT)
        made.communicate(timeout=15)
