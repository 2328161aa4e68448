"""What a step of a lineage walk finds."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import NamedTuple, TypeAlias

from catalog.domain.changes import Transformation

NO_JOB = 0
"""In the place of a job: a dataset declares the edge itself."""

Hop: TypeAlias = tuple[int, int, int, int, int, int]
"""Data flows from a source to a target, through a job (or NO_JOB), known so (a Derivation), since, until (excluded)."""

Ways: TypeAlias = Mapping[bool, Sequence[int]]
"""Nodes to step from: under True those to go upstream from, under False downstream."""

EdgeKey: TypeAlias = tuple[int, int, int, int]
"""Which edge of an answer: source, target, job (or NO_JOB) and derivation, as in a `Hop`."""

Changes: TypeAlias = tuple[Transformation, ...]
"""How data changes along an edge: each way once, in a fixed order."""


class ColumnName(NamedTuple):
    """A column, by the dataset it is of (under the id that is shown) and its name."""

    dataset: int
    name: str


def dataset_of(columns: Mapping[int, ColumnName], end: int) -> int:
    """The dataset that an end of a hop is, or is a column of; a job is itself."""
    column = columns.get(end)
    return end if column is None else column.dataset


@dataclass(frozen=True, slots=True, order=True)
class Product:
    """As many hops as sources x targets: all inputs and all outputs of one job.

    They stay two lists, so that a thousand times a thousand costs two thousand here too; who reads it multiplies as
    far as it wants to.
    """

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    job: int
    derivation: int
    start: int
    end: int

    def __len__(self) -> int:
        return len(self.sources) * len(self.targets)

    def near(self, *, upstream: bool) -> tuple[int, ...]:
        """The ends that a step began at."""
        return self.targets if upstream else self.sources

    def far(self, *, upstream: bool) -> tuple[int, ...]:
        """The ends that a step reached."""
        return self.sources if upstream else self.targets

    def hops(self) -> Iterator[Hop]:
        """All of them."""
        for source, target in product(self.sources, self.targets):
            yield source, target, self.job, self.derivation, self.start, self.end


@dataclass(slots=True)
class Found:
    """What a step found, one way. `beside` has ends of its hops as far away as the nodes that it began at."""

    hops: list[Hop] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    beside: set[int] = field(default_factory=set)

    def far(self, *, upstream: bool) -> set[int]:
        """The nodes it reached."""
        end = 0 if upstream else 1
        reached = {hop[end] for hop in self.hops}
        return reached.union(*(one.far(upstream=upstream) for one in self.products))

    def between(self, nodes: Container[int]) -> Found:
        """What of it has both its ends among these nodes."""
        products = (
            replace(
                one,
                sources=tuple(id for id in one.sources if id in nodes),
                targets=tuple(id for id in one.targets if id in nodes),
            )
            for one in self.products
        )
        hops = [hop for hop in self.hops if hop[0] in nodes and hop[1] in nodes]
        return Found(hops, [one for one in products if len(one)], self.beside)
