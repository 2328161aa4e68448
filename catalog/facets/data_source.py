"""The database or service a dataset lives in."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "dataSource"
SUBJECTS: Final = frozenset({Scope.DATASET})


class _Facet(Shape):
    name: str | None = None
    uri: str | None = None


changes: Final = only_checks(_Facet)
