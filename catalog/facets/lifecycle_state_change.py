"""That a dataset was created, dropped, renamed and the like."""

from __future__ import annotations

from typing import Final

from catalog.domain.changes import Change, LifecycleChanged, Name
from catalog.domain.wire import Shape, reader
from catalog.domain.words import Scope

NAME: Final = "lifecycleStateChange"
SUBJECTS: Final = frozenset({Scope.DATASET})


class _Identifier(Shape):
    namespace: str
    name: str


class _Facet(Shape):
    lifecycle_state_change: str
    previous_identifier: _Identifier | None = None


_read: Final = reader(_Facet)


def changes(payload: bytes) -> tuple[Change, ...]:
    """The change in capitals, and the name before it.

    Raises:
        ValueError: this is no such facet.
    """
    facet = _read(payload)
    before = facet.previous_identifier
    previous = Name(before.namespace, before.name) if before else None
    return (LifecycleChanged(facet.lifecycle_state_change.upper(), previous),)
