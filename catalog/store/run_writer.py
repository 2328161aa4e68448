"""Runs and what they said: state, datasets, statements, versions; then the lineage that follows from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import structs
from sqlalchemy import select

from catalog.domain.ids import key
from catalog.domain.projection import DatasetUse, Projection, RunFacts, Stamp, later
from catalog.domain.statement import NOTHING_SAID, Statement, statement_key
from catalog.domain.timeline import BEGINNING, FOREVER, Interval
from catalog.domain.words import Lifecycle, Node
from catalog.store import rename_writer, timeline_writer
from catalog.store.dialect import delete_keys, insert_new, upsert
from catalog.store.engine import Write
from catalog.store.rows import by_ids, merged, run_facts, run_row, storable, use_record, use_row
from catalog.store.statements import Statements
from catalog.store.tables import (
    dataset_drop,
    declaration,
    job,
    job_version,
    run,
    run_dataset,
    run_statement,
)


@dataclass(slots=True)
class JobDelta:
    """What a batch changed for the timeline of one job."""

    before: dict[int, RunFacts | None] = field(default_factory=dict)
    after: dict[int, RunFacts] = field(default_factory=dict)
    said_at: set[int] = field(default_factory=set)


def write(
    connection: Write, projections: Sequence[Projection], retyped: Collection[int], joined: Collection[int]
) -> set[int]:
    """Write runs, uses, statements and declarations of a batch, and bring lineage up to date.

    `retyped` are jobs that are or were streaming, `joined` names that symlinks made names of one dataset. The answer is
    the datasets that may have columns, or names, they had not, or be gone.
    """
    _write_job_parents(connection, projections)
    statements = Statements(connection)
    news = merged((facts for p in projections for facts in p.runs.values()), "id")
    known = {row.id: run_facts(row) for row in by_ids(connection, run, run.c.id, news)}
    after = {id: known[id] | facts if id in known else facts for id, facts in news.items()}
    said_at, whole = _write_statements(connection, projections, statements)
    for id, version in _versions(after, whole).items():
        if after[id].version_id != version:
            after[id] = structs.replace(after[id], version_id=version)
    changed = {id: facts for id, facts in after.items() if known.get(id) != facts}
    upsert(connection, run, [run_row(facts, key("run_id", facts.run_id)) for facts in changed.values()])
    _write_versions(connection, known, changed, statements)
    uses = _write_uses(connection, projections, after)
    dropped = _write_drops(connection, after, uses)
    renamed = rename_writer.write(connection, projections, after, uses)

    deltas: dict[int, JobDelta] = defaultdict(JobDelta)
    for id, facts in changed.items():
        deltas[facts.job_id].before[id] = known.get(id)
        deltas[facts.job_id].after[id] = facts
    for id, times in said_at.items():
        deltas[after[id].job_id].said_at |= times
    jobs = {row.id: row for row in by_ids(connection, job, job.c.id, {*deltas, *retyped})}
    timelines = timeline_writer.Timelines(connection, statements)
    for id in sorted(jobs):
        delta = deltas.get(id, JobDelta())
        timelines.observe(jobs[id], delta.before, delta.after, delta.said_at, retyped=id in retyped)
    for owner, (node, times) in sorted(_write_declarations(connection, projections, statements).items()):
        timelines.declare(owner, node, times)
    for name in renamed.joined.union(joined):
        timelines.declare(name, Node.DATASET, (BEGINNING, FOREVER - 1))
    timelines.flush()
    return statements.columns_of | renamed.names | dropped


def _write_job_parents(connection: Write, projections: Sequence[Projection]) -> None:
    latest: dict[int, tuple[Stamp, int]] = {}
    for parent in (parent for p in projections for parent in p.job_parents):
        said = (parent.stamp, parent.parent_id)
        latest[parent.job_id] = max(said, latest.get(parent.job_id, said))
    rows = [
        {**row._mapping, "parent_id": parent, "parent_at": stamp.at, "parent_tie": stamp.tie}  # noqa: SLF001 - public
        for row in by_ids(connection, job, job.c.id, latest)
        for stamp, parent in [latest[row.id]]
        if (stamp, parent) > (Stamp(row.parent_at, row.parent_tie), row.parent_id or 0)
    ]
    upsert(connection, job, rows)


def _write_statements(
    connection: Write, projections: Sequence[Projection], statements: Statements
) -> tuple[dict[int, set[int]], dict[int, Statement]]:
    """Note what each run said and since when.

    The answer is, of the runs that said something new, the times when they did, and all that they said.
    """
    said: dict[tuple[int, int], Interval] = {}
    for p in projections:
        if p.declaration is None and p.statement != NOTHING_SAID:
            pair, at = (p.activity_id, statements.add(p.statement)), p.stamp.at
            said[pair] = _wider(said.get(pair), Interval(at, at))
    statements.flush()
    known = {
        (row.run_id, row.statement_id): Interval(row.at, row.last_at)
        for row in by_ids(connection, run_statement, run_statement.c.run_id, {run_id for run_id, _ in said})
    }
    now = {pair: _wider(known.get(pair), span) for pair, span in said.items()}
    upsert(
        connection,
        run_statement,
        [
            {"run_id": pair[0], "statement_id": pair[1], "at": span.start, "last_at": span.end}
            for pair, span in now.items()
            if known.get(pair) != span
        ],
    )
    # Only since when something was said moves lineage.
    times: dict[int, set[int]] = defaultdict(set)
    for (run_id, statement_id), (at, _) in now.items():
        before = known.get((run_id, statement_id))
        if before is None or at < before.start:
            times[run_id] |= {at, at if before is None else before.start}
    parts: dict[int, set[int]] = defaultdict(set)
    for run_id, statement_id in (*known, *now):
        if run_id in times:
            parts[run_id].add(statement_id)
    return times, statements.unions(parts)


def _wider(known: Interval | None, said: Interval) -> Interval:
    """The first and the last moment of both; unlike other intervals this one is closed."""
    return said if known is None else Interval(min(known.start, said.start), max(known.end, said.end))


def _versions(runs: Mapping[int, RunFacts], whole: Mapping[int, Statement]) -> dict[int, int | None]:
    """The version of each run that said something new: the content address of all it said."""
    return {id: version_key(runs[id].job_id, said) if said.says_lineage else None for id, said in whole.items()}


def version_key(job_id: int, whole: Statement) -> int:
    """The id of a job version."""
    return key("version", str(job_id), str(statement_key(whole.encode())))


def _write_versions(
    connection: Write, before: Mapping[int, RunFacts], changed: Mapping[int, RunFacts], statements: Statements
) -> None:
    """A version is what a *completed* run did; one that no completed run has any more is no version."""
    done = {id: facts for id, facts in changed.items() if facts.completed_at is not None and facts.version_id}
    fresh = {
        id: facts for id, facts in done.items()
        if id not in before or before[id].completed_at is None or before[id].version_id != facts.version_id
    }  # fmt: skip
    wanted = {facts.version_id or 0 for facts in fresh.values()}
    known = {row.id for row in by_ids(connection, job_version, job_version.c.id, wanted)}
    missing = {id: facts for id, facts in fresh.items() if facts.version_id not in known}
    rows = {
        facts.version_id: {
            "id": facts.version_id, "job_id": facts.job_id, "code": storable("\n".join(sorted(whole[id].code)))
        }
        for whole in [statements.of_runs(missing)]
        for id, facts in missing.items()
    }  # fmt: skip
    insert_new(connection, job_version, rows.values())
    for id, facts in changed.items():
        old = before.get(id)
        if old is None or old.completed_at is None or old.version_id in (None, facts.version_id):
            continue
        users = select(run.c.id).where(
            run.c.job_id == old.job_id, run.c.version_id == old.version_id, run.c.completed_at.is_not(None)
        )
        if connection.execute(users.limit(1)).first() is None:
            connection.execute(job_version.delete().where(job_version.c.id == old.version_id))


def _write_uses(connection: Write, projections: Sequence[Projection], runs: Mapping[int, RunFacts]) -> list[DatasetUse]:
    """Note what there is to say of uses; the answer is all of that for the activities of the batch."""
    news: dict[tuple[int, int, int], DatasetUse] = {}
    for p in projections:
        of_run = p.declaration is None
        for use in p.uses:
            if of_run and not use.says_more:
                continue
            said = structs.replace(use, first_at=None, last_at=None) if of_run else use
            id = (use.activity_id, use.dataset_id, use.role)
            news[id] = news[id] | said if id in news else said
    # A run's last event may name no dataset, yet it is what makes its drops real.
    finished = {id for id, facts in runs.items() if facts.completed_at is not None}
    known = {
        (row.activity_id, row.dataset_id, row.role): use_record(row)
        for row in by_ids(connection, run_dataset, run_dataset.c.activity_id, finished | {a for a, _, _ in news})
    }
    now = {id: known[id] | use if id in known else use for id, use in news.items()}
    upsert(connection, run_dataset, [use_row(use) for id, use in now.items() if known.get(id) != use])
    return list({**known, **now}.values())


def _write_drops(connection: Write, runs: Mapping[int, RunFacts], uses: Iterable[DatasetUse]) -> set[int]:
    """A run drops a dataset when it completes; a failed one drops nothing. A dataset event drops at once.

    The answer is the datasets of which one of them says so; the event that completes a run need not name them.
    """
    rows: dict[tuple[int, int], int | None] = {}
    for use in uses:
        if use.lifecycle is Lifecycle.NONE or not use.lifecycle & Lifecycle.DROP:
            continue
        facts = runs.get(use.activity_id)
        pair = (use.dataset_id, use.activity_id)
        at = facts.completed_at if facts else use.first_at
        rows[pair] = later(rows.get(pair), at) if use.lifecycle.ends_dataset else rows.get(pair)
    upsert(
        connection,
        dataset_drop,
        [{"dataset_id": d, "activity_id": a, "at": at} for (d, a), at in rows.items() if at is not None],
    )
    delete_keys(connection, dataset_drop, [pair for pair, at in rows.items() if at is None])
    return {dataset_id for dataset_id, _ in rows}


def _write_declarations(
    connection: Write, projections: Sequence[Projection], statements: Statements
) -> dict[int, tuple[Node, set[int]]]:
    """Note declared lineage; the answer is the owners and the moments at which they declared."""
    rows = []
    owners: dict[int, tuple[Node, set[int]]] = {}
    for p in projections:
        said = p.declaration
        if said is None:
            continue
        node = Node.JOB if said.owner_is_job else Node.DATASET
        rows.append(
            {
                "owner_id": said.owner_id, "at": said.stamp.at, "tie": said.stamp.tie, "owner_node": int(node),
                "statement_id": statements.add(p.statement), "activity_id": said.activity_id,
            }
        )  # fmt: skip
        owners.setdefault(said.owner_id, (node, set()))[1].add(said.stamp.at)
    statements.flush()
    insert_new(connection, declaration, rows)
    return owners
