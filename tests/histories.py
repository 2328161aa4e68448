"""Small histories that are as unkind as real ones: few names and few moments, so that everything collides.

A history tells of a few *features* only, so that it stays small where it is about one thing: runs that retry, fail,
overlap, come late or without a START are always in it. Events are bytes, in no particular order; `arrivals` repeats,
shuffles and batches them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from sqlalchemy import select

from builders import (
    PRODUCER,
    SPEC,
    NameLike,
    also_known_as,
    columns,
    dataset,
    declared_dataset,
    dropped,
    encode,
    facet,
    micros,
    moment,
    named,
    renamed,
)
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.timeline import ALWAYS, NOW, Window
from catalog.domain.words import Direction, EntityKind, Granularity
from catalog.ingest.accept import Ingest, Outcome, Received
from catalog.store.engine import Database
from catalog.store.tables import log_entry, metadata
from oracle_events import declaration, name_of, read, statement

# Two names that a delimiter would confuse are among them (law 9).
DATASETS: tuple[NameLike, ...] = ("a", "b", "c", ("shop.d", "e"), ("shop", "d.e"))
JOBS = ("etl", "load", "feed")
RUNS = ("r1", "r2", "r3", "r4")
COLUMNS = ("x", "y")
FEATURES = (
    "columns", "explicit", "job_events", "dataset_events", "symlinks", "drops", "streaming", "versions", "facets",
    "parents", "renames",
)  # fmt: skip
GRANULARITIES = tuple(Granularity)
LAST = 9

_datasets = st.sampled_from(DATASETS)
_jobs = st.sampled_from(JOBS)
_times = st.integers(0, LAST)
_states = st.sampled_from(("COMPLETE", "START", "COMPLETE", "FAIL", "RUNNING", "COMPLETE", "ABORT", "OTHER"))
_changes = st.sampled_from(("DROP", "CREATE", "ALTER", "OVERWRITE", "DROP"))
_some = st.integers(0, 3).flatmap(lambda most: st.lists(_datasets, min_size=most // 2, max_size=most, unique=True))


def _one_in(many: int) -> st.SearchStrategy[bool]:
    return st.sampled_from([False] * (many - 1) + [True])


def _way(type: str, subtype: str, *, masking: bool = False, description: str | None = None) -> dict[str, Any]:
    return {"type": type, "subtype": subtype, "masking": masking, "description": description}


# How a value changes; mostly in one way, sometimes nobody says.
_ways = st.sampled_from(
    (
        {}, {"transformations": []}, {"transformations": [_way("DIRECT", "IDENTITY")]},
        {"transformations": [_way("INDIRECT", "FILTER")]}, {"transformations": [_way("indirect", "JOIN")]},
        {"transformations": [_way("DIRECT", "TRANSFORMATION", masking=True), _way("INDIRECT", "FILTER")]},
        {"transformations": [_way("DIRECT", "TRANSFORMATION", description="md5"), _way("DIRECT", "IDENTITY")]},
    )
)  # fmt: skip
_old_ways = st.sampled_from(
    (*[{}] * 5, {"transformationType": "MASKED"}, {"transformationType": "OTHER", "transformationDescription": "old"})
)
_columns = st.sampled_from(COLUMNS)


@st.composite
def _columns_from(draw: st.DrawFn) -> dict[str, Any]:
    """A columnLineage facet; with no source at all it says nothing."""
    sources = [
        {**named(name), "field": draw(_columns), **draw(_ways)}
        for name in draw(st.lists(_datasets, max_size=2, unique=True))
    ]
    if draw(_one_in(3)):
        return facet(fields={}, dataset=sources)
    both = {} if draw(_one_in(2)) else {"dataset": sources[:1]}
    return facet(fields={draw(_columns): {"inputFields": sources, **draw(_old_ways)}}, **both)


_changing: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "schema": st.sampled_from((columns(x="int"), columns(x="text"), columns(x="int", y="int"))),
    "documentation": st.sampled_from((facet(description="one"), facet(description="two"), facet(_deleted=True))),
    "tags": st.sampled_from((facet(tags=[]), *(facet(tags=[{"key": "pii", "value": v}]) for v in "yn"))),
    "ownership": st.sampled_from(tuple(facet(owners=[{"name": name, "type": "OWNER"}]) for name in "uv")),
}


@st.composite
def _changing_facets(draw: st.DrawFn, features: Sequence[str]) -> dict[str, Any]:
    """Facets that go back and forth between a few values."""
    if "facets" not in features:
        return {}
    names = draw(st.lists(st.sampled_from(sorted(_changing)), max_size=2, unique=True))
    return {name: draw(_changing[name]) for name in names}


@st.composite
def _used(draw: st.DrawFn, features: Sequence[str], role: str) -> list[dict[str, Any]]:
    """What an event has in its inputs or outputs."""
    found = []
    for name in draw(_some):
        facets = draw(_changing_facets(features))
        if role == "outputs" and "columns" in features and draw(_one_in(2)):
            facets["columnLineage"] = draw(_columns_from())
        if "drops" in features and draw(_one_in(2)):
            facets["lifecycleStateChange"] = dropped(draw(_changes))
        if "renames" in features and draw(_one_in(3)):
            facets["lifecycleStateChange"] = renamed(draw(_datasets))
        if "symlinks" in features and draw(_one_in(3)):
            facets["symlinks"] = also_known_as(draw(_datasets))
        if "versions" in features and draw(_one_in(2)):
            facets["version"] = facet(datasetVersion=draw(st.sampled_from(("v1", "v2"))))
        found.append(dataset(name, facets))
    return found


@st.composite
def _entries(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Entries of an explicit lineage facet: datasets and jobs on either side, with and without columns."""
    # The event's own job is said without a name.
    job_end = st.none() | _jobs
    ends = st.one_of(_datasets.map(lambda d: {**named(d), "type": "DATASET"}), job_end.map(_job_end))
    found = []
    for end in draw(st.lists(ends, max_size=4)):
        many = draw(st.sampled_from((1, 1, 2, 0)))
        found.append({**end, "inputs": [draw(_source(ends)) for _ in range(many)]})
        if end["type"] == "DATASET" and draw(_one_in(3)):
            found[-1]["fields"] = {draw(_columns): {"inputs": [draw(_source(ends))]}}
    return found


