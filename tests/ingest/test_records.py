"""Records of what people declare: written and read back, and laws 1 and 2 with them among the events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import rfc8785
from hypothesis import given, note, settings
from hypothesis import strategies as st
from sqlalchemy import select

from builders import also_known_as, declared_dataset, drawn_from, micros, named, ran
from catalog.domain.changes import Name, Transformation
from catalog.domain.errors import NotAnEvent
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.manual import Manual, ManualEdge, ManualEnd, is_manual
from catalog.domain.timeline import Window
from catalog.domain.words import EntityKind, EventKind, Node
from catalog.ingest import replay
from catalog.ingest.accept import Ingest, Receipt, Received, Refused
from catalog.ingest.decode import decode
from catalog.ingest.records import decode_entry, decode_record, encode, read
from catalog.store import graph_writer, lineage, log, maintenance
from catalog.store.engine import Database
from catalog.store.tables import log_entry, metadata
from conftest import NewDatabase
from histories import histories

Rows = list[tuple[Any, ...]]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
moments = st.integers(-62_000_000_000_000_000, 4_000_000_000_000_000)
ends = st.builds(ManualEnd, st.sampled_from([Node.DATASET, Node.JOB]), st.builds(Name, texts, texts), texts)
edges = st.builds(ManualEdge, ends, ends, st.none() | st.builds(Name, texts, texts))
ways = st.lists(st.builds(Transformation, texts, texts, texts, st.booleans()), max_size=2).map(tuple)
records = st.builds(Manual, edges, st.booleans(), texts, texts, moments, moments, ways)


A_JOB = ManualEnd(Node.JOB, Name("n", "a"))
SAID = Manual(ManualEdge(A_JOB, A_JOB), declared=True, principal="p", reason="r", recorded_at=0, effective_from=0)


@given(records)
def test_a_record_is_read_as_it_was_written_and_is_canonical(manual: Manual) -> None:
    raw = encode(manual)

    assert read(raw) == manual
    assert rfc8785.dumps(json.loads(raw)) == raw


@given(records)
def test_a_record_is_no_event_to_whoever_reads_what_is_sent(manual: Manual) -> None:
    raw = encode(manual)

    with pytest.raises(NotAnEvent):
        decode(raw)
    assert decode_entry(raw) == decode_record(raw)
    assert decode_entry(raw).kind is EventKind.RECORD


@given(edges, edges)
def test_every_edge_has_an_owner_of_its_own_that_is_no_job_and_no_dataset(one: ManualEdge, other: ManualEdge) -> None:
    assert is_manual(one.owner)
    assert (one.owner == other.owner) == (one == other)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"record":"lineage.declared"}',
        encode(SAID).replace(b"lineage.declared", b"lineage.guessed"),
        encode(SAID).replace(b'"JOB"', b'"NOTHING"'),
    ],
)
def test_what_is_no_record_is_refused(raw: bytes) -> None:
    with pytest.raises(NotAnEvent):
        decode_record(raw)


# In the log, among events.

_TARGETS = ("a", "b", "c")


def word(
    source: str, target: str, at: float, *, declared: bool = True, said_at: float = 100, through: str | None = None
) -> bytes:
    """A person's word on an edge."""
    one, other = (ManualEnd(Node.DATASET, Name(**named(name))) for name in (source, target))
    edge = ManualEdge(one, other, None if through is None else Name(**named(through)))
    return encode(Manual(edge, declared, "ada", "because", micros(said_at), micros(at)))


@st.composite
def words(draw: st.DrawFn) -> list[bytes]:
    """What people said, and took back, of few edges at few moments."""
    said = st.builds(
        word,
        st.sampled_from(_TARGETS),
        st.sampled_from(("d", "x")),
        st.integers(0, 4),
        declared=st.booleans(),
        said_at=st.integers(100, 103),
        through=st.sampled_from((None, "etl")),
    )
    return draw(st.lists(said, min_size=1, max_size=6))


def put(database: Database, batches: Sequence[Sequence[bytes]]) -> Rows:
    """Make these all that a database holds; the answer is the graph."""
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    ingest = Ingest(database)
    for batch in batches:
        outcomes = ingest.accept([received(raw) for raw in batch])
        assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    with database.read() as connection:
        assert connection.scalars(select(log_entry.c.failure).where(log_entry.c.failure.is_not(None))).all() == []
    return rows(database)


