"""A realistic sample of every facet, the changes it must give, and what happens when it is damaged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.domain.changes import (
    Change,
    ChildOf,
    CodeAt,
    Column,
    ColumnsFrom,
    DatasetTyped,
    Dependency,
    DependsOn,
    Described,
    Explicit,
    JobTyped,
    LifecycleChanged,
    LineageEntry,
    Measured,
    Name,
    Owned,
    Owner,
    RunName,
    Scheduled,
    Source,
    Structured,
    Symlinked,
    Tag,
    Tagged,
    Transformation,
    Versioned,
)
from catalog.domain.words import Scope
from catalog.facets import ALL, find

RUN, JOB, DATASET, INPUT, OUTPUT = Scope
WAREHOUSE = "postgres://warehouse:5432"
ORDERS = {"namespace": WAREHOUSE, "name": "shop.public.orders"}
IDENTITY = Transformation("DIRECT", "IDENTITY")
RUN_ID, ROOT_ID = "01a2045a-748a-72bd-b201-799fc11579c0", "01a2045a-6f9b-7a8b-b6ab-31c6915b5938"
PROFILE = {
    "rowCount": 1000, "bytes": 48_000, "fileCount": 3, "lastUpdated": "2026-01-02T00:00:00Z",
    "columnMetrics": {"amount": {"nullCount": 0, "min": 0.5, "max": 99, "quantiles": {"0.5": 12.25}},
                      "day": {"min": "2026-01-01", "max": "2026-01-31", "distinctCount": 31}},
}  # fmt: skip
ASSERTIONS = {"assertions": [{"assertion": "not_null", "success": True, "column": "customer", "severity": "error",
                              "expected": "0", "actual": 0, "params": {}}]}  # fmt: skip
CONDITION = {
    "type": "binary", "operator": "AND",
    "left": {"type": "compare", "comparison": "EQUAL", "left": {"type": "field", "field": "day"},
             "right": {"type": "literal", "value": "2026-01-01"}},
    "right": {"type": "partition", "partitions": [{"identifier": "p1", "dimensions": {"day": "2026-01-01"}}]},
}  # fmt: skip

Sample = tuple[Scope, str, dict[str, Any], tuple[Change, ...]]

SHAPING: list[Sample] = [
    (RUN, "nominalTime", {"nominalStartTime": "2026-01-02T00:00:00+00:00", "nominalEndTime": None},
     (Scheduled("2026-01-02T00:00:00+00:00"),)),
    (RUN, "parent", {"run": {"runId": RUN_ID}, "job": {"namespace": "dbt-shop", "name": "model.shop.orders"},
                     "root": {"run": {"runId": ROOT_ID}, "job": {"namespace": "dbt-shop", "name": "dbt-run-shop"}}},
     (ChildOf(RunName(Name("dbt-shop", "model.shop.orders"), RUN_ID),
              RunName(Name("dbt-shop", "dbt-run-shop"), ROOT_ID)),)),
    (RUN, "parentRun", {"run": {"runId": "not-a-uuid"}, "job": {"namespace": "airflow", "name": "shop_etl"}},
     (ChildOf(RunName(Name("airflow", "shop_etl"), "not-a-uuid")),)),
    (RUN, "tags", {"tags": [{"key": "openlineage_client_version", "source": "OPENLINEAGE_CLIENT", "value": "1.54.0"}]},
     (Tagged((Tag("openlineage_client_version", "1.54.0", "OPENLINEAGE_CLIENT"),)),)),
    (JOB, "documentation", {"description": "Loads **orders**.", "contentType": "text/markdown"},
     (Described("Loads **orders**.", "text/markdown"),)),
    (JOB, "jobType", {"processingType": "batch", "integration": "DBT", "jobType": "SQL",
                      "emissionPattern": {"eventTrigger": "PERIODIC", "eventContentMode": "ACCUMULATIVE"}},
     (JobTyped("BATCH", "DBT", "SQL"),)),
    (JOB, "lineage", {"entries": [{**ORDERS, "type": "DATASET", "inputs": []}]},
     (Explicit((LineageEntry("DATASET", Name(**ORDERS), (), (), None, frozenset({""})),)),)),
    (JOB, "ownership", {"owners": [{"name": "team:shop", "type": "MAINTAINER"}, {"name": "airflow"}]},
     (Owned((Owner("team:shop", "MAINTAINER"), Owner("airflow"))),)),
    (JOB, "sourceCodeLocation", {"url": "https://git.example/shop", "type": "git", "path": "dags/é.py",
                                 "version": None, "pullRequestNumber": 42},
     (CodeAt('{"path":"dags/é.py","pullRequestNumber":"42","type":"git","url":"https://git.example/shop"}'),)),
    (JOB, "tags", {"tags": [{"key": "lineage", "value": "lineage", "source": "AIRFLOW"}]},
     (Tagged((Tag("lineage", "lineage", "AIRFLOW"),)),)),
    (DATASET, "columnLineage",
     {"fields": {"customer": {"inputFields": [{**ORDERS, "field": "name", "transformations": [
         {"type": "DIRECT", "subtype": "IDENTITY"}]}]}}, "dataset": []},
     (ColumnsFrom((("customer", Source("DATASET", Name(**ORDERS), "name", None, (IDENTITY,))),)),)),
    (DATASET, "datasetType", {"datasetType": "TABLE", "subType": "EXTERNAL"}, (DatasetTyped("TABLE", "EXTERNAL"),)),
    (DATASET, "documentation", {"description": "revenue per customer"}, (Described("revenue per customer"),)),
    (DATASET, "lifecycleStateChange", {"lifecycleStateChange": "rename", "previousIdentifier": ORDERS},
     (LifecycleChanged("RENAME", Name(**ORDERS)),)),
    (DATASET, "lineage", {"inputs": [{**ORDERS, "type": "DATASET"}]},
     (Explicit((LineageEntry("DATASET", None, (Source("DATASET", Name(**ORDERS)),), ()),)),)),
    (DATASET, "ownership", {"owners": [{"name": "team:shop"}]}, (Owned((Owner("team:shop"),)),)),
    (DATASET, "schema", {"fields": [{"name": "id", "type": "bigint", "description": "key", "ordinal_position": 1},
                                    {"name": "to", "type": "struct", "fields": [{"name": "city"}]}, {"name": "at"}]},
     (Structured((Column("id", "bigint", "key", 1), Column("to", "struct"), Column("to.city"), Column("at"))),)),
    (DATASET, "symlinks", {"identifiers": [{**ORDERS, "type": "TABLE"}, {**ORDERS, "type": None}]},
     (Symlinked(((Name(**ORDERS), "TABLE"), (Name(**ORDERS), ""))),)),
    (DATASET, "tags", {"tags": [{"key": "pii", "value": "true", "field": "email"}]},
     (Tagged((Tag("pii", "true", field="email"),)),)),
    (DATASET, "version", {"datasetVersion": "3821550127947089009"}, (Versioned("3821550127947089009"),)),
    (RUN, "jobDependencies", {"upstream": [{"job": ORDERS, "run": {"runId": RUN_ID}, "type": "DIRECT_INVOCATION",
                                            "sequence_trigger_rule": "FINISH_TO_START"}],
                              "downstream": [{"job": ORDERS, "dependency_type": "IMPLICIT"}, None],
                              "trigger_rule": "ALL_SUCCESS"},
     (DependsOn((Dependency(Name(**ORDERS), RUN_ID, "DIRECT_INVOCATION", "FINISH_TO_START"),),
                (Dependency(Name(**ORDERS), kind="IMPLICIT"),), "ALL_SUCCESS"),)),
    (INPUT, "inputStatistics", {"rowCount": 1000, "size": 48_000, "fileCount": 3}, (Measured(1000, 48_000, 3),)),
    (OUTPUT, "outputStatistics", {"rowCount": 0, "size": 0}, (Measured(0, 0),)),
]  # fmt: skip

KEPT: list[Sample] = [
    (scope, name, payload, ())
    for scope, name, payload in (
        (RUN, "environmentVariables", {"environmentVariables": [{"name": "TZ", "value": "UTC"}]}),
        (RUN, "errorMessage", {"message": "no column nope", "programmingLanguage": "sql", "stackTrace": "line 1"}),
        (RUN, "executionParameters", {"parameters": [{"key": "timeout", "name": "Timeout", "value": "3600"}]}),
        (RUN, "externalQuery", {"externalQueryId": "bq_2024_11_26", "source": "bigquery"}),
        (RUN, "extractionError", {"totalTasks": 2, "failedTasks": 1, "errors": [
            {"errorMessage": "cannot parse", "task": "SELECT", "taskNumber": 1}]}),
        (RUN, "processing_engine", {"name": "dbt", "version": "1.11.16", "openlineageAdapterVersion": "1.54.0"}),
        (RUN, "test", {"tests": [{"name": "no_orphans", "status": "pass", "params": {"limit": 5}}]}),
        (RUN, "gcp_composer_run", {"dagRunId": "manual__2026"}),
        (RUN, "gcp_dataproc", {"appId": "app-1", "appName": "shop", "projectId": "shop-prod", "clusterName": "c"}),
        (JOB, "sourceCode", {"language": "bash", "sourceCode": "exit 0;"}),
        (JOB, "sql", {"query": "select 1", "dialect": "duckdb"}),
        (JOB, "gcp_composer_job", {"environmentName": "prod", "dagId": "shop_etl", "airflowVersion": "2.10",
                                   "composerVersion": "2.9"}),
        (JOB, "gcp_lineage", {"displayName": "shop", "origin": {"sourceType": "COMPOSER", "name": "projects/1"}}),
        (DATASET, "catalog", {"framework": "iceberg", "type": "glue", "name": "lake",
                              "catalogProperties": {"region": "eu-west-1"}}),
        (DATASET, "dataQualityMetrics", PROFILE),
        (DATASET, "dataQualityAssertions", ASSERTIONS),
        (DATASET, "dataSource", {"name": WAREHOUSE, "uri": WAREHOUSE}),
        (DATASET, "hierarchy", {"hierarchy": [{"type": "DATABASE", "name": "shop"}, {"type": "TABLE", "name": "t"}]}),
        (DATASET, "storage", {"storageLayer": "delta", "fileFormat": "parquet"}),
        (INPUT, "dataQualityMetrics", PROFILE),
        (INPUT, "dataQualityAssertions", ASSERTIONS),
        (INPUT, "subset", {"inputCondition": CONDITION}),
        (OUTPUT, "subset", {"outputCondition": {"type": "location", "locations": ["s3://lake/day=1"]}}),
        (INPUT, "icebergScanReport", {"snapshotId": 3821550127947089009, "projectedFieldNames": ["id"],
                                      "scanMetrics": {"resultDataFiles": 4, "totalPlanningDuration": 1.5}}),
        (OUTPUT, "icebergCommitReport", {"snapshotId": 1, "operation": "append", "commitMetrics": {"attempts": 1}}),
    )
]  # fmt: skip

SAMPLES = SHAPING + KEPT
IDS = [f"{scope.name.lower()}-{name}" for scope, name, _, _ in SAMPLES]
each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
each_facet = pytest.mark.parametrize("facet", ALL, ids=lambda facet: facet.NAME)


def said(scope: Scope, name: str, payload: object) -> tuple[Change, ...]:
    facet = find(scope, name)
    assert facet is not None
    return facet.changes(json.dumps(payload).encode())


def test_every_facet_has_a_sample_at_every_place_it_may_stand() -> None:
    places = {(scope, facet.NAME) for facet in ALL for scope in facet.SUBJECTS}
    assert places - {(scope, name) for scope, name, _, _ in SAMPLES} == set()


@each_sample
def test_a_real_facet_gives_exactly_these_changes(sample: Sample) -> None:
    scope, name, payload, expected = sample
    envelope = {"_producer": "https://example.com", "_schemaURL": "https://example.com/facet.json"}
    assert said(scope, name, payload | envelope) == expected


@each_sample
def test_a_field_of_another_type_is_refused(sample: Sample) -> None:
    scope, name, payload, _ = sample
    for field in payload:
        if (name, field) == ("columnLineage", "dataset"):
            continue  # It is read part by part, and there are others.
        with pytest.raises(ValueError, match=r".+"):
            said(scope, name, payload | {field: [[]]})


@each_sample
def test_what_nobody_asked_for_is_ignored(sample: Sample) -> None:
    scope, name, payload, expected = sample
    assert said(scope, name, payload | {"x-new": [{"a": None}], "_deleted": False}) == expected


@each_facet
@pytest.mark.parametrize("payload", [b"", b"{", b"null", b"[]", b"17", b'"text"', b"\xff", b'{"a":' * 100_000])
def test_what_is_no_object_is_refused_by_every_facet(facet: Any, payload: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        facet.changes(payload)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Scope, str, object]:
    scope, name, payload, _ = draw(st.sampled_from(SAMPLES))

    def spoil(part: Any) -> object:
        if isinstance(part, dict) and part and draw(st.integers(0, 3)):
            key = draw(st.sampled_from(sorted(part)))
            return {**part, key: spoil(part[key])}
        if isinstance(part, list) and part and draw(st.integers(0, 3)):
            place = draw(st.integers(0, len(part) - 1))
            return [*part[:place], spoil(part[place]), *part[place + 1 :]]
        return draw(anything)

    return scope, name, spoil(payload)


@given(damaged())
@settings(max_examples=1_000, deadline=None)
def test_a_damaged_facet_is_refused_as_a_value_error_or_answered(facet: tuple[Scope, str, object]) -> None:
    try:
        answer = said(*facet)
    except ValueError as refusal:
        assert str(refusal)  # noqa: PT017 - either outcome is right, each in its own form
    else:
        assert isinstance(answer, tuple)
        assert hash(answer) == hash(said(*facet))


@given(payload=st.binary() | anything.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_refused_as_a_value_error_or_answered(payload: bytes) -> None:
    for facet in ALL:
        try:
            answer = facet.changes(payload)
        except ValueError:
            continue
        assert isinstance(answer, tuple)
