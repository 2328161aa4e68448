"""The oldest versions of libraries that are safe to serve with, and why; read by `catalog doctor` and by a test.

A scanner that looks libraries up in a package mirror finds none of these and says that all is well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NamedTuple


class Floor(NamedTuple):
    """A library, the version from which on it is safe, and what older ones let happen."""

    name: str
    least: str
    why: str


FLOORS: Final = (
    Floor("strawberry-graphql", "0.315.7", "a short query could keep it busy for hours (CVE-2026-47707)"),
    Floor("starlette", "1.3.1", "the Host header could change the path that is checked (PYSEC-2026-161)"),
    Floor("graphql-core", "3.3.2", "validating a hostile query had no bound"),
    Floor("prometheus-client", "0.22", "its text format is what the tests read"),
)

EXTRAS: Final = {"kafka": "confluent-kafka"}
"""What may be installed besides, and the library that tells."""


class Library(NamedTuple):
    """A library as it is installed here; `found` is empty where it is not."""

    floor: Floor
    found: str

    @property
    def is_old(self) -> bool:
        """Whether it is there and older than its floor."""
        return bool(self.found) and numbers(self.found) < numbers(self.floor.least)


def libraries() -> Iterator[Library]:
    """Every library that has a floor."""
    return (Library(floor, installed(floor.name)) for floor in FLOORS)


def installed(name: str) -> str:
    """The version that is installed; empty if none is."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def numbers(version: str) -> tuple[int, ...]:
    """The numbers a version begins with: enough to tell which of two releases is older."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[^\d.]", version, maxsplit=1)[0]))
