"""What can be followed. A subscription is a question about the new end of the log, asked again when that has moved.

Each time the operation is executed for a page of new entries, and is done: on a thread, from a snapshot of its own,
within the same limits as a query. In between, a subscriber is no more than a place in the log. Refused: a generator
that lives as long as its subscriber, which would hold a connection, or show a run as it was an hour ago.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Annotated

import strawberry

from catalog.api.graphql.arguments import EventFilterInput
from catalog.api.graphql.context import Context
from catalog.api.graphql.errors import UserError
from catalog.api.graphql.permissions import guarded
from catalog.api.graphql.queries import EventsWanted
from catalog.api.graphql.scalars import BigInt
from catalog.api.graphql.types.event import Event
from catalog.domain.callers import Permission
from catalog.store import log
from catalog.store.read.events import EventFilter, EventRow

AfterSeq = Annotated[
    BigInt | None,
    strawberry.argument(
        description="Begin behind the event with this `seq`: with that of the last one received nothing is missed, "
        "however long ago that was. -1 is the beginning of the log; left out: what is accepted from now on."
    ),
]


@dataclass(frozen=True, slots=True)
class Followed:
    """What a subscriber wants: entries of the log that match, from a place on."""

    wanted: EventFilter
    start: int


class Following(Context):
    """The context of a subscription.

    With `entries` the operation is executed for each of them. Without, it is only looked at: then `followed` says
    which entries it is to be executed for, or stays None where it is none that can be followed.
    """

    entries: Sequence[EventRow] | None = None
    followed: Followed | None = None

    def news(self, wanted: EventFilter, after: int | None) -> Sequence[EventRow]:
        """The entries to answer now.

        Raises:
            UserError: there is no event with the number `after` to begin behind.
        """
        if self.entries is not None:
            return self.entries
        size = self.ask(log.size)
        if after is not None and not -1 <= after < size:
            raise UserError(f"`after` is {after}, and the log has {size} events, from 0 on. -1 is its beginning.")
        self.followed = Followed(wanted, size if after is None else after + 1)
        return ()


@guarded(Permission.READ_LOG)
@strawberry.type(description="What can be followed, by `graphql-transport-ws` over a WebSocket to `/graphql`.")
class Subscription:
    """All that can be followed."""

    @strawberry.subscription(
        description="Every event that matches, once, in the order of `seq`, as soon as any server of this catalog has "
        "accepted it. What matches is decided then: a run that names a dataset only later is of it from then on. "
        "After an interruption go on with `after`."
    )
    async def event_accepted(
        self, info: strawberry.Info[Following, None], wanted: EventsWanted = None, after: AfterSeq = None
    ) -> AsyncGenerator[Event, None]:
        """The entries of this page, or of none while it is only looked at what is asked."""
        for row in info.context.news((wanted or EventFilterInput()).wanted(), after):
            yield Event.of(row)
