"""What a dataset was called before it was renamed.

Renames that the log has from before are known after `catalog rebuild`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "2026_11_23_was_named"
down_revision = "2026_11_23_uses"
branch_labels = None
depends_on = None

_COMMENT = "That an activity renamed a dataset, and when that became true: NULL until the run completes."


def upgrade() -> None:
    op.create_table(
        "dataset_rename",
        *(sa.Column(name, Key, autoincrement=False, nullable=False) for name in _KEYS),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint(*_KEYS, name=op.f("pk_dataset_rename")),
        comment=_COMMENT,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_dataset_rename_dataset_id", "dataset_rename", ["dataset_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_dataset_rename_dataset_id", table_name="dataset_rename")
    op.drop_table("dataset_rename")


_KEYS = ("activity_id", "dataset_id", "previous_id")
