"""What Iceberg committed to a table."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "icebergCommitReport"
ALIASES: Final = ("iceberg_commit_report",)
SUBJECTS: Final = frozenset({Scope.OUTPUT})


class _Facet(Shape):
    snapshot_id: float | None = None
    sequence_number: float | None = None
    operation: str | None = None
    commit_metrics: dict[str, float | None] | None = None
    metadata: dict[str, Raw] | None = None


changes: Final = only_checks(_Facet)
