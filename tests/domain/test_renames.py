from __future__ import annotations

from itertools import permutations

import pytest

from catalog.domain.renames import Renamed, Wrote, in_turn, standing, used_again

OLD, NEW, OTHER, LATER = 1, 2, 3, 4
JOB = 77


def wrote(at: int, name: int) -> Wrote:
    return Wrote(at, JOB, name)


def renamed(at: int, old: int, new: int, by: int = 0) -> Renamed:
    return Renamed(at, by or at, new, old)


def test_a_name_nobody_wrote_under_again_is_in_no_doubt():
    assert used_again([renamed(5, OLD, NEW)], [wrote(4, OLD), wrote(5, OLD), wrote(9, NEW)]) == []


def test_the_first_write_under_the_former_name_is_told():
    first = renamed(5, OLD, NEW)
    assert used_again([first], [wrote(9, OLD), wrote(7, OLD), wrote(2, OLD)]) == [(first, wrote(7, OLD))]


def test_of_renames_between_the_same_names_the_first_in_doubt_is_told():
    every_night = [renamed(5, OLD, NEW), renamed(10, OLD, NEW), renamed(15, OLD, NEW)]
    assert used_again(every_night, [wrote(7, OLD), wrote(12, OLD)]) == [(every_night[0], wrote(7, OLD))]


def test_a_dataset_that_got_its_name_back_over_others_may_write_under_it():
    there_and_back = [renamed(5, OLD, NEW), renamed(6, NEW, LATER), renamed(8, LATER, OLD)]
    assert used_again(there_and_back, [wrote(9, OLD)]) == []
    assert used_again(there_and_back, [wrote(7, OLD)]) == [(there_and_back[0], wrote(7, OLD))]


def test_who_gives_the_name_back_may_say_so_before_it_is_done():
    there_and_back = [renamed(5, OLD, NEW), renamed(8, NEW, OLD, by=JOB)]
    assert used_again(there_and_back, [wrote(7, OLD)]) == []


def test_the_name_is_used_again_when_another_dataset_is_given_it():
    swap = [renamed(5, OLD, NEW), renamed(8, OTHER, OLD, by=JOB)]
    assert used_again(swap, [wrote(7, OLD)]) == [(swap[0], wrote(8, OLD))]


TABLE, BACKUP, STAGING = 1, 2, 3
AT_ONCE = [renamed(5, TABLE, BACKUP, by=JOB), renamed(5, STAGING, TABLE, by=JOB)]
IN_TWO_STEPS = [renamed(5, TABLE, BACKUP, by=JOB), renamed(6, STAGING, TABLE, by=JOB)]


def first_to_last(renames: list[Renamed]) -> list[int]:
    """The names as they stand, the one that is shown first."""
    found = standing(renames)
    return sorted(found, key=found.__getitem__)


@pytest.mark.parametrize("swap", [AT_ONCE, AT_ONCE[::-1], IN_TWO_STEPS])
def test_after_a_swap_the_new_table_has_the_name_however_it_is_told(swap: list[Renamed]) -> None:
    assert first_to_last(swap) == [TABLE, BACKUP, STAGING]


def test_logs_that_are_rotated_at_one_moment_make_room_for_each_other() -> None:
    rotated = [renamed(5, name, name + 1) for name in (1, 2, 3)]
    for told in permutations(rotated):
        assert [rename.dataset_id for _, rename in in_turn(told)] == [4, 3, 2]
        assert first_to_last(list(told)) == [2, 3, 4, 1]


def test_of_names_that_are_exchanged_none_comes_first() -> None:
    exchanged = standing([renamed(5, TABLE, BACKUP), renamed(5, BACKUP, TABLE)])
    assert exchanged[TABLE] == exchanged[BACKUP]
    round_about = standing([renamed(5, TABLE, OTHER), renamed(5, BACKUP, TABLE), renamed(5, OTHER, BACKUP)])
    assert len(set(round_about.values())) == 1


def test_a_name_that_comes_back_to_staging_is_used_again_however_the_swap_is_told() -> None:
    recycled = renamed(9, BACKUP, STAGING)
    for swap in (AT_ONCE, AT_ONCE[::-1], IN_TWO_STEPS):
        doubts = used_again([*swap, recycled], [])
        assert [(one.previous_id, write) for one, write in doubts] == [
            (TABLE, Wrote(swap[-1].at if swap is IN_TWO_STEPS else 5, JOB, TABLE)),
            (STAGING, Wrote(9, 9, STAGING)),
        ]
