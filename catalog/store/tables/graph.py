"""The graph: rows computed from the log alone, so that any order of arrival gives the same ones."""

from __future__ import annotations

from sqlalchemy import Column, Index, SmallInteger, Table
from sqlalchemy import text as sql

from catalog.store.tables.base import Key, Sorted, at, blob, key, metadata, ref, small, text


def _part(name: str) -> Column[int]:
    return Column(name, Key, primary_key=True, autoincrement=False)


_HAS_PARENT = sql("parent_id IS NOT NULL")
_DECLARED = sql("last_at IS NOT NULL")

namespace = Table(
    "namespace",
    metadata,
    key(),
    text("name"),
    Column("sort_key", Sorted, nullable=False),
    Index("ix_namespace_sort_key", "sort_key", "id"),
)

dataset = Table(
    "dataset",
    metadata,
    key(),
    ref("namespace_id"),
    text("name"),
    # The beginning of the names: an index entry has a size limit, a name has none.
    Column("sort_key", Sorted, nullable=False),
    # The one of its names under which it is shown; itself where it has only one.
    ref("canonical_id"),
    at("created_at"),
    text("type", null=True),
    text("sub_type", null=True),
    text("description", null=True),
    Index("ix_dataset_sort_key", "sort_key", "id"),
    Index("ix_dataset_canonical_id", "canonical_id"),
    Index("ix_dataset_namespace_id", "namespace_id", "sort_key"),
    comment="A row per name; names that symlinks join share a canonical_id.",
)

dataset_alias = Table(
    "dataset_alias",
    metadata,
    _part("dataset_id"),
    _part("alias_id"),
    text("type"),
    Index("ix_dataset_alias_alias_id", "alias_id"),
    comment="Symlinks as they were said: the dataset and another name it has.",
    sqlite_with_rowid=False,
)

dataset_drop = Table(
    "dataset_drop",
    metadata,
    _part("dataset_id"),
    _part("activity_id"),
    at("at"),
    comment="When a dataset was dropped; it conducts no lineage from then until it is written again.",
    sqlite_with_rowid=False,
)

dataset_rename = Table(
    "dataset_rename",
    metadata,
    _part("activity_id"),
    _part("dataset_id"),
    _part("previous_id"),
    at("at", null=True),
    Index("ix_dataset_rename_dataset_id", "dataset_id"),
    comment="That an activity renamed a dataset, and when that became true: NULL until the run completes.",
    sqlite_with_rowid=False,
)

field = Table(
    "field",
    metadata,
    key(),
    ref("dataset_id"),
    text("name"),
    Index("ix_field_dataset_id", "dataset_id"),
    comment="Every column that was ever named, in a schema or only in a column lineage.",
)

job = Table(
    "job",
    metadata,
    key(),
    ref("namespace_id"),
    text("name"),
    Column("sort_key", Sorted, nullable=False),
    at("created_at"),
    ref("parent_id", null=True),
    at("parent_at"),
    ref("parent_tie"),
    text("processing_type", null=True),
    text("integration", null=True),
    text("type", null=True),
    text("description", null=True),
    # The first and the last completed run with lineage: what an in-order completion is compared with.
    at("first_point_at", null=True),
    at("last_point_at", null=True),
    ref("last_point_run", null=True),
    ref("last_version_id", null=True),
    Index("ix_job_sort_key", "sort_key", "id"),
    Index("ix_job_namespace_id", "namespace_id", "sort_key"),
    Index("ix_job_parent_id", "parent_id"),
)

job_version = Table(
    "job_version",
    metadata,
    key(),
    ref("job_id"),
    text("code"),
    Index("ix_job_version_job_id", "job_id"),
    comment="What completed runs of a job did: content-addressed inputs, outputs, flows and code location.",
)

# A stamp that nobody gave is NULL in both parts, not NEVER: most runs and uses have none. In these two tables, of
# which there are most rows, what is eight bytes long comes first: PostgreSQL would fill the gaps before it.
run = Table(
    "run",
    metadata,
    key(),
    ref("job_id"),
    ref("run_key"),
    at("first_at", null=True),
    at("last_at", null=True),
    at("started_at", null=True),
    at("completed_at", null=True),
    at("failed_at", null=True),
    at("aborted_at", null=True),
    at("nominal_start", null=True),
    at("nominal_end", null=True),
    at("nominal_at", null=True),
    ref("nominal_tie", null=True),
    ref("parent_id", null=True),
    ref("root_id", null=True),
    at("parent_at", null=True),
    ref("parent_tie", null=True),
    ref("version_id", null=True),
    small("state"),
    text("run_id"),
    Index("ix_run_run_key", "run_key"),
    # Without the id, by which pages are ordered too: SQLite has it in every index, and PostgreSQL sorts the few runs
    # of one moment.
    Index("ix_run_job_first", "job_id", "first_at"),
    Index("ix_run_job_completed", "job_id", "completed_at"),
    Index("ix_run_first_at", "first_at"),
    Index("ix_run_parent_id", "parent_id", sqlite_where=_HAS_PARENT, postgresql_where=_HAS_PARENT),
)

