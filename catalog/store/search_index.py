"""What both engines' full-text indexes are asked: one formula of words, said in the syntax of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Row, Select, Text, bindparam, column, func, literal_column, select, table, text

from catalog.store.dialect import is_sqlite
from catalog.store.engine import Read
from catalog.store.tables import search_document
from catalog.store.tables.search import FTS


class Token(StrEnum):
    """Where a word of a document is to be found: the first character of its token.

    MORE are the words of names, columns, tags, owners and namespaces, ANY those of descriptions too: a scope that is
    looked through has tokens of its own, as to join four lists for every word is what takes the time.
    """

    KIND = "k"
    WHOLE = "w"
    NAME = "n"
    MORE = "m"
    ANY = "a"
    COLUMN = "f"
    GRAM = "g"


@dataclass(frozen=True, slots=True)
class Formula:
    """Which documents: said to SQLite's FTS5 and to PostgreSQL as a tsquery.

    Words hold no character that is syntax to either engine: the tokenizer sees to that.
    """

    fts5: str
    tsquery: str

    def __and__(self, other: Formula) -> Formula:
        return Formula(f"({self.fts5} AND {other.fts5})", f"({self.tsquery} & {other.tsquery})")

    def but_not(self, other: Formula) -> Formula:
        """These, without the others."""
        return Formula(f"({self.fts5} NOT {other.fts5})", f"({self.tsquery} & !{other.tsquery})")


def token(kind: Token, word: str, *, prefix: bool = False) -> Formula:
    """Documents with this word, or with one that begins so."""
    return Formula(f'"{kind}{word}"' + (" *" if prefix else ""), f"'{kind}{word}'" + (":*" if prefix else ""))


def every(formulas: Iterable[Formula]) -> Formula:
    """What all of these find; there is at least one."""
    return _joined(list(formulas), " AND ", " & ")


def some(formulas: Iterable[Formula]) -> Formula:
    """What any of these finds; there is at least one."""
    return _joined(list(formulas), " OR ", " | ")


def _joined(formulas: Sequence[Formula], fts5: str, tsquery: str) -> Formula:
    if len(formulas) == 1:
        return formulas[0]
    return Formula(f"({fts5.join(one.fts5 for one in formulas)})", f"({tsquery.join(one.tsquery for one in formulas)})")


_doc = search_document.c
_fts = table(FTS, column("rowid", BigInteger))
_VECTOR = "search_vector(search_document.words) @@ CAST(:wanted AS tsquery)"
_COLUMNS = (_doc.place, _doc.subject_id, _doc.kind, _doc.words)


def matching(connection: Read, wanted: Formula, after: int, most: int) -> Sequence[Row[Any]]:
    """At most so many documents behind the place `after`, in the order of places."""
    if is_sqlite(connection):
        # The index lists its documents by row id: whatever the number of them, only these are read.
        found: Select[Any] = (
            select(*_COLUMNS)
            .select_from(_fts.join(search_document, _doc.place == _fts.c.rowid))
            .where(_matches(wanted), _fts.c.rowid > after)
            .order_by(_fts.c.rowid)
        )
    else:
        # The sum keeps PostgreSQL from reading the places of all documents, to join them with what the words find.
        # Places alone are put in order: with all of their words beside them that takes a third longer.
        places = select(_doc.place).where(_fits(wanted), _doc.place + 0 > after).order_by(_doc.place).limit(most)
        found = select(*_COLUMNS).where(_doc.place.in_(places)).order_by(_doc.place)
    return connection.execute(found.limit(most)).all()


def count(connection: Read, wanted: Formula) -> int:
    """How many documents there are of this kind."""
    if is_sqlite(connection):
        counted = select(func.count()).select_from(_fts).where(_matches(wanted))
    else:
        counted = select(func.count()).select_from(search_document).where(_fits(wanted))
    return connection.execute(counted).scalar_one()


def are_more(connection: Read, wanted: Formula, than: int) -> bool:
    """Whether there are more documents than that. Which they are is not asked: to put them in order takes longest."""
    found = (
        select(_fts.c.rowid).where(_matches(wanted))
        if is_sqlite(connection)
        else select(_doc.place).where(_fits(wanted))
    )
    counted = select(func.count()).select_from(found.limit(than + 1).subquery())
    return connection.execute(counted).scalar_one() > than


def _matches(wanted: Formula) -> Any:  # noqa: ANN401 - sqlalchemy's text clauses have no useful type
    return literal_column(FTS).op("MATCH")(bindparam("wanted", wanted.fts5, Text))


def _fits(wanted: Formula) -> Any:  # noqa: ANN401 - as above
    return text(_VECTOR).bindparams(bindparam("wanted", wanted.tsquery, Text))
