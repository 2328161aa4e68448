"""Event times as producers really write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.ingest.times import Instant, parse_time


def at(*parts: int, offset: float = 0) -> int:
    """Microseconds since 1970, computed without the code under test's parser."""
    moment = datetime(*parts, tzinfo=timezone(timedelta(hours=offset)))  # type: ignore[misc, arg-type] # year … microsecond
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-11-03T10:53:52.427343Z", at(2021, 11, 3, 10, 53, 52, 427343)),
        ("2021-11-03T10:53:52.427343+00:00", at(2021, 11, 3, 10, 53, 52, 427343)),
        ("2021-11-03T10:53:52.427+10:00", at(2021, 11, 3, 10, 53, 52, 427000, offset=10)),
        ("2021-11-03T10:53:52-05:30", at(2021, 11, 3, 10, 53, 52, offset=-5.5)),
        ("2021-11-03T10:53:52+0100", at(2021, 11, 3, 10, 53, 52, offset=1)),
        ("2021-11-03T10:53:52+01", at(2021, 11, 3, 10, 53, 52, offset=1)),
        ("2021-11-03t10:53:52z", at(2021, 11, 3, 10, 53, 52)),
        ("2021-11-03 10:53:52 +01:00", at(2021, 11, 3, 10, 53, 52, offset=1)),
        ("  2021-11-03T10:53:52Z\n", at(2021, 11, 3, 10, 53, 52)),
        ("2021-11-03T10:53Z", at(2021, 11, 3, 10, 53)),
        ("2021-11-03T10:53:52,5Z", at(2021, 11, 3, 10, 53, 52, 500000)),
        ("0001-01-01T00:00:00Z", at(1, 1, 1)),
        ("9999-12-31T23:59:59.999999Z", at(9999, 12, 31, 23, 59, 59, 999999)),
        ("1969-12-31T23:59:59.999999Z", -1),
    ],
)
def test_iso_8601_with_an_offset_needs_no_assumption(text, expected):
    assert parse_time(text) == Instant(expected, "")


def test_nanoseconds_are_cut_to_microseconds_and_never_rounded_up():
    assert parse_time("2021-12-31T23:59:59.999999999Z") == Instant(at(2021, 12, 31, 23, 59, 59, 999999), "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-11-03T10:53:52Z[Europe/London]", at(2021, 11, 3, 10, 53, 52)),
        ("2021-11-03T10:53:52.4+01:00[Europe/Paris]", at(2021, 11, 3, 10, 53, 52, 400000, offset=1)),
        ("2021-11-03T10:53Z[UTC]", at(2021, 11, 3, 10, 53)),
    ],
)
def test_a_zone_id_behind_an_offset_is_ignored_with_a_word(text, expected):
    instant = parse_time(text)
    assert instant.at == expected
    assert "the offset decides" in instant.assumed


@pytest.mark.parametrize("text", ["2021-11-03T10:53:52.427343", "2021-11-03T10:53:52.427343[Europe/Paris]"])
def test_without_an_offset_utc_is_assumed_whatever_the_machine_knows_of_zones(text):
    assert parse_time(text) == Instant(at(2021, 11, 3, 10, 53, 52, 427343), "no offset from UTC, taken as UTC")


def test_a_date_is_its_first_moment_in_utc():
    instant = parse_time("2021-11-03")
    assert instant.at == at(2021, 11, 3)
    assert "a date without a time" in instant.assumed


@pytest.mark.parametrize(
    ("number", "unit"),
    [
        (1_635_936_832, "seconds"),
        (1_635_936_832.0, "seconds"),
        ("1635936832", "seconds"),
        ("1635936832.0", "seconds"),
        (1_635_936_832_000, "milliseconds"),
        ("1635936832000", "milliseconds"),
        (1_635_936_832_000_000, "microseconds"),
        (1_635_936_832_000_000_000, "nanoseconds"),
    ],
)
def test_a_number_counts_from_1970_in_the_unit_its_size_tells(number, unit):
    assert parse_time(number) == Instant(at(2021, 11, 3, 10, 53, 52), f"a number, taken as {unit} since 1970")


def test_fractions_of_epoch_seconds_are_kept_to_the_microsecond():
    assert parse_time(1_635_936_832.427343).at == at(2021, 11, 3, 10, 53, 52, 427343)


@pytest.mark.parametrize(
    "value",
    [
        "", "now", "yesterday", "2021-13-01T00:00:00Z", "2021-02-30T00:00:00Z", "2021-11-03T24:00:00Z",
        "2021-11-03T10:53:60Z", "2021-11-03T10:5352Z", "2021-11-03T10:53999Z", "2021-11-03T10:53:52+25:00",
        "2021-11-03T10:53:52+01:99", "03/11/2021", "2021-W44-3", "\uff12021-11-03T10:53:52Z", "0000-01-01T00:00:00Z",
        "+12021-11-03T10:53:52Z", "2021-11-03T10:53:52Z[", "2021-11-03T10:53:52Z[a][b]", "2021-11-03T10:53:52Z\0",
        "2021-11-03T10:53:52." + "9" * 300 + "Z", "9" * 300,
        True, None, [], {}, b"2021-11-03T10:53:52Z",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_in_a_sentence(value):
    with pytest.raises(ValueError, match=r"\.$") as refused:
        parse_time(value)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    "value",
    [
        "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59.999999-00:01", -99_999_999_999,
        10**20, 10**4000, 1e308, float("inf"), float("nan"),
    ],
)  # fmt: skip
def test_a_time_no_calendar_holds_is_refused(value):
    with pytest.raises(ValueError, match=r"outside of the years|too large"):
        parse_time(value)


@given(st.datetimes(timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))))
def test_every_time_python_writes_is_read_as_that_time(moment):
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if at(1, 1, 1) <= micros <= at(9999, 12, 31, 23, 59, 59, 999999):
        assert parse_time(moment.isoformat()) == Instant(micros, "")


@given(st.text(max_size=40) | st.from_regex(r"[0-9:.,TZ+\-\[\] ]{0,40}", fullmatch=True) | st.floats() | st.integers())
def test_anything_else_is_a_time_within_the_calendar_or_a_value_error(value):
    try:
        instant = parse_time(value)
    except ValueError:
        return
    assert at(1, 1, 1) <= instant.at <= at(9999, 12, 31, 23, 59, 59, 999999)
