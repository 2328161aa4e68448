"""Questions about lineage as a whole: paths, impact, root candidates, orphans, loops, differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import strawberry

from catalog.api.graphql.connections import Connection
from catalog.api.graphql.context import Info, Reader
from catalog.api.graphql.enums import EntityKind, RootCause
from catalog.api.graphql.scalars import DateTime
from catalog.api.graphql.types import parts
from catalog.api.graphql.types.lineage import LineageEdge, LineageNode, Things
from catalog.api.graphql.types.moments import PRESENT, View
from catalog.api.graphql.types.node import Node
from catalog.domain import lineage
from catalog.domain.differences import ChangedEdge, Difference
from catalog.domain.timeline import Window
from catalog.facets import understood
from catalog.store import causes, questions
from catalog.store.impact import Impact
from catalog.store.read import as_of
from catalog.store.read.orphans import Orphan as OrphanRow


@dataclass(slots=True)
class Shown:
    """Nodes and edges as clients see them, all of one answer, so that what they name is read at once."""

    things: Things

    @classmethod
    def of(cls, reader: Reader, window: Window) -> Self:
        """Nothing is shown yet; `window` is the time that the answer is about, `reader` what made it."""
        return cls(Things(reader, window))

    def nodes(self, found: Iterable[lineage.LineageNode]) -> list[LineageNode]:
        """Nodes."""
        return [LineageNode.of(node, self.things) for node in found]

    def edges(self, found: Iterable[lineage.LineageEdge], nodes: Iterable[LineageNode]) -> list[LineageEdge]:
        """Edges; `nodes` has the ends of all of them."""
        ids = {node.key: node.id for node in nodes}
        return [LineageEdge.of(edge, ids, self.things) for edge in found]


@strawberry.type(description="A way that data takes from one thing to another, by none twice.")
class LineagePath:
    """A path."""

    nodes: list[LineageNode] = strawberry.field(
        description="What it comes by, the start first; their `depth` is the number of hops from there. Where it goes "
        "on from a whole dataset after it came to a column, or the other way round, both are here."
    )
    edges: list[LineageEdge] = strawberry.field(
        description="The edges of every hop, in the order of the hops; of one hop several, where several jobs do it."
    )
    length: int = strawberry.field(description="How many hops it has.")
    masked: bool = strawberry.field(description="Whether on one hop at least every edge hides the value.")

    @classmethod
    def of(cls, path: questions.Path, shown: Shown) -> Self:
        """From a record."""
        nodes = shown.nodes(path.nodes)
        return cls(nodes=nodes, edges=shown.edges(path.edges, nodes), length=path.length, masked=path.masked)


@strawberry.type(description="Paths, and whether these are all.")
class PathSearch:
    """Paths with how complete they are."""

    paths: list[LineagePath] = strawberry.field(description="The paths, the shortest first.")
    truncated: bool = strawberry.field(description="Whether there may be more than these.")
    truncated_by: str | None = strawberry.field(
        description="What cut it: `first`, then these are the shortest; or maxNodes, maxEdges, maxSteps, then there "
        "may be shorter ones that were not found."
    )

    @classmethod
    def of(cls, found: questions.Paths, shown: Shown) -> Self:
        """From a record."""
        paths = [LineagePath.of(path, shown) for path in found.paths]
        return cls(paths=paths, truncated=found.truncated_by is not None, truncated_by=found.truncated_by)


@strawberry.type(description="How many things there are of a kind.")
class KindCount:
    """A count."""

    kind: EntityKind = strawberry.field(description="The kind.")
    count: int = strawberry.field(description="How many.")


@strawberry.type(description="How many things there are so many hops away.")
class DepthCount:
    """A count."""

    depth: int = strawberry.field(description="Hops from the start: negative upstream.")
    count: int = strawberry.field(description="How many.")


@strawberry.type(description="How many things have a namespace, an owner or a tag.")
class NamedCount:
    """A count."""

    name: str = strawberry.field(description="The namespace, the owner, or the tag as `key` or `key=value`.")
    count: int = strawberry.field(description="How many.")


@strawberry.type(name="Impact", description="What lies beyond some things, counted.")
class ImpactCounts:
    """The counts."""

    total: int = strawberry.field(description="How many things there are, those it begins with not counted.")
    by_kind: list[KindCount] = strawberry.field(description="By kind, the most first.")
    by_depth: list[DepthCount] = strawberry.field(description="By distance, the nearest first.")
    by_namespace: list[NamedCount] = strawberry.field(description="By namespace, the most first.")
    by_owner: list[NamedCount] = strawberry.field(
        description="By owner, the most first: datasets and jobs count for each owner of then, columns for those "
        "of their dataset."
    )
    by_tag: list[NamedCount] = strawberry.field(
        description="By tag, the most first: things count for each tag of then on the whole, columns for their own."
    )
    without_owner: int = strawberry.field(description="How many nobody answers for.")
    truncated: bool = strawberry.field(description="Whether there is more than was counted.")
    truncated_by: str | None = strawberry.field(
        description="The limit that cut it: maxNodes, maxEdges; maxCounted: a list has its 1,000 largest counts only."
    )

    @classmethod
    def of(cls, found: Impact) -> Self:
        """From a record."""
        return cls(
            total=found.total,
            by_kind=[KindCount(kind=kind, count=count) for kind, count in found.by_kind],
            by_depth=[DepthCount(depth=depth, count=count) for depth, count in found.by_depth],
            by_namespace=_named(found.by_namespace),
            by_owner=_named(found.by_owner),
            by_tag=_named(found.by_tag),
            without_owner=found.without_owner,
            truncated=found.truncated_by is not None,
            truncated_by=found.truncated_by,
        )


def _named(counts: Iterable[tuple[str, int]]) -> list[NamedCount]:
    return [NamedCount(name=name, count=count) for name, count in counts]


@strawberry.type(description="Something upstream that may explain a failure: a fact, with its evidence.")
class RootCandidate:
    """A candidate."""

    node: LineageNode = strawberry.field(description="The job or dataset it is about.")
    reason: RootCause = strawberry.field(description="What is known of it.")
    distance: int = strawberry.field(
        description="Hops between jobs and datasets from what failed; 0: it is part of it."
    )
    at: DateTime = strawberry.field(description="When that was: the run ended or began, the facet was said, the write.")
    detail: str = strawberry.field(description="The fact in words.")
    facet: parts.Facet | None = strawberry.field(description="The facet that says so, where one does.")
    things: strawberry.Private[Things]
    run_key: strawberry.Private[int | None]

    @classmethod
    def of(cls, found: causes.Candidate, shown: Shown) -> Self:
        """From a record."""
        (node,) = shown.nodes([found.node])
        shown.things.note(EntityKind.RUN, found.run_id)
        return cls(
            node=node,
            reason=found.reason,
            distance=found.distance,
            at=DateTime(found.at),
            detail=found.detail,
            facet=None if found.facet is None else parts.Facet.of(found.facet),
            things=shown.things,
            run_key=found.run_id,
        )

    @strawberry.field(description="The run that failed, had not ended, checked the assertions, or wrote last.")
    def run(self) -> types.run.Run | None:
        """The run."""
        return self.things.run(self.run_key)


@strawberry.type(description="What may explain a failure.")
class RootCandidates:
    """Candidates with how complete they are."""

    candidates: list[RootCandidate] = strawberry.field(
        description="What failed comes first, then what changed or did not come; of each the nearest first. Empty: "
        "nothing upstream is known to have gone otherwise than before."
    )
    moment: DateTime = strawberry.field(description="The moment of the failure, as it was given or is known.")
    since: DateTime = strawberry.field(description="How far back was looked.")
    truncated: bool = strawberry.field(description="Whether there may be more.")
    truncated_by: str | None = strawberry.field(
        description="The limit that cut it: first, maxNodes, maxEdges, maxRuns."
    )

    @classmethod
    def of(cls, found: causes.Candidates, most: int, shown: Shown) -> Self:
        """From a record; `most` candidates at most."""
        cut = found.truncated_by or ("first" if len(found.candidates) > most else None)
        return cls(
            candidates=[RootCandidate.of(one, shown) for one in found.candidates[:most]],
            moment=DateTime(found.moment),
            since=DateTime(found.since),
            truncated=cut is not None,
            truncated_by=cut,
        )


@strawberry.type(description="A dataset, model or job without lineage.")
class Orphan:
    """An orphan."""

    key: strawberry.Private[int]
    kind: EntityKind = strawberry.field(description="What it is.")
    namespace: str = strawberry.field(description="Its namespace.")
    name: str = strawberry.field(description="Its name.")
    view: strawberry.Private[View] = PRESENT

    @classmethod
    def of(cls, row: OrphanRow, view: View) -> Self:
        """From a row; `view` is how it was read, as the thing itself will be."""
        return cls(key=row.id, kind=row.kind, namespace=row.namespace, name=row.name, view=view)

    @strawberry.field(description="The thing itself.")
    async def entity(self, info: Info) -> Node | None:
        """The dataset or job."""
        if self.kind is EntityKind.JOB:
            job = await self.view.load(info, as_of.jobs, self.key, self.view.as_of, understood)
            return None if job is None else types.job.Job.of(job, self.view)
        dataset = await self.view.load(info, as_of.datasets, self.key, self.view.as_of, understood)
        return None if dataset is None else types.dataset.Dataset.of(dataset, self.view)


@strawberry.type(description="A page of what has no lineage.")
class OrphanConnection(Connection[Orphan]):
    """Relay's connection."""


