"""Which part of a dataset was read or written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Raw

from catalog.domain.wire import Scalar, Shape, reader
from catalog.domain.words import Scope

if TYPE_CHECKING:
    from catalog.domain.changes import Change

NAME: Final = "subset"
SUBJECTS: Final = frozenset({Scope.INPUT, Scope.OUTPUT})


class _Field(Shape, tag_field="type", tag="field"):
    field: str


class _Literal(Shape, tag_field="type", tag="literal"):
    value: Scalar = None


class _Locations(Shape, tag_field="type", tag="location"):
    locations: list[str | None]


class _Partition(Shape):
    identifier: str | None = None
    dimensions: dict[str, Raw] | None = None


class _Partitions(Shape, tag_field="type", tag="partition"):
    partitions: list[_Partition | None]


class _Compare(Shape, tag_field="type", tag="compare"):
    left: _Field | _Literal
    right: _Field | _Literal
    comparison: str


class _Binary(Shape, tag_field="type", tag="binary"):
    left: _Locations | _Partitions | _Compare | _Binary
    right: _Locations | _Partitions | _Compare | _Binary
    operator: str


class _Facet(Shape):
    input_condition: _Locations | _Partitions | _Compare | _Binary | None = None
    output_condition: _Locations | _Partitions | _Compare | _Binary | None = None


_read: Final = reader(_Facet)


def changes(payload: bytes) -> tuple[Change, ...]:
    """Check the shape; nothing changes.

    Raises:
        ValueError: this is no such facet, it has no condition, or one of a kind not known today.
    """
    facet = _read(payload)
    if facet.input_condition is None and facet.output_condition is None:
        raise ValueError("a subset without a condition")
    return ()
