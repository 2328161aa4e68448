"""Pages of lists, by key and not by number.

A page costs the same wherever it is, and rows that come or go meanwhile make no other appear twice or not at all.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import orjson
from sqlalchemy import CTE, ColumnElement, Row, Select, func, literal, select, tuple_

from catalog.domain.errors import BadRequest
from catalog.store.dialect import any_of, listed
from catalog.store.engine import Read

T = TypeVar("T")
U = TypeVar("U")

MOST: Final = 1_000
"""The longest page, in items."""

_INT64: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: at most `first` items, behind the cursor `after`."""

    first: int = 50
    after: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.first <= MOST:
            raise BadRequest(f"A page of {self.first} items.", fix=f"Ask for 0 to {MOST} with `first`.")


@dataclass(frozen=True, slots=True)
class Order:
    """What a list is ordered by: never NULL, together unique, all in one direction.

    `kind` names the list in its cursors, so that a cursor of another list is refused and not misread.
    """

    kind: str
    keys: tuple[ColumnElement[Any], ...]
    descending: bool = False

    def by(self) -> list[ColumnElement[Any]]:
        """The clauses of ORDER BY."""
        return [key.desc() if self.descending else key.asc() for key in self.keys]

    def cursor(self, values: Sequence[Any]) -> str:
        """The place of an item with these keys: opaque text, safe in an address."""
        return urlsafe_b64encode(orjson.dumps([self.kind, *values])).rstrip(b"=").decode()

    def after(self, cursor: str) -> ColumnElement[bool]:
        """What comes behind the cursor.

        Raises:
            BadRequest: it is no cursor of this list.
        """
        values = self.place(cursor)
        here = tuple_(*self.keys)
        there = tuple_(*(literal(value, key.type) for value, key in zip(values, self.keys, strict=True)))
        return here < there if self.descending else here > there

    def place(self, cursor: str) -> list[Any]:
        """The keys of the item that the cursor is of.

        Raises:
            BadRequest: it is no cursor of this list.
        """
        values = self._values(cursor)
        if values is None:
            raise BadRequest(
                f"{cursor[:40]!r} is not a cursor of this list.", fix="Pass the `endCursor` the same field answered."
            )
        return values

    def _values(self, cursor: str) -> list[Any] | None:
        try:
            said = orjson.loads(urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
        except (ValueError, binascii.Error):
            return None
        if not isinstance(said, list) or len(said) != len(self.keys) + 1 or said[0] != self.kind:
            return None
        values = said[1:]
        fitting = (_fits(value, key) for value, key in zip(values, self.keys, strict=True))
        return values if all(fitting) else None


def _fits(value: object, key: ColumnElement[Any]) -> bool:
    if isinstance(value, str):
        # PostgreSQL refuses NUL in a text, and no stored key has one.
        return key.type.python_type is str and "\0" not in value
    return type(value) is int is key.type.python_type and -_INT64 <= value < _INT64


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """A page as found: its items, the cursor of each, and whether there are more behind it."""

    items: Sequence[T] = ()
    cursors: Sequence[str] = ()
    has_next: bool = False

    def of(self, items: Sequence[U]) -> Slice[U]:
        """The same page of what its items became."""
        return Slice(items, self.cursors, self.has_next)

    def each(self, make: Callable[[T], U]) -> Slice[U]:
        """The same page with every item made into another."""
        return self.of([make(item) for item in self.items])


def paginate(connection: Read, statement: Select[Any], order: Order, page: Page) -> Slice[Row[Any]]:
    """One page of a list.

    Raises:
        BadRequest: `page.after` is no cursor of this list.
    """
    paged = _keyed(statement, order, page).order_by(*order.by()).limit(page.first + 1)
    return _slice(connection.execute(paged).all(), order, page)


def paginate_each(
    connection: Read,
    statement: Select[Any],
    parent: ColumnElement[int],
    parents: Collection[int],
    *,
    order: Order,
    page: Page,
    seek: bool = False,
) -> dict[int, Slice[Row[Any]]]:
    """The same page of every parent's own list, in one statement; parents without items are missing.

    Args:
        connection: to ask.
        statement: all items of all parents.
        parent: whose item a row is.
        parents: whose pages are wanted.
        order: of each list.
        page: of each list.
        seek: find first how far each page goes, and then read no more than that. With an index over `parent` and
            the keys that is 1 ms where reading 50 lists of 600 rows is 70 ms; where `statement` has to compute
            its rows, it does so twice.

    Raises:
        BadRequest: `page.after` is no cursor of this list.
    """
    if seek:
        end = _ends(connection, statement, parent, parents, order=order, page=page)
        first = order.keys[0]
        within = first >= end.c.key if order.descending else first <= end.c.key
        statement = statement.join(end, parent == end.c.parent).where(within)
    else:
        statement = statement.where(any_of(connection, parent, parents))
    rank = func.row_number().over(partition_by=parent, order_by=order.by())
    ranked = _keyed(statement, order, page).add_columns(parent.label("page_parent"), rank.label("page_rank")).subquery()
    shown = select(ranked).where(ranked.c.page_rank <= page.first + 1)
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(shown.order_by(ranked.c.page_parent, ranked.c.page_rank)):
        found[row.page_parent].append(row)
    return {owner: _slice(rows, order, page) for owner, rows in found.items()}


def _ends(
    connection: Read,
    statement: Select[Any],
    parent: ColumnElement[int],
    parents: Collection[int],
    *,
    order: Order,
    page: Page,
) -> CTE:
    """The first key of the last row of each parent's page: what `LATERAL` would save, but SQLite has none."""
    wanted = listed(connection, ["parent"], [(id,) for id in parents])
    keys = _after(statement.with_only_columns(order.keys[0].label("key"), maintain_column_froms=True), order, page)
    own = keys.where(parent == wanted.c.parent).order_by(*order.by()).limit(page.first + 1)
    shown = own.correlate(wanted).subquery()
    last = func.min(shown.c.key) if order.descending else func.max(shown.c.key)
    ends = select(wanted.c.parent, select(last).scalar_subquery().label("key")).cte("page_end")
    # Else SQLite finds the end of the page anew for every row that it compares with it.
    return ends.prefix_with("MATERIALIZED")


def count(connection: Read, statement: Select[Any]) -> int:
    """How many rows the whole list has."""
    found: int = connection.execute(select(func.count()).select_from(statement.subquery())).scalar_one()
    return found


def count_each(
    connection: Read, statement: Select[Any], parent: ColumnElement[int], parents: Collection[int]
) -> dict[int, int]:
    """How many rows the whole list of every parent has; parents without any are missing."""
    counted = statement.with_only_columns(parent, func.count()).where(any_of(connection, parent, parents))
    return {owner: many for owner, many in connection.execute(counted.group_by(parent))}  # noqa: C416 - rows, not pairs


def _keyed(statement: Select[Any], order: Order, page: Page) -> Select[Any]:
    keyed = statement.add_columns(*(key.label(f"page_key_{i}") for i, key in enumerate(order.keys)))
    return _after(keyed, order, page)


def _after(statement: Select[Any], order: Order, page: Page) -> Select[Any]:
    return statement if page.after is None else statement.where(order.after(page.after))


def _slice(rows: Sequence[Row[Any]], order: Order, page: Page) -> Slice[Row[Any]]:
    names = [f"page_key_{i}" for i in range(len(order.keys))]
    shown = rows[: page.first]
    cursors = [order.cursor([getattr(row, name) for name in names]) for row in shown]
    return Slice(shown, cursors, len(rows) > page.first)
