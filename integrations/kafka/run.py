"""Read a real Apache Kafka with two consumers while things are killed, and count what arrived.

    python integrations/kafka/run.py                    about two minutes
    python integrations/kafka/run.py --events 50000 --keep /tmp/kafka

Needs Java 17, Maven, and a Python that has the catalog with its `kafka` extra: this one. Kafka comes from Maven
Central by `pom.xml`. Nothing is installed; everything is below one directory, which is removed at the end.
"""

import argparse
import contextlib
import hashlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

HERE = Path(__file__).parent
TOPIC = "openlineage"
PARTITIONS = 6
POISON = (b"no event", b'{"eventTime": "soon"}', None)
EVERY = 250
"""After so many events comes one that is none."""


class Broker:
    """One Kafka, broker and controller in one process, with its data in a directory."""

    def __init__(self, directory: Path, jars: Path) -> None:
        """Format the directory; nothing runs yet."""
        self._directory = directory
        self._java = ["java", "-Xmx512m", "-cp", f"{jars}/*"]
        self._port, controller = _free_port(), _free_port()
        self.bootstrap = f"127.0.0.1:{self._port}"
        self._settings = directory / "server.properties"
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "listeners": f"PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
            "log.dirs": directory / "data",
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 500,
        }
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")
        words = ["format", "--standalone", "--cluster-id", "bGluZWFnZS1jYXRhbG9nLQ", "--config", str(self._settings)]
        subprocess.run([*self._java, "kafka.tools.StorageTool", *words], check=True)  # noqa: S603 - our own words
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it, and wait until it listens."""
        with (self._directory / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - as above
                [*self._java, "kafka.Kafka", str(self._settings)], stdout=log, stderr=log, start_new_session=True
            )
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        wait_for(lambda: _answers(admin), "the broker")

    def stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        """End it, gently or not."""
        if self._process is not None:
            self._process.send_signal(by)
            self._process.wait(60)
            self._process = None


class Consumers:
    """Processes of `catalog consume kafka` with one database."""

    def __init__(self, directory: Path, bootstrap: str) -> None:
        """Begin the database; no consumer runs yet."""
        self.database = directory / "catalog.db"
        self._log = directory / "consumers.log"
        upgrade = [sys.executable, "-m", "catalog", "db", "upgrade", "--database", f"sqlite:///{self.database}"]
        subprocess.run(upgrade, check=True)  # noqa: S603 - our own command
        self._command = [sys.executable, "-m", "catalog", "consume", "kafka", "--bootstrap", bootstrap]
        self._command += ["--topic", TOPIC, "--database", f"sqlite:///{self.database}"]
        self._command += ["--config", "session.timeout.ms=6000", "--config", "heartbeat.interval.ms=1000"]

    def start(self) -> subprocess.Popen[bytes]:
        """One more."""
        with self._log.open("ab") as log:
            return subprocess.Popen(self._command, stdout=log, stderr=log)  # noqa: S603 - our own command

    def digests(self) -> list[bytes]:
        """What is in the log, an entry each."""
        return self._column("SELECT digest FROM log_entry")

    def refused(self) -> list[bytes]:
        """What is in quarantine."""
        return self._column("SELECT digest FROM quarantine")

    def offsets(self) -> int:
        """How many messages the database says were taken."""
        return sum(self._column("SELECT next_offset FROM kafka_offset"))

    def _column(self, query: str) -> list:
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
                return [row[0] for row in connection.execute(query)]
        except sqlite3.OperationalError:  # not there yet
            return []


class Story(threading.Thread):
    """Produces events, and now and then something that is none; knows what the broker has confirmed."""

    def __init__(self, bootstrap: str, count: int, seconds: float) -> None:
        """`count` events, spread over `seconds`."""
        super().__init__(daemon=True)
        # Idempotent: what is sent again over a restart of the broker is one message still.
        self._producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
        self._count, self._pause = count, seconds / count * EVERY
        self.confirmed: list[bytes | None] = []
        self.failed: list[str] = []

    def run(self) -> None:
        """Send everything and wait until it is confirmed."""
        for number in range(self._count):
            self._send(f"run:shop/{number % 40}", event(number))
            if number % EVERY == EVERY - 1:
                self._send("poison", POISON[number // EVERY % len(POISON)])
                self._producer.poll(0)
                time.sleep(self._pause)
        self._producer.flush()

    def _send(self, key: str, value: bytes | None) -> None:
        def told(error: object, _: object) -> None:
            if error:
                self.failed.append(str(error))
            else:
                self.confirmed.append(value)

        self._producer.produce(TOPIC, key=key, value=value, on_delivery=told)


def event(number: int) -> bytes:
    """A run that ends, of one of forty jobs; no two are the same."""
    job, minute = number % 40, number // 2
    content = {
        "eventType": "COMPLETE" if number % 2 else "START",
        "eventTime": f"2026-01-{minute // 1440 % 28 + 1:02}T{minute // 60 % 24:02}:{minute % 60:02}:{number % 60:02}Z",
        "run": {"runId": f"019cace3-7c00-7000-8000-{number // 2:012x}"},
        "job": {"namespace": "shop", "name": f"job_{job}"},
        "inputs": [{"namespace": "warehouse", "name": f"table_{job}"}],
        "outputs": [{"namespace": "warehouse", "name": f"table_{job + 1}"}],
        "producer": "https://example.com/shop",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }
    return json.dumps(content).encode()


def run(directory: Path, count: int) -> bool:
    """The whole story; the answer is whether everything arrived once."""
    jars = directory / "jars"
    if not jars.exists():
        goal = ["mvn", "-B", "-q", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
        subprocess.run([*goal, "-DincludeScope=runtime", f"-DoutputDirectory={jars}"], check=True)  # noqa: S603
    broker = Broker(directory, jars)
    consumers = Consumers(directory, broker.bootstrap)
    running: list[subprocess.Popen[bytes]] = []
    try:
        broker.start()
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result()
        story = Story(broker.bootstrap, count, seconds=60)
        began = time.monotonic()
        story.start()
        running += [consumers.start(), consumers.start()]

        def taken(part: float) -> Callable[[], bool]:
            return lambda: len(consumers.digests()) >= count * part

        wait_for(taken(0.15), "the first events")
        running.pop(0).kill()
        say(began, consumers, "kill -9 of a consumer")
        running.append(consumers.start())
        wait_for(taken(0.35), "events after the kill")
        say(began, consumers, "the broker is restarted")
        broker.stop()
        broker.start()
        wait_for(taken(0.55), "events after the restart")
        say(began, consumers, "kill -9 of the broker")
        broker.stop(signal.SIGKILL)
        broker.start()
        wait_for(taken(0.75), "events after the kill of the broker")
        say(began, consumers, "both consumers are stopped, and started again")
        codes = [stopped(one) for one in running]
        running[:] = [consumers.start(), consumers.start()]
        story.join(300)
        wait_for(lambda: consumers.offsets() == len(story.confirmed), "the end")
        say(began, consumers, "everything is taken")
        codes += [stopped(one) for one in running]
    finally:
        for one in running:
            one.kill()
        broker.stop(signal.SIGKILL)
    return audit(story, consumers, codes)


def audit(story: Story, consumers: Consumers, codes: list[int]) -> bool:
    """Compare what the broker confirmed with what the catalog has, and print it."""
    poison = {hashlib.sha256(value or b"").digest() for value in POISON}
    sent = Counter(hashlib.sha256(value or b"").digest() for value in story.confirmed)
    events = {digest for digest in sent if digest not in poison}
    in_log = Counter(consumers.digests())
    result = {
        "confirmed by the broker": len(story.confirmed),
        "not confirmed": len(story.failed),
        "events": len(events),
        "entries of the log": in_log.total(),
        "lost": len(events - in_log.keys()) + len((poison & sent.keys()) - set(consumers.refused())),
        "doubled": sum(number - 1 for number in in_log.values()),
        "never sent": len(in_log.keys() - events),
        "in quarantine": len(consumers.refused()),
        "exit codes of stopped consumers": codes,
    }
    for name, value in result.items():
        print(f"{name:<32} {value}")
    return not (result["lost"] or result["doubled"] or result["never sent"] or any(codes))


def say(began: float, consumers: Consumers, what: str) -> None:
    """One line about where we are."""
    print(f"{time.monotonic() - began:6.1f} s  {len(consumers.digests()):6} events taken: {what}", flush=True)


def stopped(process: subprocess.Popen[bytes]) -> int:
    """The exit code after SIGTERM."""
    process.send_signal(signal.SIGTERM)
    return process.wait(8)


def wait_for(there: Callable[[], bool], what: str, seconds: float = 180) -> None:
    """Until it is so.

    Raises:
        TimeoutError: It did not become so.
    """
    until = time.monotonic() + seconds
    while not there():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.2)


def _answers(admin: AdminClient) -> bool:
    try:
        return bool(admin.list_topics(timeout=1).brokers)
    except Exception:  # noqa: BLE001 - whatever it is, it is no answer yet
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def _directory(kept: Path | None) -> Iterator[Path]:
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="catalog-kafka-") as made:
            yield Path(made)
    else:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept


def main() -> None:
    """Read the options, run, and exit with 1 where something was lost or doubled."""
    parser = argparse.ArgumentParser(description="Consume a real Kafka while things are killed.")
    parser.add_argument("--events", type=int, default=6_000)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="a new directory that stays: data, logs, jars")
    arguments = parser.parse_args()
    os.environ.pop("CATALOG_DATABASE_URL", None)
    with _directory(arguments.keep) as directory:
        fine = run(directory, arguments.events)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
