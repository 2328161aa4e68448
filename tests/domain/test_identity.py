from __future__ import annotations

from catalog.domain.identity import Said, Withdrawn, withdrawn
from catalog.domain.projection import Stamp

TABLE, PATH, LINK = 1, 2, 3


def said(at: int, *names: int) -> Said:
    return Said(Stamp(at, 0), frozenset(names))


def unreadable(at: int) -> Said:
    return Said(Stamp(at, 0), None)


def test_what_is_still_said_is_in_no_doubt():
    assert withdrawn({TABLE: [said(1, PATH), said(2, PATH, LINK)]}) == []


def test_a_name_that_is_left_out_is_withdrawn_since_then():
    history = [said(1, PATH, LINK), said(2, LINK), said(3, LINK, 4)]
    assert withdrawn({TABLE: history}) == [Withdrawn(TABLE, PATH, Stamp(2, 0))]


def test_a_name_that_came_back_is_in_no_doubt_and_one_that_went_twice_is_since_the_last_time():
    assert withdrawn({TABLE: [said(1, PATH), said(2), said(3, PATH)]}) == []
    history = [said(1, PATH), said(2), said(3, PATH), said(4)]
    assert withdrawn({TABLE: history}) == [Withdrawn(TABLE, PATH, Stamp(4, 0))]


def test_what_nobody_can_read_withdraws_nothing():
    assert withdrawn({TABLE: [said(1, PATH), unreadable(2)]}) == []
    assert withdrawn({TABLE: [said(1, PATH), unreadable(2), said(3)]}) == [Withdrawn(TABLE, PATH, Stamp(3, 0))]


def test_a_name_that_says_so_itself_is_in_no_doubt():
    assert withdrawn({TABLE: [said(1, PATH), said(2)], PATH: [said(1, TABLE)]}) == []
    both = {TABLE: [said(1, PATH), said(2)], PATH: [said(1, TABLE), said(3)]}
    assert withdrawn(both) == [Withdrawn(TABLE, PATH, Stamp(2, 0)), Withdrawn(PATH, TABLE, Stamp(3, 0))]
