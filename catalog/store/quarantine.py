"""Bytes that are no event: kept with the reason, listed, and tried again after an upgrade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import zstandard
from sqlalchemy import Row, update

from catalog.domain.ids import digest_key
from catalog.store.dialect import insert_new
from catalog.store.engine import Read, Write
from catalog.store.rows import by_ids, storable
from catalog.store.tables import quarantine


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused and why. `size` is in bytes; `truncated` says that only the beginning was kept."""

    received_at: int
    source: str
    principal: str
    code: str
    reason: str
    pointer: str
    digest: bytes
    size: int
    body: bytes
    truncated: bool = False

    @property
    def id(self) -> int:
        """The same bytes are one row, however often they are sent."""
        return digest_key(self.digest)


def add(connection: Write, refusals: Sequence[Refusal]) -> None:
    """Keep what was refused."""
    unique = {refusal.id: refusal for refusal in reversed(refusals)}
    insert_new(
        connection,
        quarantine,
        [
            {
                "id": r.id, "received_at": r.received_at, "source": r.source, "principal": r.principal,
                "code": r.code, "reason": storable(r.reason), "pointer": storable(r.pointer), "digest": r.digest,
                "size": r.size, "body": zstandard.compress(r.body), "truncated": int(r.truncated), "retried_at": None,
            }
            for r in unique.values()
        ],
    )  # fmt: skip


def body(row: Row[Any]) -> bytes:
    """The bytes of a quarantined row."""
    return zstandard.decompress(row.body)


def get(connection: Read, ids: Sequence[int]) -> list[Row[Any]]:
    """These rows of the quarantine."""
    return by_ids(connection, quarantine, quarantine.c.id, ids)


def settle(connection: Write, id: int, at: int) -> None:
    """Note that a later try was accepted; the row stays as the record of the first."""
    connection.execute(update(quarantine).where(quarantine.c.id == id).values(retried_at=at))
