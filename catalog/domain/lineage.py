"""A lineage question and its answer."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.domain.changes import Transformation, Understand
from catalog.domain.records import Record
from catalog.domain.timeline import NOW, Window
from catalog.domain.words import Derivation, Direction, EntityKind, Granularity


def is_indirect(how: Transformation) -> bool:
    """Whether the source only had an influence, and its value did not go through: a filter, a join, a sort key."""
    return how.type.upper() == "INDIRECT"


@dataclass(frozen=True, slots=True)
class EntityRef:
    """A thing as a person names it. For a RUN, `name` is the run id, `namespace` that of its job or empty."""

    kind: EntityKind
    namespace: str
    name: str
    column: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `window` is the closed range of moments the answer is the union over.

    The rest says what is to be looked up about what the walk finds; what is not stays as empty as its default.
    `hidden` asks for the number of neighbours each node has beyond the answer, which costs one more step. Without
    `names`, nodes have none and those of a depth are in the order of their ids; without `transformations` an edge does
    not say how data changed, nor whether it is masked; without `last_runs` not by which run it was confirmed, and when;
    without `first_seen` it may have held for longer than it says.
    """

    of: tuple[EntityRef, ...]
    direction: Direction = Direction.BOTH
    granularity: Granularity = Granularity.DATASET
    depth: int = 5
    window: Window = NOW
    include_indirect: bool = True
    max_nodes: int = 1_000
    max_edges: int = 100_000
    hidden: bool = False
    names: bool = True
    transformations: bool = True
    last_runs: bool = True
    first_seen: bool = True
    understand: Understand | None = None


class LineageNode(Record, frozen=True):
    """A node of the answer. `depth` is signed: negative upstream, 0 a root. `id` is the entity's 63-bit id.

    A COLUMN has its name in `column` and its dataset in `namespace`, `name` and `dataset_id`. At granularity COLUMN a
    DATASET is the whole of it, every column.
    """

    id: int
    kind: EntityKind
    namespace: str
    name: str
    depth: int
    column: str | None = None
    hidden_upstream: int = 0
    hidden_downstream: int = 0
    dataset_id: int | None = None


class LineageEdge(Record, frozen=True):
    """An edge of the answer, through `job_id` where a job made it. Times are microseconds since 1970 UTC.

    `first_seen` is when the edge began to hold, `last_seen` the last run or declaration that confirmed it.
    """

    source: int
    target: int
    derivation: Derivation
    job_id: int | None
    first_seen: int
    last_seen: int
    last_run_id: int | None = None
    transformations: tuple[Transformation, ...] = ()

    @property
    def masked(self) -> bool:
        """Whether every way the value takes along this edge hides it. Indirect ways carry no value, unless alone."""
        direct = [t for t in self.transformations if not is_indirect(t)] or self.transformations
        return bool(direct) and all(t.masking for t in direct)


@dataclass(frozen=True, slots=True)
class Lineage:
    """The answer, and how complete it is (law 8)."""

    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]
    truncated: bool
    truncated_by: str | None
    depth_reached: int
