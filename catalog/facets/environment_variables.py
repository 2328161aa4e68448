"""What the environment of a run held."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Scalar, Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "environmentVariables"
SUBJECTS: Final = frozenset({Scope.RUN})


class _Variable(Shape):
    name: str
    value: Scalar = None


class _Facet(Shape):
    environment_variables: list[_Variable | None]


changes: Final = only_checks(_Facet)
