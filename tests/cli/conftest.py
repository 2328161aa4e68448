"""`run("ingest", "events/")` is the command line in this process; `server` is a server that answers as it is told."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from catalog.cli import app


@dataclass(frozen=True)
class Ran:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """Of a table, without its headings."""
        return [line.split("\t") for line in self.out.splitlines()[1:]]


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command in an empty folder; `code` is the exit code expected."""
    monkeypatch.chdir(tmp_path)
    for name in ("CATALOG_DATABASE_URL", "CATALOG_API_KEY", "OPENLINEAGE_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object, code: int = 0, given: bytes | None = None) -> Ran:
        result = CliRunner().invoke(app, [str(one) for one in arguments], input=given)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return Ran(result.exit_code, result.stdout, result.stderr)

    return call


@dataclass
class Server:
    """Answers every request with the next of `answers`, the last one again and again."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def says(self, status: int, body: Any = None, **headers: str) -> Server:
        self.answers.append((status, headers, body))
        return self

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.requests]


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            told.requests.append((self.path, dict(self.headers), body))
            status, headers, answer = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            payload = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        listening.block_on_close = False
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        told.url = f"http://127.0.0.1:{listening.server_address[1]}"
        yield told
        listening.shutdown()
        thread.join()
