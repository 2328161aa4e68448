from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update
from starlette.testclient import TestClient

from builders import encode
from catalog.api import metrics
from catalog.app import Service
from catalog.domain.errors import Unavailable
from catalog.ingest.tally import OUTCOMES
from catalog.store import health
from catalog.store.tables import log_entry
from servers import Server

ONE, MANY = "/api/v1/lineage", "/api/v1/lineage/batch"
EVENTS = "catalog_ingest_events_total"
DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "monitor.md"


def event(name: str) -> bytes:
    return encode({"eventTime": "2026-01-01T00:00:00Z", "job": {"namespace": "secret-shop", "name": name}})


def scraped(text: str) -> dict[str, float]:
    """Every sample: its name, the values of its labels, and its value."""
    return {
        " ".join([sample.name, *(value for _, value in sorted(sample.labels.items()))]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(client: TestClient) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return scraped(answer.text)


def outcomes(seen: dict[str, float]) -> dict[str, float]:
    return {outcome: count for outcome in OUTCOMES if (count := seen[f"{EVENTS} {outcome} http"])}


def test_a_server_nobody_has_used_says_zero_rather_than_nothing(client: TestClient):
    seen = of(client)
    assert outcomes(seen) == {}
    assert seen["catalog_ingest_received_total http"] == 0
    assert (seen["catalog_log_index"], seen["catalog_db_up"], seen["catalog_processes"]) == (0, 1, 1)
    assert seen["catalog_graph_failed_events"] == 0
    assert seen["catalog_authz_denied_total 401"] == 0
    assert seen["process_resident_memory_bytes"] > 10_000_000


def test_how_every_event_ended_is_counted_once(client: TestClient):
    client.post(ONE, content=event("a"))
    client.post(ONE, content=event("a"))
    client.post(ONE, content=b"{")
    client.post(MANY, content=b"[%s, %s, 7]" % (event("a"), event("b")))
    client.post(MANY, content=b'"no batch"')
    client.post(ONE, content=b"x" * 30_000)
    client.post(ONE, content=b"no gzip", headers={"content-encoding": "gzip"})
    client.post(ONE, content=event("c"), headers={"content-encoding": "br"})
    seen = of(client)
    assert outcomes(seen) == {"accepted": 2, "duplicate": 2, "quarantined": 5, "refused": 1}
    assert seen["catalog_ingest_received_total http"] == 10
    assert seen["catalog_ingest_request_duration_seconds_count"] == 8
    assert seen["catalog_log_index"] == 2
    kept = {name.rpartition(" ")[2]: count for name, count in seen.items() if name.startswith("catalog_quarantine")}
    assert kept == {"parse": 2, "shape": 1, "limit": 1, "encoding": 1}


def test_what_arrived_is_the_sum_of_how_it_ended_also_when_the_database_is_away(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
):
    def away(_: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(service.group, "_accept", away)
    assert client.post(ONE, content=event("a")).status_code == 503
    assert client.post(MANY, content=b"[%s, 7, %s]" % (event("a"), event("b"))).status_code == 503
    seen = of(client)
    assert outcomes(seen) == {"refused": 4}
    assert seen["catalog_ingest_received_total http"] == 4


def test_bytes_and_events_in_flight_are_none_when_all_is_answered(client: TestClient, service: Service):
    client.post(ONE, content=gzip.compress(event("a")), headers={"content-encoding": "gzip"})
    deadline = time.monotonic() + 5
    while service.group.waiting[0] and time.monotonic() < deadline:
        time.sleep(0.01)
    seen = of(client)
    assert (seen["catalog_ingest_inflight_bytes"], seen["catalog_ingest_waiting_events"]) == (0, 0)


def test_operations_are_told_apart_by_kind_and_by_why_they_were_rejected(client: TestClient):
    wide = f"{{ {' '.join(f'a{number}: __typename' for number in range(30))} }}"
    for query in ("query Chosen { __typename }", "{ nonsense }", "{", wide):
        client.post("/graphql", json={"query": query})
    seen = of(client)
    counted = {name.split()[1]: n for name, n in seen.items() if "graphql_operation_duration_seconds_count" in name}
    assert counted == {"query": 1, "invalid": 3}
    rejected = {name.split()[1]: n for name, n in seen.items() if name.startswith("catalog_graphql_rejected_total")}
    assert rejected == {"invalid": 2, "max_root_fields": 1}


def test_no_label_holds_what_a_client_chose(client: TestClient):
    client.post(ONE, content=event("secret-job"))
    client.get("/secret-path")
    client.request("SECRET", "/livez")
    client.post("/graphql", json={"query": "query SecretName { secretField }"})
    assert "secret" not in client.get("/metrics").text.lower()
    assert of(client)["catalog_http_requests_total other /livez 405"] == 1


def test_who_is_turned_away_is_counted(client: TestClient):
    assert client.get("/nowhere", headers={"authorization": "Bearer nonsense"}).status_code == 401
    assert of(client)["catalog_authz_denied_total 401"] == 1


def test_a_database_that_is_away_is_said_and_its_numbers_are_left_out(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    def away(_: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(metrics, "sizes", away)
    seen = of(client)
    assert seen["catalog_db_up"] == 0
    assert "catalog_log_index" not in seen


def test_events_that_are_in_the_log_and_not_in_the_graph_are_counted_among_the_newest(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
):
    for name in "abc":
        client.post(ONE, content=event(name))
    with service.database.write() as connection:
        connection.execute(update(log_entry).where(log_entry.c.seq < 2).values(failure="x"))
    assert of(client)["catalog_graph_failed_events"] == 2
    monkeypatch.setattr(health, "NEWEST", 2)
    assert of(client)["catalog_graph_failed_events"] == 1


def test_errors_of_the_driver_are_counted_by_code(client: TestClient, service: Service):
    with pytest.raises(Exception, match="nonsense"), service.database.read() as connection:
        connection.exec_driver_sql("SELECT * FROM nonsense")
    codes = [name.split()[1] for name in of(client) if name.startswith("catalog_db_errors_total")]
    assert codes in (["SQLITE_ERROR"], ["42P01"])


@pytest.fixture
def two_processes(database_url: str, tmp_path: Path) -> Iterator[str]:
    program = (
        "import os, sys\nfrom catalog.app import serve\nfrom catalog.settings import Settings\n"
        "if __name__ == '__main__':\n"
        "    serve(Settings.from_environment(os.environ), lambda url: print(url, flush=True), 2)\n"
    )
    path = tmp_path / "two.py"
    path.write_text(program)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CATALOG_")}
    environ |= {"CATALOG_DATABASE_URL": database_url, "CATALOG_PORT": "0"}
    server = subprocess.Popen([sys.executable, str(path)], env=environ, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
    assert server.stdout is not None
    yield server.stdout.readline().strip()
    server.terminate()
    assert server.wait(15) == 0
    server.stdout.close()


def test_several_processes_count_together_whichever_answers(two_processes: str):
    client = object.__new__(Server)
    client.url = two_processes
    for number in range(20):
        assert client.request("POST", ONE, event(f"job {number}"))[0] == 201
    deadline = time.monotonic() + 10
    # On a busy machine the database may be waited for in vain once: that is a 503.
    while (answer := client.request("GET", "/metrics"))[0] != 200 or scraped(answer[1].decode())[
        "catalog_processes"
    ] < 2:
        assert time.monotonic() < deadline
    for _ in range(6):
        seen = scraped(client.request("GET", "/metrics")[1].decode())
        assert (outcomes(seen), seen["catalog_log_index"]) == ({"accepted": 20}, 20)
        assert seen["catalog_ingest_inflight_bytes"] == 0
        assert seen["process_resident_memory_bytes"] > 60_000_000


def test_the_page_about_monitoring_names_every_metric_and_no_other(client: TestClient):
    client.post("/graphql", json={"query": "{"})
    families = text_string_to_metric_families(client.get("/metrics").text)
    served = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    table = re.findall(r"^\| `(\w+)", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(table) == sorted(served)
