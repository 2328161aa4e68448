"""What Kafka delivers is taken once: whoever is killed, fenced, moved or away meanwhile.

The oracle is the set of messages that were produced.
"""

from __future__ import annotations

import logging
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException
from sqlalchemy import select

from builders import declared_dataset, facet
from catalog.domain.errors import BadRequest, Unavailable
from catalog.ingest.accept import Ingest
from catalog.ingest.decode import DecodeLimits
from catalog.sources import kafka, kafka_member
from catalog.sources.kafka import KafkaSource, Start, Subscription
from catalog.sources.kafka_member import Member
from catalog.store import log, offsets
from catalog.store.engine import Database
from catalog.store.offsets import Fenced, Partition
from catalog.store.tables import log_entry, quarantine
from mock_broker import PARTITIONS, TOPIC, Broker

# The broker lets a new group wait for three seconds, and forgets members whose session is shorter.
QUICK = {"session.timeout.ms": "4000", "heartbeat.interval.ms": "500"}


@pytest.fixture(scope="module")
def broker() -> Broker:
    return Broker()


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic of this test alone."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[-100:]


@pytest.fixture
def wanted(broker: Broker, topic: str) -> Subscription:
    broker.send([], topic)
    return Subscription(broker.bootstrap, (topic,), topic, until_end=True, config=QUICK)


def events(count: int, word: str = "t") -> list[bytes]:
    return [declared_dataset(f"{word}{number}", number) for number in range(count)]


def consume(database: Database, wanted: Subscription, **limits: int) -> list[tuple[kafka.KafkaRecord, Any]]:
    """Until the end; the answer is what was told of each message."""
    told: list[tuple[kafka.KafkaRecord, Any]] = []
    ingest = Ingest(database, DecodeLimits(**limits))
    KafkaSource(ingest, wanted, lambda records, outcomes: told.extend(zip(records, outcomes, strict=True))).run()
    return told


def bodies(database: Database) -> Counter[bytes]:
    with database.read() as connection:
        return Counter(raw for _, raw, _ in log.replay(connection, 0, 100_000))


def kept(database: Database) -> int:
    """Events and refusals."""
    with database.read() as connection:
        refused = connection.execute(select(quarantine.c.id)).all()
    return bodies(database).total() + len(refused)


def taken(database: Database, broker: Broker, wanted: Subscription) -> dict[int, int]:
    with database.read() as connection:
        found = offsets.stored(connection, broker.cluster, wanted.group, wanted.topics)
    return {one.number: offset for one, offset in found.items()}


@contextmanager
def started(source: KafkaSource) -> Iterator[threading.Thread]:
    """A consumer beside this thread."""
    thread = threading.Thread(target=source.run)
    thread.start()
    yield thread
    source.stop()
    thread.join(30)
    assert not thread.is_alive()


def eventually(there: Callable[[], bool], seconds: float = 40) -> None:
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_every_message_is_taken_once_and_kept_to_the_byte(
    database: Database, broker: Broker, wanted: Subscription, topic: str
) -> None:
    sent = [b" \n" + raw + b"\n" for raw in events(50)]
    broker.send(sent, topic)
    told = consume(database, wanted)
    assert bodies(database) == Counter(sent)
    assert sorted(record.place for record, _ in told) == sorted(f"{topic}/{i % 4}@{i // 4}" for i in range(50))
    with database.read() as connection:
        said = connection.execute(select(log_entry.c.source, log_entry.c.principal).distinct()).all()
    assert [tuple(row) for row in said] == [("kafka", f"kafka:{topic}")]


def test_poison_goes_to_quarantine_and_its_partition_goes_on(
    database: Database, broker: Broker, wanted: Subscription, topic: str
) -> None:
    good, large = events(6), declared_dataset("x" * 5_000, 1)
    broker.send([good[0], b"no event", good[1], None, good[2], large, good[3], b"", *good[4:]], topic, partition=2)
    told = consume(database, wanted, max_bytes=4_000)
    assert bodies(database) == Counter(good)
    assert taken(database, broker, wanted) == {0: 0, 1: 0, 2: 10, 3: 0}
    with database.read() as connection:
        rows = connection.execute(select(quarantine.c.code, quarantine.c.size, quarantine.c.source)).all()
    assert sorted(tuple(row) for row in rows) == [
        ("limit", len(large), "kafka"),
        ("parse", 0, "kafka"),
        ("parse", 8, "kafka"),
    ]
    assert [record.position for record, outcome in told if hasattr(outcome, "reason")] == [1, 3, 5, 7]


def test_a_group_does_not_read_again_and_another_one_finds_only_duplicates(
    database: Database, broker: Broker, wanted: Subscription, topic: str
) -> None:
    broker.send(events(20), topic)
    assert len(consume(database, wanted)) == 20
    assert consume(database, wanted) == []
    again = consume(database, replace(wanted, group=f"{topic}-2"))
    assert [outcome.duplicate for _, outcome in again] == [True] * 20
    assert bodies(database) == Counter(events(20))


