"""How often the graph was changed without a new entry: with the size of the log it says which graph there is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "2026_11_23_which_graph"
down_revision = "2026_11_23_was_named"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("log_head", sa.Column("mended", Key, server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("log_head", "mended")
