"""Statements do not grow with rows: every list field asks as many for fifty of its things as for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from graphql import GraphQLList, GraphQLObjectType, get_named_type, get_nullable_type

from builders import also_known_as, columns, declared_dataset, declared_job, drawn_from, facet, named, ran, renamed
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import build, execute
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database

Watch = Callable[[Database], AbstractContextManager[list[str]]]
NewDatabase = Callable[[], AbstractContextManager[Database]]

MANY = 50
ROOMY = Limits(max_cost=10_000_000, max_tokens=10_000, max_root_fields=100, max_aliases=200)

SELECTED = {
    "aliases": "namespace name type",
    "fields": "name type ordinal tags { key }",
    "sourcelessBy": "column derivation job { name }",
    "renames": "at before { name } after { name } run { runId }",
    "identityConflicts": "doubt since name { namespace name } other { name } run { runId } event { seq }",
    "schemaHistory": "validFrom validTo fields { name tags { key } } changes { added { name } moved { name } }",
    "facets": "name payload producer schemaUrl validFrom validTo understood scope",
    "tags": "key value source",
    "owners": "name type",
    "producers": "name description tags { key }",
    "consumers": "name owners { name }",
    "ancestors": "runId job { name }",
    "attempts": "totalCount nodes { runId }",
    "children": "totalCount nodes { id } pageInfo { endCursor }",
    "runs": "totalCount edges { node { runId job { name } error { message } } }",
    "inputs": "name latestVersion { createdAt }",
    "outputs": "name updatedAt deletedAt",
    "events": "totalCount nodes { seq payload run { runId } job { name } }",
}


PARTICULAR = {
    ("Dataset", "versions"): "totalCount edges { node { id version createdAt rowCount size fileCount lifecycle "
    "contentId run { runId } schemaVersion { validFrom fields { name } } } }",
    ("Job", "versions"): "totalCount edges { node { id createdAt runCount code { url } latestRun { runId } "
    "inputs { dataset { name } } outputs { dataset { name } } changes { sinceCommit codeAdded { url } "
    "inputsAdded { name } outputsRemoved { name } columnsAdded { source { name } target { name } } } } }",
    ("Job", "versionHistory"): "totalCount edges { node { validFrom validTo runCount again version { code { url } "
    "latestRun { runId } } firstRun { runId } changes { sinceCommit codeAdded { url } inputsAdded { name } } } }",
    ("Run", "inputs"): "version rowCount size fileCount lifecycle dataset { name tags { key } }",
    ("Run", "outputs"): "version rowCount size fileCount lifecycle dataset { name owners { name } }",
}


def list_fields(kind: str) -> list[str]:
    """Every field of a type that answers a list or a connection."""
    found = build(Limits())._schema.type_map[kind]
    assert isinstance(found, GraphQLObjectType)
    return [
        name
        for name, field in found.fields.items()
        if isinstance(get_nullable_type(field.type), GraphQLList)
        or get_named_type(field.type).name.endswith("Connection")
    ]


NESTED = [(kind, field) for kind in ("Dataset", "Job", "Run") for field in list_fields(kind)]
ROOTS = {
    "datasets": "id type description createdAt updatedAt deletedAt latestVersion { createdAt } "
    'facet(name: "schema") { name }',
    "jobs": "id parent { name } latestRun { runId } sql sourceCode sourceCodeLocation { url } "
    'facet(name: "sql") { name }',
    "runs": 'id job { name } parent { runId } root { runId } error { message } facet(name: "x") { name } '
    "dependencies { upstream { job { name } run { state } } }",
    "namespaces": "id name datasetCount jobCount",
    "events": "seq payload run { runId } job { name } dataset { name }",
    "quarantine": "receipt reason preview",
}


def histories(count: int) -> list[bytes]:
    """So many of everything, all of it with all that can be attached."""
    events: list[bytes] = []
    for n in range(count):
        tagged = facet(tags=[{"key": f"t{n}", "value": "true"}, {"key": "pii", "value": "true", "field": "a"}])
        owned = facet(owners=[{"name": f"team{n}", "type": "OWNER"}])
        whole = {
            "schema": columns(a="int", b="text"),
            "tags": tagged,
            "ownership": owned,
            "symlinks": also_known_as((f"s3{n}", f"alias{n}")),
        }
        parent = ran(f"dag{n}", at=n)
        child = ran(f"etl{n}", at=n + 0.2).inside(parent, parent).reading(f"in{n}", **whole).writing(f"out{n}", **whole)
        child = child.job_with(sql=facet(query="select 1"), tags=tagged, ownership=owned)
        child = child.with_facets(
            jobDependencies=facet(upstream=[{"job": named(f"dag{n}"), "run": {"runId": parent.run}}])
        )
        events += [*parent, *child, *ran(f"after{n}", at=n + 0.4).reading(f"out{n}").failing()]
        events += [
            declared_job(f"plan{n}", n, [f"in{n}"]),
            declared_dataset(f"view{n}", n, lineage=drawn_from(f"in{n}")),
            declared_dataset(f"in{n}", n + 0.5, symlinks=also_known_as()),
        ]
        code = facet(type="git", url="https://x/y", version=f"commit{n}")
        events += [
            *ran(f"etl{n}", at=n + 0.6).from_columns(f"out{n}", a=[(f"in{n}", "b")]).job_with(sourceCodeLocation=code),
            declared_dataset(f"after{n}", n, lifecycleStateChange=renamed(f"before{n}")),
            declared_dataset(f"before{n}", n + 0.5),
        ]
    return events


@pytest.fixture(scope="module")
def few_and_many(new_database: NewDatabase) -> Iterator[tuple[Database, Database]]:
    with new_database() as few, new_database() as many:
        for database, count in ((few, 1), (many, MANY)):
            hub = [event for n in range(count) for event in ran(f"fan{n}", at=n).reading("hub").writing(f"spoke{n}")]
            sent = [*histories(count), *hub, *(f"no event {n}".encode() for n in range(count))]
            Ingest(database).accept([Received(event, "test") for event in sent])
        yield few, many


def statements_for(query: str, database: Database, statements: Watch) -> int:
    with statements(database) as seen:
        result = execute(database, query, limits=ROOMY)
    assert result.errors is None, result.errors
    return len(seen)


@pytest.mark.parametrize(("kind", "field"), NESTED, ids=[f"{kind}.{field}" for kind, field in NESTED])
def test_a_list_of_each_thing_costs_no_more_statements_for_many_things(
    few_and_many: tuple[Database, Database], statements: Watch, kind: str, field: str
):
    inner = PARTICULAR.get((kind, field)) or SELECTED[field]
    query = f"{{ {kind.lower()}s(first: 300) {{ edges {{ node {{ {field} {{ {inner} }} }} }} }} }}"
    few, many = (statements_for(query, database, statements) for database in few_and_many)
    assert 1 < many <= few


@pytest.mark.parametrize("field", ROOTS)
def test_a_list_at_the_root_costs_no_more_statements_for_many_items(
    few_and_many: tuple[Database, Database], statements: Watch, field: str
):
    query = f"{{ {field}(first: 300) {{ totalCount edges {{ node {{ {ROOTS[field]} }} }} }} }}"
    few, many = (statements_for(query, database, statements) for database in few_and_many)
    assert 1 < many <= few


@pytest.mark.parametrize("kind", ["Dataset", "Job"])
def test_versions_are_found_again_by_their_ids_with_no_more_statements_for_many(
    few_and_many: tuple[Database, Database], statements: Watch, kind: str
):
    _, many = few_and_many
    query = f"{{ {kind.lower()}s(first: 300) {{ nodes {{ versions {{ nodes {{ id }} }} }} }} }}"
    result = execute(many, query, limits=ROOMY)
    assert result.data is not None
    (owners,) = result.data.values()
    ids = [version["id"] for owner in owners["nodes"] for version in owner["versions"]["nodes"]]
    assert len(ids) >= MANY
    asked = " ".join(f'_{n}: node(id: "{id}") {{ __typename id }}' for n, id in enumerate(ids[:MANY]))
    with statements(many) as seen:
        found = execute(many, f"{{ {asked} }}", limits=ROOMY)
    assert found.errors is None
    assert found.data is not None
    assert [node["id"] for node in found.data.values()] == ids[:MANY]
    assert {node["__typename"] for node in found.data.values()} == {f"{kind}Version"}
    with statements(many) as alone:
        execute(many, f'{{ node(id: "{ids[0]}") {{ id }} }}')
    assert len(seen) == len(alone)


@pytest.mark.parametrize("granularity", ["DATASET", "JOB", "RUN"])
def test_a_lineage_of_many_nodes_costs_no_more_statements(
    few_and_many: tuple[Database, Database], statements: Watch, granularity: str
):
    query = f"""{{ lineage(of: [{{kind: DATASET, namespace: "shop", name: "hub"}}], granularity: {granularity}) {{
        nodes {{ name tags owners hiddenUpstream hiddenDownstream entity {{ id }} }}
        edges {{ job {{ name }} lastRun {{ runId }} }} }} }}"""
    few, many = (statements_for(query, database, statements) for database in few_and_many)
    assert many <= few
