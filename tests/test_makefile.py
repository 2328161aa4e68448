"""What `make` promises whoever relies on its exit code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("failing", ["a", "b"])
def test_make_bench_fails_where_any_program_does(tmp_path: Path, failing: str):
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "benchmarks").mkdir()
    for name in "ab":
        (tmp_path / "benchmarks" / f"bench_{name}.py").write_text(f"raise SystemExit({int(name == failing)})\n")
    command = ["make", "bench", f"VENV={sys.prefix}", f"--assume-old={sys.prefix}/.installed-test"]
    # Not as a part of the `make test` that runs this.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    made = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert made.returncode == 2
    assert f"bench_{failing}.py" in made.stdout
