from __future__ import annotations

import json

import pytest

from builders import also_known_as, dataset, facet, micros, ran
from catalog.domain.ids import dataset_id, job_id, run_id
from catalog.domain.words import RunState
from catalog.store.engine import Database
from catalog.store.paging import Page
from catalog.store.read import events, runs
from catalog.store.read.runs import RunFilter
from histories import tell

JOB = job_id("shop", "j")


def test_facets_of_a_run_are_read_from_its_latest_events_only(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(events, "READ_AT_MOST", 3)
    story = ran("j", 0, "r")
    told = [story.event("RUNNING", at) for at in range(6)]
    tell(database, *reversed(told))
    with database.read() as connection:
        assert events.bodies_of_runs(connection, [run_id(JOB, "r")]) == {run_id(JOB, "r"): told[3:]}


def test_a_run_that_named_a_dataset_by_two_of_its_names_used_one_dataset(database: Database):
    story = ran("j", 0, "r").reading("table", symlinks=also_known_as("path"))
    counted = dataset("path", {}, inputFacets={"inputStatistics": facet(rowCount=7)})
    tell(database, *story, *ran("j", 0, "r").reading("path", version=facet(datasetVersion="v")))
    tell(
        database,
        story.event("RUNNING", 0.5).replace(b'"inputs": [', b'"inputs": [' + json.dumps(counted).encode() + b", "),
    )
    with database.read() as connection:
        ((used,),) = runs.inputs(connection, [run_id(JOB, "r")]).values()
    assert (used.dataset_id, used.label, used.rows) == (dataset_id("shop", "table"), "v", 7)


def test_runs_without_a_time_are_behind_all_others_and_paged_with_them(database: Database):
    named = [ran("task", at).inside(ran("j", 0, f"named{at}")) for at in range(3)]
    tell(database, *(event for story in named for event in story), *ran("j", 5, "heard"))
    wanted = RunFilter(job=("shop", "j"), states=(RunState.UNKNOWN, RunState.COMPLETE))
    seen, after = [], None
    with database.read() as connection:
        while True:
            page = runs.page(connection, wanted, Page(1, after))
            seen += [row.run_id for row in page.items]
            if not page.has_next:
                break
            after = page.cursors[-1]
        latest = runs.latest_of_jobs(connection, [JOB, 1])
    assert seen[0] == "heard"
    assert sorted(seen[1:]) == ["named0", "named1", "named2"]
    assert {id: (row.run_id, row.began_at, row.ended_at) for id, row in latest.items()} == {
        JOB: ("heard", micros(5), micros(6))
    }


def test_a_run_id_of_several_jobs_means_the_run_heard_of_first_in_the_namespace_asked_for(database: Database):
    only_named = ran("d", 0, "same")
    tell(
        database, *ran("a", 5, "same"), *ran("b", 1, "same"), *ran(("other", "e"), 7, "same"),
        *ran("c", 9, "x").inside(only_named), *ran("c", 9, "y").inside(ran("d", 0, "named")),
    )  # fmt: skip
    with database.read() as connection:
        assert runs.find_run(connection, "same") == run_id(job_id("shop", "b"), "same")
        assert runs.find_run(connection, "same", "shop") == run_id(job_id("shop", "b"), "same")
        assert runs.find_run(connection, "same", "other") == run_id(job_id("other", "e"), "same")
        assert runs.find_run(connection, "named") == run_id(job_id("shop", "d"), "named")
        assert runs.find_run(connection, "same", "elsewhere") is None
        assert runs.find_run(connection, "nothing") is None
        found = runs.by_run_id(connection, "same", "other")
    assert found is not None
    assert (found.job_id, found.began_at) == (job_id("other", "e"), micros(7))
