"""Why a mutation changed nothing, as it answers that: in its payload, typed, in the user's words."""

from __future__ import annotations

from typing import Self

import strawberry

from catalog.domain.errors import CatalogError, UnknownEntity


@strawberry.type(description="Why a mutation changed nothing.")
class MutationError:
    """A refusal in the user's words."""

    code: str = strawberry.field(description="The kind of error, for programs: BAD_REQUEST or NOT_FOUND.")
    message: str = strawberry.field(description="What was wrong.")
    fix: str | None = strawberry.field(description="What to do about it.")

    @classmethod
    def of(cls, error: CatalogError) -> Self:
        """From what was raised."""
        code = "NOT_FOUND" if isinstance(error, UnknownEntity) else "BAD_REQUEST"
        return cls(code=code, message=error.detail, fix=error.fix or None)
