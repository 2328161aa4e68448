"""Words to find things by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "2026_11_22_search"
down_revision = "2026_11_22_offsets"
branch_labels = None
depends_on = None

_ON_SQLITE = (
    (
        "CREATE VIRTUAL TABLE search_index USING fts5"
        "(words, content='search_document', content_rowid='place', tokenize='ascii', detail='none', "
        "prefix='2 3 4 5 6 7 8 9 10')"
    ),
    (
        "CREATE TRIGGER search_document_insert AFTER INSERT ON search_document BEGIN "
        "INSERT INTO search_index (rowid, words) VALUES (new.place, new.words); END"
    ),
    (
        "CREATE TRIGGER search_document_delete AFTER DELETE ON search_document BEGIN "
        "INSERT INTO search_index (search_index, rowid, words) VALUES ('delete', old.place, old.words); END"
    ),
    (
        "CREATE TRIGGER search_document_update AFTER UPDATE ON search_document BEGIN "
        "INSERT INTO search_index (search_index, rowid, words) VALUES ('delete', old.place, old.words); "
        "INSERT INTO search_index (rowid, words) VALUES (new.place, new.words); END"
    ),
)
_ON_POSTGRESQL = (
    (
        "CREATE FUNCTION search_vector(words text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE "
        "COST 10000 AS 'BEGIN RETURN array_to_tsvector(array_remove(string_to_array(words, '' ''), '''')); END'"
    ),
    "CREATE INDEX ix_search_document_words ON search_document USING gin (search_vector(words))",
)


def upgrade() -> None:
    """The documents are written by `catalog db upgrade` afterwards, which knows what a word is."""
    op.create_table(
        "search_document",
        sa.Column("place", Key, autoincrement=False, nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_search_document")),
        comment="The words each dataset and job is found by, in the order in which equally good ones are answered.",
    )
    op.create_index("ix_search_document_subject_id", "search_document", ["subject_id"], unique=False)
    for statement in _ON_SQLITE if op.get_context().dialect.name == "sqlite" else _ON_POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    on_sqlite = op.get_context().dialect.name == "sqlite"
    if on_sqlite:
        op.execute("DROP TABLE search_index")
    op.drop_table("search_document")
    if not on_sqlite:
        op.execute("DROP FUNCTION search_vector(text)")
