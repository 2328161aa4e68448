from __future__ import annotations

from catalog.domain.renames import Renamed, Wrote, used_again

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
