"""The version that a storage system gave the dataset."""

from __future__ import annotations

from typing import Final

from catalog.domain.changes import Change, Versioned
from catalog.domain.wire import Shape, reader
from catalog.domain.words import Scope

NAME: Final = "version"
SUBJECTS: Final = frozenset({Scope.DATASET})


class _Facet(Shape):
    # A table format's snapshot id is a number, and some producers leave it one.
    dataset_version: str | int


_read: Final = reader(_Facet)


def changes(payload: bytes) -> tuple[Change, ...]:
    """The version as text.

    Raises:
        ValueError: this is no such facet.
    """
    return (Versioned(str(_read(payload).dataset_version)),)
