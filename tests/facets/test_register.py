"""The list of facets: what is in it, how it is looked up, and that the official client's facets are understood."""

from __future__ import annotations

import types
from collections import Counter
from enum import EnumType
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attr
import pytest
from openlineage.client import generated
from openlineage.client.generated import base
from openlineage.client.serde import Serde

import catalog.facets
from catalog.domain import changes
from catalog.domain.words import Scope
from catalog.facets import ALL, find

CORE_AND_REGISTRY = {
    Scope.RUN: "environmentVariables errorMessage executionParameters externalQuery extractionError"
    " jobDependencies nominalTime parent processing_engine tags test gcp_composer_run gcp_dataproc",
    Scope.JOB: "documentation jobType lineage ownership sourceCode sourceCodeLocation sql tags"
    " gcp_composer_job gcp_lineage",
    Scope.DATASET: "catalog columnLineage dataQualityMetrics dataSource datasetType documentation hierarchy"
    " lifecycleStateChange lineage ownership schema storage symlinks tags version",
    Scope.INPUT: "dataQualityAssertions dataQualityMetrics inputStatistics subset icebergScanReport",
    Scope.OUTPUT: "outputStatistics subset icebergCommitReport",
}
PLACES = [(scope, name) for scope, names in CORE_AND_REGISTRY.items() for name in names.split()]

SCOPES = {
    base.RunFacet: Scope.RUN,
    base.JobFacet: Scope.JOB,
    base.DatasetFacet: Scope.DATASET,
    base.InputDatasetFacet: Scope.INPUT,
    base.OutputDatasetFacet: Scope.OUTPUT,
}
NOT_NAMED_LIKE_THEIR_KEY = {
    "DatasetVersionDatasetFacet": "version",
    "DatasourceDatasetFacet": "dataSource",
    "InputSubsetInputDatasetFacet": "subset",
    "OutputSubsetOutputDatasetFacet": "subset",
    "ProcessingEngineRunFacet": "processing_engine",
    "SQLJobFacet": "sql",
}
SAYS = {
    "columnLineage": changes.ColumnsFrom,
    "datasetType": changes.DatasetTyped,
    "documentation": changes.Described,
    "inputStatistics": changes.Measured,
    "jobType": changes.JobTyped,
    "lifecycleStateChange": changes.LifecycleChanged,
    "lineage": changes.Explicit,
    "jobDependencies": changes.DependsOn,
    "nominalTime": changes.Scheduled,
    "outputStatistics": changes.Measured,
    "ownership": changes.Owned,
    "parent": changes.ChildOf,
    "schema": changes.Structured,
    "sourceCodeLocation": changes.CodeAt,
    "symlinks": changes.Symlinked,
    "tags": changes.Tagged,
    "version": changes.Versioned,
}
GENERATED = sorted(
    {
        kind
        for module in iter_modules(generated.__path__, f"{generated.__name__}.")
        for kind in vars(import_module(module.name)).values()
        if isinstance(kind, type) and issubclass(kind, tuple(SCOPES)) and kind not in SCOPES
    },
    key=lambda kind: kind.__name__,
)


def place_of(kind: type) -> tuple[Scope, str]:
    scope = next(scope for parent, scope in SCOPES.items() if issubclass(kind, parent))
    stem = kind.__name__
    for suffix in ("RunFacet", "JobFacet", "InputDatasetFacet", "DatasetFacet"):
        stem = stem.removesuffix(suffix)
    if scope is Scope.OUTPUT:
        stem = stem.removesuffix("Output")
    return scope, NOT_NAMED_LIKE_THEIR_KEY.get(kind.__name__, stem[0].lower() + stem[1:])


def made_up(hint: Any, name: str, *, full: bool, depth: int = 0) -> Any:  # noqa: PLR0911 - one line per type
    """Some value of this type, with all optional fields or with none."""
    origin, arguments = get_origin(hint), get_args(hint)
    if attr.has(hint):
        hints = get_type_hints(hint)
        return hint(
            **{
                field.alias: made_up(hints[field.name], field.name, full=full, depth=depth + 1)
                for field in attr.fields(hint)
                if field.init and not field.name.startswith("_")
                # A default that is a text is the name of a kind of condition, and no other text will do.
                if field.default is attr.NOTHING or (full and depth < 3 and not isinstance(field.default, str))
            }
        )
    if origin in (Union, types.UnionType):
        # The last kind of a subset's condition holds no other condition; the first may be endless.
        kinds = [kind for kind in arguments if kind is not types.NoneType]
        return made_up(kinds[depth % len(kinds) if depth < 3 else -1], name, full=full, depth=depth + 1)
    if origin is Literal:
        return arguments[0]
    if isinstance(hint, EnumType):
        return next(iter(hint))
    if origin is list:
        return [made_up(arguments[0], name, full=full, depth=depth)]
    if origin is dict:
        return {"some": made_up(arguments[1], name, full=full, depth=depth)}
    if hint is str and ("Time" in name or name in {"lastUpdated", "captureDate"}):
        return "2026-01-02T03:04:05Z"
    if hint is str:
        return "01a2045a-748a-72bd-b201-799fc11579c0" if name == "runId" else f"https://example.com/{name}"
    return {int: 7, float: 0.5, bool: True, Any: "anything"}[hint]


@pytest.mark.parametrize(("scope", "name"), PLACES)
def test_every_facet_of_core_and_registry_is_known_by_its_key(scope: Scope, name: str) -> None:
    facet = find(scope, name)
    assert facet is not None
    assert (facet.NAME, scope in facet.SUBJECTS) == (name, True)


def test_there_are_as_many_facets_as_the_specification_counts() -> None:
    assert len(PLACES) == 46
    assert len(ALL) == 39


def test_no_two_modules_claim_the_same_place() -> None:
    claims = Counter(
        (scope, name)
        for facet in ALL
        for scope in facet.SUBJECTS
        for name in (facet.NAME, *getattr(facet, "ALIASES", ()))
    )
    assert set(claims.values()) == {1}


def test_every_module_of_the_package_is_in_the_list() -> None:
    modules = {import_module(f"catalog.facets.{module.name}") for module in iter_modules(catalog.facets.__path__)}
    assert modules == set(ALL)


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        (Scope.RUN, "columnLineage"),
        (Scope.DATASET, "columnlineage"),
        (Scope.RUN, "spark.logicalPlan"),
        (Scope.RUN, ""),
    ],
)
def test_a_facet_elsewhere_or_in_other_case_or_of_nobody_is_unknown(scope: Scope, name: str) -> None:
    assert find(scope, name) is None


def test_older_keys_of_a_facet_are_read_by_the_same_module() -> None:
    assert find(Scope.RUN, "parentRun") is find(Scope.RUN, "parent")
    assert find(Scope.OUTPUT, "iceberg_commit_report") is find(Scope.OUTPUT, "icebergCommitReport")


def test_the_official_client_has_no_facet_that_is_unknown_here() -> None:
    assert len(GENERATED) >= 40
    assert [kind.__name__ for kind in GENERATED if find(*place_of(kind)) is None] == []


@pytest.mark.parametrize("full", [True, False], ids=["all-fields", "required-fields"])
@pytest.mark.parametrize("kind", GENERATED, ids=lambda kind: kind.__name__)
def test_every_facet_the_official_client_writes_is_understood(kind: type, full: bool) -> None:
    facet = find(*place_of(kind))
    payload = Serde.to_json(made_up(kind, "", full=full)).encode()
    assert facet is not None
    said = SAYS.get(facet.NAME)
    assert [type(change) for change in facet.changes(payload)] == ([said] if said else [])
