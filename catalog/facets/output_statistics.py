"""How much was written to a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from catalog.domain.wire import Statistics, measured, reader
from catalog.domain.words import Scope

if TYPE_CHECKING:
    from catalog.domain.changes import Change

NAME: Final = "outputStatistics"
SUBJECTS: Final = frozenset({Scope.OUTPUT})

_read: Final = reader(Statistics)


def changes(payload: bytes) -> tuple[Change, ...]:
    """Rows, bytes and files.

    Raises:
        ValueError: this is no such facet, or a count is not a whole number.
    """
    return (measured(_read(payload)),)
