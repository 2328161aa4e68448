"""Shells complete commands and options; nothing is asked of the network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CATALOG = Path(sys.executable).parent / "catalog"


def ran(*command: object, **variables: str) -> str:
    environ = {**os.environ, **variables}
    done = subprocess.run(  # noqa: S603 - our own program
        [str(word) for word in command], env=environ, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_each_shell_names_the_program(shell: str):
    script = ran(CATALOG, _CATALOG_COMPLETE=f"source_{shell}")
    assert f"complete_{shell}" in script
    assert "_CATALOG_COMPLETE" in script


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("catalog ser", {"serve"}), ("catalog db ba", {"backup"}), ("catalog serve --wor", {"--workers"})],
)
def test_bash_completes_commands_and_options(typed: str, completed: set[str]):
    words = str(len(typed.split()) - 1)
    said = ran(CATALOG, _CATALOG_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=words)
    assert set(said.split()) == completed


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_zsh_and_fish_get_what_a_command_does_as_well(shell: str):
    said = ran(
        CATALOG, _CATALOG_COMPLETE=f"complete_{shell}", _TYPER_COMPLETE_ARGS="catalog ser",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )  # fmt: skip
    assert "serve" in said
    assert "Serve the catalog" in said


def test_the_shell_that_is_in_use_is_shown_its_script():
    script = ran("bash", "-c", f"{CATALOG} --show-completion; true")
    assert "complete -o default -F _catalog_completion catalog" in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="There is no bash on this machine.")
def test_installing_writes_to_the_home_folder_alone(tmp_path: Path):
    said = ran("bash", "-c", f"{CATALOG} --install-completion; true", HOME=str(tmp_path))
    assert "bash completion installed" in said
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == {
        ".bashrc",
        ".bash_completions/catalog.sh",
    }
