"""The metastore that knows the dataset."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Scalar, Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "catalog"
SUBJECTS: Final = frozenset({Scope.DATASET})


class _Facet(Shape):
    framework: str
    type: str
    name: str
    metadata_uri: str | None = None
    warehouse_uri: str | None = None
    source: str | None = None
    catalog_properties: dict[str, Scalar] | None = None


changes: Final = only_checks(_Facet)
