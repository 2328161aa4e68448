"""What a client sends to have an operation executed: the same by POST and over a WebSocket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from catalog.domain.errors import BadRequest

_SHAPE: Final = 'Send {"query": "{ … }", "variables": {}, "operationName": null}.'


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation as it was sent; nothing about it was looked at yet but its shape."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


def asked_in(said: object) -> Asked:
    """The operation in a JSON value.

    Raises:
        BadRequest: it is no GraphQL request.
    """
    if not isinstance(said, dict):
        raise BadRequest("The body is not a JSON object.", fix=_SHAPE)
    query, variables, name = said.get("query"), said.get("variables"), said.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise BadRequest("There is no `query`.", fix=_SHAPE)
    if not isinstance(variables, dict | None):
        raise BadRequest("`variables` is not an object.", fix=_SHAPE)
    if not isinstance(name, str | None):
        raise BadRequest("`operationName` is not a text.", fix=_SHAPE)
    return Asked(query, variables, name)


def not_json(error: ValueError) -> BadRequest:
    """What to answer to bytes that are no JSON at all."""
    return BadRequest(f"The body is not JSON: {error}.", fix=_SHAPE)
