"""`catalog connect`: what it prints is what the producers are run with, and it sees the first event arrive."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from builders import encode
from catalog.cli.producers import Producer, lines, settings
from servers import Server

URL = "http://127.0.0.1:8180"
INTEGRATIONS = Path(__file__).parents[2] / "integrations"


def script(name: str) -> ModuleType:
    """The program that runs a producer; it imports nothing but the standard library."""
    spec = importlib.util.spec_from_file_location(f"integrations_{name}", INTEGRATIONS / name / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def catalog(sqlite_url: str) -> Iterator[Server]:
    with Server(sqlite_url) as started:
        yield started


@pytest.mark.parametrize("name", ["airflow", "dbt", "spark"])
def test_the_producers_that_were_recorded_ran_with_the_settings_that_are_printed(name: str, run: Any) -> None:
    printed = run("connect", name, "--url", URL, "--namespace", f"{name}-shop", "--json").json

    assert printed == {"producer": name, "settings": script(name).settings(URL)}


@pytest.mark.parametrize("producer", Producer)
def test_every_setting_stands_in_the_lines_to_paste(producer: Producer, run: Any) -> None:
    out = run("connect", producer.value, "--url", URL, "--key", "cat_k", "--namespace", "n").out

    def leaves(value: Any) -> Iterator[str]:
        yield from (leaf for below in value.values() for leaf in leaves(below)) if isinstance(value, dict) else (value,)

    for leaf in leaves(settings(producer, URL, "n", "cat_k")):
        assert leaf in out


@pytest.mark.parametrize("producer", [Producer.AIRFLOW, Producer.DBT])
def test_the_lines_are_shell_whatever_is_in_a_name(producer: Producer) -> None:
    odd = 'it\'s "$HOME" & `id`'
    exports = [line for line in lines(producer, URL, odd, odd).splitlines() if line.startswith("export ")]

    read = dict(shlex.split(line)[1].split("=", 1) for line in exports)

    assert read == settings(producer, URL, odd, odd)


@pytest.mark.parametrize("producer", [Producer.SPARK, Producer.FLINK])
def test_the_options_of_a_submission_are_shell_whatever_is_in_a_name(producer: Producer) -> None:
    odd = 'it\'s "$HOME" & `id`'

    words = shlex.split(lines(producer, URL, odd, odd), comments=True)

    assert dict(word.split("=", 1) for word in words if "=" in word) == settings(producer, URL, odd, odd)


def test_without_a_key_it_says_how_one_is_made(run: Any) -> None:
    ran = run("connect", "spark")

    assert "auth" not in ran.out
    assert "catalog keys create --role ingestor" in ran.err


@pytest.mark.parametrize("url", ["localhost:8180", "ftp://host", "http://host\n"])
def test_what_is_no_url_of_a_server_is_refused(url: str, run: Any) -> None:
    assert "is no URL of a server" in run("connect", "dbt", "--url", url, code=1).err


def pasted(command: list[str], folder: Path) -> tuple[subprocess.CompletedProcess[str], int, str]:
    """Paste what a command prints that waits meanwhile: how that went, and the command's exit code and talk."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("OPENLINEAGE", "CATALOG"))}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "catalog", *command, "--wait", "--timeout", "30"],
        env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as waiting:  # fmt: skip
        assert waiting.stdout is not None
        last = "client.close()\n"
        lines_ = [*iter(waiting.stdout.readline, last), last, "END\n"]
        bash = ["bash", "-c", "".join(lines_)]
        done = subprocess.run(bash, cwd=folder, env=environ, capture_output=True, text=True, check=False)  # noqa: S603 - as above
        _, told = waiting.communicate(timeout=40)
    return done, waiting.returncode, told


def test_what_is_printed_for_python_connects_when_it_is_pasted(catalog: Server, tmp_path: Path) -> None:
    command = ["connect", "python", "--url", catalog.url, "--namespace", 'it\'s "mine"']

    done, code, told = pasted(command, tmp_path)

    assert (done.returncode, code) == (0, 0), (done.stderr, told)
    assert 'of hello in it\'s "mine".' in told.rpartition("Connected: ")[2]


def test_it_connects_to_a_server_with_keys_by_an_ingestors_and_sees_it_by_a_readers(
    catalog: Server, sqlite_url: str, tmp_path: Path, run: Any
) -> None:
    def key(*role: str) -> str:
        return str(run("keys", "create", "--database", sqlite_url, "--role", *role).out.strip())

    keys = ["--key", key("ingestor", "--namespace", "python"), "--api-key", key("reader")]

    done, code, told = pasted(["connect", "python", "--url", catalog.url, *keys], tmp_path)

    assert (done.returncode, code) == (0, 0), (done.stderr, told)
    assert "of hello in python." in told


END: dict[str, Any] = {"hasNextPage": False, "endCursor": None}


def jobs(*states: str) -> dict[str, Any]:
    """What the server says of jobs by the states of their latest runs."""
    nodes = [
        {"__typename": "Job", "id": name, "namespace": "dbt", "name": name, "latestRun": {"id": "1", "state": state}}
        for name, state in zip(("etl", "elt"), states, strict=False)
    ]
    return {"data": {"jobs": {"nodes": nodes, "pageInfo": END}, "datasets": {"nodes": [], "pageInfo": END}}}


