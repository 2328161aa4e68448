"""The levels above a dataset (database, schema), from the highest down."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "hierarchy"
SUBJECTS: Final = frozenset({Scope.DATASET})


class _Level(Shape):
    type: str
    name: str


class _Facet(Shape):
    hierarchy: list[_Level | None]


changes: Final = only_checks(_Facet)
