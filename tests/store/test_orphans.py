"""What has no lineage: told from what has, had, or contains what has."""

from __future__ import annotations

from typing import Any

import pytest

from builders import also_known_as, columns, declared_dataset, declared_job, drawn_from, dropped, facet, micros, ran
from catalog.domain.errors import BadRequest
from catalog.domain.timeline import ALWAYS, NOW, Window
from catalog.domain.words import EntityKind
from catalog.facets import understood
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database
from catalog.store.paging import Page
from catalog.store.read import orphans
from catalog.store.read.orphans import Wanted

ALL = (EntityKind.DATASET, EntityKind.MODEL, EntityKind.JOB)


@pytest.fixture
def story(database: Database) -> Database:
    dag = ran("dag", 0)
    model = facet(datasetType="MODEL")
    told: list[Any] = [
        dag,
        ran("dag.task", 0.5).inside(dag).reading("a").writing("b"),
        declared_dataset("alone", 1, schema=columns(x="int")),
        declared_dataset("alone too", 1, schema=columns(x="int")),
        declared_dataset("model alone", 1, datasetType=model),
        declared_dataset("view", 2, lineage=drawn_from("table")),
        declared_dataset("named", 3, symlinks=also_known_as("b")),
        ran("silent", 4),
        declared_job("planned", 5, ["p"], ["q"]),
        ran("moved", 6).reading("old").writing("b"),
        ran("moved", 16).reading("new").writing("b"),
    ]
    events = [raw for one in told for raw in ([one] if isinstance(one, bytes) else one)]
    Ingest(database).accept([Received(raw, "test") for raw in events])
    return database


def names(
    database: Database, window: Window = NOW, kinds: tuple[EntityKind, ...] = ALL, namespace: str | None = None
) -> list[tuple[str, str]]:
    with database.read() as connection:
        wanted = Wanted(kinds, window, namespace, understood)
        found = orphans.page(connection, wanted, Page(100))
        assert orphans.count(connection, wanted) == len(found.items)
    return [(one.kind.value, one.name) for one in found.items]


def test_orphans_are_what_no_edge_holds_of_under_any_name(story: Database) -> None:
    expected = [("DATASET", "alone"), ("DATASET", "alone too"), ("DATASET", "old"), ("MODEL", "model alone")]
    assert names(story) == [*expected, ("JOB", "silent")]


def test_what_had_lineage_then_was_no_orphan_nor_was_what_nobody_had_named(story: Database) -> None:
    then = names(story, Window(micros(8), micros(8)))
    assert ("DATASET", "old") not in then
    assert "new" not in [name for _, name in then]
    assert ("DATASET", "old") not in names(story, ALWAYS)


@pytest.mark.parametrize("kind", ALL)
def test_only_the_kinds_that_are_asked_for_are_told(story: Database, kind: EntityKind) -> None:
    assert names(story, kinds=(kind,)) == [one for one in names(story) if one[0] == kind.value]


def test_no_kind_has_no_orphans_and_runs_none_of_their_own(story: Database) -> None:
    assert names(story, kinds=()) == []
    with pytest.raises(BadRequest, match="RUN"):
        names(story, kinds=(EntityKind.RUN,))


def test_pages_put_together_are_the_list(story: Database) -> None:
    found, after = [], None
    with story.read() as connection:
        while True:
            page = orphans.page(connection, Wanted(ALL), Page(2, after))
            found += [(one.kind.value, one.name) for one in page.items]
            if not page.has_next:
                break
            after = page.cursors[-1]
    assert found == names(story)


def test_those_of_one_namespace_are_those_that_are_shown_in_it(story: Database) -> None:
    events = [*ran(("other", "job"), 20), declared_dataset(("other", "d"), 21)]
    Ingest(story).accept([Received(raw, "test") for raw in events])

    assert names(story, namespace="other") == [("DATASET", "d"), ("JOB", "job")]
    assert names(story, namespace="shop") == [one for one in names(story) if one[1] not in ("d", "job")]
    assert names(story, namespace="nowhere") == []


def test_a_dataset_is_among_the_models_while_it_was_one(database: Database) -> None:
    model, table = facet(datasetType="MODEL"), facet(datasetType="TABLE")
    told = [
        declared_dataset("was", 1, datasetType=model), declared_dataset("was", 9, datasetType=table),
        declared_dataset("became", 1), declared_dataset("became", 9, datasetType=model),
        declared_dataset("ever", 1, datasetType=model), declared_dataset("never", 1, datasetType=table),
        declared_dataset("untyped", 1, datasetType=model),
        declared_dataset("untyped", 9, datasetType=facet(_deleted=True)),
    ]  # fmt: skip
    Ingest(database).accept([Received(raw, "test") for raw in told])

    assert names(database, kinds=(EntityKind.MODEL,)) == [("MODEL", "became"), ("MODEL", "ever")]
    then = Window(micros(5), micros(5))
    assert names(database, then, (EntityKind.MODEL,)) == [("MODEL", "ever"), ("MODEL", "untyped"), ("MODEL", "was")]
    assert names(database, then, (EntityKind.DATASET,)) == [("DATASET", "became"), ("DATASET", "never")]


def test_what_is_gone_is_no_orphan_but_was_one(database: Database) -> None:
    gone = declared_dataset("gone", 5, lifecycleStateChange=dropped())
    events = [declared_dataset("gone", 1, schema=columns(x="int")), gone]
    Ingest(database).accept([Received(raw, "test") for raw in events])

    assert names(database) == []
    assert names(database, Window(micros(2), micros(2))) == [("DATASET", "gone")]
    assert names(database, Window(micros(2), micros(8))) == [("DATASET", "gone")]
