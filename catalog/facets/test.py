"""The tests that a run executed, whatever dataset they are about."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from catalog.domain.wire import Scalar, Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "test"
SUBJECTS: Final = frozenset({Scope.RUN})


class _Test(Shape):
    name: str
    status: str
    severity: str | None = None
    type: str | None = None
    description: str | None = None
    expected: Scalar = None
    actual: Scalar = None
    content: str | None = None
    content_type: str | None = None
    params: dict[str, Raw] | None = None


class _Facet(Shape):
    tests: list[_Test | None]


changes: Final = only_checks(_Facet)
