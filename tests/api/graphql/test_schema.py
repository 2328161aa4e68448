from __future__ import annotations

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    parse,
    validate,
)

from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import build, printed
from catalog.web.query_page import EXAMPLES

ROOT = Path(__file__).parents[3]

PROMISED = {
    "Query": "node namespaces dataset datasets job jobs run runs lineage paths events quarantine",
    "Lineage": "nodes edges truncated truncatedBy depthReached asOf",
    "LineageNode": "id kind namespace name column depth entity tags owners hiddenUpstream hiddenDownstream",
    "LineageEdge": "source target job derivation transformations masked firstSeen lastSeen lastRun",
    "LineagePath": "nodes edges length masked",
    "Transformation": "type subtype description masking",
    "Facet": "name payload producer schemaUrl validFrom validTo understood",
    "Dataset": "id namespace name type description aliases fields versions schemaHistory facets facet tags owners "
    "producers consumers latestVersion lineage createdAt updatedAt deletedAt",
    "Job": "id namespace name type integration description parent children versions runs latestRun facets sourceCode "
    "sql tags owners inputs outputs",
    "Run": "id runId job state conflicting startedAt endedAt nominalStart nominalEnd parent root children inputs "
    "outputs facets events error",
    "QuarantineConnection": "edges pageInfo totalCount",
    "EntityRef": "kind namespace name column version",
    "TimeRange": "from to",
}
VALUES = {
    "EntityKind": "DATASET COLUMN JOB RUN MODEL",
    "Direction": "UPSTREAM DOWNSTREAM BOTH",
    "Granularity": "DATASET JOB COLUMN RUN",
    "Derivation": "EXPLICIT COLUMN IMPLICIT DECLARED",
    "RunState": "START RUNNING COMPLETE FAIL ABORT OTHER UNKNOWN",
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build(Limits())._schema


def test_the_printed_schema_is_in_step_with_the_code():
    assert (ROOT / "schema.graphql").read_text(encoding="utf-8") == printed(), "write schema.printed() to it"


def test_every_type_field_argument_and_value_says_what_it_is(schema: GraphQLSchema):
    silent: list[str] = []
    for name, kind in schema.type_map.items():
        if name.startswith("__"):
            continue
        parts: dict[str, object] = {name: kind}
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            parts |= {f"{name}.{field}": said for field, said in kind.fields.items()}
        if isinstance(kind, GraphQLEnumType):
            parts |= {f"{name}.{value}": said for value, said in kind.values.items()}
        for place, part in list(parts.items()):
            if isinstance(part, GraphQLField):
                parts |= {f"{place}({argument})": said for argument, said in part.args.items()}
        silent += [place for place, part in parts.items() if not getattr(part, "description", None)]
    assert silent == []


@pytest.mark.parametrize("name", PROMISED)
def test_what_the_contract_names_is_there(schema: GraphQLSchema, name: str):
    kind = schema.type_map[name]
    assert isinstance(kind, GraphQLObjectType | GraphQLInputObjectType)
    assert set(PROMISED[name].split()) - set(kind.fields) == set()


@pytest.mark.parametrize("name", VALUES)
def test_enums_have_exactly_the_values_of_the_contract(schema: GraphQLSchema, name: str):
    kind = schema.type_map[name]
    assert isinstance(kind, GraphQLEnumType)
    assert set(kind.values) == set(VALUES[name].split())


def test_every_connection_is_paged_by_first_and_after(schema: GraphQLSchema):
    paged = [
        (kind.name, name, set(field.args))
        for kind in schema.type_map.values()
        if isinstance(kind, GraphQLObjectType)
        for name, field in kind.fields.items()
        if get_named_type(field.type).name.endswith("Connection")
    ]
    assert {("Job", "children"), ("Run", "children"), ("Run", "events")} <= {(kind, name) for kind, name, _ in paged}
    assert [(kind, name) for kind, name, arguments in paged if not {"first", "after"} <= arguments] == []


def test_what_has_an_id_to_be_found_by_is_a_node(schema: GraphQLSchema):
    with_id = {
        name: kind
        for name, kind in schema.type_map.items()
        if isinstance(kind, GraphQLObjectType) and "id" in kind.fields and name != "LineageNode"
    }
    assert len(with_id) > 5
    assert [name for name, kind in with_id.items() if "Node" not in {one.name for one in kind.interfaces}] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_the_examples_of_the_query_page_fit_the_schema(schema: GraphQLSchema, example):
    assert validate(schema, parse(example.query)) == []
