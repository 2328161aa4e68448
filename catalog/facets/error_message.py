"""Why a run failed. Shown from the facet as it was sent."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "errorMessage"
SUBJECTS: Final = frozenset({Scope.RUN})


class _Facet(Shape):
    message: str
    programming_language: str | None = None
    stack_trace: str | None = None


changes: Final = only_checks(_Facet)
