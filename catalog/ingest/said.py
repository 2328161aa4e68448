"""What one facet says, by whichever module understands it. Pure, and remembered for a while."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

import msgspec

from catalog import facets
from catalog.domain.changes import Change
from catalog.domain.ids import digest_key
from catalog.domain.projection import DELETED, FacetSaid
from catalog.domain.words import Scope


def said_by(scope: Scope, name: str, payload: bytes) -> FacetSaid:
    """What a facet says. Pipelines repeat themselves, so most were read a moment ago; large ones are not kept."""
    return (_read_before if len(payload) < _KEPT_BYTES else _read)(scope, name, payload)


def _read(scope: Scope, name: str, payload: bytes) -> FacetSaid:
    if scope in (Scope.JOB, Scope.DATASET) and _is_deleted(payload):
        return FacetSaid(None, None, DELETED)
    return FacetSaid(payload, _changes(scope, name, payload), digest_key(sha256(payload).digest()) or 1)


_KEPT_BYTES = 16 * 1024
_read_before = lru_cache(maxsize=4_096)(_read)


def _changes(scope: Scope, name: str, payload: bytes) -> tuple[Change, ...] | None:
    """What the facet means, None where no module understands it or its shape."""
    facet = facets.find(scope, name)
    if facet is None:
        return None
    try:
        return facet.changes(payload)
    except ValueError:
        return None


def _is_deleted(payload: bytes) -> bool:
    # The cheap test first: hardly any facet has the key.
    if b'"_deleted"' not in payload:
        return False
    try:
        return _deletion.decode(payload).deleted
    except ValueError:
        return False


class _Deletion(msgspec.Struct, rename={"deleted": "_deleted"}):
    deleted: bool = False


_deletion = msgspec.json.Decoder(_Deletion)
