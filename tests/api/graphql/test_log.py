from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from graphql import GraphQLError
from sqlalchemy import delete, update

from builders import also_known_as, declared_dataset, declared_job, drawn_from, facet, ran
from catalog.api.graphql.schema import execute
from catalog.ingest.accept import Receipt, Refused
from catalog.store.engine import Database
from catalog.store.tables import log_body, log_entry

Tell = Callable[..., Any]
Ask = Callable[..., Any]
Refusal = Callable[..., GraphQLError]


def nodes(connection: Any) -> list[Any]:
    return [edge["node"] for edge in connection["edges"]]


def test_the_log_has_every_event_in_order_with_its_receipt_and_its_bytes(tell: Tell, database: Database):
    sent = [*ran("j", 0, "r").writing("d"), declared_job("k", 1, ["d"]), declared_dataset("d", 2)]
    receipts = tell(*sent)
    query = """{ events { totalCount edges { node { seq kind state eventTime receipt digest principal source failure
        payload run { runId } job { name } dataset { name } } } } }"""
    result = execute(database, query)
    assert result.errors is None
    assert result.data is not None
    found = nodes(result.data["events"])
    assert [orjson.dumps(event["payload"]) for event in found] == sent
    assert [(event["seq"], event["receipt"], event["digest"]) for event in found] == [
        (r.seq, r.receipt, r.digest) for r in receipts if isinstance(r, Receipt)
    ]
    assert [(e["kind"], e["state"], e["eventTime"]) for e in found] == [
        ("RUN", "START", "2026-01-01T00:00:00Z"),
        ("RUN", "COMPLETE", "2026-01-01T00:01:00Z"),
        ("JOB", "UNKNOWN", "2026-01-01T00:01:00Z"),
        ("DATASET", "UNKNOWN", "2026-01-01T00:02:00Z"),
    ]
    assert [(e["run"], e["job"], e["dataset"]) for e in found] == [
        ({"runId": "r"}, {"name": "j"}, None),
        ({"runId": "r"}, {"name": "j"}, None),
        (None, {"name": "k"}, None),
        (None, None, {"name": "d"}),
    ]
    assert {(e["principal"], e["source"], e["failure"]) for e in found} == {("anonymous", "test", None)}


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("{}", [0, 1, 2, 3, 4, 5]),
        ("{kind: RUN}", [0, 1, 4, 5]),
        ("{kind: DATASET}", [3]),
        ('{job: {namespace: "shop", name: "j"}}', [0, 1]),
        ('{dataset: {namespace: "shop", name: "d"}}', [0, 1, 2, 3]),
        ('{dataset: {namespace: "shop", name: "nothing"}}', []),
        ('{runId: "r"}', [0, 1]),
        ('{eventTime: {from: "2026-01-01T00:01:00Z", to: "2026-01-01T00:02:00Z"}}', [1, 2, 3]),
        ('{eventTime: {from: "2026-01-01T00:09:00Z"}, kind: RUN}', [4, 5]),
        ("{failed: true}", [5]),
        ("{failed: false}", [0, 1, 2, 3, 4]),
    ],
)
def test_events_are_filtered(tell: Tell, ask: Ask, database: Database, filter: str, expected: list[int]):
    tell(ran("j", 0, "r").writing("d"), declared_job("k", 1, ["d"]), declared_dataset("d", 2), ran("other", 9))
    with database.write() as connection:
        connection.execute(update(log_entry).where(log_entry.c.seq == 5).values(failure="ValueError: no"))
    found = ask(f"{{ events(filter: {filter}) {{ totalCount edges {{ node {{ seq failure }} }} }} }}")["events"]
    assert [event["seq"] for event in nodes(found)] == expected
    assert found["totalCount"] == len(expected)
    assert all((event["failure"] is not None) == (event["seq"] == 5) for event in nodes(found))


def test_events_are_of_a_dataset_by_any_of_its_names(tell: Tell, ask: Ask):
    links = facet(identifiers=[{"namespace": "shop", "name": "path", "type": "LOCATION"}])
    tell(declared_dataset("table", 0, symlinks=links), declared_dataset("path", 1), declared_dataset("other", 2))
    for name in ("table", "path"):
        found = ask(
            f'{{ events(filter: {{dataset: {{namespace: "shop", name: "{name}"}}}}) {{ edges {{ node {{ seq }} }} }} }}'
        )
        assert [event["seq"] for event in nodes(found["events"])] == [0, 1]


