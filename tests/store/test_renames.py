"""A renamed dataset has all it had under its former name, and a former name that is used again is no other dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations

import pytest

from builders import columns, declared_dataset, drawn_from, dropped, entry, facet, micros, named, ran, renamed
from catalog.domain.ids import dataset_id
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.timeline import NOW, Window
from catalog.domain.words import Direction, EntityKind, Granularity, Lifecycle
from catalog.ingest import replay
from catalog.store import lineage, maintenance, questions, search
from catalog.store.engine import Database
from catalog.store.paging import Page
from catalog.store.read import datasets, facets, versions
from catalog.store.read.snapshot import snapshot
from histories import put

OLD, NEW = dataset_id("shop", "old"), dataset_id("shop", "new")
MADE = ran("etl", 0).reading("raw").writing("old", schema=columns(a="int"))
RENAMING = ran("rename", 10).writing("new", lifecycleStateChange=renamed("old"), schema=columns(a="int", b="int"))
USED = ran("report", 20).reading("new").writing("sheet")
HISTORY = [*MADE, *RENAMING, *USED]


def around(database: Database, name: str, at: float | None = None) -> list[str]:
    """The names in the lineage of a dataset now, or at a moment."""
    window = NOW if at is None else Window(micros(at), micros(at))
    question = Question((EntityRef(EntityKind.DATASET, "shop", name),), Direction.BOTH, window=window)
    with database.read() as connection:
        return sorted(node.name for node in lineage.answer(connection, question).nodes)


def name_of(database: Database, name: str) -> str:
    with snapshot(database) as reading:
        return reading.ask(datasets.by_ids, [dataset_id("shop", name)])[dataset_id("shop", name)].name


def dead(database: Database, name: str) -> int | None:
    with snapshot(database) as reading:
        row = reading.ask(datasets.by_ids, [dataset_id("shop", name)])[dataset_id("shop", name)]
        return reading.ask(datasets.deleted_at, [row.id]).get(row.id)


def test_what_a_dataset_was_before_is_reached_from_either_name(database: Database) -> None:
    put(database, [HISTORY])

    for name in ("old", "new"):
        assert name_of(database, name) == "new"
        assert around(database, name) == ["new", "raw", "sheet"]
        assert around(database, name, 5) == ["new", "raw"]
    with snapshot(database) as reading:
        made = reading.ask(versions.of_datasets, [NEW], Page())[NEW].items
        assert [(row.named_id, row.created_at, row.lifecycle) for row in made] == [
            (NEW, micros(11), Lifecycle.RENAME),
            (OLD, micros(1), Lifecycle.NONE),
        ]
        schemas = reading.ask(facets.schemas, [NEW])[NEW]
        assert [(row.valid_from, row.valid_to) for row in schemas] == [(micros(0), micros(10)), (micros(10), None)]
        assert [row.type for row in reading.ask(datasets.aliases, [NEW])[NEW]] == ["RENAME"]


def test_a_renamed_dataset_is_found_by_words_of_either_name(database: Database) -> None:
    put(database, [HISTORY])

    with database.read() as connection:
        for word in ("old", "new"):
            assert [hit.name for hit in search.page(connection, word, None, Page()).items] == ["new"]


@pytest.mark.parametrize("end", ["FAIL", "ABORT", None])
def test_a_run_renames_nothing_before_it_completes(database: Database, end: str | None) -> None:
    put(database, [[*MADE, *(RENAMING.event(state, 10) for state in ("START", end) if state)]])

    assert (name_of(database, "old"), name_of(database, "new")) == ("old", "new")
    assert around(database, "new") == ["new"]


def test_the_last_event_of_a_run_may_leave_it_to_the_first_to_say_what_is_renamed(database: Database) -> None:
    put(database, [[*MADE, RENAMING.event("START", 10)], [RENAMING.event("COMPLETE", 11, bare=True)]])

    assert around(database, "old") == ["new", "raw"]


def test_a_dataset_event_renames_at_once(database: Database) -> None:
    put(database, [[*MADE, declared_dataset("new", 5, lifecycleStateChange=renamed("old"))]])

    assert around(database, "old") == ["new", "raw"]


def test_a_rename_to_the_same_name_or_without_the_one_before_says_nothing(database: Database) -> None:
    put(database, [[*ran("j").writing("old", lifecycleStateChange=renamed("old")),
                    *ran("j", 5).writing("new", lifecycleStateChange=dropped("RENAME"))]])  # fmt: skip

    assert (name_of(database, "old"), name_of(database, "new")) == ("old", "new")


def renames(*steps: tuple[str, str]) -> list[bytes]:
    """Datasets are renamed, one every ten minutes."""
    story = (
        ran("rename", 10 * place).writing(new, lifecycleStateChange=renamed(old))
        for place, (old, new) in enumerate(steps)
    )
    return [event for one in story for event in one]


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        ([("a", "m"), ("m", "b")], "b"),
        ([("b", "m"), ("m", "a")], "a"),
        ([("a", "b"), ("b", "a")], "a"),
        ([("b", "a"), ("a", "b")], "b"),
        ([("orders", "backup"), ("staging", "orders")], "orders"),
    ],
)
def test_the_name_that_was_given_last_is_shown(database: Database, steps: list[tuple[str, str]], shown: str) -> None:
    put(database, [renames(*steps)])

    assert {name_of(database, name) for step in steps for name in step} == {shown}


SWAPPED = [
    *ran("fill", 0).reading("raw").writing("staging"),
    *ran("retire", 10).writing("backup", lifecycleStateChange=renamed("orders")),
    *ran("swap", 20).writing("orders", lifecycleStateChange=renamed("staging")),
]


def test_a_drop_under_a_name_the_dataset_no_longer_has_does_not_end_it(database: Database) -> None:
    put(database, [[*SWAPPED, *ran("tidy", 30).writing("backup", lifecycleStateChange=dropped())]])

    assert dead(database, "orders") is None
    assert around(database, "orders") == ["orders", "raw"]


def test_a_drop_under_the_name_the_dataset_has_ends_it_with_all_its_names(database: Database) -> None:
    put(database, [[*SWAPPED, *ran("drop", 30).writing("orders", lifecycleStateChange=dropped())]])

    assert dead(database, "staging") == micros(31)
    assert around(database, "staging") == ["orders"]
    assert around(database, "staging", 30) == ["orders", "raw"]


AT_ONCE = ran("swap", 20).reading("staging").writing("backup", lifecycleStateChange=renamed("orders"))
AT_ONCE = AT_ONCE.writing("orders", lifecycleStateChange=renamed("staging"))
TIDIED = ran("tidy", 30).writing("backup", lifecycleStateChange=dropped())


def swapped(*, at_once: bool) -> list[bytes]:
    """A table is filled, read, and put in the place of another, whose backup is dropped then."""
    swap = AT_ONCE if at_once else SWAPPED[2:]
    return [*SWAPPED[:2], *ran("print", 5).reading("orders").writing("sheet"), *swap, *TIDIED]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_swap_is_the_same_told_as_one_run_or_as_two(database: Database, *, at_once: bool) -> None:
    events = swapped(at_once=at_once)
    put(database, [events])

    assert {name_of(database, name) for name in ("orders", "backup", "staging")} == {"orders"}
    assert dead(database, "orders") is None
    assert around(database, "sheet") == ["orders", "raw", "sheet"]
    assert_the_same_in(database, (events[::-1], events[3:] + events[:3]))


def test_a_drop_of_the_table_that_was_swapped_in_at_once_ends_it(database: Database) -> None:
    put(database, [[*swapped(at_once=True), *ran("drop", 40).writing("orders", lifecycleStateChange=dropped())]])

    assert dead(database, "backup") == micros(41)


def test_a_name_that_is_written_as_it_is_given_up_is_the_datasets_no_more(database: Database) -> None:
    moved = ran("move", 10).writing("old").writing("new", lifecycleStateChange=renamed("old")).event("COMPLETE", 11)
    put(database, [[*MADE, moved, *ran("tidy", 20).writing("old", lifecycleStateChange=dropped())]])

    assert dead(database, "new") is None


MOVING = ran("move", 30).reading("old").writing("new", lifecycleStateChange=renamed("old"))
WITH_COLUMNS = facet(fields={"a": {"inputFields": [{**named("old"), "field": "a"}]}})


def flows(
    database: Database, granularity: Granularity = Granularity.DATASET, name: str = "new"
) -> set[tuple[str, str, str]]:
    """The edges around a dataset: from, to, and how it is known."""
    question = Question((EntityRef(EntityKind.DATASET, "shop", name),), granularity=granularity)
    with database.read() as connection:
        found = lineage.answer(connection, question)
    names = {node.id: node.name for node in found.nodes}
    return {(names[edge.source], names[edge.target], edge.derivation.name) for edge in found.edges}


@pytest.mark.parametrize(
    "moving",
    [
        MOVING,
        [MOVING.event("START", 30), ran("move", 30).event("COMPLETE", 31)],
        [
            ran("move", 30).reading("old").writing("new").event("START", 30),
            ran("move", 30).writing("new", lifecycleStateChange=renamed("old")).event("COMPLETE", 31),
        ],
        MOVING.writing("new", columnLineage=WITH_COLUMNS),
        MOVING.explicitly(entry("new", "old", fields={"a": {"inputs": entry("new", "old")["inputs"]}})),
        [declared_dataset("new", 30, lifecycleStateChange=renamed("old"), lineage=drawn_from("old"))],
        [declared_dataset("new", 30, lifecycleStateChange=renamed("old"), columnLineage=WITH_COLUMNS)],
    ],
    ids=["twice", "at the start", "at the end", "columns", "entries", "drawn", "drawn by columns"],
)
def test_who_reads_a_dataset_to_give_it_another_name_makes_no_loop(database: Database, moving: Iterable[bytes]) -> None:
    events = [*MADE, *moving]
    put(database, [events])

    assert name_of(database, "old") == "new"
    assert flows(database) == {("raw", "new", "IMPLICIT")}
    assert flows(database, Granularity.COLUMN) == set()
    with database.read() as connection:
        assert questions.cycles(connection, (), "shop", Question(())).loops == ()
    assert_the_same_in(database, (events[::-1], events[1:] + events[:1]))


def test_the_job_that_renames_still_reads_and_writes(database: Database) -> None:
    put(database, [[*MADE, *MOVING]])

    through = flows(database, Granularity.JOB)
    assert {("new", "move", "IMPLICIT"), ("move", "new", "IMPLICIT")} < through


def test_what_else_a_job_makes_as_it_renames_comes_from_all_that_it_reads(database: Database) -> None:
    put(database, [[*MADE, *MOVING.reading("codes").writing("report")]])

    into_new = {("raw", "new", "IMPLICIT"), ("codes", "new", "IMPLICIT")}
    assert flows(database, name="report") == into_new | {
        ("new", "report", "IMPLICIT"),
        ("codes", "report", "IMPLICIT"),
    }


def test_tables_that_are_renamed_together_are_not_made_of_each_other(database: Database) -> None:
    pairs = [(f"old {place}", f"new {place}") for place in range(3)]
    moving = ran("move")
    for before, after in pairs:
        moving = moving.reading(before).writing(after, lifecycleStateChange=renamed(before))
    put(database, [moving])

    assert [flows(database, name=after) for _, after in pairs] == [set()] * 3


@pytest.mark.parametrize("name", ["old", "new"])
def test_who_reads_what_it_writes_is_a_loop_still(database: Database, name: str) -> None:
    merging = ran("merge", 40).reading(name, "changes").writing(name)
    put(database, [[*MADE, *MOVING, *merging]])

    assert {("new", "new", "IMPLICIT"), ("changes", "new", "IMPLICIT")} <= flows(database)


def test_who_reads_the_former_name_later_makes_the_dataset_of_itself(database: Database) -> None:
    put(database, [[*MADE, *MOVING, *ran("copy", 40).reading("old").writing("new")]])

    assert ("new", "new", "IMPLICIT") in flows(database)


def rows(database: Database) -> list[tuple[object, ...]]:
    with database.read() as connection:
        return list(maintenance.canonical_dump(connection))


def assert_the_same_in(database: Database, orders: Iterable[Sequence[bytes]]) -> None:
    """What a database holds is what it makes of its events told one by one in these orders, and of the last anew."""
    told = rows(database)
    for order in orders:
        put(database, [[event] for event in order])
        assert rows(database) == told
    replay.rebuild(database)
    assert rows(database) == told


def orders(events: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    yield from list(permutations(events))[::97]


def test_renames_are_the_same_whatever_came_first_and_after_a_rebuild(database: Database) -> None:
    events = [*HISTORY, *renames(("new", "last")), declared_dataset("old", 50)]
    put(database, [events])
    assert_the_same_in(database, list(orders(events))[:20])
