"""The log: append-only, dense, and all that is needed to prove it."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table

from catalog.store.tables.base import at, blob, key, metadata, ref, small, text

log_entry = Table(
    "log_entry",
    metadata,
    # What is eight bytes long comes first: PostgreSQL would fill the gaps before it.
    key("seq"),
    at("event_time"),
    at("received_at"),
    # The first 63 bits of the digest carry the index; the whole digest is compared, so a collision is seen.
    ref("digest_key"),
    ref("activity_id"),
    ref("subject_id"),
    Column("period", Integer, nullable=False),
    small("kind"),
    small("event_type"),
    blob("digest"),
    text("principal"),
    text("source"),
    # NULL while the body is there: what it commits to and the salt say it. Whoever erases a body writes it first.
    # With it the rest of the row says what the leaf hashes.
    blob("payload_commit", null=True),
    # NULL: projected. Otherwise why the graph does not have it; the entry itself is never refused.
    text("failure", null=True),
    Index("ix_log_entry_digest_key", "digest_key"),
    Index("ix_log_entry_activity", "activity_id", "event_time"),
    # By the period and not by the time: PostgreSQL keeps what is equal once, and the index is a quarter as large.
    Index("ix_log_entry_subject", "subject_id", "period"),
    comment="Everything that was accepted, in the order it was accepted.",
)

log_body = Table(
    "log_body",
    metadata,
    key("seq"),
    small("dictionary"),
    blob("salt"),
    blob("body"),
    comment=(
        "The bytes as received, and the salt of their commitment: deleting a row erases them for good. "
        "The commitment stays."
    ),
)

log_node = Table(
    "log_node",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("position", key().type, primary_key=True, autoincrement=False),
    blob("hash"),
    comment="Hashes of complete subtrees (RFC 9162), every fourth level; insert-only.",
    sqlite_with_rowid=False,
)

log_head = Table(
    "log_head",
    metadata,
    key("id"),
    text("origin"),
    ref("size"),
    blob("peaks"),
    # How often the graph was changed without a new entry; with the size it says which graph there is.
    Column("mended", key().type, nullable=False, server_default="0"),
    comment="One row per log: its lock, its size and the right edge of its tree.",
)

quarantine = Table(
    "quarantine",
    metadata,
    key("id"),
    at("received_at"),
    text("source"),
    text("principal"),
    text("code"),
    text("reason"),
    text("pointer"),
    blob("digest"),
    ref("size"),
    blob("body"),
    small("truncated"),
    at("retried_at", null=True),
    Index("ix_quarantine_received_at", "received_at", "id"),
    comment="Bytes that are no event, with the reason. Nothing that was received is lost.",
)
