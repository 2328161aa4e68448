"""Boxes stand apart in layers, and lines run from left to right, whatever the graph."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.pictures.layers import Line
from catalog.pictures.layout import Layout, Point, arranged

GRAPHS = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.lists(
            st.tuples(st.sampled_from([140.0, 200.0]), st.sampled_from([46.0, 90.0])), min_size=count, max_size=count
        ),
        st.lists(st.tuples(*[st.integers(0, count - 1)] * 2, *[st.sampled_from([12.0, 23.0, 34.0])] * 2), max_size=25),
    )
)


def laid_out(sizes: list[tuple[float, float]], edges: list[tuple[int, int, float, float]]) -> tuple[list[Line], Layout]:
    lines = [Line(source, leaves, target, enters) for source, target, leaves, enters in edges]
    return lines, arranged(sizes, lines)


def rectangles(layout: Layout, sizes: list[tuple[float, float]]) -> list[tuple[float, float, float, float]]:
    return [
        (x, y, x + width, y + height)
        for (x, y), width, (_, height) in zip(layout.corners, layout.widths, sizes, strict=True)
    ]


def on(curve: list[Point], along: float) -> Point:
    left = 1 - along
    weights = (left**3, 3 * left**2 * along, 3 * left * along**2, along**3)
    return (
        sum(weight * x for weight, (x, _) in zip(weights, curve, strict=True)),
        sum(weight * y for weight, (_, y) in zip(weights, curve, strict=True)),
    )


@given(GRAPHS)
def test_no_box_overlaps_another_and_all_are_within_the_drawing(graph):
    sizes, _ = graph
    _, layout = laid_out(*graph)
    boxes = rectangles(layout, sizes)
    for (left, top, right, bottom), (other_left, other_top, other_right, other_bottom) in combinations(boxes, 2):
        assert right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top
    for left, top, right, bottom in boxes:
        assert -0.01 <= left < right <= layout.width
        assert -0.01 <= top < bottom <= layout.height + 0.01


@given(GRAPHS)
def test_lines_of_a_graph_without_cycles_run_from_left_to_right_from_their_row_to_their_row(graph):
    sizes, edges = graph
    lines, layout = laid_out(sizes, [(*sorted(edge[:2]), *edge[2:]) for edge in edges if edge[0] != edge[1]])
    boxes = rectangles(layout, sizes)
    for line, path in zip(lines, layout.paths, strict=True):
        assert boxes[line.source][2] < boxes[line.target][0]
        assert len(path) % 3 == 1
        assert [x for x, _ in path] == sorted(x for x, _ in path)
        assert path[0] == pytest.approx((boxes[line.source][2], boxes[line.source][1] + line.leaves))
        assert path[-1] == pytest.approx((boxes[line.target][0], boxes[line.target][1] + line.enters))


@given(GRAPHS)
def test_no_line_runs_through_a_box(graph):
    sizes, edges = graph
    _, layout = laid_out(sizes, [edge for edge in edges if edge[0] != edge[1]])
    boxes = rectangles(layout, sizes)
    for path in layout.paths:
        for begin in range(0, len(path) - 1, 3):
            for step in range(1, 10):
                x, y = on(path[begin : begin + 4], step / 10)
                inside = [(left, right) for left, top, right, bottom in boxes if top + 0.01 < y < bottom - 0.01]
                assert not any(left < x < right for left, right in inside)


@given(GRAPHS)
def test_of_a_cycle_at_least_one_line_runs_back_and_every_line_touches_both_its_boxes(graph):
    sizes, edges = graph
    lines, layout = laid_out(sizes, [*edges, (0, 0, 12.0, 12.0)])
    boxes = rectangles(layout, sizes)
    for line, path in zip(lines, layout.paths, strict=True):
        for (x, y), box in ((path[0], boxes[line.source]), (path[-1], boxes[line.target])):
            assert x in (box[0], box[2])
            assert box[1] - 0.01 <= y <= box[3] + 0.01


@given(GRAPHS)
def test_the_same_graph_has_the_same_layout(graph):
    assert laid_out(*graph) == laid_out(*graph)


def test_what_crosses_only_by_the_order_given_does_not_cross():
    sizes = [(140.0, 46.0)] * 8
    _, layout = laid_out(sizes, [(0, 7, 23.0, 23.0), (1, 6, 23.0, 23.0), (2, 5, 23.0, 23.0), (3, 4, 23.0, 23.0)])
    heights = [y for _, y in layout.corners]
    assert [heights[number] for number in (7, 6, 5, 4)] == heights[:4]


def test_a_row_is_reached_at_its_height_so_that_lines_between_sorted_rows_run_level():
    _, layout = laid_out([(140.0, 200.0)] * 2, [(0, 1, height, height) for height in (57.0, 79.0, 101.0)])
    assert all(len({round(y, 6) for _, y in path}) == 1 for path in layout.paths)


def test_a_long_line_bends_around_what_stands_between():
    chain = [(box, box + 1, 23.0, 23.0) for box in range(5)]
    _, layout = laid_out([(140.0, 46.0)] * 6, [*chain, (0, 5, 23.0, 23.0)])
    assert len(layout.paths[-1]) == 1 + 3 * 9
    assert layout.width == max(x for x, _ in layout.paths[-1]) + 140.0


def test_a_drawing_of_nothing_is_empty():
    assert arranged([], []) == Layout([], [], [], 0.0, 0.0)
