from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from catalog.api.graphql.limits import Limits
from catalog.app import _group_limits, _http_limits
from catalog.domain.errors import BadRequest
from catalog.ingest.decode import DecodeLimits
from catalog.ingest.group import GroupLimits
from catalog.settings import GraphqlSettings, IngestSettings, Settings, example, load
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


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///C:/lineage data.db", "sqlite:///C:/lineage data.db"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql:///d?host=/tmp&port=5433", "postgresql:///d?host=/tmp&port=5433"),
        ("postgresql+psycopg://u:hunter2@[::1]:5432/d?x=1", "postgresql+psycopg://u:***@[::1]:5432/d?x=1"),
        ("postgresql://u:@h:5432/d", "postgresql://u:***@h:5432/d"),
        ("postgresql://u:hunter2/hunter2@hunter2:@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:hunter2?x@h/d", "(secret)"),
        ("postgresql://u/u:hunter2@h/d", "(secret)"),
        ("postgresql://u:hunter2", "(secret)"),
        ("postgresql://h/d?%70assword=hunter2", "(secret)"),
        ("postgresql://u:p@h/d?sslmode=require&sslPassword=hunter2", "(secret)"),
        ("hunter2", "(secret)"),
    ],
)
def test_of_the_url_of_a_database_all_is_shown_but_secrets(url: str, shown: str):
    settings = Settings.from_environment({"CATALOG_DATABASE_URL": url})
    [variable] = [one for one in settings.variables() if one.name == "CATALOG_DATABASE_URL"]
    assert variable.value == shown


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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which the program is started in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_environment_counts_before_a_file_and_that_before_the_default(folder: Path):
    (folder / "catalog.toml").write_text('host = "::1"\nport = 81\n[graphql]\nmax_tokens = 7\n[log]\nlevel = "debug"\n')
    loaded = load({"CATALOG_PORT": "82"})
    settings = loaded.settings
    assert (settings.host, settings.port, settings.graphql.max_tokens, settings.log.level) == ("::1", 82, 7, "debug")
    origins = {variable.name: variable.origin for variable in loaded.variables()}
    assert origins["CATALOG_PORT"] == "environment"
    assert origins["CATALOG_HOST"] == origins["CATALOG_LOG_LEVEL"] == "file:catalog.toml"
    assert origins["CATALOG_DATABASE_URL"] == "default"


def test_a_file_is_named_by_the_command_line_or_the_environment_or_lies_in_the_folder(folder: Path):
    for number, name in enumerate(("catalog.toml", "other.toml", "third.toml")):
        (folder / name).write_text(f"port = {number}")
    assert load({}).settings.port == 0
    assert load({"CATALOG_CONFIG": "other.toml"}).settings.port == 1
    assert load({"CATALOG_CONFIG": "other.toml"}, Path("third.toml")).settings.port == 2


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("config", [None, Path("none.toml")])
def test_a_file_that_was_named_has_to_be_there(config: Path | None):
    with pytest.raises(BadRequest, match=r"none\.toml: No such file"):
        load({} if config else {"CATALOG_CONFIG": "none.toml"}, config)


def test_all_that_is_wrong_in_a_file_is_said_with_the_file_and_the_key(folder: Path):
    (folder / "catalog.toml").write_text(
        'port = "81"\nhots = "x"\ndatabase = "sqlite:///x"\n[ingest]\nmax_body_byte = 1\nmax_batch_events = true\n'
        'body_seconds = nan\n[log]\nlevel = "loud"\n[graphql.max_tokens]\nmany = 1\n'
    )
    with pytest.raises(BadRequest) as caught:
        load({"CATALOG_LINEAGE_MAX_NODES": "many"})
    assert sorted(caught.value.detail.splitlines()) == [
        "CATALOG_LINEAGE_MAX_NODES: 'many' is not a whole number.",
        "catalog.toml: database: there is no such setting. Is it database.url?",
        "catalog.toml: graphql.max_tokens.many: there is no such setting. Is it graphql.max_tokens?",
        "catalog.toml: hots: there is no such setting. Is it host?",
        "catalog.toml: ingest.body_seconds: nan is not a number from 0.1 to 9007199254740992.",
        "catalog.toml: ingest.max_batch_events: True is not a whole number.",
        "catalog.toml: ingest.max_body_byte: there is no such setting. Is it ingest.max_body_bytes?",
        "catalog.toml: log.level: 'loud' is none of debug, info, warning, error.",
        "catalog.toml: port: '81' is not a whole number.",
    ]


def test_a_file_that_is_no_toml_says_where(folder: Path):
    (folder / "catalog.toml").write_text("port = \n")
    with pytest.raises(BadRequest, match=r"catalog\.toml: Invalid value \(at line 1"):
        load({})


def test_a_secret_of_a_file_can_lie_beside_it(folder: Path):
    (folder / "etc").mkdir()
    (folder / "etc" / "url").write_text("sqlite:///secret.db\n")
    (folder / "etc" / "catalog.toml").write_text('[database]\nurl_file = "url"\n')
    loaded = load({}, Path("etc/catalog.toml"))
    assert loaded.settings.database.url == "sqlite:///secret.db"
    [shown] = [variable for variable in loaded.variables() if variable.name == "CATALOG_DATABASE_URL"]
    assert (shown.value, shown.origin) == ("sqlite:///secret.db", "file:etc/catalog.toml")


@pytest.mark.parametrize("inside", ["url = 'sqlite:///a'", "url_file = 'none'"])
@pytest.mark.parametrize("outside", ["CATALOG_DATABASE_URL", "CATALOG_DATABASE_URL_FILE"])
def test_either_way_to_say_a_secret_in_the_environment_overrides_either_in_the_file(
    folder: Path, inside: str, outside: str
):
    (folder / "catalog.toml").write_text(f"[database]\n{inside}\n")
    (folder / "b").write_text("b")
    assert load({outside: "b"}).settings.database.url == "b"


def test_both_ways_to_say_a_secret_in_one_file_are_refused(folder: Path):
    (folder / "catalog.toml").write_text("[database]\nurl = 'a'\nurl_file = 'b'\n")
    with pytest.raises(BadRequest, match="set one of them"):
        load({})


@pytest.mark.parametrize(("said", "is_unsafe"), [("true", True), ("1", True), ("False", False), ("0", False)])
def test_a_truth_is_true_or_false(said: str, is_unsafe: bool):
    assert Settings.from_environment({"CATALOG_DATABASE_UNSAFE": said}).database.unsafe == is_unsafe
    with pytest.raises(BadRequest, match="'perhaps' is not true or false"):
        Settings.from_environment({"CATALOG_DATABASE_UNSAFE": "perhaps"})


def test_the_example_is_a_file_with_every_setting_at_its_default(folder: Path):
    assert load({}, _written(folder, example())).settings == Settings()
    on = re.sub(r"^#(\w+ = )", r"\1", example(), flags=re.MULTILINE)
    loaded = load({}, _written(folder, on))
    assert loaded.settings == Settings()
    assert len(loaded.origins) == len(list(loaded.variables()))


def _written(folder: Path, text: str) -> Path:
    (folder / "example.toml").write_text(text)
    return folder / "example.toml"
