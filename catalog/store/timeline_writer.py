"""The timeline of every owner of lineage, and from it the intervals during which each edge held.

A batch job's lineage at a moment is that of its last completed run; before its first completion, what its runs
had reported. A streaming job's is what its latest run had reported. Declarations hold until the next one.
In-order completions of the same lineage cost nothing; anything else rewrites only the stretch it touches.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, select

from catalog.domain.projection import RunFacts
from catalog.domain.statement import Edge, Edges, FieldEdge, Statement
from catalog.domain.timeline import BEGINNING, FOREVER, Interval, restitch, segments_of
from catalog.domain.words import Derivation, Node
from catalog.store.dialect import delete_keys, upsert
from catalog.store.engine import Write
from catalog.store.facet_writer import STREAMING
from catalog.store.rows import storable
from catalog.store.statements import Statements
from catalog.store.tables import declaration, edge, field_edge, job, run, run_statement

Point = tuple[int, int, int]
"""A completed run with lineage: completion time, run, version."""


class Timelines:
    """Timelines of one batch, collected for few writes."""

    def __init__(self, connection: Write, statements: Statements) -> None:
        """Nothing is read yet."""
        self.connection = connection
        self.statements = statements
        self.jobs: list[Mapping[str, Any]] = []
        self.edges = _Rewrites(connection, edge, _edge_key, _edge_row)
        self.fields = _Rewrites(connection, field_edge, _field_key, _field_row)

    def observe(
        self,
        row: Row[Any],
        before: Mapping[int, RunFacts | None],
        after: Mapping[int, RunFacts],
        said_at: Collection[int],
        *,
        retyped: bool,
    ) -> None:
        """Bring the lineage of a job up to date after some of its runs changed."""
        if row.processing_type == STREAMING or retyped:
            if retyped or said_at:
                self._rewrite(row, BEGINNING, FOREVER - 1)
            return
        old = {id: _point(facts) for id, facts in before.items() if facts is not None}
        new = {id: _point(facts) for id, facts in after.items()}
        moved = [id for id in new if new[id] != old.get(id)]
        changed = {point[0] for id in moved for point in (old.get(id), new[id]) if point is not None}
        if row.first_point_at is None:
            changed |= set(said_at)
        else:
            changed |= {at for at in said_at if at < row.first_point_at}
        appended = sorted(point for id in moved if (point := new[id]) is not None)
        if not changed:
            return
        last = (row.last_point_at, row.last_point_run)
        in_order = (
            row.first_point_at is not None
            and not any(old.get(id) for id in moved)
            and len(changed) == len({point[0] for point in appended})
            and all(point[:2] > last and point[2] == row.last_version_id for point in appended)
        )
        if in_order:
            at, run_id, _ = appended[-1]
            self.jobs.append({**row._mapping, "last_point_at": at, "last_point_run": run_id})  # noqa: SLF001 - public
            return
        self._rewrite(row, min(changed), max(changed))

    def declare(self, owner: int, node: Node, times: Collection[int]) -> None:
        """Bring the declared lineage of a job or dataset up to date after declarations at these moments."""
        first, last = min(times), max(times)
        mine = declaration.c.owner_id == owner
        newest = (declaration.c.at.desc(), declaration.c.tie.desc())
        oldest = (declaration.c.at, declaration.c.tie)
        before = self._rows(declaration, mine & (declaration.c.at < first), newest, 1)
        within = self._rows(declaration, mine & declaration.c.at.between(first, last), oldest)
        following = self._rows(declaration, mine & (declaration.c.at > last), oldest, 1)
        window = Interval(first, following[0].at if following else FOREVER)
        said = self.statements.load({row.statement_id for row in [*before, *within]})
        via = owner if node is Node.JOB else None
        points = [
            (row.at, self.statements.edges(said[row.statement_id], via, declared=True)) for row in [*before, *within]
        ]
        self._apply(owner, points, window, declared=True)

    def flush(self) -> None:
        """Write what was collected."""
        upsert(self.connection, job, self.jobs)
        self.edges.flush()
        self.fields.flush()

    def _rewrite(self, row: Row[Any], first: int, last: int) -> None:
        """Recompute [first, last] and what follows from it, until the next completion."""
        mine = and_(run.c.job_id == row.id, run.c.version_id.is_not(None), run.c.completed_at.is_not(None))
        newest = (run.c.completed_at.desc(), run.c.id.desc())
        oldest = (run.c.completed_at, run.c.id)
        before = self._rows(run, mine & (run.c.completed_at < first), newest, 1)
        within = self._rows(run, mine & run.c.completed_at.between(first, last), oldest)
        following = self._rows(run, mine & (run.c.completed_at > last), oldest, 1)
        window = Interval(first, following[0].completed_at if following else FOREVER)
        if row.processing_type == STREAMING:
            points = self._streamed(row.id)
        else:
            completed = [*before, *within]
            points = self._completed(row.id, completed)
            if not before:
                until = completed[0].completed_at if completed else window.end
                points = [*self._reported(row.id, until), *points]
        self._apply(row.id, points, window, declared=False)
        self._note_ends(row, mine, newest, oldest)

    def _note_ends(self, row: Row[Any], mine: ColumnElement[bool], newest: Any, oldest: Any) -> None:  # noqa: ANN401 - order by clauses
        first = self._rows(run, mine, oldest, 1)
        last = self._rows(run, mine, newest, 1)
        ends = {
            "first_point_at": first[0].completed_at if first else None,
            "last_point_at": last[0].completed_at if last else None,
            "last_point_run": last[0].id if last else None,
            "last_version_id": last[0].version_id if last else None,
        }
        self.jobs.append({**row._mapping, **ends})  # noqa: SLF001 - sqlalchemy's public name

    def _completed(self, job_id: int, runs: Sequence[Row[Any]]) -> list[tuple[int, Edges]]:
        """Completed runs as change points; runs of one version have the same edges, so one of them is read."""
        one_each = {row.version_id: row.id for row in runs}
        said = self.statements.of_runs(list(one_each.values()))
        return [(row.completed_at, self.statements.edges(said[one_each[row.version_id]], job_id)) for row in runs]

    def _reported(self, job_id: int, until: int) -> list[tuple[int, Edges]]:
        """Before the first completion: at each report, the union of what all runs had said by then."""
        points: list[tuple[int, Edges]] = []
        whole: dict[int, Statement] = {}
        speaking: Counter[Statement] = Counter()
        for at, run_id, said in self._reports(job_id, until):
            if run_id in whole:
                speaking[whole[run_id]] -= 1
            whole[run_id] = whole.get(run_id, Statement()) | said
            speaking[whole[run_id]] += 1
            now = [one for one, count in speaking.items() if count and one.says_lineage]
            points.append((at, self.statements.edges_of_many(now, job_id)))
        return points

    def _streamed(self, job_id: int) -> list[tuple[int, Edges]]:
        """At each report, what the latest run that reported lineage had said by then."""
        started = {
            row.id: (row.first_at, row.id)
            for row in self.connection.execute(select(run.c.id, run.c.first_at).where(run.c.job_id == job_id))
        }
        points: list[tuple[int, Edges]] = []
        whole: dict[int, Statement] = {}
        for at, run_id, said in self._reports(job_id, FOREVER):
            whole[run_id] = whole.get(run_id, Statement()) | said
            speaking = [id for id, one in whole.items() if one.says_lineage]
            if speaking:
                latest = max(speaking, key=started.__getitem__)
                points.append((at, self.statements.edges(whole[latest], job_id)))
        return points

    def _reports(self, job_id: int, until: int) -> Iterable[tuple[int, int, Statement]]:
        rows = self._rows(
            run_statement,
            (run_statement.c.job_id == job_id) & (run_statement.c.at < until),
            (run_statement.c.at, run_statement.c.run_id, run_statement.c.statement_id),
        )
        said = self.statements.load({row.statement_id for row in rows})
        return [(row.at, row.run_id, said[row.statement_id]) for row in rows]

    def _rows(self, table: Table, where: Any, order: Sequence[Any], limit: int | None = None) -> Sequence[Row[Any]]:  # noqa: ANN401 - clauses
        return self.connection.execute(select(table).where(where).order_by(*order).limit(limit)).all()

    def _apply(self, owner: int, points: Sequence[tuple[int, Edges]], window: Interval, *, declared: bool) -> None:
        """Make exactly these edges hold during the window; points before it say what holds at its start."""
        early = [point for point in points if point[0] <= window.start]
        start = [(window.start, early[-1][1])] if early else []
        inside = [point for point in points if window.start < point[0] < window.end]
        changes = [*start, *inside]
        self.edges.take(owner, [(at, edges.edges) for at, edges in changes], window, declared=declared)
        self.fields.take(owner, [(at, edges.fields) for at, edges in changes], window, declared=declared)


def _point(facts: RunFacts) -> Point | None:
    if facts.completed_at is None or facts.version_id is None:
        return None
    return (facts.completed_at, facts.id, facts.version_id)


class _Rewrites:
    """Interval rewrites of one edge table, collected for one write."""

    def __init__(self, connection: Write, table: Table, key_of: Any, row_of: Any) -> None:  # noqa: ANN401 - two functions
        self.connection = connection
        self.table = table
        self.key_of = key_of
        self.row_of = row_of
        self.gone: list[tuple[Any, ...]] = []
        self.new: list[Mapping[str, Any]] = []

    def take(
        self, owner: int, points: Sequence[tuple[int, frozenset[Any]]], window: Interval, *, declared: bool
    ) -> None:
        """Rewrite the owner's rows within the window."""
        c = self.table.c
        basis = c.derivation == int(Derivation.DECLARED) if declared else c.derivation != int(Derivation.DECLARED)
        existing: dict[Any, list[Interval]] = defaultdict(list)
        for row in self.connection.execute(
            select(self.table).where(c.owner_id == owner, basis, c.valid_to >= window.start, c.valid_from <= window.end)
        ):
            existing[self.key_of(row)].append(Interval(row.valid_from, row.valid_to))
        gone, new = restitch(existing, segments_of(points, window.end), window)
        # A row whose end alone moves is written over; deleting it first would be undone by nothing.
        kept = {(key, interval.start) for key, interval in new}
        self.gone += [
            (owner, *self._part(key), interval.start) for key, interval in gone if (key, interval.start) not in kept
        ]
        self.new += [
            {"owner_id": owner, "valid_from": interval.start, "valid_to": interval.end, **self.row_of(key)}
            for key, interval in new
        ]

    def _part(self, key: Any) -> tuple[Any, ...]:  # noqa: ANN401 - Edge or FieldEdge
        row = self.row_of(key)
        return tuple(row[column.name] for column in list(self.table.primary_key)[1:-1])

    def flush(self) -> None:
        """Delete and write what was collected."""
        delete_keys(self.connection, self.table, self.gone)
        upsert(self.connection, self.table, self.new)


