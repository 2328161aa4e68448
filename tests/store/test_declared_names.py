"""What a dataset with several names is declared to be made of: the latest word, under whichever of them it was said."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from builders import also_known_as, declared_dataset, drawn_from, facet, micros, ran, renamed
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.timeline import ALWAYS, NOW, Window
from catalog.domain.words import Direction, EntityKind, Granularity
from catalog.ingest import replay
from catalog.store import lineage, maintenance
from catalog.store.engine import Database
from histories import put

FIRST = declared_dataset("orders", 1, lineage=drawn_from("a"))
THEN = declared_dataset("sales", 3, lineage=drawn_from("b"))
# A run joins the names, not a dataset event: that would be a declaration of its own.
RENAMED = ran("move", 2).writing("sales", lifecycleStateChange=renamed("orders")).event("COMPLETE", 2)
LINKED = ran("move", 9).writing("orders", symlinks=also_known_as("sales")).event("START", 9)


def sources(database: Database, name: str = "sales", window: Window = NOW, column: str | None = None) -> set[str]:
    """What the dataset, or a column of it, comes from."""
    kind, granularity = EntityKind.DATASET, Granularity.DATASET
    if column:
        kind, granularity = EntityKind.COLUMN, Granularity.COLUMN
    of = (EntityRef(kind, "shop", name, column),)
    with database.read() as connection:
        found = lineage.answer(connection, Question(of, Direction.UPSTREAM, granularity, window=window))
    return {node.name for node in found.nodes if node.depth}


def at(minutes: float) -> Window:
    return Window(micros(minutes), micros(minutes))


@pytest.mark.parametrize("joined", [RENAMED, LINKED], ids=["renamed", "linked"])
@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_a_declaration_takes_the_place_of_one_under_another_name(
    database: Database, joined: bytes, order: tuple[int, ...]
) -> None:
    told = (FIRST, joined, THEN)
    put(database, [[told[place]] for place in order])

    for name in ("orders", "sales"):
        assert sources(database, name) == {"b"}
        assert sources(database, name, at(2)) == {"a"}
        assert sources(database, name, at(0)) == set()
        assert sources(database, name, ALWAYS) == {"a", "b"}


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5], ids=str)
def test_a_declaration_between_two_of_another_name_holds_in_between(database: Database, order: tuple[int, ...]) -> None:
    again = declared_dataset("orders", 5, lineage=drawn_from("a", "c"))
    told = (FIRST, THEN, again, LINKED)
    put(database, [[told[place]] for place in order])

    assert [sources(database, window=at(time)) for time in (1, 2, 3, 4, 5)] == [{"a"}, {"a"}, {"b"}, {"b"}, {"a", "c"}]
    assert sources(database) == {"a", "c"}


@pytest.mark.parametrize("last", [facet(inputs=[]), None], ids=["no source", "nothing"])
def test_a_name_that_declares_no_source_ends_what_another_declared(database: Database, last: Any) -> None:
    put(database, [[FIRST, LINKED, declared_dataset("sales", 3, **({"lineage": last} if last else {}))]])

    assert [sources(database, window=window) for window in (at(2), NOW)] == [{"a"}, set()]


def test_columns_follow(database: Database) -> None:
    def said(source: str) -> dict[str, Any]:
        of = {"namespace": "shop", "name": source, "type": "DATASET", "field": "k"}
        return facet(fields={"x": {"inputs": [of]}})

    events = [declared_dataset("orders", 1, lineage=said("a")), declared_dataset("sales", 3, lineage=said("b"))]
    put(database, [events, [RENAMED]])

    assert [sources(database, window=window, column="x") for window in (at(2), NOW)] == [{"a"}, {"b"}]


def test_names_that_are_joined_by_a_third_one_are_one_history(database: Database) -> None:
    other = ran("move", 9).writing("files", symlinks=also_known_as("sales", "orders")).event("START", 9)
    put(database, [[THEN, FIRST], [other, declared_dataset("files", 4, lineage=drawn_from("c"))]])

    assert [sources(database, "orders", window) for window in (at(2), at(3), NOW)] == [{"a"}, {"b"}, {"c"}]


def test_the_rows_are_the_same_whatever_came_first_and_after_a_rebuild(database: Database) -> None:
    told = (FIRST, THEN, LINKED, RENAMED, declared_dataset("orders", 5, lineage=drawn_from("c")))
    put(database, [told])
    expected = rows(database)
    for order in list(permutations(told))[::11]:
        put(database, [[event] for event in order])
        assert rows(database) == expected
    replay.rebuild(database)
    assert rows(database) == expected


def rows(database: Database) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return list(maintenance.canonical_dump(connection))