run_dataset = Table(
    "run_dataset",
    metadata,
    _part("activity_id"),
    _part("dataset_id"),
    # NULL of a run: its statements say since when and until when.
    at("first_at", null=True),
    at("last_at", null=True),
    ref("row_count", null=True),
    ref("byte_count", null=True),
    ref("file_count", null=True),
    at("measured_at", null=True),
    ref("measured_tie", null=True),
    at("label_at", null=True),
    ref("label_tie", null=True),
    Column("role", SmallInteger, primary_key=True, autoincrement=False),
    small("lifecycle"),
    text("label", null=True),
    Index("ix_run_dataset_dataset_id", "dataset_id", "last_at", sqlite_where=_DECLARED, postgresql_where=_DECLARED),
    comment="What there is to say of a run's datasets beside that it used them, and all that other events declared.",
    sqlite_with_rowid=False,
)

statement = Table(
    "statement",
    metadata,
    key(),
    blob("body"),
    comment="What events said about lineage, each distinct saying once.",
)

statement_dataset = Table(
    "statement_dataset",
    metadata,
    _part("statement_id"),
    _part("dataset_id"),
    Column("role", SmallInteger, primary_key=True, autoincrement=False),
    Index("ix_statement_dataset_dataset_id", "dataset_id"),
    comment="The inputs and outputs that a statement names: what every run that says it read and wrote.",
    sqlite_with_rowid=False,
)

run_statement = Table(
    "run_statement",
    metadata,
    _part("run_id"),
    _part("statement_id"),
    at("at"),
    at("last_at"),
    Index("ix_run_statement_statement_id", "statement_id", "last_at"),
    comment="Which run said what, since when and when last.",
    sqlite_with_rowid=False,
)

declaration = Table(
    "declaration",
    metadata,
    _part("owner_id"),
    Column("at", Key, primary_key=True, autoincrement=False),
    _part("tie"),
    small("owner_node"),
    ref("statement_id"),
    ref("activity_id"),
    comment="Job and dataset events: the whole declared lineage of their owner from then on.",
    sqlite_with_rowid=False,
)

# What a walk reads of an edge beside its ends. In ten million edges every row is a page of its own: PostgreSQL took a
# third longer to look each up in the table too. On SQLite an index has the primary key anyway.
_WALKED = ("owner_id", "derivation", "conduct", "through_group", "valid_from")

edge = Table(
    "edge",
    metadata,
    _part("owner_id"),
    _part("source_id"),
    _part("target_id"),
    _part("derivation"),
    _part("conduct"),
    _part("through_group"),
    _part("valid_from"),
    at("valid_to"),
    small("source_node"),
    small("target_node"),
    Index("ix_edge_source_id", "source_id", "valid_to", postgresql_include=["target_id", *_WALKED]),
    Index("ix_edge_target_id", "target_id", "valid_to", postgresql_include=["source_id", *_WALKED]),
    comment="Lineage between datasets and jobs, with the time during which it held.",
    sqlite_with_rowid=False,
)

field_edge = Table(
    "field_edge",
    metadata,
    _part("owner_id"),
    _part("source_id"),
    _part("target_id"),
    _part("derivation"),
    _part("transformation_key"),
    _part("valid_from"),
    at("valid_to"),
    small("source_node"),
    ref("source_owner"),
    text("source_column"),
    small("target_node"),
    ref("target_owner"),
    text("target_column"),
    text("type"),
    text("subtype"),
    text("description"),
    small("masking"),
    Index("ix_field_edge_source_id", "source_id", "valid_to"),
    Index("ix_field_edge_target_id", "target_id", "valid_to"),
    Index("ix_field_edge_source_owner", "source_owner"),
    Index("ix_field_edge_target_owner", "target_owner"),
    comment="Lineage with a column at one end at least, with the time during which it held.",
    sqlite_with_rowid=False,
)

facet = Table(
    "facet",
    metadata,
    _part("subject_id"),
    _part("scope"),
    Column("name_key", Key, primary_key=True, autoincrement=False),
    Column("valid_from", Key, primary_key=True, autoincrement=False),
    _part("tie"),
    at("valid_to"),
    text("name"),
    ref("content_key"),
    small("understood"),
    # NULL: the producer deleted the facet.
    blob("payload", null=True),
    Index("ix_facet_subject_valid_to", "subject_id", "valid_to"),
    comment="Facets of jobs and datasets, a row for each change.",
    sqlite_with_rowid=False,
)

tag = Table(
    "tag",
    metadata,
    _part("subject_id"),
    _part("position"),
    ref("tag_key"),
    text("key"),
    text("value"),
    text("source", null=True),
    text("field", null=True),
    Index("ix_tag_tag_key", "tag_key"),
    comment="The tags that hold now, of jobs and datasets.",
    sqlite_with_rowid=False,
)

ownership = Table(
    "ownership",
    metadata,
    _part("subject_id"),
    _part("position"),
    ref("owner_key"),
    text("name"),
    text("type", null=True),
    Index("ix_ownership_owner_key", "owner_key"),
    comment="The owners that hold now, of jobs and datasets.",
    sqlite_with_rowid=False,
)
