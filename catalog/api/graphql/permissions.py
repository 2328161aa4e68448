"""Who may ask for which field. A field of a root that nobody thought of needs what the others need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from strawberry.extensions import FieldExtension
from strawberry.extensions.field_extension import AsyncExtensionResolver, SyncExtensionResolver
from strawberry.utils.await_maybe import await_maybe

from catalog.api.graphql.context import Info, in_user_words
from catalog.domain.callers import Permission

Root = TypeVar("Root", bound=type)


class Requires(FieldExtension):
    """Answers a field only to callers with this permission; to others, which role would do."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    def resolve(self, next_: SyncExtensionResolver, source: Any, info: Info, **arguments: Any) -> Any:  # noqa: ANN401 - Strawberry's own
        """Check, then go on."""
        self._check(info)
        return next_(source, info, **arguments)

    async def resolve_async(self, next_: AsyncExtensionResolver, source: Any, info: Info, **arguments: Any) -> Any:  # noqa: ANN401 - as above
        """Check, then go on."""
        self._check(info)
        # What a subscription has is a generator, and not awaited.
        return await await_maybe(next_(source, info, **arguments))

    def _check(self, info: Info) -> None:
        with in_user_words():
            info.context.caller.require(self.permission)


def guarded(otherwise: Permission, **needs: Permission | None) -> Callable[[Root], Root]:
    """Guard every field of a root type.

    Args:
        otherwise: what a field needs that is not named.
        needs: what a field (by its name in Python) needs; None for nothing.
    """

    def guard(root: Root) -> Root:
        fields = {field.python_name: field for field in root.__strawberry_definition__.fields}  # type: ignore[attr-defined] # Strawberry's decorator has set it
        if unknown := needs.keys() - fields.keys():
            raise ValueError(f"no such fields: {sorted(unknown)}")
        for name, field in fields.items():
            permission = needs.get(name, otherwise)
            if permission is not None:
                field.extensions.append(Requires(permission))
        return root

    return guard
