from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from graphql import GraphQLError

from builders import dataset, declared_job, facet, moment, ran

Tell = Callable[..., Any]
Ask = Callable[..., Any]
Refusal = Callable[..., GraphQLError]


def job(ask: Ask, name: str, fields: str) -> Any:
    return ask(f'{{ job(namespace: "shop", name: "{name}") {{ {fields} }} }}')["job"]


def run(ask: Ask, run_id: str, fields: str) -> Any:
    return ask(f'{{ run(runId: "{run_id}") {{ {fields} }} }}')["run"]


def nodes(connection: Any) -> list[Any]:
    return [edge["node"] for edge in connection["edges"]]


def test_what_nobody_named_is_null(ask: Ask):
    assert job(ask, "nothing", "id") is None
    assert run(ask, "nothing", "id") is None


def test_a_job_says_what_its_facets_say_of_it(tell: Tell, ask: Ask):
    tell(
        ran("etl")
        .reading("raw")
        .writing("clean")
        .job_with(
            jobType=facet(processingType="BATCH", integration="SPARK", jobType="QUERY"),
            documentation=facet(description="Cleans"),
            sql=facet(query="select 1", dialect="ansi"),
            sourceCode=facet(language="PYTHON", sourceCode="print(1)"),
            sourceCodeLocation=facet(type="git", url="https://x/y", repoUrl="https://x", branch="main"),
            tags=facet(tags=[{"key": "nightly", "value": "true"}]),
            ownership=facet(owners=[{"name": "team", "type": "MAINTAINER"}]),
            custom=facet(x=1),
        )
    )
    found = job(
        ask,
        "etl",
        """type integration processingType description sql sourceCode sourceCodeLocation { url repoUrl branch tag }
        tags { key } owners { name type } inputs { name } outputs { name } createdAt
        facets { name understood scope } facet(name: "custom") { payload }""",
    )
    names = ["custom", "documentation", "jobType", "ownership", "sourceCode", "sourceCodeLocation", "sql", "tags"]
    assert found.pop("facets") == [{"name": n, "understood": n != "custom", "scope": "JOB"} for n in names]
    assert found.pop("facet")["payload"]["x"] == 1
    assert found == {
        "type": "QUERY",
        "integration": "SPARK",
        "processingType": "BATCH",
        "description": "Cleans",
        "sql": "select 1",
        "sourceCode": "print(1)",
        "sourceCodeLocation": {"url": "https://x/y", "repoUrl": "https://x", "branch": "main", "tag": None},
        "tags": [{"key": "nightly"}],
        "owners": [{"name": "team", "type": "MAINTAINER"}],
        "inputs": [{"name": "raw"}],
        "outputs": [{"name": "clean"}],
        "createdAt": moment(0),
    }


def test_facets_in_other_shapes_than_they_should_have_are_shown_and_read_as_nothing(tell: Tell, ask: Ask):
    tell(ran("etl").job_with(sql=facet(query=7), sourceCodeLocation=[1], sourceCode="text", _odd=None))
    found = job(ask, "etl", "sql sourceCode sourceCodeLocation { url } facets { name producer schemaUrl payload }")
    assert (found["sql"], found["sourceCode"], found["sourceCodeLocation"]) == (None, None, None)
    assert {f["name"]: f["payload"] for f in found["facets"]}["sourceCodeLocation"] == [1]


def test_versions_of_a_job_are_the_distinct_things_its_completed_runs_did(tell: Tell, ask: Ask):
    tell(
        ran("etl", 0, "1").reading("a").writing("x"),
        ran("etl", 10, "2").reading("b").writing("x"),
        ran("etl", 20, "3").reading("a").writing("x").job_with(sql=facet(query="no part of a version")),
        ran("etl", 30, "4").reading("c").writing("x").failing(),
    )
    found = job(
        ask,
        "etl",
        """versions { totalCount edges { node { createdAt runCount latestRun { runId } code { url }
            inputs { dataset { name } } outputs { dataset { name } } } } }""",
    )["versions"]
    assert found["totalCount"] == 2
    assert [
        (v["createdAt"], v["runCount"], v["latestRun"]["runId"], v["inputs"][0]["dataset"]["name"])
        for v in nodes(found)
    ] == [(moment(11), 1, "2", "b"), (moment(1), 2, "3", "a")]


