"""Events from Kafka, each once: its offset is stored in the transaction that stores the event.

Kafka only says which consumer reads what. How far each partition was taken is in the database (`store/offsets.py`), so
there is no moment at which a crash could lose an event or take one twice. What is no event goes to quarantine in the
same transaction, and the partition goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Final

from confluent_kafka import Message

from catalog.domain.errors import Unavailable
from catalog.ingest.accept import Ingest, Outcome
from catalog.sources.kafka_member import SOURCE, Member, Start, Subscription
from catalog.store.offsets import Fenced, Partition

__all__ = ["SOURCE", "KafkaRecord", "KafkaSource", "Start", "Subscription"]

logger = logging.getLogger("catalog.kafka")

_PATIENCE_SECONDS: Final = 20.0
"""For so long a batch is tried again while others wait for us; well below `max.poll.interval.ms`."""

_DELAYS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
_TELL_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """Where a message is: `path` is its topic and partition, `position` its offset."""

    path: str
    position: int

    @property
    def place(self) -> str:
        """Both, for people."""
        return f"{self.path}@{self.position}"


OnTaken = Callable[[Sequence[KafkaRecord], Sequence[Outcome]], None]
"""Told what was taken, after it was."""


class KafkaSource:
    """A consumer that lasts: it joins again whenever its membership ends."""

    def __init__(self, ingest: Ingest, wanted: Subscription, on_taken: OnTaken | None = None) -> None:
        self._ingest = ingest
        self._wanted = wanted
        self._on_taken = on_taken
        self._stopped = Event()
        self._ends: Mapping[Partition, int] | None = None
        self._failures = 0
        self._taken, self._since = 0, time.monotonic()

    def stop(self) -> None:
        """Finish the batch and leave; may be called from a signal handler."""
        self._stopped.set()

    def run(self) -> None:
        """Read until stopped, or to where the topics ended when this began.

        Raises:
            Unavailable: broker or database do not answer at the start. Later they are waited for.
            BadRequest: a topic or a setting is not there.
            CatalogError: this user may not read here.
        """
        while not self._stopped.is_set():
            try:
                with Member(self._ingest, self._wanted) as member:
                    self._follow(member)
                    return
            except Fenced as error:
                logger.warning("%s Joining the group again.", error.detail)
            except Unavailable as error:
                if self._ends is None:
                    raise
                logger.warning("%s Trying again; nothing is lost.", error.detail)
                self._wait()

    def _follow(self, member: Member) -> None:
        ends = member.begin()
        self._ends = self._ends or ends
        member.join()
        while not self._stopped.is_set():
            batch = member.gather()
            if batch:
                self._take(member, batch)
            if self._wanted.until_end and member.has_reached(self._ends):
                return
            self._tell(member)

    def _take(self, member: Member, batch: list[Message]) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                outcomes = member.take(batch)
                break
            except Fenced:
                raise
            except Unavailable as error:
                if self._stopped.is_set() or time.monotonic() > until:
                    raise
                logger.warning("%s Trying again.", error.detail)
                self._wait()
        self._failures = 0
        self._taken += len(batch)
        if self._on_taken:
            self._on_taken([_record(message) for message in batch], outcomes)

    def _wait(self) -> None:
        self._stopped.wait(_DELAYS[min(self._failures, len(_DELAYS) - 1)])
        self._failures += 1

    def _tell(self, member: Member) -> None:
        passed = time.monotonic() - self._since
        if passed >= _TELL_SECONDS:
            logger.info("%d messages, %.0f a second, %d waiting", self._taken, self._taken / passed, member.lag())
            self._taken, self._since = 0, time.monotonic()


def _record(message: Message) -> KafkaRecord:
    return KafkaRecord(f"{message.topic()}/{message.partition()}", message.offset() or 0)
