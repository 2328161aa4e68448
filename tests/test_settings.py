from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from catalog.api.graphql.limits import Limits
from catalog.app import _group_limits, _http_limits
from catalog.domain.errors import BadRequest
from catalog.ingest.decode import DecodeLimits
from catalog.ingest.group import GroupLimits
from catalog.settings import GraphqlSettings, IngestSettings, Settings
from catalog.sources.http import HttpLimits


def test_without_any_variable_everything_has_its_default():
    settings = Settings.from_environment({"HOME": "/root", "PATH": "/bin"})
    assert settings == Settings()
    assert (settings.host, settings.port, settings.database.url) == ("127.0.0.1", 8180, "sqlite:///catalog.db")


def test_a_variable_is_the_path_of_its_setting_in_capitals():
    settings = Settings.from_environment({
        "CATALOG_PORT": "0",
        "CATALOG_DATABASE_URL": "postgresql://somebody@somewhere/catalog",
        "CATALOG_INGEST_ANSWER_SECONDS": "2.5",
        "CATALOG_GRAPHQL_MAX_TOKENS": "7",
        "CATALOG_LINEAGE_MAX_NODES": "8",
    })  # fmt: skip
    assert settings.port == 0
    assert settings.database.url == "postgresql://somebody@somewhere/catalog"
    assert settings.ingest.answer_seconds == 2.5
    assert settings.graphql.max_tokens == 7
    assert settings.lineage.max_nodes == 8


def test_an_empty_variable_is_as_good_as_none():
    assert Settings.from_environment({"CATALOG_PORT": "", "CATALOG_NONSENSE": ""}) == Settings()


def test_all_that_is_wrong_is_said_at_once_by_name():
    environ = {"CATALOG_PORT": "http", "CATALOG_INGEST_MAX_BODY_BYTES": "0", "CATALOG_GRAPHQL_MAX_TOKEN": "5"}
    with pytest.raises(BadRequest) as caught:
        Settings.from_environment(environ)
    assert caught.value.detail.splitlines() == [
        "CATALOG_PORT: 'http' is not a whole number.",
        "CATALOG_INGEST_MAX_BODY_BYTES: '0' is not a whole number from 1 to 9007199254740992.",
        "CATALOG_GRAPHQL_MAX_TOKEN: there is no such setting. Is it CATALOG_GRAPHQL_MAX_TOKENS?",
    ]
    assert caught.value.fix


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "soon", "0"])
def test_a_time_is_a_number_that_can_pass(value: str):
    with pytest.raises(BadRequest, match="CATALOG_INGEST_BODY_SECONDS"):
        Settings.from_environment({"CATALOG_INGEST_BODY_SECONDS": value})


@pytest.mark.parametrize("value", ["-1", "65536", "1.5"])
def test_a_port_is_a_port(value: str):
    with pytest.raises(BadRequest, match="CATALOG_PORT"):
        Settings.from_environment({"CATALOG_PORT": value})


def test_what_is_in_flight_has_room_for_one_body():
    with pytest.raises(BadRequest, match="CATALOG_INGEST_MAX_INFLIGHT_BYTES"):
        Settings.from_environment({"CATALOG_INGEST_MAX_INFLIGHT_BYTES": "1000"})


def test_variables_of_the_test_suite_are_not_settings():
    assert Settings.from_environment({"CATALOG_TEST_POSTGRES": "postgresql://somewhere"}) == Settings()


def test_a_secret_can_come_from_a_file(tmp_path: Path):
    path = tmp_path / "url"
    path.write_text("postgresql://u:hunter2@h/d\n")
    environ = {"CATALOG_DATABASE_URL_FILE": str(path)}
    assert Settings.from_environment(environ).database.url == "postgresql://u:hunter2@h/d"
    with pytest.raises(BadRequest, match="set one of them"):
        Settings.from_environment({**environ, "CATALOG_DATABASE_URL": "sqlite://"})
    with pytest.raises(BadRequest, match="No such file"):
        Settings.from_environment({"CATALOG_DATABASE_URL_FILE": str(tmp_path / "none")})
    with pytest.raises(BadRequest, match="CATALOG_PORT_FILE"):
        Settings.from_environment({"CATALOG_PORT_FILE": str(path)})


def test_every_setting_is_described_and_secrets_are_not_shown():
    settings = Settings.from_environment({"CATALOG_DATABASE_URL": "postgresql://u:hunter2@h/d", "CATALOG_PORT": "81"})
    variables = {variable.name: variable for variable in settings.variables()}
    assert all(variable.says for variable in variables.values())
    assert (variables["CATALOG_PORT"].value, variables["CATALOG_PORT"].default) == ("81", "8180")
    assert variables["CATALOG_DATABASE_URL"].secret
    assert "hunter2" not in str(variables)


def test_every_variable_that_is_listed_can_be_set_to_its_default():
    listed = {variable.name: variable.default for variable in Settings().variables()}
    assert Settings.from_environment(listed) == Settings()
    assert len(listed) > 20


def test_defaults_are_those_of_the_parts_they_are_handed_to():
    ingest = IngestSettings()
    assert asdict(GraphqlSettings()) == asdict(Limits())
    assert _http_limits(ingest) == HttpLimits()
    assert _group_limits(ingest) == GroupLimits()
    assert ingest.max_body_bytes == DecodeLimits().max_bytes
