"""Tables and steps in the words of OpenLineage: the facet classes of openlineage-python, filled in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from functools import cache
from typing import Final

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, StaticDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    JobFacet,
    RunFacet,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    dataset_type_dataset,
    dataset_version_dataset,
    documentation_dataset,
    documentation_job,
    error_message_run,
    job_type_job,
    lifecycle_state_change_dataset,
    lineage,
    nominal_time_run,
    output_statistics_output_dataset,
    ownership_dataset,
    ownership_job,
    parent_run,
    processing_engine_run,
    schema_dataset,
    source_code_location_job,
    sql_job,
    symlinks_dataset,
    tags_dataset,
    tags_job,
)

from catalog.demo.dates import FIRST, commit, release
from catalog.demo.shapes import Origin, Step, Table, origins

REPOSITORY: Final = "https://git.harbour.example/pipelines"
PRODUCER: Final = REPOSITORY
"""Said in every facet: the client would put its own version there, and a newer client would make other bytes."""

_ENGINES: Final = {"AIRFLOW": "3.1.2", "FLINK": "2.1.0", "KUBEFLOW": "2.14.0"}


def described(table: Table, day: date, *more: tuple[str, DatasetFacet]) -> StaticDataset:
    """A dataset as its owners describe it: what it is, whose, and what is personal in it."""
    doc = documentation_dataset.DocumentationDatasetFacet(table.description, "text/plain", producer=PRODUCER)
    owner = ownership_dataset.Owner(table.owner, "OWNER")
    facets: dict[str, DatasetFacet] = {
        "documentation": doc,
        "ownership": ownership_dataset.OwnershipDatasetFacet([owner], producer=PRODUCER),
        "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet(table.kind, producer=PRODUCER),
        "tags": _tags(table, day),
    }
    if table.columns:
        facets["schema"] = _schema(table, release(day))
    if table.alias:
        facets["symlinks"] = _symlinks(*table.alias)
    return StaticDataset(table.namespace, table.name, facets=facets | dict(more))


def read(table: Table, day: date) -> InputDataset:
    """A dataset as input of a run of that day."""
    facets: dict[str, DatasetFacet] = {"schema": _schema(table, release(day))} if table.columns else {}
    return InputDataset(table.namespace, table.name, facets=facets)


def written(step: Step, table: Table, day: date) -> OutputDataset:
    """A dataset as output of a run of that day, with the columns it has and where they come from."""
    facets: dict[str, DatasetFacet] = {}
    if table.columns:
        facets["schema"] = _schema(table, release(day))
    if step.writes[table] and not step.exact:
        facets["columnLineage"] = column_lineage(step, table, day)
    if table.alias:
        facets["symlinks"] = _symlinks(*table.alias)
    if table.kind == "MODEL":
        facets["datasetType"] = dataset_type_dataset.DatasetTypeDatasetFacet("MODEL", "CLASSIFIER", producer=PRODUCER)
        version = str(1 + (day - FIRST).days // 7)
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(version, producer=PRODUCER)
    rows = rows_on(table, day)
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rows, rows * 16 * max(1, len(table.columns)), 1 + rows // 100_000, producer=PRODUCER
    )
    return OutputDataset(table.namespace, table.name, {"outputStatistics": statistics}, facets=facets)


def rows_on(table: Table, day: date) -> int:
    """How many rows it has on that day: a little more every week, and never quite the same."""
    number = (day - FIRST).days
    return table.rows + table.rows * number // 2_000 + (number * 7_919 + table.rows) % (1 + table.rows // 50)


def dropped(table: Table) -> OutputDataset:
    """A dataset that a run removed."""
    drop = lifecycle_state_change_dataset.LifecycleStateChange.DROP
    facet = lifecycle_state_change_dataset.LifecycleStateChangeDatasetFacet(drop, producer=PRODUCER)
    return OutputDataset(table.namespace, table.name, facets={"lifecycleStateChange": facet})


def checked(table: Table, day: date, column: str, missing: float, allowed: float) -> InputDataset:
    """A dataset as a quality check saw it; `missing` and `allowed` are shares of the rows."""
    assertion = data_quality_assertions_dataset.Assertion(
        "null_share_below",
        missing <= allowed,
        column,
        "error",
        name=f"{column}_is_mostly_there",
        description=f"At most {allowed:.0%} of the rows may have no {column}.",
        expected=f"<= {allowed}",
        actual=str(missing),
        content=f"SELECT avg(CASE WHEN {column} IS NULL THEN 1 ELSE 0 END) FROM {table.name}",  # noqa: S608 - is shown
        contentType="sql",
    )
    unique = data_quality_assertions_dataset.Assertion("unique", success=True, column="customer_key", severity="error")
    facet: InputDatasetFacet = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
        [assertion, unique], producer=PRODUCER
    )
    return InputDataset(table.namespace, table.name, {"dataQualityAssertions": facet}, facets=read(table, day).facets)


@cache
def _schema(table: Table, released: date) -> schema_dataset.SchemaDatasetFacet:
    fields = [
        schema_dataset.SchemaDatasetFacetFields(column.name, column.type, ordinal_position=place)
        for place, column in enumerate(table.columns_on(released), start=1)
    ]
    return schema_dataset.SchemaDatasetFacet(fields, producer=PRODUCER)


@cache
def _symlinks(namespace: str, name: str) -> symlinks_dataset.SymlinksDatasetFacet:
    return symlinks_dataset.SymlinksDatasetFacet(
        [symlinks_dataset.Identifier(namespace, name, "TABLE")], producer=PRODUCER
    )


def _tags(table: Table, day: date) -> tags_dataset.TagsDatasetFacet:
    tag = tags_dataset.TagsDatasetFacetFields
    personal = [tag("pii", "true", "USER", column.name) for column in table.columns_on(day) if column.personal]
    domain = table.owner.removeprefix("team:").removeprefix("partner:")
    return tags_dataset.TagsDatasetFacet([tag("domain", domain, "USER"), *personal], producer=PRODUCER)


def _told(step: Step, table: Table, day: date) -> list[Origin]:
    """The origins of what both ends had on that day."""

    def has(at: Table, column: str) -> bool:
        return column == "*" or column in {one.name for one in at.columns_on(day)}

    return [one for one in origins(step, table) if has(table, one.target) and has(one.source, one.column)]


def column_lineage(step: Step, table: Table, day: date) -> column_lineage_dataset.ColumnLineageDatasetFacet:
    """Where the columns of an output come from."""
    return _column_lineage(step, table, release(day))


@cache
def _column_lineage(step: Step, table: Table, released: date) -> column_lineage_dataset.ColumnLineageDatasetFacet:
    fields: dict[str, list[column_lineage_dataset.InputField]] = defaultdict(list)
    for origin in _told(step, table, released):
        how = column_lineage_dataset.Transformation(*origin.how)
        source = origin.source
        fields[origin.target].append(
            column_lineage_dataset.InputField(source.namespace, source.name, origin.column, [how])
        )
    everywhere = fields.pop("*", [])
    return column_lineage_dataset.ColumnLineageDatasetFacet(
        {name: column_lineage_dataset.Fields(sources) for name, sources in fields.items()},
        everywhere,
        producer=PRODUCER,
    )


def exact_lineage(step: Step, day: date) -> lineage.LineageJobFacet:
    """Which output comes from which input: the explicit `lineage` facet of a job."""
    entries: list[lineage.LineageEntry] = []
    for table in step.writes:
        whole, fields = _exact(_told(step, table, day))
        entries.append(lineage.LineageDatasetEntry(table.namespace, table.name, "DATASET", whole, fields))
    return lineage.LineageJobFacet(entries, producer=PRODUCER)


def made_from(step: Step, table: Table, day: date) -> lineage.LineageDatasetFacet:
    """What a view is made from: the explicit `lineage` facet of a dataset."""
    whole, fields = _exact(_told(step, table, day))
    return lineage.LineageDatasetFacet(whole, fields, producer=PRODUCER)


def _exact(told: Iterable[Origin]) -> tuple[list[lineage.LineageInput], dict[str, lineage.LineageFieldEntry]]:
    fields: dict[str, list[lineage.LineageInput]] = defaultdict(list)
    for origin in told:
        how = lineage.LineageTransformation(*origin.how)
        source = origin.source
        fields[origin.target].append(
            lineage.LineageDatasetInput(source.namespace, source.name, "DATASET", origin.column, [how])
        )
    whole = fields.pop("*", [])
    return whole, {name: lineage.LineageFieldEntry(sources) for name, sources in fields.items()}


def job(step: Step, day: date, *more: tuple[str, JobFacet]) -> Job:
    """A job as it was on that day."""
    return Job(step.namespace, step.name, _job_facets(step, commit(release(day))) | dict(more))


@cache
def _job_facets(step: Step, version: str) -> dict[str, JobFacet]:
    pattern = job_type_job.EmissionPattern("PERIODIC", "COMPLETE_SNAPSHOT", 86_400)
    stream = step.processing == "STREAMING"
    path = step.path or f"sql/{step.name.rpartition('.')[2]}.sql"
    owner = ownership_job.Owner(step.owner, "MAINTAINER")
    facets: dict[str, JobFacet] = {
        "jobType": job_type_job.JobTypeJobFacet(
            step.processing, step.integration, step.kind, pattern if stream else None, producer=PRODUCER
        ),
        "documentation": documentation_job.DocumentationJobFacet(step.description, "text/plain", producer=PRODUCER),
        "ownership": ownership_job.OwnershipJobFacet([owner], producer=PRODUCER),
        "sourceCodeLocation": source_code_location_job.SourceCodeLocationJobFacet(
            "git", f"{REPOSITORY}/blob/{version}/{path}", f"{REPOSITORY}.git", path, version, branch="main",
            producer=PRODUCER,
        ),
    }  # fmt: skip
    if step.kind == "DAG":
        tag = tags_job.TagsJobFacetFields("tier", "1", "AIRFLOW")
        facets["tags"] = tags_job.TagsJobFacet([tag], producer=PRODUCER)
    if step.sql:
        facets["sql"] = sql_job.SQLJobFacet(step.sql, "snowflake", producer=PRODUCER)
    return facets


def run(run_id: str, facets: dict[str, RunFacet]) -> Run:
    """A run with its facets."""
    return Run(run_id, facets)


@cache
def engine(integration: str) -> dict[str, RunFacet]:
    """What runs the job."""
    facet = processing_engine_run.ProcessingEngineRunFacet(
        _ENGINES[integration], integration.title(), producer=PRODUCER
    )
    return {"processing_engine": facet}


@cache
def nominal(start: datetime, end: datetime) -> dict[str, RunFacet]:
    """The time a run is for."""
    facet = nominal_time_run.NominalTimeRunFacet(start.isoformat(), end.isoformat(), producer=PRODUCER)
    return {"nominalTime": facet}


@cache
def part_of(step: Step, run_id: str) -> dict[str, RunFacet]:
    """That a run is part of another, which is also the root: DAGs are one level deep here."""
    facet = parent_run.ParentRunFacet(
        parent_run.Run(run_id),
        parent_run.Job(step.namespace, step.name),
        parent_run.Root(parent_run.RootRun(run_id), parent_run.RootJob(step.namespace, step.name)),
        producer=PRODUCER,
    )
    return {"parent": facet}


def failure(message: str, stack: str) -> dict[str, RunFacet]:
    """Why a run failed."""
    return {"errorMessage": error_message_run.ErrorMessageRunFacet(message, "PYTHON", stack, producer=PRODUCER)}
