"""Who is calling, and what they may do: roles, permissions, and the namespaces a key may write to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from catalog.domain.errors import BadRequest, Forbidden


class Permission(Enum):
    """Something that not everybody may do."""

    READ = "read"
    READ_LOG = "read_log"
    INGEST = "ingest"
    STEWARD = "steward"
    MANAGE_KEYS = "manage_keys"


class Role(Enum):
    """What a key is for; the values are what people write."""

    READER = "reader"
    INGESTOR = "ingestor"
    STEWARD = "steward"
    AUDITOR = "auditor"
    ADMIN = "admin"


PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.READER: frozenset({Permission.READ}),
    Role.INGESTOR: frozenset({Permission.INGEST}),
    Role.STEWARD: frozenset({Permission.READ, Permission.STEWARD}),
    Role.AUDITOR: frozenset({Permission.READ, Permission.READ_LOG}),
    Role.ADMIN: frozenset(Permission),
}
"""What each role may do; what is not here nobody may."""

_SAID: Final[Mapping[Permission, str]] = {
    Permission.READ: "read the graph",
    Permission.READ_LOG: "read raw events and the quarantine",
    Permission.INGEST: "send events",
    Permission.STEWARD: "change what the catalog says about governance",
    Permission.MANAGE_KEYS: "manage keys",
}

ANY: Final = "*"
"""At the end of a grant: whatever follows."""

GRANT_LENGTH: Final = 1_000
"""Most characters of a grant."""

MOST_GRANTS: Final = 100
"""Most grants of a key: every event that it sends is compared with them."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks or sends. It holds nothing secret, so it may be logged.

    Attributes:
        name: What the log calls the sender (`principal`).
        role: What for.
        namespaces: Grants to write to: a namespace, or its beginning and `*`. None at all means all namespaces.
        key_prefix: Which key was used; empty without one.
        expires_at: When that key ends, in microseconds since 1970 UTC; None for never.
    """

    name: str
    role: Role
    namespaces: tuple[str, ...] = ()
    key_prefix: str = ""
    expires_at: int | None = None

    @property
    def permissions(self) -> frozenset[Permission]:
        """All that may be done."""
        return PERMISSIONS[self.role]

    def may(self, permission: Permission) -> bool:
        """Whether this may be done."""
        return permission in PERMISSIONS[self.role]

    def require(self, permission: Permission) -> None:
        """Raise Forbidden, which names the roles that would do, unless this may be done."""
        if not self.may(permission):
            *others, last = (role.value for role in Role if permission in PERMISSIONS[role])
            roles = f"{', '.join(others)} or {last}" if others else last
            raise Forbidden(
                f"{self.name} has the role {self.role.value}, which may not {_SAID[permission]}.",
                fix=f"Use a key of the role {roles}.",
            )

    def may_write(self, namespace: str) -> bool:
        """Whether a grant covers this namespace."""
        return not self.namespaces or any(covers(grant, namespace) for grant in self.namespaces)


ANYONE: Final = Caller("anonymous", Role.ADMIN)
"""Whoever reaches a server on this machine alone, before the first key is made."""

LOCAL: Final = Caller("local", Role.ADMIN)
"""Whoever holds the database itself: the command line."""


def covers(grant: str, namespace: str) -> bool:
    """Whether a grant is for this namespace. Upper and lower case are not the same, as in events."""
    if grant.endswith(ANY):
        return namespace.startswith(grant.removesuffix(ANY))
    return namespace == grant


def grants(role: Role, namespaces: Iterable[str]) -> tuple[str, ...]:
    """The grants a key of this role can have, each once.

    Raises:
        BadRequest: the role takes none, there are too many, or one of them can cover nothing that is meant.
    """
    given = tuple(dict.fromkeys(namespaces))
    if given and role is not Role.INGESTOR:
        raise BadRequest(
            f"A key of the role {role.value} takes no namespaces: only what an ingestor writes is limited by them.",
            fix="Leave the namespaces out, or make it a key of the role ingestor.",
        )
    if len(given) > MOST_GRANTS:
        raise BadRequest(
            f"{len(given)} namespaces are too many: a key takes up to {MOST_GRANTS}.",
            fix="Write beginnings, such as s3://*, or make several keys.",
        )
    for grant in given:
        _check(grant)
    return given


def _check(grant: str) -> None:
    if not grant or not grant.isprintable():
        raise BadRequest(
            "A namespace is empty or cannot be seen.", fix="Write it as events have it, such as postgres://host:5432."
        )
    if len(grant) > GRANT_LENGTH:
        raise BadRequest(
            f"A namespace has {len(grant)} characters: a key takes up to {GRANT_LENGTH}.",
            fix="Write its beginning and a *, such as s3://*.",
        )
    if ANY in grant.removesuffix(ANY):
        raise BadRequest(
            f"'{grant}' has a * that is not at its end.", fix="Write a beginning and one *, such as s3://*."
        )


def spoken(grants: Sequence[str]) -> str:
    """Grants for people."""
    return ", ".join(grants) or "all"
