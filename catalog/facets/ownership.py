"""Who answers for a job or a dataset."""

from __future__ import annotations

from typing import Final

from catalog.domain.changes import Change, Owned, Owner
from catalog.domain.wire import Shape, present, reader
from catalog.domain.words import Scope

NAME: Final = "ownership"
SUBJECTS: Final = frozenset({Scope.JOB, Scope.DATASET})


class _Owner(Shape):
    name: str | None = None
    type: str | None = None


class _Facet(Shape):
    owners: list[_Owner | None] | None = None


_read: Final = reader(_Facet)


def changes(payload: bytes) -> tuple[Change, ...]:
    """All owners that have a name.

    Raises:
        ValueError: this is no such facet.
    """
    owners = present(_read(payload).owners)
    return (Owned(tuple(Owner(owner.name, owner.type) for owner in owners if owner.name)),)
