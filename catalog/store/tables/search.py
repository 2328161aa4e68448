"""What is searched: a document of words for each dataset and job, and how each engine indexes them.

The index is the engine's own, FTS5 and GIN; the words in it, and the order of the documents, are ours.
"""

from __future__ import annotations

from sqlalchemy import DDL, Index, Table, event

from catalog.store.tables import base

search_document = Table(
    "search_document",
    base.metadata,
    # Documents are answered in this order; SQLite's index keeps its lists by it.
    base.key("place"),
    base.ref("subject_id"),
    base.small("kind"),
    base.text("words"),
    Index("ix_search_document_subject_id", "subject_id"),
    comment="The words each dataset and job is found by, in the order in which equally good ones are answered.",
)

FTS = "search_index"
"""SQLite's index, a virtual table with shadow tables whose names begin with its own."""

# detail=full is for phrases, of which the words of a document, being sorted, have none. The lists of beginnings make
# the index half as large again, and a beginning that 10,000 documents have 100 times as fast.
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
# Not to_tsvector: its parser would have an opinion on what a word is. The cost is a lie with a purpose: without it the
# planner, who takes the making of a vector for cheap, makes 110,000 of them (1.5 s) instead of asking the index.
_ON_POSTGRESQL = (
    (
        "CREATE FUNCTION search_vector(words text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE "
        "COST 10000 AS 'BEGIN RETURN array_to_tsvector(array_remove(string_to_array(words, '' ''), '''')); END'"
    ),
    "CREATE INDEX ix_search_document_words ON search_document USING gin (search_vector(words))",
)


def _declare(when: str, dialect: str, statement: str) -> None:
    said = DDL(statement)  # type: ignore[no-untyped-call] # sqlalchemy has it so
    event.listen(search_document, when, said.execute_if(dialect=dialect))


for _statement in _ON_SQLITE:
    _declare("after_create", "sqlite", _statement)
for _statement in _ON_POSTGRESQL:
    _declare("after_create", "postgresql", _statement)
_declare("before_drop", "sqlite", "DROP TABLE search_index")
_declare("after_drop", "postgresql", "DROP FUNCTION search_vector(text)")


def is_declared(name: str | None, kind: str, _parents: object) -> bool:
    """What alembic is to compare with the tables (its option `include_name`): it knows neither index."""
    return not (name or "").startswith(_INDEXES.get(kind, "\0"))


_INDEXES = {"table": FTS, "index": "ix_search_document_words"}
