"""How far sources that can be read again were taken."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from catalog.store.tables.base import metadata, ref

kafka_offset = Table(
    "kafka_offset",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("consumer_group", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    ref("next_offset"),
    # Counted up by whoever is given the partition: what an earlier owner still wants to write is refused.
    ref("epoch"),
    comment="The first message of each partition that is not in the log or the quarantine yet.",
    sqlite_with_rowid=False,
)
