"""librdkafka's own broker, in this process and for others on this machine: topics of four partitions, no disk."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Producer

PARTITIONS = 4
TOPIC = "lineage"


class Broker:
    """Topics are made by asking for them."""

    def __init__(self) -> None:
        self._producer = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
        found = self._producer.list_topics(TOPIC, timeout=5)
        self.cluster = str(found.cluster_id)
        self.bootstrap = ",".join(f"{one.host}:{one.port}" for one in found.brokers.values())

    def send(self, values: Iterable[bytes | None], topic: str = TOPIC, partition: int | None = None) -> None:
        """In turns to all partitions, or to one; they are there when this is back."""
        refused: list[object] = []
        self._producer.list_topics(topic, timeout=5)
        for number, value in enumerate(values):
            to = number % PARTITIONS if partition is None else partition
            told = lambda error, _: refused.append(error) if error else None  # noqa: E731
            self._producer.produce(topic, value=value, partition=to, on_delivery=told)
        assert self._producer.flush(20) == 0
        assert refused == []
