"""When edges were seen, for the oracle: every moment is looked at, one after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from catalog.domain.lineage import Question
from catalog.domain.words import Granularity
from oracle_events import Edge, Event, Name, ended, name_of, node
from oracle_runs import RunKey, node_of, run_id

if TYPE_CHECKING:
    from oracle import Oracle

Seen = tuple[int, int | None, str | None]
"""Since when an edge has held, when it was confirmed last and by which run; None where this cannot tell."""


def seen(oracle: Oracle, question: Question, edges: Collection[Edge]) -> dict[Edge, Seen]:
    """When these edges of an answer were seen; what a run did is an edge of its own, and left out."""
    window = question.window
    shown = [at for at in oracle.moments(window.first, window.last) if at <= window.last]
    roots = {oracle.root(ref, question.granularity) for ref in question.of}
    all_at = {at: _edges(oracle, at, question.granularity, roots) for at in {*shown, *_times(oracle)}}
    found = {}
    for edge in edges:
        holding = [at for at in shown if edge in all_at[at]]
        if holding:
            first, last = _since(oracle, edge, holding[0], all_at), _until(oracle, holding[-1], window.last)
            found[edge] = (first, *_confirmed(oracle, edge, last))
    return found


def _times(oracle: Oracle) -> list[int]:
    """When anything happened."""
    return sorted({event.at for event in oracle.events})


def _edges(oracle: Oracle, at: int, granularity: Granularity, roots: Collection[tuple[str, ...]]) -> set[Edge]:
    """All that holds at a moment."""
    graph = oracle.graph_at(at)
    if granularity is Granularity.COLUMN:
        used = {edge for edge, _ in graph.used if not {end for end in edge[:2] if end[0] == "JOB"}.isdisjoint(roots)}
        return used | {edge for edge, _ in graph.told if "COLUMN" in (edge[0][0], edge[1][0])}
    return graph.jobs | (graph.datasets if granularity is Granularity.DATASET else set())


def _since(oracle: Oracle, edge: Edge, at: int, all_at: dict[int, set[Edge]]) -> int:
    """The beginning of the stretch of moments in which an edge holds."""
    since = at
    for time in sorted((time for time in _times(oracle) if time <= at), reverse=True):
        if edge not in all_at[time]:
            break
        since = time
    return since


def _until(oracle: Oracle, at: int, last: int) -> int:
    """The last moment at which things are still as they are at this one."""
    return min((time - 1 for time in _times(oracle) if time > at), default=last) if at < last else at


def _confirmed(oracle: Oracle, edge: Edge, at: int) -> tuple[int | None, str | None]:
    """By which run, or declaration, and when."""
    *_, job, how = edge
    if how == "DECLARED":
        return max((event.at for event in _declaring(oracle, edge) if event.at <= at), default=None), None
    if job is None or oracle.is_streaming(job):
        return None, None
    done = [run for run in oracle.runs if run[0] == job and _done(oracle, run, at)]
    last = max(done, key=lambda run: (ended(oracle.runs[run]), run_id(run)), default=None)
    return (None, None) if last is None else (ended(oracle.runs[last]), node_of(last)[-1])


def _declaring(oracle: Oracle, edge: Edge) -> Iterator[Event]:
    """What declares for the job of an edge, or for the dataset it goes to."""
    _, target, job, _ = edge
    for event in oracle.events:
        if "run" in event.body:
            continue
        if job is not None and "job" in event.body and name_of(event.body["job"]) == job:
            yield event
        if job is None and "dataset" in event.body and node(_name(oracle, event)) == ("DATASET", *target[1:3]):
            yield event


def _name(oracle: Oracle, event: Event) -> Name:
    return oracle.one_name(name_of(event.body["dataset"]))


def _done(oracle: Oracle, run: RunKey, at: int) -> bool:
    events = oracle.runs[run]
    end = ended(events)
    return end is not None and end <= at and any(event.says_lineage for event in events)