@st.composite
def _source(draw: st.DrawFn, ends: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    """Where data comes from: a dataset, perhaps one of its columns, or a job; and how it changes."""
    end = draw(ends)
    column = {"field": draw(_columns)} if end["type"] == "DATASET" and draw(_one_in(2)) else {}
    return {**end, **column, **draw(_ways)}


def _job_end(name: str | None) -> dict[str, Any]:
    return {"type": "JOB"} if name is None else {**named(name), "type": "JOB"}


@st.composite
def _job_facets(draw: st.DrawFn, features: Sequence[str]) -> dict[str, Any]:
    facets = draw(_changing_facets([f for f in features if f == "facets" and draw(_one_in(3))]))
    facets.pop("schema", None)
    if "explicit" in features and draw(_one_in(2)):
        facets["lineage"] = facet(entries=draw(_entries()))
    if "streaming" in features and draw(_one_in(2)):
        kinds = ("STREAMING", "streaming", "BATCH", None)
        kind = draw(st.sampled_from(kinds))
        facets["jobType"] = facet(processingType=kind, integration="X") if kind else facet(_deleted=True)
    return facets


@st.composite
def _uses(draw: st.DrawFn, features: Sequence[str]) -> dict[str, Any]:
    """What an event of a run, or of a job, says."""
    return {
        "job_facets": draw(_job_facets(features)),
        "inputs": draw(_used(features, "inputs")),
        "outputs": draw(_used(features, "outputs")),
    }


def _event(job: str, at: int, said: Mapping[str, Any], run: Mapping[str, Any] | None, state: str | None) -> bytes:
    told: dict[str, Any] = {
        "eventTime": moment(at),
        "producer": PRODUCER,
        "schemaURL": SPEC if run else SPEC.replace("RunEvent", "JobEvent"),
        "job": {**named(job), "facets": said["job_facets"]},
        "inputs": said["inputs"],
        "outputs": said["outputs"],
    }
    if run:
        told |= {"run": run, "eventType": state}
    return encode(told)


_SILENT: Mapping[str, Any] = {"job_facets": {}, "inputs": [], "outputs": []}


@st.composite
def _run(draw: st.DrawFn, features: Sequence[str]) -> list[bytes]:
    """The events of a run, or some of them: what they say may change from one to the next, or be left out."""
    job, run = draw(_jobs), {"runId": draw(st.sampled_from(RUNS)), "facets": {}}
    if "parents" in features and draw(_one_in(2)):
        parent = {"run": {"runId": draw(st.sampled_from(RUNS))}, "job": named(draw(_jobs))}
        run["facets"] = {"parent": facet(**parent)}
    said = draw(_uses(features))
    many = draw(st.sampled_from((1, 2, 2, 3)))
    times = sorted(draw(st.lists(_times, min_size=many, max_size=many)))
    events = []
    for at, speaks in zip(times, draw(st.permutations([True, *(draw(_one_in(2)) for _ in times[1:])])), strict=True):
        events.append(_event(job, at, said if speaks else _SILENT, run, draw(_states)))
        said = draw(_uses(features)) if draw(_one_in(4)) else said
    return events


@st.composite
def _swap(draw: st.DrawFn, features: Sequence[str]) -> list[bytes]:
    """A run puts one table in the place of another at one moment, and another may drop what was there before."""
    staging, table, backup = draw(st.permutations(DATASETS))[:3]
    swapped = [(backup, renamed(table)), (table, renamed(staging))]
    changes = [swapped, [(backup, dropped())]] if "drops" in features else [swapped]
    events = []
    for done in changes:
        run = {"runId": draw(st.sampled_from(RUNS)), "facets": {}}
        outputs = [dataset(name, {"lifecycleStateChange": change}) for name, change in done]
        said = {**_SILENT, "inputs": [dataset(staging)] * draw(_one_in(2)), "outputs": outputs}
        events.append(_event(draw(_jobs), draw(_times), said, run, "COMPLETE"))
    return events


@st.composite
def _job_event(draw: st.DrawFn, features: Sequence[str]) -> list[bytes]:
    # A job that is only designed drops nothing.
    said = draw(_uses([f for f in features if f != "drops"]))
    return [_event(draw(_jobs), draw(_times), said, None, None)]


@st.composite
def _dataset_event(draw: st.DrawFn, features: Sequence[str]) -> list[bytes]:
    facets = draw(_changing_facets(features))
    ends = st.one_of(_datasets.map(lambda d: {**named(d), "type": "DATASET"}), _jobs.map(_job_end))
    drawn = facet(inputs=draw(st.lists(_source(ends), max_size=2)))
    if draw(_one_in(3)):
        drawn["fields"] = {draw(_columns): {"inputs": [draw(_source(ends))]}}
    facets |= draw(st.sampled_from(({}, {"lineage": drawn}, {"lineage": facet(_deleted=True)})))
    if "columns" in features and draw(_one_in(3)):
        facets["columnLineage"] = draw(_columns_from())
    if "drops" in features and draw(_one_in(2)):
        facets["lifecycleStateChange"] = dropped()
    if "renames" in features and draw(_one_in(3)):
        facets["lifecycleStateChange"] = renamed(draw(_datasets))
    if "symlinks" in features and draw(_one_in(3)):
        facets["symlinks"] = also_known_as(draw(_datasets))
    return [declared_dataset(draw(_datasets), draw(_times), **facets)]


@st.composite
def histories(draw: st.DrawFn, most: int = 14) -> list[bytes]:
    """At most that many events, as they might have happened; the same bytes may be there twice."""
    features = [feature for feature in FEATURES if draw(_one_in(3))]
    stories = [_run(features)] * 3
    stories += [_swap(features)] * ("renames" in features)
    stories += [_job_event(features)] * ("job_events" in features)
    stories += [_dataset_event(features)] * ("dataset_events" in features)
    # Mostly as many as fit: a story alone meets nothing. A failing history shrinks to few all the same.
    many = draw(st.sampled_from((1, 2, 3, 4, 5, 6, 7, 7, 8, 8, 9, 9)))
    told = draw(st.lists(st.one_of(stories), min_size=many, max_size=many))
    return [event for story in told for event in story][:most]


@st.composite
def arrivals(draw: st.DrawFn, events: Sequence[bytes]) -> list[list[bytes]]:
    """Batches in which these events may arrive: late, early, again, together or alone."""
    again = draw(st.lists(st.sampled_from(list(events)), max_size=3))
    order = draw(st.permutations([*events, *again]))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(order) - 1)), max_size=4)))
    parts = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    return [part for part in parts if part]


