"""The run that started a run, and the root of the whole tree."""

from __future__ import annotations

from typing import Final

from catalog.domain.changes import Change, ChildOf, Name, RunName
from catalog.domain.wire import Shape, reader
from catalog.domain.words import Scope

NAME: Final = "parent"
ALIASES: Final = ("parentRun",)
SUBJECTS: Final = frozenset({Scope.RUN})


class _Run(Shape):
    # Not a UUID: producers send any text here, and the run's own event carries the same text.
    run_id: str


class _Job(Shape):
    namespace: str
    name: str


class _Root(Shape):
    # Facets forwarded from the parent are left alone: the parent's own event is the authority on them.
    run: _Run
    job: _Job


class _Facet(_Root):
    root: _Root | None = None


_read: Final = reader(_Facet)


def changes(payload: bytes) -> tuple[Change, ...]:
    """Which run contains this one.

    Raises:
        ValueError: this is no such facet, or the run or its job has no name.
    """
    facet = _read(payload)
    return (ChildOf(_named(facet), _named(facet.root) if facet.root else None),)


def _named(sent: _Root) -> RunName:
    return RunName(Name(sent.job.namespace, sent.job.name), sent.run.run_id)
