"""What a run was started with."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Scalar, Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "executionParameters"
SUBJECTS: Final = frozenset({Scope.RUN})


class _Parameter(Shape):
    key: str
    name: str | None = None
    description: str | None = None
    value: Scalar = None


class _Facet(Shape):
    parameters: list[_Parameter | None] | None = None


changes: Final = only_checks(_Facet)