def received(raw: bytes) -> Received:
    return Received(raw, "test", is_record=b'"record"' in raw)


def rows(database: Database) -> Rows:
    with database.read() as connection:
        return sorted(maintenance.canonical_dump(connection), key=repr)


def test_words_of_people_among_events_give_the_same_rows_in_any_order_and_again_from_the_log(
    new_database: NewDatabase, engine_name: str
) -> None:
    with new_database() as database:

        @settings(max_examples=settings().max_examples // (2 if engine_name == "sqlite" else 8))
        @given(st.data())
        def order_does_not_matter(data: st.DataObject) -> None:
            told = [*data.draw(histories(most=6)), *data.draw(words())]
            note("\n".join(raw.decode() for raw in told))
            one = put(database, [sorted(told)])
            order = data.draw(st.permutations([*told, *told[:2]]))
            cut = data.draw(st.integers(0, len(order)))
            assert put(database, [order[:cut], order[cut:]]) == one
            assert replay.rebuild(database) == len(set(told))
            assert rows(database) == one

        order_does_not_matter()


def test_the_same_record_twice_is_one_entry(database: Database) -> None:
    ingest = Ingest(database)
    first, second = (ingest.accept([received(word("a", "b", 1))])[0] for _ in range(2))

    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert (first.seq, first.duplicate, second.seq, second.duplicate) == (0, False, 0, True)


def lineage_of(database: Database, name: str, at: float) -> set[int]:
    question = Question((EntityRef(EntityKind.DATASET, **named(name)),), window=Window(micros(at), micros(at)))
    with database.read() as connection:
        return {edge.first_seen for edge in lineage.answer(connection, question).edges}


def test_of_two_words_on_one_moment_the_one_said_later_counts(database: Database) -> None:
    yes, no = word("a", "b", 1, said_at=101), word("a", "b", 1, declared=False, said_at=102)
    put(database, [[yes, no]])
    assert lineage_of(database, "b", 2) == set()

    put(database, [[word("a", "b", 1, said_at=103), no]])
    assert lineage_of(database, "b", 2) == {micros(1)}


def test_a_declared_edge_ends_with_its_dataset_and_lives_again_with_it(database: Database) -> None:
    put(
        database,
        [[
            word("a", "b", 1),
            declared_dataset("b", 5, lifecycleStateChange={"lifecycleStateChange": "DROP"}),
            *ran("etl", at=8).writing("b", symlinks=also_known_as("b2")),
        ]],
    )  # fmt: skip
    assert [bool(lineage_of(database, name, at)) for name in ("b", "b2") for at in (2, 6, 9)] == [True, False, True] * 2


def test_what_a_dataset_declares_of_itself_and_a_persons_word_do_not_end_each_other(database: Database) -> None:
    put(database, [[declared_dataset("b", 1, lineage=drawn_from("a")), word("a", "b", 2), declared_dataset("b", 5)]])
    assert len(lineage_of(database, "b", 1)) == len(lineage_of(database, "b", 6)) == 1

    put(
        database,
        [[word("a", "b", 1), word("a", "b", 5, declared=False), declared_dataset("b", 2, lineage=drawn_from("a"))]],
    )
    assert lineage_of(database, "b", 6) == {micros(2)}


def test_a_record_that_could_not_be_projected_is_kept_and_retried(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_: object, projections: Sequence[object], *__: object) -> None:
        if projections:
            raise RuntimeError("not today")

    with monkeypatch.context() as patched:
        patched.setattr(graph_writer, "write", breaks)
        (outcome,) = Ingest(database).accept([received(word("a", "b", 1))])
    assert isinstance(outcome, Receipt)
    with database.read() as connection:
        assert [entry.failure for entry in replay.failures(connection)] == ["RuntimeError: not today"]

    assert replay.retry_failed(database) == 1
    assert lineage_of(database, "b", 2) == {micros(1)}


def test_a_forged_record_is_in_quarantine_and_stays_there(database: Database) -> None:
    (outcome,) = Ingest(database).accept([Received(word("a", "b", 1), "http")])

    assert isinstance(outcome, Refused)
    with database.read() as connection:
        assert log.size(connection) == 0
