"""The facets we understand: one module each, and this list. Every other facet is kept, shown and exported as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from catalog.facets import (
    catalog,
    column_lineage,
    data_quality_assertions,
    data_quality_metrics,
    data_source,
    dataset_type,
    documentation,
    environment_variables,
    error_message,
    execution_parameters,
    external_query,
    extraction_error,
    gcp_composer_job,
    gcp_composer_run,
    gcp_dataproc,
    gcp_lineage,
    hierarchy,
    iceberg_commit_report,
    iceberg_scan_report,
    input_statistics,
    job_dependencies,
    job_type,
    lifecycle_state_change,
    lineage,
    nominal_time,
    output_statistics,
    ownership,
    parent,
    processing_engine,
    schema,
    source_code,
    source_code_location,
    sql,
    storage,
    subset,
    symlinks,
    tags,
    test,
    version,
)

if TYPE_CHECKING:
    from catalog.domain.changes import Change
    from catalog.domain.words import Scope


class Facet(Protocol):
    """A module that understands one facet. It may also have ALIASES: older keys of the same facet."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a constant of the module
        """The key of the facet in an event."""

    @property
    def SUBJECTS(self) -> frozenset[Scope]:  # noqa: N802 - a constant of the module
        """Where in an event the facet may stand."""

    def changes(self, payload: bytes, /) -> tuple[Change, ...]:
        """What the raw JSON of the facet says. Nothing, for a facet that is understood but shapes no graph.

        Raises:
            ValueError: it is not of this facet's shape.
        """


ALL: Final[tuple[Facet, ...]] = (
    catalog,
    column_lineage,
    data_quality_assertions,
    data_quality_metrics,
    data_source,
    dataset_type,
    documentation,
    environment_variables,
    error_message,
    execution_parameters,
    external_query,
    extraction_error,
    gcp_composer_job,
    gcp_composer_run,
    gcp_dataproc,
    gcp_lineage,
    hierarchy,
    iceberg_commit_report,
    iceberg_scan_report,
    input_statistics,
    job_dependencies,
    job_type,
    lifecycle_state_change,
    lineage,
    nominal_time,
    output_statistics,
    ownership,
    parent,
    processing_engine,
    schema,
    source_code,
    source_code_location,
    sql,
    storage,
    subset,
    symlinks,
    tags,
    test,
    version,
)

_BY_PLACE: Final = {
    (scope, name): facet
    for facet in ALL
    for scope in facet.SUBJECTS
    for name in (facet.NAME, *getattr(facet, "ALIASES", ()))
}


def find(scope: Scope, name: str) -> Facet | None:
    """The module that understands the facet of this name at this place in an event; names are case-sensitive."""
    return _BY_PLACE.get((scope, name))


def understood(scope: Scope, name: str, payload: bytes) -> tuple[Change, ...]:
    """What a facet says; nothing where no module understands it, or its shape."""
    facet = find(scope, name)
    try:
        return facet.changes(payload) if facet else ()
    except ValueError:
        return ()
