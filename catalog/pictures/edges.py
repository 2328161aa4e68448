"""Edges as they are drawn: a line, an arrowhead that says how it is known, a lock where values are hidden."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from catalog.domain.changes import Transformation
from catalog.domain.lineage import Lineage, LineageEdge, LineageNode
from catalog.domain.words import Derivation
from catalog.pictures.layout import Layout, Point
from catalog.pictures.marks import LOCK, element, head, number
from catalog.pictures.plan import JobNames, Plan, is_influence
from catalog.pictures.text import named, told

_MOST_HOWS: Final = 6


def edges(lineage: Lineage, plan: Plan, layout: Layout, jobs: JobNames) -> Iterator[str]:
    """The edges of a plan as the layout has them. `data-…` are places in the answer: of the edge, of its two nodes."""
    nodes = {node.id: (place, node) for place, node in enumerate(lineage.nodes)}
    leaving = Counter(edge.source for edge in plan.edges)
    entering = Counter(edge.target for edge in plan.edges)
    yield '<g role="list" aria-label="Edges">'
    # Masked ones last: nothing is drawn over them.
    drawn = zip(plan.places, plan.edges, layout.paths, strict=True)
    for place, edge, points in sorted(drawn, key=lambda one: one[1].masked):
        (source, begin), (target, end) = nodes[edge.source], nodes[edge.target]
        spread = leaving[edge.source] - entering[edge.target]
        yield (
            f'<g class="{" ".join(_kinds(edge))}" role="listitem" data-edge="{place}" '
            f'data-source="{source}" data-target="{target}">'
            f"{element('title', _told(edge, begin, end, jobs))}{_line(edge, points, spread)}</g>"
        )
    yield "</g>"


def _kinds(edge: LineageEdge) -> Iterator[str]:
    """The classes of an edge."""
    yield "edge"
    yield edge.derivation.name.lower()
    if is_influence(edge):
        yield "indirect"
    if edge.masked:
        yield "masked"


def _line(edge: LineageEdge, points: Sequence[Point], spread: int) -> str:
    """The line, something wider to point at, and what stands at its ends and on it.

    `spread` is by how many more lines leave where it begins than enter where it ends: a lock stands where it has room.
    """
    (x, y), (before, _) = points[-1], points[-2]
    onward = 1 if x >= before else -1
    run = _run([*points[:-1], (x - 5 * onward, y)])
    parts = [f'<path class="hit" d="{run}"/><path class="line" d="{run}"/>', head(edge.derivation, (x, y), onward)]
    if edge.derivation is Derivation.DECLARED:
        parts.append(f'<circle class="pin" cx="{number(points[0][0])}" cy="{number(points[0][1])}" r="3.5"/>')
    if edge.masked:
        parts.append(_lock(points[-4:], 0.64) if spread > 0 else _lock(points[:4], 0.36))
    return "".join(parts)


def _lock(curve: Sequence[Point], along: float) -> str:
    """A lock on a cubic curve, at a part of it between 0 and 1."""
    left = 1 - along
    weights = (left**3, 3 * left**2 * along, 3 * left * along**2, along**3)
    x = sum(weight * x for weight, (x, _) in zip(weights, curve, strict=True))
    y = sum(weight * y for weight, (_, y) in zip(weights, curve, strict=True))
    return f'<g class="lock" transform="translate({number(x)} {number(y)})">{LOCK}</g>'


def _run(points: Iterable[Point]) -> str:
    first, *others = points
    return f"M{number(first[0])} {number(first[1])}C" + " ".join(f"{number(x)} {number(y)}" for x, y in others)


def _told(edge: LineageEdge, source: LineageNode, target: LineageNode, jobs: JobNames) -> str:
    """What a tooltip says of an edge."""
    lines = [f"{_end(source)} → {_end(target)}"]
    name = None if edge.job_id is None else jobs.get(edge.job_id)
    if name is not None:
        lines.append(f"by job {named(*name)}")
    lines.append(edge.derivation.name.lower() + (", masked" if edge.masked else ""))
    lines += [_how(how) for how in edge.transformations[:_MOST_HOWS]]
    if len(edge.transformations) > _MOST_HOWS:
        lines.append(f"and {len(edge.transformations) - _MOST_HOWS} more ways")
    return "\n".join(lines)


def _end(node: LineageNode) -> str:
    return told(node.name, 120) if node.column is None else f"{told(node.name, 120)} · {told(node.column, 120)}"


def _how(how: Transformation) -> str:
    words = " ".join(filter(None, [told(how.type, 40), told(how.subtype, 40), "masking" if how.masking else ""]))
    return f"{words}: {told(how.description, 160)}" if how.description else words
