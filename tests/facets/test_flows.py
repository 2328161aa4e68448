"""Column lineage and explicit lineage: every form that tells what was made from what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalog.domain.changes import ColumnsFrom, Explicit, LineageEntry, Name, Source, Transformation
from catalog.facets import column_lineage, lineage

A, B = {"namespace": "db://one", "name": "a"}, {"namespace": "db://one", "name": "b"}
JOB = {"namespace": "airflow://prod", "name": "daily.enrich", "type": "JOB"}
OWN_JOB = {"type": "JOB"}
IDENTITY = {"type": "DIRECT", "subtype": "IDENTITY"}
FILTER = {"type": "INDIRECT", "subtype": "FILTER", "description": "x > 1", "masking": True}


def columns(**facet: Any) -> list[tuple[str | None, Source]]:
    (change,) = column_lineage.changes(json.dumps(facet).encode())
    assert isinstance(change, ColumnsFrom)
    return list(change.flows)


def entries(**facet: Any) -> list[LineageEntry]:
    (change,) = lineage.changes(json.dumps(facet).encode())
    assert isinstance(change, Explicit)
    return list(change.entries)


def dataset(name: dict[str, str], field: str | None = None, *how: Transformation) -> Source:
    return Source("DATASET", Name(**name), field, None, how)


def test_each_pair_of_columns_is_one_flow_with_all_its_transformations() -> None:
    twice = [{**A, "field": "x", "transformations": [IDENTITY, FILTER]}, {**B, "field": "x"},
             {**A, "field": "x", "transformations": [{"type": "INDIRECT", "subtype": "JOIN"}, IDENTITY]}]  # fmt: skip
    assert columns(fields={"out": {"inputFields": twice}}) == [
        (
            "out",
            dataset(
                A,
                "x",
                Transformation("DIRECT", "IDENTITY"),
                Transformation("INDIRECT", "FILTER", "x > 1", masking=True),
                Transformation("INDIRECT", "JOIN"),
            ),
        ),
        ("out", dataset(B, "x")),
    ]


def test_columns_that_shape_the_whole_dataset_have_no_target_column() -> None:
    flows = columns(fields={"out": {"inputFields": [{**A, "field": "x"}]}}, dataset=[{**B, "field": "day"}])
    assert flows == [(None, dataset(B, "day")), ("out", dataset(A, "x"))]


@pytest.mark.parametrize(
    ("kind", "description", "made"),
    [
        ("IDENTITY", "copied", [Transformation("DIRECT", "IDENTITY", "copied")]),
        ("MASKED", None, [Transformation("DIRECT", "MASKED", masking=True)]),
        ("masked", None, [Transformation("DIRECT", "masked", masking=True)]),
        ("GUESSED", "who knows", [Transformation("", "GUESSED", "who knows")]),
        (None, "upper(x)", [Transformation(description="upper(x)")]),
        ("", "", []),
        (None, None, []),
    ],
)
def test_the_older_words_for_a_column_hold_for_its_sources_that_say_nothing_themselves(
    kind: str | None, description: str | None, made: list[Transformation]
) -> None:
    sources = [{**A, "field": "x"}, {**B, "field": "y", "transformations": [IDENTITY]}]
    column = {"inputFields": sources, "transformationType": kind, "transformationDescription": description}
    assert columns(fields={"out": column}) == [
        ("out", dataset(A, "x", *made)),
        ("out", dataset(B, "y", Transformation("DIRECT", "IDENTITY"))),
    ]


def test_nulls_in_place_of_columns_sources_and_transformations_say_nothing() -> None:
    sources = [None, {**A, "field": "x", "transformations": [None]}]
    assert columns(fields={"gone": None, "out": {"inputFields": sources}, "none": {}}, dataset=None) == [
        ("out", dataset(A, "x"))
    ]


def test_a_source_without_its_column_is_no_column_lineage() -> None:
    with pytest.raises(ValueError, match="field"):
        columns(fields={"out": {"inputFields": [A]}})


def test_a_column_source_that_cannot_be_read_leaves_the_others() -> None:
    fields = {"out": {"inputFields": [A, {**A, "field": "x"}]}, "bad": 5, "worse": {"inputFields": {}}}
    (change,) = column_lineage.changes(json.dumps({"fields": fields, "dataset": "day"}).encode())
    assert change == ColumnsFrom((("out", dataset(A, "x")),), unread=4)


def test_an_entry_that_cannot_be_read_leaves_the_others() -> None:
    whole = {**B, "type": "DATASET", "inputs": [{**A, "type": "DATASET"}]}
    sent = [whole, {**A, "inputs": []}, {"type": "DATASET", "name": "half", "inputs": []}, "a", {**A, "type": 1}, None]
    (change,) = lineage.changes(json.dumps({"entries": sent}).encode())
    assert change == Explicit((LineageEntry("DATASET", Name(**B), (dataset(A),), ()),), unread=4)


def test_sources_of_an_entry_that_cannot_be_read_leave_the_others_and_are_not_none() -> None:
    source = {**A, "type": "DATASET"}
    mixed: dict[str, Any] = {
        "inputs": [A, source],
        "fields": {"x": {"inputs": [{"type": "DATASET"}]}, "y": [], "z": {"inputs": {}}},
    }
    mixed["fields"]["w"] = {"inputs": [{**source, "field": "k", "transformations": ["?", IDENTITY]}]}
    (change,) = lineage.changes(json.dumps({"entries": [{**B, "type": "DATASET", **mixed}]}).encode())
    column = dataset(A, "k", Transformation("DIRECT", "IDENTITY"))
    assert change == Explicit((LineageEntry("DATASET", Name(**B), (dataset(A),), (("w", column),)),), unread=5)
    (change,) = lineage.changes(json.dumps(mixed).encode())
    assert change == Explicit((LineageEntry("DATASET", None, (dataset(A),), (("w", column),)),), unread=5)


def test_an_entry_keeps_dataset_sources_column_sources_and_job_sources_apart() -> None:
    assert entries(
        entries=[
            {
                **B,
                "type": "DATASET",
                "inputs": [{**A, "type": "DATASET"}, {**A, "type": "DATASET", "field": "day"}, JOB],
                "fields": {"out": {"inputs": [{**A, "type": "DATASET", "field": "x", "transformations": [IDENTITY]}]}},
            }
        ]
    ) == [
        LineageEntry(
            "DATASET",
            Name(**B),
            (dataset(A), dataset(A, "day"), Source("JOB", Name("airflow://prod", "daily.enrich"))),
            (("out", dataset(A, "x", Transformation("DIRECT", "IDENTITY"))),),
        )
    ]


def test_a_job_without_a_name_is_the_own_job_as_target_and_as_source() -> None:
    generated = {**B, "type": "DATASET", "inputs": [], "fields": {"total": {"inputs": [OWN_JOB]}}}
    assert entries(entries=[{**OWN_JOB, "inputs": [{**A, "type": "DATASET"}]}, generated]) == [
        LineageEntry("JOB", None, (dataset(A),), ()),
        LineageEntry("DATASET", Name(**B), (), (("total", Source("JOB", None)),), sourceless=frozenset({""})),
    ]


def test_the_run_of_another_job_is_kept_on_targets_and_on_sources() -> None:
    assert entries(entries=[{**JOB, "runId": "r1", "inputs": [{**JOB, "runId": "r2"}]}]) == [
        LineageEntry("JOB", Name("airflow://prod", "daily.enrich"),
                     (Source("JOB", Name("airflow://prod", "daily.enrich"), run="r2"),), (), "r1")
    ]  # fmt: skip


def test_kinds_unknown_today_are_kept_as_they_were_sent() -> None:
    assert entries(entries=[{**A, "type": "DASHBOARD", "inputs": [{**B, "type": "Model"}]}]) == [
        LineageEntry("DASHBOARD", Name(**A), (Source("Model", Name(**B)),), ())
    ]


def test_a_datasets_own_facet_is_one_entry_without_a_name() -> None:
    fields = {"out": {"inputs": [{**A, "type": "DATASET", "field": "x"}]}, "gone": None}
    assert entries(inputs=[None, {**A, "type": "DATASET"}], fields=fields) == [
        LineageEntry("DATASET", None, (dataset(A),), (("out", dataset(A, "x")),))
    ]


def test_known_to_have_no_source_is_said_with_an_entry_that_has_none() -> None:
    assert entries(inputs=[]) == [LineageEntry("DATASET", None, (), (), sourceless=frozenset({""}))]
    assert entries(entries=[{**B, "type": "DATASET", "inputs": [], "fields": {"x": {"inputs": []}}}]) == [
        LineageEntry("DATASET", Name(**B), (), (), sourceless=frozenset({"", "x"}))
    ]
    assert entries(entries=[]) == []


def test_without_a_list_of_sources_nobody_said_that_there_is_none() -> None:
    unsaid = [{**B, "type": "DATASET"}, {**B, "type": "DATASET", "inputs": None, "fields": {"x": {}, "y": None}}]
    assert [entry.sourceless for entry in entries(entries=unsaid)] == [frozenset(), frozenset()]
    assert entries(inputs=[None])[0].sourceless == frozenset()


def test_a_kind_unknown_today_needs_no_name() -> None:
    assert entries(inputs=[{"type": "MODEL"}]) == [LineageEntry("DATASET", None, (Source("MODEL", None),), ())]


@pytest.mark.parametrize(
    "facet",
    [
        {},
        {"entries": None, "inputs": None, "fields": None},
        {"entries": [A]},
        {"entries": [{"type": "DATASET", "inputs": []}]},
        {"entries": [{"type": "JOB", "name": "half"}]},
        {"inputs": [{"type": "JOB", "namespace": "half"}]},
        {"inputs": [{"type": "DATASET"}]},
    ],
)
def test_half_names_and_missing_kinds_are_refused(facet: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        entries(**facet)
