"""The graph made again from the log is the graph that was, row for row; what failed once can be tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from builders import also_known_as, columns, declared_dataset, declared_job, drawn_from, dropped, ran
from catalog.domain.errors import Unavailable
from catalog.domain.event import Event
from catalog.domain.projection import Projection
from catalog.ingest import accept, replay
from catalog.ingest.accept import Ingest, Received
from catalog.ingest.project import project
from catalog.store import graph_writer, log, maintenance
from catalog.store.engine import Database, Write
from catalog.store.tables import dataset, edge, log_body

RECORDED = sorted((Path(__file__).parents[1] / "events").glob("*.ndjson"))

STORY = [
    *ran("load", 0).writing("raw", schema=columns(id="int")),
    *ran("etl", 2).reading("raw").writing("clean", schema=columns(id="int", name="text")),
    *ran("etl", 5).reading("raw", "codes").writing("clean"),
    *ran("report", 6).from_columns("kpi", total=[("clean", "id")]),
    declared_job("manual", 7, ["kpi"], ["deck"]),
    declared_dataset("v_kpi", 8, lineage=drawn_from("kpi"), symlinks=also_known_as("kpi_view")),
    *ran("stream", 9).streaming().reading("kpi_view").writing("topic").still_running(),
    *ran("clean up", 12).writing("raw", lifecycleStateChange=dropped()),
]


def take(database: Database, events: Iterable[bytes], size: int = 3) -> None:
    ingest, waiting = Ingest(database), [Received(raw, "test") for raw in events]
    for start in range(0, len(waiting), size):
        ingest.accept(waiting[start : start + size])


def graph(database: Database) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return list(maintenance.canonical_dump(connection))


def marked(database: Database) -> list[int]:
    with database.read() as connection:
        return [failure.seq for failure in replay.failures(connection)]


@contextmanager
def older_release(cannot_read: bytes) -> Iterator[None]:
    """A release that stumbles over events that hold this text."""

    def stumbling(event: Event) -> Projection:
        if any(cannot_read.decode() in mention.name.name for mention in event.datasets):
            raise ValueError("not understood yet")
        return project(event)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accept, "project", stumbling)
        yield


def test_rebuilding_gives_the_same_rows(database: Database) -> None:
    take(database, STORY)
    before = graph(database)
    assert before
    assert replay.rebuild(database) == len(STORY)
    assert graph(database) == before


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_rebuilding_recorded_events_gives_the_same_rows_as_taking_them_in_small_batches_backwards(
    database: Database, path: Path
) -> None:
    events = path.read_bytes().splitlines()[::-1]
    take(database, events, size=5)
    before = graph(database)
    assert replay.rebuild(database) == len(set(events))
    assert graph(database) == before


def test_batches_of_any_size_rebuild_the_same_rows(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    take(database, STORY)
    before = graph(database)
    monkeypatch.setattr(replay, "_BATCH_ENTRIES", 4)
    monkeypatch.setattr(replay, "_BATCH_BYTES", 1_500)
    seen: list[tuple[int, int]] = []
    assert replay.rebuild(database, lambda *progress: seen.append(progress)) == len(STORY)
    assert graph(database) == before
    assert seen[-1] == (len(STORY), len(STORY))
    assert seen == sorted(seen)


def test_rebuilding_mends_a_graph_that_was_damaged(database: Database) -> None:
    take(database, STORY)
    before = graph(database)
    with database.write() as connection:
        connection.execute(edge.delete())
        connection.execute(dataset.update().values(description="changed by hand"))
    assert graph(database) != before
    replay.rebuild(database)
    assert graph(database) == before


def test_rebuilding_an_empty_catalog_gives_an_empty_graph(database: Database) -> None:
    assert replay.rebuild(database) == 0
    assert graph(database) == []


def test_erased_bodies_are_left_out(database: Database) -> None:
    take(database, STORY)
    with database.write() as connection:
        connection.execute(log_body.delete().where(log_body.c.seq < 2))
    assert replay.rebuild(database) == len(STORY) - 2


def test_an_entry_that_an_older_release_could_not_project_is_in_the_graph_after_rebuilding(
    database: Database, new_database: Callable[[], AbstractContextManager[Database]]
) -> None:
    with older_release(b"codes"):
        take(database, STORY)
    assert marked(database) == [4, 5]
    assert replay.rebuild(database) == len(STORY)
    assert marked(database) == []
    with new_database() as other:
        take(other, STORY)
        assert graph(database) == graph(other)


def test_an_entry_that_cannot_be_projected_any_more_is_marked_and_the_others_are_in_the_graph(
    database: Database, new_database: Callable[[], AbstractContextManager[Database]]
) -> None:
    take(database, STORY)
    with older_release(b"codes"):
        assert replay.rebuild(database) == len(STORY) - 2
    assert marked(database) == [4, 5]
    with new_database() as other:
        take(other, STORY[:4] + STORY[6:])
        assert graph(database) == graph(other)


def test_an_entry_the_graph_cannot_hold_is_marked_and_the_others_are_in_the_graph(
    database: Database,
    new_database: Callable[[], AbstractContextManager[Database]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take(database, STORY)
    write = graph_writer.write

    def colliding(connection: Write, projections: list[Projection], *rest: Any) -> None:
        write(connection, projections, *rest)
        if any(("shop", "codes") in projection.datasets.values() for projection in projections):
            raise graph_writer.NameCollision

    monkeypatch.setattr(graph_writer, "write", colliding)
    assert replay.rebuild(database) == len(STORY) - 2
    assert marked(database) == [4, 5]
    with new_database() as other:
        take(other, STORY[:4] + STORY[6:])
        assert graph(database) == graph(other)


def test_what_interrupts_a_rebuild_leaves_everything_as_it_was(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(database, STORY)
    before = graph(database)
    monkeypatch.setattr(replay, "_BATCH_ENTRIES", 4)

    def interrupting(done: int, _: int) -> None:
        if done > 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay.rebuild(database, interrupting)
    assert graph(database) == before


def test_a_database_that_goes_away_marks_no_entry(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    take(database, STORY)
    before = graph(database)

    def gone(*_: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(graph_writer, "write", gone)
    with pytest.raises(Unavailable):
        replay.rebuild(database)
    assert marked(database) == []
    assert graph(database) == before


def test_trying_again_gives_the_graph_as_if_nothing_had_failed(
    database: Database, new_database: Callable[[], AbstractContextManager[Database]]
) -> None:
    with older_release(b"codes"):
        take(database, STORY)
    assert replay.retry_failed(database) == 2
    assert marked(database) == []
    with new_database() as other:
        take(other, STORY)
        assert graph(database) == graph(other)


def test_what_fails_again_stays_marked_with_the_new_reason_and_holds_nothing_else_up(database: Database) -> None:
    with older_release(b"clean"):
        take(database, STORY)
    assert marked(database) == [2, 3, 4, 5]
    with database.write() as connection:
        log.fail(connection, 4, "some old reason")
    with older_release(b"codes"):
        assert replay.retry_failed(database) == 2
    with database.read() as connection:
        left = {entry.seq: entry.failure for entry in replay.failures(connection)}
    assert left == dict.fromkeys((4, 5), "ValueError: not understood yet")


def test_trying_again_where_nothing_failed_does_nothing(database: Database) -> None:
    take(database, STORY)
    assert replay.retry_failed(database) == 0


@pytest.mark.parametrize("again", [replay.retry_failed, replay.rebuild])
def test_an_entry_that_was_tried_again_counts_for_the_history_of_facets_like_any_other(
    again: Callable[[Database], int],
    database: Database,
    new_database: Callable[[], AbstractContextManager[Database]],
) -> None:
    a, b = columns(id="int"), columns(id="text")
    first, late, failing = (
        next(iter(ran("etl", at).reading(name).writing("clean", schema=schema).job_with(shape=schema)))
        for at, name, schema in ((0, "x", a), (10, "x", b), (20, "codes", a))
    )
    with older_release(b"codes"):
        take(database, [first, failing])
    again(database)
    take(database, [late])
    with new_database() as other:
        take(other, [first, late, failing])
        assert graph(database) == graph(other)
