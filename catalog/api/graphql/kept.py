"""Answers kept until the catalog changes: who asks the same of the same graph gets the same bytes.

Lineage is looked at far more often than it changes: by pages that refresh themselves, by several people at one table.
That nothing has changed is asked of the database every time, by one row, so that an answer is never older than the
question, whichever process wrote. Refused: to keep answers for some seconds, as an auditor could then be told what is
not so any more; and to keep what the walk finds, since composing the answer takes as long as finding it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final, TypeAlias

from graphql import FieldNode, OperationType, get_operation_ast

from catalog.api.graphql.asked import Asked
from catalog.api.graphql.limits import parsed
from catalog.domain.callers import Caller, Permission

Revision: TypeAlias = tuple[int, int]
"""Which graph there is: see `log.revision`."""

Key: TypeAlias = tuple[bytes, frozenset[Permission]]
"""A request as it was sent, and what its caller may read: nothing else of the caller is in an answer that is kept."""

_OF_THE_GRAPH: Final = frozenset({
    "__typename", "cycles", "dataset", "datasets", "events", "impact", "job", "jobs", "lineage", "lineageDiff",
    "namespaces", "node", "orphans", "pathSearch", "paths", "run", "runs", "search",
})  # fmt: skip
"""Root fields whose answers follow from the log. Keys end with time, candidates are of the moment at which they are
asked for where no failure has one, and the quarantine is not in the log."""

_LARGEST: Final = 8
"""One answer may have this part of the room: a few large ones must not push out all others."""


def key_of(body: bytes, caller: Caller) -> Key:
    """What an answer is kept under."""
    return body, caller.permissions


def is_lasting(asked: Asked, max_tokens: int) -> bool:
    """Whether an operation that was executed without an error is answered alike until the catalog changes."""
    operation = get_operation_ast(parsed(asked.query, max_tokens), asked.operation_name)
    return (
        operation is not None
        and operation.operation is OperationType.QUERY
        and all(
            isinstance(one, FieldNode) and one.name.value in _OF_THE_GRAPH for one in operation.selection_set.selections
        )
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    revision: Revision
    body: bytes


class Answers:
    """The answers that were asked for last, as many as there is room for. Threads may share it."""

    def __init__(self, max_bytes: int) -> None:
        """`max_bytes` bounds requests and answers together; 0 keeps nothing."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._answers: OrderedDict[Key, _Answer] = OrderedDict()
        self._lock = Lock()

    def find(self, key: Key, revision: Revision) -> bytes | None:
        """The answer to this graph, if it is there."""
        with self._lock:
            answer = self._answers.get(key)
            if answer is None or answer.revision != revision:
                return None
            self._answers.move_to_end(key)
            return answer.body

    def keep(self, key: Key, revision: Revision, body: bytes) -> None:
        """Keep an answer. `revision` was read before the graph was: an answer is never taken for a later one's."""
        size = _size(key, body)
        if size > self._max_bytes // _LARGEST:
            return
        with self._lock:
            self._forget(key)
            while self._bytes + size > self._max_bytes:
                self._forget(next(iter(self._answers)))
            self._answers[key] = _Answer(revision, body)
            self._bytes += size

    def _forget(self, key: Key) -> None:
        answer = self._answers.pop(key, None)
        if answer is not None:
            self._bytes -= _size(key, answer.body)


def _size(key: Key, body: bytes) -> int:
    return len(key[0]) + len(body)
