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


def global_id(type_name: str, key: int) -> strawberry.ID:
    """The id clients see, as Relay makes it: the type and the id within it."""
    return strawberry.ID(b64encode(f"{type_name}:{key:016x}".encode()).decode())


def parse_id(id: str) -> tuple[str, int]:
    """The type and the id within it.

    Raises:
        UserError: this is no id of the catalog.
    """
    try:
        type_name, _, digits = b64decode(id, validate=True).decode("ascii").partition(":")
        key = int(digits, 16)
    except ValueError:
        type_name, key = "", -1
    if not 0 <= key < _MOST:
        raise UserError(f"{id[:60]!r} is not an id of this catalog. Pass an `id` that a query answered.")
    return type_name, key
