"""How Google's own lineage service is to show a job."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "gcp_lineage"
SUBJECTS: Final = frozenset({Scope.JOB})


class _Origin(Shape):
    source_type: str | None = None
    name: str | None = None


class _Facet(Shape):
    display_name: str | None = None
    origin: _Origin | None = None


changes: Final = only_checks(_Facet)
