"""Rows without what is known anyway: NULL for what nobody said, columns in the order in which they pack.

Each table is made anew on both engines: SQLite cannot make a column nullable, and PostgreSQL cannot move one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "2026_11_22_tuned"
down_revision = "2026_11_22_search"
branch_labels = None
depends_on = None

Columns = Sequence[sa.Column[Any]]
Indexes = Mapping[str, tuple[Sequence[str], str | None]]
"""By name: the columns, and of which rows if not of all."""

_NEVER = "CAST(-9223372036854775808 AS BIGINT)"
_RUN_STAMPS = ("nominal", "parent")
_USE_STAMPS = ("measured", "label")
_ENTRY_SAID = "Everything that was accepted, in the order it was accepted."
_USE_SAID = "What a run read and wrote (an output is a version of the dataset), or an event declared."
_BODY_SAID = "The bytes as received, and the salt of their commitment: deleting a row erases them for good."
_BODY_SAYS = f"{_BODY_SAID} The commitment stays."

_ENTRY_INDEXES: Indexes = {
    "ix_log_entry_activity": (("activity_id", "event_time"), None),
    "ix_log_entry_digest_key": (("digest_key",), None),
    "ix_log_entry_subject": (("subject_id", "event_time"), None),
}
_USE_INDEXES: Indexes = {"ix_run_dataset_dataset_id": (("dataset_id", "last_at"), None)}
_RUN_INDEXES_WERE: Indexes = {
    "ix_run_first_at": (("first_at", "id"), None),
    "ix_run_job_first": (("job_id", "first_at", "id"), None),
    "ix_run_job_completed": (("job_id", "completed_at", "id"), None),
    "ix_run_parent_id": (("parent_id",), None),
    "ix_run_run_key": (("run_key",), None),
}
_RUN_INDEXES: Indexes = {
    "ix_run_first_at": (("first_at",), None),
    "ix_run_job_first": (("job_id", "first_at"), None),
    "ix_run_job_completed": (("job_id", "completed_at"), None),
    "ix_run_parent_id": (("parent_id",), "parent_id IS NOT NULL"),
    "ix_run_run_key": (("run_key",), None),
}


def upgrade() -> None:
    _remake(
        "log_entry",
        [
            _key("seq"), _number("event_time"), _number("received_at"), _number("digest_key"), _number("activity_id"),
            _number("subject_id"), _small("kind"), _small("event_type"), _bytes("digest"), _bytes("leaf_hash"),
            _text("principal"), _text("source"), _bytes("payload_commit", null=True), _text("failure", null=True),
        ],
        ["seq"], _ENTRY_INDEXES, _ENTRY_INDEXES,
        values={"payload_commit": "CASE WHEN length(payload_commit) > 0 THEN payload_commit END"},
        comment=_ENTRY_SAID,
    )  # fmt: skip
    _remake(
        "run",
        [
            _key("id"), _number("job_id"), _number("run_key"),
            *(_number(name, null=True) for name in (
                "first_at", "last_at", "started_at", "completed_at", "failed_at", "aborted_at", "nominal_start",
                "nominal_end", "nominal_at", "nominal_tie", "parent_id", "root_id", "parent_at", "parent_tie",
                "version_id",
            )),
            _small("state"), _text("run_id"),
        ],
        ["id"], _RUN_INDEXES_WERE, _RUN_INDEXES, values=_nulls(_RUN_STAMPS),
    )  # fmt: skip
    _remake(
        "run_dataset",
        [
            _key("activity_id"), _key("dataset_id"), _number("first_at"), _number("last_at"),
            *(_number(name, null=True) for name in (
                "row_count", "byte_count", "file_count", "measured_at", "measured_tie", "label_at", "label_tie",
            )),
            _small("role"), _small("lifecycle"), _text("label", null=True),
        ],
        ["activity_id", "dataset_id", "role"], _USE_INDEXES, _USE_INDEXES, values=_nulls(_USE_STAMPS),
        comment=_USE_SAID,
    )  # fmt: skip
    _say_of_bodies(_BODY_SAYS, _BODY_SAID)


def downgrade() -> None:
    """A commitment that is computed from body and salt becomes empty, which `upgrade` reads as that again."""
    _remake(
        "log_entry",
        [
            _key("seq"), _small("kind"), _number("event_time"), _number("received_at"), _number("digest_key"),
            _bytes("digest"), _bytes("payload_commit"), _bytes("leaf_hash"), _number("activity_id"),
            _number("subject_id"), _text("principal"), _text("source"), _small("event_type"),
            _text("failure", null=True),
        ],
        ["seq"], _ENTRY_INDEXES, _ENTRY_INDEXES,
        values={"payload_commit": f"coalesce(payload_commit, {_empty()})"}, comment=_ENTRY_SAID,
    )  # fmt: skip
    _remake(
        "run",
        [
            _key("id"), _number("job_id"), _text("run_id"), _number("run_key"), _small("state"),
            *(_number(name, null=True) for name in (
                "first_at", "last_at", "started_at", "completed_at", "failed_at", "aborted_at", "nominal_start",
                "nominal_end",
            )),
            _number("nominal_at"), _number("nominal_tie"), _number("parent_id", null=True),
            _number("root_id", null=True), _number("parent_at"), _number("parent_tie"),
            _number("version_id", null=True),
        ],
        ["id"], _RUN_INDEXES, _RUN_INDEXES_WERE, values=_nevers(_RUN_STAMPS),
    )  # fmt: skip
    _remake(
        "run_dataset",
        [
            _key("activity_id"), _key("dataset_id"), _key("role"), _number("first_at"), _number("last_at"),
            *(_number(name, null=True) for name in ("row_count", "byte_count", "file_count")),
            _number("measured_at"), _number("measured_tie"), _text("label", null=True), _number("label_at"),
            _number("label_tie"), _small("lifecycle"),
        ],
        ["activity_id", "dataset_id", "role"], _USE_INDEXES, _USE_INDEXES, values=_nevers(_USE_STAMPS),
        comment=_USE_SAID,
    )  # fmt: skip
    _say_of_bodies(_BODY_SAID, _BODY_SAYS)


def _remake(
    table: str,
    columns: Columns,
    keys: Sequence[str],
    were: Indexes,
    indexes: Indexes,
    *,
    values: Mapping[str, str],
    comment: str | None = None,
) -> None:
    for name in were:
        op.drop_index(name, table_name=table)
    old = f"old_{table}"
    op.rename_table(table, old)
    if not _on_sqlite():
        # Its name is wanted by the new one.
        op.execute(f"ALTER TABLE {old} DROP CONSTRAINT pk_{table}")
    constraint = sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_{table}"))
    op.create_table(table, *columns, constraint, comment=comment, sqlite_with_rowid=len(keys) == 1)
    names = [column.name for column in columns]
    taken = [f"{values[name]} AS {name}" if name in values else name for name in names]
    op.execute(f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(taken)} FROM {old} ORDER BY {keys[0]}")  # noqa: S608 - names of ours
    op.drop_table(old)
    for name, (of, where) in indexes.items():
        only = None if where is None else sa.text(where)
        op.create_index(name, table, list(of), unique=False, sqlite_where=only, postgresql_where=only)


def _nulls(stamps: Sequence[str]) -> dict[str, str]:
    return {
        f"{stamp}_{part}": f"CASE WHEN {stamp}_at > {_NEVER} THEN {stamp}_{part} END"
        for stamp in stamps
        for part in ("at", "tie")
    }


def _nevers(stamps: Sequence[str]) -> dict[str, str]:
    return {
        f"{stamp}_{part}": f"coalesce({stamp}_{part}, {never})"
        for stamp in stamps
        for part, never in (("at", _NEVER), ("tie", "0"))
    }


def _say_of_bodies(comment: str, before: str) -> None:
    if not _on_sqlite():
        op.create_table_comment("log_body", comment, existing_comment=before)


def _on_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def _empty() -> str:
    return "x''" if _on_sqlite() else "''::bytea"


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, Key, autoincrement=False, nullable=False)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _small(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger(), autoincrement=False, nullable=False)


def _bytes(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)
