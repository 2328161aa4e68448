"""What kind of job it is and who runs it."""

from __future__ import annotations

from typing import Final

from catalog.domain.changes import Change, JobTyped
from catalog.domain.wire import Shape, reader
from catalog.domain.words import Scope

NAME: Final = "jobType"
SUBJECTS: Final = frozenset({Scope.JOB})


class _EmissionPattern(Shape):
    event_trigger: str | None = None
    event_content_mode: str | None = None
    window_duration: int | None = None


class _Facet(Shape):
    processing_type: str | None = None
    integration: str | None = None
    job_type: str | None = None
    emission_pattern: _EmissionPattern | None = None


_read: Final = reader(_Facet)


def changes(payload: bytes) -> tuple[Change, ...]:
    """The job's kind; the processing type is always in capitals.

    Raises:
        ValueError: this is no such facet.
    """
    facet = _read(payload)
    processing = facet.processing_type and facet.processing_type.upper()
    return (JobTyped(processing, facet.integration, facet.job_type),)
