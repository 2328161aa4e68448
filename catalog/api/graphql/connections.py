"""Relay connections over pages by key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Annotated, Generic, TypeVar

import strawberry

from catalog.api.graphql.context import Info, in_user_words
from catalog.store.engine import Read
from catalog.store.paging import Page, Slice

T = TypeVar("T")
U = TypeVar("U")

First = Annotated[int | None, strawberry.argument(description="How many items at most, 0 to 1000.")]
After = Annotated[
    str | None, strawberry.argument(description="Begin behind this cursor: the `endCursor` of the page before.")
]


@strawberry.type(description="Where a page is in its list.")
class PageInfo:
    """Relay's page info. Lists are read forwards only."""

    has_next_page: bool = strawberry.field(description="Whether there are items behind this page.")
    has_previous_page: bool = strawberry.field(description="Whether this page began behind a cursor.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first item.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last item: `after` of the next page.")


@strawberry.type(description="An item of a page, and its place in the list.")
class Edge(Generic[T]):
    """Relay's edge."""

    cursor: str = strawberry.field(description="The place of the item; opaque.")
    node: T = strawberry.field(description="The item.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    """Relay's connection."""

    edges: list[Edge[T]] = strawberry.field(description="The items of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page is in the list.")
    counting: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field(description="The items of this page, without their cursors.")
    def nodes(self) -> list[T]:
        """What most people want of a page."""
        return [edge.node for edge in self.edges]

    @strawberry.field(description="How many items the whole list has; counted only when asked for.")
    async def total_count(self) -> int:
        """Count the list."""
        return await self.counting()


def page_of(info: Info, first: int | None, after: str | None) -> Page:
    """The page the arguments ask for."""
    with in_user_words():
        return Page(info.context.default_page if first is None else first, after or None)


async def connected(
    info: Info,
    read: Callable[[Read, Collection[int], Page], Mapping[int, Slice[T]]],
    count: Callable[[Read, Collection[int]], Mapping[int, int]],
    key: int,
    make: Callable[[T], U],
    *,
    first: int | None,
    after: str | None,
) -> Connection[U]:
    """A page of the list that a thing has: `read` and `count` are the store's, by the ids of such things."""
    page = page_of(info, first, after)

    async def counting() -> int:
        return await info.context.load(count, key) or 0

    return connection_of(await info.context.load(read, key, page), make, after, counting)


def connection_of(
    found: Slice[T] | None, make: Callable[[T], U], after: str | None, counting: Callable[[], Awaitable[int]]
) -> Connection[U]:
    """A connection of what `make` makes of the items found; `counting` counts the whole list."""
    found = found or Slice()
    cursors = found.cursors
    return Connection(
        edges=[Edge(cursor=cursor, node=make(item)) for cursor, item in zip(cursors, found.items, strict=True)],
        page_info=PageInfo(
            has_next_page=found.has_next,
            has_previous_page=bool(after),
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        ),
        counting=counting,
    )
