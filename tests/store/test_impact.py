"""Counts of what lies beyond: the same as counting the nodes of the answer, in a few statements."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from builders import facet, ran
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.words import Direction, EntityKind, Granularity
from catalog.ingest.accept import Ingest, Received
from catalog.store import impact as module
from catalog.store.engine import Database
from catalog.store.impact import Impact, impact
from catalog.store.lineage import answer

ROOT = EntityRef(EntityKind.DATASET, "shop", "a")
ASKED = Question((ROOT,), Direction.DOWNSTREAM, depth=9)


def tagged(*tags: tuple[str, str, str | None]) -> dict[str, Any]:
    return facet(tags=[{"key": key, "value": value, "field": field} for key, value, field in tags])


def owned(*names: str) -> dict[str, Any]:
    return facet(owners=[{"name": name, "type": "OWNER"} for name in names])


@pytest.fixture
def story(database: Database) -> Database:
    flows = facet(fields={"m": {"inputFields": [{"namespace": "shop", "name": "b", "field": "k"}]}})
    told = [
        ran("ab", 0).reading("a").writing("b", tags=tagged(("pii", "true", None)), ownership=owned("x", "y")),
        ran("bc", 1).reading("b").writing(
            ("lake", "c"), tags=tagged(("tier", "1", None), ("pii", "true", "m")), ownership=owned("y"),
            columnLineage=flows,
        ),
        ran("bd", 2).job_with(ownership=owned("z"), tags=tagged(("tier", "1", None))).reading("b").writing("d"),
        ran("de", 3).reading("d").writing("e", datasetType=facet(datasetType="MODEL")),
    ]  # fmt: skip
    Ingest(database).accept([Received(raw, "test") for one in told for raw in one])
    return database


def count(database: Database, question: Question = ASKED) -> Impact:
    with database.read() as connection:
        return impact(connection, question)


def test_things_are_counted_by_kind_depth_namespace_owner_and_tag(story: Database) -> None:
    found = count(story)
    assert found == Impact(
        total=4,
        by_kind=[(EntityKind.DATASET, 3), (EntityKind.MODEL, 1)],
        by_depth=[(1, 1), (2, 2), (3, 1)],
        by_namespace=[("shop", 3), ("lake", 1)],
        by_owner=[("y", 2), ("x", 1)],
        by_tag=[("pii", 1), ("tier=1", 1)],
        without_owner=2,
        truncated_by=None,
    )


def test_jobs_count_with_their_own_owners_and_tags(story: Database) -> None:
    found = count(story, replace(ASKED, granularity=Granularity.JOB))
    assert (found.total, dict(found.by_kind)[EntityKind.JOB]) == (8, 4)
    assert dict(found.by_owner) == {"x": 1, "y": 2, "z": 1}
    assert dict(found.by_tag) == {"pii": 1, "tier=1": 2}


def test_columns_count_with_their_own_tags_and_the_owners_of_their_dataset(story: Database) -> None:
    column = replace(ROOT, kind=EntityKind.COLUMN, name="b", column="k")
    found = count(story, replace(ASKED, of=(column,), granularity=Granularity.COLUMN))
    assert (found.by_kind, found.by_owner, found.by_tag) == ([(EntityKind.COLUMN, 1)], [("y", 1)], [("pii", 1)])


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("depth", [0, 1, 9])
def test_the_counts_are_those_of_the_nodes_of_the_answer(story: Database, direction: Direction, depth: int) -> None:
    question = replace(ASKED, of=(replace(ROOT, name="b"),), direction=direction, depth=depth)
    with story.read() as connection:
        nodes = [node for node in answer(connection, question).nodes if node.depth]
    found = count(story, question)
    assert found.total == len(nodes)
    assert dict(found.by_depth) == Counter(node.depth for node in nodes)
    assert dict(found.by_namespace) == Counter(node.namespace for node in nodes)


def test_counts_that_are_not_of_all_say_so(story: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert count(story, replace(ASKED, max_nodes=3)).truncated_by == "maxNodes"
    monkeypatch.setattr(module, "MOST_COUNTED", 1)
    found = count(story)
    assert (found.by_owner, found.truncated_by) == ([("y", 2)], "maxCounted")


def test_many_things_cost_as_many_statements_as_few(story: Database, statements: Any) -> None:
    wide = ran("wide", 9).reading("w").writing(*(f"w{n}" for n in range(50)), ownership=owned("o"))
    narrow = ran("narrow", 9).reading("v").writing("v0", ownership=owned("o"))
    Ingest(story).accept([Received(raw, "test") for one in (wide, narrow) for raw in one])
    seen = []
    for name, total in (("v", 1), ("w", 50)):
        with statements(story) as asked:
            assert count(story, replace(ASKED, of=(replace(ROOT, name=name),))).total == total
        seen.append(len(asked))
    assert seen[0] == seen[1]
