"""Every answer says how complete it is, and costs a number of statements that does not depend on its width."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from builders import declared_job, facet, micros, named, ran
from catalog.domain.changes import Transformation
from catalog.domain.errors import UnknownEntity
from catalog.domain.ids import dataset_id, job_id, run_id
from catalog.domain.lineage import EntityRef, Lineage, Question
from catalog.domain.timeline import ALWAYS, NOW, Window
from catalog.domain.words import Direction, EntityKind, Granularity
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database
from catalog.store.hops import Steps
from catalog.store.lineage import answer
from catalog.store.tables import dataset, namespace

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


def test_a_level_more_costs_one_statement_more(
    chain: Database, statements: Callable[[Database], AbstractContextManager[list[str]]]
) -> None:
    counts = []
    for depth in (2, 3, 4):
        with statements(chain) as seen:
            ask(chain, depth=depth, direction=Direction.DOWNSTREAM)
        counts.append(len(seen))

    assert [deep - shallow for shallow, deep in pairwise(counts)] == [1, 1]


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


def test_an_earlier_moment_knows_nothing_of_what_a_run_did_later(database: Database) -> None:
    batch, stream = (
        ran("batch", run="b").reading("t0").writing("t1"),
        ran("stream", run="s").reading("t0").writing("t2"),
    )
    later = [batch.event("COMPLETE", 10), stream.event("RUNNING", 10)]
    Ingest(database).accept(
        [Received(raw, "test") for raw in (*later, batch.event("START", 0), stream.event("RUNNING", 0))]
    )

    for minute, seen in ((5, 0), (10, 10), (60, 10)):
        found = ask(database, depth=1, window=Window(micros(minute), micros(minute))).edges
        assert [edge.last_seen for edge in found] == [micros(seen)] * 2


def test_a_run_that_said_nothing_of_datasets_confirms_no_edge(database: Database) -> None:
    told = ran("etl", run="told").reading("t0").writing("t1").event("START", 0)
    Ingest(database).accept([Received(raw, "test") for raw in (told, ran("etl", run="silent").event("START", 9))])
    (edge,) = ask(database, depth=1).edges

    assert (edge.last_seen, edge.last_run_id) == (micros(0), run_id(job_id("shop", "etl"), "told"))


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


def test_declared_inputs_and_outputs_lose_the_pair_that_another_declaration_calls_indirect(database: Database) -> None:
    joined = {**named("t0"), "type": "DATASET", "transformations": [{"type": "INDIRECT", "subtype": "JOIN"}]}
    entries = [{**named("t1"), "type": "DATASET", "inputs": [joined]}]
    told = [
        declared_job("load", 1, ["t0", "u"], ["t1", "t2"]),
        declared_job("load", 8, lineage=facet(entries=entries)),
    ]
    Ingest(database).accept([Received(raw, "test") for raw in told])
    both = (ROOT, EntityRef(EntityKind.DATASET, "shop", "u"))
    every, direct = (ask(database, of=both, depth=1, window=ALWAYS, include_indirect=how) for how in (True, False))
    left_out = {(edge.source, edge.target) for edge in every.edges} - {
        (edge.source, edge.target) for edge in direct.edges
    }

    assert len(every.edges) == 4
    assert left_out == {(dataset_id("shop", "t0"), dataset_id("shop", "t1"))}


def test_a_wide_job_is_read_as_two_lists_and_never_as_their_product(database: Database) -> None:
    width = 1_500
    wide = ran("wide").reading(*(f"i{n}" for n in range(width))).writing(*(f"o{n}" for n in range(width)))
    Ingest(database).accept([Received(wide.event("COMPLETE", 1), "test")])
    root = dataset_id("shop", "i0")
    with database.read() as connection:
        steps = Steps(connection, Granularity.DATASET, NOW, {root: EntityKind.DATASET})
        found = steps.step({False: [dataset_id("shop", f"i{n}") for n in range(width)]})[False]
    (node,) = ask(database, of=(EntityRef(EntityKind.DATASET, "shop", "i0"),), max_nodes=1, hidden=True).nodes

    assert found.hops == []
    assert [(len(one.sources), len(one.targets)) for one in found.products] == [(width, width)]
    assert node.hidden_downstream == width


def test_a_budget_keeps_the_same_nodes_whatever_the_order_of_rows(chain: Database) -> None:
    leaves = {f"leaf{n:02}": dataset_id("shop", f"leaf{n:02}") for n in range(30)} | {"t1": dataset_id("shop", "t1")}
    kept = names(ask(chain, max_nodes=6, depth=1, direction=Direction.DOWNSTREAM), 1)

    assert sorted(kept) == sorted(sorted(leaves, key=leaves.__getitem__)[:5])


# Columns.


def column(dataset: str, name: str) -> EntityRef:
    return EntityRef(EntityKind.COLUMN, "shop", dataset, name)


def by_column(database: Database, *of: EntityRef, **asked: object) -> Lineage:
    return ask(database, of=of, granularity=Granularity.COLUMN, **asked)


def labels(found: Lineage) -> dict[int, str]:
    """Columns as `dataset.column`, wholes as `dataset.*`, jobs and runs by name."""
    whole = {EntityKind.COLUMN: "", EntityKind.DATASET: ".*"}
    return {n.id: f"{n.name}.{n.column}" if n.column else n.name + whole.get(n.kind, "") for n in found.nodes}


def arrows(found: Lineage) -> set[str]:
    shown = labels(found)
    return {f"{shown[edge.source]} -> {shown[edge.target]}" for edge in found.edges}


def made(*ways: tuple[str, str], of: str, column: str) -> dict[str, object]:
    said = [{"type": type, "subtype": subtype, "masking": False} for type, subtype in ways]
    return {**named(of), "field": column, "transformations": said}


@pytest.fixture
def filtered(database: Database) -> Database:
    """Raw -> clean -> mart by column; clean was also filtered by raw.state, every column of it."""
    clean = facet(
        fields={
            "id": {"inputFields": [made(("DIRECT", "IDENTITY"), of="raw", column="id")]},
            "name": {"inputFields": [made(("DIRECT", "TRANSFORMATION"), of="raw", column="label")]},
        },
        dataset=[made(("INDIRECT", "FILTER"), of="raw", column="state")],
    )
    mart = facet(fields={"who": {"inputFields": [made(("DIRECT", "IDENTITY"), of="clean", column="name")]}})
    stories = [
        ran("cleaning", at=0).reading("raw").writing("clean", columnLineage=clean),
        ran("loading", at=5).reading("clean").writing("mart", columnLineage=mart),
    ]
    Ingest(database).accept([Received(raw, "test") for story in stories for raw in story])
    return database


def test_what_touched_a_whole_dataset_is_one_edge_at_the_depth_of_the_column_walked_from(filtered: Database) -> None:
    found = by_column(filtered, column("mart", "who"), direction=Direction.UPSTREAM)
    shown = labels(found)

    assert arrows(found) == {"clean.name -> mart.who", "raw.label -> clean.name", "raw.state -> clean.*"}
    assert {shown[node.id]: node.depth for node in found.nodes} == {
        "mart.who": 0, "clean.name": -1, "clean.*": -1, "raw.label": -2, "raw.state": -2,
    }  # fmt: skip


def test_a_whole_that_is_reached_opens_all_its_columns(filtered: Database) -> None:
    found = by_column(filtered, column("raw", "state"), direction=Direction.DOWNSTREAM)

    assert arrows(found) == {"raw.state -> clean.*", "clean.name -> mart.who"}
    assert {node.name for node in found.nodes if node.depth == 2} == {"mart"}


def test_without_indirect_flows_a_filter_leads_nowhere(filtered: Database) -> None:
    found = by_column(filtered, column("mart", "who"), include_indirect=False)

    assert arrows(found) == {"clean.name -> mart.who", "raw.label -> clean.name"}


def test_from_a_job_or_a_run_columns_are_those_its_flows_read_and_write(filtered: Database) -> None:
    run = ran("loading", at=5).run
    by_job = by_column(filtered, EntityRef(EntityKind.JOB, "shop", "loading"), depth=1)
    by_run = by_column(filtered, EntityRef(EntityKind.RUN, "", run), depth=1)

    assert arrows(by_job) == {"clean.name -> loading", "loading -> mart.who"}
    assert arrows(by_run) == {f"clean.name -> {run}", f"{run} -> mart.who"}


def test_a_column_stands_for_its_dataset_where_columns_are_no_nodes(filtered: Database) -> None:
    found = ask(filtered, of=(column("mart", "who"),))

    assert [node.name for node in found.nodes] == ["mart", "clean", "raw"]


def test_a_column_nobody_named_is_refused_with_those_there_are(filtered: Database) -> None:
    with pytest.raises(UnknownEntity, match="no column 'nope' in dataset 'clean'") as refused:
        by_column(filtered, column("clean", "nope"))

    assert refused.value.fix == "It has id, name."


def test_hidden_neighbours_of_a_column_are_those_a_walk_from_it_would_reach(filtered: Database) -> None:
    found = by_column(filtered, column("mart", "who"), depth=1, hidden=True)
    hidden = {labels(found)[node.id]: (node.hidden_upstream, node.hidden_downstream) for node in found.nodes}

    assert hidden == {"mart.who": (0, 0), "clean.name": (2, 0)}


def test_a_budget_cuts_columns_and_leaves_no_edge_without_its_ends(filtered: Database) -> None:
    found = by_column(filtered, column("mart", "who"), max_nodes=3)
    shown = {node.id for node in found.nodes}

    assert (len(found.nodes), found.truncated_by) == (3, "maxNodes")
    assert all({edge.source, edge.target} <= shown for edge in found.edges)


def test_column_lineage_is_kept_without_a_schema_and_without_the_input(database: Database) -> None:
    story = ran("etl").from_columns("b", y=[("a", "x")])
    Ingest(database).accept([Received(raw, "test") for raw in story])
    (edge,) = by_column(database, column("b", "y")).edges

    assert (edge.derivation.name, edge.transformations, edge.masked) == ("COLUMN", (), False)
    assert arrows(by_column(database, column("a", "x"))) == {"a.x -> b.y"}


@pytest.mark.parametrize(
    ("kind", "said", "masked"), [("MASKED", "DIRECT", True), ("IDENTITY", "DIRECT", False), ("HASHED", "", False)]
)
def test_what_old_producers_say_of_a_column_is_said_of_its_edges(
    database: Database, kind: str, said: str, masked: bool
) -> None:
    old = {
        "inputFields": [{**named("a"), "field": "x"}],
        "transformationType": kind,
        "transformationDescription": "how",
    }
    story = ran("etl").reading("a").writing("b", columnLineage=facet(fields={"y": old}))
    Ingest(database).accept([Received(raw, "test") for raw in story])
    (edge,) = by_column(database, column("b", "y")).edges

    assert edge.transformations == (Transformation(said, kind, "how", masking=masked),)
    assert edge.masked is masked


def test_a_job_that_knows_no_columns_ends_the_trail(filtered: Database) -> None:
    copied = ran("copying", at=9).reading("mart").writing("copy")
    Ingest(filtered).accept([Received(raw, "test") for raw in copied])

    found = by_column(filtered, EntityRef(EntityKind.DATASET, "shop", "mart"), direction=Direction.DOWNSTREAM)
    assert [labels(found)[node.id] for node in found.nodes] == ["mart.*"]


# Recorded from Spark; the truth is read off the queries in integrations/spark/job.py.
SPARK = {
    "orders.order_id": {("orders.csv.id", "IDENTITY")},
    "orders.customer_id": {("orders.csv.customer_id", "IDENTITY")},
    "orders.ordered_on": {("orders.csv.ordered_on", "IDENTITY")},
    "orders.gross": {("orders.csv.amount", "TRANSFORMATION")},
    "orders.*": {("orders.csv.status", "FILTER")},
    "revenue.country": {("customers.csv.country", "IDENTITY")},
    "revenue.ordered_on": {("orders.ordered_on", "IDENTITY")},
    "revenue.revenue": {("orders.gross", "AGGREGATION")},
    # The rank orders by revenue, which Spark calls an aggregation of what revenue is the sum of.
    "revenue.place": {("customers.csv.country", "WINDOW"), ("orders.gross", "AGGREGATION")},
    "revenue.*": {
        ("orders.customer_id", "JOIN"), ("customers.csv.id", "JOIN"), ("customers.csv.country", "FILTER"),
        ("customers.csv.country", "GROUP_BY"), ("orders.ordered_on", "GROUP_BY"),
        # The optimizer filters both sides of an inner join by IS NOT NULL.
        ("orders.customer_id", "FILTER"), ("customers.csv.id", "FILTER"),
    },
    "contacts.id": {("customers.csv.id", "IDENTITY")},
    "contacts.email_digest": {("customers.csv.email", "TRANSFORMATION")},
    "contacts.market": {("customers.csv.country", "CONDITIONAL")},
}  # fmt: skip


def test_columns_that_spark_told_of_are_those_of_its_queries(database: Database) -> None:
    recorded = (Path(__file__).parents[1] / "events" / "spark.ndjson").read_bytes().splitlines()
    Ingest(database).accept([Received(raw, "test") for raw in recorded])
    with database.read() as connection:
        rows = connection.execute(
            select(dataset.c.name, namespace.c.name).join(namespace, namespace.c.id == dataset.c.namespace_id)
        ).all()
    every = [EntityRef(EntityKind.DATASET, space, name) for name, space in rows]
    found = by_column(database, *every)
    short = {id: label.rpartition("/")[2] for id, label in labels(found).items()}
    told: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for edge in found.edges:
        told[short[edge.target]] |= {(short[edge.source], how.subtype) for how in edge.transformations}
    shares = {target: told.pop(target) for target in ("shares.country", "shares.share")}

    assert told == SPARK
    # A run that failed has told what it was about to do.
    assert shares["shares.country"] == {("revenue.country", "IDENTITY")}
    assert {short[edge.target] for edge in found.edges if edge.masked} == {"contacts.email_digest"}
