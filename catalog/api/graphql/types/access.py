"""Who is asking, and the keys by which that is known."""

from __future__ import annotations

from typing import Self

import strawberry

from catalog.api.graphql.enums import Permission, Role
from catalog.api.graphql.scalars import DateTime, moment
from catalog.domain.callers import Caller
from catalog.store.keys import Key, now


@strawberry.type(description="Whoever sent this request.")
class Viewer:
    """The caller."""

    name: str = strawberry.field(description="What the log calls you, as the `principal` of what you send.")
    role: Role = strawberry.field(description="What your key is for; ADMIN where no key is needed.")
    permissions: list[Permission] = strawberry.field(description="All that you may do.")
    namespaces: list[str] = strawberry.field(
        description="The namespaces you may write to; one with * at its end stands for all that begin so. "
        "Empty for no such limit."
    )
    key_prefix: str | None = strawberry.field(description="Which key you use; null for none.")
    expires_at: DateTime | None = strawberry.field(description="When that key ends; null for never.")

    @classmethod
    def of(cls, caller: Caller) -> Self:
        """From the domain."""
        return cls(
            name=caller.name,
            role=caller.role,
            permissions=[permission for permission in Permission if caller.may(permission)],
            namespaces=list(caller.namespaces),
            key_prefix=caller.key_prefix or None,
            expires_at=moment(caller.expires_at),
        )


@strawberry.type(description="A key, without what makes it one: that was shown once, when it was created.")
class ApiKey:
    """A key as it is stored."""

    prefix: str = strawberry.field(description="What the key is called: eight of its characters, behind `cat_`.")
    name: str = strawberry.field(description="What the log calls who uses it.")
    role: Role = strawberry.field(description="What it is for.")
    namespaces: list[str] = strawberry.field(description="The namespaces it may write to; empty for all.")
    created_at: DateTime = strawberry.field(description="When it was made.")
    created_by: str = strawberry.field(description="Who made it.")
    expires_at: DateTime | None = strawberry.field(description="When it ends; null for never.")
    revoked_at: DateTime | None = strawberry.field(description="When it was revoked; null if it was not.")
    revoked_by: str | None = strawberry.field(description="Who revoked it.")
    last_used_at: DateTime | None = strawberry.field(description="When it was used last, to the minute; null: never.")
    usable: bool = strawberry.field(description="Whether it lets anybody in now.")

    @classmethod
    def of(cls, key: Key) -> Self:
        """From a row."""
        return cls(
            prefix=key.prefix,
            name=key.name,
            role=key.role,
            namespaces=list(key.namespaces),
            created_at=DateTime(key.created_at),
            created_by=key.created_by,
            expires_at=moment(key.expires_at),
            revoked_at=moment(key.revoked_at),
            revoked_by=key.revoked_by,
            last_used_at=moment(key.last_used_at),
            usable=key.usable(now()),
        )
