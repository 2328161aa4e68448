"""What jobs read and write now, and who reads and writes a dataset: one hop of lineage, told as lists."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from builders import also_known_as, dropped, ran, renamed
from catalog.domain.ids import dataset_id, job_id
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.timeline import ALWAYS, NOW, Window
from catalog.domain.words import Derivation, Direction, EntityKind, Granularity
from catalog.store import lineage
from catalog.store.engine import Database
from catalog.store.living import Living
from catalog.store.names import Names
from catalog.store.read import jobs
from conftest import NewDatabase
from histories import arrivals, histories, mentioned, put, tell, told

Watch = Callable[[Database], AbstractContextManager[list[str]]]


class Shop:
    """Who reads and writes what now, by name."""

    def __init__(self, database: Database, *names: str) -> None:
        self.database = database
        self.names = {dataset_id("shop", name): name for name in names} | {job_id("shop", name): name for name in names}

    def producers(self, name: str) -> list[str]:
        return self._names(jobs.producers, dataset_id("shop", name))

    def consumers(self, name: str) -> list[str]:
        return self._names(jobs.consumers, dataset_id("shop", name))

    def inputs(self, name: str) -> list[str]:
        return self._names(jobs.inputs, job_id("shop", name))

    def outputs(self, name: str) -> list[str]:
        return self._names(jobs.outputs, job_id("shop", name))

    def _names(self, read: Callable[..., dict[int, list[int]]], id: int) -> list[str]:
        with self.database.read() as connection:
            return [self.names[found] for found in read(connection, [id]).get(id, [])]


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database, "cart", "orders", "backup", "report", "etl", "drop", "print", "mend", "move")


STORY = (*ran("etl", 0).reading("cart").writing("orders"), *ran("print", 5).reading("orders").writing("report"))
GONE = ran("drop", 10).writing("orders", lifecycleStateChange=dropped())


def test_a_dataset_that_is_gone_has_nobody_and_is_read_and_written_by_nobody(shop: Shop) -> None:
    tell(shop.database, STORY)
    assert (shop.producers("orders"), shop.consumers("orders")) == (["etl"], ["print"])

    tell(shop.database, GONE)

    assert (shop.producers("orders"), shop.consumers("orders")) == ([], [])
    assert (shop.inputs("etl"), shop.outputs("etl")) == (["cart"], [])
    assert (shop.inputs("print"), shop.outputs("print")) == ([], ["report"])
    assert shop.outputs("drop") == []


def test_who_writes_a_dropped_dataset_again_brings_it_back(shop: Shop) -> None:
    tell(shop.database, STORY, GONE, ran("mend", 20).reading("cart").writing("orders"))

    assert shop.outputs("mend") == ["orders"]
    assert shop.consumers("orders") == ["print"]
    assert "mend" in shop.producers("orders")
    # Who dropped it last writes it no more, though another has written it since.
    assert "drop" not in shop.producers("orders")


def test_a_drop_under_another_name_counts(shop: Shop) -> None:
    tell(shop.database, STORY, ran("drop", 10).writing("path", symlinks=also_known_as("orders"),
                                                       lifecycleStateChange=dropped()))  # fmt: skip

    assert shop.outputs("etl") == []


ARCHIVED = ran("move", 10).reading("orders").writing("backup", lifecycleStateChange=renamed("orders"))
MADE_ANEW = ran("etl", 20).reading("cart").writing("orders")
TIDIED = ran("drop", 30).writing("backup", lifecycleStateChange=dropped())


def test_who_drops_only_the_backup_writes_nothing(shop: Shop) -> None:
    tell(shop.database, STORY, ARCHIVED, MADE_ANEW, TIDIED)

    assert shop.outputs("drop") == []
    assert shop.producers("backup") == ["etl", "move"]
    assert shop.consumers("backup") == ["move", "print"]


def test_who_drops_the_backup_and_writes_the_table_afterwards_writes_it(shop: Shop) -> None:
    tell(shop.database, STORY, ARCHIVED, MADE_ANEW, TIDIED, ran("drop", 40).reading("cart").writing("orders"))

    assert shop.outputs("drop") == ["backup"]


def test_who_writes_the_table_and_drops_its_backup_in_one_run_writes_it(shop: Shop) -> None:
    both = ran("etl", 30).reading("cart").writing("orders").writing("backup", lifecycleStateChange=dropped())
    tell(shop.database, STORY, ARCHIVED, MADE_ANEW, both)

    assert shop.outputs("etl") == ["backup"]


def test_of_a_table_that_is_dropped_every_night_only_what_the_question_is_about_is_asked(shop: Shop) -> None:
    nights = range(0, 400, 20)
    for at in nights:
        gone = ran("drop", at).writing("orders", lifecycleStateChange=dropped())
        tell(shop.database, gone, ran("etl", at + 10).reading("cart").writing("orders"))
    orders, by = dataset_id("shop", "orders"), job_id("shop", "drop")

    def asked(window: Window) -> tuple[int, int]:
        with shop.database.read() as connection:
            names = Names(connection)
            names.learn([orders])
            living = Living(connection, names, window)
            dead = living.dead([orders])
        return len(dead[orders]), len(living.holes(by, orders, by, Derivation.IMPLICIT))

    often = len(nights)
    # The table was gone for everybody as often, and for the job that dropped it ever since.
    assert asked(ALWAYS) == (often, often + 1)
    assert asked(NOW) == (often, 1)
    assert shop.producers("orders") == ["etl"]


def test_where_nothing_was_ever_dropped_one_statement_says_so(shop: Shop, statements: Watch) -> None:
    database = shop.database
    tell(database, STORY, ran("drop", 10).writing("other", symlinks=also_known_as("another")))

    with statements(database) as seen:
        assert shop.producers("orders") == ["etl"]
    assert len(seen) == 2
    tell(database, GONE)
    with statements(database) as seen:
        assert shop.producers("report") == ["print"]
    assert len(seen) == 2


def test_lists_are_what_lineage_has_one_hop_away(new_database: NewDatabase, engine_name: str) -> None:
    with new_database() as database:

        @settings(max_examples=settings().max_examples // (2 if engine_name == "sqlite" else 8))
        @given(st.data())
        def agree(data: st.DataObject) -> None:
            events = data.draw(histories())
            note(told(events))
            put(database, data.draw(arrivals(events)))
            for ref in mentioned(events, Granularity.JOB):
                if ref.kind is not EntityKind.RUN:
                    assert beside(database, ref) == hop_away(database, ref), ref

        agree()


def beside(database: Database, ref: EntityRef) -> tuple[set[int], set[int]]:
    """What is listed before and behind a thing; of a dataset under the id it is shown by."""
    reads = (jobs.producers, jobs.consumers) if ref.kind is EntityKind.DATASET else (jobs.inputs, jobs.outputs)
    id = root(database, ref)
    with database.read() as connection:
        before, behind = (read(connection, [id]).get(id, []) for read in reads)
    assert (len(set(before)), len(set(behind))) == (len(before), len(behind))
    return set(before), set(behind)


def root(database: Database, ref: EntityRef) -> int:
    with database.read() as connection:
        (node,) = lineage.answer(connection, Question((ref,), depth=0, granularity=Granularity.JOB)).nodes
    return node.id


def hop_away(database: Database, ref: EntityRef) -> tuple[set[int], set[int]]:
    """The same, as lineage has it; what jobs and datasets pass on without each other is no list's."""
    found = []
    for direction in (Direction.UPSTREAM, Direction.DOWNSTREAM):
        question = Question((ref,), direction, Granularity.JOB, depth=1)
        with database.read() as connection:
            answer = lineage.answer(connection, question)
        other = EntityKind.JOB if ref.kind is EntityKind.DATASET else EntityKind.DATASET
        found.append({node.id for node in answer.nodes if node.depth and node.kind is other})
    return found[0], found[1]
