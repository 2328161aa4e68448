"""What GraphQL tests say: `tell(events…)` takes events in by the one door, `ask(query)` answers its data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson
import pytest
from graphql import GraphQLError

from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import execute
from catalog.ingest.accept import Ingest, Outcome, Received
from catalog.store.engine import Database

Tell = Callable[..., list[Outcome]]
Ask = Callable[..., Any]

ROOMY = Limits(max_cost=10_000_000, max_tokens=5_000)


@pytest.fixture
def tell(database: Database) -> Tell:
    ingest = Ingest(database)

    def take(*stories: bytes | Iterable[bytes]) -> list[Outcome]:
        events = [event for story in stories for event in ([story] if isinstance(story, bytes) else story)]
        return ingest.accept([Received(event, "test") for event in events])

    return take


@pytest.fixture
def ask(database: Database) -> Ask:
    def answer(query: str, **variables: Any) -> Any:
        result = execute(database, query, variables, limits=ROOMY)
        assert result.errors is None, result.errors
        return orjson.loads(orjson.dumps(result.data))

    return answer


@pytest.fixture
def refusal(database: Database) -> Callable[..., GraphQLError]:
    def answer(query: str, **variables: Any) -> GraphQLError:
        result = execute(database, query, variables, limits=ROOMY)
        assert result.errors is not None
        (error,) = result.errors
        return error

    return answer
