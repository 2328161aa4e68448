"""What must be known of JSON text before it may become objects: its encoding, its depth, how much it holds.

Everything here is linear, needs little memory beside the text, and runs in C: by `bytes` methods and `re`.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, compress
from operator import not_
from typing import Final

import msgspec

from catalog.domain.errors import NotAnEvent

BLANK: Final = b" \t\r\n"
"""What JSON allows between values."""

_arrays: Final = msgspec.json.Decoder(list[msgspec.Raw])
_CHUNK: Final = 1 << 18
_MOST_MARKS: Final = 2_000_000  # cutting stops here: a second of work
_UTF_8: Final = "Encode JSON as UTF-8."
_BOM: Final = codecs.BOM_UTF8
_UTF_16_OR_32: Final = (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF32_BE)

# A pair is matched whole, so that what group 1 matches is one half without the other.
_SURROGATE: Final = re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]|(\\u[dD][89a-fA-F])", re.DOTALL)

_NO_SKELETON: Final = bytes(set(range(256)) - set(b'{[}],:"'))
# What is left of a text without its strings: +1, -1 and 0 (in bytes: 1, 255 and 0).
_STEPS: Final = bytes.maketrans(b"{[}],", b"\x01\x01\xff\xff\x00")
_NO_STEPS: Final = bytes(set(range(256)) - set(b"{[}],"))

_TO_BRACKET: Final = re.compile(rb'(?:[^"\[\]{}]++|"[^"]*+"?+)*+([\[\]{}]?)')
_TO_BRACKET_OR_COMMA: Final = re.compile(rb'(?:[^"\[\]{},]++|"[^"]*+"?+)*+([\[\]{},]?)')


def without_bom(raw: bytes) -> bytes:
    """The text after a UTF-8 byte order mark, if there is one."""
    return raw.removeprefix(_BOM)


def check_utf8(text: bytes) -> None:
    """Refuse what is not UTF-8, wherever it is: msgspec looks only into the strings it is asked for.

    Raises:
        NotAnEvent: With code `parse`.
    """
    if text.isascii():
        return
    # By pieces: a text of 32 MB with one emoji would be 128 MB as a whole.
    at = 0
    try:
        while at < len(text):
            piece = text[at : at + _CHUNK]
            at += codecs.utf_8_decode(piece, "strict", at + len(piece) == len(text))[1]
    except UnicodeDecodeError as error:
        detail = f"The body is not UTF-8: {error.reason} at byte {at + error.start}."
        raise encoding_fault(text) or NotAnEvent(detail, fix=_UTF_8, code="parse") from None


def encoding_fault(text: bytes) -> NotAnEvent | None:
    """What is wrong with the characters of a text that no parser takes, if that is what is wrong."""
    if text.startswith(_UTF_16_OR_32) or b"\0" in text[:4]:
        return NotAnEvent("The body is UTF-16 or UTF-32.", fix=_UTF_8, code="parse")
    half = next((found for found in _SURROGATE.finditer(_without_escapes(text)) if found[1]), None)
    if half is not None:
        detail = f"Half of a surrogate pair stands alone at byte {half.start()}."
        return NotAnEvent(detail, fix="Write both halves, or UTF-8; cut text between characters only.", code="parse")
    return None


@dataclass(frozen=True, slots=True)
class Shape:
    """How deep a text goes, counted up to one more than was asked for, and its commas by depth."""

    depth: int
    commas: Counter[int]


def measure(text: bytes, enough: int, *, with_commas: bool) -> Shape:
    """Depth of JSON text, and its commas if wanted; it stops where the text is deeper than `enough`.

    Of text that is no JSON the part before the first error is measured right: as far as a parser reads it.
    """
    bare = _without_escapes(text)
    no_steps = _NO_STEPS if with_commas else _NO_STEPS + b","
    depth = deepest = 0
    in_string = False
    commas: Counter[int] = Counter()
    for start in range(0, len(bare), _CHUNK):
        skeleton = bare[start : start + _CHUNK].translate(None, _NO_SKELETON)
        # Two quotes side by side are one string: between two strings there is a comma or a colon.
        pieces = skeleton.replace(b'""', b"").split(b'"')
        steps = b"".join(pieces[in_string::2]).translate(_STEPS, no_steps)
        in_string ^= len(pieces) % 2 == 0
        depths = list(accumulate(memoryview(steps).cast("b"), initial=depth))
        depth, peak = depths[-1], max(depths)
        deepest = max(deepest, peak)
        if with_commas:
            commas.update(compress(depths, map(not_, steps)))
        if deepest > enough or depth < 0:
            break
    return Shape(min(deepest, enough + 1), commas)


def split_lines(text: bytes) -> Iterator[bytes]:
    """The lines that are not blank, without the blanks around them."""
    # Not `splitlines`: 32 MB of empty lines would be 32 million objects.
    start = 0
    while start < len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        if line := text[start:end].strip(BLANK):
            yield line
        start = end + 1


def split_array(text: bytes, most: int) -> Iterator[bytes | NotAnEvent]:
    """The elements of a JSON array, also where one of them is broken: the others are good.

    Args:
        text: Starts with `[`, has no blanks around it.
        most: From more commas than this on, elements are cut out one at a time to save memory.

    Returns:
        The bytes of each element, unread; then what stands after the array, or a NotAnEvent if it is cut off.
    """
    # msgspec is six times faster, but all or nothing, and every element is an object before the first is used.
    if text.count(b",") <= most:
        try:
            return map(bytes, _arrays.decode(text))
        except (msgspec.DecodeError, RecursionError):
            pass
    return _cut_array(text)


def _cut_array(text: bytes) -> Iterator[bytes | NotAnEvent]:
    bare = _without_escapes(text)
    start = at = 1
    depth = marks = 0
    mark = b""
    while found := (_TO_BRACKET if depth else _TO_BRACKET_OR_COMMA).match(bare, at):
        mark, at, marks = found[1], found.end(), marks + 1
        if marks > _MOST_MARKS:
            yield NotAnEvent("The array is too much to take apart.", fix="Send smaller batches.", code="limit")
            return
        if mark in {b"{", b"["}:
            depth += 1
        elif mark and depth:
            depth -= 1
        else:
            if (element := text[start : at - len(mark)].strip(BLANK)) or mark == b",":
                yield element
            start = at
            if mark != b",":
                break
    if rest := text[start:].strip(BLANK):
        yield rest
    if not mark:
        yield NotAnEvent("The array ends early.", fix="Send all of it; what came was read.", code="parse")


def _without_escapes(text: bytes) -> bytes:
    """The text, byte for byte as long, with a quote only where a string begins or ends."""
    if b"\\" not in text:
        return text
    return text.replace(b"\\\\", b"__").replace(b'\\"', b"__")
