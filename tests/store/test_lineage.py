"""Every answer says how complete it is, and costs a number of statements that does not depend on its width."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import pairwise

import pytest

from builders import facet, micros, named, ran
from catalog.domain.errors import UnknownEntity
from catalog.domain.ids import dataset_id
from catalog.domain.lineage import EntityRef, Lineage, Question
from catalog.domain.timeline import NOW, Window
from catalog.domain.words import Direction, EntityKind, Granularity
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database
from catalog.store.hops import Steps
from catalog.store.lineage import answer

ROOT = EntityRef(EntityKind.DATASET, "shop", "t0")


@pytest.fixture
def chain(database: Database) -> Database:
    """t0 -> t1 -> … -> t6, and t0 -> 30 leaves."""
    steps = [raw for n in range(6) for raw in ran(f"step{n}", at=n).reading(f"t{n}").writing(f"t{n + 1}")]
    leaves = list(ran("fan", at=20).reading("t0").writing(*(f"leaf{n:02}" for n in range(30))))
    Ingest(database).accept([Received(raw, "test") for raw in [*steps, *leaves]])
    return database


def ask(database: Database, **asked: object) -> Lineage:
    with database.read() as connection:
        return answer(connection, Question(**{"of": (ROOT,), **asked}))  # type: ignore[arg-type]


def names(found: Lineage, depth: int) -> list[str]:
    return [node.name for node in found.nodes if node.depth == depth]


def test_depth_counts_datasets_whatever_jobs_lie_between(chain: Database) -> None:
    found = ask(chain, depth=3, direction=Direction.DOWNSTREAM)

    assert names(found, 3) == ["t3"]
    assert found.depth_reached == 3
    assert not found.truncated


def test_at_job_granularity_a_dataset_to_a_job_is_one_hop(chain: Database) -> None:
    found = ask(chain, depth=3, direction=Direction.DOWNSTREAM, granularity=Granularity.JOB)

    assert names(found, 1) == ["fan", "step0"]
    assert names(found, 3) == ["step1"]


def test_upstream_is_counted_below_zero(chain: Database) -> None:
    found = ask(chain, of=(EntityRef(EntityKind.DATASET, "shop", "t2"),), depth=1)

    assert [(node.name, node.depth) for node in found.nodes] == [("t2", 0), ("t1", -1), ("t3", 1)]


def test_an_answer_cut_by_its_node_budget_says_so_and_is_the_same_every_time(chain: Database) -> None:
    found = ask(chain, max_nodes=10)

    assert (len(found.nodes), found.truncated, found.truncated_by) == (10, True, "maxNodes")
    assert ask(chain, max_nodes=10) == found
    shown = {node.id for node in found.nodes}
    assert all({edge.source, edge.target} <= shown for edge in found.edges)


def test_an_answer_cut_by_its_edge_budget_says_so_and_keeps_its_nodes(chain: Database) -> None:
    found = ask(chain, max_edges=5, direction=Direction.DOWNSTREAM, depth=1)

    assert (len(found.edges), found.truncated_by) == (5, "maxEdges")
    assert len(found.nodes) == 32


def test_a_node_says_how_many_neighbours_the_answer_does_not_show(chain: Database) -> None:
    found = ask(chain, of=(EntityRef(EntityKind.DATASET, "shop", "t1"),), depth=1, hidden=True)
    hidden = {node.name: (node.hidden_upstream, node.hidden_downstream) for node in found.nodes}

    assert hidden == {"t0": (0, 30), "t1": (0, 0), "t2": (0, 1)}


def test_wide_levels_cost_no_more_statements_than_narrow_ones(
    chain: Database, statements: Callable[[Database], AbstractContextManager[list[str]]]
) -> None:
    with statements(chain) as narrow:
        ask(chain, of=(EntityRef(EntityKind.DATASET, "shop", "t5"),), depth=1, direction=Direction.DOWNSTREAM)
    with statements(chain) as wide:
        ask(chain, depth=1, direction=Direction.DOWNSTREAM)

    assert len(wide) == len(narrow)


def test_a_level_more_costs_two_statements_more(
    chain: Database, statements: Callable[[Database], AbstractContextManager[list[str]]]
) -> None:
    counts = []
    for depth in (2, 3, 4):
        with statements(chain) as seen:
            ask(chain, depth=depth, direction=Direction.DOWNSTREAM)
        counts.append(len(seen))

    assert [deep - shallow for shallow, deep in pairwise(counts)] == [2, 2]


def test_a_job_and_a_run_can_be_asked_too(chain: Database) -> None:
    run = ran("step2", at=2)
    by_job = ask(chain, of=(EntityRef(EntityKind.JOB, "shop", "step2"),), depth=1)
    by_run = ask(chain, of=(EntityRef(EntityKind.RUN, "", run.run),), depth=1)

    assert [(n.name, n.depth) for n in by_job.nodes] == [("step2", 0), ("t2", -1), ("t3", 1)]
    assert [(n.name, n.depth) for n in by_run.nodes] == [(run.run, 0), ("t2", -1), ("t3", 1)]


def test_an_edge_says_which_run_confirmed_it_last_and_since_when_it_holds(database: Database) -> None:
    runs = [ran("etl", at=at).reading("t0").writing("t1") for at in (0, 10, 20)]
    Ingest(database).accept([Received(raw, "test") for run in runs for raw in run])
    (now,) = ask(database, depth=1).edges
    (then,) = ask(database, depth=1, window=Window(micros(15), micros(15))).edges

    assert (now.first_seen, now.last_seen, then.last_seen) == (micros(0), micros(21), micros(11))
    assert None not in (now.last_run_id, then.last_run_id)
    assert now.last_run_id != then.last_run_id


def test_what_is_not_there_is_said_by_name(database: Database) -> None:
    with pytest.raises(UnknownEntity, match="no dataset 't0' in namespace 'shop'"):
        ask(database)


def test_an_edge_says_how_columns_were_made_and_whether_every_way_hides_the_value(database: Database) -> None:
    def made(*ways: tuple[str, str, bool]) -> dict[str, object]:
        said = [{"type": type, "subtype": subtype, "masking": masked} for type, subtype, masked in ways]
        return {"inputFields": [{**named("t0"), "field": "c", "transformations": said}]}

    plain = facet(fields={"x": made(("DIRECT", "IDENTITY", False), ("INDIRECT", "FILTER", False))})
    hashed = facet(fields={"x": made(("DIRECT", "TRANSFORMATION", True))})
    joined = facet(fields={"x": made(("INDIRECT", "JOIN", False))})
    stories = [
        ran("a").reading("t0").writing("plain", columnLineage=plain),
        ran("b").reading("t0").writing("hashed", columnLineage=hashed),
        ran("c").reading("t0").writing("joined", columnLineage=joined),
        ran("d").reading("t0").writing("unknown"),
    ]
    Ingest(database).accept([Received(raw, "test") for story in stories for raw in story])
    found = ask(database, depth=1)
    reached = {node.id: node.name for node in found.nodes}
    said = {reached[e.target]: ([t.subtype for t in e.transformations], e.masked) for e in found.edges}
    direct = ask(database, depth=1, include_indirect=False)

    assert said == {
        "plain": (["IDENTITY", "FILTER"], False),
        "hashed": (["TRANSFORMATION"], True),
        "joined": (["JOIN"], False),
        "unknown": ([], False),
    }
    assert names(direct, 1) == ["hashed", "plain", "unknown"]


def test_a_wide_job_is_read_as_two_lists_and_never_as_their_product(database: Database) -> None:
    width = 1_500
    wide = ran("wide").reading(*(f"i{n}" for n in range(width))).writing(*(f"o{n}" for n in range(width)))
    Ingest(database).accept([Received(wide.event("COMPLETE", 1), "test")])
    root = dataset_id("shop", "i0")
    with database.read() as connection:
        steps = Steps(connection, Granularity.DATASET, NOW, {root: EntityKind.DATASET})
        ends = [dataset_id("shop", f"i{n}") for n in range(width)]
        steps.kinds.update(dict.fromkeys(ends, EntityKind.DATASET))
        hops = steps.step({False: ends})[False]
    (node,) = ask(database, of=(EntityRef(EntityKind.DATASET, "shop", "i0"),), max_nodes=1, hidden=True).nodes

    assert [(len(hop.sources), len(hop.targets)) for hop in hops] == [(width, width)]
    assert node.hidden_downstream == width


def test_a_budget_keeps_the_same_nodes_whatever_the_order_of_rows(chain: Database) -> None:
    leaves = {f"leaf{n:02}": dataset_id("shop", f"leaf{n:02}") for n in range(30)} | {"t1": dataset_id("shop", "t1")}
    kept = names(ask(chain, max_nodes=6, depth=1, direction=Direction.DOWNSTREAM), 1)

    assert sorted(kept) == sorted(sorted(leaves, key=leaves.__getitem__)[:5])
