"""Graphs of any size to ask questions of, written as rows: a million edges through the door would take an hour.

A world is made of domains that share nothing. A domain is one dataset in the middle, with as many datasets upstream
as downstream of it, each one hop of a job away from another: so a question about the middle has an answer whose size
is that of its domain, whatever the size of the world. One job in ten has moved from one input to another.

`check` shows that these rows are those that events make: programs that measure with them call it first.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from random import Random
from typing import Any

import zstandard
from measuring import fresh, opened
from sqlalchemy import Table

from catalog.domain.ids import dataset_id, digest_key, job_id, key, namespace_id, run_id
from catalog.domain.projection import NEVER, RunFacts, Stamp
from catalog.domain.statement import Edge, Statement, resolve, statement_key
from catalog.domain.timeline import FOREVER
from catalog.domain.words import Role, RunState, Scope
from catalog.ingest.accept import Ingest, Received
from catalog.store.dialect import in_key_order
from catalog.store.edge_writer import _edge_row as edge_row
from catalog.store.engine import Database
from catalog.store.maintenance import dump_digest
from catalog.store.rows import run_row, sort_key
from catalog.store.run_writer import version_key
from catalog.store.tables import (
    GRAPH,
    dataset,
    edge,
    facet,
    job,
    job_version,
    namespace,
    ownership,
    run,
    run_statement,
    search_document,
    statement,
    statement_dataset,
    tag,
)

BEFORE = 1_767_225_600_000_000
"""When every job ran first: the beginning of 2026, in microseconds since 1970 UTC."""

NOW = BEFORE + 86_400_000_000
"""When the jobs that moved ran again, a day later."""

_SPACES = 20
_MOVED, _TWO_INPUTS = 0.1, 0.09
_CHUNK = 20_000
_PRODUCER = "https://example.com/pipelines"
_SCHEMA = "https://openlineage.io/spec/facets/1-0-0/Facet.json"


@dataclass(frozen=True, slots=True)
class Pipe:
    """A job that writes one dataset. `before` is what it read before it moved, empty if it did not."""

    space: str
    name: str
    inputs: tuple[str, ...]
    output: str
    before: tuple[str, ...]

    def datasets(self) -> set[str]:
        """All it ever read or wrote."""
        return {*self.inputs, self.output, *self.before}

    def runs(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """When it ran, and what it read."""
        yield BEFORE, self.before or self.inputs
        if self.before:
            yield NOW, self.inputs


@dataclass(frozen=True, slots=True)
class World:
    """Domains of these sizes, in datasets. `described` gives everything a description, tags and an owner."""

    sizes: tuple[int, ...]
    described: bool = False

    @property
    def jobs(self) -> int:
        """How many jobs there are."""
        return sum(size - 1 for size in self.sizes)

    def pipes(self) -> Iterator[Pipe]:
        """All jobs, domain by domain."""
        for number, size in enumerate(self.sizes):
            yield from _domain(number, size)

    def around(self, size: int) -> Iterator[Pipe]:
        """The jobs of the domain that `middle` is in the middle of: all that an answer about it can have."""
        yield from _domain(self.sizes.index(size), size)

    def middle(self, size: int) -> tuple[str, str]:
        """Namespace and name of the dataset in the middle of a domain of this size."""
        number = self.sizes.index(size)
        return _space(number), _table(number, 0)


def issue_3058(jobs: int = 55_000) -> World:
    """The shape of Marquez issue 3058: 55,000 jobs, 115,000 edges, about 76 nodes in the answer.

    Domains have 76 datasets, for who counts datasets, or 38 with as many jobs.
    """
    return World((76, 38) * round(jobs / (75 + 37)), described=True)


def of_edges(edges: int) -> World:
    """A world of about so many edges, with domains of 10,000, 1,000 and 100 datasets: half of it in the last."""
    datasets = int(edges / 2.09)
    large, middling = max(1, datasets // 40_000), max(1, datasets // 4_000)
    small = max(1, (datasets - large * 10_000 - middling * 1_000) // 100)
    return World((100,) * small + (1_000,) * middling + (10_000,) * large)


def _space(number: int) -> str:
    return f"warehouse_{number % _SPACES:02}"


def _table(number: int, index: int) -> str:
    return f"domain_{number:05}.table_{index:05}"


def _domain(number: int, size: int) -> Iterator[Pipe]:
    random = Random(number)  # noqa: S311 - the same world every time
    below = size // 2
    sides: tuple[tuple[int, Callable[[int], int]], ...] = (
        (below, lambda place: place),
        (size - 1 - below, lambda place: place and below + place),
    )
    for upstream, (count, index) in enumerate(sides):
        for place in range(1, count + 1):
            parent = (place - 1) // 2
            near, far = (place, parent) if upstream else (parent, place)
            # Nothing flows in a circle: inputs are always nearer to where the data comes from.
            others = range(place + 1, count + 1) if upstream else range(place)
            other = [index(random.choice(others))] if others else []
            inputs = list(dict.fromkeys([index(near), *(other if random.random() < _TWO_INPUTS else ())]))
            before = other if random.random() < _MOVED and other != inputs else []
            yield Pipe(
                _space(number),
                f"domain_{number:05}.job_{upstream}_{place:05}",
                tuple(_table(number, i) for i in inputs),
                _table(number, index(far)),
                tuple(_table(number, i) for i in before),
            )


# As events.


def events(world: World) -> Iterator[bytes]:
    """The world as what producers send: an event for each run."""
    for pipe in world.pipes():
        yield from _told(world, pipe)


def _told(world: World, pipe: Pipe) -> Iterator[bytes]:
    for at, inputs in pipe.runs():
        yield json.dumps(
            {
                "eventType": "COMPLETE",
                "eventTime": datetime.fromtimestamp(at / 1e6, UTC).isoformat(),
                "producer": _PRODUCER,
                "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
                "run": {"runId": _run(pipe, at), "facets": {}},
                "job": _mention(world, pipe.space, pipe.name),
                "inputs": [_mention(world, pipe.space, name) for name in inputs],
                "outputs": [_mention(world, pipe.space, pipe.output)],
            }
        ).encode()


def _run(pipe: Pipe, at: int) -> str:
    digits = f"{job_id(pipe.space, pipe.name):016x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-8000-{at // 1_000_000:012x}"


def _mention(world: World, space: str, name: str) -> dict[str, Any]:
    said = _facets(name) if world.described else {}
    return {"namespace": space, "name": name, "facets": {key: json.loads(text) for key, text in said.items()}}


def _facets(name: str) -> dict[str, str]:
    origin = {"_producer": _PRODUCER, "_schemaURL": _SCHEMA}
    return {
        "documentation": json.dumps({**origin, "description": _description(name)}),
        "ownership": json.dumps({**origin, "owners": [{"name": _owner(name), "type": "OWNER"}]}),
        "tags": json.dumps({**origin, "tags": [{"key": "tier", "value": "gold", "source": "USER"}]}),
    }


def _description(name: str) -> str:
    return f"What {name} is for, in a sentence."


def _owner(name: str) -> str:
    return f"team:{name.partition('.')[0]}"


# As rows.


_Rows = dict[Table, list[Mapping[str, Any]]]


def load(database: Database, world: World) -> None:
    """Write the world into an empty database: the rows that its events make, without log and search."""
    rows: _Rows = defaultdict(list)
    spaces = {pipe.space for pipe in world.pipes()}
    rows[namespace] += [{"id": namespace_id(space), "name": space, "sort_key": sort_key(space)} for space in spaces]
    with _without_indexes(database):
        # Domain by domain, as they share nothing: what is remembered of ten million edges would not fit.
        for number, size in enumerate(world.sizes):
            pipes = list(_domain(number, size))
            first, written = _first_heard(world, pipes), set[int]()
            for pipe in pipes:
                named = {dataset_id(pipe.space, name): name for name in pipe.datasets()}
                for id in [id for id in named if id not in written]:
                    _add_dataset(rows, world, pipe.space, named[id], first[id])
                written.update(named)  # `|=` with keys would copy all of it, for every job
                _add_job(rows, world, pipe, first[job_id(pipe.space, pipe.name)], written)
            if len(rows[job]) >= _CHUNK:
                _write(database, rows)
        _write(database, rows)
    # As autovacuum leaves tables that nobody writes to.
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")


@contextmanager
def _without_indexes(database: Database) -> Iterator[None]:
    """Indexes are made at the end: sorted once, a row costs less than half of what it costs one by one."""
    indexes = [index for table in GRAPH for index in table.indexes]
    with database.write() as connection:
        for index in indexes:
            index.drop(connection)
    yield
    with database.write() as connection:
        for index in indexes:
            index.create(connection)


def _first_heard(world: World, pipes: Iterable[Pipe]) -> dict[int, Stamp]:
    """When each dataset and job was first named; the order among events of one moment matters to facets alone."""
    first: dict[int, Stamp] = {}
    for pipe in pipes:
        for (at, inputs), said in zip(pipe.runs(), _told(world, pipe), strict=True):
            stamp = Stamp(at, digest_key(sha256(said).digest()) if world.described else 0)
            ids = [job_id(pipe.space, pipe.name), *(dataset_id(pipe.space, name) for name in (*inputs, pipe.output))]
            for id in ids:
                if id not in first or stamp < first[id]:
                    first[id] = stamp
    return first


def _add_dataset(rows: _Rows, world: World, space: str, name: str, first: Stamp) -> None:
    id = dataset_id(space, name)
    rows[dataset].append(
        {
            "id": id, "namespace_id": namespace_id(space), "name": name, "sort_key": sort_key(space, name),
            "canonical_id": id, "created_at": first.at, "type": None, "sub_type": None,
            "description": _description(name) if world.described else None,
        }
    )  # fmt: skip
    if world.described:
        _add_facets(rows, Scope.DATASET, id, name, first)


def _add_job(rows: _Rows, world: World, pipe: Pipe, first: Stamp, written: set[int]) -> None:
    id = job_id(pipe.space, pipe.name)
    ran = [_add_run(rows, pipe, at, _said(pipe, inputs), written) for at, inputs in pipe.runs()]
    _add_edges(rows, id, pipe)
    rows[job].append(
        {
            "id": id, "namespace_id": namespace_id(pipe.space), "name": pipe.name,
            "sort_key": sort_key(pipe.space, pipe.name), "created_at": first.at, "parent_id": None,
            "parent_at": NEVER.at, "parent_tie": NEVER.tie, "processing_type": None, "integration": None, "type": None,
            "description": _description(pipe.name) if world.described else None,
            "first_point_at": ran[0].completed_at, "last_point_at": ran[-1].completed_at,
            "last_point_run": ran[-1].id, "last_version_id": ran[-1].version_id,
        }
    )  # fmt: skip
    if world.described:
        _add_facets(rows, Scope.JOB, id, pipe.name, first)


def _add_run(rows: _Rows, pipe: Pipe, at: int, said: Statement, written: set[int]) -> RunFacts:
    owner = job_id(pipe.space, pipe.name)
    encoded, name = said.encode(), _run(pipe, at)
    statement_id = statement_key(encoded)
    facts = RunFacts(
        run_id(owner, name), owner, name, RunState.COMPLETE, at, at, completed_at=at,
        version_id=version_key(owner, said),
    )  # fmt: skip
    rows[run].append(run_row(facts, key("run_id", name)))
    if statement_id not in written:
        written.add(statement_id)
        rows[statement].append({"id": statement_id, "body": zstandard.compress(encoded)})
        used = [*((id, Role.INPUT) for id in said.inputs), *((id, Role.OUTPUT) for id in said.outputs)]
        rows[statement_dataset] += [{"statement_id": statement_id, "dataset_id": d, "role": int(r)} for d, r in used]
    rows[run_statement].append({"run_id": facts.id, "statement_id": statement_id, "at": at, "last_at": at})
    rows[job_version].append({"id": facts.version_id, "job_id": owner, "code": ""})
    return facts


def _said(pipe: Pipe, inputs: Collection[str]) -> Statement:
    sources = frozenset(dataset_id(pipe.space, name) for name in inputs)
    return Statement(sources, frozenset({dataset_id(pipe.space, pipe.output)}))


def _add_edges(rows: _Rows, owner: int, pipe: Pipe) -> None:
    """Each edge from the first run that made it until the first that did not."""
    spans: dict[Edge, tuple[int, int]] = {}
    runs = list(pipe.runs())
    for (at, inputs), end in zip(runs, [*(at for at, _ in runs[1:]), FOREVER], strict=True):
        for made in resolve(_said(pipe, inputs), owner, declared=False).edges:
            spans[made] = (spans[made][0] if made in spans else at, end)
    rows[edge] += [
        {"owner_id": owner, "valid_from": start, "valid_to": end, **edge_row(made)}
        for made, (start, end) in spans.items()
    ]


def _add_facets(rows: _Rows, scope: Scope, id: int, name: str, first: Stamp) -> None:
    for facet_name, text in _facets(name).items():
        payload = text.encode()
        rows[facet].append(
            {
                "subject_id": id, "scope": int(scope), "name_key": key("facet", facet_name), "valid_from": first.at,
                "tie": first.tie, "valid_to": FOREVER, "name": facet_name,
                "content_key": digest_key(sha256(payload).digest()), "understood": 1, "payload": payload,
            }
        )  # fmt: skip
    rows[ownership].append(
        {
            "subject_id": id,
            "position": 0,
            "owner_key": key("owner", _owner(name)),
            "name": _owner(name),
            "type": "OWNER",
        }
    )
    rows[tag].append(
        {
            "subject_id": id, "position": 0, "tag_key": key("tag", "tier"), "key": "tier", "value": "gold",
            "source": "USER", "field": None,
        }
    )  # fmt: skip


def _write(database: Database, rows: _Rows) -> None:
    """All rows, and empty the lists. The drivers' own bulk ways: five times as fast as statements with parameters."""
    with database.write() as connection:
        driver = connection.connection.driver_connection
        for table, some in rows.items():
            columns = [column.name for column in table.columns]
            values = [tuple(row[name] for name in columns) for row in in_key_order(table, some)]
            names = ", ".join(columns)
            if database.is_sqlite:
                marks = ", ".join("?" * len(columns))
                driver.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", values)  # noqa: S608 - names of our own tables
                continue
            with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
                for row in values:
                    copy.write_row(row)
    rows.clear()


def check(url: str) -> None:
    """See that the rows of a world of 200 jobs are those its events make, in databases beside this one.

    Raises:
        SystemExit: they are not, so nothing that is measured with them means anything.
    """
    world = World((100, 60, 43), described=True)
    with fresh(url) as one, fresh(url) as other, opened(one) as loaded, opened(other) as told:
        load(loaded, world)
        Ingest(told).accept([Received(raw, "world") for raw in events(world)])
        with loaded.read() as rows, told.read() as events_rows:
            for table in GRAPH:
                if table is not search_document and dump_digest(rows, [table]) != dump_digest(events_rows, [table]):
                    raise SystemExit(f"The rows of '{table.name}' are not those that events make.")
