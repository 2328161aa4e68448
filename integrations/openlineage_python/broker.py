"""librdkafka's own broker, for who has none: it keeps messages as long as this process lives."""

from confluent_kafka import Consumer, Message, Producer, TopicPartition

_PATIENCE_SECONDS = 10


class Broker:
    """Listens on the loopback interface from the beginning; `bootstrap` is what clients are given."""

    def __init__(self, topic: str) -> None:
        """Start it with one topic."""
        self._topic = topic
        # The broker is a part of this client: it ends with it.
        self._client = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
        found = self._client.list_topics(topic, timeout=_PATIENCE_SECONDS)
        self.bootstrap = ",".join(f"{one.host}:{one.port}" for one in found.brokers.values())
        self._partitions = len(found.topics[topic].partitions)

    def messages(self) -> list[Message]:
        """Everything in the topic, one partition after the other."""
        settings = {"bootstrap.servers": self.bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"}
        consumer = Consumer({**settings, "enable.partition.eof": True, "log_level": 0})
        consumer.assign([TopicPartition(self._topic, number, 0) for number in range(self._partitions)])
        found, ended = [], 0
        while ended < self._partitions:
            message = consumer.poll(_PATIENCE_SECONDS)
            if message is None:
                raise TimeoutError("the broker does not answer")
            if message.error():
                ended += 1
            else:
                found.append(message)
        consumer.close()
        return sorted(found, key=lambda message: (message.partition(), message.offset()))