@strawberry.type(description="Things that all lead to each other: data comes back to where it was.")
class LineageCycle:
    """A loop."""

    nodes: list[LineageNode] = strawberry.field(description="The things; one alone has an edge to itself.")
    edges: list[LineageEdge] = strawberry.field(description="The edges between them.")


@strawberry.type(description="Loops, and whether these are all.")
class LineageCycles:
    """Loops with how complete they are."""

    cycles: list[LineageCycle] = strawberry.field(description="The loops, the largest first; no thing is in two.")
    truncated: bool = strawberry.field(description="Whether there may be more, or larger ones.")
    truncated_by: str | None = strawberry.field(
        description="The limit that cut it: maxNodes, maxEdges, maxCycles; maxRoots: the namespace has more datasets."
    )

    @classmethod
    def of(cls, found: questions.Loops, shown: Shown) -> Self:
        """From a record."""
        cycles = []
        for loop in found.loops:
            nodes = shown.nodes(loop.nodes)
            cycles.append(LineageCycle(nodes=nodes, edges=shown.edges(loop.edges, nodes)))
        return cls(cycles=cycles, truncated=found.truncated_by is not None, truncated_by=found.truncated_by)


@strawberry.type(description="A thing that is in both answers, but not as far away, or shown under another name.")
class MovedNode:
    """A node with another depth or name."""

    before: LineageNode = strawberry.field(description="As it was.")
    after: LineageNode = strawberry.field(description="As it is then.")


