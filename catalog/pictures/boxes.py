"""Boxes as they are drawn: a head with the name of the thing, and a row for each column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from catalog.domain.lineage import Lineage, LineageNode
from catalog.domain.words import EntityKind
from catalog.pictures.layout import Layout, Point
from catalog.pictures.marks import ICONS, element, more, number, path, text
from catalog.pictures.plan import HEAD, NAME, PADDING, ROW, SMALL, TEXT_AT, TITLE, Box, Plan
from catalog.pictures.text import Label, counted, fitted, named, told, width

_CUT: Final = 10
_MOST_JOBS: Final = 12


def boxes(lineage: Lineage, plan: Plan, layout: Layout) -> Iterator[str]:
    """The boxes of a plan where the layout has them. `data-node` is the place of a node in the answer."""
    numbers = {node.id: place for place, node in enumerate(lineage.nodes)}
    yield '<g role="list" aria-label="Nodes">'
    for box, corner, wide in zip(plan.boxes, layout.corners, layout.widths, strict=True):
        yield _box(box, corner, wide, numbers)
    yield "</g>"


def _box(box: Box, corner: Point, wide: float, numbers: Mapping[int, int]) -> str:
    kind = box.kind.value.lower()
    asked = box.asked()
    root = " root" if box.whole in asked else ""
    place = f"translate({number(corner[0])} {number(corner[1])})"
    parts = [f'<g class="box {kind}{root}" role="none" transform="{place}">', _outline(box, wide)]
    parts.append(_head(box, wide, numbers))
    parts += [
        _row(node, box.head + ROW * row, wide, numbers, marked=node in asked) for row, node in enumerate(box.rows)
    ]
    return "".join([*parts, "</g>"])


def _outline(box: Box, wide: float) -> str:
    """Round for what does something, with its corners cut off for a model, a rectangle for data."""
    across, down = number(wide), number(box.height)
    if box.kind is EntityKind.MODEL:
        right, low = number(wide - _CUT), number(box.height - _CUT)
        return path(f"M{_CUT} 0H{right}L{across} {_CUT}V{low}L{right} {down}H{_CUT}L0 {low}V{_CUT}Z", "body")
    return f'<rect class="body" width="{across}" height="{down}" rx="{number(HEAD / 2 if box.is_job else 6)}"/>'


def _head(box: Box, wide: float, numbers: Mapping[int, int]) -> str:
    """The name of the thing, its namespace, and who writes it."""
    room = wide - TEXT_AT - PADDING
    parts = [
        path(ICONS[box.kind], "icon", at=(13, 9)),
        text(fitted(box.name, room, TITLE, bold=True), TEXT_AT, 20, "name"),
        text(fitted(box.namespace, room, SMALL), TEXT_AT, 36, "namespace"),
    ]
    if box.jobs:
        (_, first), *more = box.jobs
        others = f" +{len(more)}" if more else ""
        label = fitted(first, room - width(others, SMALL), SMALL)
        names = "\n".join(["written by", *(named(*job) for job in box.jobs[:_MOST_JOBS])])
        label = Label(label.text + others, label.width + width(others, SMALL), label.odd)
        icon = path(ICONS[EntityKind.JOB], at=(15, HEAD), scale=0.72)
        parts.append(f'<g class="by">{element("title", names)}{icon}{text(label, TEXT_AT, HEAD + 8.5)}</g>')
    if box.rows:
        parts.append(f'<path class="rule" d="M0 {number(box.head)}H{number(wide)}"/>')
    if box.whole is None:
        return f'<g class="head">{element("title", named(box.namespace, box.name))}{"".join(parts)}</g>'
    parts += _hidden(box.whole, (0, 0), (wide, 0))
    return _node(box.whole, "head", "".join(parts), numbers)


def _row(node: LineageNode, top: float, wide: float, numbers: Mapping[int, int], *, marked: bool) -> str:
    """A column; it is marked where it was asked about and its whole dataset was not."""
    label = fitted(node.column or "", wide - TEXT_AT - PADDING, NAME)
    size = f'width="{number(wide - 3)}" height="{number(ROW - 2)}"'
    parts = [
        f'<rect class="strip" x="1.5" y="{number(top + 1)}" {size} rx="4"/>',
        "" if node.hidden_upstream else path("M-2.5 0H2.5", "bullet", at=(20, top + ROW / 2)),
        text(label, TEXT_AT, top + 15.5, "column"),
        *_hidden(node, (18, top + ROW / 2), (wide - 16, top + ROW / 2)),
    ]
    return _node(node, "row root" if marked else "row", "".join(parts), numbers)


def _node(node: LineageNode, names: str, drawn: str, numbers: Mapping[int, int]) -> str:
    """A node of the answer, which is read out and pointed at as one thing."""
    return (
        f'<g class="node {names}" role="listitem" data-node="{numbers[node.id]}">'
        f"{element('title', _about(node))}{drawn}</g>"
    )


def _about(node: LineageNode) -> str:
    """What a tooltip says of a node."""
    lines = [f"{node.kind.value.lower()} {told(node.name if node.column is None else node.column)}"]
    if node.column is not None:
        lines.append(f"of {told(node.name)}")
    lines.append(f"in {told(node.namespace)}")
    if node.depth == 0:
        lines.append("asked about")
    else:
        lines.append(f"{counted(abs(node.depth), 'hop')} {'upstream' if node.depth < 0 else 'downstream'}")
    for count, side in ((node.hidden_upstream, "upstream"), (node.hidden_downstream, "downstream")):
        if count:
            lines.append(f"{count:,} more {side} that are not shown")
    return "\n".join(lines)


def _hidden(node: LineageNode, upstream: Point, downstream: Point) -> Iterator[str]:
    """How many neighbours the answer does not show: around a point for each side."""
    for count, at in ((node.hidden_upstream, upstream), (node.hidden_downstream, downstream)):
        if count:
            yield more(count, at)
