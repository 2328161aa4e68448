"""The id that another system gave to the query of a run."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "externalQuery"
SUBJECTS: Final = frozenset({Scope.RUN})


class _Facet(Shape):
    external_query_id: str | int
    source: str | None = None


changes: Final = only_checks(_Facet)
