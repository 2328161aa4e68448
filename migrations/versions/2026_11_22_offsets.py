"""How far Kafka partitions were taken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_22_offsets"
down_revision = "2026_11_22_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kafka_offset",
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("consumer_group", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cluster", "consumer_group", "topic", "partition", name=op.f("pk_kafka_offset")),
        comment="The first message of each partition that is not in the log or the quarantine yet.",
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("kafka_offset")
