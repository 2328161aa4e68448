from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import pytest

from catalog.domain.errors import Unavailable
from catalog.ingest import group as group_module
from catalog.ingest.accept import Ingest, Outcome, Receipt, Received
from catalog.ingest.group import GroupCommit, GroupLimits
from catalog.store.engine import Database

SOON = 5.0
"""Seconds within which anything here happens."""


def received(text: str) -> Received:
    return Received(text.encode(), "test")


def job_event(name: str) -> Received:
    return received(f'{{"eventTime": "2026-01-01T00:00:00Z", "job": {{"namespace": "n", "name": "{name}"}}}}')


class Gate:
    """A writer that shows what it gets and holds every transaction until it is let go."""

    def __init__(self, *, is_open: bool = False) -> None:
        self.batches: list[list[str]] = []
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()
        self.errors: dict[str, Exception] = {}
        if is_open:
            self.opened.set()

    def accept(self, batch: Sequence[Received]) -> list[Outcome]:
        texts = [one.raw.decode() for one in batch]
        self.batches.append(texts)
        self.entered.release()
        assert self.opened.wait(SOON)
        for text in texts:
            if text in self.errors:
                raise self.errors[text]
        return [Receipt(text, "", seq, duplicate=False) for seq, text in enumerate(texts)]


@contextmanager
def running(
    accept: Callable[[Sequence[Received]], list[Outcome]], limits: GroupLimits | None = None
) -> Iterator[GroupCommit]:
    group = GroupCommit(accept, limits)
    group.start()
    try:
        yield group
    finally:
        group.close(SOON)


def receipts(futures: Sequence[Future[Outcome]]) -> list[str]:
    return [future.result(SOON).receipt for future in futures]


def test_what_waits_during_a_transaction_shares_the_next_one_in_its_order():
    gate = Gate()
    with running(gate.accept) as group:
        futures = [group.submit(received("first"))]
        gate.entered.acquire(timeout=SOON)
        futures += [group.submit(received(text)) for text in "abcde"]
        gate.opened.set()
        assert receipts(futures) == ["first", *"abcde"]
    assert gate.batches == [["first"], list("abcde")]


def test_senders_who_were_answered_together_share_the_next_transaction_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(group_module, "_MOMENT_SECONDS", 0.2)
    gate = Gate(is_open=True)
    with running(gate.accept) as group:
        receipts(group.submit_many([received(text) for text in "abc"]))
        futures = []
        for text in "def":
            futures.append(group.submit(received(text)))
            time.sleep(0.02)  # more than the writer needs to take what is there
        receipts(futures)
    assert gate.batches == [list("abc"), list("def")]


def test_nobody_waits_long_for_those_who_do_not_come_again():
    gate = Gate(is_open=True)
    with running(gate.accept) as group:
        receipts(group.submit_many([received(text) for text in "abc"]))
        assert receipts([group.submit(received("d"))]) == ["d"]
    assert gate.batches == [list("abc"), ["d"]]


