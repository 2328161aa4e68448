"""Where a thing that clients see was read, and as of when: what else is asked of it is read there, as of then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Concatenate, Final, ParamSpec, TypeVar

from catalog.api.graphql.connections import Connection, connection_of, page_of
from catalog.api.graphql.context import Info, Reader
from catalog.api.graphql.scalars import DateTime
from catalog.domain.timeline import NOW, Window
from catalog.ingest.accept import project_raw
from catalog.store.engine import Read
from catalog.store.paging import Page, Slice
from catalog.store.read.run_moments import Then

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
K = TypeVar("K", bound=Hashable)
M = TypeVar("M", bound=Hashable)


@dataclass(frozen=True, slots=True)
class View:
    """`as_of` is a moment, None now. `recorded` asks what was known on an earlier day, None what is known now."""

    as_of: int | None = None
    recorded: Reader | None = None

    def at(self, asked: DateTime | None) -> int | None:
        """The moment a field is about: the one that was asked for, else that of the answer the thing is in."""
        return self.as_of if asked is None else asked

    def window(self, asked: DateTime | None) -> Window:
        """The same as a window."""
        at = self.at(asked)
        return NOW if at is None else Window(at, at)

    @property
    def then(self) -> Then | None:
        """The moment as what is read of runs takes it: they are read from the log."""
        return None if self.as_of is None else Then(self.as_of, project_raw)

    @property
    def onward(self) -> View:
        """How the things are read that this one leads to: as of the same moment, as far as is known now."""
        return self if self.recorded is None else View(self.as_of)

    async def load(
        self,
        info: Info,
        read: Callable[Concatenate[Read, Collection[K], P], Mapping[K, T]],
        key: K,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T | None:
        """As `Reader.load`."""
        return await (self.recorded or info.context).load(read, key, *args, **kwargs)

    async def connected(
        self,
        info: Info,
        read: Callable[[Read, Collection[int], Page, M], Mapping[int, Slice[T]]],
        count: Callable[[Read, Collection[int], M], Mapping[int, int]],
        key: int,
        make: Callable[[T, View], U],
        *,
        at: M,
        first: int | None,
        after: str | None,
    ) -> Connection[U]:
        """As `connections.connected`, of what there was at the moment: `at` is that as `read` and `count` take it."""
        page = page_of(info, first, after)

        async def counting() -> int:
            return await self.load(info, count, key, at) or 0

        found = await self.load(info, read, key, page, at)
        return connection_of(found, lambda item: make(item, self), after, counting)


PRESENT: Final = View()
"""What is known now of how things are now."""
