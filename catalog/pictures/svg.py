"""A lineage answer as one SVG: drawn here, from a layout, so that it can be read out, styled and printed.

It holds no script, no link to elsewhere and no id: any number of pictures can stand on one page. Colours are plain
values in one style sheet, dark ones behind a media query, because what puts pictures into PDF knows no variables.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Final

from catalog.domain.lineage import Lineage
from catalog.domain.timeline import NOW, Window
from catalog.domain.words import EntityKind
from catalog.pictures import legend
from catalog.pictures.boxes import boxes
from catalog.pictures.edges import edges
from catalog.pictures.marks import element, number, path, text
from catalog.pictures.plan import JobNames, Plan, planned
from catalog.pictures.text import counted, fitted, told

_MARGIN: Final = 28.0
_LEAST_WIDTH: Final = 560.0
_TOP: Final = 84.0
_NOTE: Final = 26.0
_HEADING, _PROSE = 18.0, 12.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400_000_000


def svg(lineage: Lineage, jobs: JobNames, window: Window = NOW, *, recorded: int | None = None) -> str:
    """Draw an answer. The same answer has the same bytes.

    Args:
        lineage: the answer; beyond `plan.MOST_NODES` and `plan.MOST_EDGES` what is farthest is left out, and the
            picture says so.
        jobs: the names of the jobs that edges go through.
        window: the moments the answer is about.
        recorded: the moment whose knowledge it is from, in microseconds since 1970 UTC; None: now.

    Returns:
        An `<svg>` element, whole by itself as a file and good to stand in a page.
    """
    plan, layout = planned(lineage, jobs).arranged()
    notes = _notes(lineage, plan)
    top = _TOP + _NOTE * len(notes)
    wide = max(_LEAST_WIDTH, layout.width + 2 * _MARGIN)
    rows = legend.rows(plan, wide - 2 * _MARGIN)
    foot = top + layout.height + _MARGIN
    tall = foot + legend.HEIGHT * len(rows) + _MARGIN / 2
    heading, summary = _heading(plan), _summary(lineage, window, recorded)
    size = f'width="{number(wide)}" height="{number(tall)}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {number(wide)} {number(tall)}"',
        'class="lineage-picture" role="graphics-document document" aria-roledescription="lineage">',
        element("title", told(heading)),
        element("desc", " ".join([f"{summary}.", *notes])),
        f"<style>{_style()}</style>",
        f'<rect class="paper" {size}/>',
        text(fitted(heading, wide - 2 * _MARGIN, _HEADING, bold=True), _MARGIN, 38, "heading"),
        text(fitted(summary, wide - 2 * _MARGIN, _PROSE), _MARGIN, 58, "summary"),
        *(_note(note, wide, _TOP - 12 + _NOTE * line) for line, note in enumerate(notes)),
        f'<g transform="translate({number(_MARGIN)} {number(top)})">',
        *edges(lineage, plan, layout, jobs),
        *boxes(lineage, plan, layout),
        "</g>",
        *legend.drawn(rows, _MARGIN, foot),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


@cache
def _style() -> str:
    """The style sheet without its comments and blanks."""
    lines = files("catalog.pictures").joinpath("picture.css").read_text(encoding="utf-8").splitlines()
    return " ".join(line.strip() for line in lines if not line.startswith("/*"))


def _heading(plan: Plan) -> str:
    asked = [node for box in plan.boxes for node in box.asked()]
    if not asked:
        return "Lineage"
    name = asked[0].name if asked[0].column is None else f"{asked[0].name} · {asked[0].column}"
    return f"Lineage of {name}" + (f" and {len(asked) - 1} more" if len(asked) > 1 else "")


def _summary(lineage: Lineage, window: Window, recorded: int | None) -> str:
    """What the answer has, counted; which moments it is about, and what was known then."""
    kinds = Counter(node.kind for node in lineage.nodes)
    of = {node.dataset_id for node in lineage.nodes} - {node.id for node in lineage.nodes} - {None}
    kinds[EntityKind.DATASET] += len(of)
    counts = [counted(kinds[kind], kind.value.lower()) for kind in EntityKind]
    counts.append(counted(len(lineage.edges), "edge"))
    if masked := sum(edge.masked for edge in lineage.edges):
        counts.append(f"{masked:,} of them masked")
    return ", ".join(filter(None, [*counts, _when(window), _known(recorded)])) or "Nothing"


def _when(window: Window) -> str:
    """Which moments the answer is about; nothing where it is about now."""
    first, last = _moment(window.first), _moment(window.last)
    if window.first == window.last:
        return first and f"as of {first}"
    return " ".join(filter(None, [first and f"from {first}", last and f"until {last}"])) or "at any time"


def _known(recorded: int | None) -> str:
    """Up to when the catalog had heard of things; nothing where that is now."""
    return "" if recorded is None else f"as recorded by {_moment(recorded)}"


def _moment(at: int) -> str:
    """A time to the second, only its day at midnight; nothing for what has no date, such as the end of all time."""
    try:
        time = _EPOCH + timedelta(microseconds=at)
    except OverflowError:
        return ""
    return f"{time:%Y-%m-%d}" if not at % _DAY else f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _notes(lineage: Lineage, plan: Plan) -> list[str]:
    """What the picture does not show."""
    notes = []
    if lineage.truncated:
        notes.append(f"The answer is not whole: it was cut by {told(lineage.truncated_by or 'a limit', 40)}.")
    left_out = [counted(plan.nodes_left_out, "node"), counted(plan.edges_left_out, "edge")]
    if any(left_out):
        notes.append(f"The picture is not whole: {' and '.join(filter(None, left_out))} of the answer did not fit.")
    return notes


def _note(note: str, wide: float, at: float) -> str:
    label = fitted(note, wide - 2 * _MARGIN - 40, _PROSE)
    place = f'x="{number(_MARGIN)}" y="{number(at - 4)}" width="{number(label.width + 40)}" height="22" rx="4"'
    sign = path("M0-5.5L6 5H-6ZM0-2V1.5M0 3V3.2", at=(_MARGIN + 14, at + 7))
    return f'<g class="note"><rect {place}/>{sign}{text(label, _MARGIN + 28, at + 11.5)}</g>'
