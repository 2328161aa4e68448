"""Every lineage answer is what the events mean: the store agrees with an oracle that reads the events again."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from builders import also_known_as, declared_job, dropped, entry, facet, micros, named, ran
from catalog.domain import ids
from catalog.domain.lineage import Lineage, LineageEdge, LineageNode, Question
from catalog.domain.timeline import ALWAYS, NOW, Window
from catalog.domain.words import Direction, EntityKind, Granularity
from catalog.store import lineage
from catalog.store.engine import Database
from conftest import NewDatabase
from histories import GRANULARITIES, JOBS, RUNS, arrivals, histories, mentioned, put, questions, told, windows
from oracle import Oracle, Ways, masks
from oracle_events import Edge, Node, name_of
from oracle_seen import seen

QUESTIONS = 5

_JOBS = {ids.job_id(*name): name for name in (name_of(named(job)) for job in JOBS)}
_RUNS = {ids.run_id(job, run): ("RUN", *name, run) for job, name in _JOBS.items() for run in RUNS}


def name_of_node(node: LineageNode) -> Node:
    if node.kind is EntityKind.RUN:
        return _RUNS[node.id]
    return (node.kind.value, node.namespace, node.name, *([] if node.column is None else [node.column]))


def as_told(answer: Lineage, granularity: Granularity) -> tuple[dict[Node, int], dict[Edge, tuple[Ways, bool]]]:
    """An answer in the oracle's words."""
    names = {node.id: name_of_node(node) for node in answer.nodes}
    assert len(set(names.values())) == len(answer.nodes)
    edges: dict[Edge, tuple[Ways, bool]] = {}
    for e in answer.edges:
        job = None if e.job_id is None else _JOBS[e.job_id]
        known = (None, "") if granularity is Granularity.RUN else (job, e.derivation.name)
        ways = [(t.type, t.subtype, t.description, t.masking) for t in e.transformations]
        assert len(set(ways)) == len(ways)
        edges[names[e.source], names[e.target], *known] = frozenset(ways), e.masked
    assert len(edges) == len(answer.edges)
    return {names[node.id]: node.depth for node in answer.nodes}, edges


def agree(database: Database, oracle: Oracle, question: Question) -> None:
    if not question.of:
        return
    with database.read() as connection:
        answer = lineage.answer(connection, question)
    nodes, edges = as_told(answer, question.granularity)
    expected_nodes, expected_edges = oracle.lineage(question)
    assert edges == {edge: (ways, masks(ways)) for edge, ways in expected_edges.items()}
    assert nodes == expected_nodes
    if question.granularity is not Granularity.RUN:
        assert_seen(oracle, question, answer)


def assert_seen(oracle: Oracle, question: Question, answer: Lineage) -> None:
    """Since when edges held, and who confirmed them, as far as the oracle can tell."""
    names = {node.id: name_of_node(node) for node in answer.nodes}
    edges: dict[Edge, LineageEdge] = {}
    for edge in answer.edges:
        job = None if edge.job_id is None else _JOBS[edge.job_id]
        edges[names[edge.source], names[edge.target], job, edge.derivation.name] = edge
    for key, (first, last, run) in seen(oracle, question, edges).items():
        edge = edges[key]
        assert edge.first_seen == first, key
        if last is not None:
            by = None if edge.last_run_id is None else _RUNS[edge.last_run_id][-1]
            assert (edge.last_seen, by) == (max(last, first), run), key


