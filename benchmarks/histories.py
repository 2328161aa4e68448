"""Events to measure with: known pipelines that run again and again, which is what a catalog sees most."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

PIPELINES = 50
COLUMNS = [{"name": f"column_{number}", "type": "VARCHAR(255)"} for number in range(25)]
RECORDED = Path(__file__).parents[1] / "tests" / "events"

_RUN_ID = re.compile(rb'(?<="runId": ")[0-9a-f-]{36}(?=")')
_TIME = re.compile(rb'(?<="eventTime": ")[^"]+(?=")')


def nightly() -> Iterator[bytes]:
    """START and COMPLETE of 50 pipelines, night after night; about 5 kB each."""
    for night in range(1_000_000):
        for pipeline in range(PIPELINES):
            for second, state in ((0, "START"), (30, "COMPLETE")):
                at = datetime(2026, 1, 1) + timedelta(days=night, minutes=pipeline, seconds=second)  # noqa: DTZ001 - the Z is below
                event = {
                    "eventType": state,
                    "eventTime": f"{at.isoformat()}Z",
                    "producer": "https://example.com",
                    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
                    "run": {"runId": f"00000000-0000-4000-8000-{night:06}{pipeline:06}", "facets": {}},
                    "job": {
                        "namespace": "nightly",
                        "name": f"job_{pipeline}",
                        "facets": {"sql": _facet(query="SELECT * FROM source " * 20)},
                    },
                    "inputs": [_table(f"in_{pipeline}"), _table(f"in_{(pipeline + 7) % PIPELINES}")],
                    "outputs": [_table(f"out_{pipeline}")],
                }
                yield json.dumps(event).encode()


def recorded() -> Iterator[bytes]:
    """What Airflow, dbt and openlineage-python really sent, again on every following day with runs of its own."""
    told = _told()
    for day in range(1_000_000):
        for event in told:
            yield _again(event, day)


SHAPES: dict[str, Callable[[], Iterator[bytes]]] = {"nightly": nightly, "recorded": recorded}
"""The histories by name: one is regular, the other is real."""


def first(shape: str, count: int) -> list[bytes]:
    """So many events of a history, from its beginning."""
    return list(islice(SHAPES[shape](), count))


def round_of(shape: str) -> int:
    """How many events it takes until every pipeline of a history is known."""
    if shape == "nightly":
        return PIPELINES * 2
    return len(_told())


def _told() -> list[bytes]:
    # Two recordings are of one story: the same bytes are one event.
    lines = (line for path in sorted(RECORDED.glob("*.ndjson")) for line in path.read_bytes().splitlines())
    return list(dict.fromkeys(line for line in lines if line))


def _facet(**content: object) -> dict[str, object]:
    return {"_producer": "https://example.com", "_schemaURL": "https://example.com/Facet.json", **content}


def _table(name: str) -> dict[str, object]:
    return {"namespace": "warehouse", "name": name, "facets": {"schema": _facet(fields=COLUMNS)}}


def _again(event: bytes, day: int) -> bytes:
    own_run = _RUN_ID.sub(lambda found: _other(found[0], day), event)
    return _TIME.sub(lambda found: _later(found[0], day), own_run)


def _later(text: bytes, days: int) -> bytes:
    moment = datetime.fromisoformat(text.decode())
    return (moment + timedelta(days=days)).isoformat().encode()


def _other(run_id: bytes, day: int) -> bytes:
    return run_id if day == 0 else str(uuid5(NAMESPACE_URL, f"{day}/{run_id.decode()}")).encode()
