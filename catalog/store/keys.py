"""Keys: made once, stored as hashes, found by what they are, revoked and never removed."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Row, Select, bindparam, or_, select, update

from catalog.domain import keys
from catalog.domain.callers import Caller, Role, grants
from catalog.domain.errors import BadRequest, UnknownEntity
from catalog.domain.ids import digest_key
from catalog.store import paging
from catalog.store.dialect import insert
from catalog.store.engine import Read, Write
from catalog.store.paging import Order, Page, Slice
from catalog.store.tables import api_key

NAME_LENGTH: Final = 200
"""Most characters of a name: every entry of the log has it."""

_ORDER: Final = Order("key", (api_key.c.created_at, api_key.c.id), descending=True)
_ALL: Final[Select[Any]] = select(api_key)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is stored. Times are microseconds since 1970 UTC; none of this lets anybody in."""

    id: int
    prefix: str
    name: str
    role: Role
    namespaces: tuple[str, ...]
    created_at: int
    created_by: str
    expires_at: int | None
    revoked_at: int | None
    revoked_by: str | None
    last_used_at: int | None

    @property
    def caller(self) -> Caller:
        """Whoever uses it."""
        return Caller(self.name, self.role, self.namespaces, self.prefix, self.expires_at)

    def usable(self, at: int) -> bool:
        """Whether it lets anybody in at this moment."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key to be made.

    Attributes:
        role: What for.
        namespaces: Grants to write to, for an ingestor; none for all.
        name: What the log calls who uses it; empty for the role and the prefix.
        expires_at: Microseconds since 1970 UTC; None for never.
    """

    role: Role
    namespaces: tuple[str, ...] = ()
    name: str = ""
    expires_at: int | None = None


def now() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1_000


def create(connection: Write, wanted: Wanted, by: Caller, at: int | None = None) -> tuple[Key, str]:
    """Make a key. The answer is what was stored, and the key itself: nobody can be told it again.

    Raises:
        BadRequest: there can be no such key.
    """
    made_at = now() if at is None else at
    name = wanted.name.strip()
    if len(name) > NAME_LENGTH or not (name.isprintable() or not name):
        raise BadRequest("That is no name of a key.", fix=f"Use up to {NAME_LENGTH} characters that can be seen.")
    if wanted.expires_at is not None and wanted.expires_at <= made_at:
        raise BadRequest("The key would be expired already.", fix="Name a moment to come.")
    allowed = grants(wanted.role, wanted.namespaces)
    secret = keys.spell("".join(secrets.choice(keys.ALPHABET) for _ in range(keys.RANDOM_LENGTH)))
    prefix, digest = keys.prefix(secret), keys.digest(secret)
    key = Key(
        digest_key(digest), prefix, name or f"{wanted.role.value}-{prefix}", wanted.role, allowed, made_at, by.name,
        wanted.expires_at, None, None, None,
    )  # fmt: skip
    insert(connection, api_key, [_row(key, digest)])
    return key, secret


def find(connection: Read, digest: bytes) -> Key | None:
    """The key with this SHA-256, also one that lets nobody in any more."""
    row = connection.execute(_ALL.where(api_key.c.id == digest_key(digest))).first()
    return _record(row) if row is not None and hmac.compare_digest(bytes(row.digest), digest) else None


def exist(connection: Read) -> bool:
    """Whether a key was ever made, usable or not: what was closed once does not open by itself."""
    return connection.execute(select(api_key.c.id).limit(1)).first() is not None


def count_usable(connection: Read, at: int | None = None) -> int:
    """How many keys let somebody in at this moment."""
    return paging.count(connection, _ALL.where(*_usable(now() if at is None else at)))


def page(connection: Read, page: Page) -> Slice[Key]:
    """Keys, the newest first."""
    return paging.paginate(connection, _ALL, _ORDER, page).each(_record)


def count(connection: Read) -> int:
    """How many there are."""
    return paging.count(connection, _ALL)


def revoke(connection: Write, named: str, by: Caller, at: int | None = None) -> Key:
    """Let a key, named by its prefix, let nobody in from now on. One that was revoked before stays as it is.

    Raises:
        UnknownEntity: there is no such key.
        BadRequest: several begin alike.
    """
    prefix = keys.prefix(named.strip())
    rows = (
        connection.execute(_ALL.where(api_key.c.prefix == prefix)).all()
        if prefix.isascii() and prefix.isalnum()
        else []
    )
    if not rows:
        # What was given may be a whole key, so it is not repeated.
        raise UnknownEntity("There is no key with this prefix.", fix="`catalog keys list` shows them.")
    if len(rows) > 1:
        raise BadRequest("Several keys have this prefix.", fix="Revoke them by their ids in the database.")
    key = _record(rows[0])
    if key.revoked_at is None:
        revoked = {"revoked_at": now() if at is None else at, "revoked_by": by.name}
        connection.execute(update(api_key).where(api_key.c.id == key.id).values(revoked))
        key = _record(connection.execute(_ALL.where(api_key.c.id == key.id)).one())
    return key


def note_used(connection: Write, used: Mapping[int, int]) -> None:
    """Note when keys (by id) were used last; an earlier moment than the one noted changes nothing."""
    statement = (
        update(api_key)
        .where(api_key.c.id == bindparam("key_id"))
        .where(or_(api_key.c.last_used_at.is_(None), api_key.c.last_used_at < bindparam("used_at")))
        .values(last_used_at=bindparam("used_at"))
    )
    if used:
        connection.execute(statement, [{"key_id": id, "used_at": at} for id, at in sorted(used.items())])


def _usable(at: int) -> tuple[ColumnElement[bool], ...]:
    return api_key.c.revoked_at.is_(None), or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > at)


def _row(key: Key, digest: bytes) -> Mapping[str, Any]:
    return {
        "id": key.id, "prefix": key.prefix, "digest": digest, "name": key.name, "role": key.role.value,
        "namespaces": orjson.dumps(key.namespaces).decode(), "created_at": key.created_at,
        "created_by": key.created_by, "expires_at": key.expires_at, "revoked_at": None, "revoked_by": None,
        "last_used_at": None,
    }  # fmt: skip


def _record(row: Row[Any]) -> Key:
    return Key(
        row.id, row.prefix, row.name, Role(row.role), tuple(orjson.loads(row.namespaces)), row.created_at,
        row.created_by, row.expires_at, row.revoked_at, row.revoked_by, row.last_used_at,
    )  # fmt: skip
