"""Projections of one batch into rows of the graph.

Runs inside the transaction that appended the batch, under the lock of the log's head, so what it reads stays
true until it commits. It reads once per table and batch, never per event, merges in Python with the same pure
functions the tests use, and writes only rows that differ, in key order.

1. names      namespaces, datasets, jobs
2. symlinks   which names are one dataset
3. facets     history of what changed, and what follows from the current ones
4. runs       state, times, parents; what they read and wrote
5. lineage    statements of runs and declarations, and the intervals of the edges they make
6. words      documents to search, of what has other words than before
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table

from catalog.domain.errors import CatalogError
from catalog.domain.ids import namespace_id
from catalog.domain.projection import NEVER, Projection
from catalog.store import alias_writer, facet_writer, run_writer, search_writer
from catalog.store.dialect import insert_new, upsert
from catalog.store.engine import Write
from catalog.store.rows import by_ids, sort_key, storable
from catalog.store.tables import GRAPH, dataset, job, namespace

Named = dict[int, tuple[str, str, int]]
"""Namespace, name and first event time, by id."""

Reproject = Callable[[bytes], Projection]
"""Projects the raw bytes of an earlier entry again; the store knows no event format."""


class NameCollision(CatalogError):
    """Two different names have the same 63-bit id; the second is kept in the log and not in the graph."""


def write(connection: Write, projections: Sequence[Projection], first_seq: int, reproject: Reproject) -> None:
    """Bring the graph up to these projections. `first_seq` is the first log entry of this batch."""
    worded = _write_names(connection, projections)
    linked = alias_writer.write(connection, [link for p in projections for link in p.symlinks])
    retyped, said = facet_writer.write(connection, projections, first_seq, reproject)
    worded |= linked.names | said | run_writer.write(connection, projections, retyped, linked.joined)
    search_writer.write(connection, worded, {id for p in projections for id in p.datasets})


def empty(connection: Write) -> None:
    """Delete every row of the graph; the log can make them again."""
    for table in GRAPH:
        connection.execute(table.delete())


def _write_names(connection: Write, projections: Sequence[Projection]) -> set[int]:
    """See that all names have their rows; the answer is those that had none."""
    datasets: Named = {}
    jobs: Named = {}
    for projection in projections:
        at = projection.stamp.at
        for into, named in ((datasets, projection.datasets), (jobs, projection.jobs)):
            for id, (space, name) in named.items():
                known = into.get(id)
                if known is None:
                    into[id] = (space, name, at)
                elif known[0] != space or known[1] != name:
                    raise NameCollision
                elif at < known[2]:
                    into[id] = (space, name, at)
    spaces = {space for named in (datasets, jobs) for space, _, _ in named.values()}
    insert_new(
        connection,
        namespace,
        [{"id": namespace_id(s), "name": storable(s), "sort_key": sort_key(s)} for s in spaces],
    )
    new = _write_named(connection, dataset, datasets, _NEW_DATASET)
    return new | _write_named(connection, job, jobs, _NEW_JOB)


_NEW_DATASET: Mapping[str, Any] = {"type": None, "sub_type": None, "description": None}
_NEW_JOB: Mapping[str, Any] = {
    "parent_id": None, "parent_at": NEVER.at, "parent_tie": NEVER.tie, "processing_type": None, "integration": None,
    "type": None, "description": None, "first_point_at": None, "last_point_at": None, "last_point_run": None,
    "last_version_id": None,
}  # fmt: skip


def _write_named(connection: Write, table: Table, named: Named, blank: Mapping[str, Any]) -> set[int]:
    """See that each name has its row, and that the row says when the name was first heard of; as `_write_names`."""
    known = {row.id: row for row in by_ids(connection, table, table.c.id, named)}
    rows: list[Mapping[str, Any]] = []
    for id, (space, name, at) in named.items():
        row = known.get(id)
        if row is not None:
            if row.name != storable(name) or row.namespace_id != namespace_id(space):
                raise NameCollision
            if at < row.created_at:
                rows.append({**row._mapping, "created_at": at})  # noqa: SLF001 - sqlalchemy's public name for it
            continue
        new = {
            "id": id, "namespace_id": namespace_id(space), "name": storable(name),
            "sort_key": sort_key(space, name), "created_at": at, **blank,
        }  # fmt: skip
        rows.append({**new, "canonical_id": id} if table is dataset else new)
    upsert(connection, table, rows)
    return named.keys() - known.keys()
