"""The door: what is acknowledged, what is a duplicate, and what the log can prove of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import pytest
from sqlalchemy import Update, delete, event, func, select, update

from builders import also_known_as, columns, facet, ran
from catalog.domain.callers import Caller, Role
from catalog.domain.words import RunState
from catalog.evidence.commitment import SALT_BYTES, commit, entry_bytes
from catalog.evidence.merkle import Frontier, append, inclusion_proof, leaf_hash, root_at, verify_inclusion
from catalog.ingest.accept import Ingest, Receipt, Received, Refused
from catalog.ingest.leaves import leaves, nodes
from catalog.store import bodies, log
from catalog.store.engine import Database
from catalog.store.tables import (
    GRAPH,
    edge,
    field,
    field_edge,
    job_version,
    log_body,
    log_entry,
    log_head,
    quarantine,
    run,
    statement,
)
from catalog.store.tables import (
    facet as facet_table,
)

NewDatabase = Callable[[], AbstractContextManager[Database]]


@pytest.fixture
def ingest(database: Database) -> Ingest:
    return Ingest(database)


def received(*raws: bytes) -> list[Received]:
    return [Received(raw, "test", Caller("alice", Role.INGESTOR)) for raw in raws]


def count(database: Database, table: object) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]


def night(number: int, jobs: int = 5) -> Iterator[bytes]:
    """One night of known pipelines: the same facets, schemas and columns every time."""
    shape = columns(id="int", name="text")
    for job in range(jobs):
        yield from (
            ran(f"job{job}", at=number * 100 + job)
            .reading(f"in{job}", schema=shape, symlinks=also_known_as(("hive", f"in{job}")))
            .from_columns(f"out{job}", id=[(f"in{job}", "id")])
            .job_with(sql=facet(query="SELECT 1"), jobType=facet(processingType="BATCH", integration="DBT"))
        )


def test_the_same_bytes_are_one_entry_and_the_second_answer_says_so(ingest: Ingest) -> None:
    raw = ran("etl").event("COMPLETE", 1)
    (first,) = ingest.accept(received(raw))
    (second,) = ingest.accept(received(raw))

    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert (first.seq, first.duplicate, second.seq, second.duplicate) == (0, False, 0, True)
    assert first.receipt == second.receipt
    assert count(ingest.database, log_entry) == 1


def test_the_same_bytes_twice_in_one_batch_are_one_entry(ingest: Ingest) -> None:
    raw, other = ran("etl").event("START", 1), ran("etl").event("COMPLETE", 2)
    outcomes = ingest.accept(received(raw, raw, other, raw))

    assert [(o.seq, o.duplicate) for o in outcomes if isinstance(o, Receipt)] == [
        (0, False), (0, True), (1, False), (0, True),
    ]  # fmt: skip


def test_answers_come_in_the_order_of_the_batch_whatever_each_is(ingest: Ingest) -> None:
    outcomes = ingest.accept(received(b"{", ran("a").event("START", 0), b"[", ran("b").event("START", 0)))

    assert [type(outcome) for outcome in outcomes] == [Refused, Receipt, Refused, Receipt]
    assert count(ingest.database, quarantine) == 2


def test_the_log_is_dense_and_its_tree_is_right_from_entry_zero(ingest: Ingest) -> None:
    events = [raw for number in range(6) for raw in night(number)]
    for start in range(0, len(events), 7):
        ingest.accept(received(*events[start : start + 7]))
    with ingest.database.read() as connection:
        seqs = list(connection.scalars(select(log_entry.c.seq).order_by(log_entry.c.seq)))
        hashes = leaves(connection, seqs)
        head = connection.execute(select(log_head)).one()
        expected, _ = append(Frontier(), [hashes[seq] for seq in seqs])
        proofs = [inclusion_proof(seq, len(seqs), lambda keys: nodes(connection, keys)) for seq in seqs]

    assert seqs == list(range(len(events)))
    assert (head.size, head.peaks) == (expected.size, expected.to_bytes())
    root = expected.root()
    assert all(verify_inclusion(hashes[seq], seq, len(seqs), proofs[seq], root) for seq in seqs)


def test_a_leaf_commits_to_the_salted_bytes_and_can_be_recomputed_by_a_stranger(ingest: Ingest) -> None:
    raw = ran("etl").event("COMPLETE", 1)
    ingest.accept(received(raw))
    with ingest.database.read() as connection:
        entry = connection.execute(select(log_entry)).one()
        body = connection.execute(select(log_body)).one()
        origin = log.origin(connection)
        hashes = leaves(connection, [0])
    envelope = entry_bytes(
        log=origin,
        type="event",
        subject="urn:openlineage:run",
        recorded_at=entry.received_at,
        actor="alice",
        payload_alg="raw",
        payload_commit=commit(raw, bytes(body.salt)),
    )

    assert bodies.unpack(body.dictionary, body.body) == raw
    # Body and salt say it; it is kept in the entry when they are erased.
    assert entry.payload_commit is None
    assert {0: leaf_hash(envelope)} == hashes


def test_the_tree_is_proved_as_before_when_a_body_was_erased(ingest: Ingest) -> None:
    ingest.accept(received(*night(0)))
    with ingest.database.write() as connection:
        before = leaves(connection, range(10))
        erased = connection.execute(select(log_body).where(log_body.c.seq == 3)).one()
        commitment = commit(bodies.unpack(erased.dictionary, erased.body), bytes(erased.salt))
        connection.execute(update(log_entry).where(log_entry.c.seq == 3).values(payload_commit=commitment))
        connection.execute(delete(log_body).where(log_body.c.seq == 3))
    with ingest.database.read() as connection:
        after = leaves(connection, range(10))
        proofs = [inclusion_proof(seq, 10, lambda keys: nodes(connection, keys)) for seq in range(10)]
        root = root_at(10, lambda keys: nodes(connection, keys))

    assert len(before) == 10
    assert after == before
    assert all(verify_inclusion(after[seq], seq, 10, proofs[seq], root) for seq in range(10))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            update(log_entry).where(log_entry.c.seq == 3).values(received_at=log_entry.c.received_at + 1),
            id="when it was received",
        ),
        pytest.param(update(log_entry).where(log_entry.c.seq == 3).values(principal="mallory"), id="who sent it"),
        pytest.param(
            update(log_body).where(log_body.c.seq == 3).values(body=bodies.pack(b"{}")[1]), id="what was sent"
        ),
    ],
)
def test_what_is_changed_behind_the_catalogs_back_no_longer_fits_the_tree(ingest: Ingest, change: Update) -> None:
    ingest.accept(received(*night(0)))
    with ingest.database.write() as connection:
        before = leaves(connection, range(10))
        connection.execute(change)
        after = leaves(connection, range(10))

    assert {seq for seq in range(10) if before[seq] != after[seq]} == {3}


def test_two_entries_never_share_a_salt(ingest: Ingest) -> None:
    ingest.accept(received(*night(0)))
    with ingest.database.read() as connection:
        salts = [bytes(salt) for salt in connection.scalars(select(log_body.c.salt))]

    assert len(set(salts)) == len(salts)
    assert {len(salt) for salt in salts} == {SALT_BYTES}


def test_repeated_runs_of_known_pipelines_write_no_facet_column_edge_or_statement_rows(ingest: Ingest) -> None:
    ingest.accept(received(*night(0)))
    steady = (facet_table, field, edge, field_edge, statement, job_version)
    before = [count(ingest.database, table) for table in steady]
    for number in range(1, 5):
        ingest.accept(received(*night(number)))

    assert [count(ingest.database, table) for table in steady] == before
    assert count(ingest.database, run) == 25


def test_repeated_runs_touch_no_row_of_the_tables_that_did_not_change(ingest: Ingest) -> None:
    ingest.accept(received(*night(0)))
    touched: set[str] = set()

    def note(_c: object, _cursor: object, sql: str, *_rest: object) -> None:
        if sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            touched.add(sql)

    event.listen(ingest.database.engine, "before_cursor_execute", note)
    ingest.accept(received(*night(1)))
    event.remove(ingest.database.engine, "before_cursor_execute", note)
    quiet = {"facet", "field", "edge", "field_edge", "dataset", "dataset_alias", "tag", "ownership", "job_version"}

    assert touched
    assert not {name for name in quiet for sql in touched if f" {name} " in sql}


def test_fifty_events_take_no_more_statements_than_two(
    ingest: Ingest, statements: Callable[[Database], AbstractContextManager[list[str]]]
) -> None:
    ingest.accept(received(*night(0, jobs=25)))
    with statements(ingest.database) as few:
        ingest.accept(received(*night(1, jobs=1)))
    with statements(ingest.database) as many:
        ingest.accept(received(*night(2, jobs=25)))

    # The tree gains a row with every sixteenth entry, whatever the batch.
    assert len([sql for sql in many if "log_node" not in sql]) == len(few)


def test_a_terminal_state_beats_running_beats_start_whatever_comes_last(ingest: Ingest) -> None:
    run_ = ran("etl")
    for state, at in (("COMPLETE", 1.0), ("RUNNING", 2.0), ("START", 3.0)):
        ingest.accept(received(run_.event(state, at)))
    with ingest.database.read() as connection:
        row = connection.execute(select(run)).one()

    assert RunState(row.state) is RunState.COMPLETE


def test_two_terminal_states_are_both_kept(ingest: Ingest) -> None:
    run_ = ran("etl")
    ingest.accept(received(run_.event("FAIL", 2), run_.event("COMPLETE", 1)))
    with ingest.database.read() as connection:
        row = connection.execute(select(run)).one()

    assert RunState(row.state) is RunState.COMPLETE
    assert None not in (row.completed_at, row.failed_at)


def test_the_same_run_id_on_another_job_is_another_run(ingest: Ingest) -> None:
    ingest.accept(received(ran("a", run="same").event("START", 0), ran("b", run="same").event("START", 0)))

    assert count(ingest.database, run) == 2


def test_a_parent_that_was_only_named_is_there_and_fills_in_later(ingest: Ingest) -> None:
    parent = ran("dag")
    ingest.accept(received(ran("task").inside(parent, root=parent).event("START", 1)))
    with ingest.database.read() as connection:
        stub = connection.execute(select(run).where(run.c.run_id == parent.run)).one()
    ingest.accept(received(parent.event("START", 0)))
    with ingest.database.read() as connection:
        filled = connection.execute(select(run).where(run.c.id == stub.id)).one()
        child = connection.execute(select(run).where(run.c.parent_id == stub.id)).one()

    assert (RunState(stub.state), stub.first_at) == (RunState.UNKNOWN, None)
    assert RunState(filled.state) is RunState.START
    assert child.root_id == stub.id


def test_a_run_that_names_itself_as_parent_has_none(ingest: Ingest) -> None:
    run_ = ran("etl")
    ingest.accept(received(run_.inside(run_).event("START", 0)))
    with ingest.database.read() as connection:
        row = connection.execute(select(run)).one()

    assert row.parent_id is None


def test_every_graph_table_has_rows_after_a_story(ingest: Ingest) -> None:
    """A table that no story fills is a table that no law test compares."""
    from builders import declared_dataset, declared_job, drawn_from, dropped, renamed  # noqa: PLC0415 - read with the story

    story = [
        *night(0),
        *ran("cleanup", at=5).writing("in0", lifecycleStateChange=dropped()),
        *ran("tagged", at=6).writing(
            "x",
            tags=facet(tags=[{"key": "pii", "value": "true", "source": "test"}]),
            ownership=facet(owners=[{"name": "team", "type": "OWNER"}]),
        ),
        declared_job("planned", 7, ["a"], ["b"]),
        declared_dataset("view", 8, lineage=drawn_from("a")),
        declared_dataset("new", 9, lifecycleStateChange=renamed("old")),
    ]
    ingest.accept(received(*story))

    assert [table.name for table in GRAPH if count(ingest.database, table) == 0] == []


def test_the_time_of_receipt_is_the_clocks_and_changes_nothing_in_the_graph(new_database: NewDatabase) -> None:
    then = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
    with new_database() as one:
        Ingest(one, clock=lambda: then).accept(received(ran("etl").event("START", 0)))
        with one.read() as connection:
            entry = connection.execute(select(log_entry)).one()

    assert entry.received_at == then
