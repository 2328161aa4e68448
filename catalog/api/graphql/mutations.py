"""What can be changed. A mutation takes one `input` and answers what it changed, or why it did not."""

from __future__ import annotations

from typing import Annotated

import strawberry

from catalog.api.graphql import declaring
from catalog.api.graphql.context import Info
from catalog.api.graphql.declaring import (
    DeclareLineageInput,
    DeclareLineagePayload,
    RetractLineageInput,
    RetractLineagePayload,
)
from catalog.api.graphql.enums import Role
from catalog.api.graphql.permissions import guarded
from catalog.api.graphql.refusals import MutationError
from catalog.api.graphql.scalars import DateTime
from catalog.api.graphql.types.access import ApiKey
from catalog.domain.callers import Permission
from catalog.domain.errors import BadRequest, UnknownEntity
from catalog.store import keys


@strawberry.input(description="A key to be made.")
class CreateKeyInput:
    """What the key is to be."""

    role: Role = strawberry.field(description="What it is for.")
    name: str | None = strawberry.field(
        default=None, description="What the log will call who uses it; left out: the role and the key's prefix."
    )
    namespaces: list[str] | None = strawberry.field(
        default=None,
        description="Of an ingestor: the namespaces it may write to. One with * at its end stands for all that begin "
        "so. Left out: all.",
    )
    expires_at: DateTime | None = strawberry.field(default=None, description="When it ends; left out: never.")

    def wanted(self) -> keys.Wanted:
        """The same for the store."""
        return keys.Wanted(self.role, tuple(self.namespaces or ()), self.name or "", self.expires_at)


@strawberry.type(description="The key that was made.")
class CreateKeyPayload:
    """What `createKey` answers."""

    key: ApiKey | None = strawberry.field(description="What is stored of it.")
    secret: str | None = strawberry.field(description="The key itself. It is shown here and never again.")
    errors: list[MutationError] = strawberry.field(description="Why nothing was made; empty if it was.")


@strawberry.input(description="A key that is to let nobody in any more.")
class RevokeKeyInput:
    """Which one."""

    prefix: str = strawberry.field(description="Its prefix, as `keys` shows it.")


@strawberry.type(description="The key that was revoked.")
class RevokeKeyPayload:
    """What `revokeKey` answers."""

    key: ApiKey | None = strawberry.field(description="The key, as it is now.")
    errors: list[MutationError] = strawberry.field(description="Why nothing was revoked; empty if it was.")


KeyWanted = Annotated[CreateKeyInput, strawberry.argument(name="input", description="The key to be made.")]
KeyNamed = Annotated[RevokeKeyInput, strawberry.argument(name="input", description="The key to be revoked.")]
LineageWanted = Annotated[DeclareLineageInput, strawberry.argument(name="input", description="The edge, and why.")]
LineageNamed = Annotated[RetractLineageInput, strawberry.argument(name="input", description="The edge, and why.")]


@guarded(Permission.STEWARD, create_key=Permission.MANAGE_KEYS, revoke_key=Permission.MANAGE_KEYS)
@strawberry.type(description="What can be changed.")
class Mutation:
    """All mutations."""

    @strawberry.mutation(description="Make a key. The first one ever made closes a server that was open until then.")
    def create_key(self, info: Info, wanted: KeyWanted) -> CreateKeyPayload:
        """Make it, and show it this once."""
        try:
            key, secret = info.context.change(keys.create, wanted.wanted(), info.context.caller)
        except (BadRequest, UnknownEntity) as error:
            return CreateKeyPayload(key=None, secret=None, errors=[MutationError.of(error)])
        return CreateKeyPayload(key=ApiKey.of(key), secret=secret, errors=[])

    @strawberry.mutation(
        description="Let a key let nobody in: within seconds, on every server. Revoking it again changes nothing."
    )
    def revoke_key(self, info: Info, named: KeyNamed) -> RevokeKeyPayload:
        """Revoke it."""
        try:
            key = info.context.change(keys.revoke, named.prefix, info.context.caller)
        except (BadRequest, UnknownEntity) as error:
            return RevokeKeyPayload(key=None, errors=[MutationError.of(error)])
        return RevokeKeyPayload(key=ApiKey.of(key), errors=[])

    @strawberry.mutation(
        description="Say that data goes from one thing to another where no producer reports it: from a spreadsheet, by "
        "hand, in a program nobody may change. The edge is DECLARED, and says who said so and why."
    )
    def declare_lineage(self, info: Info, wanted: LineageWanted) -> DeclareLineagePayload:
        """Write it down."""
        return declaring.declare(info.context, wanted)

    @strawberry.mutation(
        description="Say that an edge somebody declared is so no more, or never was. Others stay, and as of before "
        "it is there."
    )
    def retract_lineage(self, info: Info, named: LineageNamed) -> RetractLineagePayload:
        """Write down that it is over."""
        return declaring.retract(info.context, named)
