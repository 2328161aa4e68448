"""The columns of a dataset."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from catalog.domain.changes import Change, Column, Structured
from catalog.domain.wire import Shape, present, reader
from catalog.domain.words import Scope

NAME: Final = "schema"
SUBJECTS: Final = frozenset({Scope.DATASET})

_DEEPEST: Final = 64
"""Levels of nesting. Fixed, as what is understood may not depend on how deep the interpreter's stack is."""

_SPARE: Final = 65_536
_GROWTH: Final = 8


class _Field(Shape, rename=None):
    name: str
    type: str | None = None
    description: str | None = None
    ordinal_position: Annotated[int, Meta(ge=-(2**31), lt=2**31)] | None = None
    fields: list[_Field | None] | None = None


class _Facet(Shape):
    fields: list[_Field | None] | None = None


_read: Final = reader(_Facet)


def changes(payload: bytes) -> tuple[Change, ...]:
    """All columns, depth first, nested ones by the dotted path of their names.

    Raises:
        ValueError: this is no such facet, or it is nested more than 64 levels deep.
    """
    facet = _read(payload)
    # Paths repeat their parents' names: without a limit two megabytes of hostile schema become a hundred
    # gigabytes of paths. Real ones, nested as they are, need about twice the facet's size.
    room = _SPARE + _GROWTH * len(payload)
    columns: list[Column] = []
    levels = [("", iter(present(facet.fields)))]
    while levels:
        path, level = levels[-1]
        for field in level:
            name = path + field.name
            columns.append(Column(name, field.type, field.description, field.ordinal_position))
            if field.fields:
                room -= (len(name) + 1) * len(field.fields)
                if room < 0 or len(levels) == _DEEPEST:
                    raise ValueError("the columns are nested too deeply")
                levels.append((f"{name}.", iter(present(field.fields))))
                break
        else:
            levels.pop()
    return (Structured(tuple(columns)),)
