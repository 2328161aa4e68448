"""The bytes of a body on their way in: how many may be held at once, how many come out, what is kept of too many."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from threading import Lock
from typing import Final

from catalog.domain.errors import NotAnEvent, TooLarge, Unavailable

KEPT: Final = 64 * 1024
"""Bytes of a body over the limit that go into quarantine."""

_SLICE: Final = 64 * 1024  # compressed bytes looked at together: what follows a member is copied for each member
_PIECE: Final = 1024 * 1024  # bytes decompressed together
_MEMBERS: Final = 10_000  # gzip members in one body: each costs time before it gives a byte

# A client that is still sending does not read its answer. So a body that is too large is read on for a while and
# thrown away: up to so many times the limit, for so many seconds.
_READ_ON_TIMES: Final = 4
_READ_ON_SECONDS: Final = 5.0

Grow = Callable[[int], None]
"""Told of so many bytes before they are kept; raises Unavailable when that is too much for all requests together."""


class Budget:
    """The bytes that all requests together may hold."""

    def __init__(self, limit: int) -> None:
        self._limit = self._free = limit
        self._lock = Lock()

    @property
    def held(self) -> int:
        """The bytes they hold now."""
        return self._limit - self._free

    @contextmanager
    def hold(self) -> Iterator[Grow]:
        """A function that takes so many bytes more; all it took are given back at the end."""
        held = 0

        def grow(size: int) -> None:
            nonlocal held
            with self._lock:
                if size > self._free:
                    raise Unavailable("More bytes are being received than the server keeps in memory at once.")
                self._free -= size
                held += size

        try:
            yield grow
        finally:
            with self._lock:
                self._free += held


def gunzip(compressed: bytes, limit: int, grow: Grow) -> bytes:
    """Decompress a gzip body of one member or several.

    Args:
        compressed: All of the body.
        limit: Bytes that may come out.
        grow: Told of them before they are kept.

    Raises:
        TooLarge: more would come out; not much more than `limit` was made.
        NotAnEvent: it is not gzip, damaged, or ends early.
    """
    plain = BytesIO()
    try:
        for piece in _decompressed(BytesIO(compressed)):
            if plain.tell() + len(piece) > limit:
                raise TooLarge(f"The body has more than {limit} bytes when decompressed.")
            grow(len(piece))
            plain.write(piece)
    except (zlib.error, EOFError) as error:
        fix = "Compress it again, or send it without Content-Encoding."
        raise NotAnEvent(f"The body is not sound gzip: {error}.", code="encoding", fix=fix) from None
    return plain.getvalue()


def _decompressed(source: BytesIO) -> Iterator[bytes]:
    rest = b""
    for _ in range(_MEMBERS):
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            rest = rest or source.read(_SLICE)
            piece = member.decompress(rest, _PIECE)
            if not (rest or piece or member.eof):
                raise EOFError("it ends early")
            yield piece
            rest = member.unconsumed_tail
        rest = member.unused_data
        while not (rest := rest.lstrip(b"\0")):  # zeros are padding, block devices leave it
            if not (rest := source.read(_SLICE)):
                return
    raise TooLarge(f"The body has more than {_MEMBERS} gzip members.")


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is kept of a body over a limit: its first bytes as they were sent, and what was seen of all of it."""

    head: bytes
    size: int
    digest: bytes


async def read_on(begun: bytes, stream: AsyncIterator[bytes], limit: int) -> Beginning:
    """Read what follows `begun` without keeping it, until several times the limit was seen or time is up."""
    size, digest = len(begun), sha256(begun)
    with suppress(TimeoutError):
        async with asyncio.timeout(_READ_ON_SECONDS):
            async for piece in stream:
                size += len(piece)
                digest.update(piece)
                if size > limit * _READ_ON_TIMES:
                    break
    return Beginning(begun[:KEPT], size, digest.digest())
