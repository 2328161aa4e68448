"""The offset of a partition moves with the events, forward only, and for its owner only."""

from __future__ import annotations

from typing import Any

import pytest

from builders import ran
from catalog.ingest.accept import Ingest, Received
from catalog.store import graph_writer, log, offsets
from catalog.store.engine import Database
from catalog.store.offsets import Fenced, Partition, Place

ONE = Partition("cluster", "group", "topic", 0)
OTHER = Partition("cluster", "group", "topic", 1)


def claimed(database: Database, *partitions: Partition) -> dict[Partition, Place]:
    with database.write() as connection:
        return offsets.claim(connection, partitions)


def advance(database: Database, places: dict[Partition, Place]) -> None:
    with database.write() as connection:
        offsets.advance(connection, places)


def stored(database: Database) -> dict[Partition, int]:
    with database.read() as connection:
        return offsets.stored(connection, "cluster", "group", ["topic"])


def entries(database: Database) -> int:
    with database.write() as connection:
        log.create(connection)
        return log.size(connection)


def test_a_partition_that_nobody_has_begun_begins_with_its_first_message(database: Database) -> None:
    assert claimed(database, ONE, OTHER) == {ONE: Place(0, 1), OTHER: Place(0, 1)}


def test_what_is_begun_already_stays_where_it_is(database: Database) -> None:
    for start in (7, 9):
        with database.write() as connection:
            offsets.begin(connection, {ONE: start})
    assert claimed(database, ONE) == {ONE: Place(7, 1)}


def test_another_owner_goes_on_where_the_last_transaction_ended(database: Database) -> None:
    epoch = claimed(database, ONE)[ONE].epoch
    advance(database, {ONE: Place(5, epoch)})
    assert claimed(database, ONE) == {ONE: Place(5, epoch + 1)}


def test_groups_and_clusters_do_not_share_offsets(database: Database) -> None:
    advance(database, {ONE: Place(5, claimed(database, ONE)[ONE].epoch)})
    for stranger in (Partition("cluster", "others", "topic", 0), Partition("elsewhere", "group", "topic", 0)):
        assert claimed(database, stranger)[stranger].next_offset == 0


def test_saying_twice_how_far_one_came_changes_nothing(database: Database) -> None:
    place = Place(5, claimed(database, ONE)[ONE].epoch)
    advance(database, {ONE: place})
    advance(database, {ONE: place})
    assert stored(database) == {ONE: 5}


def test_an_offset_never_goes_back(database: Database) -> None:
    epoch = claimed(database, ONE)[ONE].epoch
    advance(database, {ONE: Place(5, epoch)})
    with pytest.raises(Fenced):
        advance(database, {ONE: Place(4, epoch)})
    assert stored(database) == {ONE: 5}


def test_who_lost_one_partition_moves_none(database: Database) -> None:
    before = claimed(database, ONE, OTHER)
    claimed(database, OTHER)
    with pytest.raises(Fenced, match="topic/1"):
        advance(database, {one: Place(5, place.epoch) for one, place in before.items()})
    assert stored(database) == {ONE: 0, OTHER: 0}


def test_a_moved_offset_has_another_owner_to_come_and_moves_only_from_where_it_was(database: Database) -> None:
    old = claimed(database, ONE)[ONE]
    with database.write() as connection:
        offsets.move(connection, ONE, 3, 1)
    advance(database, {ONE: Place(2, old.epoch)})
    with database.write() as connection:
        offsets.move(connection, ONE, 2, 1)
    with pytest.raises(Fenced):
        advance(database, {ONE: Place(4, old.epoch)})
    assert stored(database) == {ONE: 1}


def test_events_of_a_fenced_owner_are_not_in_the_log(database: Database) -> None:
    ingest = Ingest(database)
    old = claimed(database, ONE)[ONE]
    claimed(database, ONE)
    batch = [*(Received(raw, "kafka") for raw in ran("etl").writing("clean")), Received(b"no event", "kafka")]
    with pytest.raises(Fenced):
        ingest.accept(batch, lambda connection, taken: offsets.advance(connection, {ONE: Place(taken, old.epoch)}))
    assert entries(database) == 0
    assert stored(database) == {ONE: 0}
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM quarantine").scalar_one() == 0


def test_when_events_are_taken_one_by_one_the_offset_goes_with_each(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, told = graph_writer.write, []

    def only_one_at_a_time(connection: Any, projections: Any, *rest: Any) -> None:
        if len(projections) > 1:
            raise RuntimeError("too many")
        write(connection, projections, *rest)

    monkeypatch.setattr(graph_writer, "write", only_one_at_a_time)
    epoch = claimed(database, ONE)[ONE].epoch

    def also(connection: Any, taken: int) -> None:
        told.append((log.size(connection), taken))
        offsets.advance(connection, {ONE: Place(taken, epoch)})

    Ingest(database).accept([Received(raw, "kafka") for raw in (*ran("a"), b"no event", *ran("b"))], also)
    assert told == [(1, 1), (2, 2), (2, 3), (3, 4), (4, 5)]
    assert stored(database) == {ONE: 5}
