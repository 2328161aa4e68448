"""What a run waits for and what waits for it. Order of work, never data flow, so no edge is made."""

from __future__ import annotations

from typing import Final

from catalog.domain.changes import Dependency, DependsOn, Name
from catalog.domain.wire import Shape, present, reader
from catalog.domain.words import Scope

NAME: Final = "jobDependencies"
SUBJECTS: Final = frozenset({Scope.RUN})


class _Job(Shape):
    namespace: str
    name: str


class _Run(Shape):
    run_id: str


class _Dependency(Shape, rename=None):
    # The schema says `dependency_type`, the documentation's example `type`; producers follow either.
    job: _Job
    run: _Run | None = None
    dependency_type: str | None = None
    type: str | None = None
    sequence_trigger_rule: str | None = None
    status_trigger_rule: str | None = None


class _Facet(Shape, rename=None):
    upstream: list[_Dependency | None] | None = None
    downstream: list[_Dependency | None] | None = None
    trigger_rule: str | None = None


_read: Final = reader(_Facet)


def changes(payload: bytes) -> tuple[DependsOn]:
    """What the run waits for, and what waits for it.

    Raises:
        ValueError: this is no such facet, or a job in it has no name.
    """
    facet = _read(payload)
    upstream, downstream = (tuple(map(_named, present(sent))) for sent in (facet.upstream, facet.downstream))
    return (DependsOn(upstream, downstream, facet.trigger_rule),)


def _named(sent: _Dependency) -> Dependency:
    return Dependency(
        Name(sent.job.namespace, sent.job.name),
        sent.run.run_id if sent.run else None,
        sent.dependency_type or sent.type,
        sent.sequence_trigger_rule,
        sent.status_trigger_rule,
    )
