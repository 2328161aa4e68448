"""The demo's events: always the same bytes, as the client would send them, and in no order that matters."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

from openlineage.client.serde import Serde

from catalog.demo.story import sent
from catalog.demo.wire import Writer
from catalog.ingest.accept import Ingest, Outcome, Receipt, Received
from catalog.store import maintenance
from catalog.store.engine import Database

_DIGEST = "import hashlib, catalog.demo as d; print(hashlib.sha256(b'\\n'.join(d.events())).hexdigest())"


def digest(seed: str) -> str:
    """Of all events, as another process tells them, on another side of the world."""
    environ = os.environ | {"PYTHONHASHSEED": seed, "TZ": "Pacific/Auckland" if seed == "1" else "UTC"}
    command = [sys.executable, "-c", _DIGEST]
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ours


def test_two_processes_tell_the_same_bytes() -> None:
    assert digest("1") == digest("2")


def test_no_two_events_are_alike(story: list[bytes]) -> None:
    assert len(set(story)) == len(story)


def test_events_are_written_as_the_client_writes_them() -> None:
    writer = Writer()
    for one in sent()[::7]:
        assert writer.write(one.event).decode() == Serde.to_json(one.event)


def test_what_is_told_is_of_the_sixty_days(story: list[bytes]) -> None:
    days = sorted({json.loads(raw)["eventTime"][:10] for raw in story})

    assert (days[0], days[-1], len(days)) == ("2026-09-20", "2026-11-18", 60)


def taken(database: Database, told: list[bytes]) -> tuple[list[Outcome], list[tuple[object, ...]]]:
    ingest = Ingest(database)
    outcomes = [
        one
        for at in range(0, len(told), 500)
        for one in ingest.accept([Received(r, "demo") for r in told[at : at + 500]])
    ]
    with database.read() as connection:
        return outcomes, list(maintenance.canonical_dump(connection))


def test_every_event_is_accepted_without_a_warning_and_again_as_known(database: Database, story: list[bytes]) -> None:
    first, _ = taken(database, story)
    again, _ = taken(database, story)

    assert all(isinstance(one, Receipt) and not one.warnings and not one.duplicate for one in first)
    assert all(isinstance(one, Receipt) and one.duplicate for one in again)


def test_the_order_in_which_it_is_told_does_not_matter(
    demo: Database, story: list[bytes], new_database: Callable[[], AbstractContextManager[Database]]
) -> None:
    told = story.copy()
    random.Random("harbour").shuffle(told)
    with new_database() as other:
        _, shuffled = taken(other, told)
    with demo.read() as connection:
        in_order = list(maintenance.canonical_dump(connection))

    assert set(in_order) ^ set(shuffled) == set()
