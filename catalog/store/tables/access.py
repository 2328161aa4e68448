"""Who may connect. No view of the log: `rebuild` leaves it alone, copies and backups carry it."""

from __future__ import annotations

from sqlalchemy import Index, Table

from catalog.store.tables.base import at, blob, key, metadata, text

api_key = Table(
    "api_key",
    metadata,
    # The first bits of the digest, so that a key is found by what it is.
    key(),
    text("prefix"),
    blob("digest"),
    text("name"),
    text("role"),
    # A JSON array; empty for all namespaces.
    text("namespaces"),
    at("created_at"),
    text("created_by"),
    at("expires_at", null=True),
    at("revoked_at", null=True),
    text("revoked_by", null=True),
    at("last_used_at", null=True),
    Index("ix_api_key_prefix", "prefix"),
    Index("ix_api_key_created_at", "created_at", "id"),
    comment="Keys by their hashes: no row lets anybody in. A revoked key keeps its row.",
)
