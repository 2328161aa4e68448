"""What was said under several names of one dataset is that dataset's, whichever name it was said under."""

from __future__ import annotations

from itertools import permutations

import pytest

from builders import also_known_as, columns, declared_dataset, dropped, facet, micros, ran
from catalog.domain.ids import dataset_id
from catalog.domain.words import Node, Scope
from catalog.store.engine import Database
from catalog.store.paging import Page
from catalog.store.read import datasets, facets, subjects, versions
from catalog.store.read.datasets import DatasetFilter
from catalog.store.read.snapshot import snapshot
from histories import tell

TABLE, PATH = dataset_id("shop", "table"), dataset_id("shop", "path")

SAID = [
    declared_dataset("table", 0, symlinks=also_known_as("path"), schema=columns(a="int"), x=facet(v=0)),
    declared_dataset("path", 1, schema=columns(b="int"), x=facet(v=1), y=facet(v=1)),
    declared_dataset("table", 2, schema=columns(c="int"), tags=facet(tags=[{"key": "k", "value": "1"}])),
    declared_dataset("path", 3, tags=facet(tags=[{"key": "k", "value": "1"}, {"key": "l", "value": "2"}])),
]


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5], ids=str)
def test_of_what_was_said_under_several_names_the_latest_holds_whatever_came_first(
    database: Database, order: tuple[int, ...]
):
    for place in order:
        tell(database, SAID[place])
    with snapshot(database) as reading:
        rows = reading.ask(datasets.by_ids, [TABLE, PATH])
        assert rows[TABLE] == rows[PATH]
        assert (rows[PATH].id, rows[PATH].name, rows[PATH].created_at) == (TABLE, "table", micros(0))
        held = {row.name: row for row in reading.ask(facets.of_datasets, [TABLE])[TABLE]}
        assert sorted(held) == ["schema", "symlinks", "tags", "x", "y"]
        assert (held["x"].valid_from, held["schema"].valid_from) == (micros(1), micros(2))
        then = reading.ask(facets.of_datasets, [TABLE], micros(1), "schema")[TABLE]
        assert [(row.scope, row.valid_from) for row in then] == [(Scope.DATASET, micros(1))]
        history = reading.ask(facets.schemas, [TABLE])[TABLE]
        ends = [micros(1), micros(2), None]
        assert [(row.valid_from, row.valid_to) for row in history] == list(
            zip(map(micros, range(3)), ends, strict=True)
        )
        assert [tag.key for tag in reading.ask(subjects.tags, [TABLE], Node.DATASET)[TABLE]] == ["k", "l"]


def test_names_are_counted_and_listed_once(database: Database):
    tell(database, *SAID, *ran("j", 9).reading("path").writing("other"))
    with snapshot(database) as reading:
        for wanted in (DatasetFilter(), DatasetFilter(namespace="shop")):
            found = reading.ask(datasets.page, wanted, Page())
            assert [row.name for row in found.items] == ["other", "table"]
            assert reading.ask(datasets.count, wanted) == 2
        assert reading.ask(datasets.aliases, [TABLE]).keys() == {TABLE}
        assert reading.ask(datasets.updated_at, [TABLE])[TABLE] == micros(10)


def test_a_drop_under_one_name_and_a_write_under_another_are_of_the_same_dataset(database: Database):
    tell(database, SAID[0], *ran("drop", 5).writing("path", lifecycleStateChange=dropped()))
    with snapshot(database) as reading:
        assert reading.ask(datasets.deleted_at, [TABLE]) == {TABLE: micros(6)}
    tell(database, *ran("j", 8).writing("table"))
    with snapshot(database) as reading:
        assert reading.ask(datasets.deleted_at, [TABLE]) == {}
        made = reading.ask(versions.of_datasets, [TABLE], Page())[TABLE].items
        assert [(row.dataset_id, row.named_id, row.created_at) for row in made] == [
            (TABLE, TABLE, micros(9)),
            (TABLE, PATH, micros(6)),
        ]


def test_a_snapshot_does_not_see_what_is_committed_later(database: Database):
    tell(database, SAID[0])
    with snapshot(database) as reading:
        before = reading.ask(datasets.count, DatasetFilter())
        tell(database, *ran("j").writing("new"))
        assert reading.ask(datasets.count, DatasetFilter()) == before
    with snapshot(database) as reading:
        assert reading.ask(datasets.count, DatasetFilter()) == before + 1
