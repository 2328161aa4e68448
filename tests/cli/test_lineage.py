"""`catalog lineage` asks the store what was asked of it, and prints the answer in every format."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import Any

import pytest

from builders import micros, ran
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database

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
    for format in ("tree", "json", "dot", "mermaid", "svg"):
        said = ask("dataset", "shop", "clean", "--max-nodes", "2", "--format", format)
        assert "maxNodes" in said.out
        assert "not whole" in said.err


def test_pictures_have_every_node_and_edge(ask: Any) -> None:
    dot = ask("dataset", "shop", "clean", "--format", "dot").out
    assert (dot.count("shape="), dot.count(" -> ")) == (4, 3)
    mermaid = ask("dataset", "shop", "clean", "--format", "mermaid").out
    assert (mermaid.count('["'), mermaid.count("-.->")) == (4, 3)
    svg = ask("dataset", "shop", "clean", "--format", "svg").out
    assert (svg.count(" data-node="), svg.count(" data-edge=")) == (4, 3)


def test_a_picture_names_the_jobs_the_moment_and_how_much_is_not_shown(ask: Any) -> None:
    past = ask("dataset", "shop", "clean", "--depth", "1", "--as-of", "2026-01-01T01:00:00Z", "--format", "svg").out
    assert "3 datasets, 2 edges, as of 2026-01-01 01:00:00 UTC" in past
    assert "by job etl in shop" in past
    assert "1 more upstream that are not shown" in past


@pytest.mark.parametrize("format", ["tree", "json", "dot", "mermaid", "svg"])
def test_out_writes_to_a_file_what_would_be_printed(ask: Any, tmp_path: Any, format: str) -> None:
    asked = ("dataset", "shop", "clean", "--max-nodes", "3", "--format", format)
    said = ask(*asked, "--out", tmp_path / "answer")
    assert said.out == ""
    assert "not whole" in said.err
    assert (tmp_path / "answer").read_text(encoding="utf-8") == ask(*asked).out


def test_a_file_that_cannot_be_written_is_an_error(ask: Any, tmp_path: Any) -> None:
    said = ask("dataset", "shop", "clean", "--out", tmp_path / "no folder" / "answer", code=1)
    assert said.err.endswith("cannot be written: No such file or directory.\n")


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


def test_what_was_known_on_an_earlier_day_is_asked_for(run: Any, database_url: str) -> None:
    """The example of `docs/explanation/time.md`: a correction that came two days late; Monday is day 10."""
    days = [(10, "features_v1", 10 * 1440 - 120), (12, "features_v2", 10 * 1440 - 60)]
    with closing(Database(database_url)) as database:
        for day, source, at in days:
            told = Received(ran("score", at).reading(source).writing("scores").event("COMPLETE", at), "test")
            Ingest(database, clock=partial(micros, day * 1440)).accept([told])

    def upstream(*when: str, code: int = 0, format: str = "json") -> Any:
        asked = ("lineage", "dataset", "shop", "scores", "--format", format)
        return run(*asked, *when, "--database", database_url, code=code)

    monday, tuesday = ("2026-01-11T00:00:00Z", "2026-01-12T00:00:00Z")
    assert nodes(upstream("--as-of", monday)) == {"scores", "features_v2"}
    assert nodes(upstream("--as-of", monday, "--recorded-as-of", tuesday)) == {"scores", "features_v1"}
    known = upstream("--recorded-as-of", tuesday)
    assert nodes(known) == {"scores", "features_v1"}
    assert (known.json["asOf"], known.json["recordedAsOf"]) == (None, "2026-01-12T00:00:00Z")
    picture = upstream("--as-of", monday, "--recorded-as-of", tuesday, format="svg").out
    assert "1 edge, as of 2026-01-11, as recorded by 2026-01-12.</desc>" in picture
    assert "nobody knew of it then" in upstream("--recorded-as-of", "2026-01-01T00:00:00Z", code=1).err
    assert "in the future" in upstream("--recorded-as-of", "9999-01-01T00:00:00Z", code=1).err
    assert "--recorded-as-of" in upstream("--recorded-as-of", "Tuesday", code=2).err