def test_code_that_moves_makes_another_version_of_the_job(tell: Tell, ask: Ask):
    at = [facet(type="git", url="https://x", version=commit) for commit in ("abc\u2028", "def")]
    tell(*(ran("etl", n, str(n)).reading("a").job_with(sourceCodeLocation=said) for n, said in enumerate(at)))
    found = job(ask, "etl", "versions { edges { node { code { url version } } } }")["versions"]
    assert [v["code"][0]["version"] for v in nodes(found)] == ["def", "abc\u2028"]


def test_jobs_and_runs_make_trees(tell: Tell, ask: Ask):
    dag = ran("dag", 0, "d")
    task = ran("dag.task", 1, "t").inside(dag, dag)
    step = ran("dag.task.step", 2, "s").inside(task, dag)
    tell(dag, task, step, ran("dag.other", 3, "o").inside(dag, dag))
    assert job(ask, "dag", "parent { name } children { totalCount nodes { name } }") == {
        "parent": None,
        "children": {"totalCount": 2, "nodes": [{"name": "dag.other"}, {"name": "dag.task"}]},
    }
    assert run(ask, "s", "parent { runId } root { runId job { name } }") == {
        "parent": {"runId": "t"},
        "root": {"runId": "d", "job": {"name": "dag"}},
    }
    top = run(ask, "d", "id parent { runId } root { runId } children { totalCount nodes { runId } }")
    assert top["children"] == {"totalCount": 2, "nodes": [{"runId": "o"}, {"runId": "t"}]}
    assert (top["parent"], top["root"]) == (None, None)
    paged = ask("query($id: ID) { runs(filter: {parent: $id}) { edges { node { runId } } } }", id=top["id"])
    assert nodes(paged["runs"]) == top["children"]["nodes"]
    paged = ask('{ jobs(filter: {parent: {namespace: "shop", name: "dag"}}) { edges { node { name } } } }')
    assert [node["name"] for node in nodes(paged["jobs"])] == ["dag.other", "dag.task"]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("{}", ["Load", "stream", "transform"]),
        ('{namespace: "shop", nameContains: "O"}', ["Load", "transform"]),
        ('{namePrefix: "l"}', ["Load"]),
        ('{processingType: "STREAMING"}', ["stream"]),
        ('{integration: "FLINK", type: "JOB"}', ["stream"]),
        ('{tag: "gold"}', ["transform"]),
        ('{owner: "team"}', ["transform"]),
        ('{owner: "nobody"}', []),
        ('{namespace: "elsewhere"}', []),
    ],
)
def test_jobs_are_filtered(tell: Tell, ask: Ask, filter: str, expected: list[str]):
    said = {
        "tags": facet(tags=[{"key": "gold", "value": "a"}, {"key": "gold", "value": "b"}]),
        "ownership": facet(owners=[{"name": "team", "type": "a"}, {"name": "team", "type": "b"}]),
    }
    tell(ran("Load"), ran("stream").streaming(), ran("transform").job_with(**said))
    found = ask(f"{{ jobs(filter: {filter}) {{ totalCount edges {{ node {{ name }} }} }} }}")["jobs"]
    assert [node["name"] for node in nodes(found)] == expected
    assert found["totalCount"] == len(expected)


def test_runs_are_listed_latest_first_and_filtered(tell: Tell, ask: Ask):
    tell(
        ran("a", 0, "done"),
        ran("a", 10, "failed").failing(),
        ran("b", 20, "running").still_running(),
        ran("b", 30, "both").aborting(),
        ran("b", 30, "both").event("FAIL", 40),
        ran("c", 50, "child").inside(ran("p", 0, "only named")),
    )

    def found(filter: str) -> list[str]:
        answer = ask(f"{{ runs(filter: {filter}) {{ totalCount edges {{ node {{ runId }} }} }} }}")["runs"]
        ids = [node["runId"] for node in nodes(answer)]
        assert answer["totalCount"] == len(ids)
        return ids

    assert found("{}") == ["child", "both", "running", "failed", "done"]
    assert found('{job: {namespace: "shop", name: "a"}}') == ["failed", "done"]
    assert found("{state: [FAIL, START]}") == ["both", "running", "failed"]
    assert found("{state: []}") == []
    assert found("{state: [UNKNOWN]}") == ["only named"]
    assert found("{state: [UNKNOWN, COMPLETE]}") == ["child", "done", "only named"]
    assert found(f'{{startedAfter: "{moment(10)}", startedBefore: "{moment(30)}"}}') == ["running", "failed"]
    assert found("{conflicting: true}") == ["both"]
    assert found("{conflicting: false}") == ["child", "running", "failed", "done"]


