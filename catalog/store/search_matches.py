"""Why something was found: the texts that have the words, as their producers wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from catalog.domain.search_words import SHORTEST_PIECE, Term, composed, nearly, segments, wholes
from catalog.store.search_sources import Source

_SNIPPET: Final = 160
_BEFORE: Final = 40
_MOST_CHARACTERS: Final = 10_000
_NOT, _NEARLY, _INSIDE, _BEGINS, _EXACT = range(5)


@dataclass(frozen=True, slots=True)
class Match:
    """Where words were found: name, alias, column, tag, owner, namespace or description; and the text, or a part."""

    field: str
    text: str


def matches(source: Source, terms: Sequence[Term], *, columns_first: bool = False) -> list[Match]:
    """Texts that between them have the terms, at most one of each field; plain text, not marked up."""
    left = list(terms)
    found: list[Match] = []
    best = [(field, *_best(texts, left)) for field, texts in _fields(source, columns_first=columns_first)]
    # One text that has them all says more than the first that has some.
    best.sort(key=lambda one: not all(one[2]))
    for field, text, _ in best:
        strengths = _strengths(text, left)
        if any(strengths):
            found.append(Match(field, _snippet(text, left) if len(text) > _SNIPPET else text))
            left = [term for term, strength in zip(left, strengths, strict=True) if not strength]
    return found


def _best(texts: Sequence[str], terms: Sequence[Term]) -> tuple[str, list[int]]:
    """The text with the most of the terms, the closest to them."""
    return max(((text, _strengths(text, terms)) for text in texts), key=_rank, default=("", [_NOT] * len(terms)))


def _fields(source: Source, *, columns_first: bool) -> Iterator[tuple[str, Sequence[str]]]:
    if columns_first:
        yield "column", source.columns
    (space, name), *others = source.names
    yield "name", [name]
    yield "alias", [other for _, other in others]
    yield "column", source.columns
    yield "tag", source.tags
    yield "owner", source.owners
    yield "namespace", list(dict.fromkeys([space, *(other for other, _ in others)]))
    yield "description", source.descriptions


def _rank(found: tuple[str, Sequence[int]]) -> tuple[int, int, int]:
    text, strengths = found
    return sum(map(bool, strengths)), sum(strengths), -len(text)


def _strengths(text: str, terms: Sequence[Term]) -> list[int]:
    words = {word for segment in segments(text[:_MOST_CHARACTERS]) for word in segment.words}
    words |= wholes(text) if len(text) <= _SNIPPET else set()
    return [max(min(max(map(_strength_of(one), words), default=_NOT) for one in way) for way in term.ways)
            for term in terms]  # fmt: skip


class _strength_of:  # noqa: N801 - used as a function
    """How much a word is the one that was asked for."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted

    def __call__(self, word: str) -> int:
        if word == self.wanted:
            return _EXACT
        if word.startswith(self.wanted):
            return _BEGINS
        if len(self.wanted) >= SHORTEST_PIECE and self.wanted in word:
            return _INSIDE
        return _NEARLY if len(self.wanted) > SHORTEST_PIECE and nearly(word, self.wanted) else _NOT


def _snippet(text: str, terms: Sequence[Term]) -> str:
    """The part of a long text around the first word that was asked for, cut between words."""
    whole = composed(text[:_MOST_CHARACTERS])
    wanted = [word for term in terms for way in term.ways for word in way]
    at = next(
        (s.start for s in segments(whole) if any(known.startswith(word) for known in s.words for word in wanted)), 0
    )
    start = max(0, at - _BEFORE)
    start = whole.find(" ", start, at) + 1 or at if start else 0
    end = start + _SNIPPET
    part = whole[start:end].strip()
    return ("…" if start else "") + part + ("…" if end < len(whole) else "")
