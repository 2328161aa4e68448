"""What a picture of a lineage answer has in it: boxes with rows, and lines between them, standing nowhere yet."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from catalog.domain.lineage import Lineage, LineageEdge, LineageNode, is_indirect
from catalog.domain.words import EntityKind
from catalog.pictures.layers import Line
from catalog.pictures.layout import Layout, arranged
from catalog.pictures.text import width

JobNames = Mapping[int, tuple[str, str]]
"""Namespace and name of the jobs that edges go through, by id."""

MOST_NODES: Final = 1_000
MOST_EDGES: Final = 3_000
"""How much of an answer is drawn; what is nearest to the start comes first."""

HEAD: Final = 46.0
CAPTION: Final = 18.0
ROW: Final = 22.0
TEXT_AT: Final = 34.0
"""Where text begins, from the left of a box, in pixels."""
PADDING: Final = 14.0
TITLE, SMALL, NAME = 13.0, 11.0, 12.0
"""Font sizes: of a box's title, of what stands below it, and of a column."""

_NARROW, _WIDE = 140.0, 336.0
_MEASURED: Final = 100
_SIDE_BY_SIDE: Final = 7.0
_JOBS: Final = frozenset({EntityKind.JOB, EntityKind.RUN})


@dataclass(frozen=True, slots=True)
class Box:
    """A dataset with those of its columns that are in the answer, a job, a run or a model.

    `whole` is the node its head stands for: None where the answer has nothing but columns of it. `jobs` are the
    namespaces and names of those whose lines come in, the busiest first.
    """

    kind: EntityKind
    namespace: str
    name: str
    whole: LineageNode | None
    rows: tuple[LineageNode, ...]
    jobs: tuple[tuple[str, str], ...] = ()

    @property
    def head(self) -> float:
        """How high the part above the rows is."""
        return HEAD + (CAPTION if self.jobs else 0.0)

    @property
    def height(self) -> float:
        """How high the box is."""
        return self.head + ROW * len(self.rows)

    def width(self) -> float:
        """How wide it is: as its widest text, within bounds."""
        texts = [(self.name, TITLE, True), (self.namespace, SMALL, False)]
        texts += [(f"{name} +99", SMALL, False) for _, name in self.jobs[:1]]
        texts += [(row.column or "", NAME, False) for row in self.rows]
        widest = max(width(text[:_MEASURED], size, bold=bold) for text, size, bold in texts)
        return min(_WIDE, max(_NARROW, ceil(TEXT_AT + widest + PADDING)))

    @property
    def is_job(self) -> bool:
        """Whether it does something, and is no data."""
        return self.kind in _JOBS

    def asked(self) -> tuple[LineageNode, ...]:
        """What in it was asked about: all of it, or columns. With one column its dataset is asked about by the way."""
        columns = tuple(node for node in self.rows if node.depth == 0)
        if self.whole is None or self.whole.depth or len(columns) == 1:
            return columns
        return (self.whole,)

    def nodes(self) -> tuple[LineageNode, ...]:
        """The nodes of the answer that are in it."""
        return self.rows if self.whole is None else (self.whole, *self.rows)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is drawn, and how much of the answer is not. `places` are those of the edges in the answer."""

    boxes: tuple[Box, ...]
    edges: tuple[LineageEdge, ...]
    places: tuple[int, ...]
    nodes_left_out: int
    edges_left_out: int

    def lines(self) -> list[Line]:
        """Where each edge begins and ends: at the row of its column, or at the middle of the head."""
        places = {}
        for number, box in enumerate(self.boxes):
            if box.whole is not None:
                places[box.whole.id] = (number, box.head / 2 if box.rows else box.height / 2)
            for row, node in enumerate(box.rows):
                places[node.id] = (number, box.head + ROW * (row + 0.5))
        ends = [(edge.source, edge.target) for edge in self.edges]
        all_of, so_far = Counter(ends), Counter[tuple[int, int]]()
        lines = []
        for source, target in ends:
            beside = all_of[source, target]
            aside = (so_far[source, target] - (beside - 1) / 2) * min(_SIDE_BY_SIDE, (ROW - 6) / beside)
            so_far[source, target] += 1
            (begin, leaves), (end, enters) = places[source], places[target]
            lines.append(Line(begin, leaves + aside, end, enters + aside))
        return lines

    def arranged(self) -> tuple[Plan, Layout]:
        """Where everything stands, with the rows of each box in the order in which their lines come."""
        layout = self._layout()
        if not any(len(box.rows) > 1 for box in self.boxes):
            return self, layout
        pulls: dict[int, list[float]] = defaultdict(list)
        for edge, path in zip(self.edges, layout.paths, strict=True):
            pulls[edge.source].append(path[-1][1])
            pulls[edge.target].append(path[0][1])
        sorted_rows = replace(self, boxes=tuple(_with_rows_sorted(box, pulls) for box in self.boxes))
        return sorted_rows, sorted_rows._layout()  # noqa: SLF001 - of the same class

    def _layout(self) -> Layout:
        return arranged([(box.width(), box.height) for box in self.boxes], self.lines())


def is_influence(edge: LineageEdge) -> bool:
    """Whether nothing but indirect ways are known of it."""
    return bool(edge.transformations) and all(map(is_indirect, edge.transformations))


def planned(lineage: Lineage, jobs: JobNames) -> Plan:
    """Gather columns in the boxes of their datasets, and leave out what is too much for a picture."""
    nearest = sorted(lineage.nodes, key=lambda node: abs(node.depth))[:MOST_NODES]
    drawn = {node.id for node in nearest}
    between = [n for n, edge in enumerate(lineage.edges) if edge.source in drawn and edge.target in drawn]
    places = between[:MOST_EDGES]
    edges = [lineage.edges[place] for place in places]
    boxes = _boxes(nearest, _writers(nearest, edges, jobs))
    left_out = len(lineage.nodes) - len(nearest), len(lineage.edges) - len(edges)
    return Plan(tuple(boxes), tuple(edges), tuple(places), *left_out)


def _boxes(nodes: Sequence[LineageNode], writers: Mapping[int, Counter[tuple[str, str]]]) -> list[Box]:
    """The boxes, what is farthest upstream first."""
    gathered: dict[int, list[LineageNode]] = defaultdict(list)
    for node in nodes:
        gathered[node.id if node.dataset_id is None else node.dataset_id].append(node)
    found = [_box(members, writers) for members in gathered.values()]
    return sorted(found, key=lambda box: (min(node.depth for node in box.nodes()), box.namespace, box.name))


def _box(members: Sequence[LineageNode], writers: Mapping[int, Counter[tuple[str, str]]]) -> Box:
    whole = next((node for node in members if node.kind is not EntityKind.COLUMN), None)
    rows = sorted((node for node in members if node.kind is EntityKind.COLUMN), key=lambda node: node.column or "")
    jobs = sum((writers.get(node.id, Counter()) for node in members), Counter[tuple[str, str]]())
    first = members[0]
    return Box(
        EntityKind.DATASET if whole is None else whole.kind,
        first.namespace,
        first.name,
        whole,
        tuple(rows),
        tuple(sorted(jobs, key=lambda name: (-jobs[name], name))),
    )


def _writers(
    nodes: Sequence[LineageNode], edges: Sequence[LineageEdge], jobs: JobNames
) -> dict[int, Counter[tuple[str, str]]]:
    """How many edges each job brings to a node; jobs that are boxes themselves need no mention."""
    boxes = {node.id for node in nodes if node.kind in _JOBS}
    found: dict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
    for edge in edges:
        name = None if edge.job_id is None or boxes & {edge.source, edge.target} else jobs.get(edge.job_id)
        if name is not None:
            found[edge.target][name] += 1
    return found


def _with_rows_sorted(box: Box, pulls: Mapping[int, Sequence[float]]) -> Box:
    """Rows by the mean height of what they are connected to; a box that was asked about keeps the order of names."""
    if any(node.depth == 0 for node in box.nodes()):
        return box
    means = {node.id: sum(pulls[node.id]) / len(pulls[node.id]) for node in box.rows if pulls.get(node.id)}
    return replace(box, rows=tuple(sorted(box.rows, key=lambda node: means.get(node.id, float("inf")))))
