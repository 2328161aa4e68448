"""The server as a process of its own, for tests that kill it, stop it, or watch its memory."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from threading import Event, Thread
from typing import Any, Final, Self
from urllib.parse import urlsplit

import psutil

from catalog.app import serve
from catalog.settings import Settings

MIB: Final = 1024 * 1024

_PROGRAM: Final = """
import os
from catalog.app import serve
from catalog.settings import Settings
serve(Settings.from_environment(os.environ), lambda url: print(url, flush=True))
"""

FORKING: Final = multiprocessing.get_context("forkserver")
"""Processes from one that has imported the catalog: from nothing, each would take a second of a processor more."""

FORKING.set_forkserver_preload(["catalog.app", "psutil"])


class _Forked:
    """What tests need of `subprocess.Popen`, of a server forked from a process that has imported the catalog."""

    def __init__(self, environ: Mapping[str, str], stderr: str) -> None:
        self.said, saying = FORKING.Pipe(duplex=False)
        self._process = FORKING.Process(target=_serve, args=(environ, stderr, saying), daemon=True)
        self._process.start()
        saying.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def read_line(self) -> str:
        try:
            return str(self.said.recv())
        except EOFError:
            return ""

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def wait(self, seconds: float) -> int:
        self._process.join(seconds)
        assert self.returncode is not None, f"It is still there after {seconds} s."
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self._process.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def communicate(self) -> None:
        self.said.close()
        self._process.close()


def _serve(environ: Mapping[str, str], stderr: str, saying: Connection) -> None:
    """What `_PROGRAM` does."""
    os.dup2(os.open(stderr, os.O_WRONLY | os.O_APPEND), 2)
    os.environ.clear()
    os.environ.update(environ)
    warnings.simplefilter("error")
    serve(Settings.from_environment(os.environ), saying.send)


class Server:
    """A process that serves one database."""

    def __init__(self, database_url: str, *, cold: bool = False, under: Sequence[str] = (), **settings: str) -> None:
        """Returns when requests are answered; `ready_after` says after how many seconds that was.

        `cold` starts it from nothing, as a user does: a second of a processor more. `under` is a command that runs the
        command behind it, cold.
        """
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CATALOG_")}
        environ |= {"CATALOG_DATABASE_URL": database_url, "CATALOG_PORT": "0", **settings}
        begun = time.monotonic()
        # A file: nobody reads a pipe while the test goes on, and a full one stops whoever writes a log line.
        self._stderr = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed with the server
        self.process: subprocess.Popen[str] | _Forked
        if cold or under:
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                [*under, sys.executable, "-W", "error", "-c", _PROGRAM],
                env=environ,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                text=True,
            )
            assert self.process.stdout is not None
            self.url = self.process.stdout.readline().strip()
        else:
            self.process = _Forked(environ, self._stderr.name)
            self.url = self.process.read_line()
        assert self.url, self.complained()
        self.ready_after = time.monotonic() - begun

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.process.communicate()
        self._stderr.close()

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def connect(self, timeout: float = 15) -> HTTPConnection:
        return HTTPConnection(str(urlsplit(self.url).hostname), self.port, timeout=timeout)

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and content of the answer; headers with `_` for `-`."""
        connection = self.connect()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named, encode_chunked="Transfer_Encoding" in headers)
            response = connection.getresponse()
            content = response.read()
            is_json = "json" in (response.getheader("content-type") or "")
            return response.status, json.loads(content) if is_json else content
        finally:
            connection.close()

    def stop(self) -> float:
        """Ask it to stop; the seconds that took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)
        return time.monotonic() - begun

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()
        self.process.wait(15)

    def complained(self) -> str:
        """What it has written to standard error so far."""
        # Not seek(): the server writes where this file is read.
        return os.pread(self._stderr.fileno(), MIB, 0).decode()

    def resident(self) -> int:
        """Bytes of memory it has."""
        return int(psutil.Process(self.process.pid).memory_info().rss)


@contextmanager
def peak_of(server: Server) -> Iterator[Callable[[], int]]:
    """How many bytes of memory more than at the beginning the server had at most."""
    before, done, most = server.resident(), Event(), [0]

    def watch() -> None:
        while not done.wait(0.005):
            most[0] = max(most[0], server.resident() - before)

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield lambda: most[0]
    finally:
        done.set()
        watcher.join()
