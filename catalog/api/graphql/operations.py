"""One operation that was answered, in few words: for its line in the log, and for the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graphql import GraphQLError, get_operation_ast

from catalog.api.graphql.limits import Limits, parsed

INVALID: Final = "invalid"
"""The kind of what cannot be executed, and the rule it is rejected by unless it is over a limit."""

_DENIED: Final = frozenset({"FORBIDDEN", "UNAUTHENTICATED"})


@dataclass(frozen=True, slots=True)
class Operation:
    """What kind it was, how long it took, and what it was refused for; never a word that a client chose.

    Attributes:
        kind: query, mutation, subscription or invalid.
        seconds: Of executing it.
        rules: The limits it is over, or `invalid`; none if it was executed.
        denied: The caller may not have something that was asked for.
    """

    kind: str
    seconds: float
    rules: frozenset[str] = frozenset()
    denied: bool = False


def answered(
    query: str, name: str | None, limits: Limits, seconds: float, errors: Sequence[GraphQLError] | None
) -> Operation:
    """What there is to say of an operation and its errors."""
    extensions = [error.extensions or {} for error in errors or ()]
    rules = frozenset(str(each["limit"]) for each in extensions if "limit" in each)
    denied = any(each.get("code") in _DENIED for each in extensions)
    kind = INVALID
    # An error without a path was found before anything was executed.
    if not errors or any(error.path is not None for error in errors):
        definition = get_operation_ast(parsed(query, limits.max_tokens), name)
        kind = definition.operation.value if definition else INVALID
    elif not rules:
        rules = frozenset({INVALID})
    return Operation(kind, seconds, rules, denied)
