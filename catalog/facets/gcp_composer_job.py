"""Where in Google Cloud Composer a job is defined."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "gcp_composer_job"
SUBJECTS: Final = frozenset({Scope.JOB})


class _Facet(Shape):
    environment_name: str
    dag_id: str
    operator: str | None = None
    task_id: str | None = None
    airflow_version: str | None = None
    composer_version: str | None = None


changes: Final = only_checks(_Facet)
