"""Versions of a dataset that are known because a reader named them, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import given, note, settings
from hypothesis import strategies as st

from builders import also_known_as, columns, declared_dataset, facet, moment, ran
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import execute
from catalog.store.engine import Database
from conftest import NewDatabase
from histories import put, told

Tell = Callable[..., Any]
Ask = Callable[..., Any]

ROOMY = Limits(max_cost=10_000_000, max_tokens=5_000)


def labelled(label: str) -> dict[str, Any]:
    return facet(datasetVersion=label)


def of(ask: Ask, name: str = "d") -> Any:
    said = "versions { totalCount nodes { version createdAt run { runId } } } latestVersion { version createdAt }"
    found = ask(f'{{ dataset(namespace: "shop", name: "{name}") {{ {said} }} }}')["dataset"]
    rows = found["versions"]["nodes"]
    assert found["versions"]["totalCount"] == len(rows)
    assert found["latestVersion"] == (
        {"version": rows[0]["version"], "createdAt": rows[0]["createdAt"]} if rows else None
    )
    return [(row["version"], row["createdAt"], row["run"] and row["run"]["runId"]) for row in rows]


def test_a_version_that_only_readers_named_is_one_since_the_first_named_it(tell: Tell, ask: Ask) -> None:
    tell(
        ran("a", 10).reading("d", version=labelled("s7")), ran("b", 5).reading("d", version=labelled("s7")),
        ran("c", 20).reading("d", version=labelled("s8")).failing(), ran("e", 30).reading("d"),
    )  # fmt: skip
    assert of(ask) == [("s8", moment(20), None), ("s7", moment(5), None)]


def test_a_reader_that_named_it_at_its_end_named_it_then(tell: Tell, ask: Ask) -> None:
    story = ran("a", 10).reading("d")
    tell(story.event("START", 10), ran("a", 10).reading("d", version=labelled("s7")).event("COMPLETE", 15))
    assert of(ask) == [("s7", moment(15), None)]
    # Another one had begun to name it before, and was heard of late.
    tell(ran("b", 12, "late").reading("d", version=labelled("s7")))
    assert of(ask) == [("s7", moment(12), None)]


def test_once_a_run_or_an_event_is_known_that_made_it_it_is_that_one(tell: Tell, ask: Ask) -> None:
    tell(*(ran(f"r{n}", 10).reading("d", version=labelled(f"s{n}")) for n in (1, 2)))
    assert [version for version, _, _ in of(ask)] == ["s2", "s1"]
    tell(ran("w", 3, "made").writing("d", version=labelled("s1")), declared_dataset("d", 20, version=labelled("s2")))
    assert of(ask) == [("s2", moment(20), None), ("s1", moment(4), "made")]


def test_a_run_that_has_not_completed_has_made_no_version(tell: Tell, ask: Ask) -> None:
    story = ran("w", 0, "made").writing("d", version=labelled("s1"))
    tell(story.event("START", 0), ran("r", 5).reading("d", version=labelled("s1")))
    assert of(ask) == [("s1", moment(5), None)]
    tell(story.event("COMPLETE", 9))
    assert of(ask) == [("s1", moment(9), "made")]


def test_a_run_that_reads_one_version_and_writes_the_next_is_in_both_and_each_is_found_by_its_id(
    tell: Tell, ask: Ask
) -> None:
    story = ran("merge", 0, "m").reading("d", version=labelled("s1")).writing("d", version=labelled("s2"))
    tell(story, ran("merge", 10, "n").reading("d", version=labelled("s2")).writing("d", version=labelled("s3")))
    said = "id version createdAt contentId run { runId }"
    found = ask(f'{{ dataset(namespace: "shop", name: "d") {{ versions {{ nodes {{ {said} }} }} }} }}')
    rows = found["dataset"]["versions"]["nodes"]
    assert [(row["version"], row["run"] and row["run"]["runId"]) for row in rows] == [
        ("s3", "n"), ("s2", "m"), ("s1", None),
    ]  # fmt: skip
    for row in rows:
        assert ask(f'{{ node(id: "{row["id"]}") {{ ... on DatasetVersion {{ {said} }} }} }}')["node"] == row
    (read,) = (row for row in rows if row["run"] is None)
    tell(ran("load", -5, "l").writing("d", version=labelled("s1")))
    assert ask(f'{{ node(id: "{read["id"]}") {{ id }} }}')["node"] is None


def test_a_version_read_under_one_name_and_written_under_another_is_one(tell: Tell, ask: Ask) -> None:
    tell(ran("r", 5).reading("files", version=labelled("s1")), ran("r", 6).reading("files", version=labelled("s0")))
    tell(ran("w", 0, "made").writing("d", version=labelled("s1"), symlinks=also_known_as("files")))
    assert of(ask) == of(ask, "files") == [("s0", moment(6), None), ("s1", moment(1), "made")]


def test_they_are_paged_with_the_others_and_have_the_schema_of_their_time(tell: Tell, ask: Ask) -> None:
    for n in range(0, 6, 2):
        tell(
            ran("w", 10 * n).writing("d", schema=columns(**{f"c{n}": "int"}), version=labelled(f"s{n}")),
            ran("r", 10 * n + 5).reading("d", version=labelled(f"s{n + 1}")),
        )
    seen, after = [], None
    while True:
        query = """query($after: String) { dataset(namespace: "shop", name: "d") { versions(first: 1, after: $after) {
            totalCount pageInfo { endCursor hasNextPage } nodes { version schemaVersion { fields { name } } } } } }"""
        page = ask(query, after=after)["dataset"]["versions"]
        assert page["totalCount"] == 6
        seen += [(one["version"], one["schemaVersion"]["fields"][0]["name"]) for one in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == [("s5", "c4"), ("s4", "c4"), ("s3", "c2"), ("s2", "c2"), ("s1", "c0"), ("s0", "c0")]


def test_as_of_a_moment_it_is_what_was_known_of_it_then(tell: Tell, ask: Ask) -> None:
    tell(ran("r", 5).reading("d", version=labelled("s1")), ran("w", 2, "made").writing("d", version=labelled("s1")))
    tell(ran("w", 18, "next").writing("d", version=labelled("s2")), ran("r", 10).reading("d", version=labelled("s2")))
    latest = "latestVersion(asOf: $at) { version createdAt run { runId state } }"
    query = f'query($at: DateTime) {{ dataset(namespace: "shop", name: "d") {{ {latest} }} }}'
    found = [ask(query, at=moment(at))["dataset"]["latestVersion"] for at in (2, 3, 12, 30)]
    made, following = ({"runId": run, "state": "COMPLETE"} for run in ("made", "next"))
    assert found == [
        None,
        {"version": "s1", "createdAt": moment(3), "run": made},
        {"version": "s2", "createdAt": moment(10), "run": None},
        {"version": "s2", "createdAt": moment(19), "run": following},
    ]


LABELS, TIMES = ("x", "y", None), range(4)
_STORIES = st.tuples(
    st.sampled_from(("reading", "writing", "declared")), st.sampled_from(("d", "e")), st.sampled_from(LABELS),
    st.sampled_from(TIMES), st.integers(0, 2), st.booleans(),
)  # fmt: skip


def _event_times(story: tuple[str, str, str | None, int, int, bool], n: int) -> list[tuple[float, bytes]]:
    how, name, label, hour, lasting, ends = story
    # No two say something in the very same microsecond: whose label holds then is not stored.
    at = hour + n / 10
    said = {} if label is None else {"version": labelled(label)}
    if how == "declared":
        return [(at, declared_dataset(name, at, **said))]
    told_of = ran("j", at, f"run{n}")
    told_of = told_of.reading(name, **said) if how == "reading" else told_of.writing(name, **said)
    ended = [(at + lasting, told_of.event("COMPLETE" if ends else "FAIL", at + lasting))]
    return [(at, told_of.event("START", at)), *ended]


def test_as_of_a_moment_versions_are_as_a_catalog_shows_them_that_heard_nothing_later(
    new_database: NewDatabase, engine_name: str
) -> None:
    shown = "version createdAt run { runId state } contentId"
    said = f"versions {{ totalCount nodes {{ {shown} }} }} latestVersion {{ {shown} }}"

    def versions(database: Database, when: str = "") -> Any:
        of = 'of: [{kind: DATASET, namespace: "shop", name: "d"}], depth: 0'
        query = f"{{ lineage({of}{when}) {{ nodes {{ entity {{ ... on Dataset {{ {said} }} }} }} }} }}"
        result = execute(database, query, limits=ROOMY)
        assert result.errors is None, result.errors
        (node,) = orjson.loads(orjson.dumps(result.data))["lineage"]["nodes"]
        return node["entity"]

    joined = declared_dataset("d", -1, symlinks=also_known_as("e"))
    with new_database() as whole, new_database() as beginning:

        @settings(max_examples=settings().max_examples // (3 if engine_name == "sqlite" else 10))
        @given(st.lists(_STORIES, min_size=1, max_size=6))
        def answers_agree(stories: list[tuple[str, str, str | None, int, int, bool]]) -> None:
            events = [event for n, story in enumerate(stories) for event in _event_times(story, n)]
            note(told([event for _, event in events]))
            put(whole, [[joined, *(event for _, event in events)]])
            for at in TIMES:
                put(beginning, [[joined, *(event for when, event in events if when < at + 1)]])
                assert versions(whole, f', asOf: "{moment(at + 0.95)}"') == versions(beginning)

        answers_agree()
