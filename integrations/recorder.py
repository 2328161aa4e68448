"""A stand-in for the catalog that only writes down what producers send.

    python integrations/recorder.py --port 0 --out events.ndjson

Standard library only, so that it runs inside any producer's environment.
"""

import argparse
import gzip
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path

ROUTE = "/api/v1/lineage"


class Recorder(ThreadingHTTPServer):
    """Appends every event body posted to `/api/v1/lineage` to one file, a line each, in order of arrival."""

    def __init__(self, port: int, out: Path) -> None:
        """Listen on the loopback interface.

        Args:
            port: TCP port; 0 takes a free one.
            out: File to append to; created if missing.
        """
        self._out = out
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """What a producer is given as its OpenLineage URL."""
        return f"http://127.0.0.1:{self.server_port}"

    def append(self, body: bytes) -> None:
        """Write one body as one line; safe to call from several threads."""
        with self._lock, self._out.open("ab") as file:
            file.write(one_line(body) + b"\n")


class _Handler(BaseHTTPRequestHandler):
    server: Recorder
    protocol_version = "HTTP/1.1"  # 1.0 has no chunked bodies, and would cost a connection per event

    def do_POST(self) -> None:
        body = _body(self.rfile, self.headers)
        if self.path.rstrip("/") != ROUTE:
            self._answer(HTTPStatus.NOT_FOUND)
            return
        try:
            if self.headers.get("Content-Encoding", "").lower() == "gzip":
                body = gzip.decompress(body)
            self.server.append(body)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            self._answer(HTTPStatus.BAD_REQUEST, str(error))
        else:
            self._answer(HTTPStatus.CREATED)

    def _answer(self, status: HTTPStatus, text: str = "") -> None:
        payload = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the producers' own output is what one wants to see."""


def one_line(body: bytes) -> bytes:
    """The body itself where it is a single line, else the same JSON without its line breaks.

    Raises:
        ValueError: The body spans several lines and is no JSON.
    """
    body = body.strip()
    if b"\n" not in body and b"\r" not in body:
        return body
    return json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()


def _body(stream: BufferedIOBase, headers: Message) -> bytes:
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        return b"".join(_chunks(stream))
    return stream.read(int(headers.get("Content-Length", 0)))


def _chunks(stream: BufferedIOBase) -> Iterator[bytes]:
    while size := int(stream.readline().partition(b";")[0], 16):
        yield stream.read(size)
        stream.readline()
    while stream.readline().strip():  # trailers end with an empty line
        pass


@contextmanager
def recording(out: Path, port: int = 0) -> Iterator[Recorder]:
    """Record into `out` while the block runs.

    Args:
        out: File to append to.
        port: TCP port; 0 takes a free one.

    Yields:
        The running recorder; `url` is where to send.
    """
    with Recorder(port, out) as recorder:
        thread = threading.Thread(target=recorder.serve_forever, daemon=True)
        thread.start()
        try:
            yield recorder
        finally:
            recorder.shutdown()
            thread.join()


def main() -> None:
    """Record until interrupted."""
    parser = argparse.ArgumentParser(description="Record OpenLineage events as NDJSON.")
    parser.add_argument("--port", type=int, default=0, help="TCP port, 0 for a free one")
    parser.add_argument("--out", type=Path, required=True, help="NDJSON file to append to")
    arguments = parser.parse_args()
    with recording(arguments.out, arguments.port) as recorder:
        print(recorder.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"recorded to {arguments.out}")


if __name__ == "__main__":
    main()
