"""Facets that are read part by part: one part that nobody can read does not take the others with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import inspect

from catalog.domain.wire import reader

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


def part_reader(shape: type[_T]) -> Callable[[bytes], tuple[_T, int]]:
    """A function that reads the raw JSON of a facet into its shape, and counts the parts that it could not read.

    Whatever may be null is null where it cannot be read. But texts and numbers are no parts: what has a wrong one is
    unreadable as a whole, lest half a name be taken for none. The function raises ValueError where nothing can be
    made of that.
    """
    read, kind = reader(shape), inspect.type_info(shape)

    def read_parts(payload: bytes) -> tuple[_T, int]:
        try:
            return read(payload), 0
        except msgspec.ValidationError:
            parts = _Parts()
            return msgspec.convert(parts.readable(_plain(payload), kind), shape), parts.unread

    return read_parts


_plain = reader(object)


class _Parts:
    """What can be read of one facet."""

    def __init__(self) -> None:
        self.unread = 0

    def readable(self, sent: object, kind: inspect.Type) -> object:
        """The same with null in place of what is not of its kind.

        Raises:
            ValueError: it is itself not of this kind, for texts and numbers said by what they are in.
        """
        match kind:
            case inspect.UnionType(types=types):
                return None if sent is None else self.readable_or_null(sent, _not_null(types))
            case inspect.ListType(item_type=of) if isinstance(sent, list):
                return [self.readable(one, of) for one in sent]
            case inspect.DictType(value_type=of) if isinstance(sent, dict):
                return {name: self.readable(one, of) for name, one in sent.items()}
            case inspect.StructType(cls=cls, fields=fields) if isinstance(sent, dict):
                kinds = {field.encode_name: field.type for field in fields}
                kept = {name: self.readable(one, kinds[name]) for name, one in sent.items() if name in kinds}
                msgspec.convert(kept, cls)
                return kept
            case inspect.ListType() | inspect.DictType() | inspect.StructType():
                raise ValueError("a part of another type")
            case _:
                return sent

    def readable_or_null(self, sent: object, kind: inspect.Type) -> object:
        try:
            return self.readable(sent, kind)
        except ValueError:
            self.unread += 1
            return None


def _not_null(types: tuple[inspect.Type, ...]) -> inspect.Type:
    return next(kind for kind in types if not isinstance(kind, inspect.NoneType))
