"""Where the code of a job is."""

from __future__ import annotations

from typing import Final

from msgspec.json import Encoder

from catalog.domain.changes import Change, CodeAt
from catalog.domain.wire import Shape, reader
from catalog.domain.words import Scope

NAME: Final = "sourceCodeLocation"
SUBJECTS: Final = frozenset({Scope.JOB})


class _Facet(Shape, omit_defaults=True):
    url: str
    type: str | None = None
    repo_url: str | None = None
    path: str | None = None
    version: str | None = None
    tag: str | None = None
    branch: str | None = None
    pull_request_number: str | int | None = None


_read: Final = reader(_Facet)
_write: Final = Encoder(order="sorted").encode


def changes(payload: bytes) -> tuple[Change, ...]:
    """The location as JSON with sorted keys: it names the code, so equal places must be equal texts.

    Raises:
        ValueError: this is no such facet.
    """
    facet = _read(payload)
    if facet.pull_request_number is not None:
        facet.pull_request_number = str(facet.pull_request_number)
    return (CodeAt(_write(facet).decode()),)
