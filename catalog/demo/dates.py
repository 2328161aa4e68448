"""The days of the story. It is told in a fixed time, so that every telling has the same bytes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha1
from typing import Final

FIRST: Final = date(2026, 9, 20)
LAST: Final = date(2026, 11, 18)
"""Sixty days; the nightly pipelines run after each of the 43 business days among them."""

FAILED: Final = date(2026, 10, 7)
"""An amount was too large for its column: the night fails in the middle, and is run again in the morning."""

NEW_COLUMNS: Final = date(2026, 10, 12)
"""Applications say whether we may look at the accounts; incomes may have more digits; applicant_v2 is built."""

MOVED: Final = date(2026, 10, 20)
"""Scoring moves from the old feature table to the new one."""

INCOMPLETE: Final = date(2026, 10, 27)
"""Too many debt ratios are missing: a quality assertion fails, once."""

CUT_OFF: Final = date(2026, 10, 29)
"""The bureau's corrections were staged, but the worker lost its network before it could say so …"""

RECONNECTED: Final = date(2026, 11, 2)
"""… and said it days later. On the same day the old feature table is dropped."""

NEW_VIEW: Final = date(2026, 11, 5)
"""The view of active loans is defined anew, with what secures them."""

RELEASES: Final = (FIRST, date(2026, 10, 5), NEW_COLUMNS, MOVED, NEW_VIEW)
"""When the pipelines' code was released. Tables change their columns on such days only."""


def days() -> tuple[date, ...]:
    """Every day of the story."""
    return tuple(FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1))


def is_business_day(day: date) -> bool:
    """Monday to Friday: the bank has no holidays in these weeks."""
    return day.isoweekday() <= 5  # noqa: PLR2004 - Friday


def is_training_day(day: date) -> bool:
    """Sunday, when the machines are free."""
    return day.isoweekday() == 7  # noqa: PLR2004 - Sunday


def is_closing_day(day: date) -> bool:
    """The first business day of a month."""
    return is_business_day(day) and (day.day == 1 or (day.day <= 3 and day.isoweekday() == 1))  # noqa: PLR2004 - as said


def moment(day: date, hour: int, minute: int = 0) -> datetime:
    """A time of that day, UTC."""
    return datetime.combine(day, time(hour, minute), UTC)


def release(day: date) -> date:
    """When the code that was live on that day was released."""
    return max(released for released in RELEASES if released <= day)


def commit(released: date) -> str:
    """The commit of a release."""
    return sha1(f"harbour pipelines {released}".encode(), usedforsecurity=False).hexdigest()
