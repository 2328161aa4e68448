"""Errors as problem documents (RFC 9457): what, where, why, how to fix it, and the receipt of what was kept."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Final, cast

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from catalog.api.requests import current
from catalog.domain.errors import (
    BadRequest,
    CatalogError,
    Forbidden,
    NotAnEvent,
    NotDurable,
    NotMigrated,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnknownEntity,
)

logger = logging.getLogger("catalog.http")

_TYPE: Final = "urn:lineage-catalog:problem:"
_OCCURRENCE: Final = "urn:lineage-catalog:error:"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem document; members that are empty are left out of it.

    Attributes:
        type: What kind of problem, a URN that never changes.
        title: The same for people.
        status: The HTTP status.
        detail: What was wrong this time.
        code: A finer word for programs: of bytes that are no event `parse`, `shape`, `limit` …
        pointer: Where in the body, a JSON pointer.
        fix: What to do about it.
        receipt: Under which the bytes were kept.
        instance: Names an internal error in the operator's log.

    The answer has a member `request` besides: the id under which the log has it.
    """

    type: str
    title: str
    status: int
    detail: str = ""
    code: str = ""
    pointer: str = ""
    fix: str = ""
    receipt: str = ""
    instance: str = ""

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """The answer to send."""
        members = {name: value for name, value in asdict(self).items() if value}
        if request := current():
            members["request"] = request.id
        return Response(
            orjson.dumps(members),
            self.status,
            {"Cache-Control": "no-store", **(headers or {})},
            media_type="application/problem+json",
        )


# Of each error in the domain: status, the last part of its type, and its title.
_KINDS: Final[Mapping[type[CatalogError], tuple[HTTPStatus, str, str]]] = {
    NotAnEvent: (HTTPStatus.BAD_REQUEST, "not-an-event", "Not an OpenLineage event"),
    BadRequest: (HTTPStatus.BAD_REQUEST, "bad-request", "Bad request"),
    Unauthenticated: (HTTPStatus.UNAUTHORIZED, "unauthenticated", "A key is needed"),
    Forbidden: (HTTPStatus.FORBIDDEN, "forbidden", "Not allowed"),
    UnknownEntity: (HTTPStatus.NOT_FOUND, "unknown-entity", "No such thing in the catalog"),
    TooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", "Too large"),
    # Not 429: the clients of OpenLineage lose an event on that, and 503 is the one status that all of them retry.
    Unavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "Cannot be taken now"),
    NotMigrated: (HTTPStatus.SERVICE_UNAVAILABLE, "not-migrated", "The database has another version"),
    NotDurable: (HTTPStatus.SERVICE_UNAVAILABLE, "not-durable", "The database may lose what it acknowledged"),
}


class Problems:
    """Answers errors. `retry_after` is the number of seconds that a 503 asks its client to wait."""

    def __init__(self, retry_after: int) -> None:
        self._retry_after = str(retry_after)

    def answer(self, error: CatalogError, receipt: str = "") -> Response:
        """The answer to an error of the domain; an internal error if it is of a kind that no sender can cause."""
        kind = next((_KINDS[base] for base in type(error).__mro__ if base in _KINDS), None)
        if kind is None:
            return _internal(error)
        status, name, title = kind
        problem = Problem(
            _TYPE + name,
            title,
            status,
            detail=_public_detail(error, status),
            code=error.code if isinstance(error, NotAnEvent | Forbidden) else "",
            pointer=error.pointer if isinstance(error, NotAnEvent | Forbidden) else "",
            fix=error.fix or ("Send it again after `Retry-After`." if isinstance(error, Unavailable) else ""),
            receipt=receipt,
        )
        return problem.response(self._headers(status))

    def _headers(self, status: HTTPStatus) -> Mapping[str, str]:
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            return {"Retry-After": self._retry_after}
        return {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}

    def handlers(self) -> dict[type[Exception], ExceptionHandler]:
        """What Starlette is to do with exceptions, wherever they are raised."""

        async def of_domain(_: Request, error: Exception) -> Response:
            return self.answer(cast("CatalogError", error))

        return {
            CatalogError: of_domain,
            HTTPException: _of_http,
            ClientDisconnect: _of_nobody,
            Exception: _of_program,
        }


async def _of_http(_: Request, error: Exception) -> Response:
    refused = cast("HTTPException", error)
    phrase = HTTPStatus(refused.status_code).phrase
    if refused.status_code in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        return Response(status_code=refused.status_code, headers=refused.headers)
    name = phrase.lower().replace(" ", "-")
    detail = "" if refused.detail == phrase else refused.detail
    return Problem(_TYPE + name, phrase, refused.status_code, detail).response(refused.headers)


async def _of_nobody(_: Request, __: Exception) -> Response:
    """The client went away while sending: the answer is for nobody, and nothing went wrong here."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def _of_program(_: Request, error: Exception) -> Response:
    return _internal(error)


def _internal(error: Exception) -> Response:
    """Our own fault: the log has all of it, the client an id to quote."""
    instance = _OCCURRENCE + secrets.token_hex(6)
    logger.error("%s", instance, exc_info=error)
    return Problem(
        _TYPE + "internal",
        "Internal error",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        detail="Something went wrong that is not the request's fault.",
        fix="Quote the instance to the operator: the log has the cause under it.",
        instance=instance,
    ).response()


def _public_detail(error: CatalogError, status: HTTPStatus) -> str:
    """What a stranger may read: of our own troubles not the driver's words, which name hosts, users and files."""
    wraps_another = status >= HTTPStatus.INTERNAL_SERVER_ERROR and error.__cause__ is not None
    return (type(error).__doc__ or "") if wraps_another else error.detail
