"""A wire that can break: TCP on loopback, forwarded with whatever goes wrong on real networks.

ok          forwards
slow        forwards each piece after a delay
half_open   accepts and keeps connections, forwards nothing, says nothing
refuse      resets what is connected and everything that connects
deaf        forwards what clients say and swallows every answer: a commit nobody hears of
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

_PIECE = 65_536


class Proxy:
    """Forwards connections to `target`, a (host, port) or a Unix socket."""

    def __init__(self, target: tuple[str, int] | Path) -> None:
        """Listens at once on `port` of 127.0.0.1."""
        self._target = target
        self._mode, self._delay = "ok", 0.0
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port: int = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.break_with("refuse")
        for thread in self._threads:
            thread.join(10)

    def break_with(self, mode: str, delay: float = 0.0) -> None:
        """From now on, go wrong in this way; what is half open or deaf stays so until it is reset."""
        with self._changed:
            self._mode, self._delay = mode, delay
            doomed = list(self._open) if mode in {"ok", "refuse"} and delay == 0 else []
            self._changed.notify_all()
        for one in doomed:
            _reset(one)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._threads.append(threading.Thread(target=self._connect, args=(client,), daemon=True))
                self._threads[-1].start()

    def _connect(self, client: socket.socket) -> None:
        try:
            server = self._reach() if self._mode != "refuse" else None
        except OSError:
            server = None
        if server is None:
            _reset(client)
            client.close()
            return
        with self._changed:
            self._open |= {client, server}
        answers = threading.Thread(target=self._forward, args=(server, client, "answers"), daemon=True)
        answers.start()
        self._forward(client, server, "words")
        answers.join()
        with self._changed:
            self._open -= {client, server}
        client.close()
        server.close()

    def _reach(self) -> socket.socket:
        if isinstance(self._target, Path):
            reached = socket.socket(socket.AF_UNIX)
            reached.connect(str(self._target))
            return reached
        return socket.create_connection(self._target)

    def _forward(self, source: socket.socket, target: socket.socket, what: str) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                with self._changed:
                    if self._delay:
                        self._changed.wait(self._delay)
                    swallowed = self._mode == "half_open" or (self._mode == "deaf" and what == "answers")
                if not swallowed:
                    target.sendall(piece)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _reset(connection: socket.socket) -> None:
    """End it at once, with RST where it is closed: as a machine that lost its memory would."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
