"""The names of datasets, of which one may have very many: a path for each day, say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

import pytest
from sqlalchemy import Connection

from builders import also_known_as, declared_dataset, ran
from catalog.domain.ids import dataset_id, job_id
from catalog.store.among import Prepared, Tuple
from catalog.store.engine import Database
from catalog.store.names import Names
from catalog.store.read import same_work
from histories import put, tell

Statements: TypeAlias = Callable[[Database], AbstractContextManager[list[str]]]

PATHS = [f"in/day={day:02}" for day in range(40)]


def test_all_names_of_a_dataset_are_learnt_once_however_many_are_asked_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(database, [[declared_dataset("table", 0, symlinks=also_known_as(*PATHS))]])
    read: list[Tuple] = []
    ask = Prepared.rows

    def counted(self: Prepared, connection: Connection, given: dict[str, int | Collection[int]]) -> Sequence[Tuple]:
        rows = ask(self, connection, given)
        read.extend(rows)
        return rows

    monkeypatch.setattr(Prepared, "rows", counted)
    ids = [dataset_id("shop", name) for name in ("table", *PATHS)]
    with database.read() as connection:
        names = Names(connection)
        names.learn(ids)
    assert set(names.of({names.canonical[ids[-1]]})) == set(ids)
    assert len(read) == 1 + len(ids)


def test_versions_are_compared_of_jobs_alone_that_use_a_dataset_by_several_names(
    database: Database, statements: Statements
) -> None:
    tell(database, *(ran("other", n).reading(path).writing("b") for n, path in enumerate(("a", "c"))))
    tell(database, declared_dataset("table", 0, symlinks=also_known_as(*PATHS)))
    tell(database, *(ran("daily", day).reading(path).writing("mart") for day, path in enumerate(PATHS)))
    other, daily = (job_id("shop", name) for name in ("other", "daily"))
    with database.read() as connection:
        with statements(database) as asked:
            assert same_work.of_jobs(connection, [other]) == {}
        assert not any("statement" in each for each in asked)
        told = same_work.of_jobs(connection, [other, daily])
    assert len(told) == len(PATHS) - 1
    assert len(set(told.values()) - told.keys()) == 1
