"""Which assertions about a dataset held. An input facet by the schema; dbt sends it on the dataset too."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from catalog.domain.wire import Scalar, Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "dataQualityAssertions"
SUBJECTS: Final = frozenset({Scope.DATASET, Scope.INPUT})


class _Assertion(Shape):
    assertion: str
    success: bool
    column: str | None = None
    severity: str | None = None
    name: str | None = None
    description: str | None = None
    expected: Scalar = None
    actual: Scalar = None
    content: str | None = None
    content_type: str | None = None
    params: dict[str, Raw] | None = None


class _Facet(Shape):
    assertions: list[_Assertion | None]


changes: Final = only_checks(_Facet)
