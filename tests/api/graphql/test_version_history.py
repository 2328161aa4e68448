"""Which version of a job held when, and what a job that went back to one of them did."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby, pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import Ran, also_known_as, declared_dataset, facet, moment, ran, renamed
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import execute
from catalog.store.engine import Database
from conftest import NewDatabase
from histories import put

Tell = Callable[..., Any]
Ask = Callable[..., Any]

ROOMY = Limits(max_cost=10_000_000, max_tokens=5_000)
STRETCH = """validFrom validTo runCount again firstRun { runId } version { id runCount code { version } }
    changes { sinceCommit codeRemoved { version } inputsAdded { name } inputsRemoved { name } }"""


def at_commit(story: Ran, commit: str) -> Ran:
    return story.job_with(sourceCodeLocation=facet(type="git", url="https://x/y", version=commit))


def deployed(commit: str, at: float, *reads: str) -> Ran:
    return at_commit(ran("etl", at, f"{commit}{at}"), commit).reading("raw", *reads).writing("mart")


def history(ask: Ask, page: str = "") -> Any:
    return ask(
        f"""{{ job(namespace: "shop", name: "etl") {{ versions {{ totalCount }}
        versionHistory{page} {{ totalCount pageInfo {{ endCursor hasNextPage }} nodes {{ {STRETCH} }} }} }} }}"""
    )["job"]


def test_a_job_that_went_back_to_old_code_has_that_version_again(tell: Tell, ask: Ask) -> None:
    tell(deployed("A", 0), deployed("A", 10), deployed("B", 20, "extra"), deployed("A", 30), deployed("A", 40))
    found = history(ask)
    back, new, old = found["versionHistory"]["nodes"]
    assert (found["versions"]["totalCount"], found["versionHistory"]["totalCount"]) == (2, 3)
    assert [(one["validFrom"], one["validTo"], one["runCount"], one["again"]) for one in (back, new, old)] == [
        (moment(31), None, 2, True), (moment(21), moment(31), 1, False), (moment(1), moment(21), 2, False),
    ]  # fmt: skip
    assert back["version"] == old["version"] == {
        "id": old["version"]["id"], "runCount": 4, "code": [{"version": "A"}],
    }  # fmt: skip
    assert (old["changes"], back["firstRun"]) == (None, {"runId": "A30"})
    assert new["changes"] == {
        "sinceCommit": "B", "codeRemoved": [{"version": "A"}], "inputsAdded": [{"name": "extra"}], "inputsRemoved": [],
    }  # fmt: skip
    assert back["changes"] == {
        "sinceCommit": "A", "codeRemoved": [{"version": "B"}], "inputsAdded": [], "inputsRemoved": [{"name": "extra"}],
    }  # fmt: skip


def test_a_run_heard_of_late_goes_where_it_ended(tell: Tell, ask: Ask) -> None:
    tell(deployed("A", 0), deployed("A", 40))
    assert [one["runCount"] for one in history(ask)["versionHistory"]["nodes"]] == [2]
    tell(deployed("B", 20), deployed("B", 10).failing())
    assert [(one["runCount"], one["again"]) for one in history(ask)["versionHistory"]["nodes"]] == [
        (1, True), (1, False), (1, False),
    ]  # fmt: skip


JOINED = {
    "symlink": declared_dataset("mart", 9, symlinks=also_known_as("s3")),
    "rename": declared_dataset("s3", 9, lifecycleStateChange=renamed("mart")),
}


@pytest.mark.parametrize("learnt", ["before", "after"])
@pytest.mark.parametrize("how", JOINED)
def test_a_job_goes_on_with_its_version_when_a_dataset_gets_another_name(
    tell: Tell, ask: Ask, learnt: str, how: str
) -> None:
    runs = [
        ran("etl", 0, "0").reading("raw").writing("mart"),
        ran("etl", 10, "1").reading("raw").writing("s3"),
        ran("etl", 20, "2").reading("raw").writing("mart"),
        ran("etl", 30, "3").reading("raw", "more").writing("s3"),
    ]
    tell(*([JOINED[how], *runs] if learnt == "before" else [*runs, JOINED[how]]))

    assert [
        (one["validFrom"], one["runCount"], one["again"], one["version"]["runCount"])
        for one in history(ask)["versionHistory"]["nodes"]
    ] == [(moment(31), 1, False, 1), (moment(1), 3, False, 3)]
    changes = "changes { inputsAdded { name } outputsAdded { name } }"
    found = ask(f"""{{ job(namespace: "shop", name: "etl") {{
        versions {{ totalCount nodes {{ runCount latestRun {{ runId }} {changes} }} }} }} }}""")["job"]
    assert found["versions"]["totalCount"] == 2
    last, first = found["versions"]["nodes"]
    assert (first["runCount"], first["latestRun"], first["changes"]) == (3, {"runId": "2"}, None)
    assert last["changes"] == {"inputsAdded": [{"name": "more"}], "outputsAdded": []}


def test_what_a_job_made_under_either_name_of_a_dataset_has_the_same_content(tell: Tell, ask: Ask) -> None:
    tell(JOINED["symlink"], ran("etl", 0).reading("raw").writing("mart"), ran("etl", 10).reading("raw").writing("s3"))
    versions = ask('{ dataset(namespace: "shop", name: "mart") { versions { nodes { contentId } } } }')["dataset"]
    one, other = versions["versions"]["nodes"]
    assert one == other


def test_stretches_are_paged(tell: Tell, ask: Ask) -> None:
    tell(*(deployed("AB"[n % 2], 10 * n) for n in range(5)))
    seen, after = [], ""
    while True:
        page = history(ask, f"(first: 2{after})")["versionHistory"]
        assert page["totalCount"] == 5
        seen += [one["firstRun"]["runId"] for one in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = f', after: "{page["pageInfo"]["endCursor"]}"'
    assert seen == ["A40", "B30", "A20", "B10", "A0"]


def test_as_of_a_moment_there_are_the_versions_and_stretches_of_then(tell: Tell, ask: Ask) -> None:
    tell(deployed("A", 0), deployed("B", 10), deployed("A", 20))
    job = 'of: [{kind: JOB, namespace: "shop", name: "etl"}], granularity: JOB, depth: 0, maxNodes: 1'
    said = """versions { totalCount nodes { runCount latestRun { runId } } }
        versionHistory { totalCount nodes { validTo again version { runCount } } }"""
    for at, versions, stretches in (
        (5, [(1, "A0")], [(None, False, 1)]),
        (15, [(1, "B10"), (1, "A0")], [(None, False, 1), (moment(11), False, 1)]),
        (25, [(1, "B10"), (2, "A20")], [(None, True, 2), (moment(21), False, 1), (moment(11), False, 2)]),
    ):
        query = f'{{ lineage({job}, asOf: "{moment(at)}") {{ nodes {{ entity {{ ... on Job {{ {said} }} }} }} }} }}'
        (node,) = ask(query)["lineage"]["nodes"]
        seen, held = (node["entity"][name] for name in ("versions", "versionHistory"))
        assert (seen["totalCount"], held["totalCount"]) == (len(versions), len(stretches))
        assert [(one["runCount"], one["latestRun"]["runId"]) for one in seen["nodes"]] == versions
        assert [(one["validTo"], one["again"], one["version"]["runCount"]) for one in held["nodes"]] == stretches


def test_stretches_are_the_completed_runs_in_their_order_those_of_a_kind_in_a_row_as_one(
    new_database: NewDatabase, engine_name: str
) -> None:
    def said(database: Database) -> Any:
        query = f'{{ job(namespace: "shop", name: "etl") {{ versionHistory {{ nodes {{ {STRETCH} }} }} }} }}'
        result = execute(database, query, limits=ROOMY)
        assert result.errors is None, result.errors
        return orjson.loads(orjson.dumps(result.data))["job"]["versionHistory"]["nodes"]

    with new_database() as database:

        @settings(max_examples=settings().max_examples // (3 if engine_name == "sqlite" else 10))
        @given(st.lists(st.sampled_from("ABC"), min_size=1, max_size=8), st.randoms(use_true_random=False))
        def agree(commits: list[str], random: Any) -> None:
            runs = [list(deployed(commit, n)) for n, commit in enumerate(commits)]
            put(database, [random.sample([event for run in runs for event in run], 2 * len(runs))])
            expected: list[tuple[str, int, bool, str]] = []
            for commit, group in groupby(enumerate(commits), lambda pair: pair[1]):
                first, *rest = (n for n, _ in group)
                again = commit in {before for before, *_ in expected}
                expected.append((commit, 1 + len(rest), again, f"{commit}{first}"))
            found = said(database)[::-1]
            shown = [
                (one["version"]["code"][0]["version"], one["runCount"], one["again"], one["firstRun"]["runId"])
                for one in found
            ]
            assert shown == expected
            assert all(one["validTo"] == following["validFrom"] for one, following in pairwise(found))
            assert [one["changes"]["sinceCommit"] for one in found[1:]] == [commit for commit, *_ in expected[1:]]

        agree()
