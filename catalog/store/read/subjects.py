"""What is attached to jobs and datasets under whichever name it was said, by the id they are shown under."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Table, collate, exists, func, or_, select, tuple_

from catalog.domain.errors import BadRequest
from catalog.domain.ids import key
from catalog.domain.timeline import FOREVER
from catalog.domain.words import Node, Scope
from catalog.store.dialect import any_of, is_sqlite
from catalog.store.engine import Read
from catalog.store.rows import storable
from catalog.store.tables import dataset, facet, ownership, tag

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
        .order_by(dataset.c.id != dataset.c.canonical_id, dataset.c.sort_key, dataset.c.id)
    )


def said_last(name: FromClause, facet_name: str) -> ColumnElement[bool]:
    """Whether this facet was said last under this name of a dataset, a row of `dataset`, and under no other of it.

    What is taken back was said too. Of two names in one event, it is the one that `attached` has first.
    """
    other, ours, theirs = dataset.alias("other_name"), facet.alias("ours"), facet.alias("theirs")
    held = ((row.c.scope == int(Scope.DATASET), row.c.name_key == key("facet", facet_name), row.c.valid_to == FOREVER)
            for row in (ours, theirs))  # fmt: skip
    when, then = (tuple_(row.c.valid_from, row.c.tie) for row in (ours, theirs))
    first = (other.c.id == other.c.canonical_id) | (
        (name.c.id != name.c.canonical_id) & (tuple_(other.c.sort_key, other.c.id) < tuple_(name.c.sort_key, name.c.id))
    )
    return ~exists().where(
        other.c.canonical_id == name.c.canonical_id, other.c.id != name.c.id,
        ours.c.subject_id == name.c.id, theirs.c.subject_id == other.c.id, *(each for row in held for each in row),
        or_(then > when, (then == when) & first),
    )  # fmt: skip


def tags(connection: Read, ids: Collection[int], node: Node) -> dict[int, list[TagRow]]:
    """The tags that hold now, of the subject and of its columns, in the order they were given, each once."""
    found = attached(connection, tag, (tag.c.key, tag.c.value, tag.c.source, tag.c.field), ids, node)
    if node is Node.DATASET:
        found = found.where(said_last(dataset, "tags"))
    result: dict[int, dict[TagRow, None]] = defaultdict(dict)
    for owner, *said in connection.execute(found.order_by(tag.c.position)):
        result[owner][TagRow(*said)] = None
    return {owner: list(each) for owner, each in result.items()}


def owners(connection: Read, ids: Collection[int], node: Node) -> dict[int, list[OwnerRow]]:
    """The owners that hold now, in the order they were given, each once."""
    found = attached(connection, ownership, (ownership.c.name, ownership.c.type), ids, node)
    if node is Node.DATASET:
        found = found.where(said_last(dataset, "ownership"))
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
