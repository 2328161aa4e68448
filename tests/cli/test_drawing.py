"""Pictures say what the answer says, whatever the names are made of."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.cli import drawing
from catalog.domain.changes import Transformation
from catalog.domain.lineage import Lineage, LineageEdge, LineageNode
from catalog.domain.timeline import BEGINNING
from catalog.domain.words import Derivation, Direction, EntityKind

NASTY = [
    '"',
    "\\",
    '"];}//',
    "<b>x</b>",
    "`x`",
    "a\nb",
    "end",
    "#35;",
    "%%{init}%%",
    "]-->x",
    "\x1b[2J",
    "\u202e",
    "",
    " ",
]


def node(id: int, name: str = "", depth: int = 0, kind: EntityKind = EntityKind.DATASET) -> LineageNode:
    return LineageNode(id, kind, "ns", name or f"d{id}", depth)


def edge(source: int, target: int, job: int | None = None, derivation: Derivation = Derivation.EXPLICIT) -> LineageEdge:
    return LineageEdge(source, target, derivation, job, 0, 1_000_000)


def answer(nodes: list[LineageNode], edges: list[LineageEdge], cut: str | None = None) -> Lineage:
    return Lineage(tuple(nodes), tuple(edges), cut is not None, cut, 1)


def tree_text(lineage: Lineage, direction: Direction = Direction.BOTH) -> str:
    return "\n".join(drawing.indented(branch) for branch in drawing.tree(lineage, {7: ("ns", "a job")}, direction))


CHAIN = answer(
    [node(1, depth=-2), node(2, depth=-1), node(3), node(4, depth=1)], [edge(1, 2, 7), edge(2, 3), edge(3, 4, 7)]
)


def test_a_tree_has_what_is_upstream_and_what_is_downstream_with_the_job_between() -> None:
    assert tree_text(CHAIN) == (
        "dataset ns d3\n"
        "  upstream\n"
        "    dataset ns d2  # explicit\n"
        "      dataset ns d1  # explicit via job ns 'a job'\n"
        "  downstream\n"
        "    dataset ns d4  # explicit via job ns 'a job'"
    )


def test_a_tree_of_one_direction_has_no_other_part() -> None:
    assert "downstream" not in tree_text(CHAIN, Direction.UPSTREAM)
    assert "upstream" not in tree_text(CHAIN, Direction.DOWNSTREAM)


def test_a_cycle_ends_and_says_so() -> None:
    text = tree_text(answer([node(1), node(2, depth=-1)], [edge(1, 2), edge(2, 1)]))
    assert text.count("dataset ns d2") == 2
    assert text.count(drawing.ABOVE) == 2


def test_what_is_reached_in_two_ways_hangs_once_where_it_is_nearest() -> None:
    diamond = answer(
        [node(1), node(2, depth=-1), node(3, depth=-1), node(4, depth=-1)],
        [edge(2, 1), edge(3, 1), edge(4, 1), edge(4, 3), edge(3, 2)],
    )
    lines = tree_text(diamond, Direction.UPSTREAM).splitlines()
    assert [line for line in lines if drawing.ABOVE not in line][2:] == [
        f"    dataset ns d{number}  # explicit" for number in (2, 3, 4)
    ]


def test_two_edges_between_the_same_nodes_are_one_line() -> None:
    text = tree_text(answer([node(1), node(2, depth=-1)], [edge(2, 1, 7), edge(2, 1, None, Derivation.DECLARED)]))
    assert "dataset ns d2  # declared, explicit via job ns 'a job'" in text
    assert len(text.splitlines()) == 4


def test_a_deep_tree_needs_no_deep_stack() -> None:
    many = range(5_000)
    deep = answer([node(id, depth=id) for id in many], [edge(id, id + 1) for id in many[:-1]])
    assert len(tree_text(deep, Direction.DOWNSTREAM).splitlines()) == 5_001


def test_json_has_the_whole_answer_and_no_time_where_there_is_none() -> None:
    how = (Transformation("DIRECT", "MASK", "", masking=True),)
    seen = LineageEdge(1, 2, Derivation.COLUMN, 7, BEGINNING, 1_000_000, None, how)
    found = drawing.as_json(answer([node(1), node(2)], [seen], "maxNodes"), {7: ("ns", "etl")}, 5_000_000, None)
    assert found["edges"] == [
        {
            "source": "1", "target": "2", "job": {"namespace": "ns", "name": "etl"}, "derivation": "COLUMN",
            "masked": True, "firstSeen": None, "lastSeen": "1970-01-01T00:00:01Z",
            "transformations": [{"type": "DIRECT", "subtype": "MASK", "description": "", "masking": True}],
        }
    ]  # fmt: skip
    assert (found["truncated"], found["truncatedBy"], found["asOf"]) == (True, "maxNodes", "1970-01-01T00:00:05Z")


DOT_NODE = re.compile(r'  n\d+ \[label="((?:[^"\\\n]|\\["\\n])*)", shape=\w+(?:, penwidth=2)?\];')
DOT_EDGE = re.compile(r'  n\d+ -> n\d+ \[label="((?:[^"\\\n]|\\["\\n])*)", style=\w+\];')
MERMAID_NODE = re.compile(r'  n\d+(?:\[|\[\[|\(\[)"((?:[\w ._-]|#\d+;|<br/>)*)"(?:\]|\]\]|\]\))')
MERMAID_EDGE = re.compile(r'  n\d+ (?:-->|-\.->)(?:\|"((?:[\w ._-]|#\d+;|<br/>)*)"\|)? n\d+')

names = st.sampled_from(NASTY) | st.text()


@given(name=names, job=names, kind=st.sampled_from(EntityKind), derivation=st.sampled_from(Derivation))
def test_no_name_changes_what_dot_and_mermaid_mean(
    name: str, job: str, kind: EntityKind, derivation: Derivation
) -> None:
    found = answer([LineageNode(1, kind, name, name, 0), node(2, name, 1)], [edge(1, 2, 7, derivation)])
    jobs = {7: (job, job)}
    start, direction, *dot, end = drawing.as_dot(found, jobs).split("\n")
    assert (start, direction, end) == ("digraph lineage {", "  rankdir=LR;", "}")
    assert [bool(form.fullmatch(line)) for form, line in zip((DOT_NODE, DOT_NODE, DOT_EDGE), dot, strict=True)] == [
        True
    ] * 3
    start, *mermaid = drawing.as_mermaid(found, jobs).split("\n")
    assert start == "flowchart LR"
    forms = (MERMAID_NODE, MERMAID_NODE, MERMAID_EDGE)
    assert [bool(form.fullmatch(line)) for form, line in zip(forms, mermaid, strict=True)] == [True] * 3


@given(name=names.filter(str.isprintable), space=names.filter(str.isprintable))
def test_a_line_of_the_tree_can_be_pasted_into_a_shell(name: str, space: str) -> None:
    found = LineageNode(1, EntityKind.COLUMN, space, name, 0, column=name)
    assert shlex.split(drawing.named(found)) == ["column", space, name, "--column", name]


@given(name=names, job=names)
def test_nothing_a_terminal_obeys_is_in_a_tree(name: str, job: str) -> None:
    found = answer([node(1, name), node(2, name, -1)], [edge(2, 1, 7)])
    text = "".join(drawing.indented(branch) for branch in drawing.tree(found, {7: (job, job)}, Direction.BOTH))
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("draw", [drawing.as_dot, drawing.as_mermaid])
def test_a_picture_that_was_cut_says_so(draw: object) -> None:
    assert callable(draw)
    assert "maxNodes" in draw(answer([node(1)], [], "maxNodes"), {})