windows = st.one_of(
    st.sampled_from((NOW, ALWAYS)),
    _times.map(lambda t: Window(micros(t), micros(t))),
    st.tuples(_times, _times).map(lambda ends: Window(micros(min(ends)), micros(max(ends)))),
)


@st.composite
def questions(draw: st.DrawFn, events: Sequence[bytes]) -> Question:
    """A question about something these events name."""
    granularity = draw(st.sampled_from(GRANULARITIES))
    everything = mentioned(events, granularity)
    return Question(
        of=tuple(draw(st.lists(st.sampled_from(everything), min_size=1, max_size=2))) if everything else (),
        direction=draw(st.sampled_from(Direction)),
        granularity=granularity,
        depth=draw(st.sampled_from((1, 2, 3, 5))),
        window=draw(windows),
        include_indirect=not draw(_one_in(3)),
    )


def mentioned(events: Sequence[bytes], granularity: Granularity) -> list[EntityRef]:
    """What a question of this granularity can be about."""
    found: set[tuple[str, ...]] = set()
    for event in map(read, events):
        body: Mapping[str, Any] = event.body
        if "run" in body:
            found.add(("RUN", body["job"]["namespace"], body["run"]["runId"]))
        if "job" in body:
            found.add(("JOB", *name_of(body["job"])))
        roles = ("dataset",) if "dataset" in body else ("inputs", "outputs")
        found |= {("DATASET", *name) for role in roles for name, _ in event.mentions(role)}
        if granularity is Granularity.COLUMN:
            said = declaration(event) if "run" not in body else statement(name_of(body["job"]), [event])
            found |= {end for source, target, _ in said.flows for end in (source, target) if end[0] == "COLUMN"}
    return [EntityRef(EntityKind[kind], *names) for kind, *names in sorted(found)]


