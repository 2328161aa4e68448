"""Times as producers write them. Pure: no clock, no time zone database, the same answer on every machine."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND

# `fromisoformat` alone accepts more with every Python version; a log must read the same under all of them.
_WRITTEN: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]((?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]+)?)?)"
    r" ?([Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?"
    r"(\[[^\[\]]*\])?"
)
# Nine digits and more; eight could be a date without hyphens, which nobody was seen to send.
_COUNTED: Final = re.compile(r"(-?[0-9]{9,19})(\.[0-9]{1,9})?")

# Seconds reach these counts in the years 5138, 3.2 million ...; milliseconds and finer passed them by 1973.
_UNITS: Final = ((1e11, "seconds", 1_000_000.0), (1e14, "milliseconds", 1_000.0), (1e17, "microseconds", 1.0))
_MOST: Final = 1e20
_SHOWN: Final = 60
_LONGEST: Final = 200


class Instant(NamedTuple):
    """A moment in microseconds since 1970 UTC, and what had to be assumed to know it ("" if nothing)."""

    at: int
    assumed: str = ""


def parse_time(value: object) -> Instant:
    """The moment a producer means.

    Text is ISO 8601 with or without an offset, digits past the microsecond are cut off; a number, or text
    that is one, counts from 1970 in the unit its size tells.

    Raises:
        ValueError: It is no time, or outside of the years 1 to 9999. The message is a sentence for the sender.
    """
    if isinstance(value, str):
        if len(value) > _LONGEST:
            raise ValueError(f"{_show(value)} is too long for a time.")
        instant = _counted(value) if _COUNTED.fullmatch(value) else _written(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        instant = _since_epoch(value)
    else:
        raise ValueError("A time is text such as 2026-01-31T12:00:00Z.")  # noqa: TRY004 - a value sent, not a caller's
    if not _FIRST <= instant.at <= _LAST:
        raise ValueError(f"{_show(value)} is outside of the years 1 to 9999.")
    return instant


def _written(text: str) -> Instant:
    form = _WRITTEN.fullmatch(text)
    if form is None:
        raise ValueError(f"{_show(text)} is not a time such as 2026-01-31T12:00:00Z.")
    date, clock, offset, zone = form.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock or '00:00'}{(offset or 'Z').upper()}")
    except ValueError as error:
        raise ValueError(f"{_show(text)} is not a time: {error}.") from None
    at = (moment - _EPOCH) // _MICROSECOND
    if clock is None:
        return Instant(at, "a date without a time, taken as its first moment in UTC")
    if offset is None:
        # A zone id would need a time zone database, and those differ between machines and years.
        return Instant(at, "no offset from UTC, taken as UTC")
    if zone is not None:
        return Instant(at, f"zone {_show(zone)} ignored, the offset decides")
    return Instant(at)


def _counted(text: str) -> Instant:
    return _since_epoch(float(text) if "." in text else int(text))


def _since_epoch(count: float) -> Instant:
    size = abs(count)
    if not size < _MOST:  # so written that NaN is refused too
        raise ValueError("The number is too large for a time.")
    for most, unit, microseconds in _UNITS:
        if size < most:
            # Integers stay integers: a float would round microseconds after the year 2255.
            at = round(count * microseconds) if isinstance(count, float) else count * int(microseconds)
            return Instant(at, f"a number, taken as {unit} since 1970")
    return Instant(int(count // 1_000), "a number, taken as nanoseconds since 1970")


def _show(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
