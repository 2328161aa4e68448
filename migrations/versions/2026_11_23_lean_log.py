"""Entries of the log without what their other columns say."""

from __future__ import annotations

revision = "2026_11_23_lean_log"
down_revision = "2026_11_22_tuned"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
