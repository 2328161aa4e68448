"""Finding datasets and jobs by words: ranked, page by page, the same on both engines.

What is found has a tier, and within it the place of its document. Of few documents the tiers are told here, from
their words. Where there are many, the index is asked for one tier after the other until the page is full: the first
page of a word that half of the catalog has costs no sorting by a weight, which the engines would round differently.

0. whole      the name, or how it ends, is what was asked for, whatever stands between its words
1. exact      the name has every word
2. names      the name has words that begin so
3. more       … in the name, or among columns, tags, owners and namespaces
4. text       … or in the description
5. pieces     nothing was found so far, and the name has the letters of an unknown word inside of one of its own
6. typos      … or it has a word that differs from an unknown one in one letter
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from sqlalchemy import BigInteger, Row, column

from catalog.domain.errors import BadRequest
from catalog.domain.search_words import LONGEST, SHORTEST_PIECE, Term, grams, nearly, terms
from catalog.domain.words import EntityKind
from catalog.store import search_index, search_sources
from catalog.store.engine import Read
from catalog.store.paging import Order, Page, Slice
from catalog.store.search_index import Formula, Token, every, some, token
from catalog.store.search_matches import Match, matches

WHOLE, EXACT, NAMES, MORE, TEXT, PIECES, TYPOS = range(7)

SHORTEST_TYPO: Final = 5
"""Characters of a word that may be misspelled: of shorter ones too many differ in one letter."""

EXAMINED: Final = 2_000
"""Documents that are looked at for pieces and typos, at most, behind a cursor."""

FEW: Final = 100
"""Documents whose tiers are told from their words."""

_AT_ONCE: Final = 500
_SCOPES: Final = {EXACT: Token.NAME, NAMES: Token.NAME, MORE: Token.MORE, TEXT: Token.ANY}
# A letter too many, missing or wrong spoils up to three grams of a word, two swapped ones four.
_SPOILED: Final = 4

_ORDER: Final = Order("search", (column("tier", BigInteger()), column("place", BigInteger())))
_DOCUMENTS: Final = frozenset(search_sources.KINDS)

Found = tuple[int, Row[Any]]
"""A tier and a document in it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found. `score` is 7 for its whole name, down to 1 for a word that is nearly the one asked for."""

    id: int
    kind: EntityKind
    namespace: str
    name: str
    column: str | None
    score: int
    gone: bool
    matched: Sequence[Match]


def page(connection: Read, text: str, kinds: Collection[EntityKind] | None, page: Page) -> Slice[Hit]:
    """One page of what is found by this text, the best first.

    Args:
        connection: to ask.
        text: words, or beginnings of words; all of them count, in any order. Of very long texts the beginning.
        kinds: what is wanted, None for everything. A COLUMN is a dataset that has it; nothing finds a RUN by words.
        page: which part.

    Raises:
        BadRequest: the text is empty, or `page.after` is no cursor of a search.
    """
    asked = _asked(text, kinds)
    tier, place = (WHOLE, -1) if page.after is None else _ORDER.place(page.after)
    found = list(_found(connection, asked, (tier, place), page.first + 1)) if asked.possible else []
    shown = found[: page.first]
    cursors = [_ORDER.cursor([number, row.place]) for number, row in shown]
    return Slice(_hits(connection, asked, shown), cursors, len(found) > page.first)


def count(connection: Read, text: str, kinds: Collection[EntityKind] | None) -> int:
    """How many there are on all pages; pieces and typos are counted among the first 2,000 that they could be in.

    Raises:
        BadRequest: the text is empty.
    """
    asked = _asked(text, kinds)
    if not asked.possible:
        return 0
    if known := search_index.count(connection, asked.by_words):
        return known
    unknown = _unknown(connection, asked)
    guessed = (sum(1 for _ in _examined(connection, asked, unknown, number, -1)) for number in (PIECES, TYPOS))
    return next(filter(None, guessed), 0)


def _found(connection: Read, asked: _Asked, after: tuple[int, int], most: int) -> Iterator[Found]:
    """At most so many, behind a tier and a place in it."""
    begun, place = after
    if begun < PIECES:
        found = _by_words(connection, asked, after, most)
        yield from found
        # What is misspelled is guessed at only where words as they are find nothing, on this page and before it.
        if found or place >= 0:
            return
    unknown = _unknown(connection, asked)
    for number in (PIECES, TYPOS) if begun <= PIECES else (TYPOS,):
        rows = _examined(connection, asked, unknown, number, place if number == begun else -1)
        found = [(number, row) for row in islice(rows, most)]
        yield from found
        if found or place >= 0:
            return


def _by_words(connection: Read, asked: _Asked, after: tuple[int, int], most: int) -> Sequence[Found]:
    found: list[Found] = []
    begun, place = after
    for number in range(begun, PIECES):
        if number == max(begun, MORE if len(asked.terms) == 1 else NAMES) and not _are_many(connection, asked):
            # A full page is had sooner by its tier. Before many tiers that may be empty, see if there are only few.
            few = search_index.matching(connection, asked.by_words, -1, FEW + 1)
            if len(few) <= FEW:
                ranked = sorted(((asked.tier_of(row), row) for row in few), key=lambda one: (one[0], one[1].place))
                return [one for one in ranked if (one[0], one[1].place) > after][:most]
        wanted = asked.tier(number)
        if place >= 0 and number > WHOLE:
            # What came on pages before this one is not known here.
            better = [asked.tier(WHOLE), *([asked.tier(number - 1)] if number > EXACT else [])]
            wanted = wanted.but_not(some(better))
        seen = {row.place for _, row in found}
        behind = place if number == begun else -1
        rows = search_index.matching(connection, wanted, behind, most)
        found += [(number, row) for row in rows if row.place not in seen][: most - len(found)]
        if len(found) == most:
            break
    return found


def _are_many(connection: Read, asked: _Asked) -> bool:
    """Whether words as they are find many. The index just reads them; beginnings of words it has to collect."""
    exact = every(_term(term, Token.ANY, prefix=False) for term in asked.terms)
    return bool(asked.kinds) and search_index.are_more(connection, asked.of_kinds(exact), FEW)


def _is_known(connection: Read, term: Term) -> bool:
    """Whether anything has the term, as it is or as a beginning: then it is not misspelled."""
    either = (_term(term, Token.ANY, prefix=False), _term(term, Token.ANY, prefix=True))
    return any(search_index.are_more(connection, formula, 0) for formula in either)


def _unknown(connection: Read, asked: _Asked) -> list[Term]:
    """The terms that nothing has: those may be misspelled."""
    return [term for term in asked.terms if not _is_known(connection, term)]


def _examined(
    connection: Read, asked: _Asked, unknown: Collection[Term], number: int, after: int
) -> Iterator[Row[Any]]:
    """Documents that the index holds possible, and that a look at their words confirms."""
    if not asked.kinds or not unknown or not all(_guessable(number, word) for t in unknown for word in _words(t)):
        return
    guesses = (_guess(number, term) if term in unknown else _term(term, Token.ANY, prefix=True) for term in asked.terms)
    wanted = asked.of_kinds(every(guesses))
    for _ in range(EXAMINED // _AT_ONCE):
        rows = search_index.matching(connection, wanted, after, _AT_ONCE)
        yield from (row for row in rows if asked.is_confirmed(number, row.words))
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].place


def _asked(text: str, kinds: Collection[EntityKind] | None) -> _Asked:
    if not text.strip():
        raise BadRequest("There is nothing to look for.", fix="Give a word, or the beginning of one.")
    wanted = _DOCUMENTS if kinds is None else frozenset(kinds)
    return _Asked(terms(text), wanted & _DOCUMENTS, EntityKind.COLUMN in wanted and EntityKind.DATASET not in wanted)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question: what is looked for, in documents of which kinds, and whether in columns for themselves."""

    terms: Sequence[Term]
    kinds: frozenset[EntityKind]
    columns: bool

    @property
    def possible(self) -> bool:
        """Whether anything could be found."""
        return bool(self.terms) and (bool(self.kinds) or self.columns)

    @property
    def by_words(self) -> Formula:
        """Everything that tiers 0 to 4 find."""
        return some([self.tier(TEXT), self.tier(WHOLE)])

    @property
    def whole(self) -> str:
        """What was asked for as one word."""
        return "".join(term.joined for term in self.terms)[:LONGEST]

    def tier(self, number: int) -> Formula:
        """What belongs to a tier or to a better one, whole names aside."""
        parts = []
        if self.kinds:
            said = token(Token.WHOLE, self.whole) if number == WHOLE else self._said(_SCOPES[number], number)
            parts.append(self.of_kinds(said))
        if self.columns:
            column = self._said(Token.COLUMN, number)
            parts.append(column & _kinds([EntityKind.DATASET]))
        return some(parts)

    def tier_of(self, row: Row[Any]) -> int:
        """The best tier a document is in, of those that go by words."""
        words = row.words.split(" ")
        if row.kind in {search_sources.KINDS[kind] for kind in self.kinds}:
            if _has(words, f"{Token.WHOLE}{self.whole}", prefix=False):
                return WHOLE
            return next(n for n, scope in _SCOPES.items() if self._holds(words, scope, prefix=n > EXACT))
        # A column is said in the first two tiers, and in the third by its beginning.
        return WHOLE if self._holds(words, Token.COLUMN, prefix=False) else NAMES

    def _holds(self, words: Sequence[str], scope: Token, *, prefix: bool) -> bool:
        return all(
            any(all(_has(words, f"{scope}{word}", prefix=prefix) for word in way) for way in term.ways)
            for term in self.terms
        )

    def of_kinds(self, formula: Formula) -> Formula:
        """Those of the kinds wanted; where all are, the index need not look."""
        return formula if self.kinds == _DOCUMENTS else formula & _kinds(self.kinds)

    def _said(self, scope: Token, number: int) -> Formula:
        return every(_term(term, scope, prefix=number > EXACT) for term in self.terms)

    def is_confirmed(self, number: int, words: str) -> bool:
        """Whether a document that may have the words in pieces, or misspelled, has them."""
        said = words.split(" ")
        names = [word[1:] for word in said if word[0] == Token.NAME]
        fits = _has_piece if number == PIECES else _has_nearly

        def has(word: str) -> bool:
            return _has(said, f"{Token.ANY}{word}", prefix=True) or any(fits(known, word) for known in names)

        return all(any(all(map(has, way)) for way in term.ways) for term in self.terms)


