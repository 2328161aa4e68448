"""What changed between two answers: told so that the one can be made from the other."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from catalog.domain.changes import Transformation
from catalog.domain.differences import difference, differing
from catalog.domain.lineage import Lineage, LineageEdge, LineageNode
from catalog.domain.words import Derivation, EntityKind

ENDING = (False, None, 1)
HASHED = Transformation("DIRECT", "TRANSFORMATION", "sha256", masking=True)
COPIED = Transformation("DIRECT", "IDENTITY")


def node(id: int, depth: int = 0) -> LineageNode:
    return LineageNode(id, EntityKind.DATASET, "shop", f"d{id}", depth)


def edge(
    source: int, target: int, job: int | None = 1, how: Derivation = Derivation.IMPLICIT, *ways: Transformation
) -> LineageEdge:
    return LineageEdge(source, target, how, job, 0, 0, None, ways)


def answer(nodes: list[LineageNode], edges: list[LineageEdge]) -> Lineage:
    return Lineage(tuple(nodes), tuple(edges), *ENDING)


def seen(one: LineageEdge) -> tuple[object, ...]:
    return one.source, one.target, one.job_id, one.derivation, frozenset(one.transformations)


nodes = st.lists(st.builds(node, st.integers(0, 4), st.integers(-2, 2)), unique_by=lambda n: n.id)
edges = st.lists(
    st.builds(
        lambda source, target, job, how, ways: edge(source, target, job, how, *ways),
        st.integers(0, 1), st.integers(0, 1), st.sampled_from([None, 1, 2]), st.sampled_from(Derivation),
        st.lists(st.sampled_from([HASHED, COPIED]), unique=True),
    ),
    unique_by=seen,
)  # fmt: skip
answers = st.builds(answer, nodes, edges)


@given(answers, answers)
def test_taking_away_what_went_and_adding_what_came_makes_the_one_answer_the_other(before: Lineage, after: Lineage):
    found = difference(before, after)
    depths = {n.id: n.depth for n in before.nodes}
    depths = {id: depth for id, depth in depths.items() if id not in {n.id for n in found.nodes_removed}}
    depths |= {n.id: n.depth for n in found.nodes_added} | {new.id: new.depth for _, new in found.nodes_changed}
    assert depths == {n.id: n.depth for n in after.nodes}
    left = Counter(map(seen, before.edges))
    left.subtract(seen(e) for e in found.edges_removed)
    left.subtract(seen(change.before) for change in found.edges_changed)
    left.update(seen(e) for e in found.edges_added)
    left.update(seen(change.after) for change in found.edges_changed)
    assert +left == Counter(map(seen, after.edges))
    assert min(left.values(), default=0) >= 0


@given(answers, answers)
def test_a_changed_edge_has_the_same_ends_and_says_in_what_it_differs(before: Lineage, after: Lineage):
    found = difference(before, after)
    for change in found.edges_changed:
        assert (change.before.source, change.before.target) == (change.after.source, change.after.target)
        assert change.what == differing(change.before, change.after) != ()
    ends = {(e.source, e.target) for e in found.edges_removed} & {(e.source, e.target) for e in found.edges_added}
    assert ends == set()


@given(answers)
def test_an_answer_differs_in_nothing_from_itself_seen_later(same: Lineage):
    later = Lineage(same.nodes, tuple(replace(e, last_seen=9, last_run_id=7) for e in same.edges), *ENDING)
    found = difference(same, later)
    assert found == difference(later, same)
    assert not any(
        (found.nodes_added, found.nodes_removed, found.nodes_changed, found.edges_added, found.edges_changed)
    )


def test_an_edge_through_the_same_job_is_compared_with_that_one():
    before = answer([], [edge(1, 2, 1, Derivation.COLUMN, COPIED), edge(1, 2, 2)])
    after = answer([], [edge(1, 2, 3), edge(1, 2, 1, Derivation.COLUMN, HASHED)])
    changes = {(c.before.job_id, c.after.job_id): c.what for c in difference(before, after).edges_changed}
    assert changes == {(1, 1): ("transformations", "masked"), (2, 3): ("job",)}


def test_things_that_are_one_for_the_other_side_did_neither_come_nor_go():
    two = answer([node(1, 0), node(2, 1)], [edge(1, 3, 1), edge(2, 3, 1, Derivation.COLUMN)])
    one = answer([node(9, 0)], [edge(9, 3, 1)])
    joined = [(1, 9), (2, 9)]
    there, back = difference(two, one, joined), difference(one, two, joined)
    assert there.nodes_added == there.nodes_removed == there.edges_added == back.edges_removed == ()
    assert back.edges_added == there.edges_removed == (two.edges[1],)
    assert [(old.id, new.id) for old, new in there.nodes_changed] == [(1, 9), (2, 9)]
