"""How far Kafka partitions were taken: written with the events themselves, so that neither is there without the other.

The offset in the database is the truth, and `epoch` the fence before it. Whoever is given a partition counts the epoch
up; a consumer that lost the partition and does not know yet comes with an older one, and its transaction is undone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, select, update

from catalog.domain.errors import Unavailable
from catalog.store.dialect import insert_new
from catalog.store.engine import Read, Write
from catalog.store.tables import kafka_offset


class Fenced(Unavailable):
    """Another consumer was given this partition."""


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """A partition as one group of consumers sees it."""

    cluster: str
    group: str
    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


@dataclass(frozen=True, slots=True)
class Place:
    """The first message that is not taken yet, and the epoch of the owner who is to take it."""

    next_offset: int
    epoch: int


def stored(connection: Read, cluster: str, group: str, topics: Collection[str]) -> dict[Partition, int]:
    """The next offset of every partition of these topics that was ever begun."""
    table = kafka_offset.c
    rows = connection.execute(
        select(table.topic, table.partition, table.next_offset).where(
            table.cluster == cluster, table.consumer_group == group, table.topic.in_(sorted(topics))
        )
    )
    return {Partition(cluster, group, topic, number): offset for topic, number, offset in rows}


def begin(connection: Write, starts: Mapping[Partition, int]) -> None:
    """Begin these partitions at these offsets, those that nobody has begun yet."""
    insert_new(
        connection,
        kafka_offset,
        [
            {
                "cluster": one.cluster, "consumer_group": one.group, "topic": one.topic, "partition": one.number,
                "next_offset": start, "epoch": 0,
            }
            for one, start in starts.items()
        ],
    )  # fmt: skip


def move(connection: Write, partition: Partition, before: int, to: int) -> None:
    """Set an offset that is `before` to another, also to a smaller one; nothing where somebody else changed it."""
    table = kafka_offset.c
    connection.execute(
        update(kafka_offset)
        .where(_is(partition), table.next_offset == before)
        .values(next_offset=to, epoch=table.epoch + 1)
    )


def claim(connection: Write, partitions: Iterable[Partition]) -> dict[Partition, Place]:
    """Become the owner of these partitions. One that nobody has begun yet begins with its first message."""
    ordered = sorted(partitions)  # law 11
    begin(connection, dict.fromkeys(ordered, 0))
    table = kafka_offset.c
    places = {}
    for one in ordered:
        # Waits for the transaction of the owner before, if that is at its end: what it takes is seen here.
        row = connection.execute(
            update(kafka_offset).where(_is(one)).values(epoch=table.epoch + 1).returning(table.next_offset, table.epoch)
        ).one()
        places[one] = Place(row.next_offset, row.epoch)
    return places


def advance(connection: Write, places: Mapping[Partition, Place]) -> None:
    """Note that everything before these places was taken.

    Saying it again changes nothing: who lost the connection at the commit and does not know its outcome may repeat it.

    Raises:
        Fenced: a partition has another owner by now; the transaction is not to be committed.
    """
    table = kafka_offset.c
    for one in sorted(places):  # law 11
        place = places[one]
        done = connection.execute(
            update(kafka_offset)
            .where(_is(one), table.epoch == place.epoch, table.next_offset <= place.next_offset)
            .values(next_offset=place.next_offset)
        )
        if done.rowcount != 1:
            raise Fenced(f"Another consumer was given {one}.")


def _is(partition: Partition) -> ColumnElement[bool]:
    table = kafka_offset.c
    return and_(
        table.cluster == partition.cluster,
        table.consumer_group == partition.group,
        table.topic == partition.topic,
        table.partition == partition.number,
    )
