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

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "tests" / "events"
ASKED = "{ events { totalCount } }"
STARTED = re.compile(r"http://127\.0\.0\.1:[0-9]+$")


def answer_of(url: str) -> int:
    """How many events a server has."""
    asked = Request(  # noqa: S310 - a URL of this machine
        f"{url}/graphql", json.dumps({"query": ASKED}).encode(), {"Content-Type": "application/json"}
    )
    with build_opener(ProxyHandler({})).open(asked, timeout=15) as response:
        return int(json.load(response)["data"]["events"]["totalCount"])


def test_make_run_serves_the_recorded_events(tmp_path: Path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "events").symlink_to(EVENTS)
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    # Two of the recordings have the same events in them.
    distinct = {line for path in EVENTS.glob("*.ndjson") for line in path.read_bytes().splitlines()}
    assert served(tmp_path) == len(distinct)


def served(folder: Path) -> int:
    """The events that `make run` serves; it is stopped as Ctrl-C does."""
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
        for line in made.stdout:
            said += line
            if found := STARTED.search(line.strip()):
                return answer_of(found[0])
        raise AssertionError(said)
    finally:
        os.killpg(made.pid, signal.SIGINT)
        made.communicate(timeout=15)
