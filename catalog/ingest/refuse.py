"""Keeping a body that was refused before any event could be told apart in it."""

from __future__ import annotations

from hashlib import sha256

from catalog.domain.errors import NotAnEvent
from catalog.ingest.accept import Received, microseconds, receipt
from catalog.store import quarantine
from catalog.store.engine import Database


def keep(database: Database, received: Received, reason: NotAnEvent) -> str:
    """Put the whole body into quarantine, durably. The answer is the receipt. Raises Unavailable."""
    digest = sha256(received.raw).digest()
    refusal = quarantine.Refusal(
        received_at=microseconds(),
        source=received.source,
        principal=received.principal,
        code=reason.code,
        reason=reason.detail,
        pointer=reason.pointer,
        digest=digest,
        size=len(received.raw),
        body=received.raw,
    )
    with database.write() as connection:
        quarantine.add(connection, [refusal])
    return receipt(digest)
