"""Why a run failed. Shown from the facet as it was sent."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "errorMessage"

# The listener of Spark has a facet of its own, of the same shape, and sends no other.
ALIASES: Final = ("spark.exception",)
SUBJECTS: Final = frozenset({Scope.RUN})


class _Facet(Shape):
    message: str
    programming_language: str | None = None
    stack_trace: str | None = None


changes: Final = only_checks(_Facet)