def test_events_of_a_dataset_have_those_of_views_that_are_drawn_from_it(tell: Tell, ask: Ask):
    from_column = {"inputFields": [{"namespace": "shop", "name": "path", "field": "x"}]}
    tell(
        declared_dataset("table", 0, symlinks=also_known_as("path")),
        declared_dataset("view", 1, lineage=drawn_from("path")),
        declared_dataset("view", 1, lineage=drawn_from("other")),
        declared_dataset("by columns", 2, columnLineage=facet(fields={"x": from_column})),
        declared_dataset("as a whole", 3, columnLineage=facet(fields={}, dataset=from_column["inputFields"])),
        declared_dataset("by one column", 4, lineage=facet(fields={"x": drawn_from("table")})),
        declared_dataset("view", 5, lineage=facet(_deleted=True)),
    )
    for name, seqs in (("table", [0, 1, 3, 4, 5]), ("other", [2]), ("view", [1, 2, 6])):
        wanted = f'{{dataset: {{namespace: "shop", name: "{name}"}}}}'
        found = ask(f"{{ events(filter: {wanted}) {{ totalCount edges {{ node {{ seq }} }} }} }}")["events"]
        assert ([event["seq"] for event in nodes(found)], found["totalCount"]) == (seqs, len(seqs))


def test_an_erased_event_is_still_listed_without_its_bytes(tell: Tell, ask: Ask, database: Database):
    tell(ran("j", 0, "r").failing())
    with database.write() as connection:
        connection.execute(delete(log_body))
    found = nodes(ask("{ events { edges { node { seq payload job { name } } } } }")["events"])
    assert found[0] == {"seq": 0, "payload": None, "job": {"name": "j"}}
    assert ask('{ run(runId: "r") { facets { name } error { message } } }')["run"] == {"facets": [], "error": None}


def test_a_byte_order_mark_is_no_part_of_the_payload(tell: Tell, ask: Ask):
    tell(b"\xef\xbb\xbf" + declared_dataset("d", 0))
    (found,) = nodes(ask("{ events { edges { node { payload } } } }")["events"])
    assert found["payload"]["dataset"]["name"] == "d"


def test_the_quarantine_has_what_was_refused_and_why_the_latest_first(tell: Tell, ask: Ask):
    (first,) = tell(b'{"eventTime": "2026-01-01T00:00:00Z"}')
    (second,) = tell(b"\xff" * 10_000)
    assert isinstance(first, Refused)
    assert isinstance(second, Refused)
    shown = "receivedAt source principal code reason pointer digest receipt size truncated retriedAt preview"
    found = ask(f"{{ quarantine {{ totalCount edges {{ node {{ {shown} }} }} }} }}")["quarantine"]
    assert found["totalCount"] == 2
    newest, oldest = nodes(found)
    assert [newest["receipt"], oldest["receipt"]] == [second.receipt, first.receipt]
    assert oldest["preview"] == '{"eventTime": "2026-01-01T00:00:00Z"}'
    assert (oldest["code"], oldest["reason"], oldest["pointer"]) == (
        first.reason.code,
        first.reason.detail,
        first.reason.pointer,
    )
    assert (newest["size"], newest["truncated"], newest["retriedAt"]) == (10_000, False, None)
    assert newest["preview"] == "\ufffd" * 4_000


def test_namespaces_are_listed_by_name_with_how_much_is_in_them(tell: Tell, ask: Ask):
    links = facet(identifiers=[{"namespace": "a", "name": f"p{n}", "type": "T"} for n in (1, 2)])
    tell(ran("j").reading(("b", "x"), symlinks=links).writing(("b", "y")))
    found = ask("{ namespaces { totalCount edges { node { name datasetCount jobCount } } } }")["namespaces"]
    assert found["totalCount"] == 3
    assert nodes(found) == [
        {"name": "a", "datasetCount": 1, "jobCount": 0},
        {"name": "b", "datasetCount": 2, "jobCount": 0},
        {"name": "shop", "datasetCount": 0, "jobCount": 1},
    ]


