"""Projections of one batch into rows of the graph.

Runs inside the transaction that appended the batch, under the lock of the log's head, so what it reads stays
true until it commits. It reads once per table and batch, never per event, merges in Python with the same pure
functions the tests use, and writes only rows that differ, in key order.

1. names      namespaces, datasets, jobs
2. symlinks   which names are one dataset
3. facets     history of what changed, and what follows from the current ones
4. runs       state, times, parents; what they read and wrote
5. lineage    statements of runs and declarations, and the intervals of the edges they make
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from catalog.domain.errors import CatalogError
from catalog.domain.ids import namespace_id
from catalog.domain.projection import NEVER, Projection
from catalog.store import alias_writer, facet_writer, run_writer
from catalog.store.dialect import insert_new, upsert
from catalog.store.engine import Write
from catalog.store.rows import by_ids, sort_key, storable
from catalog.store.tables import GRAPH, dataset, job, namespace

Reproject = Callable[[bytes], Projection]
"""Projects the raw bytes of an earlier entry again; the store knows no event format."""


class NameCollision(CatalogError):
    """Two different names have the same 63-bit id; the second is kept in the log and not in the graph."""


def write(connection: Write, projections: Sequence[Projection], first_seq: int, reproject: Reproject) -> None:
    """Bring the graph up to these projections. `first_seq` is the first log entry of this batch."""
    _write_names(connection, projections)
    alias_writer.write(connection, [link for p in projections for link in p.symlinks])
    retyped = facet_writer.write(connection, [seen for p in projections for seen in p.facets], first_seq, reproject)
    run_writer.write(connection, projections, retyped)


def empty(connection: Write) -> None:
    """Delete every row of the graph; the log can make them again."""
    for table in GRAPH:
        connection.execute(table.delete())


def _write_names(connection: Write, projections: Sequence[Projection]) -> None:
    datasets: dict[int, tuple[str, str, int]] = {}
    jobs: dict[int, tuple[str, str, int]] = {}
    for projection in projections:
        at = projection.stamp.at
        for into, named in ((datasets, projection.datasets), (jobs, projection.jobs)):
            for id, (space, name) in named.items():
                known = into.get(id)
                _same_name(known[:2] if known else None, (space, name))
                into[id] = (space, name, min(at, known[2]) if known else at)
    spaces = {space for named in (datasets, jobs) for space, _, _ in named.values()}
    insert_new(
        connection,
        namespace,
        [{"id": namespace_id(s), "name": storable(s), "sort_key": sort_key(s)} for s in spaces],
    )
    _write_datasets(connection, datasets)
    _write_jobs(connection, jobs)


def _write_datasets(connection: Write, named: dict[int, tuple[str, str, int]]) -> None:
    known = {row.id: row for row in by_ids(connection, dataset, dataset.c.id, named)}
    rows = []
    for id, (space, name, at) in named.items():
        row = known.get(id)
        if row is None:
            rows.append(
                {
                    "id": id, "namespace_id": namespace_id(space), "name": storable(name),
                    "sort_key": sort_key(space, name), "canonical_id": id, "created_at": at,
                    "type": None, "sub_type": None, "description": None,
                }
            )  # fmt: skip
            continue
        _same_name((row.namespace_id, row.name), (namespace_id(space), storable(name)))
        if at < row.created_at:
            rows.append({**row._mapping, "created_at": at})  # noqa: SLF001 - sqlalchemy's public name for it
    upsert(connection, dataset, rows)


def _write_jobs(connection: Write, named: dict[int, tuple[str, str, int]]) -> None:
    known = {row.id: row for row in by_ids(connection, job, job.c.id, named)}
    rows = []
    for id, (space, name, at) in named.items():
        row = known.get(id)
        if row is None:
            rows.append(
                {
                    "id": id, "namespace_id": namespace_id(space), "name": storable(name),
                    "sort_key": sort_key(space, name), "created_at": at, "parent_id": None,
                    "parent_at": NEVER.at, "parent_tie": NEVER.tie, "processing_type": None, "integration": None,
                    "type": None, "description": None, "first_point_at": None, "last_point_at": None,
                    "last_point_run": None, "last_version_id": None,
                }
            )  # fmt: skip
            continue
        _same_name((row.namespace_id, row.name), (namespace_id(space), storable(name)))
        if at < row.created_at:
            rows.append({**row._mapping, "created_at": at})  # noqa: SLF001 - sqlalchemy's public name for it
    upsert(connection, job, rows)


def _same_name(known: tuple[object, object] | None, name: tuple[object, object]) -> None:
    if known is not None and known != name:
        raise NameCollision
