"""A picture shows the answer: every node and edge once, as data and never as markup."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.domain.changes import Transformation
from catalog.domain.lineage import Lineage, LineageEdge, LineageNode
from catalog.domain.names import visible
from catalog.domain.timeline import ALWAYS, Window
from catalog.domain.words import Derivation, EntityKind
from catalog.pictures import svg
from catalog.pictures.plan import MOST_EDGES, MOST_NODES

SVG = "{http://www.w3.org/2000/svg}"
MASK = Transformation("DIRECT", "MASK", "sha256(email)", masking=True)
JOIN = Transformation("INDIRECT", "JOIN")
SAME = Transformation("DIRECT", "IDENTITY")
NASTY = [
    "<script>alert(1)</script>",
    "]]>",
    "&lt;&#x3c;",
    "\"'><image href=x>",
    "</title></svg>",
    "a\nb\x00\x1b[2J",
    "\u202egpj.exe",
    "url(http://evil.example)",
    "",
    " ",
    "客户",
    "x" * 1_000_000,
]


def dataset(id: int, name: str = "", depth: int = 1, kind: EntityKind = EntityKind.DATASET) -> LineageNode:
    return LineageNode(id=id, kind=kind, namespace="ns", name=name or f"d{id}", depth=depth)


def column(id: int, of: int, name: str, depth: int = 1) -> LineageNode:
    return LineageNode(
        id=id, kind=EntityKind.COLUMN, namespace="ns", name=f"d{of}", depth=depth, column=name, dataset_id=of
    )


def edge(
    source: int, target: int, *how: Transformation, by: Derivation = Derivation.COLUMN, job: int | None = None
) -> LineageEdge:
    return LineageEdge(
        source=source, target=target, derivation=by, job_id=job, first_seen=0, last_seen=1, transformations=how
    )


def answer(nodes: list[LineageNode], edges: list[LineageEdge], cut: str | None = None) -> Lineage:
    return Lineage(tuple(nodes), tuple(edges), cut is not None, cut, 1)


def drawn(lineage: Lineage, jobs: dict[int, tuple[str, str]] | None = None, window: Window | None = None) -> Element:
    text = svg(lineage, jobs or {}) if window is None else svg(lineage, jobs or {}, window)
    return ET.fromstring(text)  # noqa: S314 - what is tested


def classed(picture: Element, name: str) -> list[Element]:
    return [found for found in picture.iter() if name in found.get("class", "").split()]


def title(element: Element) -> str:
    return element.findtext(f"{SVG}title") or ""


def words(element: Element) -> str:
    return "\n".join(text.strip() for text in element.itertext() if text.strip())


def lines(picture: Element) -> list[Element]:
    """The edges in the order of the answer; those of the legend have no place."""
    found = [line for line in classed(picture, "edge") if line.get("data-edge")]
    return sorted(found, key=lambda line: int(line.get("data-edge", "")))


def counted(picture: Element, name: str) -> Counter[int]:
    return Counter(int(found.get(name, "")) for found in picture.iter() if found.get(name) is not None)


TABLES = answer(
    [
        dataset(1, depth=-1),
        *(column(10 + number, 1, name, -1) for number, name in enumerate(["id", "email", "country"])),
        *(column(20 + number, 2, name, 0) for number, name in enumerate(["email", "country"])),
        dataset(3, "load", 1, EntityKind.JOB),
    ],
    [
        edge(11, 20, MASK, job=7),
        edge(12, 21, SAME, job=7),
        edge(10, 21, JOIN, by=Derivation.EXPLICIT),
        edge(1, 20, by=Derivation.IMPLICIT),
        edge(20, 3, by=Derivation.DECLARED),
    ],
)


@st.composite
def answers(draw: st.DrawFn) -> Lineage:
    names = st.one_of(st.sampled_from(NASTY[:-1]), st.text(max_size=20))
    kinds = st.sampled_from([EntityKind.DATASET, EntityKind.JOB, EntityKind.RUN, EntityKind.MODEL])
    tops = [
        LineageNode(id=id, kind=draw(kinds), namespace=draw(names), name=draw(names), depth=draw(st.integers(-2, 2)))
        for id in range(draw(st.integers(1, 6)))
    ]
    columns = [
        LineageNode(
            id=100 + number, kind=EntityKind.COLUMN, namespace="ns", name=draw(names), depth=0,
            column=draw(names), dataset_id=draw(st.integers(50, 52)),
        )
        for number in range(draw(st.integers(0, 6)))
    ]  # fmt: skip
    ids = st.sampled_from([node.id for node in [*tops, *columns]])
    edges = draw(
        st.lists(
            st.builds(
                edge, ids, ids, st.sampled_from([MASK, JOIN, SAME]), by=st.sampled_from(Derivation), job=st.just(7)
            ),
            max_size=12,
        )
    )
    return answer([*tops, *columns], edges, draw(st.sampled_from([None, "maxNodes"])))


@given(answers(), st.sampled_from(NASTY[:-1]))
def test_every_node_and_edge_of_any_answer_is_in_the_picture_once_and_tells_its_whole_name(lineage: Lineage, job: str):
    picture = drawn(lineage, {7: (job, job)})
    assert counted(picture, "data-node") == Counter(range(len(lineage.nodes)))
    assert counted(picture, "data-edge") == Counter(range(len(lineage.edges)))
    for node in classed(picture, "node"):
        asked = lineage.nodes[int(node.get("data-node", ""))]
        for name in (asked.name, asked.namespace, asked.column):
            assert name is None or visible(name) in title(node)
    for line, asked in zip(lines(picture), lineage.edges, strict=True):
        ends = [lineage.nodes[int(line.get(f"data-{end}", ""))].id for end in ("source", "target")]
        assert ends == [asked.source, asked.target]
        assert visible(job) in title(line)


@given(answers())
def test_the_same_answer_has_the_same_bytes(lineage: Lineage):
    assert svg(lineage, {7: ("a", "b")}) == svg(lineage, {7: ("a", "b")})


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_no_name_becomes_markup_a_script_or_a_link(name: str):
    hostile = answer(
        [
            LineageNode(id=1, kind=EntityKind.DATASET, namespace=name, name=name, depth=0),
            LineageNode(id=2, kind=EntityKind.COLUMN, namespace=name, name=name, depth=1, column=name, dataset_id=3),
        ],
        [edge(1, 2, Transformation(name, name, name, masking=True), job=7)],
        cut=name,
    )
    text = svg(hostile, {7: (name, name)})
    assert len(text) < 20_000
    picture = ET.fromstring(text)  # noqa: S314 - what is tested
    assert {element.tag.removeprefix(SVG) for element in picture.iter()} <= {
        "svg", "title", "desc", "style", "g", "rect", "path", "circle", "text",
    }  # fmt: skip
    for element in picture.iter():
        assert not [key for key in element.attrib if "href" in key or key.startswith("on") or key in ("id", "style")]
        assert not [value for value in element.attrib.values() if "url" in value or "javascript" in value]
    style = picture.findtext(f"{SVG}style") or ""
    assert not re.search(r"url|@import|expression|<|&", style)


def test_columns_are_rows_in_the_box_of_their_dataset_which_has_the_whole_of_it_for_its_head():
    boxes = {
        tuple(int(node.get("data-node", "")) for node in box.iter() if node.get("data-node"))
        for box in classed(drawn(TABLES), "box")
    }
    assert {frozenset(box) for box in boxes if box} == {frozenset({0, 1, 2, 3}), frozenset({4, 5}), frozenset({6})}
    assert all(box[0] == 0 for box in boxes if 0 in box)


def test_an_edge_says_how_it_is_known_whether_it_is_indirect_and_whether_it_is_masked():
    edges = lines(drawn(TABLES))
    assert [line.get("class") for line in edges] == [
        "edge column masked", "edge column", "edge explicit indirect", "edge implicit", "edge declared",
    ]  # fmt: skip
    assert [len(classed(line, "lock")) for line in edges] == [1, 0, 0, 0, 0]
    assert len({line.find(f"{SVG}path[@class='head']").get("d") for line in edges}) == 4


def test_a_tooltip_tells_the_job_and_the_transformations():
    first, *_ = lines(drawn(TABLES, {7: ("airflow", "mask.users")}))
    assert title(first).split("\n") == [
        "d1 · email → d2 · email",
        "by job mask.users in airflow",
        "column, masked",
        "DIRECT MASK masking: sha256(email)",
    ]


@pytest.mark.parametrize("name", ["export_to_crm", "lending.staging.orders", "a" * 30])
def test_a_name_that_a_box_can_be_wide_enough_for_is_not_shortened(name: str):
    picture = drawn(answer([dataset(1, name)], []))
    assert [words(label) for label in classed(picture, "name")] == [name]


def test_a_masked_edge_is_drawn_over_the_others():
    drawn_last = [line for line in classed(drawn(TABLES), "edge") if line.get("data-edge")][-1]
    assert "masked" in drawn_last.get("class", "")


def test_a_box_names_who_writes_it_but_not_what_is_drawn_itself():
    jobs = {7: ("airflow", "mask.users"), 3: ("airflow", "load")}
    by_itself = answer([dataset(1), dataset(3, "load", 1, EntityKind.JOB)], [edge(1, 3, job=3)])
    assert [words(box) for box in classed(drawn(TABLES, jobs), "by")] == [
        "written by\nmask.users in airflow\nmask.users"
    ]
    assert not classed(drawn(by_itself, jobs), "by")


def test_what_was_asked_about_is_marked_box_or_row():
    picture = drawn(TABLES)
    roots = classed(picture, "root")
    assert {int(row.get("data-node", "")) for row in classed(picture, "row") if row in roots} == {4, 5}
    one = answer([dataset(1, depth=0), column(2, 1, "a", 0), column(3, 1, "b", 0)], [])
    (box, in_the_legend) = classed(drawn(one), "root")
    assert "box" in box.get("class", "")
    assert not in_the_legend.get("data-node")
    assert title(drawn(one)) == "Lineage of d1"


def test_a_column_that_was_asked_about_is_marked_alone_though_what_reaches_its_dataset_reaches_it():
    picture = drawn(answer([dataset(1, depth=0), column(2, 1, "a", 0), column(3, 1, "b", 1)], []))
    assert [node.get("data-node") for node in classed(picture, "root")] == ["1", None]
    assert title(picture) == "Lineage of d1 · a"


def test_the_legend_explains_what_the_picture_has_and_nothing_else():
    (legend,) = classed(drawn(TABLES), "legend")
    assert words(legend).split("\n") == [
        "dataset", "job", "asked about", "explicit", "from column lineage", "implicit: in and out of one run",
        "declared", "indirect: filter, join, sort …", "masked",
    ]  # fmt: skip
    (short,) = classed(drawn(answer([dataset(1)], [])), "legend")
    assert words(short) == "dataset"


def test_it_is_read_out_as_a_document_with_a_title_a_summary_and_lists():
    picture = drawn(TABLES, window=Window(1_767_225_600_000_000, 1_767_225_600_000_000))
    assert picture.get("role") == "graphics-document document"
    assert title(picture) == "Lineage of d2 · country and 1 more"
    assert (
        picture.findtext(f"{SVG}desc") == "2 datasets, 5 columns, 1 job, 5 edges, 1 of them masked, as of 2026-01-01."
    )
    lists = [part for part in picture.iter() if part.get("role") == "list"]
    assert [part.get("aria-label") for part in lists] == ["Edges", "Nodes"]
    assert [sum(item.get("role") == "listitem" for item in part.iter()) for part in lists] == [5, 7]


def test_a_range_of_time_is_said():
    one = answer([dataset(1)], [])
    assert "1 dataset, from 1970-01-01 until 1970-01-02 00:00:01 UTC" in svg(one, {}, Window(0, 86_401_000_000))
    assert "1 dataset, at any time" in svg(one, {}, ALWAYS)


def test_when_the_answer_was_known_is_read_out():
    one, day = answer([dataset(1)], []), 86_400_000_000
    assert "<desc>1 dataset, as recorded by 1970-01-02.</desc>" in svg(one, {}, recorded=day)
    both = svg(one, {}, Window(0, 0), recorded=day + 1_000_000)
    assert "<desc>1 dataset, as of 1970-01-01, as recorded by 1970-01-02 00:00:01 UTC.</desc>" in both


def test_an_answer_that_was_cut_says_so_in_the_picture_and_when_read_out():
    picture = drawn(answer([dataset(1)], [], cut="maxNodes"))
    said = "The answer is not whole: it was cut by maxNodes."
    assert [words(note) for note in classed(picture, "note")] == [said]
    assert said in (picture.findtext(f"{SVG}desc") or "")
    assert not classed(drawn(answer([dataset(1)], [])), "note")


def test_neighbours_that_are_not_shown_are_counted():
    node = LineageNode(
        id=1, kind=EntityKind.DATASET, namespace="ns", name="a", depth=0, hidden_upstream=3, hidden_downstream=12
    )
    box, *_ = classed(drawn(answer([node], [])), "box")
    assert [words(badge) for badge in classed(box, "more")] == ["+3", "+12"]
    assert "12 more downstream that are not shown" in title(classed(box, "node")[0])


def test_several_edges_between_the_same_nodes_run_side_by_side():
    picture = drawn(answer([dataset(1), dataset(2)], [edge(1, 2), edge(1, 2), edge(1, 2)]))
    assert len({line.get("d") for line in classed(picture, "line")} - {"M0 0H31"}) == 3


def big(nodes: int, edges: int) -> Lineage:
    """A graph in which things have a few sources each among those shortly before them."""
    chance = random.Random(7)
    made = [dataset(id, f"schema.table_{id}", id - nodes // 2) for id in range(nodes)]
    near = ((max(0, target - chance.randint(1, 60)), target) for target in chance.choices(range(1, nodes), k=edges))
    return answer(made, [edge(*ends, MASK, job=7) for ends in near])


def test_five_hundred_nodes_are_drawn_in_well_under_a_second_and_a_megabyte_and_a_half():
    lineage = big(500, 800)
    svg(TABLES, {})
    began = time.process_time()
    text = svg(lineage, {7: ("airflow", "etl")})
    assert time.process_time() - began < 1.5  # 0.3 where nothing else runs
    assert len(text) < 1_500_000


def test_what_is_too_much_for_a_picture_is_left_out_and_said():
    chain = answer(
        [dataset(id, depth=id) for id in range(MOST_NODES + 5)], [edge(id, id + 1) for id in range(MOST_NODES + 4)]
    )
    picture = drawn(chain)
    assert sorted(counted(picture, "data-node")) == list(range(MOST_NODES))
    assert [words(note) for note in classed(picture, "note")] == [
        "The picture is not whole: 5 nodes and 5 edges of the answer did not fit."
    ]
    dense = drawn(answer([dataset(1), dataset(2)], [edge(1, 2)] * (MOST_EDGES + 1)))
    assert len(counted(dense, "data-edge")) == MOST_EDGES


def _contrasts() -> Iterator[tuple[str, str, str, float]]:
    light = {"text": "#17212f", "muted": "#566377", "by": "#8a5200"}
    dark = {"text": "#e6ebf3", "muted": "#9fadc0", "by": "#e9b768"}
    for name, inks, papers in (
        ("light", light, ["#ffffff", "#f3f8ff", "#f7f2ff", "#fff7ea", "#f1f4f8"]),
        ("dark", dark, ["#10151d", "#15233a", "#251a3d", "#2e2310", "#1d242f", "#111a29"]),
    ):
        yield from ((name, ink, paper, 4.5) for ink in inks.values() for paper in papers)
    for line in ("#2461b8", "#17212f", "#7b8798", "#00796b", "#c2185b"):
        yield "light", line, "#ffffff", 3.0
    for line in ("#7fb0f5", "#eef2f8", "#8a97aa", "#4fc3b3", "#ff7aa8"):
        yield "dark", line, "#10151d", 3.0


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(("scheme", "ink", "paper", "least"), [*_contrasts()])
def test_colours_are_told_apart_by_eyes_that_need_contrast(scheme: str, ink: str, paper: str, least: float):
    style, night = (drawn(TABLES).findtext(f"{SVG}style") or "").split("@media")
    used = style if scheme == "light" else night
    assert ink in used
    assert paper in used
    dim, bright = sorted([_luminance(ink), _luminance(paper)])
    assert (bright + 0.05) / (dim + 0.05) >= least
