"""A lineage answer as text: an indented tree, JSON, Graphviz DOT or Mermaid.

In the picture languages names are data: nodes are numbered, and what a name could be taken for is written as a
character code. In the tree every line can be pasted behind `catalog lineage`. SVG is drawn by `catalog.pictures`.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from catalog.cli.console import shown_time
from catalog.domain.lineage import Lineage, LineageEdge, LineageNode
from catalog.domain.names import visible
from catalog.domain.words import Derivation, Direction, EntityKind
from catalog.pictures import JobNames

ABOVE: Final = "(see above)"
"""Stands behind what is in the tree already, with everything below it."""

_SHAPES: Final = {
    EntityKind.DATASET: ("box", "[", "]"),
    EntityKind.COLUMN: ("box", "[", "]"),
    EntityKind.MODEL: ("box3d", "[[", "]]"),
    EntityKind.JOB: ("ellipse", "([", "])"),
    EntityKind.RUN: ("ellipse", "([", "])"),
}
"""The shape of each kind in DOT, and its brackets in Mermaid."""


@dataclass(slots=True)
class Branch:
    """A line of the tree and the lines below it."""

    text: str
    below: list[Branch] = field(default_factory=list)


def tree(lineage: Lineage, jobs: JobNames, direction: Direction) -> list[Branch]:
    """A tree for each thing asked about, with what is upstream and what is downstream of it."""
    nodes = {node.id: node for node in lineage.nodes}
    trees = []
    for root in (node for node in lineage.nodes if node.depth == 0):
        top = Branch(named(root))
        if direction is not Direction.DOWNSTREAM:
            ways = _ways(lineage.edges, lambda edge: (edge.target, edge.source))
            top.below.append(Branch("upstream", _grow(root.id, ways, nodes, jobs)))
        if direction is not Direction.UPSTREAM:
            ways = _ways(lineage.edges, lambda edge: (edge.source, edge.target))
            top.below.append(Branch("downstream", _grow(root.id, ways, nodes, jobs)))
        trees.append(top)
    return trees


def indented(branch: Branch) -> str:
    """A tree as plain text, two spaces for a level."""
    lines = []
    waiting = [(branch, 0)]
    while waiting:
        one, level = waiting.pop()
        lines.append("  " * level + one.text)
        waiting += [(below, level + 1) for below in reversed(one.below)]
    return "\n".join(lines)


def named(node: LineageNode) -> str:
    """A node as the arguments of `catalog lineage`."""
    words = [node.kind.value.lower(), node.namespace, node.name]
    if node.column is not None:
        words += ["--column", node.column]
    return visible(shlex.join(words))


def as_json(lineage: Lineage, jobs: JobNames, as_of: int | None, recorded: int | None) -> dict[str, object]:
    """The answer with the names GraphQL has for its parts; ids are good within one answer."""
    return {
        "nodes": [
            {
                "id": str(node.id), "kind": node.kind.value, "namespace": node.namespace, "name": node.name,
                "column": node.column, "depth": node.depth,
            }
            for node in lineage.nodes
        ],
        "edges": [
            {
                "source": str(edge.source), "target": str(edge.target), "job": _job_object(edge, jobs),
                "derivation": edge.derivation.name, "masked": edge.masked,
                "transformations": [
                    {"type": how.type, "subtype": how.subtype, "description": how.description, "masking": how.masking}
                    for how in edge.transformations
                ],
                "firstSeen": shown_time(edge.first_seen), "lastSeen": shown_time(edge.last_seen),
            }
            for edge in lineage.edges
        ],
        "truncated": lineage.truncated, "truncatedBy": lineage.truncated_by, "depthReached": lineage.depth_reached,
        "asOf": shown_time(as_of), "recordedAsOf": shown_time(recorded),
    }  # fmt: skip


def as_dot(lineage: Lineage, jobs: JobNames) -> str:
    """The answer in the language of Graphviz."""
    numbers = {node.id: f"n{number}" for number, node in enumerate(lineage.nodes)}
    lines = ["digraph lineage {", "  rankdir=LR;"]
    for node in lineage.nodes:
        emphasis = ", penwidth=2" if node.depth == 0 else ""
        lines.append(f"  {numbers[node.id]} [label={_dot(_label(node))}, shape={_SHAPES[node.kind][0]}{emphasis}];")
    for edge in lineage.edges:
        style = "dashed" if edge.derivation is Derivation.IMPLICIT else "solid"
        label = _dot(_edge_label(edge, jobs))
        lines.append(f"  {numbers[edge.source]} -> {numbers[edge.target]} [label={label}, style={style}];")
    if lineage.truncated:
        lines.append(f"  label={_dot(cut(lineage))};")
    return "\n".join([*lines, "}"])


def as_mermaid(lineage: Lineage, jobs: JobNames) -> str:
    """The answer in the language of Mermaid."""
    numbers = {node.id: f"n{number}" for number, node in enumerate(lineage.nodes)}
    lines = ["flowchart LR"]
    for node in lineage.nodes:
        _, opening, closing = _SHAPES[node.kind]
        lines.append(f'  {numbers[node.id]}{opening}"{_mermaid(_label(node))}"{closing}')
    for edge in lineage.edges:
        arrow = "-.->" if edge.derivation is Derivation.IMPLICIT else "-->"
        said = _edge_label(edge, jobs)
        label = f'|"{_mermaid(said)}"|' if said else ""
        lines.append(f"  {numbers[edge.source]} {arrow}{label} {numbers[edge.target]}")
    if lineage.truncated:
        lines.append(f'  cut["{_mermaid(cut(lineage))}"]')
    return "\n".join(lines)


def cut(lineage: Lineage) -> str:
    """What to know about an answer that is not whole."""
    return f"There is more: this was cut by {lineage.truncated_by}."


_Ways = Mapping[int, Sequence[tuple[LineageEdge, int]]]


def _ways(edges: Sequence[LineageEdge], ends: Callable[[LineageEdge], tuple[int, int]]) -> _Ways:
    """Where one gets to from each node, and by which edge."""
    found: dict[int, list[tuple[LineageEdge, int]]] = defaultdict(list)
    for edge in edges:
        near, far = ends(edge)
        found[near].append((edge, far))
    return found


def _grow(root: int, ways: _Ways, nodes: Mapping[int, LineageNode], jobs: JobNames) -> list[Branch]:
    """The branches of a root, breadth first: what can be reached in two ways hangs where it is nearest."""
    top = Branch("")
    seen = {root}
    level = [(root, top)]
    while level:
        following = []
        for near, branch in level:
            for far, edges in _by_node(ways.get(near, ()), nodes):
                text = f"{named(nodes[far])}  # {_how(edges, jobs)}"
                new = Branch(f"{text} {ABOVE}" if far in seen else text)
                branch.below.append(new)
                if far not in seen:
                    seen.add(far)
                    following.append((far, new))
        level = following
    return top.below


def _by_node(
    ways: Sequence[tuple[LineageEdge, int]], nodes: Mapping[int, LineageNode]
) -> list[tuple[int, list[LineageEdge]]]:
    """Edges gathered by the node they lead to, in the order of names."""
    found: dict[int, list[LineageEdge]] = defaultdict(list)
    for edge, far in ways:
        if far in nodes:
            found[far].append(edge)
    return sorted(found.items(), key=lambda item: named(nodes[item[0]]))


def _how(edges: Sequence[LineageEdge], jobs: JobNames) -> str:
    said = set()
    for edge in edges:
        job = _between(edge, jobs)
        through = f" via job {shlex.join(job)}" if job else ""
        said.add(visible(f"{edge.derivation.name.lower()}{through}"))
    return ", ".join(sorted(said))


def _label(node: LineageNode) -> str:
    name = node.name if node.column is None else f"{node.name}\n{node.column}"
    return f"{node.namespace}\n{name}"


def _job_object(edge: LineageEdge, jobs: JobNames) -> dict[str, str] | None:
    job = None if edge.job_id is None else jobs.get(edge.job_id)
    return None if job is None else {"namespace": job[0], "name": job[1]}


def _between(edge: LineageEdge, jobs: JobNames) -> tuple[str, str] | None:
    """The job that lies on the edge and is no node at one of its ends."""
    return None if edge.job_id is None or edge.job_id in (edge.source, edge.target) else jobs.get(edge.job_id)


def _edge_label(edge: LineageEdge, jobs: JobNames) -> str:
    job = _between(edge, jobs)
    return job[1] if job else ""


def _dot(text: str) -> str:
    """A quoted string: only quotes and backslashes mean anything in it, and no label is taken for HTML."""
    lines = (visible(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n"))
    return '"' + "\\n".join(lines) + '"'


def _mermaid(text: str) -> str:
    """A label: everything but letters, digits and what is harmless as its character code."""
    lines = ("".join(c if c.isalnum() or c in " ._-" else f"#{ord(c)};" for c in line) for line in text.split("\n"))
    return "<br/>".join(lines)
