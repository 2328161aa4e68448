"""Group commit: what arrives while one transaction is being written shares the next.

A transaction costs nearly the same for one event as for fifty, so the slower the disk, the larger the groups become.
Senders who were answered together come again together: a group begins when as many wait as in the last one, or when
for a moment no more came. Without that, half of the senders waited in each of two small groups, and a third fewer
events went in. Who sends alone never waits. Writers of other processes are kept apart by the lock of the log's head.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Final

from catalog.domain.errors import Unavailable
from catalog.ingest.accept import Outcome, Received

logger = logging.getLogger("catalog.ingest")

_SAY_AGAIN_SECONDS: Final = 10.0
_MOMENT_SECONDS: Final = 0.001

Accept = Callable[[Sequence[Received]], list[Outcome]]
"""Takes a batch in one transaction: `Ingest.accept`."""


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """How much may share a transaction, and how much may wait for one.

    Attributes:
        max_events: Events in one transaction.
        max_bytes: Bytes of the events in one transaction; a larger event has one of its own.
        max_waiting_events: Events not answered yet. What waits longer than its sender is work for nothing.
        max_waiting_bytes: Bytes of the events not answered yet.
    """

    max_events: int = 500
    max_bytes: int = 16 * 1024 * 1024
    max_waiting_events: int = 10_000
    max_waiting_bytes: int = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Waiting:
    received: Received
    future: Future[Outcome] = field(default_factory=Future)


class _Outage:
    """Says that nothing can be stored: at once, then now and then, and when it is over.

    Clients send again and again; a line for each attempt would fill the disk that may be the trouble.
    """

    def __init__(self) -> None:
        self._failed = 0
        self._since = self._said_at = 0.0

    def goes_on(self, events: int, detail: str) -> None:
        now = time.monotonic()
        if not self._failed:
            self._since = now
        self._failed += events
        if now - self._said_at >= _SAY_AGAIN_SECONDS or self._since == now:
            self._said_at = now
            logger.warning("events cannot be stored (%d so far): %s", self._failed, detail)

    def is_over(self) -> None:
        if self._failed:
            seconds = time.monotonic() - self._since
            logger.warning("events are stored again, after %.1f s in which %d could not be", seconds, self._failed)
            self._failed = 0


class GroupCommit:
    """A queue of received bytes and the one thread that writes them.

    An answer is given only after its transaction was committed (law 3), in the order of submission.
    """

    def __init__(self, accept: Accept, limits: GroupLimits | None = None) -> None:
        """Nothing is written before `start`."""
        self._accept = accept
        self._limits = limits or GroupLimits()
        self._queue: deque[_Waiting] = deque()
        self._changed = Condition()
        self._events = self._bytes = 0
        self._last = 0
        self._closing = False
        self._outage = _Outage()
        self._thread = Thread(target=self._run, name="group-commit", daemon=True)

    @property
    def waiting(self) -> tuple[int, int]:
        """Events and bytes that were taken and not answered yet."""
        return self._events, self._bytes

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def submit(self, received: Received) -> Future[Outcome]:
        """Queue one event. A future cancelled before its turn is not written.

        Raises:
            Unavailable: too much is waiting, or the catalog is shutting down; nothing was queued.
        """
        return self.submit_many((received,))[0]

    def submit_many(self, batch: Sequence[Received]) -> list[Future[Outcome]]:
        """Queue several events, all or none of them, beside each other; they may share a transaction.

        Returns:
            One future for each. They are settled in this order: when the last is, all are.

        Raises:
            Unavailable: as `submit`.
        """
        size = sum(len(received.raw) for received in batch)
        waiting = [_Waiting(received) for received in batch]
        with self._changed:
            if self._closing:
                raise Unavailable("The catalog is shutting down.")
            self._refuse_overload(len(batch), size)
            self._events += len(batch)
            self._bytes += size
            self._queue.extend(waiting)
            self._changed.notify()
        return [one.future for one in waiting]

    def close(self, timeout: float) -> bool:
        """Take nothing more and write what is queued, for at most `timeout` seconds.

        Returns:
            Whether all of it was written. The rest fails with Unavailable, except for what is being written just now.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)
        with self._changed:
            left = list(self._queue)
            self._queue.clear()
        for one in left:
            if one.future.set_running_or_notify_cancel():
                one.future.set_exception(Unavailable("The catalog was shut down before this was stored."))
        return not left and not self._thread.is_alive()

    def _refuse_overload(self, events: int, size: int) -> None:
        limits = self._limits
        # An empty queue takes anything: otherwise a body over the limit would be told to come again forever.
        over_events = self._events + events > limits.max_waiting_events
        over_bytes = self._bytes + size > limits.max_waiting_bytes
        if self._events and (over_events or over_bytes):
            raise Unavailable("More events are waiting to be stored than can be stored soon.")

    def _run(self) -> None:
        while group := self._next_group():
            running = [one for one in group if one.future.set_running_or_notify_cancel()]
            if running:
                self._write(running)
            with self._changed:
                self._events -= len(group)
                self._bytes -= sum(len(one.received.raw) for one in group)

    def _next_group(self) -> list[_Waiting]:
        """What shares the next transaction; empty when there will be no next one."""
        limits = self._limits
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
        self._gather()
        with self._changed:
            group: list[_Waiting] = []
            size = 0
            while self._queue and len(group) < limits.max_events:
                size += len(self._queue[0].received.raw)
                if group and size > limits.max_bytes:
                    break
                group.append(self._queue.popleft())
            self._last = len(group)
            return group

    def _gather(self) -> None:
        """Wait for those who were answered together, as long as they keep coming."""
        seen = 0
        while seen < len(self._queue) < self._last and not self._closing:
            seen = len(self._queue)
            # Not on the condition: to be woken for each of them takes longer than it saves.
            time.sleep(_MOMENT_SECONDS)

    def _write(self, group: list[_Waiting]) -> None:
        try:
            answered = list(zip(group, self._accept([one.received for one in group]), strict=True))
        except Unavailable as error:
            self._outage.goes_on(len(group), error.detail)
            _fail(group, error)
        except Exception as error:
            if len(group) == 1:
                logger.exception("an event could not be stored")
                _fail(group, error)
                return
            # The others did nothing wrong. What the failed attempt did commit is answered as a duplicate.
            logger.warning("a group of %d could not be stored; storing its events one by one", len(group))
            for one in group:
                self._write([one])
        else:
            self._outage.is_over()
            for one, outcome in answered:
                one.future.set_result(outcome)


def _fail(group: list[_Waiting], error: Exception) -> None:
    for one in group:
        one.future.set_exception(error)
