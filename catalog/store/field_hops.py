"""What one step of a walk over columns reaches, and how values change on the way.

A column is a node. So is the whole of a dataset, every column, where an operation touched all of it (a filter, a
join), or nobody said which column: such an edge is stored once and shown once, never once for each column. Who walks
from a column also takes the edges of its whole, which is then as far away as the column. Who comes to a whole by an
edge, or begins there, takes the edges of all its columns too. That a column is of its whole is no edge.

A job conducts nothing here, as nobody knows which column becomes which in it; who begins at a job begins at the
columns that its flows read and write.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Self, TypeAlias

from sqlalchemy import ColumnElement, Row, Select, bindparam, literal_column, or_, select, union_all

from catalog.domain.changes import Transformation
from catalog.domain.ids import field_id
from catalog.domain.statement import resolve
from catalog.domain.timeline import Window
from catalog.domain.words import EntityKind, Node
from catalog.store.among import Prepared, among, among_found
from catalog.store.engine import Read
from catalog.store.flows import all_indirect, doing, in_order, transformations
from catalog.store.hop import Changes, ColumnName, EdgeKey, Found, Hop, Ways, dataset_of
from catalog.store.living import Living
from catalog.store.names import Names
from catalog.store.rows import by_ids
from catalog.store.statements import Statements
from catalog.store.tables import edge, field_edge, run, run_statement

_Flow: TypeAlias = tuple[int, int, int, int, int, int, Changes]
"""A hop, and how the value changes in it: in one way of several, if anybody said."""

_c = field_edge.c
_ENDS = {
    True: (_c.target_node, _c.target_id, _c.target_owner, _c.target_column),
    False: (_c.source_node, _c.source_id, _c.source_owner, _c.source_column),
}
_NAMES = {True: "up", False: "down"}
_END_OF = {
    True: attrgetter("source_node", "source_id", "source_owner", "source_column"),
    False: attrgetter("target_node", "target_id", "target_owner", "target_column"),
}
_NOTHING: Mapping[bool, list[_Flow]] = {True: [], False: []}


def _literal(number: int) -> ColumnElement[int]:
    return literal_column(str(int(number)))


_EMPTY: ColumnElement[str] = literal_column("''")


def _flows(near: Sequence[ColumnElement[Any]], where: ColumnElement[bool], *, upstream: bool) -> Select[Any]:
    """Flows with a column at one end that hold at some moment of the window, as `near` end, far end and the rest."""
    columns = (
        *near, *_ENDS[not upstream], doing(_c), _c.derivation, _c.valid_from, _c.valid_to,
        _c.type, _c.subtype, _c.description, _c.masking,
    )  # fmt: skip
    return select(_literal(upstream), *columns).where(
        where,
        or_(_c.source_column != _EMPTY, _c.target_column != _EMPTY),
        # That a thing is known to have no source is no flow.
        _c.source_node != _literal(Node.NOTHING),
        _c.valid_to > bindparam("first"),
        _c.valid_from <= bindparam("last"),
    )


def _step(*, upstream: bool) -> tuple[Select[Any], Select[Any]]:
    """Flows at these columns and wholes, and those at every column of these datasets."""
    name, near = _NAMES[upstream], _ENDS[upstream]
    at, at_all = among(near[1], name), among(near[2], f"{name}_wholes")
    return _flows(near, at, upstream=upstream), _flows(near, at_all, upstream=upstream)


def _of_jobs(*, upstream: bool) -> tuple[Select[Any], ...]:
    """What these jobs read (downstream: write) in their flows, and flows into (out of) the jobs themselves.

    Flows that people say go through them are theirs too: see `Edge`.
    """
    name, near, far_node = _NAMES[upstream], _ENDS[upstream], _ENDS[not upstream][0]
    from_datasets = far_node == _literal(Node.DATASET)
    own = among(_c.owner_id, name) & from_datasets
    into = select(edge.c.owner_id).where(
        among(edge.c.target_id, name), edge.c.owner_id < literal_column("0"), edge.c.through_group == edge.c.target_id
    )
    said = among_found(_c.owner_id, into) & from_datasets
    return (
        _flows((_literal(Node.JOB), _c.owner_id, _c.owner_id, _EMPTY), own, upstream=upstream),
        _flows((_literal(Node.JOB), doing(_c), doing(_c), _EMPTY), said, upstream=upstream),
        _flows(near, among(near[1], name), upstream=upstream),
    )


_STEP = Prepared(union_all(*_step(upstream=True), *_step(upstream=False)))
_OF_JOBS = Prepared(union_all(*_of_jobs(upstream=True), *_of_jobs(upstream=False)))


class FieldSteps:
    """Steps between columns, over one window of moments. Without `include_indirect` no edge is taken that is all so."""

    def __init__(
        self, connection: Read, window: Window, kinds: Mapping[int, EntityKind], columns: Mapping[int, ColumnName],
        *, include_indirect: bool = True, begun: Collection[int] | None = None,
    ) -> None:  # fmt: skip
        """`kinds` and `columns` have the roots; what is reached is added to them.

        Of the jobs and runs, only those that are `begun` at are left again: by default the roots.
        """
        self.connection = connection
        self.window = window
        self.names = Names(connection)
        self.living = Living(connection, self.names, window)
        self.columns = dict(columns)
        self.said: dict[EdgeKey, set[Transformation]] = defaultdict(set)
        self._include_indirect = include_indirect
        self.kinds = {id: kind for id, kind in kinds.items() if kind is not EntityKind.DATASET}
        self._begun = {
            id: kind
            for id, kind in self.kinds.items()
            if kind is not EntityKind.COLUMN and (begun is None or id in begun)
        }
        self.passed_on: frozenset[EdgeKey] = frozenset()

    def over(self, window: Window) -> Self:
        """The same steps over another window; none is left out for being indirect."""
        return type(self)(self.connection, window, self.kinds, self.columns, begun=self._begun)

    def leaves(self, id: int) -> bool:
        """Whether a step can begin here."""
        return id in self._begun or self.kinds.get(id, EntityKind.COLUMN) is EntityKind.COLUMN

    def step(self, frontiers: Ways) -> dict[bool, Found]:
        """Every hop that ends (downstream: begins) in the frontier of its way and holds in the window."""
        wholes = {up: [id for id in ids if id not in self.kinds] for up, ids in frontiers.items()}
        columns = {up: [self.columns[id] for id in ids if id in self.columns] for up, ids in frontiers.items()}
        datasets = [*(id for ids in wholes.values() for id in ids), *(c.dataset for of in columns.values() for c in of)]
        self.names.learn(datasets)
        given: dict[str, int | Collection[int]] = self.window._asdict()
        for upstream, name in _NAMES.items():
            given[name] = self._ids(columns.get(upstream, ()))
            given[f"{name}_wholes"] = list(self.names.of(wholes.get(upstream, ())))
        flows = self._read(_STEP, given) if datasets else _NOTHING
        begun = {up: [id for id in ids if id in self._begun] for up, ids in frontiers.items()}
        of_jobs = self._of_jobs(begun)
        found = {}
        for up in frontiers:
            alive = self.living.among([*flows[up], *of_jobs[up]], partial(dataset_of, self.columns))
            found[up] = self._found([*alive, *self._of_runs(begun[up], upstream=up)], upstream=up)
        return found

    def transformations(self, edges: Iterable[EdgeKey]) -> dict[EdgeKey, Changes]:
        """What was said of these edges on the way."""
        return {edge: in_order(self.said[edge]) for edge in edges if self.said.get(edge)}

    def _ids(self, columns: Iterable[ColumnName]) -> list[int]:
        """These columns, and the wholes they are of, under all names."""
        datasets = {column.dataset for column in columns}
        ids = [field_id(name, column.name) for column in columns for name in self.names.of([column.dataset])]
        return [*ids, *self.names.of(datasets)]

    def _of_jobs(self, begun: Ways) -> Mapping[bool, list[_Flow]]:
        jobs = {up: [id for id in ids if self._begun[id] is EntityKind.JOB] for up, ids in begun.items()}
        given = {name: jobs.get(upstream, ()) for upstream, name in _NAMES.items()}
        return self._read(_OF_JOBS, {**given, **self.window._asdict()}) if any(jobs.values()) else _NOTHING

    def _of_runs(self, begun: Iterable[int], *, upstream: bool) -> Iterator[_Flow]:
        """What runs read or wrote in the flows that they had told of by the end of the window."""
        runs = [id for id in begun if self._begun[id] is EntityKind.RUN]
        until = run_statement.c.at <= self.window.last
        told: dict[int, list[Row[Any]]] = defaultdict(list)
        for row in by_ids(self.connection, run_statement, run_statement.c.run_id, runs, until):
            told[row.run_id].append(row)
        jobs = {row.id: row.job_id for row in by_ids(self.connection, run, run.c.id, told)}
        whole = Statements(self.connection).unions({id: [row.statement_id for row in of] for id, of in told.items()})
        for id, said in whole.items():
            first, last = min(row.at for row in told[id]), max(row.last_at for row in told[id])
            for flow in resolve(said, jobs[id], declared=False).fields:
                node, far, owner, column = _END_OF[upstream](flow)
                shown = flow.source_node != Node.NOTHING and (flow.source_column or flow.target_column)
                if node == Node.DATASET and shown:
                    self.names.learn([owner])
                    end = self._node(node, far, owner, column)
                    how = transformations(flow.type, flow.subtype, flow.description, flow.masking)
                    ends = (end, id) if upstream else (id, end)
                    yield *ends, jobs[id], flow.derivation, first, last + 1, how

    def _found(self, flows: Iterable[_Flow], *, upstream: bool) -> Found:
        """Flows as hops; what is said of them is noted."""
        hops: dict[EdgeKey, list[Hop]] = defaultdict(list)
        said: dict[EdgeKey, set[Transformation]] = defaultdict(set)
        for flow in flows:
            edge = flow[:4]
            hops[edge].append(flow[:6])
            said[edge].update(flow[6])
        if not self._include_indirect:
            for edge in [edge for edge, ways in said.items() if all_indirect(tuple(ways))]:
                del hops[edge], said[edge]
        for edge, ways in said.items():
            self.said[edge] |= ways
        near = 1 if upstream else 0
        return Found([hop for of in hops.values() for hop in of], beside={edge[near] for edge in hops})

    def _read(self, statement: Prepared, given: dict[str, int | Collection[int]]) -> Mapping[bool, list[_Flow]]:
        rows = statement.rows(self.connection, given)
        ends = (end for row in rows for end in ((row[1], row[3]), (row[5], row[7])))
        self.names.learn(id for node, id in ends if node == Node.DATASET)
        flows: dict[bool, list[_Flow]] = {True: [], False: []}
        for way, *rest in rows:
            near, far = self._node(*rest[:4]), self._node(*rest[4:8])
            job, how, start, end = rest[8:12]
            source, target = (far, near) if way else (near, far)
            flows[bool(way)].append((source, target, job, how, start, end, transformations(*rest[12:])))
        return flows

    def _node(self, node: int, id: int, owner: int, column: str) -> int:
        """The node that an end of a flow is."""
        if node == Node.JOB:
            self.kinds[id] = EntityKind.JOB
            return id
        canonical = self.names.canonical[owner]
        if not column:
            return canonical
        shown = id if canonical == owner else field_id(canonical, column)
        if shown not in self.columns:
            self.columns[shown] = ColumnName(canonical, column)
            self.kinds[shown] = EntityKind.COLUMN
        return shown
