"""Lineage that a person declared: one edge, who said so, and why.

Nobody sends it as an event. Every manual edge has an owner of its own, so that declaring one replaces no other, and
what a producer declares of the same dataset replaces none of them either.
"""

from __future__ import annotations

from catalog.domain.changes import Name, Transformation
from catalog.domain.ids import dataset_id, job_id, key
from catalog.domain.records import Record
from catalog.domain.statement import NOTHING_SAID, End, Flow, Statement
from catalog.domain.words import Node

_TIE_BITS = 11
_LATEST = (1 << (63 - _TIE_BITS)) - 1
"""The last moment that fits into a tie: in the year 2112."""


class ManualEnd(Record, frozen=True):
    """An end of a manual edge, as it was named: a dataset, a column of it, or a job."""

    node: Node
    name: Name
    column: str = ""

    @property
    def id(self) -> int:
        """The id of the dataset or job."""
        of = job_id if self.node is Node.JOB else dataset_id
        return of(self.name.namespace, self.name.name)

    @property
    def end(self) -> End:
        """The same, as statements have it."""
        return End(self.node, self.id, self.column)


class ManualEdge(Record, frozen=True):
    """Data goes from `source` to `target`, between datasets perhaps through a job. Which edge it is, and no more."""

    source: ManualEnd
    target: ManualEnd
    through: Name | None = None

    @property
    def owner(self) -> int:
        """Whose the rows of this edge are. Negative, so that it is never taken for a job or a dataset."""
        ends = [part for end in (self.source, self.target) for part in (str(end.id), end.column)]
        # 0 is nobody's id, but it has no other side.
        return -(key("manual", *ends, str(self.job_id or 0)) or 1)

    @property
    def columns(self) -> tuple[str, str]:
        """Which columns it is between; empty where it is a whole."""
        return self.source.column, self.target.column

    @property
    def job_id(self) -> int | None:
        """The job it goes through."""
        return None if self.through is None else job_id(self.through.namespace, self.through.name)


class Manual(Record, frozen=True):
    """That somebody declared an edge, or took it back.

    `recorded_at` is when they did, `effective_from` since when they say it is so; microseconds since 1970 UTC.
    """

    edge: ManualEdge
    declared: bool
    principal: str
    reason: str
    recorded_at: int
    effective_from: int
    transformations: tuple[Transformation, ...] = ()

    @property
    def statement(self) -> Statement:
        """What it says of lineage from then on."""
        if not self.declared:
            return NOTHING_SAID
        source, target, job = self.edge.source.end, self.edge.target.end, self.edge.job_id
        flows = frozenset(
            Flow(source, target, how.type, how.subtype, how.description, how.masking)
            for how in self.transformations or (Transformation(),)
        )
        through = frozenset(() if job is None else (job,))
        return Statement(explicit=True, entries=flows, targets=frozenset((target,)), through=through)

    def tie(self, digest: int) -> int:
        """Of two words on the same moment the one that was said later counts, not the one with the larger digest."""
        return (min(self.recorded_at, _LATEST) << _TIE_BITS) + digest % (1 << _TIE_BITS)


def is_manual(owner: int) -> bool:
    """Whether this owner of an edge is a person's word, and neither a job nor a dataset."""
    return owner < 0
