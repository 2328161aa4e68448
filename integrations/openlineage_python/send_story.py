"""Send the story through the OpenLineage Python client.

Example: `python send_story.py --url http://127.0.0.1:8180 --transport async_http --no-gzip`.
"""

import argparse
import sys

from openlineage.client import OpenLineageClient
from openlineage.client.transport.async_http import AsyncHttpTransport
from story import story


def send(url: str, transport: str, *, gzip: bool) -> int:
    """Send every event and wait until all are answered.

    Args:
        url: Base URL of the catalog.
        transport: `http` sends one event after the other and raises at the first refusal; `async_http` sends
            many at a time, in no promised order.
        gzip: Compress the bodies.

    Returns:
        How many events were sent.

    Raises:
        RuntimeError: Not every event was accepted.
    """
    config: dict[str, str] = {"type": transport, "url": url}
    if gzip:
        config["compression"] = "gzip"
    client = OpenLineageClient(config={"transport": config})
    events = list(story())
    for event in events:
        client.emit(event)
    finished = client.close()
    # The asynchronous client logs a refusal and goes on; only its counters tell.
    lost = client.transport.get_stats()["failed"] if isinstance(client.transport, AsyncHttpTransport) else 0
    if lost or not finished:
        raise RuntimeError(f"{lost} of {len(events)} events were not accepted")
    return len(events)


def main() -> None:
    """Read the options and send."""
    parser = argparse.ArgumentParser(description="Send a small deterministic story to a catalog.")
    parser.add_argument("--url", default="http://127.0.0.1:8180", help="base URL of the catalog")
    parser.add_argument("--transport", choices=("http", "async_http"), default="http")
    parser.add_argument("--gzip", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    count = send(arguments.url, arguments.transport, gzip=arguments.gzip)
    print(f"{count} events sent to {arguments.url}", file=sys.stderr)


if __name__ == "__main__":
    main()
