"""The schema, and how one operation is executed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import Any

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult

from catalog.api.graphql.context import Bounds, Context
from catalog.api.graphql.errors import MaskedErrors
from catalog.api.graphql.limits import Limits, extensions
from catalog.api.graphql.mutations import Mutation
from catalog.api.graphql.queries import Query
from catalog.api.graphql.scalars import SCALARS
from catalog.api.graphql.types.dataset import Dataset
from catalog.api.graphql.types.job import Job
from catalog.api.graphql.types.namespace import Namespace
from catalog.api.graphql.types.run import Run
from catalog.domain.callers import LOCAL, Caller
from catalog.store.engine import Database
from catalog.store.read.snapshot import snapshot


class Schema(MaskedErrors, strawberry.Schema):
    """The catalog's schema; errors that are our own fault are masked."""


@cache
def build(limits: Limits) -> Schema:
    """The schema, with these limits on every operation."""
    return Schema(
        Query,
        Mutation,
        types=[Dataset, Job, Run, Namespace],
        extensions=extensions(limits),
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
    )


def printed() -> str:
    """The schema in GraphQL's own language: what `schema.graphql` has in it."""
    return f"{build(Limits()).as_str()}\n"


def execute(
    database: Database,
    query: str,
    variables: Mapping[str, Any] | None = None,
    operation_name: str | None = None,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    caller: Caller = LOCAL,
) -> ExecutionResult:
    """Answer one operation from one snapshot; blocks the calling thread, which must have no event loop.

    What `caller` may not ask is an error of its field; whoever has the database in hand may ask everything.

    JSON in the answer is `orjson.Fragment`: encode it with orjson.

    Raises:
        Unavailable: the database is away.
    """
    with snapshot(database) as reading:
        context = Context(reading, bounds, limits.default_page, caller, database)
        running = build(limits).execute(
            query, variable_values=dict(variables or {}), operation_name=operation_name, context_value=context
        )
        result = asyncio.run(running)
    if context.unavailable is not None:
        raise context.unavailable
    return result
