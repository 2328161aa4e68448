"""Rows of `edge` and `field_edge`: rewriting stretches of many owners at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table

from catalog.domain.statement import Edge, Edges, FieldEdge
from catalog.domain.timeline import Interval, restitch, segments_of
from catalog.domain.words import Derivation
from catalog.store.dialect import delete_keys, upsert
from catalog.store.engine import Write
from catalog.store.rows import by_ids, storable
from catalog.store.tables import edge, field_edge


class EdgeWriter:
    """What edges are to hold when, noted owner by owner, written by `flush`."""

    def __init__(self, connection: Write) -> None:
        """Nothing is read yet."""
        self._tables = (
            _Rewrites(connection, edge, _edge_key, _edge_row),
            _Rewrites(connection, field_edge, _field_key, _field_row),
        )

    def take(self, owner: int, changes: Sequence[tuple[int, Edges]], window: Interval, *, declared: bool) -> None:
        """Make exactly these edges hold during the window; changes before it say what holds at its start."""
        early = [edges for at, edges in changes if at <= window.start]
        inside = [(at, edges) for at, edges in changes if window.start < at < window.end]
        points = [*((window.start, edges) for edges in early[-1:]), *inside]
        nodes, fields = self._tables
        nodes.asked.append(_Asked(owner, declared, window, [(at, edges.edges) for at, edges in points]))
        fields.asked.append(_Asked(owner, declared, window, [(at, edges.fields) for at, edges in points]))

    def flush(self) -> None:
        """Write what was noted."""
        for table in self._tables:
            table.flush()


@dataclass(frozen=True, slots=True)
class _Asked:
    """One owner's stretch, observed or declared, and what is to hold in it."""

    owner: int
    declared: bool
    window: Interval
    points: list[tuple[int, frozenset[Any]]]


class _Rewrites:
    """Interval rewrites of one edge table."""

    def __init__(
        self,
        connection: Write,
        table: Table,
        key_of: Callable[[Row[Any]], Any],
        row_of: Callable[[Any], Mapping[str, Any]],
    ) -> None:
        self.connection = connection
        self.table = table
        self.key_of = key_of
        self.row_of = row_of
        self.asked: list[_Asked] = []

    def flush(self) -> None:
        """Compare what is there with what is to hold, delete and write the difference."""
        if not self.asked:
            return
        there = self._there()
        gone: list[tuple[Any, ...]] = []
        new: list[Mapping[str, Any]] = []
        for asked in self.asked:
            # What ends before the window or begins behind it neither changes nor touches it.
            existing = {
                key: touching
                for key, spans in there[asked.owner, asked.declared].items()
                if (touching := [s for s in spans if s.end >= asked.window.start and s.start <= asked.window.end])
            }
            old, fresh = restitch(existing, segments_of(asked.points, asked.window.end), asked.window)
            # A row whose end alone moves is written over; it must not be deleted as well.
            kept = {(key, interval.start) for key, interval in fresh}
            gone += [
                (asked.owner, *self._part(key), interval.start)
                for key, interval in old
                if (key, interval.start) not in kept
            ]
            new += [
                {"owner_id": asked.owner, "valid_from": span.start, "valid_to": span.end, **self.row_of(key)}
                for key, span in fresh
            ]
        delete_keys(self.connection, self.table, gone)
        upsert(self.connection, self.table, new)
        self.asked.clear()

    def _there(self) -> dict[tuple[int, bool], dict[Any, list[Interval]]]:
        """The rows of all owners that may touch a stretch, by owner and basis."""
        since = min(asked.window.start for asked in self.asked)
        there: dict[tuple[int, bool], dict[Any, list[Interval]]] = defaultdict(lambda: defaultdict(list))
        columns = self.table.c
        owners = {asked.owner for asked in self.asked}
        for row in by_ids(self.connection, self.table, columns.owner_id, owners, columns.valid_to >= since):
            basis = (row.owner_id, row.derivation == Derivation.DECLARED)
            there[basis][self.key_of(row)].append(Interval(row.valid_from, row.valid_to))
        return there

    def _part(self, key: Any) -> tuple[Any, ...]:  # noqa: ANN401 - Edge or FieldEdge
        row = self.row_of(key)
        return tuple(row[column.name] for column in list(self.table.primary_key)[1:-1])


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
