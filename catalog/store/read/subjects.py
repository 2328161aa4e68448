"""What is attached to jobs and datasets under whichever name it was said, by the id they are shown under."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    FromClause,
    ScalarSelect,
    Select,
    Table,
    and_,
    case,
    collate,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from catalog.domain.errors import BadRequest
from catalog.domain.ids import key
from catalog.domain.timeline import FOREVER
from catalog.domain.words import EntityKind, Node, Scope
from catalog.store.dialect import any_of, is_sqlite
from catalog.store.engine import Read
from catalog.store.rows import storable
from catalog.store.tables import dataset, dataset_alias, facet, ownership, tag

T = TypeVar("T")

SPEAKER, SPOKEN = dataset.alias("speaker"), facet.alias("spoken")
"""A name of a dataset, and a facet that was said under it: see `last`."""

# SQLite refuses patterns of more than 50,000 bytes.
_LONGEST = 1_000
_LOWERED = str.maketrans(ascii_uppercase, ascii_lowercase)


@dataclass(frozen=True, slots=True)
class TagRow:
    """A tag; `field` is the column it is on, None for the subject as a whole."""

    key: str
    value: str
    source: str | None
    field: str | None


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """Who answers for a job or dataset, and as what."""

    name: str
    type: str | None


def attached(
    connection: Read, table: Table, columns: Collection[ColumnElement[Any]], ids: Collection[int], node: Node
) -> Select[Any]:
    """Rows of `table`, whose `subject_id` is a job or any name of a dataset, with the subject as `owner`.

    Of a dataset with several names, what was said under the shown one comes first.
    """
    if node is Node.JOB:
        owned = select(table.c.subject_id.label("owner"), *columns)
        return owned.where(any_of(connection, table.c.subject_id, ids))
    return (
        select(dataset.c.canonical_id.label("owner"), *columns)
        .join(dataset, dataset.c.id == table.c.subject_id)
        .where(any_of(connection, dataset.c.canonical_id, ids))
        .order_by(*_shown_first(dataset))
    )


def last(shown: ColumnElement[int], facet_name: str, what: ColumnElement[T], at: int | None = None) -> ScalarSelect[T]:
    """`what` of the `SPEAKER` under which this facet was said last, and of what is `SPOKEN`; NULL if nobody said it.

    Of all names of the dataset that is shown under this id, now or as of a moment. What is taken back was said too. Of
    two names in one event, it is the one that `attached` has first. All numbers are constants: for `Prepared` too.
    """
    held = SPOKEN.c.valid_to == _constant(FOREVER)
    return (
        select(what)
        .select_from(SPEAKER.join(SPOKEN, SPOKEN.c.subject_id == SPEAKER.c.id))
        .where(SPEAKER.c.canonical_id == shown, SPOKEN.c.scope == _constant(Scope.DATASET),
               SPOKEN.c.name_key == _constant(key("facet", facet_name)),
               held if at is None else and_(SPOKEN.c.valid_from <= at, SPOKEN.c.valid_to > at))
        .order_by(SPOKEN.c.valid_from.desc(), SPOKEN.c.tie.desc(), *_shown_first(SPEAKER))
        .limit(_constant(1))
        .offset(_constant(0))  # Which is a parameter on SQLite otherwise.
        .scalar_subquery()
    )  # fmt: skip


def said_last(name: FromClause, facet_name: str, id: ColumnElement[int] | None = None) -> ColumnElement[bool]:
    """Whether this facet was said last under this name of a dataset, a row of `dataset`, and under no other of it.

    `id` is another column with the id of the name. SQLite looks no sooner than it has that: not for names of which
    nothing was said.
    """
    shown = name.c.canonical_id
    return or_(~has_several(shown), (name.c.id if id is None else id) == last(shown, facet_name, SPEAKER.c.id))


def last_type(shown: FromClause) -> ColumnElement[str | None]:
    """The type of a dataset, a row of `dataset` under the name it is shown by, as it was said last."""
    return case((has_several(shown.c.id), last(shown.c.id, "datasetType", SPEAKER.c.type)), else_=shown.c.type)


def has_several(name: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a dataset has several names, by the id of any of them."""
    # Two small indexes say; where no dataset has any, one look for the whole answer does.
    linked = (exists().where(end == name) for end in (dataset_alias.c.dataset_id, dataset_alias.c.alias_id))
    return and_(exists(select(dataset_alias.c.alias_id)), or_(*linked))


def is_model(shown: FromClause) -> ColumnElement[bool]:
    """Whether a dataset, as in `last_type`, is a model."""
    return says_model(last_type(shown))


def says_model(type: ColumnElement[str | None]) -> ColumnElement[bool]:
    """Whether this type is that of models."""
    return func.upper(func.coalesce(type, "")) == EntityKind.MODEL.value


def _shown_first(name: FromClause) -> tuple[ColumnElement[Any], ...]:
    return name.c.id != name.c.canonical_id, name.c.sort_key, name.c.id


def _constant(number: int) -> ColumnElement[int]:
    return literal_column(str(int(number)))


def tags(connection: Read, ids: Collection[int], node: Node) -> dict[int, list[TagRow]]:
    """The tags that hold now, of the subject and of its columns, in the order they were given, each once."""
    found = attached(connection, tag, (tag.c.key, tag.c.value, tag.c.source, tag.c.field), ids, node)
    if node is Node.DATASET:
        found = found.where(said_last(dataset, "tags", tag.c.subject_id))
    result: dict[int, dict[TagRow, None]] = defaultdict(dict)
    for owner, *said in connection.execute(found.order_by(tag.c.position)):
        result[owner][TagRow(*said)] = None
    return {owner: list(each) for owner, each in result.items()}


def owners(connection: Read, ids: Collection[int], node: Node) -> dict[int, list[OwnerRow]]:
    """The owners that hold now, in the order they were given, each once."""
    found = attached(connection, ownership, (ownership.c.name, ownership.c.type), ids, node)
    if node is Node.DATASET:
        found = found.where(said_last(dataset, "ownership", ownership.c.subject_id))
    result: dict[int, dict[OwnerRow, None]] = defaultdict(dict)
    for owner, *said in connection.execute(found.order_by(ownership.c.position)):
        result[owner][OwnerRow(*said)] = None
    return {owner: list(each) for owner, each in result.items()}


def contains(connection: Read, column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """`column` has `text` in it; ASCII letters match in either case, others as they are, on both engines."""
    return _lowered(connection, column).contains(_pattern(text), autoescape=True)


def begins(connection: Read, column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """`column` begins with `text`; letters as in `contains`."""
    return _lowered(connection, column).startswith(_pattern(text), autoescape=True)


def _lowered(connection: Read, column: ColumnElement[str]) -> ColumnElement[str]:
    # PostgreSQL's lower() follows the database's collation; SQLite's knows ASCII only, as does collation C.
    return func.lower(column if is_sqlite(connection) else collate(column, "C"))


def _pattern(text: str) -> str:
    if len(text) > _LONGEST:
        raise BadRequest(f"A text of {len(text)} characters to look for.", fix=f"Look for {_LONGEST} at most.")
    return storable(text).translate(_LOWERED)
