"""A catalog on another machine, spoken to by HTTP and with patience.

With the standard library alone: the client is needed for two requests, and `import` time is what a user waits for.
"""

from __future__ import annotations

import gzip
import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, Self
from urllib.parse import urlsplit

import orjson

from catalog.cli.console import say
from catalog.domain.errors import BadRequest, CatalogError, Unavailable

TIMEOUT_SECONDS: Final = 60
TRIES: Final = 8

# Where a later try may do: the server is full, starting, stopping, or something between it and us is.
_LATER: Final = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_LONGEST_WAIT_SECONDS: Final = 30.0
_WORTH_PACKING_BYTES: Final = 1_400


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said. `body` is what its JSON says, the text where it is none, None where there is nothing."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether it did what was asked."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def reason(self) -> str:
        """Why it did not: from a problem document (RFC 9457) if it sent one."""
        said = self.body
        if isinstance(said, Mapping):
            said = said.get("detail") or said.get("title") or said.get("message")
        return str(said or f"The server answered {self.status}.")[:500]


class Remote:
    """One server, over one connection that is opened again when it breaks.

    What is sent may arrive twice, when only the answer was lost: send nothing where that matters.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        """Raises BadRequest for what is no URL of a server."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadRequest(f"{url} is no URL of a server.", fix="Write it like http://localhost:8180.")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.url = url
        self._base = parts.path.rstrip("/").removesuffix("/api/v1/lineage")
        self._connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
        self._key = key
        self._packs = True
        self._reached = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        """Send a body, again and again where the server says later or goes away.

        Raises:
            Unavailable: it could not be reached, or said later every time.
            CatalogError: it wants a key, or another one.
        """
        for number in range(1, TRIES + 1):
            wait = min(0.5 * 2**number, _LONGEST_WAIT_SECONDS)
            try:
                answer, asked = self._post_once(path, body, content_type)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                why = f"{self.url} cannot be reached: {error or type(error).__name__}."
                if not self._reached:
                    raise Unavailable(why, fix="Is the server running (`catalog serve`), and the URL right?") from error
            else:
                self._reached = True
                if answer.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE and self._packs:
                    self._packs = False
                    continue
                if answer.status not in _LATER:
                    return _welcome(answer)
                why = f"{self.url} cannot take this now: {answer.reason}"
                wait = min(asked or wait, _LONGEST_WAIT_SECONDS)
            if number < TRIES:
                say(f"{why} Trying again in {wait:g} s.")
                time.sleep(wait)
        raise Unavailable(why, fix="Send it again later; what has arrived already will not count twice.")

    def _post_once(self, path: str, body: bytes, content_type: str) -> tuple[Answer, float | None]:
        headers = {"Content-Type": content_type, "Accept": "application/json", "User-Agent": "lineage-catalog"}
        if self._packs and len(body) > _WORTH_PACKING_BYTES:
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._connection.request("POST", self._base + path, body, headers)
        response = self._connection.getresponse()
        return Answer(response.status, _read(response)), _seconds(response.headers.get("Retry-After"))


def _read(response: http.client.HTTPResponse) -> Any:  # noqa: ANN401 - whatever the JSON says
    text = response.read()
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return text.decode(errors="replace")


def _welcome(answer: Answer) -> Answer:
    said = answer.body if isinstance(answer.body, Mapping) else {}
    # A receipt says that this one event was not for this key; the next may be.
    closed = answer.status == HTTPStatus.FORBIDDEN and not said.get("receipt")
    if closed or answer.status == HTTPStatus.UNAUTHORIZED:
        another = str(said.get("fix", "")) if closed else ""
        raise CatalogError(answer.reason, fix=another or "Pass a key with --api-key or in CATALOG_API_KEY.")
    return answer


def _seconds(retry_after: str | None) -> float | None:
    """Seconds until the moment a Retry-After header names: it may be a number or a date."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
