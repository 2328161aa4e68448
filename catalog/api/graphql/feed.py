"""Tells subscribers that the log has grown, also by what other servers took.

One question asked again and again stands for all subscribers of a process: how long is the log. Refused: LISTEN and
NOTIFY, which other databases and SQLite do not have. Who has waited reads its own stretch of the log, and what
several want at the same moment is done once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final, TypeVar, cast

from catalog.store import log
from catalog.store.engine import Database, Read
from catalog.store.read import events
from catalog.store.read.events import EventFilter, EventRow

logger = logging.getLogger("catalog.subscriptions")

SHORTEST_SECONDS: Final = 0.05
"""Between two questions at least: while events arrive, and after a nudge."""

LONGEST_SECONDS: Final = 0.5
"""And at most: what another server took is known after that."""

PAGE: Final = 100
"""Entries that are read at once."""

_STRETCH: Final = 50_000
"""Places of the log that one statement looks through, so that none of them lasts long."""

T = TypeVar("T")


class Shared:
    """Calls on other threads, each made once for all who want the same while it is under way. Nothing is remembered."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._under_way: dict[Hashable, asyncio.Future[object]] = {}

    async def call(self, key: Hashable, call: Callable[[], T]) -> T:
        """What `call` answers, or an equal call that is under way: that with the same key."""
        under_way = self._under_way.get(key)
        if under_way is None:
            under_way = asyncio.get_running_loop().run_in_executor(self._threads, call)
            self._under_way[key] = under_way
            under_way.add_done_callback(lambda done: self._over(key, done))
        # Shielded: one subscriber that goes away does not take the answer from the others.
        return cast("T", await asyncio.shield(under_way))

    def _over(self, key: Hashable, done: asyncio.Future[object]) -> None:
        del self._under_way[key]
        if not done.cancelled():
            # Perhaps nobody is left who would be told.
            done.exception()


class Feed:
    """The end of one log, as the subscribers of a process see it. It lives on the server's event loop."""

    def __init__(self, database: Database, shared: Shared) -> None:
        """`shared` reads: how far the log goes, and pages of it."""
        self._database = database
        self._shared = shared
        self._size = 0
        self._followers = 0
        self._polling: asyncio.Task[None] | None = None
        self._grown = asyncio.Event()
        self._nudged = asyncio.Event()

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Inside of this, the log is watched."""
        self._followers += 1
        if self._polling is None:
            self._polling = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers:
                self._polling.cancel()
                self._polling = None

    def nudge(self) -> None:
        """Something was accepted here: ask now. Called on the event loop."""
        self._nudged.set()

    async def beyond(self, place: int) -> int:
        """Wait until the log has entries from `place` on; its size then."""
        while self._size <= place:
            await self._grown.wait()
        return self._size

    async def page(self, wanted: EventFilter, start: int, size: int) -> tuple[Sequence[EventRow], int]:
        """What matches of the entries from `start` on in a log of that size, and the place behind what was looked at.

        Raises:
            Unavailable: the database is away.
        """
        end = min(size, start + _STRETCH)
        reading = partial(self._read, partial(events.between, wanted=wanted, start=start, end=end, most=PAGE))
        found = await self._shared.call((wanted, start, end), reading)
        return found, found[-1].seq + 1 if len(found) == PAGE else end

    async def _poll(self) -> None:
        pause, failing = SHORTEST_SECONDS, False
        while True:
            self._nudged.clear()
            size = self._size
            try:
                size = await self._shared.call(log.size, partial(self._read, log.size))
                failing = False
            except Exception as error:  # noqa: BLE001 - whatever it is, subscribers wait until it is over
                if not failing:
                    logger.warning("the log cannot be watched: %s", error)
                failing = True
            if size > self._size:
                self._size, pause = size, SHORTEST_SECONDS
                self._grown.set()
                self._grown = asyncio.Event()
            else:
                pause = min(2 * pause, LONGEST_SECONDS)
            await asyncio.sleep(SHORTEST_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause - SHORTEST_SECONDS):
                    await self._nudged.wait()

    def _read(self, read: Callable[[Read], T]) -> T:
        with self._database.read() as connection:
            return read(connection)
