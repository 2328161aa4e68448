"""Leaves of the log's tree: what an entry hashes, when it comes in and when it is proved to be there.

No leaf is stored. The row of the entry says all but the commitment, and that the body does with its salt, or, when
they were erased, the row: so a row or a body that somebody changed no longer fits the tree.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from catalog.domain.words import EventKind
from catalog.evidence.commitment import commit, entry_bytes
from catalog.evidence.merkle import NodeKey, leaf_hash
from catalog.store import log
from catalog.store.engine import Read


def leaf(origin: str, kind: EventKind, received_at: int, principal: str, commitment: bytes) -> bytes:
    """The hash of an entry.

    Args:
        origin: the name of the log.
        kind: of the event.
        received_at: microseconds since 1970 UTC.
        principal: who sent it.
        commitment: to its bytes, 32 bytes.
    """
    ours = kind is EventKind.RECORD
    envelope = entry_bytes(
        log=origin,
        type="record" if ours else "event",
        subject=f"urn:{'lineage-catalog' if ours else 'openlineage'}:{kind.name.lower()}",
        recorded_at=received_at,
        actor=principal,
        payload_alg="jcs" if ours else "raw",
        payload_commit=commitment,
    )
    return leaf_hash(envelope)


def leaves(connection: Read, seqs: Collection[int]) -> dict[int, bytes]:
    """The hashes of these entries; missing where there is neither a body nor a commitment."""
    origin = log.origin(connection)
    return {
        entry.seq: leaf(origin, EventKind(entry.kind), entry.received_at, entry.principal, commitment)
        for entry in log.sealed(connection, seqs)
        if (commitment := commit(*entry.body) if entry.body else entry.commitment) is not None
    }


def nodes(connection: Read, keys: Sequence[NodeKey]) -> dict[NodeKey, bytes]:
    """Hashes of the tree, for proofs: a `NodeReader`."""
    found = leaves(connection, [place for level, place in keys if level == 0])
    return {(0, seq): hash for seq, hash in found.items()} | log.subtrees(connection, [key for key in keys if key[0]])
