"""One membership in a Kafka group, from joining to leaving: what is held, what comes next, and where that is written.

Everything a membership knows it has from the database. Whatever goes wrong therefore ends it, and the next one begins
where the last transaction ended: there is no other way to recover, and none that is tested less.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from threading import Thread
from typing import Final, Self, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from catalog.domain.callers import LOCAL
from catalog.domain.errors import BadRequest, CatalogError, Unavailable
from catalog.ingest.accept import Ingest, Outcome, Received
from catalog.store import offsets
from catalog.store.engine import Write
from catalog.store.offsets import Partition, Place

logger = logging.getLogger("catalog.kafka")

SOURCE: Final = "kafka"
"""What the log says about where an event arrived."""

_ASK_SECONDS: Final = 10.0
_LEAVE_SECONDS: Final = 3.0
_REPEAT_SECONDS: Final = 60.0
_IDLE_SECONDS: Final = 0.5
_LINGER_SECONDS: Final = 0.1
_BATCH_MESSAGES: Final = 500
_BATCH_BYTES: Final = 8_000_000

_OURS: Final[Mapping[str, str | bool]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    # The database says where to begin; that the broker cannot is for us to tell, not to be passed over.
    "auto.offset.reset": "error",
}
_DEFAULTS: Final[Mapping[str, str | int]] = {
    "client.id": "lineage-catalog",
    # Who keeps a partition goes on reading it while others move.
    "partition.assignment.strategy": "cooperative-sticky",
    # What is read ahead, of all partitions together: a slow database must not fill the memory.
    "queued.max.messages.kbytes": 16_384,
    "fetch.max.bytes": 8_388_608,
    # Its own lines repeat each failed connection; `_failed` says them once.
    "log_level": 0,
}
_NAMED: Final[Mapping[str, str]] = {"bootstrap.servers": "--bootstrap", "group.id": "--group"}

_FORBIDDEN: Final = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
_SECRET: Final = ("password", "secret", "token", "jaas", ".pem")

_T = TypeVar("_T")


class Start(StrEnum):
    """Where a group begins that has never read a topic."""

    EARLIEST = "earliest"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What to read, as whom. `config` goes to librdkafka as it is; it may hold secrets and is never shown."""

    bootstrap: str
    topics: tuple[str, ...]
    group: str = "lineage-catalog"
    start: Start = Start.EARLIEST
    until_end: bool = False
    config: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class _Held:
    """A partition that is ours: the next message to come, and the epoch we write with."""

    position: int
    epoch: int


