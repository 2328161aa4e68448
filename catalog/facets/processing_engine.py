"""What ran the job: Spark, dbt, Airflow, in which version."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "processing_engine"
SUBJECTS: Final = frozenset({Scope.RUN})


class _Facet(Shape):
    version: str
    name: str | None = None
    openlineage_adapter_version: str | None = None


changes: Final = only_checks(_Facet)
