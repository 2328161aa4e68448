"""The DAG run of Google Cloud Composer that a run belongs to."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "gcp_composer_run"
SUBJECTS: Final = frozenset({Scope.RUN})


class _Facet(Shape):
    dag_run_id: str


changes: Final = only_checks(_Facet)
