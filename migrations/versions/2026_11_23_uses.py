"""What a run read and wrote follows from what it said: statements name their datasets, once for all runs.

The two tables whose rows change are made anew, as SQLite cannot make a column nullable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
import zstandard
from alembic import op

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "2026_11_23_uses"
down_revision = "2026_11_23_lean_log"
branch_labels = None
depends_on = None

_INPUT, _OUTPUT = 1, 2
_AT_ONCE = 1_000
_USES = "What there is to say of a run's datasets beside that it used them, and all that other events declared."
_USES_WERE = "What a run read and wrote (an output is a version of the dataset), or an event declared."
_SAYINGS = "Which run said what, since when and when last."
_SAYINGS_WERE = "Which run said what, since when."
_NAMED = "The inputs and outputs that a statement names: what every run that says it read and wrote."
_MORE = (
    "row_count, byte_count, file_count, measured_at, measured_tie, label_at, label_tie, role, lifecycle, label"
)  # fmt: skip
_WHICH_USE = "activity_id, dataset_id"
_OF_RUN = "EXISTS (SELECT 1 FROM old_run_statement s WHERE s.run_id = u.activity_id)"
# Of several statements that name a dataset the last says when it was last used: no saying is later than the first
# of the last uses of what it names.
_LAST_SAID = """
    SELECT s.run_id, s.statement_id, s.at, coalesce((
        SELECT min(u.last_at) FROM statement_dataset d JOIN run_dataset u
            ON u.activity_id = s.run_id AND u.dataset_id = d.dataset_id AND u.role = d.role
        WHERE d.statement_id = s.statement_id
    ), s.at) FROM old_run_statement s ORDER BY s.run_id
"""
_USED = f"""
    SELECT s.run_id, d.dataset_id, min(s.at), max(s.last_at), u.row_count, u.byte_count, u.file_count, u.measured_at,
        u.measured_tie, u.label_at, u.label_tie, d.role, coalesce(u.lifecycle, 0), u.label
    FROM run_statement s JOIN statement_dataset d ON d.statement_id = s.statement_id
    LEFT JOIN old_run_dataset u ON u.activity_id = s.run_id AND u.dataset_id = d.dataset_id AND u.role = d.role
    GROUP BY s.run_id, d.dataset_id, d.role, u.row_count, u.byte_count, u.file_count, u.measured_at, u.measured_tie,
        u.label_at, u.label_tie, u.lifecycle, u.label
    UNION ALL SELECT {_WHICH_USE}, first_at, last_at, {_MORE} FROM old_run_dataset u
    WHERE last_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM run_statement s WHERE s.run_id = u.activity_id)
