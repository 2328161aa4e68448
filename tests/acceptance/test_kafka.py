"""The same story by HTTP, by Kafka and by both at once, sent by the real client, is the same graph."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType

import pytest

from catalog.ingest.accept import Ingest, Received
from catalog.sources.kafka import KafkaSource, Subscription
from catalog.store import log, maintenance
from catalog.store.engine import Database
from mock_broker import Broker

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "tests" / "events"
CLIENT = ROOT / "integrations" / "openlineage_python"
TOPIC = "openlineage"


def recorded(name: str) -> list[bytes]:
    return (EVENTS / f"openlineage_python_{name}.ndjson").read_bytes().splitlines()


def send(*options: str) -> None:
    subprocess.run([sys.executable, "send_story.py", *options], cwd=CLIENT, check=True, capture_output=True)  # noqa: S603 - our own program


def consumed(database: Database, broker: Broker) -> list[bytes]:
    """Everything in the topic into the database, and what the log has then."""
    KafkaSource(Ingest(database), Subscription(broker.bootstrap, (TOPIC,), until_end=True)).run()
    with database.read() as connection:
        return [raw for _, raw, _ in log.replay(connection, 0, 1_000)]


def dump(database: Database) -> list[tuple[object, ...]]:
    with database.read() as connection:
        return list(maintenance.canonical_dump(connection))


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    made.send([], TOPIC)
    return made


@pytest.fixture(scope="module")
def recorder() -> ModuleType:
    """`integrations/recorder.py`, which is in no package."""
    spec = importlib.util.spec_from_file_location("recorder", ROOT / "integrations" / "recorder.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_kafka_delivers_is_the_graph_that_http_delivered(
    new_database: Callable[[], AbstractContextManager[Database]], broker: Broker
) -> None:
    send("--transport", "kafka", "--bootstrap", broker.bootstrap)
    with new_database() as by_http, new_database() as by_kafka:
        Ingest(by_http).accept([Received(raw, "http") for raw in recorded("http")])
        assert sorted(consumed(by_kafka, broker)) == sorted(recorded("http"))
        assert dump(by_kafka) == dump(by_http) != []


def test_a_composite_transport_may_send_to_both_and_nothing_counts_twice(
    database: Database, broker: Broker, recorder: ModuleType, tmp_path: Path
) -> None:
    with recorder.recording(tmp_path / "posted") as posted:
        send("--transport", "composite", "--bootstrap", broker.bootstrap, "--url", posted.url)
    by_http = (tmp_path / "posted").read_bytes().splitlines()
    Ingest(database).accept([Received(raw, "http") for raw in by_http])
    before = dump(database)
    assert consumed(database, broker) == by_http == recorded("composite")
    assert dump(database) == before


def test_the_recorded_keys_keep_the_runs_of_a_night_together() -> None:
    keys = (EVENTS / "openlineage_python_kafka.keys").read_text().splitlines()
    assert len(keys) == len(recorded("kafka"))
    assert set(keys) == {
        "run:shop/nightly",
        "run:shop/sessions",
        "job:shop/weekly_report",
        "dataset:postgres://db.shop.example:5432/shop.public.customers_masked",
        "dataset:s3://shop-lake/landing/orders/2026-11-20.csv",
    }
    assert {
        key for key, raw in zip(keys, recorded("kafka"), strict=True) if b'"name": "nightly' in raw and b'"run"' in raw
    } == {"run:shop/nightly"}
