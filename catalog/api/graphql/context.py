"""What every resolver of one operation shares: a snapshot of the database, and loaders that ask it in batches.

An operation runs from beginning to end on one worker thread, in an event loop of its own: see `app`. So reading is a
plain call here, nothing needs a lock, and no query, however large, keeps the server's own loop from taking events.
Refused: resolvers on the server's loop that hand each batch to a thread: a switch per batch, and composing a
thousand nodes (50 ms) still blocks everyone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from catalog.api.graphql.errors import UserError
from catalog.domain.callers import Caller
from catalog.domain.errors import BadRequest, CatalogError, Forbidden, Unavailable, UnknownEntity
from catalog.ingest.accept import Ingest, Received
from catalog.ingest.recorded import MOST_ENTRIES, Past, recorded
from catalog.store.engine import Database, Read, Write
from catalog.store.read import events
from catalog.store.read.events import EventFilter
from catalog.store.read.snapshot import Snapshot
from catalog.store.surroundings import Around

P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far one lineage question may go. A bound's setting is `CATALOG_LINEAGE_` and its name in capitals."""

    max_nodes: int = 10_000
    max_edges: int = 100_000
    max_entries: int = MOST_ENTRIES


class Reader:
    """Asks one state of a database."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.unavailable: Unavailable | None = None
        """Set when the database went away meanwhile: then there is no answer, whatever resolvers made of it."""
        self._snapshot = snapshot
        self._loaders: dict[Hashable, DataLoader[Any, Any]] = {}

    def ask(self, read: Callable[Concatenate[Read, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a reading function of the store answers, its refusals in words for the client."""
        with in_user_words():
            try:
                return self._snapshot.ask(read, *args, **kwargs)
            except Unavailable as error:
                self.unavailable = error
                raise

    async def load(
        self,
        read: Callable[Concatenate[Read, Collection[K], P], Mapping[K, T]],
        key: K,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T | None:
        """What a function that reads by ids answers for one id: all ids asked for meanwhile share one call.

        A question has no loader class: the function is the loader, and other arguments make it another one.
        """
        asked = (read, args, tuple(kwargs.items()))
        loader = self._loaders.get(asked)
        if loader is None:

            async def batch(keys: list[K]) -> list[Any]:
                found = self.ask(read, keys, *args, **kwargs)
                return [found.get(key) for key in keys]

            loader = self._loaders[asked] = DataLoader(batch)
        found: T | None = await loader.load(key)
        return found


class Context(Reader):
    """One operation's view of the catalog; closed when the operation has ended."""

    def __init__(
        self,
        snapshot: Snapshot,
        bounds: Bounds,
        default_page: int,
        caller: Caller,
        database: Database,
        *,
        compiled: bool = False,
    ) -> None:
        super().__init__(snapshot)
        self.compiled = compiled
        """Whether `executor` may answer by a plan. Who allows it has to look at `stumbled` afterwards."""
        self.stumbled = False
        """Set when that failed: there is no answer, ask again without."""
        self.bounds = bounds
        self.default_page = default_page
        self.caller = caller
        self._database = database
        self._recorded: dict[Hashable, Reader] = {}
        self._entries_left = bounds.max_entries
        self._open = ExitStack()

    def close(self) -> None:
        """Forget what was made again for this operation."""
        self._open.close()

    def recorded(self, wanted: Around | None, until: int) -> Reader:
        """Asks the catalog as it was known at `until`, microseconds since 1970 UTC, around what is wanted; None: all.

        Raises:
            UserError: that is in the future, or more of the log would have to be read again than one operation may.
        """
        asked = (wanted, until)
        if asked not in self._recorded:
            reader = Reader(Past(self.ask(_held, self._open, wanted, until, self._entries_left)))
            self._entries_left -= reader.ask(events.count, EventFilter())
            self._recorded[asked] = reader
        return self._recorded[asked]

    def change(self, write: Callable[Concatenate[Write, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a writing function of the store answers, committed. The snapshot stays as it was: answer from this.

        Its refusals are raised as they are: a mutation answers them in its payload.
        """
        try:
            with self._database.write() as connection:
                return write(connection, *args, **kwargs)
        except Unavailable as error:
            self.unavailable = error
            raise UserError(type(error).__doc__ or "", code="UNAVAILABLE") from error

    def record(self, raw: bytes) -> str:
        """Take a record of what the caller does into the log, and into the graph, committed; the answer is the receipt.

        The snapshot stays as it was, as with `change`.
        """
        received = Received(raw, "graphql", self.caller, is_record=True)
        try:
            (outcome,) = Ingest(self._database).accept([received])
        except Unavailable as error:
            self.unavailable = error
            raise UserError(type(error).__doc__ or "", code="UNAVAILABLE") from error
        return outcome.receipt


def _held(connection: Read, until_closed: ExitStack, *asked: *tuple[Around | None, int, int]) -> Read:
    """See `recorded`."""
    return until_closed.enter_context(recorded(connection, *asked))


Info = strawberry.Info[Context, None]


@contextmanager
def in_user_words() -> Iterator[None]:
    """What the catalog refuses, as errors whose text a client gets to read."""
    try:
        yield
    except BadRequest as error:
        raise UserError(_sentences(error)) from error
    except UnknownEntity as error:
        raise UserError(_sentences(error), code="NOT_FOUND") from error
    except Forbidden as error:
        raise UserError(_sentences(error), code="FORBIDDEN") from error
    except Unavailable as error:
        raise UserError(type(error).__doc__ or "", code="UNAVAILABLE") from error


def _sentences(error: CatalogError) -> str:
    return f"{error.detail} {error.fix}".strip()