def test_the_parent_of_a_filter_must_be_a_run(tell: Tell, ask: Ask, refusal: Refusal):
    tell(ran("a"))
    error = refusal("query($id: ID) { runs(filter: {parent: $id}) { totalCount } }", id=job(ask, "a", "id")["id"])
    assert "not the id of a run" in error.message


@pytest.mark.parametrize(
    ("events", "state", "ended", "conflicting"),
    [
        ([("START", 0), ("COMPLETE", 5)], "COMPLETE", 5, False),
        ([("COMPLETE", 5), ("START", 0)], "COMPLETE", 5, False),
        ([("START", 0), ("RUNNING", 1)], "RUNNING", None, False),
        ([("FAIL", 3), ("COMPLETE", 5)], "COMPLETE", 5, True),
        ([("COMPLETE", 3), ("FAIL", 5)], "COMPLETE", 3, True),
        ([("ABORT", 3)], "ABORT", 3, False),
        ([("OTHER", 3)], "OTHER", None, False),
        ([("ABORT", 3), ("FAIL", 5)], "FAIL", 5, True),
    ],
)
def test_the_state_of_a_run_with_its_end_and_whether_it_contradicts_itself(
    tell: Tell, ask: Ask, *, events: list[tuple[str, int]], state: str, ended: int | None, conflicting: bool
):
    tell(*(ran("j", 0, "r").event(kind, at) for kind, at in events))
    assert run(ask, "r", "state startedAt endedAt conflicting") == {
        "state": state,
        "startedAt": moment(min(at for _, at in events)),
        "endedAt": None if ended is None else moment(ended),
        "conflicting": conflicting,
    }


def test_a_run_that_others_only_name_is_found_and_says_nothing(tell: Tell, ask: Ask):
    tell(ran("task", 1, "t").inside(ran("dag", 0, "d")))
    shown = "state startedAt endedAt job { name } inputs { version } facets { name } events { totalCount }"
    found = run(ask, "d", shown)
    assert found == {
        "state": "UNKNOWN", "startedAt": None, "endedAt": None, "job": {"name": "dag"}, "inputs": [], "facets": [],
        "events": {"totalCount": 0},
    }  # fmt: skip


def test_of_runs_with_the_same_id_the_one_heard_of_first_is_found_as_lineage_finds_it(tell: Tell, ask: Ask):
    tell(ran("a", 5, "same"), ran("b", 1, "same"), ran("c", 9, "x").inside(ran("d", 0, "same")))
    found = run(ask, "same", "id job { name }")
    assert found["job"] == {"name": "b"}
    of = '{kind: RUN, namespace: "", name: "same"}'
    walked = ask(f"{{ lineage(of: [{of}], granularity: RUN) {{ nodes {{ id depth }} }} }}")["lineage"]
    assert [node["id"] for node in walked["nodes"] if node["depth"] == 0] == [found["id"]]


def test_what_a_run_used_has_its_numbers(tell: Tell, ask: Ask):
    story = ran("j", 0, "r").reading("in", version=facet(datasetVersion="7"))
    outputs = (
        dataset("out", {}, outputFacets={"outputStatistics": facet(rowCount=5_000_000_000, size=10, fileCount=2)}),
    )
    tell(replace(story, outputs=outputs))
    found = run(
        ask, "r", "inputs { dataset { name } version rowCount } outputs { dataset { name } rowCount size fileCount }"
    )
    assert found == {
        "inputs": [{"dataset": {"name": "in"}, "version": "7", "rowCount": None}],
        "outputs": [{"dataset": {"name": "out"}, "rowCount": 5_000_000_000, "size": 10, "fileCount": 2}],
    }


def test_facets_of_a_run_are_those_of_all_its_events_the_later_winning(tell: Tell, ask: Ask):
    base = ran("j", 0, "r")
    tell(
        base.with_facets(late=facet(v=3), both=facet(v=2)).event("COMPLETE", 10),
        base.with_facets(early=facet(v=1), both=facet(v=1), gone=facet(_deleted=True), none=None).event("START", 0),
        base.with_facets(both=facet(v=9)).event("RUNNING", 5),
    )
    found = run(ask, "r", 'facets { name payload validFrom understood } facet(name: "both") { payload }')
    assert {f["name"]: (f["payload"]["v"], f["validFrom"]) for f in found["facets"]} == {
        "early": (1, moment(0)),
        "both": (2, moment(10)),
        "late": (3, moment(10)),
    }
    assert found["facet"]["payload"]["v"] == 2


