"""The storage layer and the file format of a dataset."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "storage"
SUBJECTS: Final = frozenset({Scope.DATASET})


class _Facet(Shape):
    storage_layer: str
    file_format: str | None = None


changes: Final = only_checks(_Facet)
