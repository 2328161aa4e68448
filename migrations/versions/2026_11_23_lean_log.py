"""Entries without their leaves, which the rest of them says, and a smaller index of jobs: by period, not by time.

The table is made anew on both engines: PostgreSQL leaves the room of a column that goes, and cannot say where one
comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "2026_11_23_lean_log"
down_revision = "2026_11_22_tuned"
branch_labels = None
depends_on = None

_SAID = "Everything that was accepted, in the order it was accepted."
_INDEXES_WERE = {
    "ix_log_entry_activity": ["activity_id", "event_time"],
    "ix_log_entry_digest_key": ["digest_key"],
    "ix_log_entry_subject": ["subject_id", "event_time"],
}
_INDEXES = {**_INDEXES_WERE, "ix_log_entry_subject": ["subject_id", "period"]}


def upgrade() -> None:
    _remake(
        [
            *_numbers(), sa.Column("period", sa.Integer(), nullable=False), *_kinds(), _bytes("digest"), *_words(),
        ],
        _INDEXES_WERE, _INDEXES, {"period": "event_time >> 38"},
    )  # fmt: skip


def downgrade() -> None:
    """Leaves become empty: only proofs read them, which nobody could ask for then. `upgrade` takes them away again."""
    empty = "x''" if op.get_context().dialect.name == "sqlite" else "''::bytea"
    _remake(
        [*_numbers(), *_kinds(), _bytes("digest"), _bytes("leaf_hash"), *_words()],
        _INDEXES, _INDEXES_WERE, {"leaf_hash": empty},
    )  # fmt: skip


def _remake(
    columns: Sequence[sa.Column[Any]],
    were: Mapping[str, Sequence[str]],
    indexes: Mapping[str, Sequence[str]],
    values: Mapping[str, str],
) -> None:
    for name in were:
        op.drop_index(name, table_name="log_entry")
    op.rename_table("log_entry", "old_log_entry")
    if op.get_context().dialect.name != "sqlite":
        # Its name is wanted by the new one.
        op.execute("ALTER TABLE old_log_entry DROP CONSTRAINT pk_log_entry")
    key = sa.PrimaryKeyConstraint("seq", name=op.f("pk_log_entry"))
    op.create_table("log_entry", *columns, key, comment=_SAID)
    names = [column.name for column in columns]
    taken = [values.get(name, name) for name in names]
    op.execute(
        f"INSERT INTO log_entry ({', '.join(names)}) SELECT {', '.join(taken)} FROM old_log_entry ORDER BY seq"  # noqa: S608 - names of ours
    )
    op.drop_table("old_log_entry")
    for name, of in indexes.items():
        op.create_index(name, "log_entry", list(of), unique=False)


def _numbers() -> list[sa.Column[Any]]:
    names = ("event_time", "received_at", "digest_key", "activity_id", "subject_id")
    return [
        sa.Column("seq", Key, autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in names),
    ]


def _kinds() -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.SmallInteger(), autoincrement=False, nullable=False) for name in ("kind", "event_type")]


def _bytes(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _words() -> list[sa.Column[Any]]:
    return [
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("payload_commit", sa.LargeBinary(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
    ]
