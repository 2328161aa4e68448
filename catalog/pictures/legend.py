"""What the signs of a picture mean: those it has, no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from catalog.domain.words import Derivation, EntityKind
from catalog.pictures.marks import ICONS, LOCK, head, more, number, path, text
from catalog.pictures.plan import Plan, is_influence
from catalog.pictures.text import fitted

HEIGHT: Final = 24.0
"""Of a row, in pixels."""

_SIZE: Final = 11.5
_BETWEEN: Final = 22.0
_ANY: Final = 1_000.0

_MEANINGS: Final = {
    Derivation.EXPLICIT: "explicit",
    Derivation.COLUMN: "from column lineage",
    Derivation.IMPLICIT: "implicit: in and out of one run",
    Derivation.DECLARED: "declared",
}


class Entry(NamedTuple):
    """A sign, how wide it is, and what it means."""

    sign: str
    width: float
    meaning: str

    @property
    def room(self) -> float:
        """How wide it is with its words."""
        return self.width + 8 + fitted(self.meaning, _ANY, _SIZE).width


def rows(plan: Plan, room: float) -> list[list[Entry]]:
    """The entries, in as many rows as they need."""
    found: list[list[Entry]] = []
    left = 0.0
    for entry in _entries(plan):
        if not found or entry.room > left:
            found.append([])
            left = room
        found[-1].append(entry)
        left -= entry.room + _BETWEEN
    return found


def drawn(rows: Sequence[Sequence[Entry]], x: float, y: float) -> Iterator[str]:
    """The legend, from its left upper corner. It is not read out: what it explains is said of each thing."""
    yield '<g class="legend" aria-hidden="true">'
    for line, entries in enumerate(rows):
        at, middle = x, y + HEIGHT * (line + 0.5)
        for entry in entries:
            words = text(fitted(entry.meaning, _ANY, _SIZE), entry.width + 8, 4)
            yield f'<g transform="translate({number(at)} {number(middle)})">{entry.sign}{words}</g>'
            at += entry.room + _BETWEEN
    yield "</g>"


def _entries(plan: Plan) -> Iterator[Entry]:
    kinds = {box.kind for box in plan.boxes} | {EntityKind.JOB for box in plan.boxes if box.jobs}
    for kind in (EntityKind.DATASET, EntityKind.MODEL, EntityKind.JOB, EntityKind.RUN):
        if kind in kinds:
            icon = path(ICONS[kind], "icon", at=(0, -7))
            yield Entry(f'<g class="box {kind.value.lower()}">{icon}</g>', 14, kind.value.lower())
    if any(node.depth == 0 for box in plan.boxes for node in box.nodes()):
        frame = '<rect class="body" x="1.5" y="-7" width="21" height="14" rx="4"/>'
        yield Entry(f'<g class="box root">{frame}</g>', 24, "asked about")
    for derivation in sorted({edge.derivation for edge in plan.edges}):
        pin = '<circle class="pin" r="3.5" cx="3.5"/>' if derivation is Derivation.DECLARED else ""
        yield _line(derivation.name.lower(), 31, head(derivation, (36, 0), 1) + pin, _MEANINGS[derivation])
    if any(map(is_influence, plan.edges)):
        yield _line("indirect", 36, "", "indirect: filter, join, sort …")
    if any(node.hidden_upstream or node.hidden_downstream for box in plan.boxes for node in box.nodes()):
        yield Entry(more(3, (12, 0)), 24, "so many more, not shown")
    if any(edge.masked for edge in plan.edges):
        yield _line("masked", 40, f'<g class="lock" transform="translate(20 0)">{LOCK}</g>', "masked")


def _line(name: str, length: int, signs: str, meaning: str) -> Entry:
    """What an edge of a class looks like."""
    return Entry(f'<g class="edge {name}"><path class="line" d="M0 0H{length}"/>{signs}</g>', max(36, length), meaning)
