"""The schema, and how one operation is executed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import closing
from functools import cache
from typing import Any

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from catalog.api.graphql.context import Bounds, Context
from catalog.api.graphql.errors import MaskedErrors, UserError
from catalog.api.graphql.executor import Executor
from catalog.api.graphql.limits import Limits, extensions
from catalog.api.graphql.mutations import Mutation
from catalog.api.graphql.queries import Query
from catalog.api.graphql.scalars import SCALARS
from catalog.api.graphql.subscriptions import Subscription
from catalog.api.graphql.types.column import Column
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
        Subscription,
        types=[Column, Dataset, Job, Run, Namespace],
        extensions=extensions(limits),
        execution_context_class=Executor,
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
    compiled: bool = True,
) -> ExecutionResult:
    """Answer one operation from one snapshot; blocks the calling thread, which must have no event loop.

    What `caller` may not ask is an error of its field; whoever has the database in hand may ask everything. With
    `compiled` a query is answered by its plan: the same answer, sooner.

    JSON in the answer is `orjson.Fragment`: encode it with orjson.

    Raises:
        Unavailable: the database is away.
    """
    # What has errors is asked for twice, the second time as if there had been no first: of a snapshot of its own, since
    # PostgreSQL answers nothing more in a transaction in which a statement failed.
    for by_plan in (True, False) if compiled else (False,):
        with (
            snapshot(database) as reading,
            closing(Context(reading, bounds, limits.default_page, caller, database, compiled=by_plan)) as context,
        ):
            running = build(limits).execute(
                query,
                variable_values=dict(variables or {}),
                operation_name=operation_name,
                context_value=context,
                allowed_operation_types=(OperationType.QUERY, OperationType.MUTATION),
            )
            result = _result(running)
        if context.unavailable is not None:
            raise context.unavailable
        if not context.stumbled:
            break
    return result


def _result(running: Coroutine[Any, Any, ExecutionResult]) -> ExecutionResult:
    try:
        return _run(running)
    except CannotGetOperationTypeError:
        error = UserError("`operationName` has to name one of the operations in the query.")
    except InvalidOperationTypeError:
        error = UserError("A subscription is followed over a WebSocket, by the protocol graphql-transport-ws.")
    return ExecutionResult(data=None, errors=[error])


def _run(running: Coroutine[Any, Any, ExecutionResult]) -> ExecutionResult:
    """What `asyncio.run` answers, which in the main thread spells out a task's result for a message nobody sees.

    It puts back the handler of SIGINT, and to Python's `signal` the handler is an enum value first: the error that says
    it is none has the handler in it, that the task, and that 300 kB of answer. It took longer than making them.
    """
    answers: list[ExecutionResult] = []

    async def answering() -> None:
        answers.append(await running)

    asyncio.run(answering())
    return answers[0]
