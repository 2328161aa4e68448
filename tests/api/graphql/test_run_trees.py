"""Runs among runs: what contains them, what was tried again, what waits for what, and runs that never end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from builders import facet, moment, named, ran

Tell = Callable[..., Any]
Ask = Callable[..., Any]


def run(ask: Ask, run_id: str, fields: str) -> Any:
    return ask("query($id: String!) { run(runId: $id) { " + fields + " } }", id=run_id)["run"]


def test_a_tree_of_runs_is_walked_both_ways(tell: Tell, ask: Ask) -> None:
    nightly = ran("nightly", run="n1")
    load = ran("nightly.load", run="l1").inside(nightly)
    query = ran("nightly.load.query", run="q1").inside(load)
    tell(nightly, load, query)

    assert run(ask, "q1", "parent { runId } ancestors { runId job { name } } root { runId }") == {
        "parent": {"runId": "l1"},
        "ancestors": [
            {"runId": "l1", "job": {"name": "nightly.load"}},
            {"runId": "n1", "job": {"name": "nightly"}},
        ],
        "root": {"runId": "n1"},
    }
    assert run(ask, "n1", "parent { runId } ancestors { runId } root { runId } children { nodes { runId } }") == {
        "parent": None,
        "ancestors": [],
        "root": None,
        "children": {"nodes": [{"runId": "l1"}]},
    }


def test_a_root_that_the_producer_names_needs_no_parents_between(tell: Tell, ask: Ask) -> None:
    nightly, load = ran("nightly", run="n1"), ran("nightly.load", run="l1")
    tell(ran("nightly.load.query", run="q1").inside(load, root=nightly))

    assert run(ask, "q1", "root { runId state }") == {"root": {"runId": "n1", "state": "UNKNOWN"}}


def test_runs_that_contain_each_other_are_told_once(tell: Tell, ask: Ask) -> None:
    one, other = ran("one", run="r1"), ran("other", run="r2")
    tell(one.inside(other), other.inside(one))

    assert run(ask, "r1", "ancestors { runId }") == {"ancestors": [{"runId": "r2"}]}


def test_a_retry_and_what_it_retries_are_attempts_at_the_same_time(tell: Tell, ask: Ask) -> None:
    tonight = facet(nominalStartTime=moment(0))
    tell(
        ran("load", at=2, run="second").with_facets(nominalTime=tonight),
        ran("load", at=0, run="first").failing().with_facets(nominalTime=tonight),
        ran("load", at=9, run="tomorrow").with_facets(nominalTime=facet(nominalStartTime=moment(1440))),
        ran("other", at=3, run="other").with_facets(nominalTime=tonight),
    )

    for attempt in ("first", "second"):
        assert run(ask, attempt, "attempts { totalCount nodes { runId state } }") == {
            "attempts": {
                "totalCount": 2,
                "nodes": [{"runId": "first", "state": "FAIL"}, {"runId": "second", "state": "COMPLETE"}],
            }
        }


def test_without_a_nominal_time_attempts_are_those_in_one_parent_run(tell: Tell, ask: Ask) -> None:
    nightly, next_night = ran("nightly", run="n1"), ran("nightly", run="n2")
    tell(
        ran("load", at=0, run="first").failing().inside(nightly),
        ran("load", at=2, run="second").inside(nightly),
        ran("load", at=4, run="third").inside(next_night),
    )

    page = run(ask, "first", "attempts(first: 1) { nodes { runId } pageInfo { hasNextPage endCursor } }")["attempts"]
    assert page["nodes"] == [{"runId": "first"}]
    behind = run(ask, "first", f'attempts(after: "{page["pageInfo"]["endCursor"]}") {{ nodes {{ runId }} }}')
    assert behind == {"attempts": {"nodes": [{"runId": "second"}]}}
    assert run(ask, "third", "attempts { nodes { runId } }") == {"attempts": {"nodes": [{"runId": "third"}]}}


def test_a_run_alone_is_its_only_attempt(tell: Tell, ask: Ask) -> None:
    tell(ran("load", run="r1"), ran("load", at=5, run="r2"))

    assert run(ask, "r1", "attempts { totalCount nodes { runId } }")["attempts"]["nodes"] == [{"runId": "r1"}]


def test_what_a_run_waits_for_is_said_and_is_no_lineage(tell: Tell, ask: Ask) -> None:
    waits = facet(
        upstream=[
            {"job": named("load"), "run": {"runId": "l1"}, "dependency_type": "DIRECT_INVOCATION",
             "sequence_trigger_rule": "FINISH_TO_START", "status_trigger_rule": "EXECUTE_ON_SUCCESS"},
            {"job": named("unheard of")},
        ],
        downstream=[{"job": named("report")}],
        trigger_rule="ALL_SUCCESS",
    )  # fmt: skip
    tell(ran("load", run="l1").writing("raw"), ran("score", at=5, run="s1").with_facets(jobDependencies=waits))

    assert run(
        ask, "s1",
        """dependencies { triggerRule upstream { namespace name runId type sequenceTriggerRule statusTriggerRule
        job { name } run { state } } downstream { name job { name } run { runId } } } job { inputs { name } }""",
    ) == {
        "dependencies": {
            "triggerRule": "ALL_SUCCESS",
            "upstream": [
                {"namespace": "shop", "name": "load", "runId": "l1", "type": "DIRECT_INVOCATION",
                 "sequenceTriggerRule": "FINISH_TO_START", "statusTriggerRule": "EXECUTE_ON_SUCCESS",
                 "job": {"name": "load"}, "run": {"state": "COMPLETE"}},
                {"namespace": "shop", "name": "unheard of", "runId": None, "type": None, "sequenceTriggerRule": None,
                 "statusTriggerRule": None, "job": None, "run": None},
            ],
            "downstream": [{"name": "report", "job": None, "run": None}],
        },
        "job": {"inputs": []},
    }  # fmt: skip
    assert run(ask, "l1", "dependencies { triggerRule }") == {"dependencies": None}


def test_a_dependency_facet_of_another_shape_is_kept_and_not_shown(tell: Tell, ask: Ask) -> None:
    tell(ran("score", run="s1").with_facets(jobDependencies=facet(upstream=[{"job": {"name": "no namespace"}}])))

    assert run(ask, "s1", 'dependencies { triggerRule } facet(name: "jobDependencies") { understood }') == {
        "dependencies": None,
        "facet": {"understood": False},
    }


def test_a_streaming_run_that_never_ends_conducts_lineage_all_the_while(tell: Tell, ask: Ask) -> None:
    tell(ran("stream", run="s1").reading("clicks").writing("sessions").streaming().still_running())

    found = ask(
        '{ dataset(namespace: "shop", name: "sessions") { lineage(direction: UPSTREAM) { nodes { name } } } '
        'run(runId: "s1") { state endedAt job { processingType } } }'
    )
    assert [node["name"] for node in found["dataset"]["lineage"]["nodes"]] == ["sessions", "clicks"]
    assert found["run"] == {"state": "START", "endedAt": None, "job": {"processingType": "STREAMING"}}


def test_two_ways_to_end_are_both_kept_and_flagged(tell: Tell, ask: Ask) -> None:
    attempt = ran("load", run="r1")
    tell([attempt.event("START", 0), attempt.event("FAIL", 1), attempt.event("COMPLETE", 2)])

    assert run(ask, "r1", "state conflicting endedAt") == {
        "state": "COMPLETE", "conflicting": True, "endedAt": moment(2)
    }  # fmt: skip