def test_who_sends_alone_waits_for_nobody(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(group_module, "_MOMENT_SECONDS", 60.0)
    with running(Gate(is_open=True).accept) as group:
        assert [receipts([group.submit(received(text))]) for text in "abc"] == [["a"], ["b"], ["c"]]


def test_nothing_is_acknowledged_before_its_transaction_is_committed():
    gate = Gate()
    with running(gate.accept) as group:
        future = group.submit(received("a"))
        gate.entered.acquire(timeout=SOON)
        assert not wait([future], timeout=0.05).done
        gate.opened.set()
        assert future.result(SOON).receipt == "a"


@pytest.mark.parametrize("limits", [GroupLimits(max_events=2), GroupLimits(max_bytes=6)])
def test_a_transaction_takes_no_more_than_its_limits(limits: GroupLimits):
    gate = Gate()
    with running(gate.accept, limits) as group:
        futures = [group.submit(received("first"))]
        gate.entered.acquire(timeout=SOON)
        futures += group.submit_many([received(text) for text in ("aaa", "bbb", "ccc")])
        gate.opened.set()
        assert receipts(futures) == ["first", "aaa", "bbb", "ccc"]
    assert gate.batches == [["first"], ["aaa", "bbb"], ["ccc"]]


def test_an_event_larger_than_a_transaction_has_one_of_its_own():
    gate = Gate(is_open=True)
    with running(gate.accept, GroupLimits(max_bytes=2)) as group:
        assert receipts(group.submit_many([received("large"), received("x")])) == ["large", "x"]
    assert gate.batches == [["large"], ["x"]]


@pytest.mark.parametrize("limits", [GroupLimits(max_waiting_events=2), GroupLimits(max_waiting_bytes=2)])
def test_too_much_waiting_is_refused_at_once_and_taken_again_later(limits: GroupLimits):
    gate = Gate()
    with running(gate.accept, limits) as group:
        taken = [group.submit(received("a")), group.submit(received("b"))]
        with pytest.raises(Unavailable):
            group.submit(received("c"))
        assert group.waiting == (2, 2)
        gate.opened.set()
        assert receipts(taken) == ["a", "b"]
        deadline = time.monotonic() + SOON
        while group.waiting != (0, 0) and time.monotonic() < deadline:
            time.sleep(0.001)
        assert group.submit(received("c")).result(SOON).receipt == "c"


def test_several_events_are_queued_all_or_none_of_them():
    gate = Gate()
    with running(gate.accept, GroupLimits(max_waiting_events=3)) as group:
        group.submit(received("a"))
        with pytest.raises(Unavailable):
            group.submit_many([received(text) for text in "bcd"])
        assert group.waiting == (1, 1)
        gate.opened.set()
    assert gate.batches == [["a"]]


def test_when_the_database_is_away_all_of_the_transaction_hear_so_and_the_next_is_tried():
    gate = Gate(is_open=True)
    gate.errors["a"] = Unavailable("gone")
    with running(gate.accept) as group:
        for future in group.submit_many([received("a"), received("b")]):
            with pytest.raises(Unavailable, match="gone"):
                future.result(SOON)
        assert group.submit(received("c")).result(SOON).receipt == "c"


def test_an_event_that_breaks_the_writer_harms_no_other():
    gate = Gate(is_open=True)
    gate.errors["poison"] = ZeroDivisionError("broken")
    with running(gate.accept) as group:
        good, poison, other = group.submit_many([received("good"), received("poison"), received("other")])
        assert receipts([good, other]) == ["good", "other"]
        with pytest.raises(ZeroDivisionError):
            poison.result(SOON)
        assert group.submit(received("later")).result(SOON).receipt == "later"


def test_answers_that_do_not_match_their_events_are_not_given_to_anybody():
    with running(lambda _: []) as group, pytest.raises(ValueError, match="shorter"):
        group.submit(received("a")).result(SOON)


def test_what_its_sender_gave_up_before_its_turn_is_not_written():
    gate = Gate()
    with running(gate.accept) as group:
        first = group.submit(received("first"))
        gate.entered.acquire(timeout=SOON)
        given_up, kept = group.submit(received("given up")), group.submit(received("kept"))
        assert given_up.cancel()
        gate.opened.set()
        assert receipts([first, kept]) == ["first", "kept"]
        with pytest.raises(CancelledError):
            given_up.result(SOON)
    assert gate.batches == [["first"], ["kept"]]


def test_closing_writes_what_is_queued_and_refuses_what_comes_after():
    gate = Gate()
    group = GroupCommit(gate.accept)
    futures = [group.submit(received(text)) for text in "abc"]
    gate.opened.set()
    group.start()
    assert group.close(SOON)
    assert all(future.done() for future in futures)
    assert receipts(futures) == list("abc")
    with pytest.raises(Unavailable, match="shutting down"):
        group.submit(received("d"))


def test_closing_gives_up_after_its_time_and_says_so_to_those_who_wait():
    gate = Gate()
    group = GroupCommit(gate.accept, GroupLimits(max_events=1))
    group.start()
    written, waiting = group.submit_many([received("a"), received("b")])
    gate.entered.acquire(timeout=SOON)
    assert not group.close(0.05)
    with pytest.raises(Unavailable):
        waiting.result(SOON)
    gate.opened.set()
    assert written.result(SOON).receipt == "a"
    assert gate.batches == [["a"]]


def test_a_group_that_never_started_can_be_closed():
    group = GroupCommit(Gate().accept)
    future = group.submit(received("a"))
    group.close(SOON)
    with pytest.raises(Unavailable):
        future.result(SOON)


def test_events_of_many_threads_are_all_stored_once_in_far_fewer_transactions(database: Database):
    ingest = Ingest(database)
    sizes: list[int] = []

    def accept(batch: Sequence[Received]) -> list[Outcome]:
        sizes.append(len(batch))
        return ingest.accept(batch)

    with running(accept) as group, ThreadPoolExecutor(16) as pool:
        names = [f"job {i % 100}" for i in range(200)]
        outcomes = list(pool.map(lambda name: group.submit(job_event(name)).result(30), names))
    assert sum(sizes) == 200
    assert len(sizes) < 150
    fresh = sorted(one.seq for one in outcomes if isinstance(one, Receipt) and not one.duplicate)
    assert fresh == list(range(fresh[0], fresh[0] + 100))


def test_an_outage_is_logged_when_it_begins_and_when_it_is_over(caplog: pytest.LogCaptureFixture):
    gate = Gate(is_open=True)
    gate.errors["bad"] = Unavailable("away")
    with running(gate.accept) as group:
        for _ in range(20):
            assert isinstance(group.submit(received("bad")).exception(SOON), Unavailable)
        group.submit(received("good")).result(SOON)
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "events cannot be stored (1 so far): away",
        "events are stored again",
    ]
