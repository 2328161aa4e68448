"""`catalog lineage` asks the store what was asked of it, and prints the answer in every format."""

from __future__ import annotations

from typing import Any

import pytest

from builders import ran

EVENTS = [
    *ran("load", 0).reading("landing").writing("raw"),
    *ran("etl", 10).reading("raw", "codes").writing("clean"),
    *ran("etl", 100).reading("raw").writing("clean"),
    *ran("report", 110).reading("clean").writing(("bi", "board 7")),
]


@pytest.fixture
def ask(run: Any, database_url: str) -> Any:
    run("ingest", "-", "--database", database_url, given=b"\n".join(EVENTS))
    return lambda *arguments, **more: run("lineage", *arguments, "--database", database_url, **more)


def nodes(said: Any) -> set[str]:
    return {node["name"] for node in said.json["nodes"]}


def test_the_tree_has_both_directions(ask: Any) -> None:
    assert ask("dataset", "shop", "clean").out == (
        "dataset shop clean\n"
        "  upstream\n"
        "    dataset shop raw  # implicit via job shop etl\n"
        "      dataset shop landing  # implicit via job shop load\n"
        "  downstream\n"
        "    dataset bi 'board 7'  # implicit via job shop report\n"
    )


def test_depth_direction_and_moment_are_asked_for(ask: Any) -> None:
    assert nodes(ask("dataset", "shop", "clean", "--json", "--depth", "1")) == {"clean", "raw", "board 7"}
    assert nodes(ask("dataset", "shop", "clean", "--json", "--direction", "up")) == {"clean", "raw", "landing"}
    assert nodes(ask("dataset", "shop", "clean", "--json", "--direction", "down")) == {"clean", "board 7"}
    past = ask("dataset", "shop", "clean", "--json", "--as-of", "2026-01-01T01:00:00Z")
    assert nodes(past) == {"clean", "raw", "landing", "codes"}
    assert past.json["asOf"] == "2026-01-01T01:00:00Z"


def test_a_job_is_asked_about_among_jobs_and_datasets(ask: Any) -> None:
    said = ask("JOB", "shop", "etl", "--depth", "1", "--json")
    assert {(node["kind"], node["name"]) for node in said.json["nodes"]} == {
        ("JOB", "etl"), ("DATASET", "raw"), ("DATASET", "clean"),
    }  # fmt: skip
    assert {node["kind"] for node in ask("dataset", "shop", "raw", "--granularity", "job", "--json").json["nodes"]} == {
        "JOB", "DATASET",
    }  # fmt: skip


def test_an_answer_that_was_cut_says_so_in_every_format(ask: Any) -> None:
    for format in ("tree", "json", "dot", "mermaid"):
        said = ask("dataset", "shop", "clean", "--max-nodes", "2", "--format", format)
        assert "maxNodes" in said.out
        assert "not whole" in said.err


def test_pictures_have_every_node_and_edge(ask: Any) -> None:
    dot = ask("dataset", "shop", "clean", "--format", "dot").out
    assert (dot.count("shape="), dot.count(" -> ")) == (4, 3)
    mermaid = ask("dataset", "shop", "clean", "--format", "mermaid").out
    assert (mermaid.count('["'), mermaid.count("-.->")) == (4, 3)


def test_what_is_not_in_the_catalog_is_an_error(ask: Any) -> None:
    assert ask("dataset", "shop", "nothing", code=1).err.startswith("error: ")


@pytest.mark.parametrize(
    "wrong",
    [
        ("table", "shop", "clean"),
        ("dataset", "shop"),
        ("dataset", "shop", "clean", "--as-of", "yesterday"),
        ("dataset", "shop", "clean", "--direction", "sideways"),
        ("dataset", "shop", "clean", "--depth", "-1"),
        ("column", "shop", "clean"),
        ("job", "shop", "etl", "--column", "id"),
    ],
)
def test_what_cannot_be_asked_is_wrong_usage(ask: Any, wrong: tuple[str, ...]) -> None:
    assert "Usage: catalog lineage" in ask(*wrong, code=2).err.replace("root", "catalog")


def test_a_database_that_is_not_there_is_not_made(run: Any, tmp_path: Any) -> None:
    said = run("lineage", "dataset", "a", "b", "--database", "sqlite:///nowhere.db", code=1)
    assert said.err.startswith("error: There is no catalog in nowhere.db.\nfix: ")
    assert not (tmp_path / "nowhere.db").exists()
