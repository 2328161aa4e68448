"""Root candidates: what upstream of a failure failed itself, changed or did not come, shortly before.

A candidate is a fact with its evidence, never a guess: a run with its state, a facet with its content, a write that
did not happen. How they are ranked is `catalog.domain.causes.rank`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Select, func, select

from catalog.domain.causes import Reason, overdue, pause, rank, schema_change
from catalog.domain.changes import Column, Understand
from catalog.domain.lineage import EntityRef, LineageNode, Question
from catalog.domain.timeline import BEGINNING, Window
from catalog.domain.words import STREAMING, Direction, EntityKind, Granularity, RunState
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.lineage import answer
from catalog.store.paging import Page
from catalog.store.questions import with_hidden
from catalog.store.read import checks, facets, jobs, runs, versions
from catalog.store.read.checks import ASSERTIONS
from catalog.store.read.facets import FacetRow
from catalog.store.read.run_moments import Project
from catalog.store.read.runs import RunRow
from catalog.store.standing import Moments, Standing, standings
from catalog.store.tables import run

MOST_RUNS: Final = 5_000
"""How many runs upstream are looked at, the latest."""
DEEPEST: Final = 5
"""How many levels of runs inside of runs are looked at."""
MOST_PARTS: Final = 9
"""Of how many failed runs inside of the failed one the very inputs are looked at; of others, those of their jobs."""
_WRITES: Final = 20
"""From how many of its last writes the habit of a dataset is told."""
_BAD: Final = (RunState.FAIL, RunState.ABORT)


@dataclass(frozen=True, slots=True)
class Asked:
    """What failed, and how far to look: `within` microseconds before, `depth` hops between jobs and datasets.

    `as_of` is the moment of the failure, None: what is known of the thing says it, else `now`.
    """

    of: EntityRef
    as_of: int | None
    now: int
    within: int
    depth: int
    max_nodes: int
    max_edges: int
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Readers:
    """What understands facets: the columns a schema names, and which assertions of a facet failed, in words.

    `project` reads an event of the log. `understand` knows what things were then; None: they are shown as they are now.
    """

    columns: Callable[[bytes], Sequence[Column]]
    failed_assertions: Callable[[bytes], Sequence[str]]
    project: Project
    understand: Understand | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may explain a failure. `distance` is in hops between jobs and datasets; 0: it is part of it.

    `at` is when it was so, in microseconds since 1970 UTC; `run_id` and `facet` are the evidence, where there is one.
    """

    node: LineageNode
    reason: Reason
    distance: int
    at: int
    detail: str
    run_id: int | None = None
    facet: FacetRow | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidates, ranked. `moment` is that of the failure, `since` how far back was looked; microseconds."""

    candidates: tuple[Candidate, ...]
    moment: int
    since: int
    truncated_by: str | None


@dataclass(slots=True)
class _Failure:
    """What is to be explained: `began` is when it read what it read, `parts` the failed runs inside of it.

    `stood` is how those stood when it failed. `more`: there are runs inside of it that were not looked at.
    """

    roots: list[EntityRef]
    began: int
    moment: int
    own_jobs: set[int] = field(default_factory=set)
    parts: list[RunRow] = field(default_factory=list)
    stood: Mapping[int, Standing] = field(default_factory=dict)
    more: bool = False


def candidates(connection: Read, asked: Asked, read: Readers) -> Candidates:
    """The candidates; a number of statements that does not depend on how many there are.

    Raises:
        UnknownEntity: nobody knows the thing.
    """
    failure = _failure(connection, asked, read)
    since = failure.moment - asked.within
    window = Window(failure.moment, failure.moment)
    question = Question(
        of=tuple(failure.roots), direction=Direction.UPSTREAM, granularity=Granularity.JOB, depth=asked.depth,
        window=window, max_nodes=asked.max_nodes, max_edges=asked.max_edges, transformations=False,
        last_runs=False, first_seen=False, understand=read.understand,
    )  # fmt: skip
    found = answer(connection, question)
    nodes = {node.id: node for node in found.nodes}
    of_jobs, truncated = _of_jobs(connection, nodes, failure, since)
    told = [*_of_parts(failure, nodes), *of_jobs, *_of_datasets(connection, nodes, failure, since, read)]
    told.sort(key=lambda one: (*rank(one.reason, one.distance, one.at), one.node.namespace, one.node.name))
    shown = with_hidden(connection, {one.node.id: one.node for one in told}, replace(question, hidden=asked.hidden))
    told = [replace(one, node=shown[one.node.id]) for one in told]
    cut = "maxRuns" if truncated or failure.more else None
    return Candidates(tuple(told), failure.moment, since, found.truncated_by or cut)


def _failure(connection: Read, asked: Asked, read: Readers) -> _Failure:
    """What the question is about: a run with all inside of it, the latest run of a job, or a dataset."""
    of, moment = asked.of, asked.now if asked.as_of is None else asked.as_of
    if of.kind is EntityKind.RUN:
        row = runs.by_run_id(connection, of.name, of.namespace)
        return _Failure([of], moment, moment) if row is None else _of_run(connection, row, asked.as_of)
    id = answer(connection, Question((of,), granularity=Granularity.JOB, depth=0)).nodes[0].id
    if of.kind is EntityKind.JOB:
        last: int | None = connection.scalar(_latest(id, moment))
        if last is None:
            return _Failure([of], moment, moment, {id})
        return _of_run(connection, runs.by_ids(connection, [last])[last], asked.as_of)
    if asked.as_of is None:
        said = facets.of_datasets(connection, [id], name=ASSERTIONS).get(id, ())
        moment = max((row.valid_from for row in said if read.failed_assertions(row.payload)), default=moment)
    return _Failure([of], moment, moment)


def _latest(job_id: int, until: int) -> Select[int]:
    mine = select(run.c.id).where(run.c.job_id == job_id, run.c.first_at <= until)
    return mine.order_by(run.c.first_at.desc(), run.c.id.desc()).limit(1)


def _of_run(connection: Read, row: RunRow, at: int | None) -> _Failure:
    """A run, its job (runs that fail often do not say what they read), and the runs inside of it that failed."""
    ended = row.ended_at or row.last_at or row.began_at or 0
    moment = ended if at is None else min(at, ended)
    failure = _Failure([], min(row.began_at or ended, moment), moment)
    level, inside = [row], list[RunRow]()
    for _ in range(DEEPEST):
        below = runs.children(connection, [one.id for one in level], Page(1_000)) if level else {}
        level = [one for found in below.values() for one in found.items]
        failure.more |= any(found.has_next for found in below.values())
        inside += level
    failure.more |= bool(level and runs.count_of_children(connection, [one.id for one in level]))
    stood = standings(connection, inside, Moments(BEGINNING, failure.moment, failure.moment))
    # Also those of what was made good inside of it: that it had failed made no difference to what came next.
    failure.own_jobs = {row.job_id} | {
        one.job_id for one in inside if one.failed_at is not None or one.aborted_at is not None
    }
    of_job: dict[int, list[RunRow]] = defaultdict(list)
    for one in inside:
        of_job[one.job_id].append(one)
    bad = (one for one in inside if stood[one.id].state in _BAD)
    failure.parts = [one for one in bad if not _tried_again(one, of_job[one.job_id], stood)]
    failure.stood = stood
    failed = [row, *failure.parts]
    named = jobs.by_ids(connection, failure.own_jobs)
    # Finding a run by its id is a statement each. Of the other parts, what their jobs read says enough.
    exact = failed[: 1 + MOST_PARTS]
    failure.roots = [EntityRef(EntityKind.RUN, named[one.job_id].namespace, one.run_id) for one in exact]
    failure.roots += [EntityRef(EntityKind.JOB, job.namespace, job.name) for job in named.values()]
    return failure


def _of_parts(failure: _Failure, nodes: Mapping[int, LineageNode]) -> Iterator[Candidate]:
    """The runs inside of the failed one that failed."""
    for part in failure.parts:
        state, at, _ = failure.stood[part.id]
        if part.job_id in nodes and at is not None:
            yield _failed(nodes[part.job_id], part, at, 0, failed=state is RunState.FAIL)


def _tried_again(part: RunRow, of_job: Iterable[RunRow], stood: Mapping[int, Standing]) -> bool:
    """Whether its job was begun once more after this run of it, and completed. What ran beside it says nothing."""
    ended = stood[part.id].ended_at or 0
    return any((one.began_at or 0) >= ended and ended < (stood[one.id].completed_at or 0) for one in of_job)


def _failed(node: LineageNode, row: RunRow, at: int, distance: int, *, failed: bool) -> Candidate:
    detail = f"Its run {row.run_id} {'failed' if failed else 'was aborted'}."
    return Candidate(node, Reason.FAILED if failed else Reason.ABORTED, distance, at, detail, row.id)


def _of_jobs(
    connection: Read, nodes: Mapping[int, LineageNode], failure: _Failure, since: int
) -> tuple[list[Candidate], bool]:
    """Runs upstream that ended badly and were not made good, and those that had not ended."""
    upstream = {id for id, node in nodes.items() if node.kind is EntityKind.JOB} - failure.own_jobs
    heard = func.coalesce(run.c.last_at, run.c.first_at)
    lately = select(run.c.id).where(
        any_of(connection, run.c.job_id, upstream), run.c.first_at <= failure.moment, heard >= since
    )
    ids = connection.scalars(lately.order_by(run.c.first_at.desc(), run.c.id.desc()).limit(MOST_RUNS + 1)).all()
    rows = runs.by_ids(connection, ids[:MOST_RUNS])
    streams = {id for id, row in jobs.by_ids(connection, upstream).items() if row.processing_type == STREAMING}
    by_job: dict[int, list[RunRow]] = {}
    for row in rows.values():
        by_job.setdefault(row.job_id, []).append(row)
    stood = standings(connection, rows.values(), Moments(since, failure.began, failure.moment))
    told = [
        one
        for id, mine in by_job.items()
        for one in _of_job(nodes[id], mine, stood, failure, since, streams=id in streams)
    ]
    return told, len(ids) > MOST_RUNS


def _of_job(
    node: LineageNode,
    rows: Sequence[RunRow],
    stood: Mapping[int, Standing],
    failure: _Failure,
    since: int,
    *,
    streams: bool,
) -> Iterator[Candidate]:
    """A failure is made good by a later run that completes; that of a stream already by one that goes on."""
    ways = [(one.completed_at, one.going_at if streams else None) for one in (stood[row.id] for row in rows)]
    made_good = max((at for both in ways for at in both if at is not None), default=BEGINNING)
    distance = abs(node.depth)
    for row in rows:
        state, at, going = stood[row.id]
        if state in _BAD and at is not None and since < at <= failure.moment:
            if at >= made_good:
                yield _failed(node, row, at, distance, failed=state is RunState.FAIL)
        elif going is not None and not streams:
            ended = "has not ended since" if row.ended_at is None else f"ended at {_iso(row.ended_at)}"
            began = row.began_at or 0
            detail = f"Its run {row.run_id} had begun, and not ended by {_iso(failure.began)}; it {ended}."
            yield Candidate(node, Reason.UNFINISHED, distance, began, detail, row.id)


def _of_datasets(
    connection: Read, nodes: Mapping[int, LineageNode], failure: _Failure, since: int, read: Readers
) -> Iterator[Candidate]:
    """Schemas that changed, assertions that failed, writes that did not come."""
    ids = [id for id, node in nodes.items() if node.kind not in (EntityKind.JOB, EntityKind.RUN)]
    if not ids:
        return
    lately = Window(since + 1, failure.moment)
    for id, schemas in facets.schemas(connection, ids).items():
        yield from _changes(nodes[id], schemas, lately, read)
    # What a dataset is asked about for is no explanation of itself; that its columns changed may be one.
    upstream = [id for id in ids if nodes[id].depth]
    yield from _checked(connection, nodes, upstream, lately, read)
    for id, made in versions.last_made(connection, upstream, _WRITES, failure.began).items():
        longest = overdue([one.at for one in made], failure.began)
        if longest is not None:
            last = made[0]
            ago = pause(failure.began - last.at)
            detail = f"It was last written {ago} before; it never took longer than {pause(longest)}."
            yield _of_dataset(nodes[id], Reason.NOT_REFRESHED, last.at, detail, run_id=last.run_id)


def _checked(
    connection: Read, nodes: Mapping[int, LineageNode], ids: Sequence[int], lately: Window, read: Readers
) -> Iterator[Candidate]:
    """The assertions that did not hold when they were last checked, if that was in this time."""
    said = facets.of_datasets(connection, ids, lately.last, ASSERTIONS)
    failing = [
        (id, row, words) for id, rows in said.items() for row in rows if (words := read.failed_assertions(row.payload))
    ]
    first = checks.first_said(connection, [id for id, _, _ in failing])
    # A check that finds the same again changes no facet: it is in the log alone.
    again = checks.last_said(
        connection, [id for id, row, _ in failing if row.valid_from < lately.first], lately, read.project
    )
    for id, row, words in failing:
        at, run_id = row.valid_from, first.get((id, row.valid_from))
        if at < lately.first:
            if (id, row.scope) not in again:
                continue
            at, run_id = again[id, row.scope]
        detail = f"Quality assertions failed: {'; '.join(words)}."
        yield _of_dataset(nodes[id], Reason.ASSERTION_FAILED, at, detail, run_id=run_id, facet=row)


def _changes(node: LineageNode, schemas: Sequence[FacetRow], lately: Window, read: Readers) -> Iterator[Candidate]:
    """The schemas that took the place of others in this time."""
    for before, after in pairwise(schemas):
        if lately.first <= after.valid_from <= lately.last:
            changed = schema_change(read.columns(before.payload), read.columns(after.payload))
            if changed:
                detail = f"Its schema changed: {changed}."
                yield _of_dataset(node, Reason.SCHEMA_CHANGED, after.valid_from, detail, facet=after)


def _of_dataset(node: LineageNode, reason: Reason, at: int, detail: str, **evidence: Any) -> Candidate:  # noqa: ANN401 - run_id or facet
    return Candidate(node, reason, abs(node.depth), at, detail, **evidence)


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
