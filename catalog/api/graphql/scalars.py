"""The scalars GraphQL does not bring: moments, large numbers, and JSON that is passed on as it was received."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NewType

import orjson
import strawberry
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from catalog.ingest.times import parse_time

DateTime = NewType("DateTime", int)
"""Microseconds since 1970 UTC."""

BigInt = NewType("BigInt", int)
"""A whole number of up to 64 bits; GraphQL's Int has 32."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose: the Z is written by hand, ten times faster
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH.replace(tzinfo=UTC)) // _MICROSECOND
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH.replace(tzinfo=UTC)) // _MICROSECOND


def iso(at: int) -> str:
    """The moment as ISO 8601 with Z; moments outside of the years 1 to 9999 are the nearest inside of them."""
    return f"{(_EPOCH + timedelta(microseconds=min(max(at, _FIRST), _LAST))).isoformat()}Z"


def raw_json(payload: bytes) -> JSON:
    """JSON text as a value: written into the answer byte for byte, so that no number in it changes."""
    return JSON(orjson.Fragment(payload))


def moment(at: int | None) -> DateTime | None:
    """A stored time, if there is one."""
    return None if at is None else DateTime(at)


def big(number: int | None) -> BigInt | None:
    """A stored count, if there is one."""
    return None if number is None else BigInt(number)


def _big(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("A BigInt is a whole number.")  # noqa: TRY004 - what graphql-core reports to the client
    return int(value)


SCALARS: Final[Mapping[object, ScalarDefinition]] = {
    DateTime: strawberry.scalar(
        name="DateTime",
        description=(
            "A moment as ISO 8601 in UTC, to the microsecond: 2026-01-31T12:00:00Z. As input also with another offset, "
            "without one (then UTC), as a date alone (its first moment), or as a number since 1970."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=iso,
        parse_value=lambda value: parse_time(value).at,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of up to 64 bits, as a JSON number.",
        parse_value=_big,
    ),
}
