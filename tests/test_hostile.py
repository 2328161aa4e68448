"""Hostile input is normal input: never an error of ours, never lost, on both engines."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func, literal, select, union_all

from builders import dataset, encode, entry, facet, named, ran
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.words import EntityKind
from catalog.ingest.accept import Ingest, Outcome, Receipt, Received, Refused
from catalog.store import bodies, quarantine
from catalog.store.engine import Database
from catalog.store.lineage import answer
from catalog.store.tables import log_entry, metadata
from catalog.store.tables import quarantine as quarantine_table

BASE = json.loads(ran("etl").reading("raw").writing("clean").event("COMPLETE", 1))
WIDE = [f"c{number}" for number in range(20_000)]

NAMES = {
    "nul": "a\0b",
    "only nul": "\0",
    "empty": "",
    "sql": "x'; DROP TABLE dataset; --",
    "like": "100%_\\",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "template": "${jndi:ldap://x} {{7*7}} #{7*7}",
    "formula": "=cmd|' /C calc'!A0",
    "newlines": "line\r\nSet-Cookie: a=b\n",
    "right to left": "\u202eevil\u202c",
    "emoji": "👩‍👩‍👧‍👦" * 50,
    "not normal": "e\u0301 é",
    "highest": "\U0010ffff\uffff",
    "a megabyte": "n" * 1_000_000,
    "looks like an id": "dataset:a:b",
    "path": "../../etc/passwd",
    "unit separator": "a\x1fb",
}

NO_EVENTS = {
    "nothing": b"",
    "not json": b"{",
    "not a number": b'{"eventTime": NaN}',
    "lone surrogate": b'{"eventTime":"2026-01-01T00:00:00Z","job":{"namespace":"n","name":"\\ud800"}}',
    "not utf-8": b'{"a":"\xff\xfe"}',
    "utf-16": '{"a":1}'.encode("utf-16"),
    "nul bytes": b"\0\0\0",
    "deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep in a facet": encode(BASE).replace(
        b'"facets": {}', b'"facets": {"deep": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", 1
    ),
    "a list": b"[]",
    "a string": b'"event"',
    "no names": b'{"eventTime":"2026-01-01T00:00:00Z","run":{"runId":"r"},"job":{}}',
    "a number for a name": b'{"eventTime":"2026-01-01T00:00:00Z","run":{"runId":"r"},"job":{"namespace":1,"name":"n"}}',
    "no time": b'{"run":{"runId":"r"},"job":{"namespace":"s","name":"n"}}',
    "a time nobody knows": b'{"eventTime":"yesterday","run":{"runId":"r"},"job":{"namespace":"s","name":"n"}}',
    "a time before all time": b'{"eventTime":"-9999-01-01T00:00:00Z","job":{"namespace":"s","name":"n"}}',
}

FACETS: dict[str, Any] = {
    "wrong shape": {"schema": {"fields": "none"}, "columnLineage": {"fields": []}, "symlinks": {"identifiers": 3}},
    "nulls": {"schema": None, "columnLineage": {"fields": {"a": None}}, "ownership": {"owners": [None]}},
    "not objects": {"schema": 1, "tags": "x", "version": [], "documentation": True},
    "itself as symlink": {"symlinks": facet(identifiers=[{**named("clean"), "type": "TABLE"}])},
    "wide": {"schema": facet(fields=[{"name": name, "type": "t"} for name in WIDE])},
    "flows to itself": {
        "columnLineage": facet(fields={"a": {"inputFields": [{**named("clean"), "field": "a"}]}}),
    },
}

NUMBERS = {
    "infinite": b"1e999",
    "minus infinite": b"-1e999",
    "many digits": b"9" * 5_000,
    "more than 64 bits": b"36893488147419103232",
    "tiny": b"1e-999",
}


def take(database: Database, *raws: bytes) -> list[Outcome]:
    return Ingest(database).accept([Received(raw, "test") for raw in raws])


def kept(database: Database, outcome: Outcome) -> bytes | None:
    """The bytes behind a receipt, wherever they are."""
    with database.read() as connection:
        if isinstance(outcome, Receipt):
            return bodies.read(connection, outcome.seq)
        key = quarantine_table.c.digest == bytes.fromhex(outcome.digest)
        row = connection.execute(select(quarantine_table).where(key)).one()
        return quarantine.body(row)


def failures(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.scalars(select(log_entry.c.failure).where(log_entry.c.failure.is_not(None))))


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_name_is_kept_found_and_walked(database: Database, name: str) -> None:
    space = name[:1_000]
    raw = encode(
        {
            **BASE,
            "job": {"namespace": space, "name": name, "facets": {}},
            "run": {"runId": name[:1_000] or "r", "facets": {}},
            "inputs": [{"namespace": space, "name": name + "in"}],
            "outputs": [{"namespace": space, "name": name + "out"}],
        }
    )
    (outcome,) = take(database, raw)

    assert isinstance(outcome, Receipt)
    assert kept(database, outcome) == raw
    assert failures(database) == []
    with database.read() as connection:
        found = answer(connection, Question((EntityRef(EntityKind.DATASET, space, name + "out"),)))
    assert [node.depth for node in found.nodes] == [0, -1]


@pytest.mark.parametrize("raw", NO_EVENTS.values(), ids=NO_EVENTS)
def test_what_is_no_event_is_refused_with_a_reason_and_kept(database: Database, raw: bytes) -> None:
    (outcome,) = take(database, raw)

    assert isinstance(outcome, Refused)
    assert outcome.reason.detail
    assert kept(database, outcome) == raw


@pytest.mark.parametrize("facets", FACETS.values(), ids=FACETS)
def test_a_facet_that_makes_no_sense_is_kept_and_harms_nothing(database: Database, facets: dict[str, Any]) -> None:
    raw = encode({**BASE, "outputs": [dataset("clean", facets)]})
    (outcome,) = take(database, raw)

    assert isinstance(outcome, Receipt)
    assert kept(database, outcome) == raw
    assert failures(database) == []


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_any_number_is_kept_as_it_was_written(database: Database, number: bytes) -> None:
    statistics = encode(
        {
            **BASE,
            "outputs": [
                dataset("clean", {"own": {"n": 7_777}}, outputFacets={"outputStatistics": facet(rowCount=7_777)})
            ],
        }
    )
    raw = statistics.replace(b"7777", number)
    (outcome,) = take(database, raw)

    assert kept(database, outcome) == raw
    assert failures(database) == []


def test_good_events_of_a_bad_batch_are_taken(database: Database) -> None:
    good = list(ran("etl").reading("raw").writing("clean"))
    outcomes = take(database, good[0], *NO_EVENTS.values(), good[1])

    assert [type(o) for o in outcomes] == [Receipt, *[Refused] * len(NO_EVENTS), Receipt]
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(quarantine_table)).scalar() == len(
            set(NO_EVENTS.values())
        )


def test_an_event_of_thirty_megabytes_is_taken(database: Database) -> None:
    plan = "x" * 1_000
    raw = encode({**BASE, "run": {"runId": "r", "facets": {"spark.logicalPlan": {"plan": [plan] * 29_500}}}})
    (outcome,) = take(database, raw)

    assert len(raw) > 29_000_000
    assert isinstance(outcome, Receipt)
    assert kept(database, outcome) == raw


def rows(database: Database) -> Counter[str]:
    """How many rows each table has."""
    with database.read() as connection:
        counts = (select(literal(table.name), func.count()).select_from(table) for table in metadata.sorted_tables)
        return Counter(dict(connection.execute(union_all(*counts)).all()))


@pytest.mark.parametrize("known", [True, False], ids=["of known datasets", "of new datasets"])
def test_a_thousand_inputs_and_a_thousand_outputs_cost_rows_for_each_and_not_for_each_pair(
    database: Database, known: bool
) -> None:
    inputs, outputs = [f"i{n}" for n in range(1_000)], [f"o{n}" for n in range(1_000)]
    if known:
        take(database, *ran("before").reading(*inputs, *outputs))
    before = rows(database)
    take(database, *ran("wide").reading(*inputs).writing(*outputs))
    cost = rows(database) - before

    assert cost["edge"] == 2_000
    # A new dataset has a row and a document to be found by, whoever names it.
    assert (cost.pop("dataset", 0), cost.pop("search_document")) == ((0, 1) if known else (2_000, 2_001))
    assert cost.total() < 5_000
    with database.read() as connection:
        found = answer(connection, Question((EntityRef(EntityKind.DATASET, "shop", "o1"),), max_nodes=3_000))
    assert len(found.nodes) == 1_001


def test_an_event_the_graph_cannot_hold_stays_in_the_log_and_takes_nobody_with_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from catalog.store import run_writer  # noqa: PLC0415 - only this test breaks it

    def broken(*given: Any) -> Any:
        if any("poison" in str(p.datasets) for p in given[1]):
            message = "no place for poison"
            raise RuntimeError(message)
        return write(*given)

    write = run_writer.write
    monkeypatch.setattr(run_writer, "write", broken)
    outcomes = take(
        database,
        ran("one").writing("a").event("COMPLETE", 1),
        ran("two").writing("poison").event("COMPLETE", 1),
        ran("three").writing("c").event("COMPLETE", 1),
    )

    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert failures(database) == ["RuntimeError: no place for poison"]
    with database.read() as connection:
        found = answer(connection, Question((EntityRef(EntityKind.JOB, "shop", "three"),)))
    assert [node.name for node in found.nodes] == ["three", "c"]


def test_explicit_entries_of_kinds_nobody_knows_make_no_edge_and_no_error(database: Database) -> None:
    model = {"namespace": "m", "name": "risk", "type": "MODEL"}
    run = ran("train").reading("features").explicitly({**model, "inputs": [{**named("features"), "type": "DATASET"}]})
    outcomes = take(database, *run.explicitly(entry("scores", "features")))

    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert failures(database) == []
    with database.read() as connection:
        found = answer(connection, Question((EntityRef(EntityKind.DATASET, "shop", "features"),)))
    assert [node.name for node in found.nodes] == ["features", "scores"]
