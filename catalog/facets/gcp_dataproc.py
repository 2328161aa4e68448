"""The Google Dataproc cluster, batch or session that a run is of."""

from __future__ import annotations

from typing import Final

from catalog.domain.wire import Shape, only_checks
from catalog.domain.words import Scope

NAME: Final = "gcp_dataproc"
SUBJECTS: Final = frozenset({Scope.RUN})


class _Facet(Shape):
    app_id: str
    app_name: str | None = None
    batch_id: str | None = None
    batch_uuid: str | None = None
    cluster_name: str | None = None
    cluster_uuid: str | None = None
    job_id: str | None = None
    job_uuid: str | None = None
    job_type: str | None = None
    project_id: str | None = None
    query_node_name: str | None = None
    session_id: str | None = None
    session_uuid: str | None = None


changes: Final = only_checks(_Facet)