def test_everything_is_found_again_by_its_id(tell: Tell, ask: Ask):
    tell(ran("j", 0, "r").writing("d"))
    listed = ask("{ datasets { edges { node { id } } } jobs { edges { node { id } } } runs { edges { node { id } } } "
                 "namespaces { edges { node { id } } } }")  # fmt: skip
    for field, kind in (("datasets", "Dataset"), ("jobs", "Job"), ("runs", "Run"), ("namespaces", "Namespace")):
        (one,) = nodes(listed[field])
        found = ask("query($id: ID!) { node(id: $id) { __typename id } }", id=one["id"])["node"]
        assert found == {"__typename": kind, "id": one["id"]}


def test_the_id_of_a_dataset_finds_it_also_after_it_got_another_shown_name(tell: Tell, ask: Ask):
    tell(ran("j").writing("zeta"))
    before = ask('{ dataset(namespace: "shop", name: "zeta") { id } }')["dataset"]["id"]
    links = facet(identifiers=[{"namespace": "shop", "name": "zeta", "type": "T"}])
    tell(ran("k", 1).writing("alpha", symlinks=links))
    found = ask("query($id: ID!) { node(id: $id) { ... on Dataset { name } } }", id=before)["node"]
    assert found == {"name": "alpha"}


def test_versions_are_found_again_by_their_ids_as_they_were_listed(tell: Tell, ask: Ask):
    labelled = declared_dataset("d", 9, version=facet(datasetVersion="v7"))
    tell(ran("j", 0, "r1").writing("d"), ran("j", 5, "r2").reading("c").writing("d"), labelled)
    fields = {
        "dataset": "__typename id version createdAt run { runId }",
        "job": "__typename id createdAt runCount latestRun { runId } inputs { dataset { name } }",
    }
    for field, name, kind, count in (("dataset", "d", "DatasetVersion", 3), ("job", "j", "JobVersion", 2)):
        query = f'{{ {field}(namespace: "shop", name: "{name}") {{ versions {{ nodes {{ {fields[field]} }} }} }} }}'
        listed = ask(query)[field]["versions"]["nodes"]
        assert len({version["id"] for version in listed}) == count
        again = f"query($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ {fields[field]} }} }} }}"
        assert [ask(again, id=version["id"])["node"] for version in listed] == listed


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "id", ["", "x", "Dataset:1", "é", encoded("Dataset:xyz"), encoded("Dataset:"), encoded("Dataset:8000000000000000"),
           encoded("Dataset:-1"), encoded("Dätaset:1")]
)  # fmt: skip
def test_what_is_no_id_is_refused(refusal: Refusal, id: str):
    assert "not an id of this catalog" in refusal("query($id: ID!) { node(id: $id) { id } }", id=id).message


@pytest.mark.parametrize(
    "id",
    ["Dataset:1", "Run:7fffffffffffffff", "Nothing:1", "Dataset:1:2", "DatasetVersion:1", "DatasetVersion:1:2",
     "JobVersion:1", "Column:1", "Column:1:2"],
)  # fmt: skip
def test_an_id_of_nothing_is_null(ask: Ask, id: str):
    assert ask("query($id: ID!) { node(id: $id) { id } }", id=encoded(id)) == {"node": None}


def test_a_page_larger_than_allowed_or_a_strange_cursor_is_refused_in_words(refusal: Refusal):
    assert "CATALOG_GRAPHQL_MAX_PAGE" in refusal("{ events(first: 1001) { totalCount } }").message
    assert "0 to 1000" in refusal("{ events(first: -1) { totalCount } }").message
    assert "endCursor" in refusal('{ events(after: "abc") { totalCount } }').message


def test_a_page_of_parts_is_as_bounded_as_any(tell: Tell, refusal: Refusal):
    tell(ran("j"))
    for first in (-1, 1001):
        query = "query($n: Int!) { jobs { edges { node { children(first: $n) { totalCount } } } } }"
        assert str(first) in refusal(query, n=first).message
