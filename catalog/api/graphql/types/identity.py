"""The names of a dataset: how it came by them, and which may not be its own."""

from __future__ import annotations

from typing import Self

import strawberry

from catalog.api.graphql.context import Info
from catalog.api.graphql.enums import Doubt, EventKind
from catalog.api.graphql.identity import Conflict
from catalog.api.graphql.permissions import Requires
from catalog.api.graphql.scalars import DateTime
from catalog.domain.callers import Permission
from catalog.domain.renames import Renamed
from catalog.store.read import events, identity
from catalog.store.read.events import EventRow


@strawberry.type(description="A name of a dataset.")
class DatasetName:
    """A name within a namespace."""

    namespace: str = strawberry.field(description="The namespace.")
    name: str = strawberry.field(description="The name within it.")


async def _name(info: Info, id: int) -> DatasetName:
    row = await info.context.load(identity.by_names, id)
    assert row is not None, "a name that was said has its row"  # noqa: S101 - written in the transaction that said it
    return DatasetName(namespace=row.namespace, name=row.name)


@strawberry.type(description="That a dataset was given another name. What it was before is still its own.")
class DatasetRename:
    """A rename that became true."""

    row: strawberry.Private[Renamed]
    at: DateTime = strawberry.field(description="When the run that did it completed, or the time of the event.")

    @classmethod
    def of(cls, row: Renamed) -> Self:
        """From a row."""
        return cls(row=row, at=DateTime(row.at))

    @strawberry.field(description="The name it had before.")
    async def before(self, info: Info) -> DatasetName:
        """The former name."""
        return await _name(info, self.row.previous_id)

    @strawberry.field(description="The name it was given.")
    async def after(self, info: Info) -> DatasetName:
        """The new name."""
        return await _name(info, self.row.dataset_id)

    @strawberry.field(description="The run that renamed it; null where another event says so.")
    async def run(self, info: Info) -> types.run.Run | None:
        """The run."""
        return await types.run.load(info, self.row.activity_id)


@strawberry.type(
    description="Two names that are one dataset, as somebody said, and that somebody contradicts. They stay one: which "
    "of the two is right the catalog does not guess."
)
class IdentityConflict:
    """A doubt about a name."""

    row: strawberry.Private[Conflict]
    doubt: Doubt = strawberry.field(description="Why they may not be one.")
    since: DateTime = strawberry.field(
        description="The time of the first event that contradicts: that no longer gives the name, or writes under it."
    )

    @classmethod
    def of(cls, row: Conflict) -> Self:
        """From a record."""
        return cls(row=row, doubt=row.doubt, since=DateTime(row.since))

    @strawberry.field(description="The name that said the other was its own, or that was given in its place.")
    async def name(self, info: Info) -> DatasetName:
        """The name that claims the other."""
        return await _name(info, self.row.name_id)

    @strawberry.field(description="The other name, which is in doubt.")
    async def other(self, info: Info) -> DatasetName:
        """The name in doubt."""
        return await _name(info, self.row.other_id)

    @strawberry.field(description="The run that contradicts; null where another event does.")
    async def run(self, info: Info) -> types.run.Run | None:
        """The run of the event."""
        event = await self._event(info)
        return await types.run.load(info, event.activity_id) if event and event.kind is EventKind.RUN else None

    @strawberry.field(description="The event that contradicts.", extensions=[Requires(Permission.READ_LOG)])
    async def event(self, info: Info) -> types.event.Event | None:
        """The entry of the log."""
        event = await self._event(info)
        return None if event is None else types.event.Event.of(event)

    async def _event(self, info: Info) -> EventRow | None:
        return await info.context.load(events.by_moments, (self.row.since, self.row.cause))


from catalog.api.graphql import types  # noqa: E402 - behind the classes: see the package
