"""One consistent state for all that one question reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

from catalog.store.engine import Database, Read, translated

P = ParamSpec("P")
T = TypeVar("T")


class Snapshot:
    """A connection all of whose statements see the same state, whatever is committed meanwhile."""

    def __init__(self, connection: Read) -> None:
        self._connection = connection

    def ask(self, read: Callable[Concatenate[Read, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a reading function answers.

        Raises:
            Unavailable: the database went away.
        """
        with translated():
            return read(self._connection, *args, **kwargs)


@contextmanager
def snapshot(database: Database) -> Iterator[Snapshot]:
    """Open a snapshot.

    Raises:
        Unavailable: there is no connection to be had.
    """
    with database.read() as connection:
        yield Snapshot(connection)
