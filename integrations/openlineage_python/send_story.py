"""Send the story through the OpenLineage Python client.

Example: `python send_story.py --url http://127.0.0.1:8180 --transport async_http --no-gzip`.

By Kafka it goes to the broker that `--bootstrap` names. Where there is none it goes to one of our own, and what arrived
there is posted to `--url`, byte for byte.
"""

import argparse
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from broker import Broker
from openlineage.client import OpenLineageClient
from openlineage.client.transport.async_http import AsyncHttpTransport
from story import story

TOPIC = "openlineage"
TRANSPORTS = ("http", "async_http", "kafka", "composite")


@dataclass(frozen=True)
class Places:
    """Where events can go: the base URL of a catalog, a broker, a file."""

    url: str
    bootstrap: str
    file: Path
    gzip: bool

    def transport(self, name: str) -> dict:
        """The configuration of a transport, as OPENLINEAGE_CONFIG or the client's argument has it."""
        match name:
            case "kafka":
                return {"type": "kafka", "topic": TOPIC, "config": {"bootstrap.servers": self.bootstrap}, "flush": True}
            case "file":
                return {"type": "file", "log_file_path": str(self.file), "append": True}
            case "composite":
                parts = {part: self.transport(part) for part in ("http", "kafka", "file")}
                return {"type": "composite", "transports": parts, "continue_on_failure": False}
        return {"type": name, "url": self.url} | ({"compression": "gzip"} if self.gzip else {})


def send(transport: str, places: Places) -> int:
    """Send every event and wait until all are answered.

    Args:
        transport: `http` sends one event after the other and raises at the first refusal; `async_http` sends
            many at a time, in no promised order; `kafka` waits for each; `composite` sends by HTTP, to Kafka and to
            a file.
        places: Where to.

    Returns:
        How many events were sent.

    Raises:
        RuntimeError: Not every event was accepted.
    """
    client = OpenLineageClient(config={"transport": places.transport(transport)})
    events = list(story())
    for event in events:
        client.emit(event)
    finished = client.close()
    # The asynchronous client logs a refusal and goes on; only its counters tell.
    lost = client.transport.get_stats()["failed"] if isinstance(client.transport, AsyncHttpTransport) else 0
    if lost or not finished:
        raise RuntimeError(f"{lost} of {len(events)} events were not accepted")
    return len(events)


def by_own_broker(arguments: argparse.Namespace, file: Path) -> int:
    """Send through a broker of our own; by `kafka` alone, what arrived there goes on to the URL.

    Raises:
        RuntimeError: Kafka, or the file of a composite transport, did not get what was sent.
    """
    broker = Broker(TOPIC)
    count = send(arguments.transport, Places(arguments.url, broker.bootstrap, file, arguments.gzip))
    messages = broker.messages()
    values = [message.value() for message in messages]
    if len(values) != count or (file.exists() and sorted(file.read_bytes().splitlines()) != sorted(values)):
        raise RuntimeError(f"{count} events were sent, {len(values)} arrived, or not the same ones in the file")
    if arguments.transport == "kafka":
        for value in values:
            url = f"{arguments.url}/api/v1/lineage"
            request = urllib.request.Request(url, value, {"Content-Type": "application/json"})  # noqa: S310 - the caller's
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - as above
    if arguments.keys:
        arguments.keys.write_text("".join(f"{message.key().decode()}\n" for message in messages), "utf-8")
    return count


def main() -> None:
    """Read the options and send."""
    parser = argparse.ArgumentParser(description="Send a small deterministic story to a catalog.")
    parser.add_argument("--url", default="http://127.0.0.1:8180", help="base URL of the catalog")
    parser.add_argument("--transport", choices=TRANSPORTS, default="http")
    parser.add_argument("--gzip", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help=f"a Kafka broker; the topic is {TOPIC}")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="where to write the keys of Kafka's messages")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "events.ndjson")
        if arguments.bootstrap or "http" in arguments.transport:
            count = send(arguments.transport, Places(arguments.url, arguments.bootstrap, file, arguments.gzip))
        else:
            count = by_own_broker(arguments, file)
    print(f"{count} events sent to {arguments.bootstrap or arguments.url}", file=sys.stderr)


if __name__ == "__main__":
    main()
