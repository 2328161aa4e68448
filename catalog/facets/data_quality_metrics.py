"""Row counts and column profiles of a dataset, or of what a run read of it."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "dataQualityMetrics"
SUBJECTS: Final = frozenset({Scope.DATASET, Scope.INPUT})


class _Profile(Shape):
    # A profile of texts or dates has texts as its smallest and largest value.
    null_count: float | None = None
    distinct_count: float | None = None
    sum: float | None = None
    count: float | None = None
    min: float | str | None = None
    max: float | str | None = None
    quantiles: dict[str, float | None] | None = None


class _Facet(Shape):
    row_count: float | None = None
    bytes: float | None = None
    file_count: float | None = None
    last_updated: str | None = None
    capture_date: str | None = None
    column_metrics: dict[str, _Profile | None] | None = None


changes: Final = only_checks(_Facet)
