"""Executing what comes over a WebSocket: a subscription page by page, anything else once. Blocks its thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, cast

import orjson
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from catalog.api.graphql.asked import Asked
from catalog.api.graphql.context import Bounds
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.operations import Operation, answered
from catalog.api.graphql.schema import build
from catalog.api.graphql.subscriptions import Followed, Following
from catalog.domain.callers import Caller
from catalog.store.engine import Database
from catalog.store.read.events import EventRow
from catalog.store.read.snapshot import snapshot

PAGE_BYTES: Final = 256 * 1024
"""Answers of one page, beyond which it ends early; one answer may be larger. It is what a slow reader holds."""

PAGE_SECONDS: Final = 1.0
"""And how long it may take, so that others have their turn; one answer may take longer."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What an execution came to.

    Attributes:
        payloads: JSON of each result, in order: of as many of the entries as fit.
        errors: JSON of why nothing was executed; empty if it was.
        followed: What to execute it for from now on; None of what is no subscription.
        operation: For the log and the metrics.
    """

    payloads: Sequence[bytes]
    errors: bytes
    followed: Followed | None
    operation: Operation


@dataclass(frozen=True, slots=True)
class Executions:
    """Executes operations of one database within these limits."""

    database: Database
    limits: Limits
    bounds: Bounds

    def begin(self, asked: Asked, caller: Caller) -> Answers:
        """Look at a subscription, or execute a query or a mutation.

        Raises:
            Unavailable: the database is away.
        """
        return self._execute(asked, caller, None)

    def page(self, asked: Asked, caller: Caller, entries: Sequence[EventRow]) -> Answers:
        """Execute a subscription for the first of these entries, for as many as have room in one page.

        Raises:
            Unavailable: the database is away.
        """
        return self._execute(asked, caller, entries)

    def _execute(self, asked: Asked, caller: Caller, entries: Sequence[EventRow] | None) -> Answers:
        begun = perf_counter()
        with (
            snapshot(self.database) as reading,
            closing(Following(reading, self.bounds, self.limits.default_page, caller, self.database)) as context,
        ):
            context.entries = entries
            results = asyncio.run(self._results(asked, context))
        if context.unavailable is not None:
            raise context.unavailable
        errors = [error for result, _ in results for error in result.errors or ()]
        refused = bool(results) and _is_refusal(results[0][0])
        operation = answered(asked.query, asked.operation_name, self.limits, perf_counter() - begun, errors)
        return Answers(
            payloads=[payload for _, payload in results],
            errors=orjson.dumps([error.formatted for error in errors]) if refused else b"",
            followed=context.followed,
            operation=operation,
        )

    async def _results(self, asked: Asked, context: Following) -> list[tuple[ExecutionResult, bytes]]:
        stream = await build(self.limits).stream(
            asked.query, asked.variables, context, operation_name=asked.operation_name
        )
        found, size, until = [], 0, perf_counter() + PAGE_SECONDS
        # No result is a part of one: nothing here is delivered incrementally.
        async with aclosing(cast("AsyncGenerator[ExecutionResult, None]", stream)) as results:
            async for result in results:
                payload = _payload(result)
                found.append((result, payload))
                size += len(payload)
                if size >= PAGE_BYTES or perf_counter() > until:
                    break
        return found


def _is_refusal(result: ExecutionResult) -> bool:
    """Whether nothing was executed: it was not begun, or has an error from before anything had a path."""
    has_no_path = all(error.path is None for error in result.errors or ())
    return isinstance(result, PreExecutionError) or (result.data is None and has_no_path)


def _payload(result: ExecutionResult) -> bytes:
    said: dict[str, Any] = {"data": result.data}
    if result.errors:
        said["errors"] = [error.formatted for error in result.errors]
    return orjson.dumps(said)
