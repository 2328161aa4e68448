"""The text of a job. Shown from the facet as it was sent."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "sourceCode"
SUBJECTS: Final = frozenset({Scope.JOB})


class _Facet(Shape):
    source_code: str
    language: str | None = None


changes: Final = only_checks(_Facet)
