"""The examples of the query page have something to show in the demo."""

from __future__ import annotations

import json

import pytest

from catalog.api.graphql.schema import execute
from catalog.store.engine import Database
from catalog.web.query_page import EXAMPLES, Example

EMPTY_IN_THE_DEMO = {"What was sent and refused?"}
"""Nothing the demo sends is refused."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_an_example_of_the_query_page_is_answered(demo: Database, example: Example) -> None:
    result = execute(demo, example.query, json.loads(example.variables) if example.variables else None)

    assert result.errors is None
    (answer,) = result.data.values()
    things = answer.get("edges", answer.get("nodes", answer.get("schemaHistory")))
    assert bool(things) is (example.title not in EMPTY_IN_THE_DEMO)
