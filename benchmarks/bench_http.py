"""How fast events go in over HTTP, and how long a sender waits, against a raw insert of the same bytes.

    python benchmarks/bench_http.py [--database URL] [--events 4000] [--connections 32]

A server in a process of its own; clients that keep their connections and send one event a request, each the next when
the last is answered. The clients use a processor too, so on a small machine the server could do more than is shown.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import quantiles
from urllib.parse import urlsplit

import measuring

import histories

_SERVER = """
import os
from catalog.app import serve
from catalog.settings import Settings
serve(Settings.from_environment(os.environ), lambda url: print(url, flush=True))
"""


@contextmanager
def server(database: str) -> Iterator[tuple[str, int]]:
    """Host and port of a server of this database."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CATALOG_")}
    environ |= {"CATALOG_DATABASE_URL": database, "CATALOG_PORT": "0"}
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            url = urlsplit(process.stdout.readline().strip() if process.stdout else "")
            yield url.hostname or "", url.port or 0
        finally:
            process.terminate()


async def send(host: str, port: int, raws: Sequence[bytes], connections: int) -> list[float]:
    """Send every event once; the answer is how long each waited for its answer, in seconds."""
    waiting = iter(raws)
    took: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for raw in waiting:
            head = (
                f"POST /api/v1/lineage HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(raw)}\r\n\r\n"
            )
            began = time.perf_counter()
            writer.write(head.encode() + raw)
            answer = await reader.readuntil(b"\r\n\r\n")
            if b" 201 " not in answer[:16] and b" 200 " not in answer[:16]:
                raise RuntimeError(answer.decode())
            lengths = [line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(lengths[0].partition(b":")[2]))
            took.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return took


def measure(url: str, events: int, connections: int) -> tuple[str, ...]:
    """One run on one engine, as a row of the table."""
    known = histories.round_of("nightly")
    raws = histories.first("nightly", known + events)
    with measuring.fresh(url) as empty:
        with measuring.opened(empty) as database:
            plain = measuring.raw_insert(database, raws[known:])
        with server(empty) as (host, port):
            asyncio.run(send(host, port, raws[:known], connections))
            began = time.perf_counter()
            took = asyncio.run(send(host, port, raws[known:], connections))
            ours = events / (time.perf_counter() - began)
    middle, late, worst = quantiles(took, n=2)[0], quantiles(took, n=100)[-1], max(took)
    times = (f"{1_000 * seconds:.0f} ms" for seconds in (middle, late, worst))
    return (measuring.engine_name(url), f"{plain:,.0f}", f"{ours:,.0f}", f"{ours / plain:.3f}", *times)


def main() -> None:
    """Read the arguments, run everything, print the table."""
    arguments = measuring.asked(__doc__, 4_000, connections=32)
    print(measuring.machine())
    with measuring.engines(arguments.database) as urls:
        rows = [measure(url, arguments.events, arguments.connections) for url in urls]
    measuring.show(("engine", "raw insert/s", "over HTTP/s", "ratio", "p50", "p99", "max"), rows)


if __name__ == "__main__":
    main()
