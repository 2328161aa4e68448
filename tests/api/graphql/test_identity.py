"""Names, versions and what changed from one to the next, as GraphQL answers them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from builders import also_known_as, columns, declared_dataset, declared_job, dropped, facet, moment, ran, renamed
from catalog.api.graphql.schema import execute
from catalog.store.engine import Database
from histories import put

Tell = Callable[..., Any]
Ask = Callable[..., Any]

CONFLICTS = """identityConflicts { doubt since name { namespace name } other { name } run { runId job { name } }
    event { kind eventTime } }"""


def one(ask: Ask, name: str, fields: str) -> Any:
    return ask(f'{{ dataset(namespace: "shop", name: "{name}") {{ {fields} }} }}')["dataset"]


def versions(ask: Ask, fields: str, name: str = "d") -> list[Any]:
    found: list[Any] = one(ask, name, f"versions {{ nodes {{ {fields} }} }}")["versions"]["nodes"]
    return found


def job_versions(ask: Ask, fields: str) -> list[Any]:
    asked = f'{{ job(namespace: "shop", name: "etl") {{ versions {{ nodes {{ {fields} }} }} }} }}'
    found: list[Any] = ask(asked)["job"]["versions"]["nodes"]
    return found


SPLITTING = [
    declared_dataset("table", 0, symlinks=also_known_as("path", "link")),
    declared_dataset("table", 1, symlinks=also_known_as("path", "link")),
    ran("etl", 2, "r").writing("table", symlinks=also_known_as("link")).event("RUNNING", 2),
    declared_dataset("path", 3),
]


@pytest.mark.parametrize("order", list(permutations(range(4)))[::3], ids=str)
def test_a_name_that_a_dataset_no_longer_gives_stays_its_own_and_is_reported(
    database: Database, ask: Ask, order: tuple[int, ...]
) -> None:
    put(database, [[SPLITTING[place]] for place in order])

    found = one(ask, "path", f"name aliases {{ name }} {CONFLICTS}")
    assert (found["name"], found["aliases"]) == ("table", [{"name": "link"}, {"name": "path"}])
    assert found["identityConflicts"] == [
        {
            "doubt": "WITHDRAWN",
            "since": moment(2),
            "name": {"namespace": "shop", "name": "table"},
            "other": {"name": "path"},
            "run": {"runId": "r", "job": {"name": "etl"}},
            "event": {"kind": "RUN", "eventTime": moment(2)},
        }
    ]


def test_a_deleted_facet_withdraws_every_name_and_one_nobody_can_read_none(tell: Tell, ask: Ask):
    tell(
        declared_dataset("table", 0, symlinks=also_known_as("path")),
        declared_dataset("table", 1, symlinks=facet(identifiers=7)),
    )
    assert one(ask, "table", CONFLICTS) == {"identityConflicts": []}
    tell(declared_dataset("table", 2, symlinks=facet(_deleted=True)))
    (found,) = one(ask, "table", CONFLICTS)["identityConflicts"]
    assert (found["other"], found["since"], found["run"]) == ({"name": "path"}, moment(2), None)
    assert found["event"] == {"kind": "DATASET", "eventTime": moment(2)}
    tell(declared_dataset("path", 3, symlinks=also_known_as("table")))
    assert one(ask, "table", CONFLICTS) == {"identityConflicts": []}


def test_a_former_name_that_is_written_again_is_reported_with_who_wrote_it(tell: Tell, ask: Ask):
    tell(ran("fill", 0).writing("old"), ran("move", 10, "m").writing("new", lifecycleStateChange=renamed("old")))
    said = f"name renames {{ at before {{ name }} after {{ name }} run {{ runId }} }} {CONFLICTS}"
    assert one(ask, "old", said) == {
        "name": "new",
        "renames": [{"at": moment(11), "before": {"name": "old"}, "after": {"name": "new"}, "run": {"runId": "m"}}],
        "identityConflicts": [],
    }
    # A run that failed has written nothing.
    tell(ran("fill", 15, "failed").writing("old").failing())
    assert one(ask, "new", CONFLICTS)["identityConflicts"] == []
    tell(ran("fill", 20, "again").writing("old"))
    (found,) = one(ask, "new", CONFLICTS)["identityConflicts"]
    assert (found["doubt"], found["since"], found["run"]["runId"]) == ("USED_AGAIN", moment(20), "again")
    assert (found["name"]["name"], found["other"]["name"]) == ("new", "old")
    assert found["event"] == {"kind": "RUN", "eventTime": moment(20)}


def test_each_schema_says_what_is_other_than_in_the_one_before(tell: Tell, ask: Ask):
    nested = facet(
        fields=[
            {"name": "b", "type": "text", "description": "bee"},
            {"name": "a", "type": "struct", "fields": [{"name": "x", "type": "int"}]},
        ]
    )
    tell(
        ran("j", 0).writing("d", schema=columns(a="int", b="text", c="date")),
        ran("j", 10).writing("d", schema=nested),
    )
    what = """changes { added { name type } removed { name type } retyped { name before after }
        moved { name before after } redescribed }"""
    first, second = one(ask, "d", f"schemaHistory {{ validFrom {what} }}")["schemaHistory"]
    assert first["changes"] is None
    moved = second["changes"].pop("moved")
    assert moved in ([{"name": "a", "before": 1, "after": 2}], [{"name": "b", "before": 2, "after": 1}])
    assert second["changes"] == {
        "added": [{"name": "a.x", "type": "int"}],
        "removed": [{"name": "c", "type": "date"}],
        "retyped": [{"name": "a", "before": "int", "after": "struct"}],
        "redescribed": ["b"],
    }


def test_the_schema_history_goes_on_over_a_rename(tell: Tell, ask: Ask):
    tell(
        ran("j", 0).writing("old", schema=columns(a="int")),
        ran("move", 10).writing("new", lifecycleStateChange=renamed("old"), schema=columns(a="int", b="int")),
    )
    history = one(ask, "new", "schemaHistory { validFrom changes { added { name } } }")["schemaHistory"]
    assert history == [
        {"validFrom": moment(0), "changes": None},
        {"validFrom": moment(10), "changes": {"added": [{"name": "b"}]}},
    ]


@pytest.mark.parametrize("change", ["TRUNCATE", "OVERWRITE", "DROP"])
def test_what_becomes_of_a_dataset_is_a_version_whoever_tells_it(tell: Tell, ask: Ask, change: str):
    tell(
        ran("j", 0).writing("d"),
        ran("j", 10, "told").writing("d", lifecycleStateChange=dropped(change)),
        declared_dataset("d", 20, lifecycleStateChange=dropped(change)),
    )
    assert versions(ask, "createdAt lifecycle run { runId }")[:2] == [
        {"createdAt": moment(20), "lifecycle": [change], "run": None},
        {"createdAt": moment(11), "lifecycle": [change], "run": {"runId": "told"}},
    ]


def test_a_dropped_dataset_conducts_nothing_until_it_is_written_again(tell: Tell, ask: Ask):
    tell(
        ran("load", 0).reading("raw").writing("d"),
        ran("tidy", 10).writing("d", lifecycleStateChange=dropped()),
        ran("load", 20).reading("raw").writing("d"),
    )
    for at, around in ((5, 2), (11, 1), (15, 1), (20, 2), (30, 2)):
        lineage = one(ask, "d", f'lineage(asOf: "{moment(at)}") {{ nodes {{ name }} }}')["lineage"]
        assert (at, len(lineage["nodes"])) == (at, around)


def measured(rows: int) -> dict[str, Any]:
    return facet(rowCount=rows, size=rows * 8)


def test_versions_with_the_same_content_have_the_same_id_and_others_have_not(tell: Tell, ask: Ask):
    schema, wider = columns(a="int"), columns(a="int", b="int")
    tell(
        ran("j", 0).writing("d", schema=schema).writing("e"),
        ran("j", 10).writing("d", schema=schema).writing("e"),
        ran("j", 20).writing("d", schema=wider).writing("e"),
        ran("k", 30).writing("d", schema=wider),
        ran("k", 40).writing("d", schema=wider, lifecycleStateChange=dropped("TRUNCATE")),
    )
    truncated, by_another_job, widened, again, first = (v["contentId"] for v in versions(ask, "contentId"))
    assert first == again
    assert len({first, widened, by_another_job, truncated}) == 4
    assert len(first) == 16


def test_how_much_was_written_is_content_and_what_the_storage_calls_it_is_all_of_it(tell: Tell, ask: Ask):
    def written(at: float, rows: int, **facets: Any) -> Any:
        story = ran("j", at).writing("d", **facets)
        outputs = tuple({**output, "outputFacets": {"outputStatistics": measured(rows)}} for output in story.outputs)
        return type(story)(story.job, story.run, at, outputs=outputs)

    label = facet(datasetVersion="snapshot-1")
    tell(written(0, 5), written(10, 5), written(20, 6), written(30, 6, version=label), written(40, 7, version=label))
    ids = [v["contentId"] for v in reversed(versions(ask, "contentId"))]
    assert [ids.index(id) for id in ids] == [0, 0, 2, 3, 3]


def located(commit: str, branch: str = "main") -> dict[str, Any]:
    return facet(type="git", url="https://x/etl.py", repoUrl="https://x", version=commit, branch=branch)


CHANGES = """createdAt changes { sinceCommit codeChanged codeAdded { version } codeRemoved { version }
    inputsAdded { name } inputsRemoved { name } outputsAdded { name } outputsRemoved { name }
    columnsAdded { source { name } sourceColumn target { name } targetColumn transformation { type } }
    columnsRemoved { sourceColumn } }"""


def test_each_version_of_a_job_says_what_is_new_and_since_which_commit(tell: Tell, ask: Ask):
    tell(
        ran("etl", 0).reading("a", "b").writing("out").job_with(sourceCodeLocation=located("c1")),
        ran("etl", 10).reading("a", "c").writing("out").job_with(sourceCodeLocation=located("c2")),
        ran("etl", 20).reading("a").from_columns("out", x=[("a", "y")]).job_with(sourceCodeLocation=located("c2")),
        ran("etl", 30).failing().reading("z"),
    )
    third, second, first = job_versions(ask, CHANGES)
    assert (first["createdAt"], first["changes"]) == (moment(1), None)
    assert second["changes"] == {
        "sinceCommit": "c2",
        "codeChanged": ["version"],
        "codeAdded": [{"version": "c2"}],
        "codeRemoved": [{"version": "c1"}],
        "inputsAdded": [{"name": "c"}],
        "inputsRemoved": [{"name": "b"}],
        "outputsAdded": [],
        "outputsRemoved": [],
        "columnsAdded": [],
        "columnsRemoved": [],
    }
    column = {"source": {"name": "a"}, "sourceColumn": "y", "target": {"name": "out"}, "targetColumn": "x"}
    assert (third["changes"]["sinceCommit"], third["changes"]["codeChanged"]) == (None, [])
    assert third["changes"]["inputsRemoved"] == [{"name": "c"}]
    assert third["changes"]["columnsAdded"] == [{**column, "transformation": None}]


def test_a_dataset_under_another_of_its_names_is_no_change_of_a_job(tell: Tell, ask: Ask):
    tell(
        declared_dataset("table", 0, symlinks=also_known_as("path")),
        declared_job("etl", 0),
        ran("etl", 1).reading("table").writing("out"),
        ran("etl", 10).reading("path").writing("out"),
        ran("etl", 20).reading("path", "more").writing("out"),
    )
    later, _ = job_versions(ask, CHANGES)
    assert (later["changes"]["inputsAdded"], later["changes"]["inputsRemoved"]) == ([{"name": "more"}], [])


def test_changes_are_found_again_by_the_id_of_a_version(database: Database, tell: Tell, ask: Ask):
    tell(ran("etl", 0).reading("a"), ran("etl", 10).reading("b"))
    later, _ = job_versions(ask, "id")
    result = execute(database, f'{{ node(id: "{later["id"]}") {{ ... on JobVersion {{ changes {{ sinceCommit '
                               "inputsAdded { name } } } } }")  # fmt: skip
    assert result.errors is None
    assert result.data == {"node": {"changes": {"sinceCommit": None, "inputsAdded": [{"name": "b"}]}}}