def put(database: Database, batches: Sequence[Sequence[bytes]]) -> list[Outcome]:
    """Make these events all that a database holds; the answers in order. A new database for each would be slow."""
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    ingest = Ingest(database)
    outcomes = [outcome for batch in batches for outcome in ingest.accept([Received(raw, "test") for raw in batch])]
    with database.read() as connection:
        assert connection.scalars(select(log_entry.c.failure).where(log_entry.c.failure.is_not(None))).all() == []
    return outcomes


def receive(database: Database, at: int, events: Iterable[bytes]) -> None:
    """Take events in when the clock says `at`, microseconds since 1970 UTC."""
    Ingest(database, clock=lambda: at).accept([Received(event, "test") for event in events])


def tell(database: Database, *stories: Iterable[bytes] | bytes) -> None:
    """Take in single events, and stories of several."""
    events = [event for story in stories for event in ([story] if isinstance(story, bytes) else story)]
    Ingest(database).accept([Received(event, "test") for event in events])


def cut_in_two(
    data: st.DataObject, whole: Database, beginning: Database, at: tuple[int, int], *, least: int = 0
) -> tuple[list[bytes], int]:
    """A history that one database receives in two parts, at these times, and another the first part alone of.

    The answer is all of it, and how many events the first part has: at least so many.
    """
    events = list(dict.fromkeys(data.draw(st.permutations(data.draw(histories())))))
    note(told(events))
    known = data.draw(st.integers(least, len(events)))
    put(whole, [])
    receive(whole, at[0], events[:known])
    receive(whole, at[1], events[known:])
    put(beginning, [events[:known]] if known else [])
    return events, known


def told(events: Sequence[bytes]) -> str:
    """A history as a person wants to read it when a law is broken."""
    return "\n".join(json.dumps(json.loads(event)) for event in events)
