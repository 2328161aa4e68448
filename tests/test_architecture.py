"""Imports point down only, also for whoever runs pytest alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SHIPPED = {".py", ".typed", ".zstd-dict", ".html", ".css", ".js"}


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own

    assert done.returncode == 0, done.stdout


def test_the_package_ships_only_what_belongs_into_it() -> None:
    files = [path for path in (ROOT / "catalog").rglob("*") if path.is_file() and "__pycache__" not in path.parts]

    assert {path.suffix or path.name for path in files} <= SHIPPED


def test_integrations_do_not_import_the_catalog() -> None:
    sources = list((ROOT / "integrations").rglob("*.py"))

    assert sources
    assert not [s for s in sources if "import catalog" in s.read_text() or "from catalog" in s.read_text()]
