"""Foreign names as text in a picture: no markup, nothing invisible, never longer than there is room."""

from __future__ import annotations

from html import escape
from typing import Final, NamedTuple
from unicodedata import combining, east_asian_width

from catalog.domain.names import visible

MOST_TOLD: Final = 400
"""How much of a name a tooltip tells, in characters."""

_GROUPS: Final = (
    (0.28, " !',./:;I[\\]`fijlt|"),
    (0.37, '"()*-r{}'),
    (0.50, "Jcksvxyz"),
    (0.72, "ABCDEHKNPRSUVXY&w"),
    (0.80, "GOQ"),
    (0.94, "MWm%@"),
)
_WIDTHS: Final = {character: width for width, characters in _GROUPS for character in characters}
_BOLD: Final = 1.08
_KEPT_IN_FRONT: Final = 0.4


class Label(NamedTuple):
    """A text, and the pixels it may take; it is `odd` where fonts differ, and has to be squeezed into its width."""

    text: str
    width: float
    odd: bool


def told(text: str, most: int = MOST_TOLD) -> str:
    """A name as a tooltip tells it: whole, or its beginning and how long it is; blank ones in quotes."""
    if not text.strip():
        text = f"“{text}”"
    return visible(text) if len(text) <= most else f"{visible(text[:most])}… ({len(text):,} characters)"


def named(namespace: str, name: str) -> str:
    """A thing as a tooltip names it."""
    return f"{told(name)} in {told(namespace)}"


def counted(count: int, thing: str) -> str:
    """How many things; nothing where there are none."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}" if count else ""


def markup(text: str) -> str:
    """A text as XML has it, in an element or an attribute."""
    return escape(text, quote=True)


def width(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text is, in pixels, at a font size in pixels. Fonts differ by a tenth."""
    return sum(map(_em, text)) * size * (_BOLD if bold else 1.0)


def fitted(text: str, room: float, size: float, *, bold: bool = False) -> Label:
    """As much of a name as there is room for. Of a long one both ends stay: names differ at their end."""
    if not text.strip():
        text = f"“{text}”"
    # What cannot fit anyway is not measured: a name may have a million characters.
    bound = 2 * round(room / size) + 4 if len(text) > room else len(text)
    if len(text) > 2 * bound:
        text = text[:bound] + text[-bound:]
        return _shortened(_flat(visible(text)), room, size, bold=bold)
    whole = _flat(visible(text))
    wide = width(whole, size, bold=bold)
    return Label(whole, wide, not whole.isascii()) if wide <= room else _shortened(whole, room, size, bold=bold)


def _shortened(text: str, room: float, size: float, *, bold: bool) -> Label:
    ems = room / size / (_BOLD if bold else 1.0) - _em("…")
    front = _count(text, ems * _KEPT_IN_FRONT)
    back = _count(text[::-1], ems - sum(map(_em, text[:front])))
    short = f"{text[:front].rstrip('._ ')}…{text[len(text) - back :].lstrip('._ ')}"
    return Label(short, width(short, size, bold=bold), not short.replace("…", "").isascii())


def _count(text: str, ems: float) -> int:
    """How many characters from the beginning have room."""
    for number, character in enumerate(text):
        ems -= _em(character)
        if ems < 0:
            return number
    return len(text)


def _flat(text: str) -> str:
    """Without towers of accents, which would stand over the lines above: two on a letter are enough for any script."""
    if text.isascii():
        return text
    kept = [c for at, c in enumerate(text) if not (combining(c) and at > 1 and all(map(combining, text[at - 2 : at])))]
    return "".join(kept)


def _em(character: str) -> float:
    if character.isascii():
        return _WIDTHS.get(character, 0.57)
    if combining(character):
        return 0.0
    return 1.0 if east_asian_width(character) in "WF" else 0.7
