"""The timeline of every owner of lineage, and from it the intervals during which each edge held.

A batch job's lineage at a moment is that of its last completed run; before its first completion, what its runs
had reported. A streaming job's is what its latest run had reported. Declarations hold until the next one.
In-order completions of the same lineage cost nothing; anything else rewrites only the stretch it touches. The
stretches of one batch are read and written together, so a batch costs the same statements however many it has.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, func, select

from catalog.domain.projection import RunFacts
from catalog.domain.statement import Edges, Statement
from catalog.domain.timeline import BEGINNING, FOREVER, Interval
from catalog.domain.words import STREAMING, Node
from catalog.store.dialect import listed, upsert
from catalog.store.edge_writer import EdgeWriter
from catalog.store.engine import Write
from catalog.store.names import Names
from catalog.store.rows import by_ids
from catalog.store.statements import Statements
from catalog.store.tables import declaration, job, run, run_statement

Point = tuple[int, int, int]
"""A completed run with lineage: completion time, run, version."""

Changes = list[tuple[int, Edges]]
"""From each moment on, exactly these edges."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A job whose lineage changed somewhere in [first, last]."""

    row: Row[Any]
    first: int
    last: int


class Timelines:
    """Timelines of one batch: noted one by one, worked off together by `flush`."""

    def __init__(self, connection: Write, statements: Statements) -> None:
        """Nothing is read yet."""
        self.connection = connection
        self.statements = statements
        self.jobs: list[Mapping[str, Any]] = []
        self.stretches: list[_Stretch] = []
        self.declared: dict[int, tuple[Node, Collection[int]]] = {}
        self.edges = EdgeWriter(connection)

    def observe(
        self,
        row: Row[Any],
        before: Mapping[int, RunFacts | None],
        after: Mapping[int, RunFacts],
        said_at: Collection[int],
        *,
        retyped: bool,
    ) -> None:
        """Note what changed for a job: its runs before and after, and the moments at which they said something."""
        if row.processing_type == STREAMING or retyped:
            # Which run is the latest changes with a beginning that becomes known late, said by whatever event.
            begun = any(old is not None and old.first_at != after[id].first_at for id, old in before.items())
            if retyped or said_at or begun:
                self.stretches.append(_Stretch(row, BEGINNING, FOREVER - 1))
            return
        old = {id: _point(facts) for id, facts in before.items() if facts is not None}
        new = {id: _point(facts) for id, facts in after.items()}
        moved = [id for id in new if new[id] != old.get(id)]
        changed = {point[0] for id in moved for point in (old.get(id), new[id]) if point is not None}
        first = FOREVER if row.first_point_at is None else row.first_point_at
        changed |= {at for at in said_at if at < first}
        if not changed:
            return
        appended = sorted(point for id in moved if (point := new[id]) is not None)
        in_order = (
            row.first_point_at is not None
            and not any(old.get(id) for id in moved)
            and changed == {point[0] for point in appended}
            and appended[0][:2] > (row.last_point_at, row.last_point_run)
            and {point[2] for point in appended} == {row.last_version_id}
        )
        if in_order:
            at, run_id, _ = appended[-1]
            self.jobs.append({**row._mapping, "last_point_at": at, "last_point_run": run_id})  # noqa: SLF001 - public
        else:
            self.stretches.append(_Stretch(row, min(changed), max(changed)))

    def declare(self, owner: int, node: Node, times: Collection[int]) -> None:
        """Note that a job or dataset declared its lineage at these moments; or has got declarations in between."""
        self.declared[owner] = (node, times)

    def flush(self) -> None:
        """Read, compute and write everything that was noted."""
        if self.stretches:
            self._rewrite_observed()
        if self.declared:
            self._rewrite_declared()
        upsert(self.connection, job, self.jobs)
        self.edges.flush()

    def _rewrite_observed(self) -> None:
        points = self._points()
        reports = self._reports(points)
        self._load_versions(points)
        for stretch in self.stretches:
            id = stretch.row.id
            mine = points.get(id, [])
            following = [point for point in mine if point[0] > stretch.last]
            completed = [point for point in mine if point[0] <= stretch.last]
            window = Interval(stretch.first, following[0][0] if following else FOREVER)
            if stretch.row.processing_type == STREAMING:
                changes = self._streamed(id, reports.get(id, []))
            else:
                changes = [(at, self._version_edges[version]) for at, _, version in completed]
                if not completed or completed[0][0] >= stretch.first:
                    until = completed[0][0] if completed else window.end
                    said = [report for report in reports.get(id, []) if report.at < until]
                    changes = [*self._reported(id, said, stretch.first), *changes]
            self.edges.take(id, changes, window, declared=False)
        self._note_ends()

    def _points(self) -> dict[int, list[Point]]:
        """Each job's completions in its stretch, with the last one before and the first one after."""
        wanted = listed(
            self.connection, ("job", "first", "last"), [(s.row.id, s.first, s.last) for s in self.stretches]
        )
        other = run.alias("other")
        done = (other.c.job_id == wanted.c.job, other.c.version_id.is_not(None))
        before = select(func.max(other.c.completed_at)).where(*done, other.c.completed_at < wanted.c.first)
        after = select(func.min(other.c.completed_at)).where(*done, other.c.completed_at > wanted.c.last)
        rows = self.connection.execute(
            select(run.c.job_id, run.c.completed_at, run.c.id, run.c.version_id)
            .join(wanted, wanted.c.job == run.c.job_id)
            .where(
                run.c.version_id.is_not(None),
                run.c.completed_at >= func.coalesce(before.scalar_subquery(), wanted.c.first),
                run.c.completed_at <= func.coalesce(after.scalar_subquery(), wanted.c.last),
            )
            .order_by(run.c.job_id, run.c.completed_at, run.c.id)
        )
        points: dict[int, list[Point]] = defaultdict(list)
        for job_id, at, run_id, version in rows:
            points[job_id].append((at, run_id, version))
        return points

    def _load_versions(self, points: Mapping[int, Sequence[Point]]) -> None:
        """The edges of every version among the points; runs of one version have the same, so one of them is read."""
        one_each = {version: (run_id, id) for id, mine in points.items() for _, run_id, version in mine}
        said = self.statements.of_runs([run_id for run_id, _ in one_each.values()])
        self._version_edges = {
            version: self.statements.edges(said[run_id], id) for version, (run_id, id) in one_each.items()
        }

    def _reports(self, points: Mapping[int, Sequence[Point]]) -> dict[int, list[Row[Any]]]:
        """What runs said, for the jobs whose stretch begins before their first completion, and for streaming ones."""
        asked = []
        for stretch in self.stretches:
            mine = points.get(stretch.row.id, [])
            if stretch.row.processing_type == STREAMING:
                asked.append((stretch.row.id, FOREVER))
            elif not mine or mine[0][0] >= stretch.first:
                asked.append((stretch.row.id, mine[0][0] if mine else FOREVER))
        if not asked:
            return {}
        wanted = listed(self.connection, ("job", "until"), asked)
        rows = self.connection.execute(
            select(run_statement, run.c.job_id)
            .join(run, run.c.id == run_statement.c.run_id)
            # Nothing is said before the run began; the index of runs knows when that was.
            .join(wanted, and_(wanted.c.job == run.c.job_id, run.c.first_at < wanted.c.until))
            .where(run_statement.c.at < wanted.c.until)
            .order_by(run_statement.c.at, run_statement.c.run_id, run_statement.c.statement_id)
        ).all()
        self.statements.load({row.statement_id for row in rows})
        reports: dict[int, list[Row[Any]]] = defaultdict(list)
        for row in rows:
            reports[row.job_id].append(row)
        return reports

    def _reported(self, job_id: int, reports: Sequence[Row[Any]], first: int) -> Changes:
        """Before the first completion: at each report, the union of what all runs had said by then.

        Most runs say what others said, so the union is computed only when it is another one; and of the reports up
        to `first` only what they come to is needed.
        """
        said = self.statements.load({row.statement_id for row in reports})
        whole: dict[int, Statement] = {}
        speaking: Counter[Statement] = Counter()
        held: frozenset[Statement] = frozenset()
        at_first: list[tuple[int, frozenset[Statement]]] = []
        later: list[tuple[int, frozenset[Statement]]] = []
        for row in reports:
            before = whole.get(row.run_id, Statement())
            whole[row.run_id] = before | said[row.statement_id]
            if whole[row.run_id] == before:
                continue
            speaking[before] -= 1
            speaking[whole[row.run_id]] += 1
            now = frozenset(one for one, count in speaking.items() if count > 0 and one.says_lineage)
            if row.at <= first:
                at_first = [(first, now)]
            elif now != held:
                later.append((row.at, now))
            held = now
        return [(at, self.statements.edges_of_many(now, job_id)) for at, now in [*at_first, *later]]

    def _streamed(self, job_id: int, reports: Sequence[Row[Any]]) -> Changes:
        """At each report, what the latest run that reported lineage had said by then."""
        said = self.statements.load({row.statement_id for row in reports})
        speakers = {row.run_id for row in reports}
        began = {row.id: (row.first_at, row.id) for row in by_ids(self.connection, run, run.c.id, speakers)}
        changes: Changes = []
        whole: dict[int, Statement] = {}
        latest: int | None = None
        for row in reports:
            whole[row.run_id] = whole.get(row.run_id, Statement()) | said[row.statement_id]
            if whole[row.run_id].says_lineage and (latest is None or began[row.run_id] >= began[latest]):
                latest = row.run_id
                changes.append((row.at, self.statements.edges(whole[latest], job_id)))
        return changes

    def _note_ends(self) -> None:
        """Write down the first and the last completion of every job that was rewritten."""
        wanted = listed(self.connection, ("job",), [(stretch.row.id,) for stretch in self.stretches])
        done = (run.c.job_id == wanted.c.job, run.c.version_id.is_not(None), run.c.completed_at.is_not(None))
        newest = (run.c.completed_at.desc(), run.c.id.desc())
        first = select(func.min(run.c.completed_at)).where(*done).scalar_subquery()
        last = select(run.c.id).where(*done).order_by(*newest).limit(1).scalar_subquery()
        ends = {
            row.job: row
            for row in self.connection.execute(
                select(wanted.c.job, first.label("first_at"), last.label("last_run")).select_from(wanted)
            )
        }
        runs = {
            row.id: row
            for row in by_ids(self.connection, run, run.c.id, {e.last_run for e in ends.values() if e.last_run})
        }
        for stretch in self.stretches:
            end = ends[stretch.row.id]
            # A streaming job's completions change nothing and are not followed, so none of them may be noted either.
            last_run = None if stretch.row.processing_type == STREAMING else runs.get(end.last_run)
            self.jobs.append(
                {
                    **stretch.row._mapping,  # noqa: SLF001 - sqlalchemy's public name for it
                    "first_point_at": end.first_at if last_run else None,
                    "last_point_at": last_run.completed_at if last_run else None,
                    "last_point_run": last_run.id if last_run else None,
                    "last_version_id": last_run.version_id if last_run else None,
                }
            )

    def _rewrite_declared(self) -> None:
        """The latest declaration at a moment is the whole declared set of a job; of a dataset, under whichever name."""
        names = self._names()
        times: dict[int, set[int]] = defaultdict(set)
        for owner, (_, moments) in self.declared.items():
            times[names.get(owner, owner)].update(moments)
        history: dict[int, list[Row[Any]]] = defaultdict(list)
        owners = {*self.declared, *names}
        for row in sorted(
            by_ids(self.connection, declaration, declaration.c.owner_id, owners), key=lambda r: (r.at, r.tie)
        ):
            history[names.get(row.owner_id, row.owner_id)].append(row)
        stretches = []
        for one, rows in history.items():
            first, last = min(times[one]), max(times[one])
            following = next((row.at for row in rows if row.at > last), FOREVER)
            before = [row for row in rows if row.at < first][-1:]
            wanted = [*before, *(row for row in rows if first <= row.at <= last)]
            stretches.append(({row.owner_id for row in rows}, wanted, Interval(first, following)))
        said = self.statements.load({row.statement_id for _, rows, _ in stretches for row in rows})
        for declaring, rows, window in stretches:
            edges = [(row, self._declared_edges(row, said[row.statement_id])) for row in rows]
            for owner in declaring:
                # Edges keep the name they were said under; they end where any other name says something.
                changes = [(row.at, held if row.owner_id == owner else Edges()) for row, held in edges]
                self.edges.take(owner, changes, window, declared=True)

    def _names(self) -> Mapping[int, int]:
        """Every name of the datasets that declared and have several, with the id that all names of one share."""
        names = Names(self.connection)
        names.learn(owner for owner, (node, _) in self.declared.items() if node is Node.DATASET)
        return names.canonical

    def _declared_edges(self, row: Row[Any], said: Statement) -> Edges:
        via = row.owner_id if row.owner_node == Node.JOB else None
        return self.statements.edges(said, via, declared=True)


def _point(facts: RunFacts) -> Point | None:
    if facts.completed_at is None or facts.version_id is None:
        return None
    return (facts.completed_at, facts.id, facts.version_id)
