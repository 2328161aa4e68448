"""Every command explains itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from catalog.cli import app
from catalog.cli.console import ExitCode


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


ALL = list(commands(typer.main.get_command(app)))
# What prints nothing but text that has a form of its own, or serves until it is stopped.
WITHOUT_JSON = {("serve",), ("query",), ("schema",), ("config", "example")}


def test_the_commands_promised_are_there() -> None:
    assert {path[0] for path, _ in ALL if path} >= {
        "serve", "ingest", "lineage", "query", "rebuild", "quarantine", "db", "schema", "version",
    }  # fmt: skip


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) or "catalog" for path, _ in ALL])
def test_help_has_a_sentence_and_an_example_that_names_the_command(
    run: Any, path: tuple[str, ...], command: Any
) -> None:
    said = run(*path, "--help").out
    assert "Usage: " in said
    assert command.help
    _, found, example = said.partition("Example: ")
    assert found
    assert "catalog " + " ".join(path) in " ".join(example.split())
    assert len(example.strip().splitlines()) == 1


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) or "catalog" for path, _ in ALL])
def test_every_option_is_explained_and_commands_that_print_data_print_json(path: tuple[str, ...], command: Any) -> None:
    options = {name: option for option in command.params for name in option.opts}
    assert all(option.help for name, option in options.items() if name.startswith("-"))
    is_group = bool(getattr(command, "commands", {}))
    assert is_group or path in WITHOUT_JSON or "--json" in options


def test_a_command_that_is_not_there_is_wrong_usage(run: Any) -> None:
    assert "No such command" in run("bogus", code=2).err


def test_exit_codes_are_those_promised() -> None:
    assert (ExitCode.ERROR, ExitCode.QUARANTINED) == (1, 3)


def test_help_loads_nothing_heavy() -> None:
    heavy = {"sqlalchemy", "alembic", "strawberry", "starlette", "uvicorn", "rich", "msgspec", "orjson", "psycopg"}
    code = "import sys, catalog.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603 - our own
    assert heavy.isdisjoint(loaded)
    assert "typer" in loaded
