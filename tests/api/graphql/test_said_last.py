"""Tags, owners and the type of a dataset with several names: what was said last, under whichever of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from builders import also_known_as, declared_dataset, drawn_from, facet, moment, ran, renamed
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database
from histories import put

Ask = Callable[..., Any]

SALES = 'dataset(namespace: "shop", name: "sales")'


def tagged(*keys: str, **on_columns: str) -> dict[str, Any]:
    columns = [{"key": key, "value": "true", "field": column} for column, key in on_columns.items()]
    return facet(tags=[*({"key": key, "value": "true"} for key in keys), *columns])


def owned(*names: str) -> dict[str, Any]:
    return facet(owners=[{"name": name} for name in names])


def stories(*, tags: Any, ownership: Any) -> list[bytes]:
    """A dataset is tagged and owned, renamed, and then this is said of it by its new name."""
    return [
        declared_dataset("orders", 1, tags=tagged("pii", id="key"), ownership=owned("ann")),
        declared_dataset("sales", 2, lifecycleStateChange=renamed("orders")),
        declared_dataset("sales", 3, tags=tags, ownership=ownership),
        declared_dataset("report", 4, lineage=drawn_from("orders")),
    ]


@pytest.mark.parametrize("order", list(permutations(range(3)))[::2], ids=str)
@pytest.mark.parametrize("nothing", [(tagged(), owned()), (facet(_deleted=True),) * 2], ids=["empty", "deleted"])
def test_what_is_taken_away_under_the_new_name_is_gone(
    database: Database, ask: Ask, order: tuple[int, ...], nothing: tuple[Any, Any]
) -> None:
    told = stories(tags=nothing[0], ownership=nothing[1])
    put(database, [[told[place]] for place in (*order, 3)])

    of = '{kind: DATASET, namespace: "shop", name: "report"}'
    found = ask(
        f"""{{ {SALES} {{ tags {{ key }} owners {{ name }} fields {{ name }} }}
        impact(direction: UPSTREAM, of: [{of}]) {{ byTag {{ name }} byOwner {{ name }} withoutOwner }}
        of_tag: datasets(filter: {{tag: "pii"}}) {{ totalCount }}
        of_owner: datasets(filter: {{owner: "ann"}}) {{ totalCount }}
        searched: search(text: "tag:pii") {{ totalCount }} }}"""
    )
    assert found == {
        "dataset": {"tags": [], "owners": [], "fields": []},
        "impact": {"byTag": [], "byOwner": [], "withoutOwner": 1},
        "of_tag": {"totalCount": 0},
        "of_owner": {"totalCount": 0},
        "searched": {"totalCount": 0},
    }


def test_until_then_what_was_said_under_the_former_name_holds(database: Database, ask: Ask) -> None:
    put(database, [stories(tags=tagged("late", id="hash"), ownership=owned("ben"))])

    then = f'lineage(depth: 0, asOf: "{moment(2)}") {{ nodes {{ tags owners }} }}'
    said = "tags { key } owners { name } fields { name tags { key } }"
    found = ask(f"{{ {SALES} {{ {said} {then} }} }}")["dataset"]
    assert found["tags"] == [{"key": "late"}]
    assert found["fields"] == [{"name": "id", "tags": [{"key": "hash"}]}]
    assert found["owners"] == [{"name": "ben"}]
    assert found["lineage"]["nodes"] == [{"tags": ["pii"], "owners": ["ann"]}]
    for filter, total in (('tag: "late"', 1), ('tag: "pii"', 0), ('owner: "ben"', 1), ('owner: "ann"', 0)):
        assert ask(f"{{ datasets(filter: {{{filter}}}) {{ totalCount }} }}") == {"datasets": {"totalCount": total}}


def test_a_former_name_that_speaks_again_is_heard(database: Database, ask: Ask) -> None:
    put(
        database,
        [stories(tags=tagged("late"), ownership=owned("ben")), [declared_dataset("orders", 9, tags=tagged("x"))]],
    )

    assert ask(f"{{ {SALES} {{ tags {{ key }} owners {{ name }} }} }}")["dataset"] == {
        "tags": [{"key": "x"}],
        "owners": [{"name": "ben"}],
    }


def test_of_two_names_in_one_event_the_shown_one_says_what_holds(database: Database, ask: Ask) -> None:
    told = ran("etl", 1).writing("sales", tags=tagged("shown"), symlinks=also_known_as("path"))
    put(database, [[told.writing("path", tags=tagged("other")).event("COMPLETE", 1)]])

    then = f'lineage(depth: 0, asOf: "{moment(1)}") {{ nodes {{ tags }} }}'
    found = ask(f'{{ {SALES} {{ tags {{ key }} {then} facet(name: "tags") {{ payload }} }} }}')["dataset"]
    assert found["tags"] == [{"key": "shown"}]
    assert found["lineage"]["nodes"] == [{"tags": ["shown"]}]
    assert found["facet"]["payload"]["tags"] == [{"key": "shown", "value": "true"}]


# Whether it is a model.

TABLE, MODEL = facet(datasetType="TABLE"), facet(datasetType="MODEL")


def typed(*said: tuple[str, float, Any]) -> list[bytes]:
    """A dataset that is renamed from orders to sales, and what type it is said to have."""
    types = [declared_dataset(name, at, datasetType=type) for name, at, type in said]
    return [declared_dataset("sales", 2, lifecycleStateChange=renamed("orders")), *types]


TYPED: dict[str, tuple[list[bytes], str, str | None]] = {
    "the shown name": (typed(("orders", 1, MODEL), ("sales", 3, TABLE)), "DATASET", "TABLE"),
    "the former name": (typed(("sales", 3, TABLE), ("orders", 4, MODEL)), "MODEL", "MODEL"),
    "the former name alone": (typed(("orders", 1, MODEL)), "MODEL", "MODEL"),
    "nothing any more": (typed(("sales", 3, MODEL), ("orders", 4, facet(_deleted=True))), "DATASET", None),
    "the former name again": (
        [declared_dataset("sales", 4, datasetType=TABLE, lifecycleStateChange=renamed("orders")),
         *(declared_dataset("orders", at, datasetType=type) for at, type in ((1, MODEL), (3, TABLE), (5, MODEL)))],
        "MODEL", "MODEL",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("told", "kind", "type"), TYPED.values(), ids=TYPED)
def test_it_is_a_model_if_the_type_that_was_said_last_says_so_in_every_answer_and_in_any_order(
    database: Database, ask: Ask, told: list[bytes], kind: str, type: str | None
) -> None:
    report = declared_dataset("report", 9, lineage=drawn_from("sales"))
    of = '{kind: DATASET, namespace: "shop", name: "report"}'
    asked = f"""{{ {SALES} {{ type lineage(depth: 0) {{ nodes {{ kind }} }} }}
        models: datasets(filter: {{type: "MODEL"}}) {{ totalCount }}
        tables: datasets(filter: {{type: "TABLE"}}) {{ totalCount }}
        searched: search(text: "sales", kinds: [{kind}]) {{ nodes {{ kind }} }}
        now: impact(direction: UPSTREAM, of: [{of}]) {{ byKind {{ kind }} }}
        then: impact(direction: UPSTREAM, of: [{of}], asOf: "{moment(9)}") {{ byKind {{ kind }} }} }}"""
    for order in permutations(told):
        put(database, [[event] for event in order])
        alone = ask("{ orphans { nodes { kind } } }")["orphans"]
        Ingest(database).accept([Received(report, "test")])
        assert {"orphans": alone, **ask(asked)} == {
            "orphans": {"nodes": [{"kind": kind}]},
            "dataset": {"type": type, "lineage": {"nodes": [{"kind": kind}]}},
            "models": {"totalCount": int(type == "MODEL")},
            "tables": {"totalCount": int(type == "TABLE")},
            "searched": {"nodes": [{"kind": kind}]},
            "now": {"byKind": [{"kind": kind}]},
            "then": {"byKind": [{"kind": kind}]},
        }


def test_it_was_a_model_while_that_was_what_was_said_last(database: Database, ask: Ask) -> None:
    told = [("orders", 1, MODEL), ("sales", 3, TABLE), ("orders", 4, facet(_deleted=True)), ("sales", 5, MODEL)]
    put(database, [typed(*told)])

    for at, kind, type in ((1, "MODEL", "MODEL"), (3, "DATASET", "TABLE"), (4, "DATASET", None), (5, "MODEL", "MODEL")):
        then = f'asOf: "{moment(at)}"'
        found = ask(
            f"{{ {SALES} {{ lineage(depth: 0, {then}) {{ nodes {{ kind entity {{ ... on Dataset {{ type }} }} }} }} }}"
            f" orphans({then}) {{ nodes {{ kind }} }} }}"
        )
        assert found["dataset"]["lineage"]["nodes"] == [{"kind": kind, "entity": {"type": type}}]
        assert found["orphans"]["nodes"] == [{"kind": kind}]


def test_of_two_names_in_one_event_the_type_of_the_shown_one_counts(database: Database, ask: Ask) -> None:
    told = ran("train", 1).writing("sales", datasetType=TABLE, symlinks=also_known_as("path"))
    put(database, [[told.writing("path", datasetType=MODEL).event("COMPLETE", 1)]])

    nodes = f'{{ nodes {{ kind }} }} then: lineage(depth: 0, asOf: "{moment(1)}") {{ nodes {{ kind }} }}'
    found = ask(f'{{ {SALES} {{ type lineage(depth: 0) {nodes} }} search(text: "sales") {{ nodes {{ kind }} }} }}')
    shown = {"nodes": [{"kind": "DATASET"}]}
    assert found == {"dataset": {"type": "TABLE", "lineage": shown, "then": shown}, "search": shown}
