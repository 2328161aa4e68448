"""What people wrote about a job or a dataset."""

from __future__ import annotations

from typing import Final

from catalog.domain.changes import Change, Described
from catalog.domain.wire import Shape, reader
from catalog.domain.words import Scope

NAME: Final = "documentation"
SUBJECTS: Final = frozenset({Scope.JOB, Scope.DATASET})


class _Facet(Shape):
    description: str
    content_type: str | None = None


_read: Final = reader(_Facet)


def changes(payload: bytes) -> tuple[Change, ...]:
    """The prose and its media type.

    Raises:
        ValueError: this is no such facet.
    """
    facet = _read(payload)
    return (Described(facet.description, facet.content_type),)