def _has(words: Sequence[str], wanted: str, *, prefix: bool) -> bool:
    at = bisect_left(words, wanted)
    return at < len(words) and (words[at].startswith(wanted) if prefix else words[at] == wanted)


def _kinds(kinds: Collection[EntityKind]) -> Formula:
    return some(token(Token.KIND, str(number)) for number in sorted(search_sources.KINDS[kind] for kind in kinds))


def _term(term: Term, scope: Token, *, prefix: bool) -> Formula:
    return some(every(token(scope, word, prefix=prefix) for word in way) for way in term.ways)


def _words(term: Term) -> Iterator[str]:
    return (word for way in term.ways for word in way)


def _guessable(number: int, word: str) -> bool:
    return len(word) >= (SHORTEST_PIECE if number == PIECES else SHORTEST_TYPO)


def _guess(number: int, term: Term) -> Formula:
    """What could have the word in pieces, or misspelled: more than has it."""

    def of_word(word: str) -> Formula:
        ways = [token(Token.ANY, word, prefix=True)]
        if _guessable(PIECES, word):
            ways.append(every(token(Token.GRAM, gram) for gram in grams(word, ends=False)))
        if number == TYPOS and _guessable(TYPOS, word):
            ways += [every(token(Token.GRAM, gram) for gram in kept) for kept in _unspoiled(word)]
        return some(ways)

    return some(every(of_word(word) for word in way) for way in term.ways)


