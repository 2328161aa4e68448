"""What Iceberg scanned of a table."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "icebergScanReport"
SUBJECTS: Final = frozenset({Scope.INPUT})


class _Facet(Shape):
    snapshot_id: float | None = None
    schema_id: float | None = None
    filter_description: str | None = None
    projected_field_names: list[str | None] | None = None
    scan_metrics: dict[str, float | None] | None = None
    metadata: dict[str, Raw] | None = None


changes: Final = only_checks(_Facet)
