"""The shortest ways of small random graphs, against all ways there are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from catalog.domain.paths import Arc, Arcs, nodes_of, shortest

NODES = range(6)
graphs = st.dictionaries(
    st.sampled_from(NODES), st.lists(st.sampled_from(NODES), unique=True, max_size=4), max_size=len(NODES)
)
# Columns 0, 1 of the dataset 2; column 3 of the dataset 4.
KIN: Arcs = {0: [2], 1: [2], 2: [0, 1], 3: [4], 4: [3]}


def every_way(arcs: Arcs, start: int, goal: int, kin: Arcs) -> Iterator[tuple[Arc, ...]]:
    """All ways that come by no node twice, by trying everything."""
    begun, ended = {start, *kin.get(start, ())}, {goal, *kin.get(goal, ())}

    def on(way: tuple[Arc, ...], at: int) -> Iterator[tuple[Arc, ...]]:
        if way and at in ended:
            yield way
            return
        been = {node for arc in way for node in arc}
        for source in (at, *kin.get(at, ())):
            if way and source != at and source in been | begun:
                continue
            for target in arcs.get(source, ()):
                if target not in been | begun | {source}:
                    yield from on((*way, Arc(source, target)), target)

    if not begun & ended:
        yield from on((), start)


@given(graphs, st.sampled_from(NODES), st.sampled_from(NODES), st.integers(0, 8), st.sampled_from([{}, KIN]))
def test_the_ways_found_are_the_shortest_of_all_there_are(arcs: Arcs, start: int, goal: int, most: int, kin: Arcs):
    everything = sorted(every_way(arcs, start, goal, kin), key=len)
    found = shortest(arcs, start, goal, most, kin=kin)
    assert [len(way) for way in found.ways] == [len(way) for way in everything[:most]]
    assert set(found.ways) <= set(everything)
    assert len(set(found.ways)) == len(found.ways)
    assert found.more == (len(everything) > most)
    assert not found.cut


@given(graphs, st.sampled_from(NODES), st.sampled_from(NODES), st.sampled_from([{}, KIN]))
def test_a_way_comes_by_every_end_of_its_hops_and_by_none_twice(arcs: Arcs, start: int, goal: int, kin: Arcs):
    for way in shortest(arcs, start, goal, 100, kin=kin).ways:
        nodes = nodes_of(way, start, goal)
        assert (nodes[0], nodes[-1]) == (start, goal)
        assert len(set(nodes)) == len(nodes)
        for one, following in pairwise(nodes):
            assert (one, following) in way or following in kin[one]


def test_a_step_from_a_column_may_be_one_of_its_whole_dataset_and_the_other_way_round():
    column, whole, other = 1, 2, 0
    assert shortest({5: [column], whole: [3]}, 5, 4, 9, kin=KIN).ways == (((5, column), (whole, 3)),)
    assert shortest({5: [whole], column: [3]}, 5, 4, 9, kin=KIN).ways == (((5, whole), (column, 3)),)
    # What is in one column is not in another for being in the same dataset.
    assert shortest({5: [column], other: [3]}, 5, 4, 9, kin=KIN).ways == ()


def test_a_search_that_holds_too_much_in_hand_is_given_up_and_says_so():
    layers = 12
    arcs = {n * 3 + i: [(n + 1) * 3 + j for j in range(3)] for n in range(layers) for i in range(3)}
    found = shortest(arcs, 0, layers * 3, 10**9, max_steps=5_000)
    assert found.cut
    assert found.more


def test_a_long_chain_is_found_without_recursion():
    length = 900
    assert len(shortest({n: [n + 1] for n in range(length)}, 0, length, 1).ways[0]) == length
