"""Circles of random graphs, against reachability tried out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalog.domain.loops import loops

NODES = range(8)
graphs = st.dictionaries(
    st.sampled_from(NODES), st.lists(st.sampled_from(NODES), unique=True, max_size=3), max_size=len(NODES)
)


def reached(arcs: dict[int, list[int]], start: int) -> set[int]:
    """What a node leads to in one arc or more."""
    seen: set[int] = set()
    waiting = list(arcs.get(start, ()))
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += arcs.get(node, ())
    return seen


@given(graphs)
def test_a_loop_is_all_that_leads_to_each_other_and_the_largest_comes_first(arcs: dict[int, list[int]]):
    leads = {node: reached(arcs, node) for node in NODES}
    round_about = [node for node in NODES if node in leads[node]]
    expected = {frozenset(n for n in round_about if n in leads[node] and node in leads[n]) for node in round_about}
    found = loops(arcs)
    assert set(found) == expected
    assert len(found) == len(expected)
    assert [(-len(nodes), min(nodes)) for nodes in found] == sorted((-len(nodes), min(nodes)) for nodes in found)


def test_a_loop_longer_than_the_stack_is_found():
    length = 50_000
    assert loops({n: [(n + 1) % length] for n in range(length)}) == [frozenset(range(length))]
