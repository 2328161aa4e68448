"""How facets are read: shapes and small decisions that more than one facet needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from catalog.domain.changes import Measured, Transformation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from catalog.domain.changes import Change

_T = TypeVar("_T")

_LARGEST: Final = 2**63 - 1

Scalar = str | int | float | bool | None


class Shape(msgspec.Struct, rename="camel", gc=False):
    """A facet or a part of one, as JSON has it.

    Unknown fields are ignored: every facet may carry more than its schema names. No shape can hold a reference
    to itself, so the collector need not look at them.
    """


class HowMade(Shape):
    """A transformation, the same in `columnLineage` and in `lineage`."""

    type: str | None = None
    subtype: str | None = None
    description: str | None = None
    masking: bool | None = None


class Statistics(Shape):
    """What `inputStatistics` and `outputStatistics` count."""

    row_count: int | float | str | None = None
    size: int | float | str | None = None
    file_count: int | float | str | None = None


def reader(shape: type[_T]) -> Callable[[bytes], _T]:
    """A function that reads the raw JSON of a facet into its shape.

    The function raises ValueError for whatever is not that shape. msgspec says RecursionError for deep nesting,
    even inside of fields nobody asked for; an event must not get away with that, so it is a ValueError too.
    """
    decode = msgspec.json.Decoder(shape).decode

    def read(payload: bytes) -> _T:
        try:
            return decode(payload)
        except RecursionError:
            raise ValueError("the facet is nested too deeply to be read") from None

    return read


def only_checks(shape: type[msgspec.Struct]) -> Callable[[bytes], tuple[Change, ...]]:
    """The `changes` of a facet the graph is not made from: it is understood and kept, and changes nothing.

    The function raises ValueError for whatever is not that shape.
    """
    read = reader(shape)

    def changes(payload: bytes) -> tuple[Change, ...]:
        """Check the shape; nothing changes."""
        read(payload)
        return ()

    return changes


def present(items: Iterable[_T | None] | None) -> list[_T]:
    """The items that are there: a list may be null, and so may its items."""
    return [item for item in items if item is not None] if items else []


def transformations(sent: list[HowMade | None] | None) -> tuple[Transformation, ...]:
    """Transformations in the order they were sent; what was left out is an empty text."""
    if not sent:
        return ()
    return tuple(
        Transformation(how.type or "", how.subtype or "", how.description or "", bool(how.masking))
        for how in sent
        if how is not None
    )


def whole(number: float | str | None) -> int | None:
    """A count as a whole number; JSON writers also send counts as floats and as texts of digits.

    Raises:
        ValueError: it is no whole number, is negative, or is more than 63 bits can hold.
    """
    if number is None:
        return None
    if isinstance(number, str):
        # Not int() alone: it also takes "1_000", " 7 " and the digits of every script.
        if not (number.isascii() and number.isdecimal()):
            raise ValueError("a count is not a whole number")
        count = int(number)
    else:
        count = int(number)
        if count != number:
            raise ValueError("a count is not a whole number")
    if not 0 <= count <= _LARGEST:
        raise ValueError("a count is out of range")
    return count


def measured(statistics: Statistics) -> Measured:
    """Rows, bytes and files as counts.

    Raises:
        ValueError: one of them is no count.
    """
    return Measured(whole(statistics.row_count), whole(statistics.size), whole(statistics.file_count))