class Member:
    """A consumer in its group. `begin`, then `join`, then `gather` and `take` in turns; leaving is at the end."""

    def __init__(self, ingest: Ingest, wanted: Subscription) -> None:
        """Raises BadRequest where librdkafka does not know a setting."""
        self._ingest = ingest
        self._wanted = wanted
        self._cluster = ""
        self._held: dict[Partition, _Held] = {}
        self._batch: list[Message] = []
        self._trouble: CatalogError | None = None
        self._said: dict[int, tuple[str, float]] = {}
        # Whoever may read the topic for the catalog decides what comes in; who wrote to it Kafka does not say.
        self._senders = {topic: replace(LOCAL, name=f"kafka:{topic}") for topic in wanted.topics}
        config = self._config()
        strategy = str(config["partition.assignment.strategy"])
        self._incremental = "cooperative" in strategy or config.get("group.protocol") == "consumer"
        try:
            self._consumer = Consumer(config)
        except (KafkaException, TypeError, ValueError) as error:
            raise BadRequest(f"Kafka's client says: {self._harmless(error)}", fix="Look at --config.") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # It waits for a broker that may be away; then the group finds out by itself.
        leaving = Thread(target=self._consumer.close, daemon=True)
        leaving.start()
        leaving.join(_LEAVE_SECONDS)

    def begin(self) -> dict[Partition, int]:
        """See that every partition has a place that the broker has too. The answer is where each ends now.

        Raises:
            Unavailable: broker or database are away.
            BadRequest: there is no such topic.
        """
        found = self._ask(lambda: self._consumer.list_topics(timeout=_ASK_SECONDS))
        self._cluster = str(found.cluster_id or "")
        missing = [topic for topic in self._wanted.topics if topic not in found.topics]
        if missing:
            raise BadRequest(
                f"There is no topic {', '.join(missing)}.", fix="Is it spelled right, and may you read it?"
            )
        # Before the broker is asked: others may be reading, and would seem to be ahead of it.
        with self._ingest.database.read() as connection:
            known = offsets.stored(connection, self._cluster, self._wanted.group, self._wanted.topics)
        ends, new, wrong = {}, {}, {}
        for one in [self._named(topic, n) for topic in self._wanted.topics for n in found.topics[topic].partitions]:
            low, ends[one] = self._range(one)
            if one in known:
                if not low <= known[one] <= ends[one]:
                    wrong[one] = low
                continue
            begun = any(other.topic == one.topic for other in known)  # then this partition was added to the topic
            new[one] = ends[one] if self._wanted.start is Start.LATEST and not begun else low
        if new or wrong:
            with self._ingest.database.write() as connection:
                offsets.begin(connection, new)
                for one, low in sorted(wrong.items()):
                    offsets.move(connection, one, known[one], low)
        for one, low in wrong.items():
            _tell_gap(one, known[one], low)
        return ends

    def join(self) -> None:
        """Ask for partitions; they come while gathering."""
        topics = list(self._wanted.topics)
        self._consumer.subscribe(topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def gather(self) -> list[Message]:
        """The next messages that share a transaction: none after half a second without any.

        Raises:
            Unavailable: what was assigned could not be claimed, or the broker has lost what comes next.
            CatalogError: this user may not read here.
        """
        self._batch = []
        size, until = 0, 0.0
        wait = _IDLE_SECONDS
        while wait > 0:
            message = self._consumer.poll(wait)
            if self._trouble is not None:
                raise self._trouble
            if message is None:
                break
            if self._is_next(message):
                self._batch.append(message)
                size += len(message)
                until = until or time.monotonic() + _LINGER_SECONDS
                if len(self._batch) >= _BATCH_MESSAGES or size >= _BATCH_BYTES:
                    break
            wait = until - time.monotonic() if until else _IDLE_SECONDS
        return self._batch

    def take(self, batch: Sequence[Message]) -> list[Outcome]:
        """Into the log or the quarantine, and the offsets with it.

        Raises:
            Fenced: a partition has another owner; nothing was taken.
            Unavailable: the database is away; the same batch may be tried again.
        """

        def also(connection: Write, taken: int) -> None:
            offsets.advance(connection, self._places(batch[:taken]))

        # A message without a value is kept as what it is: nothing, and no event.
        received = [Received(message.value() or b"", SOURCE, self._senders[message.topic() or ""]) for message in batch]
        outcomes = self._ingest.accept(received, also)
        self._tell_group(self._places(batch))
        return outcomes

    def has_reached(self, ends: Mapping[Partition, int]) -> bool:
        """Whether everything before these offsets is taken, be it by us or by others of the group."""
        if any(held.position < ends.get(one, 0) for one, held in self._held.items()):
            return False
        others = ends.keys() - self._held.keys()
        if not others:
            return True
        with self._ingest.database.read() as connection:
            taken = offsets.stored(connection, self._cluster, self._wanted.group, self._wanted.topics)
        return all(taken.get(one, 0) >= ends[one] for one in others)

    def lag(self) -> int:
        """Messages of our partitions that are known to wait."""
        waiting = 0
        for one, held in self._held.items():
            _, high = self._consumer.get_watermark_offsets(_at(one), cached=True)
            waiting += max(0, high - held.position)
        return waiting

    def _config(self) -> dict[str, object]:
        for name, option in _NAMED.items():
            if name in self._wanted.config:
                raise BadRequest(f"{name} is given by {option}.")
        if decided := sorted(_OURS.keys() & self._wanted.config.keys()):
            raise BadRequest(f"{', '.join(decided)} cannot be set.", fix="Offsets are kept in the catalog's database.")
        return {
            **_DEFAULTS,
            **self._wanted.config,
            **_OURS,
            "bootstrap.servers": self._wanted.bootstrap,
            "group.id": self._wanted.group,
            "enable.partition.eof": self._wanted.until_end,
            "error_cb": self._failed,
        }

    def _harmless(self, error: Exception) -> str:
        said = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        for name, value in self._wanted.config.items():
            if value and any(word in name for word in _SECRET):
                said = said.replace(value, "***")
        return str(said)

    def _ask(self, question: Callable[[], _T]) -> _T:
        try:
            return question()
        except KafkaException as error:
            said = next((said for said, _ in reversed(self._said.values())), "") or self._harmless(error)
            raise Unavailable(f"No answer from Kafka at {self._wanted.bootstrap}: {said}") from error

    def _range(self, partition: Partition) -> tuple[int, int]:
        return self._ask(lambda: self._consumer.get_watermark_offsets(_at(partition), timeout=_ASK_SECONDS))

    def _named(self, topic: str | None, number: int | None) -> Partition:
        return Partition(self._cluster, self._wanted.group, topic or "", number or 0)

    def _of(self, message: Message) -> Partition:
        return self._named(message.topic(), message.partition())

    def _is_next(self, message: Message) -> bool:
        error, offset = message.error(), message.offset() or 0
        held = self._held.get(self._of(message))
        if error is None:
            if held is None or offset < held.position:
                return False
            held.position = offset + 1
            return True
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - that is its public name
            # Transactions and compaction leave offsets without a message: those at the end are passed over here.
            if held is not None:
                held.position = max(held.position, offset)
        elif error.code() in _FORBIDDEN:
            raise CatalogError(f"Kafka says: {error.str()}", fix="The consumer needs Read on its topics and group.")
        elif error.code() == KafkaError._AUTO_OFFSET_RESET or error.fatal():  # noqa: SLF001 - as above
            raise Unavailable(f"Kafka says: {error.str()}")
        else:
            self._failed(error)
        return False

    def _places(self, messages: Sequence[Message]) -> dict[Partition, Place]:
        nexts = {self._of(message): (message.offset() or 0) + 1 for message in messages}
        return {one: Place(offset, self._held[one].epoch) for one, offset in nexts.items()}

    def _tell_group(self, places: Mapping[Partition, Place]) -> None:
        """For tools that show how far groups are; nothing here depends on it."""
        with suppress(KafkaException):
            self._consumer.commit(offsets=[_at(one, place.next_offset) for one, place in places.items()])

    def _assigned(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        named = [self._named(one.topic, one.partition) for one in partitions]
        try:
            with self._ingest.database.write() as connection:
                places = offsets.claim(connection, named)
        except Unavailable as error:
            # Out of here it would pass through librdkafka.
            self._trouble = error
            return
        self._held |= {one: _Held(place.next_offset, place.epoch) for one, place in places.items()}
        assign = self._consumer.incremental_assign if self._incremental else self._consumer.assign
        try:
            assign([_at(one, place.next_offset) for one, place in places.items()])
        except KafkaException as error:
            self._trouble = Unavailable(f"Kafka's client could not begin to read: {self._harmless(error)}")
            return
        if named:
            logger.info("reading %s", ", ".join(f"{one} from {places[one].next_offset}" for one in sorted(named)))

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        # What was gathered and not taken yet is the next owner's; it is not in the database, so it will be read again.
        for one in partitions:
            self._held.pop(self._named(one.topic, one.partition), None)
        self._batch[:] = [message for message in self._batch if self._of(message) in self._held]

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        logger.warning("the group took %d partitions away, as it did not hear from here for too long", len(partitions))
        self._revoked(consumer, partitions)

    def _failed(self, error: KafkaError) -> None:
        now = time.monotonic()
        _, before = self._said.get(error.code(), ("", -_REPEAT_SECONDS))
        if now - before >= _REPEAT_SECONDS:
            logger.warning("Kafka: %s", error.str())
            self._said[error.code()] = (error.str(), now)


def _at(partition: Partition, offset: int | None = None) -> TopicPartition:
    if offset is None:
        return TopicPartition(partition.topic, partition.number)
    return TopicPartition(partition.topic, partition.number, offset)


def _tell_gap(partition: Partition, before: int, low: int) -> None:
    if before < low:
        logger.warning("%s: the broker deleted %d messages before they were taken", partition, low - before)
    else:
        logger.warning("%s: message %d was next and there is none; the topic is read anew", partition, before)
