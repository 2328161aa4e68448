"""Tags on a run, a job, a dataset or one of its columns."""

from __future__ import annotations

from typing import Final

from catalog.domain.changes import Change, Tag, Tagged
from catalog.domain.wire import Scalar, Shape, present, reader
from catalog.domain.words import Scope

NAME: Final = "tags"
SUBJECTS: Final = frozenset({Scope.RUN, Scope.JOB, Scope.DATASET})


class _Tag(Shape):
    key: str | None = None
    value: Scalar = None
    source: str | None = None
    field: str | None = None


class _Facet(Shape):
    tags: list[_Tag | None] | None = None


_read: Final = reader(_Facet)


def changes(payload: bytes) -> tuple[Change, ...]:
    """All tags that have a key.

    Raises:
        ValueError: this is no such facet.
    """
    tags = present(_read(payload).tags)
    return (Tagged(tuple(Tag(tag.key, _text(tag.value), tag.source, tag.field or None) for tag in tags if tag.key)),)


def _text(value: Scalar) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    # As JSON writes it, so that `true` and `"true"` are the same tag.
    return str(value).lower()