@strawberry.type(description="An edge with the same ends that is not the same any more.")
class ChangedLineageEdge:
    """An edge before and after."""

    before: LineageEdge = strawberry.field(description="As it was.")
    after: LineageEdge = strawberry.field(description="As it is then.")
    changed: list[str] = strawberry.field(
        description="What differs: `job`, `derivation`, `transformations`, `masked`. When an edge held and which run "
        "confirmed it are no change."
    )

    @classmethod
    def of(cls, change: ChangedEdge, nodes: Sequence[LineageNode], old: Shown, new: Shown) -> Self:
        """From a record."""
        (before,), (after,) = old.edges([change.before], nodes), new.edges([change.after], nodes)
        return cls(before=before, after=after, changed=list(change.what))


@strawberry.type(description="How many nodes and edges an answer has, and whether it is whole.")
class LineageExtent:
    """The size of an answer."""

    node_count: int = strawberry.field(description="How many nodes.")
    edge_count: int = strawberry.field(description="How many edges.")
    truncated: bool = strawberry.field(description="Whether there is more.")
    truncated_by: str | None = strawberry.field(description="The limit that cut it: maxNodes, maxEdges …")

    @classmethod
    def of(cls, found: lineage.Lineage) -> Self:
        """From an answer."""
        return cls(
            node_count=len(found.nodes),
            edge_count=len(found.edges),
            truncated=found.truncated,
            truncated_by=found.truncated_by,
        )


@strawberry.type(description="What the lineage of one moment has that that of another has not.")
class LineageDiff:
    """A difference."""

    nodes_added: list[LineageNode] = strawberry.field(description="Nodes only the later answer has.")
    nodes_removed: list[LineageNode] = strawberry.field(description="Nodes only the earlier answer has.")
    nodes_changed: list[MovedNode] = strawberry.field(
        description="Nodes of both that have another `depth`, or that are shown under another name."
    )
    edges_added: list[LineageEdge] = strawberry.field(description="Edges only the later answer has.")
    edges_removed: list[LineageEdge] = strawberry.field(description="Edges only the earlier answer has.")
    edges_changed: list[ChangedLineageEdge] = strawberry.field(description="Edges of both that are not the same.")
    added: int = strawberry.field(description="How many nodes and edges were added.")
    removed: int = strawberry.field(description="How many nodes and edges were removed.")
    changed: int = strawberry.field(description="How many nodes and edges were changed.")
    before: LineageExtent = strawberry.field(description="The earlier answer.")
    after: LineageExtent = strawberry.field(description="The later answer.")
    truncated: bool = strawberry.field(
        description="Whether one of the answers was cut: then what seems to have come or gone may only be out of sight."
    )
    truncated_by: str | None = strawberry.field(description="The limit that cut the earlier, or else the later one.")

    @classmethod
    def of(cls, earlier: lineage.Lineage, later: lineage.Lineage, what: Difference, old: Shown, new: Shown) -> Self:
        """From records; what is known of the earlier moment shows what the earlier answer has."""
        nodes = [*old.nodes(earlier.nodes), *new.nodes(later.nodes)]
        return cls(
            nodes_added=new.nodes(what.nodes_added),
            nodes_removed=old.nodes(what.nodes_removed),
            nodes_changed=[
                MovedNode(before=before, after=after)
                for one, other in what.nodes_changed
                for before, after in [(*old.nodes([one]), *new.nodes([other]))]
            ],
            edges_added=new.edges(what.edges_added, nodes),
            edges_removed=old.edges(what.edges_removed, nodes),
            edges_changed=[ChangedLineageEdge.of(change, nodes, old, new) for change in what.edges_changed],
            added=len(what.nodes_added) + len(what.edges_added),
            removed=len(what.nodes_removed) + len(what.edges_removed),
            changed=len(what.nodes_changed) + len(what.edges_changed),
            before=LineageExtent.of(earlier),
            after=LineageExtent.of(later),
            truncated=earlier.truncated or later.truncated,
            truncated_by=earlier.truncated_by or later.truncated_by,
        )


from catalog.api.graphql import types  # noqa: E402 - behind the classes: see the package
