"""The query of a job. Shown from the facet as it was sent."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "sql"
SUBJECTS: Final = frozenset({Scope.JOB})


class _Facet(Shape):
    query: str
    dialect: str | None = None


changes: Final = only_checks(_Facet)
