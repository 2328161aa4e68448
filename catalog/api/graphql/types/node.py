"""What has an id of its own."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final

import strawberry

from catalog.api.graphql.errors import UserError

_MOST: Final = 1 << 63


@strawberry.interface(description="Anything with an id of its own, which `node` finds again.")
class Node:
    """Relay's node."""

    id: strawberry.ID = strawberry.field(description="An id for this in the whole catalog; opaque.")


def global_id(type_name: str, *key: int) -> strawberry.ID:
    """The id clients see, as Relay makes it: the type and the id within it, which has one number or several."""
    return strawberry.ID(b64encode(":".join([type_name, *(f"{part:016x}" for part in key)]).encode()).decode())


def parse_id(id: str) -> tuple[str, tuple[int, ...]]:
    """The type and the numbers of the id within it; that they are as many as the type has is for the caller to see.

    Raises:
        UserError: this is no id of the catalog.
    """
    try:
        type_name, *digits = b64decode(id, validate=True).decode("ascii").split(":")
        key = tuple(int(part, 16) for part in digits)
    except ValueError:
        type_name, key = "", ()
    if not key or not all(0 <= part < _MOST for part in key):
        raise UserError(f"{id[:60]!r} is not an id of this catalog. Pass an `id` that a query answered.")
    return type_name, key
