"""Indexes of edges that have all of an edge a walk reads, on PostgreSQL: on SQLite they have the primary key anyway."""

from __future__ import annotations

from alembic import op

revision = "2026_11_23_whole_in_index"
down_revision = "2026_11_23_which_graph"
branch_labels = None
depends_on = None

_ENDS = (("source_id", "target_id"), ("target_id", "source_id"))
_REST = ["owner_id", "derivation", "conduct", "through_group", "valid_from"]


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for near, far in _ENDS:
        op.drop_index(f"ix_edge_{near}", table_name="edge")
        op.create_index(f"ix_edge_{near}", "edge", [near, "valid_to"], postgresql_include=[far, *_REST])


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for near, _ in _ENDS:
        op.drop_index(f"ix_edge_{near}", table_name="edge")
        op.create_index(f"ix_edge_{near}", "edge", [near, "valid_to"])
