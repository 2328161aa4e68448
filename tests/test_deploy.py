"""The files for containers and systemd, as far as they can be checked without either."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from configparser import RawConfigParser
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import yaml

from catalog.cli import app
from catalog.settings import Settings
from servers import Server

ROOT: Final = Path(__file__).parents[1]
DEPLOY: Final = ROOT / "integrations" / "deploy"
BIN: Final = Path(sys.executable).parent
SETTINGS: Final = {variable.name for variable in Settings().variables()}
SECRETS: Final = {f"{variable.name}_FILE" for variable in Settings().variables() if variable.secret}
KNOWN: Final = SETTINGS | SECRETS | {"CATALOG_CONFIG"}


def said_by(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)  # noqa: S603 - linters of our own


def catalog_settings(text: str) -> set[str]:
    """Every variable a file names but in its comments; what only begins like one is a value."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return set(re.findall(r"\bCATALOG_\w+", "\n".join(lines)))


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", "catalog.service"])
def test_every_setting_a_file_names_is_one(name: str):
    named = catalog_settings((DEPLOY / name).read_text(encoding="utf-8"))
    assert named
    assert named - KNOWN == set()


# Docker.


def test_the_dockerfile_has_nothing_that_hadolint_knows_better():
    done = said_by(BIN / "hadolint", "--failure-threshold", "info", DEPLOY / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with what follows them."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_image_runs_as_a_user_without_a_name(dockerfile: list[tuple[str, str]]):
    assert [rest for word, rest in dockerfile if word == "USER"] == ["10001:10001"]


def test_what_is_copied_is_there_and_gets_into_the_build(dockerfile: list[tuple[str, str]]):
    copied = [rest.split()[:-1] for word, rest in dockerfile if word == "COPY" and not rest.startswith("--")]
    names = {name for names in copied for name in names}
    assert all((ROOT / name).exists() for name in names)
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line.removeprefix("!") for line in let_in if line.startswith("!")} == names


def test_the_health_check_tells_a_server_from_none(dockerfile: list[tuple[str, str]], sqlite_url: str):
    [check] = [rest for word, rest in dockerfile if word == "HEALTHCHECK"]
    command = json.loads(check.partition(" CMD ")[2])
    command[0] = sys.executable

    def health(port: int) -> int:
        environ = {**os.environ, "CATALOG_PORT": str(port), "no_proxy": "*"}
        return subprocess.run(command, env=environ, capture_output=True, check=False).returncode  # noqa: S603 - our own

    with Server(sqlite_url) as server:
        assert health(server.port) == 0
        port = server.port
    assert health(port) != 0


# Compose.


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return read


def test_the_compose_file_has_nothing_worse_than_a_tag_without_a_digest():
    done = said_by(BIN / "compose-lint", "check", "--format", "json", DEPLOY / "compose.yaml")
    assert done.returncode == 0
    assert set(re.findall(r"CL-\d{4}", done.stdout)) <= {"CL-0019"}


def test_every_container_is_read_only_without_privileges_and_bounded(compose: dict[str, Any]):
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["mem_limit"]
        assert "healthcheck" in service


def test_the_server_waits_for_the_migrations_and_those_for_the_database(compose: dict[str, Any]):
    services = compose["services"]
    assert services["catalog"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["migrate"]["command"] == ["db", "upgrade"]


def test_nobody_but_this_machine_reaches_the_server_and_nobody_the_database(compose: dict[str, Any]):
    services = compose["services"]
    assert all(port.startswith("127.0.0.1:") for port in services["catalog"]["ports"])
    assert "ports" not in services["postgres"]
    assert services["postgres"]["networks"] == ["inside"]
    assert compose["networks"]["inside"] == {"internal": True}


def test_no_secret_is_in_the_file(compose: dict[str, Any]):
    used = {secret for service in compose["services"].values() for secret in service["secrets"]}
    assert used == set(compose["secrets"])
    assert all(set(secret) == {"file"} for secret in compose["secrets"].values())


@pytest.mark.parametrize("service", ["migrate", "catalog"])
def test_the_commands_of_the_containers_are_commands(compose: dict[str, Any], service: str):
    command: Any = typer.main.get_command(app)
    words = [word for word in compose["services"][service]["command"] if not word.startswith("-") and word.isalpha()]
    for word in words:
        command = command.commands[word]
    options = {name for option in command.params for name in option.opts}
    assert {word for word in compose["services"][service]["command"] if word.startswith("--")} <= options


# systemd.


@pytest.fixture(scope="module")
def unit() -> dict[str, list[str]]:
    """The settings of the service, each with all its values."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in (DEPLOY / "catalog.service").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif line and not line.startswith(("#", ";")) and section == "[Service]":
            key, equals, value = line.partition("=")
            assert equals, line
            found.setdefault(key, []).append(value)
    return found


def test_the_unit_is_of_the_three_sections_a_unit_has():
    parser = RawConfigParser(strict=False)
    parser.read(DEPLOY / "catalog.service", encoding="utf-8")
    assert parser.sections() == ["Unit", "Service", "Install"]


def test_the_unit_starts_a_script_that_is_installed(unit: dict[str, list[str]]):
    program, command = unit["ExecStart"][0].split()[:2]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert Path(program).name in scripts
    assert command in typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group


def test_the_unit_waits_for_the_word_that_it_is_ready_and_longer_than_a_stop_takes(unit: dict[str, list[str]]):
    assert unit["Type"] == ["notify"]
    assert int(unit["TimeoutStopSec"][0]) > 8


def test_the_unit_may_write_to_its_own_folder_alone(unit: dict[str, list[str]]):
    assert unit["DynamicUser"] == unit["PrivateTmp"] == unit["ProtectHome"] == unit["NoNewPrivileges"] == ["yes"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["StateDirectory"] == ["catalog"]
    [url] = [value for value in unit["Environment"] if value.startswith("CATALOG_DATABASE_URL=")]
    assert url.startswith("CATALOG_DATABASE_URL=sqlite:////var/lib/catalog/")
    assert unit["CapabilityBoundingSet"] == [""]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="There is no systemd on this machine.")
def test_systemd_understands_the_unit(tmp_path: Path):
    text = (DEPLOY / "catalog.service").read_text(encoding="utf-8")
    (tmp_path / "catalog.service").write_text(text.replace("/opt/catalog/bin/catalog", str(BIN / "catalog")))
    done = said_by("systemd-analyze", "verify", tmp_path / "catalog.service")
    assert (done.returncode, done.stderr) == (0, "")
