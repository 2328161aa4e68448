"""Since when the edges of an answer have held without a break, and who confirmed them last.

A row of an edge table begins anew wherever anything about it changes: in which group its job reads and writes, how
values change, under which name. The edge that people see has held all the while. So of edges that may have held before
their rows began, all there ever was is read; of most, one statement tells that there is nothing before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Select, Table, exists, func, select

from catalog.domain.ids import field_id
from catalog.domain.lineage import Question
from catalog.domain.timeline import BEGINNING, Interval, Window, joined, without
from catalog.domain.words import Derivation, EntityKind, Granularity
from catalog.store.dialect import any_of, listed
from catalog.store.hop import NO_JOB, EdgeKey, dataset_of
from catalog.store.sayers import Asked, last_begun, last_completed
from catalog.store.steps import Steps
from catalog.store.tables import declaration, edge, field_edge

_DECLARED = int(Derivation.DECLARED)
Spans = Mapping[EdgeKey, tuple[int, int]]
"""Since when and until when (excluded) each edge holds, as its rows in the window of the question say."""


class Seen(NamedTuple):
    """Since when an edge holds, when it was last confirmed, and by which run, if by one."""

    first: int
    last: int
    run: int | None


@dataclass(frozen=True, slots=True)
class Sight:
    """What the edges of one answer are looked up by."""

    steps: Steps
    question: Question

    def of(self, spans: Spans) -> dict[EdgeKey, Seen]:
        """When each of these edges was seen first and last."""
        question, until = self.question, self.question.window.last
        if question.first_seen and question.granularity is not Granularity.RUN:
            spans = {**spans, **dict(self._whole(spans))}
        if not question.last_runs:
            return {key: Seen(start, start, None) for key, (start, _) in spans.items()}
        moments = {key: min(end - 1, until) for key, (_, end) in spans.items()}
        said = {key: at for key, at in moments.items() if key[3] == _DECLARED}
        declared = self._declared(said) if said else {}
        done = {key: (key[2], at) for key, at in moments.items() if key[2] != NO_JOB and key[3] != _DECLARED}
        completed = last_completed(self.steps.connection, set(done.values())) if done else {}
        begun = {key: self._asked(key, at) for key, (_, at) in done.items() if done[key] not in completed}
        running = last_begun(self.steps.connection, self.steps.living.names, begun.values()) if begun else {}
        seen = {}
        for key, (start, _) in spans.items():
            if key in done:
                at, run = completed.get(done[key]) or running.get(begun[key], (start, None))
                seen[key] = Seen(start, max(start, at), run)
            else:
                seen[key] = Seen(start, max(declared.get(key, start), start), None)
        return seen

    def _whole(self, spans: Spans) -> Iterator[tuple[EdgeKey, tuple[int, int]]]:
        """Edges that have held since before their rows began, or not as long as those, as an end came or went."""
        doubtful = self._doubtful(spans)
        if not doubtful:
            return
        window = self.question.window
        wide = self.steps.over(Window(BEGINNING, window.last))
        for key, pieces in _pieces(wide, doubtful).items():
            source, target = (dataset_of(wide.columns, end) for end in key[:2])
            gone = wide.living.holes(source, target, key[2], key[3]) if wide.living.needed else []
            held = [piece for piece in without(joined(pieces), gone) if window.holds(*piece)]
            if held:
                yield key, (held[0].start, held[-1].end)

    def _doubtful(self, spans: Spans) -> list[EdgeKey]:
        """Edges of which there are rows before those that were found, or an end that was ever dropped."""
        steps = self.steps
        of_runs = {id for id, kind in steps.kinds.items() if kind is EntityKind.RUN}
        keys = [key for key in spans if key[0] not in of_runs and key[1] not in of_runs]
        sure = {key for key in keys if key in steps.passed_on}
        if steps.living.needed:
            dead = steps.living.dead({dataset_of(steps.columns, end) for key in keys for end in key[:2]})
            sure |= {key for key in keys if any(dataset_of(steps.columns, end) in dead for end in key[:2])}
        rest = [key for key in keys if key not in sure]
        older = self._older(rest, spans)
        return [*sure, *self._preceded([key for key in rest if key[2] == NO_JOB or key[2] in older], spans)]

    def _older(self, keys: Iterable[EdgeKey], spans: Spans) -> set[int]:
        """The jobs of which there is more than what these edges began with. Of most there is not."""
        latest: dict[int, int] = {}
        for key in keys:
            latest[key[2]] = max(spans[key][0], latest.get(key[2], BEGINNING))
        latest.pop(NO_JOB, None)
        if not latest:
            return set()
        wanted = listed(self.steps.connection, ("owner", "at"), list(latest.items()))
        before = (self._table.c.owner_id == wanted.c.owner, self._table.c.valid_from < wanted.c.at)
        return set(self.steps.connection.scalars(select(wanted.c.owner).where(exists().where(*before))))

    def _preceded(self, keys: list[EdgeKey], spans: Spans) -> Iterator[EdgeKey]:
        """Edges of which an end has a row of the same owner that held just before."""
        for which, column in enumerate(("source_id", "target_id")):
            asked = [
                (place, owner, id, spans[key][0])
                for place, key in enumerate(keys)
                for owner in self._owners(key)
                for id in self._ids(key[which])
            ]
            if asked:
                found = self.steps.connection.scalars(self._before(asked, column))
                yield from (keys[place] for place in found)

    def _before(self, asked: Sequence[tuple[int, ...]], column: str) -> Select[Any]:
        table = self._table
        wanted = listed(self.steps.connection, ("place", "owner", "id", "at"), asked)
        held = (table.c.valid_from < wanted.c.at, table.c.valid_to >= wanted.c.at)
        same = (table.c.owner_id == wanted.c.owner, table.c[column] == wanted.c.id)
        return select(wanted.c.place).distinct().join(table, same[0] & same[1]).where(*held)

    @property
    def _table(self) -> Table:
        return field_edge if self.question.granularity is Granularity.COLUMN else edge

    def _owners(self, key: EdgeKey) -> list[int]:
        """Whose rows say an edge: a job, or a dataset under one of its names."""
        return [key[2]] if key[2] != NO_JOB else self._names(dataset_of(self.steps.columns, key[1]))

    def _ids(self, end: int) -> list[int]:
        """An end of an edge as rows may have it."""
        column = self.steps.columns.get(end)
        if column is None:
            return [end] if end in self.steps.kinds else self._names(end)
        return [field_id(name, column.name) for name in self._names(column.dataset)]

    def _names(self, dataset: int) -> list[int]:
        return self.steps.living.names.of([dataset])

    def _asked(self, key: EdgeKey, at: int) -> Asked:
        ends = (dataset_of(self.steps.columns, end) for end in key[:2])
        return Asked(key[2], at, *(0 if end in self.steps.kinds else end for end in ends))

    def _declared(self, moments: Mapping[EdgeKey, int]) -> dict[EdgeKey, int]:
        """When each of these edges was declared last by its moment: by its job, its dataset, or a person."""
        keys = list(moments)
        manual = self._manual(keys)
        asked = [
            (place, owner, moments[key])
            for place, key in enumerate(keys)
            for owner in (*self._owners(key), *manual.get(key[:3], ()))
        ]
        wanted = listed(self.steps.connection, ("place", "owner", "at"), asked)
        said = (declaration.c.owner_id == wanted.c.owner) & (declaration.c.at <= wanted.c.at)
        latest = select(wanted.c.place, func.max(declaration.c.at)).join(declaration, said).group_by(wanted.c.place)
        return {keys[place]: at for place, at in self.steps.connection.execute(latest)}

    def _manual(self, keys: Iterable[EdgeKey]) -> dict[tuple[int, ...], list[int]]:
        """Whose the rows of edges are that people declared."""
        targets = sorted({id for key in keys for id in self._ids(key[1])})
        table = self._table
        through = select(func.max(edge.c.through_group)).where(edge.c.owner_id == table.c.owner_id).scalar_subquery()
        rows = self.steps.connection.execute(
            select(table.c.owner_id, table.c.source_id, table.c.target_id, through).where(
                any_of(self.steps.connection, table.c.target_id, targets), table.c.owner_id < 0
            )
        )
        shown = {id: end for key in keys for end in key[:2] for id in self._ids(end)}
        owners: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for owner, source, target, job in rows:
            owners[shown.get(source, source), shown[target], job].append(owner)
        return owners


def _pieces(wide: Steps, keys: Collection[EdgeKey]) -> dict[EdgeKey, list[Interval]]:
    """All the time during which these edges have held."""
    frontiers: dict[bool, set[int]] = {True: set(), False: set()}
    for source, target, *_ in keys:
        # What a job did with its columns is found from the job alone, and not from one that was only reached.
        jobs = {end for end in (source, target) if wide.kinds.get(end) is EntityKind.JOB}
        near = next((end for end in (*jobs, source, target) if wide.leaves(end)), target)
        frontiers[near == target].add(near)
    wanted = set(keys)
    pieces: dict[EdgeKey, list[Interval]] = defaultdict(list)
    for found in wide.step({up: sorted(ids) for up, ids in frontiers.items()}).values():
        for hop in found.hops:
            if hop[:4] in wanted:
                pieces[hop[:4]].append(Interval(*hop[4:]))
        for one in found.products:
            sources, targets = set(one.sources), set(one.targets)
            for key in wanted:
                if key[2:] == (one.job, one.derivation) and key[0] in sources and key[1] in targets:
                    pieces[key].append(Interval(one.start, one.end))
    return pieces
