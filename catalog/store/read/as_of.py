"""What was said of datasets and jobs at a moment: their tags, owners, type and description, as facets had it then.

Tables have what holds now, and the facets all there ever was. What facets mean is not known here: whoever asks says
how they are understood. At None, which is now, and where nobody says that, the tables answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

from msgspec.structs import replace as changed
from sqlalchemy import ColumnElement, case, false, func, select, union_all

from catalog.domain.changes import Change, DatasetTyped, Described, JobTyped, Owned, Structured, Tagged, Understand
from catalog.domain.ids import key
from catalog.domain.lineage import LineageNode, Question
from catalog.domain.timeline import FOREVER
from catalog.domain.words import EntityKind, Node, Scope
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.read import datasets as datasets_now
from catalog.store.read import jobs as jobs_now
from catalog.store.read import subjects
from catalog.store.read.datasets import DatasetRow
from catalog.store.read.jobs import JobRow
from catalog.store.read.subjects import SPEAKER, SPOKEN, OwnerRow, TagRow, attached
from catalog.store.rows import storable
from catalog.store.tables import dataset, facet, field_edge

C = TypeVar("C", bound=Change)

_DATASETS: Final = (EntityKind.DATASET, EntityKind.MODEL)
_SCOPES: Final = {Node.DATASET: Scope.DATASET, Node.JOB: Scope.JOB}
_COLUMNS: Final = (facet.c.name, facet.c.payload, facet.c.valid_from, facet.c.tie)


class _Said(NamedTuple):
    """What held of a subject under one of its names: since when, and what it means."""

    name: str
    since: tuple[int, int]
    changes: tuple[Change, ...]

    def only(self, kind: type[C]) -> Iterator[C]:
        return (change for change in self.changes if isinstance(change, kind))


def tags(
    connection: Read, ids: Collection[int], node: Node, at: int | None, understand: Understand | None
) -> Mapping[int, list[TagRow]]:
    """The tags that held, of the subject and of its columns, in the order they were given, each once."""
    if at is None or understand is None:
        return subjects.tags(connection, ids, node)
    result: dict[int, list[TagRow]] = {}
    for owner, said in _held(connection, ids, node, (at, understand), "tags").items():
        given = (tag for one in _latest(said).values() for change in one.only(Tagged) for tag in change.tags)
        rows = (TagRow(storable(t.key), storable(t.value), _stored(t.source), _stored(t.field)) for t in given)
        result[owner] = list(dict.fromkeys(rows))
    return result


def owners(
    connection: Read, ids: Collection[int], node: Node, at: int | None, understand: Understand | None
) -> Mapping[int, list[OwnerRow]]:
    """The owners that held, in the order they were given, each once."""
    if at is None or understand is None:
        return subjects.owners(connection, ids, node)
    result: dict[int, list[OwnerRow]] = {}
    for owner, said in _held(connection, ids, node, (at, understand), "ownership").items():
        given = (one for each in _latest(said).values() for change in each.only(Owned) for one in change.owners)
        result[owner] = list(dict.fromkeys(OwnerRow(storable(one.name), _stored(one.type)) for one in given))
    return result


def datasets(
    connection: Read, ids: Collection[int], at: int | None, understand: Understand | None
) -> Mapping[int, DatasetRow]:
    """Datasets by the id of any of their names, with the type and the description they had."""
    rows = datasets_now.by_ids(connection, ids)
    if at is None or understand is None:
        return rows
    shown = {row.id for row in rows.values()}
    held = _held(connection, shown, Node.DATASET, (at, understand), "datasetType", "documentation")
    dated: dict[int, DatasetRow] = {}
    for id, row in rows.items():
        said = _latest(held.get(row.id, ()))
        typed, told = _first(said, "datasetType", DatasetTyped), _first(said, "documentation", Described)
        dated[id] = replace(
            row,
            type=storable(typed.type) if typed else None,
            sub_type=_stored(typed.sub_type) if typed else None,
            description=storable(told.text) if told else None,
        )
    return dated


def jobs(connection: Read, ids: Collection[int], at: int | None, understand: Understand | None) -> Mapping[int, JobRow]:
    """Jobs with the type and the description they had."""
    rows = jobs_now.by_ids(connection, ids)
    if at is None or understand is None:
        return rows
    held = _held(connection, ids, Node.JOB, (at, understand), "jobType", "documentation")
    dated: dict[int, JobRow] = {}
    for id, row in rows.items():
        said = _latest(held.get(id, ()))
        typed, told = _first(said, "jobType", JobTyped), _first(said, "documentation", Described)
        dated[id] = replace(
            row,
            processing_type=_stored(typed.processing_type) if typed else None,
            integration=_stored(typed.integration) if typed else None,
            type=_stored(typed.job_type) if typed else None,
            description=storable(told.text) if told else None,
        )
    return dated


def kinds_then(connection: Read, nodes: tuple[LineageNode, ...], question: Question) -> tuple[LineageNode, ...]:
    """The nodes of an answer, datasets and models as what they were then, if the question understands that."""
    at, understand = question.window.moment, question.understand
    ids = [node.id for node in nodes if node.kind in _DATASETS] if question.names else []
    if at is None or understand is None or not ids:
        return nodes
    models = {
        id
        for id, said in _held(connection, ids, Node.DATASET, (at, understand), "datasetType").items()
        if (typed := _first(_latest(said), "datasetType", DatasetTyped)) and _is_model(typed)
    }
    kinds = {id: EntityKind.MODEL if id in models else EntityKind.DATASET for id in ids}
    return tuple(
        node if (kind := kinds.get(node.id, node.kind)) is node.kind else changed(node, kind=kind) for node in nodes
    )


def model_then(connection: Read, at: int | None, understand: Understand | None) -> ColumnElement[bool]:
    """Whether a dataset was a model, as a condition on its row under the name it is shown by."""
    if at is None or understand is None:
        return subjects.is_model(dataset)
    # What holds still is what the rows of names say.
    ended = _held_then(Scope.DATASET, ("datasetType",), at)
    rows = connection.execute(select(facet.c.subject_id, facet.c.payload).where(*ended, facet.c.valid_to < FOREVER))
    models = {
        id
        for id, payload in rows
        for change in (() if payload is None else understand(Scope.DATASET, "datasetType", payload))
        if isinstance(change, DatasetTyped) and _is_model(change)
    }
    said = case(
        (SPOKEN.c.valid_to == FOREVER, subjects.says_model(SPEAKER.c.type)),
        else_=any_of(connection, SPEAKER.c.id, models),
    )
    return func.coalesce(subjects.last(dataset.c.id, "datasetType", said, at), false())


def _is_model(typed: DatasetTyped) -> bool:
    return typed.type.upper() == EntityKind.MODEL.value


def columns(
    connection: Read, ids: Collection[int], at: int | None, understand: Understand | None
) -> Mapping[int, list[str]]:
    """Every column of each dataset that a schema or a lineage had named by then, by name."""
    if at is None or understand is None:
        return datasets_now.columns(connection, ids)
    named: dict[int, set[str]] = defaultdict(set)
    schemas = attached(connection, facet, (facet.c.payload,), ids, Node.DATASET).where(
        facet.c.scope == int(Scope.DATASET), facet.c.name_key == key("facet", "schema"),
        facet.c.valid_from <= at, facet.c.payload.is_not(None),
    )  # fmt: skip
    for owner, payload in connection.execute(schemas):
        for change in understand(Scope.DATASET, "schema", payload):
            if isinstance(change, Structured):
                named[owner].update(storable(column.name) for column in change.columns)
    ends = (
        (field_edge.c.source_owner, field_edge.c.source_column),
        (field_edge.c.target_owner, field_edge.c.target_column),
    )
    flows = union_all(
        *(
            select(dataset.c.canonical_id, column)
            .join(dataset, dataset.c.id == owner)
            .where(any_of(connection, dataset.c.canonical_id, ids), column != "", field_edge.c.valid_from <= at)
            for owner, column in ends
        )
    )
    for owner, column in connection.execute(flows):
        named[owner].add(column)
    return {owner: sorted(names) for owner, names in named.items()}


def _held(
    connection: Read, ids: Collection[int], node: Node, then: tuple[int, Understand], *names: str
) -> Mapping[int, list[_Said]]:
    """What these facets said of each subject, under each of its names: what was said under the shown one first."""
    scope, (at, understand) = _SCOPES[node], then
    found = attached(connection, facet, _COLUMNS, ids, node).where(*_held_then(scope, names, at))
    result: dict[int, list[_Said]] = defaultdict(list)
    for owner, name, payload, since, tie in connection.execute(found):
        changes = () if payload is None else understand(scope, name, payload)
        result[owner].append(_Said(name, (since, tie), changes))
    return result


def _held_then(scope: Scope, names: Collection[str], at: int) -> Iterator[ColumnElement[bool]]:
    yield facet.c.scope == int(scope)
    yield facet.c.name_key.in_([key("facet", name) for name in names])
    yield facet.c.valid_from <= at
    yield facet.c.valid_to > at


def _latest(said: Iterable[_Said]) -> Mapping[str, _Said]:
    """Of each facet what was said last, under whichever name; at once under two, what was said under the first."""
    latest: dict[str, _Said] = {}
    for one in said:
        if one.name not in latest or latest[one.name].since < one.since:
            latest[one.name] = one
    return latest


def _first(said: Mapping[str, _Said], name: str, kind: type[C]) -> C | None:
    return next(said[name].only(kind), None) if name in said else None


def _stored(text: str | None) -> str | None:
    return None if text is None else storable(text)