def test_what_was_there_before_is_not_taken_for_an_arrival(run: Any, server: Any) -> None:
    server.says(200, jobs("COMPLETE"))

    ran = run("connect", "dbt", "--url", server.url, "--wait", "--timeout", "0", code=1)

    assert "No event of a job or dataset in dbt came within 0 s." in ran.err


@pytest.mark.parametrize("arrived", [("COMPLETE",), ("START", "COMPLETE")])
def test_a_new_run_or_a_new_state_of_one_is_an_arrival(arrived: tuple[str, ...], run: Any, server: Any) -> None:
    server.says(200, jobs("START")).says(200, jobs(*arrived))

    said = run("connect", "dbt", "--url", server.url, "--wait").err

    assert f"Connected: COMPLETE of {'etl' if len(arrived) == 1 else 'elt'} in dbt." in said


def test_a_server_that_says_there_is_more_is_asked_for_it(run: Any, server: Any) -> None:
    first, last = jobs("START"), jobs("START", "COMPLETE")
    first["data"]["jobs"]["pageInfo"] = {"hasNextPage": True, "endCursor": "one"}
    first["data"]["datasets"]["pageInfo"] = {"hasNextPage": False, "endCursor": "all"}
    server.says(200, jobs("START")).says(200, first).says(200, last)

    assert "COMPLETE of elt in dbt." in run("connect", "dbt", "--url", server.url, "--wait").err
    asked = [json.loads(body)["variables"] for _, _, body in server.requests]
    assert asked[2] == {"namespace": "dbt", "jobs": "one", "datasets": "all"}


def event(hour: int, **of: Any) -> bytes:
    return encode({"eventTime": f"2026-03-02T{hour:02}:00:00Z", "producer": "https://example.com", **of})


def named(name: str, namespace: str = "dbt", **facets: Any) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, "facets": facets}


RUN = {"runId": "019cace3-7c00-7000-8000-000000000001"}
DOCUMENTED = {"documentation": {"_producer": "https://example.com", "_schemaURL": "https://x", "description": "d"}}


@pytest.mark.parametrize(
    ("arriving", "said"),
    [
        (event(9, eventType="START", run=RUN, job=named("new")), "START of new in dbt"),
        (event(9, job=named("new")), "job new in dbt"),
        (event(9, job=named("known 210", **DOCUMENTED)), "job known 210 in dbt"),
        (event(9, job=named("known 210"), outputs=[named("d", "elsewhere")]), "job known 210 in dbt"),
        (event(7, eventType="COMPLETE", run=RUN, job=named("known 210")), "job known 210 in dbt"),
        (event(9, dataset=named("new")), "dataset new in dbt"),
        (event(9, dataset=named("known", **DOCUMENTED)), "dataset known in dbt"),
        (event(9, eventType="START", run=RUN, job=named("new", "elsewhere")), None),
    ],
    ids=["run", "job", "job's facet", "job's output", "earlier run", "dataset", "dataset's facet", "other namespace"],
)
def test_every_first_event_of_the_namespace_is_an_arrival_whatever_the_others_have_sent(
    catalog: Server, run: Any, monkeypatch: pytest.MonkeyPatch, arriving: bytes, said: str | None
) -> None:
    later = [
        event(8, eventType="COMPLETE", run={"runId": str(uuid.UUID(int=n))}, job=named(f"known {n:03}", space))
        for n in range(1, 221)
        for space in ("dbt", "later")
    ]
    many = b"[%s]" % b",".join([*later, event(8, dataset=named("known"))])
    assert catalog.request("POST", "/api/v1/lineage/batch", many)[1]["summary"]["failed"] == 0
    monkeypatch.setattr(
        "catalog.cli.connect.time.sleep", lambda _: catalog.request("POST", "/api/v1/lineage", arriving)
    )
    waiting = ("connect", "dbt", "--url", catalog.url, "--wait", "--timeout", "30" if said else "0.1")

    told = run(*waiting, code=0 if said else 1).err

    assert (f"Connected: {said}." if said else "No event of a job or dataset in dbt came") in told


@pytest.mark.parametrize("producer", [Producer.SPARK, Producer.FLINK])
def test_a_key_among_arguments_comes_with_a_warning(producer: Producer) -> None:
    assert "can read the key" in lines(producer, URL, "n", "cat_k")
    assert "can read the key" not in lines(producer, URL, "n")


def test_waiting_asks_with_the_readers_key_and_prints_the_ingestors(run: Any, server: Any) -> None:
    server.says(200, jobs()).says(200, jobs("START"))

    ran = run("connect", "dbt", "--url", server.url, "--key", "cat_send", "--api-key", "cat_ask", "--wait")

    assert "cat_send" in ran.out
    assert {headers["Authorization"] for _, headers, _ in server.requests} == {"Bearer cat_ask"}


def test_a_key_that_may_not_ask_is_told_so_before_anything_is_waited_for(run: Any, server: Any) -> None:
    server.says(200, {"data": None, "errors": [{"message": "etl has the role ingestor."}]})

    ran = run("connect", "dbt", "--url", server.url, "--key", "cat_send", "--wait", code=1)

    assert "has the role ingestor" in ran.err
    assert "--api-key" in ran.err


def test_the_settings_are_data_too(run: Any) -> None:
    printed = json.loads(run("connect", "python", "--url", URL, "--key", "cat_k", "--json").out)

    auth = {"type": "api_key", "apiKey": "cat_k"}
    assert printed == {"producer": "python", "settings": {"transport": {"type": "http", "url": URL, "auth": auth}}}
