"""Every query that a test asks is answered by both executors, on one snapshot, and the answers are compared.

`tests/conftest.py` installs this. What differs is kept until the test ends and fails it then: raised at once it would
be an error of the catalog's, which a test might expect.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import orjson
import pytest
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext as Default

from catalog.api.graphql.executor import Executor

DIFFERENCES: list[str] = []
"""What differed since it was asked last."""

SEEN = {"answered": 0, "left to the default": 0}
"""How many queries there were, by what became of the compiled way."""

_comparing: ContextVar[bool] = ContextVar("_comparing", default=False)


def comparing() -> bool:
    """Whether what goes on now is done for the comparison: then it is none of the test's statements."""
    return _comparing.get()


def install(patch: pytest.MonkeyPatch) -> None:
    """Compare from now on."""
    projected = Executor.projected

    async def compared(self: Executor) -> dict[str, Any]:
        try:
            data = await projected(self)
        except Exception as error:
            SEEN["left to the default"] += 1
            expected = await _default(self)
            if not expected.errors:
                DIFFERENCES.append(f"{_query(self)}\nwas left to the default executor for nothing: {error!r}")
            raise
        SEEN["answered"] += 1
        expected = await _default(self)
        if expected.errors or orjson.dumps(expected.data) != orjson.dumps(data):
            DIFFERENCES.append(f"{_query(self)}\nis {expected.data} {expected.errors}\nand compiled {data}")
        return data

    patch.setattr(Executor, "projected", compared)


@contextmanager
def none_differing() -> Iterator[None]:
    """Fail if anything differs inside of this."""
    DIFFERENCES.clear()
    yield
    assert DIFFERENCES == []


async def _default(executor: Executor) -> Any:
    """The answer of the default executor, with errors of its own."""
    token = _comparing.set(True)
    try:
        answer = Default.execute_operation(executor.build_per_event_executor(executor.root_value))
        return await answer if executor.is_awaitable(answer) else answer
    finally:
        _comparing.reset(token)


def _query(executor: Executor) -> str:
    location = executor.operation.loc
    return location.source.body if location else ""
