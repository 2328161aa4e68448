"""`search` over GraphQL: hits with why they were found, in pages."""

from __future__ import annotations

from typing import Any

import pytest

from builders import columns, facet, ran


@pytest.fixture
def shop(tell: Any) -> None:
    tell(
        ran("load_orders").reading("landing").writing("raw.orders", schema=columns(order_id="int")),
        ran("old", 3).writing("orders_old", documentation=facet(description="Orders of the years before.")),
    )


PAGE = """query($text: String!, $kinds: [EntityKind!], $first: Int, $after: String) {
  search(text: $text, kinds: $kinds, first: $first, after: $after) {
    __typename totalCount pageInfo { hasNextPage endCursor }
    nodes { kind namespace name column score deleted matched { field text } entity { __typename id } }
  }
}"""


@pytest.mark.usefixtures("shop")
def test_a_hit_says_what_it_is_and_why_it_was_found(ask: Any) -> None:
    found = ask(PAGE, text="order_id")["search"]
    assert (found["__typename"], found["totalCount"]) == ("SearchConnection", 1)
    (hit,) = found["nodes"]
    entity = hit.pop("entity")
    assert hit == {
        "kind": "DATASET", "namespace": "shop", "name": "raw.orders", "column": "order_id", "score": 4,
        "deleted": False, "matched": [{"field": "column", "text": "order_id"}],
    }  # fmt: skip
    assert entity["__typename"] == "Dataset"
    assert ask("query($id: ID!) { node(id: $id) { ... on Dataset { name } } }", id=entity["id"]) == {
        "node": {"name": "raw.orders"}
    }


@pytest.mark.usefixtures("shop")
def test_kinds_narrow_and_a_job_is_an_entity_too(ask: Any) -> None:
    (hit,) = ask(PAGE, text="orders", kinds=["JOB"])["search"]["nodes"]
    assert (hit["name"], hit["entity"]["__typename"]) == ("load_orders", "Job")
    (column,) = ask(PAGE, text="order", kinds=["COLUMN"])["search"]["nodes"]
    assert (column["kind"], column["column"]) == ("COLUMN", "order_id")


@pytest.mark.usefixtures("shop")
def test_pages_follow_each_other_without_a_gap(ask: Any) -> None:
    whole = [hit["name"] for hit in ask(PAGE, text="orders", first=10)["search"]["nodes"]]
    paged, after = [], None
    while True:
        page = ask(PAGE, text="orders", first=1, after=after)["search"]
        paged += [hit["name"] for hit in page["nodes"]]
        assert page["totalCount"] == len(whole)
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert paged == whole
    assert len(whole) == 3


@pytest.mark.usefixtures("shop")
def test_an_empty_text_and_a_foreign_cursor_are_refused_in_words(refusal: Any) -> None:
    assert "nothing to look for" in refusal(PAGE, text=" ").message
    assert "cursor" in refusal(PAGE, text="orders", after="bm9wZQ").message


def test_hits_share_their_statements(tell: Any, ask: Any, database: Any, statements: Any) -> None:
    tell(*(ran(f"job_{n}", n).writing(f"thing_{n}") for n in range(50)), ran("lonely", 99))
    with statements(database) as one:
        ask(PAGE, text="lonely")
    with statements(database) as many:
        assert len(ask(PAGE, text="thing", first=50)["search"]["nodes"]) == 50
    assert len(many) <= len(one) + 4
