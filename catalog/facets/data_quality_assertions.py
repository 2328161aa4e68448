"""Which assertions about a dataset held. An input facet by the schema; dbt sends it on the dataset too."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from catalog.domain.wire import Scalar, Shape, only_checks, present, reader
from catalog.domain.words import Scope

NAME: Final = "dataQualityAssertions"
SUBJECTS: Final = frozenset({Scope.DATASET, Scope.INPUT})


class _Assertion(Shape):
    assertion: str
    success: bool
    column: str | None = None
    severity: str | None = None
    name: str | None = None
    description: str | None = None
    expected: Scalar = None
    actual: Scalar = None
    content: str | None = None
    content_type: str | None = None
    params: dict[str, Raw] | None = None


class _Facet(Shape):
    assertions: list[_Assertion | None]


changes: Final = only_checks(_Facet)


def failed(payload: bytes) -> tuple[str, ...]:
    """The assertions that did not hold, each in words; none where the facet is in no shape we know."""
    try:
        said = _read(payload)
    except ValueError:
        return ()
    return tuple(_worded(one) for one in present(said.assertions) if not one.success)


def _worded(said: _Assertion) -> str:
    """What was asserted, of which column, and what was found instead."""
    named = said.name or said.assertion
    words = f"{named} of {said.column}" if said.column and said.column not in named else named
    seen = [
        f"{word} {value}" for word, value in (("expected", said.expected), ("was", said.actual)) if value is not None
    ]
    return f"{words} ({', '.join(seen)})" if seen else words


_read = reader(_Facet)
