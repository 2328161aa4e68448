"""Questions about lineage as a whole: a group of root fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import time_ns
from typing import Annotated, Final

import strawberry

from catalog.api.graphql.arguments import (
    AsOf,
    Cumulative,
    Depth,
    During,
    EntityRef,
    IncludeIndirect,
    LineageAsOf,
    MaxNodes,
    RecordedAsOf,
    WalkDirection,
    WalkGranularity,
)
from catalog.api.graphql.connections import After, First, connection_of, page_of
from catalog.api.graphql.context import Info
from catalog.api.graphql.enums import Direction, EntityKind, Granularity
from catalog.api.graphql.errors import UserError
from catalog.api.graphql.scalars import DateTime
from catalog.api.graphql.types.lineage import Walk, When, question_of
from catalog.api.graphql.types.moments import View
from catalog.api.graphql.types.parts import columns_of
from catalog.api.graphql.types.questions import (
    ImpactCounts,
    LineageCycles,
    LineageDiff,
    LineagePath,
    Orphan,
    OrphanConnection,
    PathSearch,
    RootCandidates,
    Shown,
)
from catalog.domain.differences import difference
from catalog.domain.lineage import Question
from catalog.domain.timeline import Window
from catalog.facets import data_quality_assertions, understood
from catalog.ingest.accept import project_raw
from catalog.store import causes, questions, surroundings
from catalog.store.impact import impact
from catalog.store.lineage import answer
from catalog.store.read import orphans

_HOUR: Final = 3_600_000_000
_LONGEST_WITHIN: Final = 24 * 366 * 100

From = Annotated[EntityRef, strawberry.argument(name="from", description="Where the paths begin.")]
To = Annotated[EntityRef, strawberry.argument(description="Where they end.")]
Several = Annotated[list[EntityRef], strawberry.argument(description="What to begin with.")]
Failed = Annotated[EntityRef, strawberry.argument(description="What failed: a run, a job, or a dataset.")]
FailedAt = Annotated[
    DateTime | None,
    strawberry.argument(
        description="When it failed. Left out: the end of the run; of a job that of its latest run; of a dataset when "
        "its quality assertions were last found to fail, else now."
    ),
]
Within = Annotated[int, strawberry.argument(description="How many hours before the failure are looked at.")]
Around = Annotated[list[EntityRef] | None, strawberry.argument(description="Look around these things.")]
InNamespace = Annotated[str | None, strawberry.argument(description="Look around all datasets of this namespace.")]
OnlyIn = Annotated[str | None, strawberry.argument(description="Only what is shown in this namespace.")]
Kinds = Annotated[list[EntityKind] | None, strawberry.argument(description="DATASET, MODEL, JOB; left out: all.")]
Earlier = Annotated[DateTime, strawberry.argument(name="from", description="The earlier moment.")]
Later = Annotated[DateTime | None, strawberry.argument(description="The later moment; left out: now.")]


@strawberry.type
class Questions:
    """Fields of Query."""

    @strawberry.field(
        description="The shortest ways data takes from one thing to another. These are the shortest there are: a "
        "search that was cut is an error here, and `pathSearch` answers what it found."
    )
    def paths(
        self,
        info: Info,
        from_: From,
        to: To,
        *,
        granularity: WalkGranularity = Granularity.DATASET,
        first: First = 10,
        as_of: LineageAsOf = None,
        include_indirect: IncludeIndirect = True,
        recorded_as_of: RecordedAsOf = None,
    ) -> list[LineagePath]:
        """The paths, or why they are not to be had."""
        when = When(as_of, None, None, recorded_as_of)
        found = _paths(info, (from_, to), granularity, first, when, include_indirect=include_indirect)
        if found.truncated_by not in (None, "first"):
            raise UserError(
                f"The search was cut by {found.truncated_by}, so there may be shorter paths than those found. "
                "Ask `pathSearch` for what was found.",
                code="LIMIT_EXCEEDED",
                limit=found.truncated_by,
            )
        return found.paths

    @strawberry.field(description="As `paths`, with whether the search was cut, and by what.")
    def path_search(
        self,
        info: Info,
        from_: From,
        to: To,
        *,
        granularity: WalkGranularity = Granularity.DATASET,
        first: First = 10,
        as_of: LineageAsOf = None,
        include_indirect: IncludeIndirect = True,
        recorded_as_of: RecordedAsOf = None,
    ) -> PathSearch:
        """The paths, with how complete they are."""
        when = When(as_of, None, None, recorded_as_of)
        return _paths(info, (from_, to), granularity, first, when, include_indirect=include_indirect)

    @strawberry.field(
        description="How much lies beyond some things: counts, without the things. It goes as far as the server's "
        "CATALOG_LINEAGE_MAX_NODES allows."
    )
    def impact(
        self,
        info: Info,
        of: Several,
        *,
        direction: WalkDirection = Direction.DOWNSTREAM,
        granularity: WalkGranularity = Granularity.DATASET,
        depth: Depth = None,
        as_of: LineageAsOf = None,
        during: During = None,
        cumulative: Cumulative = False,
        include_indirect: IncludeIndirect = True,
        recorded_as_of: RecordedAsOf = None,
    ) -> ImpactCounts:
        """The counts."""
        how = Walk(direction, granularity, depth, include_indirect, info.context.bounds.max_nodes)
        when = When(as_of, during, cumulative, recorded_as_of)
        asked = _question(info, of, how, when)
        return ImpactCounts.of(when.reader(info, asked).ask(impact, asked))

    @strawberry.field(
        description="What may explain that something failed: upstream of it, or part of it, shortly before."
    )
    def root_candidates(
        self,
        info: Info,
        of: Failed,
        *,
        as_of: FailedAt = None,
        within: Within = 7 * 24,
        depth: Depth = 20,
        first: First = 50,
        recorded_as_of: RecordedAsOf = None,
    ) -> RootCandidates:
        """The candidates."""
        if not 0 < within <= _LONGEST_WITHIN:
            raise UserError(f"`within` is {within} hours. Ask for 1 or more, a hundred years at most.")
        how = Walk(Direction.UPSTREAM, Granularity.JOB, depth, True, info.context.bounds.max_nodes)
        when = When(None, None, None, recorded_as_of)
        bounds = _question(info, [of], how, when)
        now = time_ns() // 1_000 if recorded_as_of is None else recorded_as_of
        asked = causes.Asked(
            bounds.of[0], as_of, now, within * _HOUR, bounds.depth, bounds.max_nodes, bounds.max_edges, bounds.hidden
        )
        read = causes.Readers(columns_of, data_quality_assertions.failed, project_raw, understood)
        # Whether there are still deeper runs is said too.
        around = replace(surroundings.Around.lineage(bounds), parts=causes.DEEPEST + 1)
        reader = when.reader(info, around)
        found = reader.ask(causes.candidates, asked, read)
        shown = Shown.of(reader, Window(found.moment, found.moment))
        return RootCandidates.of(found, page_of(info, first, None).first, shown)

    @strawberry.field(
        description="What has no lineage: datasets nobody reads or writes, jobs that neither read nor write and have "
        "no parts that might; by kind and name."
    )
    def orphans(
        self,
        info: Info,
        kinds: Kinds = None,
        first: First = 50,
        after: After = None,
        as_of: AsOf = None,
        *,
        namespace: OnlyIn = None,
        recorded_as_of: RecordedAsOf = None,
    ) -> OrphanConnection:
        """A page of them."""
        when = When(as_of, None, None, recorded_as_of)
        these = (EntityKind.DATASET, EntityKind.MODEL, EntityKind.JOB) if kinds is None else tuple(kinds)
        wanted = orphans.Wanted(these, when.window(), namespace, understood)
        around = None if namespace is None else surroundings.Around(namespace=namespace, parts=1)
        reader = when.reader(info, around)
        view = View(as_of, None if recorded_as_of is None else reader)
        found = reader.ask(orphans.page, wanted, page_of(info, first, after))

        async def counting() -> int:
            return reader.ask(orphans.count, wanted)

        page = connection_of(found, lambda row: Orphan.of(row, view), after, counting)
        return OrphanConnection(edges=page.edges, page_info=page.page_info, counting=page.counting)

    @strawberry.field(
        description="Where data comes back to where it was: loops in the lineage around things or in a namespace, such "
        "as from a model to what it is trained with."
    )
    def cycles(
        self,
        info: Info,
        of: Around = None,
        namespace: InNamespace = None,
        *,
        granularity: WalkGranularity = Granularity.DATASET,
        depth: Depth = None,
        as_of: LineageAsOf = None,
        during: During = None,
        cumulative: Cumulative = False,
        include_indirect: IncludeIndirect = True,
        max_nodes: MaxNodes = 1000,
        recorded_as_of: RecordedAsOf = None,
    ) -> LineageCycles:
        """The loops."""
        if not of and namespace is None:
            raise UserError("Neither `of` nor `namespace`. Say around what to look.")
        how = Walk(Direction.BOTH, granularity, depth, include_indirect, max_nodes)
        when = When(as_of, during, cumulative, recorded_as_of)
        asked = question_of(info, [ref.ref() for ref in of or ()], how, when)
        reader = when.reader(info, replace(surroundings.Around.lineage(asked), namespace=namespace))
        found = reader.ask(questions.cycles, asked.of, namespace, asked)
        return LineageCycles.of(found, Shown.of(reader, asked.window))

    @strawberry.field(description="What the lineage of one moment has that that of another has not.")
    def lineage_diff(
        self,
        info: Info,
        of: Several,
        from_: Earlier,
        to: Later = None,
        *,
        direction: WalkDirection = Direction.BOTH,
        granularity: WalkGranularity = Granularity.DATASET,
        depth: Depth = 5,
        include_indirect: IncludeIndirect = True,
        max_nodes: MaxNodes = 1000,
        from_recorded: RecordedAsOf = None,
        to_recorded: RecordedAsOf = None,
    ) -> LineageDiff:
        """The difference."""
        how = Walk(direction, granularity, depth, include_indirect, max_nodes)
        moments = When(from_, None, None, from_recorded), When(to, None, None, to_recorded)
        asked = [_question(info, of, how, when) for when in moments]
        readers = [when.reader(info, each) for when, each in zip(moments, asked, strict=True)]
        before, after = (reader.ask(answer, each) for reader, each in zip(readers, asked, strict=True))
        # What was known of names differs between what is known now and what was recorded by some day.
        known = zip(readers[::-1], (before, after), strict=True) if readers[0] is not readers[1] else ()
        same = [pair for reader, found in known for pair in reader.ask(questions.ids_here, found)]
        shown = (Shown.of(reader, each.window) for reader, each in zip(readers, asked, strict=True))
        return LineageDiff.of(before, after, difference(before, after, same), *shown)


def _paths(
    info: Info,
    ends: tuple[EntityRef, EntityRef],
    granularity: Granularity,
    first: int | None,
    when: When,
    *,
    include_indirect: bool | None,
) -> PathSearch:
    how = Walk(Direction.UPSTREAM, granularity, None, include_indirect, info.context.bounds.max_nodes)
    asked = _question(info, ends, how, when)
    reader, (start, goal) = when.reader(info, asked), asked.of
    found = reader.ask(questions.paths, start, goal, page_of(info, first, None).first, asked)
    return PathSearch.of(found, Shown.of(reader, asked.window))


def _question(info: Info, of: Sequence[EntityRef], how: Walk, when: When) -> Question:
    if not of:
        raise UserError("`of` is empty. Name at least one thing to begin with.")
    return question_of(info, [ref.ref() for ref in of], how, when)
