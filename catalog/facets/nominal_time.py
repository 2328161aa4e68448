"""The time a run is for, as against the time it ran at."""

from __future__ import annotations

from typing import Final

from catalog.domain.changes import Change, Scheduled
from catalog.domain.wire import Shape, reader
from catalog.domain.words import Scope

NAME: Final = "nominalTime"
SUBJECTS: Final = frozenset({Scope.RUN})


class _Facet(Shape):
    nominal_start_time: str | None = None
    nominal_end_time: str | None = None


_read: Final = reader(_Facet)


def changes(payload: bytes) -> tuple[Change, ...]:
    """When the run was due, as text.

    Raises:
        ValueError: this is no such facet.
    """
    facet = _read(payload)
    return (Scheduled(facet.nominal_start_time, facet.nominal_end_time),)
