"""What a process of the server is before it answers: where it listens, and how it looks after its memory."""

from __future__ import annotations

import gc
import socket
from typing import Final

from catalog.domain.errors import BadRequest

_BACKLOG: Final = 2048  # connections not accepted yet; clients of one job may all come at once
_YOUNG: Final = 50_000


def settle() -> None:
    """Let the collector leave alone what is there now, and look for cycles in what comes less often than by default.

    An answer of ten thousand nodes is made of a hundred thousand tuples that form none: looking for them took a seventh
    of its time. What has no cycles is freed at once all the same.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)


def url_of(listening: socket.socket) -> str:
    """The base URL of a server that listens there."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; with port 0 on any that is free. Raises BadRequest where that cannot be."""
    # With the protocol named: asyncio turns off Nagle's algorithm only where it is named.
    listening = socket.socket(
        socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        fix = "Choose another with CATALOG_HOST and CATALOG_PORT."
        raise BadRequest(f"Cannot listen on {host}, port {port}: {error.strerror}.", fix=fix) from error
    return listening


def check_address(host: str) -> None:
    """Raise BadRequest where this machine has no such address: then nobody can reach it, whatever keys there are."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            raise BadRequest(
                f"Cannot listen on {host}: {error.strerror}.", fix="Choose another address with CATALOG_HOST."
            ) from error
