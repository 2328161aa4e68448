"""The history of facets of jobs and datasets: a row where one changed, none where it was repeated.

A row holds from its event's stamp until the next row's. Because repeats are not stored, a late event that differs
cuts into a stretch whose later repeats only the log remembers: the first of them is looked up there, so that the
history is the same whatever the order of arrival (law 1). In order, nothing is looked up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, or_, select, tuple_

from catalog.domain.changes import Column, DatasetTyped, Described, JobTyped, Owned, Structured, Tagged
from catalog.domain.ids import key
from catalog.domain.projection import FacetKey, FacetSaid, Projection, Stamp
from catalog.domain.timeline import FOREVER
from catalog.domain.words import STREAMING, Scope
from catalog.store import bodies, log
from catalog.store.dialect import any_of, delete_keys, insert, upsert
from catalog.store.engine import Write
from catalog.store.field_writer import write_fields
from catalog.store.rows import by_ids, storable
from catalog.store.tables import dataset, facet, job, log_entry, ownership, tag
from catalog.store.uses import sayings

_CURRENT = {
    (Scope.JOB, "tags"), (Scope.DATASET, "tags"), (Scope.JOB, "ownership"), (Scope.DATASET, "ownership"),
    (Scope.JOB, "documentation"), (Scope.DATASET, "documentation"), (Scope.JOB, "jobType"),
    (Scope.DATASET, "datasetType"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Row:
    stamp: Stamp
    content: int
    understood: bool
    payload: bytes | None


class _Observed(NamedTuple):
    """That an event of this stamp carried a facet that says this."""

    stamp: Stamp
    said: FacetSaid


def write(
    connection: Write, projections: Sequence[Projection], first_seq: int, reproject: Callable[[bytes], Projection]
) -> tuple[set[int], set[int]]:
    """Bring the history up to date.

    The answer is the jobs that became, or ceased to be, streaming; and the subjects whose words may have changed.
    """
    subjects = {seen.key.subject_id for p in projections for seen in p.facets}
    if not subjects:
        return set(), set()
    current = {
        FacetKey(row.subject_id, Scope(row.scope), row.name): row
        for row in by_ids(connection, facet, facet.c.subject_id, subjects, _HOLDS)
    }
    history = _History(connection, first_seq, reproject)
    latest: dict[FacetKey, FacetSaid] = {}
    columns: set[tuple[int, str]] = set()
    worded: set[int] = set()
    for facet_key, news in _news(projections, current):
        last = history.take(facet_key, current.get(_stored(facet_key)), news)
        # Only here: columns of a schema that was seen before have their rows.
        columns |= {(facet_key.subject_id, column.name) for one in news for column in _structure(one.said)}
        if last is not None:
            latest[facet_key] = last
        if (facet_key.scope, facet_key.name) in _CURRENT:
            # Late news too: they may change since when it holds, and so under which name it was said last.
            worded.add(facet_key.subject_id)
    history.flush()
    write_fields(connection, columns)
    return _follow(connection, latest), worded | {owner for owner, _ in columns}


_HOLDS = facet.c.valid_to == FOREVER


def _news(
    projections: Sequence[Projection], current: Mapping[FacetKey, Row[Any]]
) -> list[tuple[FacetKey, list[_Observed]]]:
    """What was seen of every facet of which anything seen is news, in the order of keys and of time."""
    stands = {key: (Stamp(row.valid_from, row.tie), row.content_key) for key, row in current.items()}
    changed = set()
    for p in projections:
        for seen in p.facets:
            held = stands.get(seen.key)
            # A key that is not stored as it is, for its NUL, is looked at closely below.
            if held is None or held[1] != seen.said.content or p.stamp < held[0]:
                changed.add(seen.key)
    by_key: dict[FacetKey, dict[Stamp, FacetSaid]] = {key: {} for key in sorted(changed)}
    for p in projections if changed else ():
        for seen in p.facets:
            if seen.key in changed:
                # The same event may give a facet twice, as input and as output: the larger content counts.
                other = by_key[seen.key].get(p.stamp)
                if other is None or other.content < seen.said.content:
                    by_key[seen.key][p.stamp] = seen.said
    return [(key, [_Observed(*one) for one in sorted(stamps.items())]) for key, stamps in by_key.items()]


def _stored(facet_key: FacetKey) -> FacetKey:
    return facet_key._replace(name=storable(facet_key.name))


def _structure(said: FacetSaid) -> Iterable[Column]:
    return (column for change in said.changes or () if isinstance(change, Structured) for column in change.columns)


class _History:
    """Rewrites of facet histories, collected for one write."""

    def __init__(self, connection: Write, first_seq: int, reproject: Callable[[bytes], Projection]) -> None:
        self.connection = connection
        self.first_seq = first_seq
        self.reproject = reproject
        self.gone: list[tuple[int, int, int, int, int]] = []
        self.new: list[dict[str, Any]] = []

    def take(self, facet_key: FacetKey, current: Row[Any] | None, news: Sequence[_Observed]) -> FacetSaid | None:
        """Put the news into the history; the answer is what holds now, if that changed."""
        name_key = key("facet", facet_key.name)
        before = self.stretch(facet_key, name_key, current, news[0].stamp)
        rows = list(before)
        for one in news:
            self.put(facet_key, rows, one)
        self.replace(facet_key, name_key, before, rows)
        # Late news leave what holds now as it is; news that are the last row are what holds now.
        return next((one.said for one in news if one.stamp == rows[-1].stamp), None)

    def stretch(self, facet_key: FacetKey, name_key: int, current: Row[Any] | None, first: Stamp) -> list[_Row]:
        """The rows a change at `first` or later can touch: the one that holds then, and all after it."""
        if current is None:
            return []
        found = [current]
        if first < Stamp(current.valid_from, current.tie):
            found = self.connection.execute(
                select(facet).where(
                    facet.c.subject_id == facet_key.subject_id,
                    facet.c.scope == int(facet_key.scope),
                    facet.c.name_key == name_key,
                    facet.c.valid_to >= first.at,
                )
            ).all()  # type: ignore[assignment] # Sequence of the same rows
        rows = [_Row(Stamp(r.valid_from, r.tie), r.content_key, bool(r.understood), r.payload) for r in found]
        return sorted(rows, key=lambda row: row.stamp)

    def put(self, facet_key: FacetKey, rows: list[_Row], one: _Observed) -> None:
        """One observation into the rows of its facet."""
        new = _Row(one.stamp, one.said.content, one.said.changes is not None, one.said.payload)
        place = bisect_right([row.stamp for row in rows], one.stamp)
        holding = rows[place - 1] if place else None
        following = rows[place] if place < len(rows) else None
        if holding is not None and (holding.content == new.content or holding.stamp == new.stamp):
            return
        resumed = None
        if holding is not None:
            resumed = self.first_repeat(facet_key, one.stamp, following.stamp if following else None)
        rows.insert(place, new)
        if resumed is not None and holding is not None:
            rows.insert(place + 1, _Row(resumed, holding.content, holding.understood, holding.payload))
        elif following is not None and following.content == new.content:
            del rows[place + 1]

    def first_repeat(self, facet_key: FacetKey, after: Stamp, before: Stamp | None) -> Stamp | None:
        """The first event of the log between two stamps that carried this facet."""
        subject = facet_key.subject_id
        if facet_key.scope is Scope.JOB:
            whose = log.of_subject(subject, after.at, before.at if before else None)
        else:
            said = sayings(lambda said: (said.dataset_id == subject, said.last_at >= after.at)).subquery()
            whose = log_entry.c.activity_id.in_(select(said.c.activity_id))
        stamp = tuple_(log_entry.c.event_time, log_entry.c.digest_key)
        between = and_(
            whose,
            log_entry.c.seq < self.first_seq,
            # What the graph could not hold is no repeat of anything in it.
            log_entry.c.failure.is_(None),
            # The plain comparison is what the index serves; the pair decides among equals.
            log_entry.c.event_time >= after.at,
            or_(log_entry.c.event_time > after.at, log_entry.c.digest_key > after.tie),
        )
        if before is not None:
            between = and_(between, log_entry.c.event_time <= before.at, stamp < tuple_(before.at, before.tie))
        found = select(log_entry.c.seq).where(between).order_by(log_entry.c.event_time, log_entry.c.digest_key)
        for (seq,) in self.connection.execute(found).all():
            raw = bodies.read(self.connection, seq)
            if raw is None:
                continue
            projection = self.reproject(raw)
            if any(seen.key == facet_key for seen in projection.facets):
                return projection.stamp
        return None

    def replace(self, facet_key: FacetKey, name_key: int, before: list[_Row], after: list[_Row]) -> None:
        """Note the difference between two lists of rows, each holding until the next."""
        old, new = _intervals(before), _intervals(after)
        own = (facet_key.subject_id, int(facet_key.scope), name_key)
        self.gone += [(*own, row.stamp.at, row.stamp.tie) for row in old if row not in new]
        self.new += [
            {
                "subject_id": own[0], "scope": own[1], "name_key": own[2], "valid_from": row.stamp.at,
                "tie": row.stamp.tie, "valid_to": until, "name": storable(facet_key.name),
                "content_key": row.content, "understood": int(row.understood), "payload": row.payload,
            }
            for row, until in new.items()
            if old.get(row) != until
        ]  # fmt: skip

    def flush(self) -> None:
        """Write what was noted."""
        delete_keys(self.connection, facet, self.gone)
        upsert(self.connection, facet, self.new)


def _intervals(rows: list[_Row]) -> dict[_Row, int]:
    ends = [*(row.stamp.at for row in rows[1:]), FOREVER]
    return dict(zip(rows, ends, strict=False))


def _follow(connection: Write, latest: dict[FacetKey, FacetSaid]) -> set[int]:
    """Bring the columns and rows that follow from current facets up to date."""
    retyped: set[int] = set()
    tags: dict[int, FacetSaid] = {}
    owners: dict[int, FacetSaid] = {}
    values: dict[Scope, dict[int, dict[str, Any]]] = {Scope.JOB: {}, Scope.DATASET: {}}
    for facet_key, seen in latest.items():
        if (facet_key.scope, facet_key.name) not in _CURRENT:
            continue
        subject = facet_key.subject_id
        changes = seen.changes or ()
        match facet_key.name:
            case "tags":
                tags[subject] = seen
            case "ownership":
                owners[subject] = seen
            case "documentation":
                said = next((c for c in changes if isinstance(c, Described)), None)
                _note(values, facet_key, description=said.text if said else None)
            case "jobType":
                job_type = next((c for c in changes if isinstance(c, JobTyped)), JobTyped(None, None, None))
                _note(
                    values,
                    facet_key,
                    processing_type=job_type.processing_type,
                    integration=job_type.integration,
                    type=job_type.job_type,
                )
            case _:
                typed = next((c for c in changes if isinstance(c, DatasetTyped)), None)
                _note(values, facet_key, type=typed.type if typed else None, sub_type=typed.sub_type if typed else None)
    for table, scope in ((job, Scope.JOB), (dataset, Scope.DATASET)):
        changed = values[scope]
        rows = by_ids(connection, table, table.c.id, changed)
        for row in rows:
            before = getattr(row, "processing_type", None)
            if (before == STREAMING) != (changed[row.id].get("processing_type", before) == STREAMING):
                retyped.add(row.id)
        upsert(connection, table, [{**row._mapping, **changed[row.id]} for row in rows])  # noqa: SLF001 - public name
    _replace_tags(connection, tags)
    _replace_owners(connection, owners)
    return retyped


def _note(values: dict[Scope, dict[int, dict[str, Any]]], facet_key: FacetKey, **said: str | None) -> None:
    clean = {name: None if text is None else storable(text) for name, text in said.items()}
    values[facet_key.scope].setdefault(facet_key.subject_id, {}).update(clean)


def _replace_tags(connection: Write, seen: dict[int, FacetSaid]) -> None:
    if not seen:
        return
    connection.execute(tag.delete().where(any_of(connection, tag.c.subject_id, seen)))
    rows = []
    for subject, one in seen.items():
        said = [t for change in one.changes or () if isinstance(change, Tagged) for t in change.tags]
        for position, t in enumerate(said):
            rows.append(
                {
                    "subject_id": subject, "position": position, "tag_key": key("tag", t.key),
                    "key": storable(t.key), "value": storable(t.value),
                    "source": None if t.source is None else storable(t.source),
                    "field": None if t.field is None else storable(t.field),
                }
            )  # fmt: skip
    insert(connection, tag, rows)


def _replace_owners(connection: Write, seen: dict[int, FacetSaid]) -> None:
    if not seen:
        return
    connection.execute(ownership.delete().where(any_of(connection, ownership.c.subject_id, seen)))
    rows = []
    for subject, one in seen.items():
        said = [o for change in one.changes or () if isinstance(change, Owned) for o in change.owners]
        for position, o in enumerate(said):
            rows.append(
                {
                    "subject_id": subject, "position": position, "owner_key": key("owner", o.name),
                    "name": storable(o.name), "type": None if o.type is None else storable(o.type),
                }
            )  # fmt: skip
    insert(connection, ownership, rows)