def test_a_failed_run_says_why_and_another_says_nothing(tell: Tell, ask: Ask):
    tell(ran("a", 0, "bad").failing("no space left"), ran("a", 5, "good"))
    error = {"message": "no space left", "programmingLanguage": "PYTHON", "stackTrace": None}
    assert run(ask, "bad", "error { message programmingLanguage stackTrace }") == {"error": error}
    assert run(ask, "good", "error { message }") == {"error": None}


def test_an_error_in_no_known_shape_is_no_error_of_ours(tell: Tell, ask: Ask):
    tell(ran("a", 0, "bad").with_facets(errorMessage=facet(message=["x"])))
    assert run(ask, "bad", "error { message } facets { understood }") == {
        "error": None,
        "facets": [{"understood": False}],
    }


def test_the_events_of_a_run_are_in_the_order_of_their_times(tell: Tell, ask: Ask):
    story = ran("j", 0, "r")
    tell(story.event("COMPLETE", 5), story.event("START", 0), ran("k", 1))
    found = run(ask, "r", "events { totalCount nodes { state seq } }")["events"]
    assert found == {"totalCount": 2, "nodes": [{"state": "START", "seq": 1}, {"state": "COMPLETE", "seq": 0}]}


def test_parts_and_events_are_read_page_by_page_to_the_end(tell: Tell, ask: Ask):
    top = ran("top", 0, "t")
    tell(top, top.event("RUNNING", 0.5), *(ran(f"part{n}", n, f"p{n}").inside(top) for n in range(1, 4)))

    def pages(thing: str, field: str, shown: str) -> list[list[str]]:
        seen: list[list[str]] = []
        after = ""
        while True:
            wanted = f"nodes {{ {shown} }} pageInfo {{ hasNextPage endCursor }}"
            answer = ask(f'{{ {thing} {{ {field}(first: 2, after: "{after}") {{ {wanted} }} }} }}')
            page = answer[thing.partition("(")[0]][field]
            seen.append([node[shown] for node in page["nodes"]])
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return seen

    job_top, run_top = 'job(namespace: "shop", name: "top")', 'run(runId: "t")'
    assert pages(job_top, "children", "name") == [["part1", "part2"], ["part3"]]
    assert pages(run_top, "children", "runId") == [["p3", "p2"], ["p1"]]
    assert pages(run_top, "events", "state") == [["START", "RUNNING"], ["COMPLETE"]]


def test_the_latest_run_and_pages_of_runs_of_a_job(tell: Tell, ask: Ask):
    tell(*(ran("j", at, str(at)) for at in range(5)), ran("k", 9, "other"))
    found = job(
        ask, "j", "latestRun { runId } runs(first: 2) { totalCount pageInfo { endCursor } edges { node { runId } } }"
    )
    assert found["latestRun"] == {"runId": "4"}
    assert found["runs"]["totalCount"] == 5
    assert [node["runId"] for node in nodes(found["runs"])] == ["4", "3"]
    after = found["runs"]["pageInfo"]["endCursor"]
    rest = job(ask, "j", f'runs(first: 9, after: "{after}") {{ edges {{ node {{ runId }} }} }}')
    assert [node["runId"] for node in nodes(rest["runs"])] == ["2", "1", "0"]


def test_what_a_job_reads_and_writes_is_what_its_last_completed_run_did(tell: Tell, ask: Ask):
    tell(
        ran("j", 0).reading("a").writing("x"),
        ran("j", 10).reading("b").writing("y"),
        ran("j", 20).reading("c").writing("z").failing(),
        declared_job("j", 5, ["declared"]),
    )
    assert job(ask, "j", "inputs { name } outputs { name }") == {
        "inputs": [{"name": "b"}, {"name": "declared"}],
        "outputs": [{"name": "y"}],
    }


def test_a_run_id_that_others_use_too_is_told_apart_by_the_namespace_of_its_job(ask: Ask, tell: Tell):
    tell(ran(("ours", "etl"), 10, run="same"), ran(("theirs", "copy"), 0, run="same").failing())
    assert ask('{ run(runId: "same") { job { namespace } } }')["run"] == {"job": {"namespace": "theirs"}}
    found = ask('{ run(runId: "same", namespace: "ours") { state job { name } } }')["run"]
    assert found == {"state": "COMPLETE", "job": {"name": "etl"}}