def _unspoiled(word: str) -> Iterator[list[str]]:
    """The grams that are left wherever the mistake is."""
    all_grams = grams(word)
    for start in range(len(all_grams) - _SPOILED + 1):
        yield all_grams[:start] + all_grams[start + _SPOILED :]


def _has_piece(known: str, word: str) -> bool:
    return len(word) >= SHORTEST_PIECE and word in known


def _has_nearly(known: str, word: str) -> bool:
    return _has_piece(known, word) or (len(word) >= SHORTEST_TYPO and nearly(known, word))


def _hits(connection: Read, asked: _Asked, found: Sequence[Found]) -> list[Hit]:
    kinds = {number: kind for kind, number in search_sources.KINDS.items()}
    ids = {row.subject_id: kinds[row.kind] for _, row in found}
    datasets = [id for id, kind in ids.items() if kind is not EntityKind.JOB]
    sources = search_sources.read(connection, datasets, [id for id in ids if ids[id] is EntityKind.JOB])
    hits = []
    for number, row in found:
        source = sources[row.subject_id]
        as_column = asked.columns and source.kind not in asked.kinds
        matched = matches(source, asked.terms, columns_first=as_column)
        column = next((match.text for match in matched if match.field == "column"), None)
        kind = EntityKind.COLUMN if as_column else source.kind
        hits.append(Hit(row.subject_id, kind, *source.names[0], column, TYPOS + 1 - number, source.gone, matched))
    return hits
