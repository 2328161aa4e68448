"""Pages by key: together they are the list, whatever their size, and cursors are what this list answered or nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from catalog.domain.errors import BadRequest
from catalog.store import paging
from catalog.store.engine import Database
from catalog.store.paging import Order, Page
from catalog.store.tables import job

NewDatabase = Callable[[], AbstractContextManager[Database]]

BY_NAME = Order("job", (job.c.sort_key, job.c.id))
LATEST = Order("job latest", (job.c.created_at, job.c.id), descending=True)
JOBS = select(job.c.id, job.c.sort_key)

keys = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)
lists = st.lists(st.tuples(keys, st.integers(-3, 3), st.integers(0, 2)), max_size=12)


def fill(database: Database, rows: list[tuple[str, int, int]]) -> None:
    with database.write() as connection:
        connection.execute(job.delete())
        for id, (sort_key, created_at, parent) in enumerate(rows):
            row = {column.name: 0 if column.type.python_type is int else "" for column in job.columns}
            row |= {"id": id, "sort_key": sort_key, "created_at": created_at, "parent_id": parent}
            connection.execute(job.insert(), row)


@pytest.mark.parametrize("order", [BY_NAME, LATEST], ids=["ascending", "descending"])
def test_pages_of_any_size_together_are_the_whole_list_in_its_order(new_database: NewDatabase, order: Order):
    with new_database() as database:

        @given(rows=lists, size=st.integers(1, 5))
        @settings(max_examples=25)
        def check(rows: list[tuple[str, int, int]], size: int) -> None:
            fill(database, rows)
            with database.read() as connection:
                whole = [row.id for row in connection.execute(JOBS.order_by(*order.by()))]
                pages, after = [], None
                while True:
                    found = paging.paginate(connection, JOBS, order, Page(size, after))
                    pages.append([row.id for row in found.items])
                    if not found.has_next:
                        break
                    after = found.cursors[-1]
            assert [id for page in pages for id in page] == whole
            assert all(len(page) == size for page in pages[:-1])

        check()


@pytest.mark.parametrize("order", [BY_NAME, LATEST], ids=["ascending", "descending"])
@pytest.mark.parametrize("seek", [False, True], ids=["reading", "seeking"])
def test_each_parent_has_the_page_it_has_alone(new_database: NewDatabase, order: Order, *, seek: bool):
    with new_database() as database:

        @given(rows=lists, size=st.integers(0, 4), cut=st.integers(0, 11))
        @settings(max_examples=25)
        def check(rows: list[tuple[str, int, int]], size: int, cut: int) -> None:
            fill(database, rows)
            with database.read() as connection:
                everything = paging.paginate(connection, JOBS, order, Page(100))
                after = everything.cursors[cut] if cut < len(everything.cursors) else None
                page = Page(size, after)
                together = paging.paginate_each(
                    connection, JOBS, job.c.parent_id, [0, 1, 2], order=order, page=page, seek=seek
                )
                counts = paging.count_each(connection, JOBS, job.c.parent_id, [0, 1, 2])
                for parent in (0, 1, 2):
                    own = JOBS.where(job.c.parent_id == parent)
                    alone = paging.paginate(connection, own, order, page)
                    found = together.get(parent, paging.Slice())
                    assert [row.id for row in found.items] == [row.id for row in alone.items]
                    assert (list(found.cursors), found.has_next) == (list(alone.cursors), alone.has_next)
                    assert counts.get(parent, 0) == paging.count(connection, own)

        check()


def test_rows_that_come_and_go_between_pages_move_no_others(database: Database):
    fill(database, [(letter, 0, 0) for letter in "bdfh"])
    with database.read() as connection:
        first = paging.paginate(connection, JOBS, BY_NAME, Page(2))
    fill(database, [(letter, 0, 0) for letter in "abcegh"])
    with database.read() as connection:
        second = paging.paginate(connection, JOBS, BY_NAME, Page(9, first.cursors[-1]))
    assert [row.sort_key for row in first.items] == ["b", "d"]
    assert [row.sort_key for row in second.items] == ["e", "g", "h"]


def cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "after",
    [
        "", "?", "é", "====", "\ud800", "a" * 5000, cursor(), cursor("job"), cursor("job", "a"), cursor("run", "a", 1),
        cursor("job", 1, "a"), cursor("job", "a", 1, 2), cursor("job", "a", 1.5), cursor("job", "a", True),
        cursor("job", "a", 1 << 63), cursor("job", "a", -(1 << 63) - 1), cursor("job", "a\0", 1),
        cursor("job", None, 1),
        base64.urlsafe_b64encode(b'{"job": 1}').decode(), base64.urlsafe_b64encode(b"[" * 3000).decode(),
        base64.urlsafe_b64encode(b'["job","\\ud800",1]').decode(),
    ],
)  # fmt: skip
def test_what_is_no_cursor_of_the_list_is_refused_with_what_to_do(database: Database, after: str):
    with database.read() as connection, pytest.raises(BadRequest) as refused:
        paging.paginate(connection, JOBS, BY_NAME, Page(5, after))
    assert "endCursor" in refused.value.fix


def test_a_cursor_at_the_limits_of_its_numbers_is_taken(database: Database):
    fill(database, [("b", 0, 0)])
    with database.read() as connection:
        for id in ((1 << 63) - 1, -(1 << 63)):
            found = paging.paginate(connection, JOBS, BY_NAME, Page(5, cursor("job", "a", id)))
            assert [row.sort_key for row in found.items] == ["b"]


@pytest.mark.parametrize("first", [-1, 1001])
def test_a_page_has_a_size_from_0_to_1000(first: int):
    with pytest.raises(BadRequest, match=str(first)):
        Page(first)