"""  # noqa: S608 - names of ours


def upgrade() -> None:
    op.create_table(
        "statement_dataset",
        _key("statement_id"), _key("dataset_id"), _small("role"),
        sa.PrimaryKeyConstraint("statement_id", "dataset_id", "role", name=op.f("pk_statement_dataset")),
        comment=_NAMED, sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_index("ix_statement_dataset_dataset_id", "statement_dataset", ["dataset_id"], unique=False)
    _name_datasets()

    _put_aside("run_statement", "ix_run_statement_job_id")
    _make(
        "run_statement",
        [_key("run_id"), _key("statement_id"), _number("at"), _number("last_at")],
        ["run_id", "statement_id"], _SAYINGS,
    )  # fmt: skip
    op.execute(f"INSERT INTO run_statement (run_id, statement_id, at, last_at) {_LAST_SAID}")
    op.create_index("ix_run_statement_statement_id", "run_statement", ["statement_id", "last_at"], unique=False)

    _put_aside("run_dataset", "ix_run_dataset_dataset_id")
    _make_run_dataset(nullable=True, comment=_USES)
    op.execute(
        f"INSERT INTO run_dataset ({_WHICH_USE}, first_at, last_at, {_MORE}) "  # noqa: S608 - names of ours
        f"SELECT {_WHICH_USE}, CASE WHEN {_OF_RUN} THEN NULL ELSE first_at END, "
        f"CASE WHEN {_OF_RUN} THEN NULL ELSE last_at END, {_MORE} FROM old_run_dataset u "
        f"WHERE measured_at IS NOT NULL OR label_at IS NOT NULL OR lifecycle <> 0 OR NOT {_OF_RUN}"
    )
    declared = sa.text("last_at IS NOT NULL")
    op.create_index(
        "ix_run_dataset_dataset_id", "run_dataset", ["dataset_id", "last_at"], unique=False,
        sqlite_where=declared, postgresql_where=declared,
    )  # fmt: skip
    op.drop_table("old_run_statement")
    op.drop_table("old_run_dataset")


def downgrade() -> None:
    _put_aside("run_dataset", "ix_run_dataset_dataset_id")
    _make_run_dataset(nullable=False, comment=_USES_WERE)
    op.execute(f"INSERT INTO run_dataset ({_WHICH_USE}, first_at, last_at, {_MORE}) {_USED}")
    op.create_index("ix_run_dataset_dataset_id", "run_dataset", ["dataset_id", "last_at"], unique=False)

    _put_aside("run_statement", "ix_run_statement_statement_id")
    _make(
        "run_statement",
        [_key("run_id"), _key("statement_id"), _number("job_id"), _number("at")],
        ["run_id", "statement_id"], _SAYINGS_WERE,
    )  # fmt: skip
    op.execute(
        "INSERT INTO run_statement (run_id, statement_id, job_id, at) SELECT s.run_id, s.statement_id, r.job_id, s.at "
        "FROM old_run_statement s JOIN run r ON r.id = s.run_id ORDER BY s.run_id"
    )
    op.create_index("ix_run_statement_job_id", "run_statement", ["job_id", "at"], unique=False)
    for table in ("old_run_statement", "old_run_dataset", "statement_dataset"):
        op.drop_table(table)


def _name_datasets() -> None:
    """The inputs and outputs that every statement has in its body: a script of SQL alone cannot read it."""
    if op.get_context().as_sql:
        op.execute("-- With events in the log, run `catalog rebuild` after this script.")
        return
    connection = op.get_bind()
    found = connection.execute(sa.text("SELECT id, body FROM statement ORDER BY id"))
    while some := found.fetchmany(_AT_ONCE):
        rows = []
        for id, body in some:
            inputs, outputs, *_ = msgspec.msgpack.decode(zstandard.decompress(bytes(body)))
            named = ((_INPUT, inputs), (_OUTPUT, outputs))
            rows += [{"s": id, "d": dataset, "r": role} for role, datasets in named for dataset in datasets]
        if rows:
            connection.execute(sa.text("INSERT INTO statement_dataset VALUES (:s, :d, :r)"), rows)


def _put_aside(table: str, index: str) -> None:
    op.drop_index(index, table_name=table)
    op.rename_table(table, f"old_{table}")
    if op.get_context().dialect.name != "sqlite":
        # Its name is wanted by the new one.
        op.execute(f"ALTER TABLE old_{table} DROP CONSTRAINT pk_{table}")


def _make(table: str, columns: Sequence[sa.Column[Any]], keys: Sequence[str], comment: str) -> None:
    constraint = sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_{table}"))
    op.create_table(table, *columns, constraint, comment=comment, sqlite_with_rowid=False)


def _make_run_dataset(*, nullable: bool, comment: str) -> None:
    counts = ("row_count", "byte_count", "file_count", "measured_at", "measured_tie", "label_at", "label_tie")
    _make(
        "run_dataset",
        [
            _key("activity_id"), _key("dataset_id"), _number("first_at", null=nullable),
            _number("last_at", null=nullable), *(_number(name, null=True) for name in counts), _small("role"),
            _small("lifecycle"), sa.Column("label", sa.Text(), nullable=True),
        ],
        ["activity_id", "dataset_id", "role"], comment,
    )  # fmt: skip


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, Key, autoincrement=False, nullable=False)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _small(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger(), autoincrement=False, nullable=False)
