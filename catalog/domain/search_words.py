"""Text to the words it is found by: one tokenizer for what is stored and for what is asked.

The words are made here and not by an engine, so that SQLite and PostgreSQL know the same ones: neither has a say in
what a letter is. A word is lower case, without accents, and has no character that either engine reads as syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from unicodedata import category, normalize

LONGEST: Final = 64
"""Characters of a word that count; what is longer is found by its beginning."""

SHORTEST_PIECE: Final = 3
"""Characters of a piece of a word by which the word can be found."""

_OPEN, _CLOSE = "\u2039", "\u203a"
"""The ends of a word among its grams: no word has them, as they are punctuation."""

# Scripts that put no space between words: Thai to Khmer, then Han, Kana and Hangul.
_SPACELESS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_SEGMENT = re.compile(r"[uldsc]+")
_PART = re.compile(r"u+(?=ul)|u?l+|u+|d+|s+|c+")
_CACHED: Final = 0x3000


class _Classes(dict[int, str]):
    """What each character is: upper or lower letter, digit, symbol, spaceless; or a blank, between words."""

    def __missing__(self, code: int) -> str:
        said = _class_of(chr(code))
        if code < _CACHED:
            self[code] = said
        return said


def _class_of(character: str) -> str:
    if _SPACELESS.match(character) and category(character)[0] in "LM":
        return "c"
    if character.isnumeric():
        return "d"
    if character.isalpha():
        return "u" if character.isupper() or character.istitle() else "l"
    # An emoji is a word to those who put it into a name; a mark belongs to the letter before it.
    if character > "\x7f" and category(character)[0] in "SM":
        return "l" if category(character)[0] == "M" else "s"
    return " "


_classes: Final = _Classes()


@dataclass(frozen=True, slots=True)
class Segment:
    """What stands between two separators: its folded text, and the folded parts it falls into.

    `customerID2` has the parts customer, id and 2. Parts in spaceless scripts are pieces of two characters that
    overlap, and the last character alone, so that whatever is looked for in them is found.
    """

    start: int
    end: int
    joined: str
    parts: tuple[str, ...]

    @property
    def words(self) -> set[str]:
        """All that this segment is found by."""
        return {self.joined, *self.parts}


def composed(text: str) -> str:
    """The text that the places of its segments count in."""
    return text if text.isascii() else normalize("NFC", text)


def segments(text: str) -> Iterator[Segment]:
    """The segments of a text, with their places in `composed(text)`; those that fold to nothing are left out."""
    whole = composed(text)
    classes = whole.translate(_classes)
    for found in _SEGMENT.finditer(classes):
        start, end = found.span()
        parts: list[str] = []
        for part in _PART.finditer(classes, start, end):
            folded = fold(whole[part.start() : part.end()])
            parts += _pairs(folded) if classes[part.start()] == "c" else [folded[:LONGEST]]
        parts = [part for part in parts if part]
        if parts:
            yield Segment(start, end, fold(whole[start:end])[:LONGEST], tuple(parts))


def fold(text: str) -> str:
    """Lower case without accents; letters that only look different become one."""
    if text.isascii():
        return text.lower()
    bare = "".join(c for c in normalize("NFKD", text) if category(c) != "Mn")
    folded = normalize("NFKC", bare.casefold())
    return "".join(c for c in folded.casefold() if _classes[ord(c)] != " ")


def _pairs(text: str) -> list[str]:
    return [*(text[i : i + 2] for i in range(len(text) - 1)), text[-1:]]


def wholes(name: str, most: int = 6) -> set[str]:
    """A name as one word, and its last segments as one word each: `a.b_c` is abc, bc and c."""
    said = [segment.joined for segment in segments(name)]
    starts = {0, *range(max(0, len(said) - most), len(said))}
    return {"".join(said[start:])[:LONGEST] for start in starts if said}


def grams(word: str, *, ends: bool = True) -> list[str]:
    """Every three characters in a row; with `ends`, the ends of the word count as characters."""
    text = f"{_OPEN}{word}{_CLOSE}" if ends else word
    return [text[i : i + SHORTEST_PIECE] for i in range(len(text) - SHORTEST_PIECE + 1)]


def nearly(one: str, other: str) -> bool:
    """Whether one letter too many, missing, wrong, or in its neighbour's place makes one word the other."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return one == other
    short, long = sorted((one, other), key=len)
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[at:] == long[at + 1 :]
    swapped = short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]
    return swapped or short[at + 1 :] == long[at + 1 :]


@dataclass(frozen=True, slots=True)
class Term:
    """One thing looked for: all words of one of these ways to write it."""

    joined: str
    ways: tuple[tuple[str, ...], ...]


MOST_TERMS: Final = 12
MOST_CHARACTERS: Final = 1_000


def terms(text: str) -> list[Term]:
    """What a question looks for, at most 12 terms of its first 1,000 characters; the same term counts once."""
    found: dict[Term, None] = {}
    for segment in segments(text[:MOST_CHARACTERS]):
        spaceless = bool(_SPACELESS.search(segment.joined))
        if spaceless:
            # The character that ends it stands in the pair before it.
            ways: tuple[tuple[str, ...], ...] = (_without_tails(segment.parts),)
        elif len(segment.parts) > 1 and min(map(len, segment.parts)) > 1:
            ways = ((segment.joined,), segment.parts)
        else:
            ways = ((segment.joined,),)
        found[Term(segment.joined, ways)] = None
        if len(found) == MOST_TERMS:
            break
    return list(found)


def _without_tails(parts: tuple[str, ...]) -> tuple[str, ...]:
    tails = {next_ for before, next_ in pairwise(parts) if len(next_) == 1 and before.endswith(next_)}
    return tuple(dict.fromkeys(part for part in parts if part not in tails or len(parts) == 1))
