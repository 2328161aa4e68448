"""What a run waits for and what waits for it. Order of work, never data flow, so no edge is made."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
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


changes: Final = only_checks(_Facet)
