from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from catalog.domain.changes import Column
from catalog.domain.schema_changes import Moved, Retyped, SchemaChanges, compare

WIDE = 3_000


def named(*names: str) -> list[Column]:
    return [Column(name, "int") for name in names]


def test_the_same_columns_have_no_changes():
    assert compare(named("a", "b"), named("a", "b")) == SchemaChanges()


def test_a_column_that_comes_and_one_that_goes_are_no_rename_and_move_no_other():
    changes = compare(named("a", "b", "c"), named("z", "b", "c"))
    assert changes == SchemaChanges(added=tuple(named("z")), removed=tuple(named("a")))


def test_a_column_with_another_type_says_both():
    before, after = [Column("a", "int"), Column("b")], [Column("a", "bigint"), Column("b", "text")]
    assert compare(before, after).retyped == (Retyped("a", "int", "bigint"), Retyped("b", None, "text"))


def test_one_column_that_is_put_before_all_others_is_all_that_moved():
    assert compare(named("a", "b", "c"), named("c", "a", "b")).moved == (Moved("c", 3, 1),)


def test_nested_columns_are_compared_by_path_and_move_among_those_beside_them():
    before = named("address", "address.city", "address.zip", "id")
    after = named("id", "address", "address.zip", "address.city", "address.zip.plus")
    changes = compare(before, after)
    assert [column.name for column in changes.added] == ["address.zip.plus"]
    assert {move.name.count(".") for move in changes.moved} == {0, 1}
    assert len(changes.moved) == 2


def test_ordinals_say_the_place_where_every_column_beside_has_one():
    before = [Column("a", ordinal=1), Column("b", ordinal=2)]
    assert compare(before, list(reversed(before))) == SchemaChanges()
    assert compare(before, [Column("a", ordinal=2), Column("b", ordinal=1)]).moved != ()
    assert compare(before, [Column("b"), Column("a", ordinal=1)]).moved != ()


def test_other_words_about_a_column_are_no_other_column():
    changes = compare([Column("a", description="old")], [Column("a", description="new")])
    assert changes == SchemaChanges(redescribed=("a",))


def test_thousands_of_columns_in_the_other_order_are_compared_in_no_time():
    names = [f"c{n}" for n in range(WIDE)]
    assert len(compare(named(*names), named(*reversed(names))).moved) == WIDE - 1


@given(st.permutations("abcdef"), st.permutations("abcdef"))
def test_no_fewer_columns_could_have_moved(before: list[str], after: list[str]):
    moved = {move.name for move in compare(named(*before), named(*after)).moved}

    def explains(gone: set[str]) -> bool:
        return [n for n in before if n not in gone] == [n for n in after if n not in gone]

    assert explains(moved)
    assert not any(explains(set(fewer)) for fewer in combinations("abcdef", max(len(moved) - 1, 0))) or not moved
