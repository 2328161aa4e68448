"""Statements by their content address, and their edges; read at most once per batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import reduce
from operator import or_

import zstandard

from catalog.domain.statement import Edges, Statement, grouped, resolve, statement_key
from catalog.domain.words import Role
from catalog.store.dialect import insert_new
from catalog.store.engine import Read
from catalog.store.field_writer import write_fields
from catalog.store.rows import by_ids
from catalog.store.tables import run_statement, statement, statement_dataset


class Statements:
    """The statements one batch meets."""

    def __init__(self, connection: Read) -> None:
        """Nothing is read yet."""
        self.connection = connection
        self.columns_of: set[int] = set()
        """Datasets of which a new statement names columns."""
        self._ids: dict[Statement, int] = {}
        self._known: dict[int, Statement] = {}
        self._new: dict[int, bytes] = {}
        self._edges: dict[tuple[Statement, int | None, bool], Edges] = {}

    def add(self, said: Statement) -> int:
        """Note a statement; the answer is its id. `flush` writes it."""
        id = self._ids.get(said)
        if id is None:
            encoded = said.encode()
            id = self._ids[said] = statement_key(encoded)
            if id not in self._known:
                self._known[id] = said
                self._new[id] = encoded
        return id

    def flush(self) -> None:
        """Write the statements that were added and are not there yet, and the columns they name."""
        if not self._new:
            return
        there = {row.id for row in by_ids(self.connection, statement, statement.c.id, self._new)}
        new = {id: body for id, body in self._new.items() if id not in there}
        insert_new(self.connection, statement, [{"id": id, "body": zstandard.compress(b)} for id, b in new.items()])
        insert_new(
            self.connection,
            statement_dataset,
            [
                {"statement_id": id, "dataset_id": dataset, "role": int(role)}
                for id in new
                for role in (Role.INPUT, Role.OUTPUT)
                for dataset in self._known[id].used(role)
            ],
        )
        flows = {flow for id in new for flow in self._known[id].columns | self._known[id].entries}
        ends = {end for flow in flows for end in (flow.source, flow.target)}
        ends.update(end for id in new for end in self._known[id].sourceless)
        columns = {(end.id, end.column) for end in ends if end.column}
        self.columns_of |= {owner for owner, _ in columns}
        write_fields(self.connection, columns)
        self._new.clear()

    def load(self, ids: Collection[int]) -> dict[int, Statement]:
        """These statements."""
        missing = [id for id in ids if id not in self._known]
        if missing:
            for row in by_ids(self.connection, statement, statement.c.id, missing):
                self._known[row.id] = Statement.decode(zstandard.decompress(row.body))
        return {id: self._known[id] for id in ids}

    def of_runs(self, runs: Collection[int]) -> dict[int, Statement]:
        """All that each of these runs said, merged; runs that said nothing are missing."""
        said: dict[int, list[int]] = defaultdict(list)
        for row in by_ids(self.connection, run_statement, run_statement.c.run_id, runs):
            said[row.run_id].append(row.statement_id)
        return self.unions(said)

    def unions(self, said: Mapping[int, Collection[int]]) -> dict[int, Statement]:
        """For each run the union of the statements with these ids."""
        loaded = self.load({id for ids in said.values() for id in ids})
        return {run: reduce(or_, (loaded[id] for id in ids)) for run, ids in said.items()}

    def edges(self, said: Statement, job: int | None, *, declared: bool = False) -> Edges:
        """The edges a statement makes."""
        key = (said, job, declared)
        if key not in self._edges:
            self._edges[key] = resolve(said, job, declared=declared)
        return self._edges[key]

    def edges_of_many(self, said: Collection[Statement], job: int) -> Edges:
        """The edges of runs that speak at once: what one reads must not flow into what another writes."""
        if len(said) == 1:
            return self.edges(next(iter(said)), job)
        return reduce(or_, (grouped(self.edges(one, job), statement_key(one.encode())) for one in said), Edges())
