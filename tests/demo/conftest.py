"""What the demo tells, and what it answers.

`story` is every event; `ask(query)` answers from the demo; `upstream(name, …)` are the names from which a dataset of
its warehouse was made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import execute
from catalog.demo import events
from catalog.store.engine import Database

Ask = Callable[..., Any]
Upstream = Callable[..., set[str]]

WAREHOUSE = "snowflake://harbour-eu"

_UPSTREAM = """query ($of: [EntityRef!]!, $asOf: DateTime, $depth: Int) {
  lineage(of: $of, direction: UPSTREAM, depth: $depth, asOf: $asOf) { nodes { name depth } }
}"""


@pytest.fixture(scope="session")
def story() -> list[bytes]:
    return list(events())


@pytest.fixture
def ask(demo: Database) -> Ask:
    def answer(query: str, **variables: Any) -> Any:
        result = execute(demo, query, variables, limits=Limits(max_cost=10_000_000, max_tokens=5_000))
        assert result.errors is None, result.errors
        return orjson.loads(orjson.dumps(result.data))

    return answer


@pytest.fixture
def upstream(ask: Ask) -> Upstream:
    """What a dataset of the warehouse was made from at a moment, so many hops up."""

    def names(name: str, at: str | None = None, depth: int = 1) -> set[str]:
        of = [{"kind": "DATASET", "namespace": WAREHOUSE, "name": name}]
        found = ask(_UPSTREAM, of=of, asOf=at, depth=depth)["lineage"]["nodes"]
        return {node["name"] for node in found if node["depth"]}

    return names
