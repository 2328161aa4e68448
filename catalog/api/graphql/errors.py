"""What a GraphQL client may read when something fails, and what the operator's log keeps."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any

from graphql import FieldNode, GraphQLError

if TYPE_CHECKING:
    from strawberry.schema.config import StrawberryConfig
    from strawberry.types import ExecutionContext

logger = logging.getLogger("catalog.graphql")

LINE_LENGTH = 500
"""Most characters of one log line: an error text can hold a whole query or SQL statement."""

NAME_LENGTH = 100
"""Most characters of an operation's name or a path in it, so that a long one cannot push out the cause."""

MESSAGE_LENGTH = 1000
"""Most characters of one answered message: 60 KB of query can be quoted 90 times, which makes 5 MB."""

KINDS_LOGGED = 3
"""Most distinct causes logged for one operation: 1,000 nodes can fail in 1,000 ways at once."""


class UserError(GraphQLError):
    """An error whose text is written for the client; it is the only kind a resolver's client gets to read.

    Args:
        message: one or two sentences saying what was wrong and what to do.
        code: a stable upper-case word for programs, such as `NOT_FOUND` or `FORBIDDEN`.
        extensions: further JSON values put beside the code.
    """

    def __init__(self, message: str, code: str = "BAD_REQUEST", **extensions: object) -> None:
        super().__init__(message, extensions={"code": code, **extensions})


class LimitError(UserError):
    """A query over one limit: says which, what it allows, what the query had, and what to change.

    Args:
        limit: a field name of `Limits`.
        allowed: the limit's value.
        had: what the query had, a number or words.
    """

    def __init__(self, limit: str, allowed: int, had: int | str) -> None:
        subject, advice = _SAYINGS[limit]
        super().__init__(
            f"{subject.format(had)}, more than the {allowed} allowed (CATALOG_GRAPHQL_{limit.upper()}). {advice}",
            code="LIMIT_EXCEEDED",
            limit=limit,
        )


_SAYINGS = {
    "max_tokens": ("The query has {} tokens", "Send values as variables, or split the query."),
    "max_source_bytes": ("The query is {} bytes long", "Send long values as variables."),
    "max_cost": ("The query costs {} points", "Ask for fewer items with `first`, or fewer nested lists."),
    "max_depth": ("The query is {} fields deep", "Fetch the inner objects by id in a second query."),
    "max_root_fields": ("The query has {} root fields", "Send several queries."),
    "max_aliases": ("The query has {} aliased or repeated fields", "Send several queries."),
    "max_directives": ("The query has {} directives", "Leave unwanted fields out of the query text."),
    "max_page": ("The query asks for a page of {} items", "Page with `first` and `after`."),
}


class MaskedErrors:
    """Mixin for a `strawberry.Schema` (name it first): internal errors are logged and masked.

    It lives in `process_errors`, the one place every error of every transport goes through. Strawberry's
    `MaskErrors` extension was refused: errors raised in extension hooks never reach it, and the log
    and the answer could not share an id. Errors are changed in place, because one of Strawberry's paths
    hands over a copy of the list it answers with.
    """

    config: StrawberryConfig

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log `errors` in at most three short lines and mask those not meant for the client.

        Args:
            errors: the errors about to be answered; internal ones lose their text, cause and extensions.
            execution_context: names the operation in the log.
        """
        operation = ((execution_context.operation_name if execution_context else None) or "(unnamed)")[:NAME_LENGTH]
        internal = [error for error in errors if not is_for_client(error)]
        if internal:
            error_id = secrets.token_hex(6)
            _log_internal(internal, operation, error_id)
            for error in internal:
                _mask(error, error_id)
        elif errors:
            logger.debug("%s", _line(f"{operation}: {len(errors)} error(s) of the client: {errors[0].message}"))
        for error in errors:
            if self.config.disable_field_suggestions:
                # Strawberry strips suggested fields only; arguments, types and enum values tell as much.
                error.message = error.message.partition(" Did you mean")[0]
            error.message = error.message[:MESSAGE_LENGTH]


def is_for_client(error: GraphQLError) -> bool:
    """Tell whether the text of `error` is about the client's own request.

    True for a `UserError`, and for syntax, validation, limit and coercion errors, which graphql-core
    raises before any resolver runs or pointing at an argument. A `GraphQLError` raised while executing that
    points at a whole field or nowhere is graphql-core failing to complete our own value, and may quote it.
    """
    cause = _cause(error)
    if isinstance(cause, UserError):
        return True
    if error.path is None:
        return error.nodes is not None or isinstance(cause, GraphQLError)
    return isinstance(cause, GraphQLError) and any(not isinstance(node, FieldNode) for node in cause.nodes or ())


def _cause(error: GraphQLError) -> Exception:
    """Return the exception that was raised first, below all the wrapping."""
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _mask(error: GraphQLError, error_id: str) -> None:
    error.message = f"Internal error. Quote this id to the operator: {error_id}"
    error.extensions = {"code": "INTERNAL", "errorId": error_id}
    error.original_error = error.cause = None


def _log_internal(errors: list[GraphQLError], operation: str, error_id: str) -> None:
    """Log one line per distinct cause, with its traceback where the logger is set to DEBUG."""
    kinds: dict[tuple[type, str], tuple[GraphQLError, Exception]] = {}
    for error in errors:
        cause = _cause(error)
        kinds.setdefault((type(cause), str(cause)), (error, cause))
    others = f" ({len(errors)} errors of {len(kinds)} kinds)" if len(errors) > 1 else ""
    for (kind, text), (error, cause) in list(kinds.items())[:KINDS_LOGGED]:
        path = ".".join(map(str, error.path or ()))[:NAME_LENGTH]
        trace: Any = cause if logger.isEnabledFor(logging.DEBUG) else None
        line = _line(f"{error_id}{others} {operation} at {path}: {kind.__name__}: {text}")
        logger.error("%s", line, exc_info=trace)


def _line(text: str) -> str:
    """Make one line: error texts quote the query, and a newline in it could forge a log record."""
    shown = "".join(char if char.isprintable() else " " for char in text[: LINE_LENGTH + 1])
    return shown if len(shown) <= LINE_LENGTH else shown[: LINE_LENGTH - 1] + "…"
