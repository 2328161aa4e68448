"""Other names of the same dataset."""

from __future__ import annotations

from typing import Final

from catalog.domain.changes import Change, Name, Symlinked
from catalog.domain.wire import Shape, present, reader
from catalog.domain.words import Scope

NAME: Final = "symlinks"
SUBJECTS: Final = frozenset({Scope.DATASET})


class _Identifier(Shape):
    namespace: str
    name: str
    type: str | None = None


class _Facet(Shape):
    identifiers: list[_Identifier | None] | None = None


_read: Final = reader(_Facet)


def changes(payload: bytes) -> tuple[Change, ...]:
    """All names, each with its type.

    Raises:
        ValueError: this is no such facet, or half a name is missing.
    """
    others = present(_read(payload).identifiers)
    return (Symlinked(tuple((Name(other.namespace, other.name), other.type or "") for other in others)),)
