from __future__ import annotations

import pytest

from catalog.domain.causes import Reason, overdue, pause, rank, schema_change
from catalog.domain.changes import Column

HOUR = 3_600_000_000


def test_failures_come_first_then_the_nearest_then_the_latest():
    ranked = [
        rank(Reason.FAILED, 1, 20),
        rank(Reason.FAILED, 1, 10),
        rank(Reason.ASSERTION_FAILED, 1, 90),
        rank(Reason.ABORTED, 2, 90),
        rank(Reason.UNFINISHED, 0, 90),
        rank(Reason.SCHEMA_CHANGED, 1, 90),
        rank(Reason.NOT_REFRESHED, 1, 99),
    ]
    assert ranked == sorted(ranked)


@pytest.mark.parametrize(
    ("written", "moment", "longest"),
    [
        ([0, 1, 2, 3], 5, 1),
        ([3, 1, 2, 0], 5, 1),
        ([0, 1, 4, 5], 8, None),
        ([0, 1, 4, 5], 9, 3),
        ([0, 1, 2, 3, 7], 5, 1),
        ([0, 1, 2], 50, None),
        ([], 50, None),
    ],
)
def test_a_dataset_is_overdue_when_it_was_not_written_for_longer_than_ever(
    written: list[int], moment: int, longest: int | None
):
    assert overdue(written, moment) == longest


def test_a_schema_change_says_what_was_added_removed_and_retyped():
    before = [Column("a", "int"), Column("b", "text"), Column("c", None)]
    after = [Column("c", "date"), Column("a", "int"), Column("d", "int")]
    assert schema_change(before, after) == "added d int; removed b; retyped c no type to date"
    assert schema_change(before, reversed(before)) == ""


def test_pauses_are_told_in_days_hours_and_minutes():
    assert pause(49 * HOUR + HOUR // 2) == "2 d 1 h 30 min"
    assert pause(1) == "less than a minute"
