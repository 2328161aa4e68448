"""What becomes of an event's bytes: what is tolerated, what is refused, and where."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from catalog.domain.changes import Name
from catalog.domain.errors import NotAnEvent
from catalog.domain.event import Event
from catalog.domain.words import EventKind, Role, RunState
from catalog.ingest.decode import decode

RUN_ID = "019a9a4b-9d8e-7c6f-8a5b-4c3d2e1f0a9b"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
EVENTS = Path(__file__).parents[1] / "events"


def run_event(**changes: Any) -> dict[str, Any]:
    event = {
        "eventType": "COMPLETE",
        "eventTime": "2026-11-20T02:00:00Z",
        "run": {"runId": RUN_ID},
        "job": {"namespace": "shop", "name": "nightly"},
        "producer": "https://shop.example/pipelines",
        "schemaURL": SCHEMA + "RunEvent",
    }
    return {key: value for key, value in (event | changes).items() if value is not ...}


def job_event(**changes: Any) -> dict[str, Any]:
    return run_event(run=..., eventType=..., schemaURL=SCHEMA + "JobEvent") | changes


def dataset_event(**changes: Any) -> dict[str, Any]:
    dataset = {"namespace": "postgres://db", "name": "shop.orders"}
    return (
        run_event(run=..., job=..., eventType=..., schemaURL=SCHEMA + "DatasetEvent") | {"dataset": dataset} | changes
    )


def read(event: object) -> Event:
    return decode(json.dumps(event).encode())


def warned(event: Event) -> list[tuple[str, str]]:
    return [(warning.code, warning.pointer) for warning in event.warnings]


def refusal(event: object) -> NotAnEvent:
    raw = event if isinstance(event, bytes) else json.dumps(event).encode()
    with pytest.raises(NotAnEvent) as refused:
        decode(raw)
    assert refused.value.detail.endswith(".")
    assert refused.value.fix.endswith(".")
    return refused.value


# What an event is


def test_a_run_event_is_read_whole():
    raw = json.dumps(
        run_event(
            run={"runId": RUN_ID, "facets": {"nominalTime": {"a": 1}}},
            job={"namespace": "shop", "name": "nightly", "facets": {"sql": {"query": "select 1"}}},
            inputs=[{"namespace": "db", "name": "a", "facets": {"schema": {}}, "inputFacets": {"subset": {"x": 2}}}],
            outputs=[{"namespace": "db", "name": "b", "outputFacets": {"outputStatistics": {"rowCount": 3}}}],
        )
    ).encode()
    event = decode(raw)
    assert event.kind is EventKind.RUN
    assert event.state is RunState.COMPLETE
    assert event.event_time == 1_795_140_000_000_000
    assert event.digest == sha256(raw).digest()
    assert (event.job, event.run_id) == (Name("shop", "nightly"), RUN_ID)
    assert (event.run_facets, event.job_facets) == ({"nominalTime": b'{"a": 1}'}, {"sql": b'{"query": "select 1"}'})
    read_from, written_to = event.datasets
    assert (read_from.name, read_from.role) == (Name("db", "a"), Role.INPUT)
    assert (read_from.facets, read_from.io_facets) == ({"schema": b"{}"}, {"subset": b'{"x": 2}'})
    assert (written_to.name, written_to.role) == (Name("db", "b"), Role.OUTPUT)
    assert (written_to.facets, written_to.io_facets) == ({}, {"outputStatistics": b'{"rowCount": 3}'})
    assert event.producer == "https://shop.example/pipelines"
    assert event.schema_url == SCHEMA + "RunEvent"
    assert event.warnings == ()


def test_a_job_event_declares_inputs_and_outputs_without_a_run():
    event = read(job_event(inputs=[{"namespace": "db", "name": "a"}], outputs=[{"namespace": "db", "name": "b"}]))
    assert (event.kind, event.run_id, event.state) == (EventKind.JOB, None, RunState.UNKNOWN)
    assert [(d.name.name, d.role) for d in event.datasets] == [("a", Role.INPUT), ("b", Role.OUTPUT)]
    assert event.warnings == ()


def test_a_dataset_event_declares_its_dataset():
    event = read(dataset_event(dataset={"namespace": "db", "name": "a", "facets": {"schema": {}}}))
    assert (event.kind, event.job, event.run_id) == (EventKind.DATASET, None, None)
    (declared,) = event.datasets
    assert (declared.name, declared.role, declared.facets) == (Name("db", "a"), Role.DECLARED, {"schema": b"{}"})
    assert event.warnings == ()


def test_what_an_event_is_shows_in_its_keys_and_the_schema_url_may_be_wrong_about_it():
    event = read(run_event(schemaURL=SCHEMA + "DatasetEvent"))
    assert event.kind is EventKind.RUN
    assert warned(event) == [("schema-url", "/schemaURL")]


def test_a_run_beside_a_dataset_wins_with_a_warning():
    event = read(run_event(dataset={"namespace": "db", "name": "a"}))
    assert (event.kind, event.datasets) == (EventKind.RUN, ())
    assert warned(event) == [("kind", "/dataset")]


@pytest.mark.parametrize(
    ("schema_url", "kind", "ignored"),
    [(SCHEMA + "DatasetEvent", EventKind.DATASET, "/job"), (SCHEMA + "JobEvent", EventKind.JOB, "/dataset")],
)
def test_between_a_job_and_a_dataset_the_schema_url_decides(schema_url, kind, ignored):
    event = read(job_event(dataset={"namespace": "db", "name": "a"}, schemaURL=schema_url))
    assert event.kind is kind
    assert warned(event) == [("kind", ignored)]


def test_inputs_of_a_dataset_event_are_ignored_with_a_warning():
    event = read(dataset_event(inputs=[{"namespace": "db", "name": "b"}]))
    assert [d.role for d in event.datasets] == [Role.DECLARED]
    assert warned(event) == [("kind", "/inputs")]


def test_a_null_run_is_no_run():
    assert read(job_event(run=None)).kind is EventKind.JOB


def test_neither_run_nor_job_nor_dataset_is_no_event():
    assert refusal(run_event(run=..., job=...)).code == "shape"


def test_a_run_without_a_job_is_refused_at_the_job():
    assert refusal(run_event(job=...)).pointer == "/job"


# What is tolerated; the numbers are those of the list of things seen in real events


def test_01_unknown_facets_and_odd_keys_keep_their_bytes_exactly():
    kept = {
        "spark.logicalPlan": b'{ "plan":\t[1, 2.50, 1e3] ,"x":"\\u00e9" }',
        "environment-properties": b'{"a":1,"a":2}',
        "": b'"text"',
        "a/b~c": b"[ ]",
        "ключ": '"значение"'.encode(),
        "big": b"123456789012345678901234567890.10",
    }
    facets = b",".join(json.dumps(key, ensure_ascii=False).encode() + b" : " + value for key, value in kept.items())
    event = decode(
        json.dumps(run_event(run={"runId": RUN_ID, "facets": 0})).encode().replace(b"0}", b"{" + facets + b"}}")
    )
    assert event.run_facets == kept
    assert event.warnings == ()


def test_01_unknown_members_of_the_envelope_are_no_matter():
    event = read(run_event(extra={"deep": [1, {"x": None}]}, job={"namespace": "a", "name": "b", "x": 1}))
    assert (event.job, event.warnings) == (Name("a", "b"), ())


@pytest.mark.parametrize(
    "url",
    [
        "https://openlineage.io/spec/1-0-1/OpenLineage.json#/definitions/RunEvent",
        "https://openlineage.io/spec/1-0-5/OpenLineage.json#/$defs/RunEvent",
        "https://openlineage.io/spec/2-8-9/OpenLineage.json#/$defs/RunEvent",
        "https://openlineage.io/spec/2-0-2/OpenLineage.json",
    ],
)
def test_02_any_version_of_the_schema_is_the_schema(url):
    event = read(run_event(schemaURL=url))
    assert (event.schema_url, event.warnings) == (url, ())


@pytest.mark.parametrize(
    ("url", "kept"), [("http://test.schema.url", "http://test.schema.url"), (..., None), (7, None)]
)
def test_02_a_wrong_or_absent_schema_url_is_a_warning(url, kept):
    event = read(run_event(schemaURL=url))
    assert event.schema_url == kept
    assert warned(event) == [("schema-url", "/schemaURL")]


@pytest.mark.parametrize(("producer", "kept"), [("producer", "producer"), (..., None), ({"a": [1]}, None)])
def test_02_a_wrong_or_absent_producer_is_a_warning(producer, kept):
    event = read(run_event(producer=producer))
    assert event.producer == kept
    assert warned(event) == [("producer", "/producer")]


@pytest.mark.parametrize("run_id", ["run_id", "", RUN_ID.replace("-", ""), RUN_ID + "\n"])
def test_03_a_run_id_that_is_no_uuid_is_kept_with_a_warning(run_id):
    event = read(run_event(run={"runId": run_id}))
    assert event.run_id == run_id
    assert warned(event) == [("run-id", "/run/runId")]


@pytest.mark.parametrize(
    "time", ["2026-11-20T02:00:00Z", "2026-11-20T12:00:00.000000999+10:00", "2026-11-20t02:00:00z"]
)
def test_04_event_times_with_an_offset_are_one_moment_without_a_word(time):
    event = read(run_event(eventTime=time))
    assert (event.event_time, event.warnings) == (1_795_140_000_000_000, ())


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-20T02:00:00", "2026-11-20T02:00:00Z[Europe/London]", "2026-11-20T03:00:00+01:00[Europe/Paris]",
        1_795_140_000, 1_795_140_000.0, 1_795_140_000_000, "1795140000",
    ],
)  # fmt: skip
def test_04_event_times_in_other_forms_are_the_same_moment_with_a_warning(time):
    event = read(run_event(eventTime=time))
    assert event.event_time == 1_795_140_000_000_000
    assert warned(event) == [("event-time", "/eventTime")]


def test_04_an_event_time_in_the_far_future_is_no_matter_of_a_function_without_a_clock():
    assert read(run_event(eventTime="9000-01-01T00:00:00Z")).warnings == ()


@pytest.mark.parametrize(
    "time", [..., None, "", "soon", True, {}, [1], "0001-01-01T00:00:00+01:00", 10**30, -(10**11) + 1]
)
def test_04_without_a_time_that_can_be_told_an_event_is_refused_at_the_time(time):
    refused = refusal(run_event(eventTime=time))
    assert (refused.code, refused.pointer) == ("shape", "/eventTime")
    assert "2026-01-31T12:00:00Z" in refused.fix


@pytest.mark.parametrize("nothing", [None, ..., {}])
def test_05_null_absent_and_empty_facets_are_the_same(nothing):
    def with_facets(event: dict[str, Any], *keys: str) -> dict[str, Any]:
        return event | dict.fromkeys(keys, nothing) if nothing is not ... else event

    dataset = with_facets({"namespace": "db", "name": "a"}, "facets", "inputFacets", "outputFacets")
    event = read(
        run_event(
            run=with_facets({"runId": RUN_ID}, "facets"),
            job=with_facets({"namespace": "shop", "name": "nightly"}, "facets"),
            inputs=[dataset],
            outputs=[dataset],
        )
    )
    assert (event.run_facets, event.job_facets, event.warnings) == ({}, {}, ())
    assert [(d.facets, d.io_facets) for d in event.datasets] == [({}, {}), ({}, {})]


@pytest.mark.parametrize("nothing", [None, ..., []])
def test_05_null_absent_and_empty_inputs_and_outputs_are_the_same(nothing):
    event = read(run_event(inputs=nothing, outputs=nothing))
    assert (event.datasets, event.warnings) == ((), ())


def test_05_a_facet_that_is_null_is_not_there():
    dataset = {"namespace": "db", "name": "a", "facets": {"dataQualityMetrics": None, "schema": {}}}
    assert read(run_event(inputs=[dataset])).datasets[0].facets == {"schema": b"{}"}


def test_05_null_among_the_inputs_is_ignored_with_a_warning():
    event = read(run_event(inputs=[None, {"namespace": "db", "name": "a"}]))
    assert [d.name.name for d in event.datasets] == ["a"]
    assert warned(event) == [("null", "/inputs/0")]


def test_05_facets_given_as_an_empty_array_are_empty_with_a_warning():
    event = read(
        run_event(run={"runId": RUN_ID, "facets": []}, inputs=[{"namespace": "db", "name": "a", "facets": []}])
    )
    assert (event.run_facets, event.datasets[0].facets) == ({}, {})
    assert warned(event) == [("facets", "/run/facets"), ("facets", "/inputs/0/facets")]


def test_06_a_missing_event_type_says_nothing_of_the_state():
    event = read(run_event(eventType=...))
    assert event.state is RunState.UNKNOWN
    assert warned(event) == [("event-type", "/eventType")]


@pytest.mark.parametrize("state", ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"])
def test_06_an_event_type_in_other_case_is_that_type_with_a_warning(state):
    assert read(run_event(eventType=state)).state.name == state
    event = read(run_event(eventType=state.capitalize()))
    assert event.state.name == state
    assert warned(event) == [("event-type", "/eventType")]


@pytest.mark.parametrize("word", ["CANCELLED", "UNKNOWN", "", "x" * 5_000, 5, ["START"]])
def test_06_an_unknown_event_type_is_other_with_a_warning(word):
    event = read(run_event(eventType=word))
    assert event.state is RunState.OTHER
    assert warned(event) == [("event-type", "/eventType")]
    assert len(event.warnings[0].detail) < 150


def test_07_a_terminal_event_alone_and_without_datasets_is_an_event():
    event = read(run_event(eventType="FAIL"))
    assert (event.state, event.datasets, event.warnings) == (RunState.FAIL, (), ())


def test_08_parent_facets_are_kept_as_they_are_under_both_names():
    facets = {"parent": {"run": {"runId": "x"}}, "parentRun": {"job": None}}
    event = read(run_event(run={"runId": RUN_ID, "facets": facets}))
    assert event.run_facets == {"parent": b'{"run": {"runId": "x"}}', "parentRun": b'{"job": null}'}


def test_09_a_run_id_of_another_job_is_read_as_sent():
    first, second = read(run_event()), read(run_event(job={"namespace": "shop", "name": "hourly"}))
    assert (first.run_id, first.job) != (second.run_id, second.job)
    assert first.run_id == second.run_id


def test_10_a_replay_is_the_same_event_and_one_more_blank_another():
    raw = json.dumps(run_event()).encode()
    assert decode(raw) == decode(bytes(raw))
    assert decode(raw).digest != decode(raw + b" ").digest


def test_11_empty_names_are_kept_with_a_warning():
    event = read(run_event(job={"namespace": "", "name": ""}, inputs=[{"namespace": "", "name": "a"}]))
    assert (event.job, event.datasets[0].name) == (Name("", ""), Name("", "a"))
    assert warned(event) == [("name", "/job/namespace"), ("name", "/job/name"), ("name", "/inputs/0/namespace")]


def test_12_nothing_is_added_to_what_the_event_names():
    lineage = {"fields": {"x": {"inputFields": [{"namespace": "db", "name": "hidden", "field": "y"}]}}}
    event = read(run_event(outputs=[{"namespace": "db", "name": "b", "facets": {"columnLineage": lineage}}]))
    assert [d.name.name for d in event.datasets] == ["b"]


def test_13_an_event_of_23_megabytes_is_read():
    plan = {"plan": [{"node": "x" * 1_000, "children": []}] * 22_000}
    event = read(run_event(run={"runId": RUN_ID, "facets": {"spark.logicalPlan": plan}}))
    assert json.loads(event.run_facets["spark.logicalPlan"]) == plan


def test_14_deleted_facets_and_facets_without_producer_are_kept_as_they_are():
    job = {"namespace": "shop", "name": "nightly", "facets": {"ownership": {"_deleted": True}, "sql": {"query": ""}}}
    event = read(run_event(job=job))
    assert event.job_facets == {"ownership": b'{"_deleted": true}', "sql": b'{"query": ""}'}
    assert event.warnings == ()


def test_15_the_case_of_names_is_kept():
    event = read(run_event(inputs=[{"namespace": "POSTGRES://Host", "name": "Db.Table"}]))
    assert event.datasets[0].name == Name("POSTGRES://Host", "Db.Table")


def test_a_dataset_named_twice_is_mentioned_twice():
    dataset = {"namespace": "db", "name": "a"}
    event = read(run_event(inputs=[dataset, dataset], outputs=[dataset]))
    assert [d.role for d in event.datasets] == [Role.INPUT, Role.INPUT, Role.OUTPUT]


def test_of_a_key_given_twice_the_last_counts():
    raw = json.dumps(run_event()).encode().replace(b'"name": "nightly"', b'"name": "old", "name": "nightly"')
    assert decode(raw).job == Name("shop", "nightly")


def test_a_byte_order_mark_is_skipped_with_a_warning_and_counts_in_the_digest():
    raw = b"\xef\xbb\xbf" + json.dumps(run_event()).encode()
    event = decode(raw)
    assert warned(event) == [("bom", "")]
    assert event.digest == sha256(raw).digest()


def test_a_thousand_warnings_are_told_as_a_hundred_and_a_number():
    event = read(run_event(inputs=[None] * 1_000))
    assert len(event.warnings) == 101
    assert "900 more" in event.warnings[-1].detail


# What is refused, and where


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"job": {"name": "a"}}, "/job/namespace"),
        ({"job": {"namespace": "a"}}, "/job/name"),
        ({"job": {"namespace": 7, "name": "a"}}, "/job/namespace"),
        ({"job": {"namespace": "a", "name": None}}, "/job/name"),
        ({"job": "a"}, "/job"),
        ({"run": {}}, "/run/runId"),
        ({"run": {"runId": 7}}, "/run/runId"),
        ({"run": {"runId": RUN_ID, "facets": "x"}}, "/run/facets"),
        ({"run": {"runId": RUN_ID, "facets": [1]}}, "/run/facets"),
        ({"inputs": {}}, "/inputs"),
        ({"inputs": ["x"]}, "/inputs/0"),
        ({"outputs": [None, {"namespace": "a"}]}, "/outputs/1/name"),
        ({"outputs": [{"namespace": "a", "name": "b"}] * 11 + [{"namespace": "a", "name": ["b"]}]}, "/outputs/11/name"),
        ({"inputs": [{"namespace": "a", "name": "b", "inputFacets": 1}]}, "/inputs/0/inputFacets"),
    ],
)
def test_a_wrong_shape_is_refused_with_a_json_pointer(changes, pointer):
    refused = refusal(run_event(**changes))
    assert (refused.code, refused.pointer) == ("shape", pointer)


def test_a_dataset_without_a_name_is_refused_at_the_name():
    assert refusal(dataset_event(dataset={"namespace": "db"})).pointer == "/dataset/name"


@pytest.mark.parametrize("raw", [b"[]", b"null", b"7", b'"x"', b"true", b"[{}]"])
def test_json_that_is_no_object_is_no_event(raw):
    refused = refusal(raw)
    assert (refused.code, refused.pointer) == ("shape", "")


def test_every_recorded_event_is_read_without_a_warning_and_its_facets_are_its_bytes():
    recorded = [line for file in sorted(EVENTS.glob("*.ndjson")) for line in file.read_bytes().splitlines()]
    assert recorded
    for raw in recorded:
        event, said = decode(raw), json.loads(raw)
        assert event.warnings == ()
        maps = [event.run_facets, event.job_facets, *(d.facets for d in event.datasets)]
        assert all(facet in raw for facets in maps for facet in facets.values())
        datasets = [*said.get("inputs", ()), *said.get("outputs", ()), *filter(None, [said.get("dataset")])]
        assert [(d.name.namespace, d.name.name) for d in event.datasets] == [
            (d["namespace"], d["name"]) for d in datasets
        ]
        for mention, dataset in zip(event.datasets, datasets, strict=True):
            assert {key: json.loads(facet) for key, facet in mention.facets.items()} == dataset.get("facets", {})