def test_the_store_answers_every_question_as_a_reading_of_all_events_does(
    new_database: NewDatabase, engine_name: str
) -> None:
    with new_database() as database:

        @settings(max_examples=settings().max_examples // (1 if engine_name == "sqlite" else 4))
        @given(st.data())
        def answers_agree(data: st.DataObject) -> None:
            events = data.draw(histories())
            note(told(events))
            put(database, data.draw(arrivals(events)))
            oracle = Oracle(events)
            # One step from everything is the whole graph; where walks go on to is left to questions at random.
            for granularity, window in product(GRANULARITIES, (NOW, ALWAYS, data.draw(windows), data.draw(windows))):
                everything = tuple(mentioned(events, granularity))
                agree(database, oracle, Question(everything, granularity=granularity, window=window, depth=1))
            for question in data.draw(st.lists(questions(events), max_size=QUESTIONS)):
                agree(database, oracle, question)

        answers_agree()


def job_end(job: str) -> dict[str, str]:
    return {**named(job), "type": "JOB"}


def job_into(job: str, *sources: str) -> dict[str, Any]:
    return {**job_end(job), "inputs": [job_end(source) for source in sources]}


def out_of(job: str, target: str) -> dict[str, Any]:
    return {**entry(target), "inputs": [job_end(job)]}


def version(label: str) -> dict[str, Any]:
    return facet(datasetVersion=label)


PASSED_ON = ran("load", run="r1").explicitly(job_into("feed", "etl"), out_of("feed", "c")).event("RUNNING", 0)
ANSWERED_WRONGLY: dict[str, list[bytes]] = {
    "a dataset goes into a job in one way and later in another, and on to the next job only later": [
        PASSED_ON,
        ran("etl", run="r1").reading("a").event("COMPLETE", 1),
        ran("etl", run="r2").explicitly({**job_end("etl"), "inputs": entry("x", "a")["inputs"]}).event("COMPLETE", 2),
        ran("load", run="r2").explicitly(job_into("feed", "etl"), out_of("feed", "b")).event("COMPLETE", 3),
    ],
    "two jobs pass a dataset on to one target, and one of them is only declared": [
        PASSED_ON,
        ran("etl", run="r1").reading("a").event("COMPLETE", 1),
        declared_job("load", 1, ["a"], lineage=facet(entries=[job_into("feed", "load"), job_into("feed", "feed")])),
    ],
    "a version label is used again by a later writer": [
        *ran("etl", at=0, run="r1").writing("a", version=version("v1")),
        *ran("load", at=2, run="r2").reading("a", version=version("v1")).writing("b"),
        *ran("etl", at=4, run="r3").writing("a", version=version("v1")),
    ],
    "a run reads the version that it says it wrote": [
        *ran("etl", at=0, run="r1").writing("a", version=version("v1")),
        *ran("load", at=2, run="r2").reading("a", version=version("v1")).writing("a", version=version("v1")),
    ],
    "a run is asked about before it said what it wrote": [
        ran("etl", run="r1").reading("a").event("START", 1),
        ran("etl", run="r1").writing("b").event("COMPLETE", 3),
    ],
}


@pytest.mark.parametrize("events", ANSWERED_WRONGLY.values(), ids=ANSWERED_WRONGLY)
def test_what_was_answered_wrongly_once_is_answered_as_the_events_mean(database: Database, events: list[bytes]) -> None:
    put(database, [events])
    oracle = Oracle(events)
    moments = (NOW, ALWAYS, *(Window(micros(at), micros(at)) for at in range(5)))

    for granularity in GRANULARITIES:
        for ref, direction, window in product(mentioned(events, granularity), Direction, moments):
            agree(database, oracle, Question((ref,), direction, granularity, window=window))


def whole_from(*sources: tuple[str, str]) -> dict[str, Any]:
    """A columnLineage facet that says what touched every column."""
    filtering = [{"type": "INDIRECT", "subtype": "FILTER", "masking": False}]
    return facet(dataset=[{**named(name), "field": column, "transformations": filtering} for name, column in sources])


def test_columns_wholes_drops_and_names_are_walked_as_the_events_mean(database: Database) -> None:
    events = [
        # Data goes in a circle, so that one whole is as near both ways.
        *ran("etl", at=0, run="r1").from_columns("b", x=[("a", "x")], y=[("a", "y")]),
        *ran("load", at=0, run="r1").writing("a", columnLineage=whole_from(("b", "x"))),
        *ran("feed", at=0, run="r1").writing("a", columnLineage=whole_from(("c", "x"))),
        declared_job("load", 2, lineage=facet(entries=[entry("c", "b"), job_into("load", "etl")])),
        *ran("etl", at=3, run="r2")
        .from_columns(("shop", "d.e"), x=[("b", "x")])
        .reading("b", symlinks=also_known_as("c")),
        # What is dropped takes its columns with it, until it is written again.
        *ran("feed", at=4, run="r2").writing("a", lifecycleStateChange=dropped()),
        *ran("load", at=6, run="r2").from_columns("a", x=[("b", "y")]),
    ]
    put(database, [events])
    oracle = Oracle(events)
    moments = (NOW, ALWAYS, *(Window(micros(at), micros(at)) for at in (1, 4, 5, 7)))

    for ref, direction, window in product(mentioned(events, Granularity.COLUMN), Direction, moments):
        for indirect in (True, False):
            question = Question((ref,), direction, Granularity.COLUMN, window=window, include_indirect=indirect)
            agree(database, oracle, question)
