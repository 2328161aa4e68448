"""How much of a run the producer could not read lineage from."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "extractionError"
SUBJECTS: Final = frozenset({Scope.RUN})


class _Failure(Shape):
    error_message: str
    stack_trace: str | None = None
    task: str | None = None
    task_number: int | None = None


class _Facet(Shape):
    total_tasks: int
    failed_tasks: int
    errors: list[_Failure | None] | None = None


changes: Final = only_checks(_Facet)
