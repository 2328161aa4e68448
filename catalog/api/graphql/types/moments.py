"""Where a thing that clients see was read, and as of when: what else is asked of it is read there, as of then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Concatenate, Final, ParamSpec, TypeVar

from catalog.api.graphql.context import Info, Reader
from catalog.api.graphql.scalars import DateTime
from catalog.domain.timeline import NOW, Window
from catalog.store.engine import Read

P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


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


PRESENT: Final = View()
"""What is known now of how things are now."""
