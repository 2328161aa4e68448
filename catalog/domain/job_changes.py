"""What a version of a job does that the one before did not."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from catalog.domain.changes import Transformation
from catalog.domain.statement import FieldEdge, Statement, resolve
from catalog.domain.words import Node


class ColumnEdge(NamedTuple):
    """Data goes from one dataset or column ('' for the whole) to another, changed so. Datasets by their id."""

    source: int
    source_column: str
    target: int
    target_column: str
    how: Transformation


@dataclass(frozen=True, slots=True)
class Work:
    """What a version of a job does: the datasets it reads and writes, by id, what flows where, and where its code is.

    `code` has a JSON object for each place.
    """

    inputs: frozenset[int] = frozenset()
    outputs: frozenset[int] = frozenset()
    columns: frozenset[ColumnEdge] = frozenset()
    code: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class JobChanges:
    """From one version of a job to the next: what came and what went, each in a fixed order.

    `code_parts` names the members of the code location that differ. `commit` is the one that the code is at since; None
    where nobody says, or it is the one that the version before was at.
    """

    inputs_added: tuple[int, ...]
    inputs_removed: tuple[int, ...]
    outputs_added: tuple[int, ...]
    outputs_removed: tuple[int, ...]
    columns_added: tuple[ColumnEdge, ...]
    columns_removed: tuple[ColumnEdge, ...]
    code_added: tuple[str, ...]
    code_removed: tuple[str, ...]
    code_parts: tuple[str, ...]
    commit: str | None


def work(said: Statement, job: int, shown: Callable[[int], int]) -> Work:
    """What runs that say this do: `shown` answers the id a dataset is shown under by that of any of its names."""
    edges = resolve(said, job, declared=False)
    into = {e.source_id for e in edges.edges if (e.source_node, e.target_id) == (Node.DATASET, job)}
    out = {e.target_id for e in edges.edges if (e.target_node, e.source_id) == (Node.DATASET, job)}
    return Work(
        frozenset(map(shown, into)),
        frozenset(map(shown, out)),
        frozenset(_column_edge(e, shown) for e in edges.fields if e.source_node == e.target_node == Node.DATASET),
        said.code,
    )


def _column_edge(edge: FieldEdge, shown: Callable[[int], int]) -> ColumnEdge:
    how = Transformation(edge.type, edge.subtype, edge.description, edge.masking)
    return ColumnEdge(shown(edge.source_owner), edge.source_column, shown(edge.target_owner), edge.target_column, how)


def compare(before: Work, after: Work) -> JobChanges:
    """What changed."""
    gone, come = before.code - after.code, after.code - before.code
    commits = _commits(after.code) - _commits(before.code)
    return JobChanges(
        _in_order(after.inputs - before.inputs),
        _in_order(before.inputs - after.inputs),
        _in_order(after.outputs - before.outputs),
        _in_order(before.outputs - after.outputs),
        tuple(sorted(after.columns - before.columns, key=_order)),
        tuple(sorted(before.columns - after.columns, key=_order)),
        tuple(sorted(come)),
        tuple(sorted(gone)),
        tuple(sorted({name for name, _ in _members(gone) ^ _members(come)})),
        max(commits, default=None),
    )


def _members(code: Collection[str]) -> set[tuple[str, str]]:
    """The members of code locations, each with its values."""
    return {(name, said) for location in code for name, said in _decode(location).items()}


def _commits(code: Collection[str]) -> set[str]:
    return {said for name, said in _members(code) if name == "version"}


_decode = msgspec.json.Decoder(dict[str, str]).decode


def _in_order(ids: frozenset[int]) -> tuple[int, ...]:
    return tuple(sorted(ids))


def _order(edge: ColumnEdge) -> tuple[object, ...]:
    how = edge.how
    return (*edge[:4], how.type, how.subtype, how.description, how.masking)
