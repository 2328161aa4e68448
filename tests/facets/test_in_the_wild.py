"""What producers really send where the schema says otherwise, and what hostile ones could."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from catalog.domain.changes import (
    CodeAt,
    Column,
    JobTyped,
    Measured,
    Name,
    Owned,
    Owner,
    Scheduled,
    Structured,
    Symlinked,
    Tag,
    Tagged,
    Versioned,
)
from catalog.domain.words import Scope
from catalog.facets import (
    find,
    input_statistics,
    job_type,
    nominal_time,
    output_statistics,
    ownership,
    parent,
    schema,
    source_code_location,
    subset,
    symlinks,
    tags,
    version,
)


def raw(facet: object) -> bytes:
    return json.dumps(facet).encode()


def nested(levels: int) -> bytes:
    return b'{"fields":[' + b'{"name":"a","fields":[' * levels + b"]}" * levels + b"]}"


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (7, "7"), (0.5, "0.5"), (None, ""), ("True", "True"), ("", "")],
)
def test_a_tag_value_of_any_simple_type_is_text(value: object, text: str) -> None:
    assert tags.changes(raw({"tags": [{"key": "pii", "value": value}]})) == (Tagged((Tag("pii", text),)),)


def test_tags_without_a_key_are_skipped_and_a_key_without_a_value_is_kept() -> None:
    sent = [{"value": "x"}, {"key": ""}, {"key": None}, None, {"key": "gold", "field": ""}]
    assert tags.changes(raw({"tags": sent})) == (Tagged((Tag("gold", ""),)),)


@pytest.mark.parametrize("facet", [{}, {"tags": None}, {"tags": []}])
def test_no_tags_is_a_statement_too(facet: object) -> None:
    assert tags.changes(raw(facet)) == (Tagged(()),)


def test_owners_without_a_name_are_skipped() -> None:
    sent = [{"type": "MAINTAINER"}, None, {"name": ""}, {"name": "team:shop", "type": ""}]
    assert ownership.changes(raw({"owners": sent})) == (Owned((Owner("team:shop", ""),)),)


@pytest.mark.parametrize("module", [input_statistics, output_statistics])
@pytest.mark.parametrize(
    ("count", "rows"),
    [(5, 5), (5.0, 5), ("5", 5), (0, 0), (None, None), (2**53 + 1, 2**53 + 1), (2**63 - 1, 2**63 - 1)],
)
def test_a_count_may_come_as_a_float_or_as_text(module: Any, count: object, rows: int | None) -> None:
    assert module.changes(raw({"rowCount": count})) == (Measured(rows=rows),)


@pytest.mark.parametrize("module", [input_statistics, output_statistics])
@pytest.mark.parametrize(
    "count", [5.5, -1, "", "-1", "1_000", " 7", "\u0667", "5.0", 2**63, 1e300, "9" * 5_000, True, []]
)
def test_what_is_no_count_is_refused(module: Any, count: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        module.changes(raw({"fileCount": count}))


def test_nested_columns_are_listed_depth_first_by_their_path() -> None:
    inner = {"name": "geo", "fields": [None, {"name": "lat"}, {"name": "lon"}]}
    fields = [{"name": "id", "fields": []}, {"name": "to", "fields": [{"name": "zip"}, inner]}, None, {"name": "at"}]
    (change,) = schema.changes(raw({"fields": fields}))
    assert isinstance(change, Structured)
    assert [column.name for column in change.columns] == [
        "id", "to", "to.zip", "to.geo", "to.geo.lat", "to.geo.lon", "at"
    ]  # fmt: skip


def test_a_schema_without_fields_has_no_columns() -> None:
    assert schema.changes(b"{}") == (Structured(()),)
    assert schema.changes(b'{"fields":null}') == (Structured(()),)


def test_columns_are_read_to_64_levels_and_no_deeper() -> None:
    (change,) = schema.changes(nested(64))
    assert isinstance(change, Structured)
    assert change.columns[-1] == Column(".".join("a" * 64))
    for levels in (65, 200, 100_000):
        with pytest.raises(ValueError, match="nested too deeply"):
            schema.changes(nested(levels))


@pytest.mark.parametrize("ordinal", [2**31, -(2**31) - 1, 10**30, "1", 1.5])
def test_an_ordinal_no_table_could_have_is_refused(ordinal: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        schema.changes(raw({"fields": [{"name": "a", "ordinal_position": ordinal}]}))


def test_long_parent_names_cannot_be_multiplied_into_memory() -> None:
    children = [{"name": "x"}] * 20_000
    bomb = raw({"fields": [{"name": "n" * 200_000, "fields": children}]})
    tracemalloc.start()
    with pytest.raises(ValueError, match="nested too deeply"):
        schema.changes(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * len(bomb)


@pytest.mark.parametrize("missing", ["namespace", "name"])
def test_a_parent_job_with_half_a_name_is_refused(missing: str) -> None:
    job = {"namespace": "n", "name": "j"}
    del job[missing]
    with pytest.raises(ValueError, match=missing):
        parent.changes(raw({"run": {"runId": "r"}, "job": job}))


def test_a_parent_without_root_has_none_whether_left_out_or_null() -> None:
    facet = {"run": {"runId": "r"}, "job": {"namespace": "", "name": "j"}}
    assert parent.changes(raw(facet)) == parent.changes(raw(facet | {"root": None}))


def test_equal_places_of_code_are_equal_texts_in_whatever_order_they_came() -> None:
    one = source_code_location.changes(b'{"_producer":"a","url":"u","branch":"b","type":"git","tag":null}')
    other = source_code_location.changes(b'{"type":"git","branch":"b","url":"u","_schemaURL":"s","new":1}')
    assert one == other == (CodeAt('{"branch":"b","type":"git","url":"u"}'),)


def test_a_symlink_without_a_type_has_the_empty_type() -> None:
    sent = [None, {"namespace": "n", "name": "t"}]
    assert symlinks.changes(raw({"identifiers": sent})) == (Symlinked(((Name("n", "t"), ""),)),)


def test_a_snapshot_number_is_a_version_to_its_last_digit() -> None:
    assert version.changes(b'{"datasetVersion":3821550127947089009}') == (Versioned("3821550127947089009"),)


def test_job_type_and_nominal_time_are_read_with_whatever_they_have() -> None:
    assert job_type.changes(b'{"integration":"SPARK"}') == (JobTyped(None, "SPARK", None),)
    assert nominal_time.changes(b'{"nominalEndTime":"2026-01-02"}') == (Scheduled(None, "2026-01-02"),)


def test_what_spark_calls_an_exception_is_an_error_message() -> None:
    facet = find(Scope.RUN, "spark.exception")
    assert facet is find(Scope.RUN, "errorMessage")
    assert facet is not None
    assert facet.changes(raw({"message": "[DIVIDE_BY_ZERO]", "stackTrace": "at job.py:57"})) == ()
    with pytest.raises(ValueError, match="message"):
        facet.changes(raw({"stackTrace": "at job.py:57"}))


@pytest.mark.parametrize(
    "facet",
    [{}, {"inputCondition": None}, {"inputCondition": {"type": "moonphase"}}, {"inputCondition": {"locations": []}}],
)
def test_a_subset_without_a_condition_we_know_is_not_understood(facet: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        subset.changes(raw(facet))


def test_endless_conditions_are_refused() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        subset.changes(b'{"inputCondition":' + b'{"type":"binary","operator":"AND","left":' * 50_000)
