"""The signs a picture is made of: icons, arrowheads, a lock, a line of text."""

from __future__ import annotations

from typing import Final

from catalog.domain.words import Derivation, EntityKind
from catalog.pictures.layout import Point
from catalog.pictures.text import Label, markup, width

_CYLINDER: Final = (
    "M1.5 3.5C1.5 1 12.5 1 12.5 3.5V10.5C12.5 13 1.5 13 1.5 10.5Z"
    "M1.5 3.5C1.5 6 12.5 6 12.5 3.5M1.5 7C1.5 9.5 12.5 9.5 12.5 7"
)

ICONS: Final = {
    EntityKind.DATASET: _CYLINDER,
    EntityKind.COLUMN: _CYLINDER,
    EntityKind.MODEL: "M7 .8L12.6 3.9V10.1L7 13.2L1.4 10.1V3.9ZM1.4 3.9L7 7L12.6 3.9M7 7V13.2",
    EntityKind.JOB: "M7 1A6 6 0 1 1 6.99 1ZM5.6 4.4L9.8 7L5.6 9.6Z",
    EntityKind.RUN: "M7 1A6 6 0 1 1 6.99 1ZM7 3.6V7L9.4 8.6",
}
"""The sign of each kind of node, 14 pixels wide and high."""

LOCK: Final = (
    '<circle r="8"/><path d="M-3.5-.5H3.5V4H-3.5Z"/><path class="shackle" d="M-2.2-.5V-2.2A2.2 2.2 0 0 1 2.2-2.2V-.5"/>'
)
"""A lock around the point 0."""

_MOST_COUNTED: Final = 10_000
"""From here on a number has no room."""

_HEADS: Final = {
    Derivation.EXPLICIT: "M0 0L-9-4.5V4.5Z",
    Derivation.COLUMN: "M0 0L-10-4.5L-7 0L-10 4.5Z",
    Derivation.IMPLICIT: "M-7-4L0 0L-7 4M0 0H-6",
    Derivation.DECLARED: "M0 0L-5-4.2L-10 0L-5 4.2Z",
}


def number(value: float) -> str:
    """A length in tenths of a pixel."""
    shown = f"{value:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


def element(name: str, content: str) -> str:
    """An element with nothing but text in it."""
    return f"<{name}>{markup(content)}</{name}>"


def text(label: Label, x: float, y: float, name: str = "") -> str:
    """A line of text that begins at a point; what fonts may make wider than it should be is squeezed."""
    squeezed = f' textLength="{number(label.width)}" lengthAdjust="spacingAndGlyphs"' if label.odd else ""
    classed = f' class="{name}"' if name else ""
    return f'<text{classed} x="{number(x)}" y="{number(y)}"{squeezed}>{markup(label.text)}</text>'


def path(drawn: str, name: str = "", *, at: Point = (0, 0), scale: float = 1) -> str:
    """A path, moved to a point."""
    classed = f' class="{name}"' if name else ""
    scaled = "" if scale == 1 else f" scale({scale})"
    moved = "" if at == (0, 0) else f' transform="translate({number(at[0])} {number(at[1])}){scaled}"'
    return f'<path{classed}{moved} d="{drawn}"/>'


def head(derivation: Derivation, tip: Point, onward: int) -> str:
    """An arrowhead; its form says how the edge is known. `onward` is 1 for what points to the right, else -1."""
    turned = "" if onward == 1 else " scale(-1 1)"
    return (
        f'<path class="head" transform="translate({number(tip[0])} {number(tip[1])}){turned}" '
        f'd="{_HEADS[derivation]}"/>'
    )


def more(count: int, at: Point) -> str:
    """A number of things that are not shown, around a point."""
    said = f"+{count:,}" if count < _MOST_COUNTED else "+…"
    across = width(said, 10) + 8
    frame = f'x="{number(at[0] - across / 2)}" y="{number(at[1] - 8)}" width="{number(across)}" height="16" rx="8"'
    return f'<g class="more"><rect {frame}/><text x="{number(at[0])}" y="{number(at[1] + 3.5)}">{said}</text></g>'