def _edge_key(row: Row[Any]) -> Edge:
    return Edge(
        row.source_node, row.source_id, row.target_node, row.target_id, row.conduct, row.derivation, row.through_group
    )


def _edge_row(key: Edge) -> Mapping[str, Any]:
    return {
        "source_node": int(key.source_node), "source_id": key.source_id, "target_node": int(key.target_node),
        "target_id": key.target_id, "conduct": int(key.conduct), "derivation": int(key.derivation),
        "through_group": key.group,
    }  # fmt: skip


def _field_key(row: Row[Any]) -> FieldEdge:
    return FieldEdge(
        row.source_id, row.target_id, row.transformation_key, row.source_node, row.source_owner, row.source_column,
        row.target_node, row.target_owner, row.target_column, row.derivation, row.type, row.subtype,
        row.description, bool(row.masking),
    )  # fmt: skip


def _field_row(key: FieldEdge) -> Mapping[str, Any]:
    return {
        "source_id": key.source_id, "target_id": key.target_id, "transformation_key": key.transformation_key,
        "source_node": int(key.source_node), "source_owner": key.source_owner,
        "source_column": storable(key.source_column), "target_node": int(key.target_node),
        "target_owner": key.target_owner, "target_column": storable(key.target_column),
        "derivation": int(key.derivation), "type": storable(key.type), "subtype": storable(key.subtype),
        "description": storable(key.description), "masking": int(key.masking),
    }  # fmt: skip