def test_a_group_whose_other_members_take_partitions_all_at_once_works_too(
    database: Database, broker: Broker, wanted: Subscription, topic: str
) -> None:
    broker.send(events(20), topic)
    consume(database, replace(wanted, config={**QUICK, "partition.assignment.strategy": "range"}))
    assert bodies(database) == Counter(events(20))


def test_from_latest_begins_where_it_was_first_asked_also_when_nothing_came_since(
    database: Database, broker: Broker, wanted: Subscription, topic: str
) -> None:
    latest = replace(wanted, start=Start.LATEST)
    broker.send(events(8, "old"), topic)
    assert consume(database, latest) == []
    broker.send(events(8, "new"), topic)
    consume(database, latest)
    assert bodies(database) == Counter(events(8, "new"))


def test_a_topic_that_is_shorter_than_it_was_is_read_anew_and_said_so(
    database: Database, broker: Broker, wanted: Subscription, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker.send(events(8), topic)
    with database.write() as connection:
        offsets.begin(connection, {Partition(broker.cluster, wanted.group, topic, 1): 5_000})
    consume(database, wanted)
    assert bodies(database) == Counter(events(8))
    assert f"{topic}/1: message 5000 was next and there is none" in caplog.text


def test_messages_that_the_broker_deleted_too_early_are_counted_and_the_rest_is_taken(
    database: Database, broker: Broker, wanted: Subscription, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    consume(database, wanted)
    sent = [declared_dataset(str(n), n, documentation=facet(description="x" * 900_000)) for n in range(8)]
    broker.send(sent, topic, partition=3)  # more than it keeps of a partition
    consume(database, wanted)
    (said,) = re.findall(rf"{topic}/3: the broker deleted (\d+) messages before they were taken", caplog.text)
    assert int(said) > 0
    assert bodies(database) == Counter(sent[int(said) :])


def test_a_zombie_changes_nothing_and_what_it_held_is_taken_by_the_owner(
    database: Database, broker: Broker, wanted: Subscription, topic: str
) -> None:
    broker.send([*events(8), b"poison"], topic, partition=0)
    with Member(Ingest(database), wanted) as zombie:
        zombie.begin()
        zombie.join()
        batch: list[Any] = []
        while not batch:
            batch = zombie.gather()
        with database.write() as connection:  # as the next owner does, while the zombie hears nothing
            offsets.claim(connection, [Partition(broker.cluster, wanted.group, topic, 0)])
        with pytest.raises(Fenced):
            zombie.take(batch)
        assert taken(database, broker, wanted)[0] == 0
        with database.read() as connection:
            assert connection.execute(select(quarantine.c.id)).all() == []
    consume(database, wanted)
    assert bodies(database) == Counter(events(8))


def test_a_consumer_that_was_fenced_joins_again_and_loses_nothing(
    database: Database, broker: Broker, wanted: Subscription, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, fences = Member.take, [2]

    def fenced_twice(member: Member, batch: Any) -> Any:
        if fences[0]:
            fences[0] -= 1
            with database.write() as connection:
                offsets.claim(connection, [Partition(broker.cluster, wanted.group, topic, n) for n in range(4)])
        return take(member, batch)

    monkeypatch.setattr(Member, "take", fenced_twice)
    broker.send(events(20), topic)
    consume(database, wanted)
    assert fences == [0]
    assert bodies(database) == Counter(events(20))


def test_two_consumers_share_what_comes_while_they_come_and_go(
    database: Database, broker: Broker, wanted: Subscription, topic: str
) -> None:
    endless = replace(wanted, until_end=False)
    sent = events(240)
    counts: list[Counter[str]] = [Counter(), Counter()]

    def source(count: Counter[str]) -> KafkaSource:
        return KafkaSource(Ingest(database), endless, lambda records, _: count.update(r.path for r in records))

    with started(source(counts[0])):
        broker.send(sent[:40], topic)
        eventually(lambda: counts[0].total() == 40)
        with started(source(counts[1])):
            at = 40
            while not counts[1] and at < 200:
                broker.send(sent[at : at + 4], topic)
                at += 4
                time.sleep(0.2)
            broker.send(sent[at:200], topic)
            eventually(lambda: len(bodies(database)) == 200)
        broker.send(sent[200:], topic)
        eventually(lambda: len(bodies(database)) == 240)
    assert bodies(database) == Counter(sent)
    assert counts[1].total() > 0
    assert counts[0].total() + counts[1].total() == 240  # no message was taken by both


def test_a_database_that_is_away_is_waited_for_and_nothing_is_lost(
    database: Database, broker: Broker, wanted: Subscription, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "_PATIENCE_SECONDS", 1.0)
    broker.send(events(8, "before"), topic)
    other = Database(database.url.render_as_string(hide_password=False))
    source = KafkaSource(Ingest(database), replace(wanted, until_end=False))
    with started(source):
        eventually(lambda: len(bodies(database)) == 8)
        with other.write() as connection:  # longer than the engine waits for a lock, and than we try in place
            log.lock(connection)
            broker.send(events(8, "while"), topic)
            time.sleep(9)
        eventually(lambda: len(bodies(database)) == 16)
    other.close()
    assert bodies(database) == Counter(events(8, "before") + events(8, "while"))


def test_a_partition_that_cannot_be_claimed_is_claimed_later(
    database: Database, broker: Broker, wanted: Subscription, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, refusals = offsets.claim, [2]

    def unwilling(connection: Any, partitions: Any) -> Any:
        if refusals[0]:
            refusals[0] -= 1
            raise Unavailable
        return claim(connection, partitions)

    monkeypatch.setattr(offsets, "claim", unwilling)
    broker.send(events(8), topic)
    consume(database, wanted)
    assert refusals == [0]
    assert bodies(database) == Counter(events(8))


def test_a_client_that_cannot_take_what_it_was_assigned_joins_again(
    database: Database, broker: Broker, wanted: Subscription, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [1]

    class Unwilling(Consumer):
        def incremental_assign(self, partitions: Any) -> None:
            if refusals[0]:
                refusals[0] -= 1
                raise KafkaException(KafkaError(KafkaError._STATE))
            super().incremental_assign(partitions)

    monkeypatch.setattr(kafka_member, "Consumer", Unwilling)
    broker.send(events(8), topic)
    consume(database, wanted)
    assert refusals == [0]
    assert bodies(database) == Counter(events(8))


KILLED = """
import os, signal, sys
from catalog.ingest.accept import Ingest
from catalog.sources import kafka, kafka_member
from catalog.store import offsets
from catalog.store.engine import Database

url, bootstrap, topic, where, batches = sys.argv[1:]
kafka_member._BATCH_MESSAGES = 5
advance, left = offsets.advance, int(batches)

def count(*_):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

def advance_and_die(connection, places):
    advance(connection, places)
    count()

if where == "inside":
    offsets.advance = advance_and_die
quick = {"session.timeout.ms": "4000", "heartbeat.interval.ms": "500"}
wanted = kafka.Subscription(bootstrap, (topic,), topic, until_end=True, config=quick)
kafka.KafkaSource(Ingest(Database(url)), wanted, count if where == "after" else None).run()
"""


def test_every_message_is_taken_once_though_the_consumer_is_killed_again_and_again(
    database: Database, broker: Broker, wanted: Subscription, topic: str
) -> None:
    sent = [*events(30), b"poison", *events(30, "u")]
    broker.send(sent, topic)
    url = database.url.render_as_string(hide_password=False)
    seen = []
    for where, batches in (("inside", "0"), ("after", "1"), ("inside", "3"), ("after", "0")):
        command = [sys.executable, "-c", KILLED, url, broker.bootstrap, topic, where, batches]
        killed = subprocess.run(command, cwd=Path(kafka.__file__).parents[2], timeout=60, check=False)  # noqa: S603 - our own program
        assert killed.returncode == -signal.SIGKILL
        seen.append(sum(taken(database, broker, wanted).values()))
        assert seen[-1] == kept(database)
    assert seen == [0, 10, 25, 30]  # what was inside is undone, what was after stays
    consume(database, wanted)
    assert bodies(database) == Counter(one for one in sent if one != b"poison")
    assert sum(taken(database, broker, wanted).values()) == len(sent)


def test_no_broker_and_no_topic_are_said_at_once(
    database: Database, wanted: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_member, "_ASK_SECONDS", 1.0)
    with pytest.raises(Unavailable, match=r"No answer from Kafka at 127\.0\.0\.1:1:"):
        consume(database, replace(wanted, bootstrap="127.0.0.1:1"))
    with pytest.raises(BadRequest, match=r"There is no topic nowhere\."):
        consume(database, replace(wanted, topics=("nowhere",)))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"group.id": "x"}, "--group"),
        ({"bootstrap.servers": "x"}, "--bootstrap"),
        ({"enable.auto.commit": "true"}, "enable.auto.commit"),
        ({"sasl.pasword": "hunter2"}, "sasl.pasword"),
        ({"security.protocol": "hunter"}, "security.protocol"),
        ({"stats_cb": "hunter2"}, "Kafka's client"),
        ({"sasl.oauthbearer.config": "hunter2", "session.timeout.ms": "x", "ssl.key.password": "x"}, "session.timeout"),
    ],
)
def test_a_setting_that_cannot_be_is_named_without_its_secrets(config: dict[str, str], said: str) -> None:
    wanted = Subscription("127.0.0.1:1", (TOPIC,), config=config)
    with pytest.raises(BadRequest) as refused:
        Member(Ingest(Database("sqlite://")), wanted)
    assert said in refused.value.detail + refused.value.fix
    assert "hunter2" not in repr(refused.value) + repr(wanted)


def test_progress_is_told_now_and_then(
    database: Database, broker: Broker, wanted: Subscription, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(kafka, "_TELL_SECONDS", 0.0)
    caplog.set_level(logging.INFO, "catalog.kafka")
    broker.send(events(12), wanted.topics[0])
    with started(KafkaSource(Ingest(database), replace(wanted, until_end=False))):
        eventually(lambda: sum(map(int, re.findall(r"(\d+) messages, \d+ a second, 0 waiting", caplog.text))) == 12)
    assert len(taken(database, broker, wanted)) == PARTITIONS
