"""What kind of dataset it is."""

from __future__ import annotations

from typing import Final

from catalog.domain.changes import Change, DatasetTyped
from catalog.domain.wire import Shape, reader
from catalog.domain.words import Scope

NAME: Final = "datasetType"
SUBJECTS: Final = frozenset({Scope.DATASET})


class _Facet(Shape):
    dataset_type: str
    sub_type: str | None = None


_read: Final = reader(_Facet)


def changes(payload: bytes) -> tuple[Change, ...]:
    """The type and its refinement, as sent.

    Raises:
        ValueError: this is no such facet.
    """
    facet = _read(payload)
    return (DatasetTyped(facet.dataset_type, facet.sub_type),)
