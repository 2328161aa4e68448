"""Datasets, and what runs made of them."""

from __future__ import annotations

from asyncio import gather
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Self

import strawberry

from catalog.api.graphql.arguments import (
    AsOf,
    Cumulative,
    Depth,
    During,
    FacetName,
    IncludeIndirect,
    LineageAsOf,
    MaxNodes,
    RecordedAsOf,
    WalkDirection,
    WalkGranularity,
)
from catalog.api.graphql.connections import After, Connection, First
from catalog.api.graphql.context import Info
from catalog.api.graphql.enums import Direction, EntityKind, Granularity, Lifecycle
from catalog.api.graphql.identity import conflicts
from catalog.api.graphql.scalars import BigInt, DateTime, big, moment
from catalog.api.graphql.types import parts
from catalog.api.graphql.types.moments import PRESENT, View
from catalog.api.graphql.types.node import Node, global_id
from catalog.domain.changes import Column
from catalog.domain.contents import content_id
from catalog.domain.lineage import EntityRef
from catalog.domain.words import Node as NodeKind
from catalog.facets import understood
from catalog.store.read import as_of as then
from catalog.store.read import datasets, facets, identity, jobs, origins, same_work, versions
from catalog.store.read.datasets import DatasetRow
from catalog.store.read.facets import FacetRow
from catalog.store.read.subjects import TagRow
from catalog.store.read.versions import DatasetVersionRow


@strawberry.type(description="A dataset: a table, file, topic, view or model. It may have several names.")
class Dataset(Node):
    """A dataset."""

    key: strawberry.Private[int]
    namespace: str = strawberry.field(description="The namespace of the name it is shown under.")
    name: str = strawberry.field(description="The name it is shown under.")
    type: str | None = strawberry.field(description="What it is, if its producer says: TABLE, VIEW, FILE …")
    sub_type: str | None = strawberry.field(description="More exactly what it is.")
    description: str | None = strawberry.field(description="What is in it, in its producer's words.")
    created_at: DateTime = strawberry.field(description="The time of the first event that names it.")
    view: strawberry.Private[View] = PRESENT

    @classmethod
    def of(cls, row: DatasetRow, view: View = PRESENT) -> Self:
        """From a row; `view` is how it was read, as all that is asked of it will be."""
        return cls(
            id=global_id("Dataset", row.id),
            key=row.id,
            namespace=row.namespace,
            name=row.name,
            type=row.type,
            sub_type=row.sub_type,
            description=row.description,
            created_at=DateTime(row.created_at),
            view=view,
        )

    @strawberry.field(description="The other names it has, by which it is found just as well.")
    async def aliases(self, info: Info) -> list[parts.DatasetAlias]:
        """The names that symlinks join to this one."""
        rows = await self.view.load(info, datasets.aliases, self.key) or ()
        return [parts.DatasetAlias(namespace=row.namespace, name=row.name, type=row.type or None) for row in rows]

    @strawberry.field(description="The renames it went through, the first first: it has all its names at all times.")
    async def renames(self, info: Info) -> list[types.identity.DatasetRename]:
        """How it came by its name."""
        rows = await self.view.load(info, identity.of_datasets, self.key) or ()
        return [types.identity.DatasetRename.of(row) for row in rows]

    @strawberry.field(
        description="Which of its names may be another dataset's, as somebody contradicts what somebody said. Empty: "
        "nobody does."
    )
    async def identity_conflicts(self, info: Info) -> list[types.identity.IdentityConflict]:
        """What there is to doubt."""
        rows = await self.view.load(info, conflicts, self.key) or ()
        return [types.identity.IdentityConflict.of(row) for row in rows]

    @strawberry.field(
        description="Its columns: those of its schema, in the order of that; then, by name, all others that an earlier "
        "schema or lineage ever named (`asOf`: by then), or that a tag is on. Of the others `type`, `description` and "
        "`ordinal` are null, also where an earlier schema said them: see `schemaHistory`."
    )
    async def fields(self, info: Info, as_of: AsOf = None) -> list[parts.Field]:
        """The columns."""
        return await self.columns(info, as_of)

    async def columns(self, info: Info, as_of: DateTime | None) -> list[parts.Field]:
        """See `fields`."""
        held = await self.view.load(info, facets.of_datasets, self.key, self.view.at(as_of), "schema") or ()
        columns = list(parts.columns_of(held[0].payload)) if held else []
        tags = await self._tags(info, as_of)
        named = set(await self.view.load(info, then.columns, self.key, self.view.at(as_of), understood) or ())
        named |= {tag.field for tag in tags if tag.field is not None}
        rest = sorted(named - {column.name for column in columns})
        return parts.fields_of(columns, tags) + parts.fields_of(map(Column, rest), tags, in_schema=False)

    @strawberry.field(
        description="What each run that completed made of it, what events declared, and what is known only as readers "
        "named it; the latest first."
    )
    async def versions(self, info: Info, first: First = 50, after: After = None) -> Connection[DatasetVersion]:
        """A page of versions: those there were at the moment of the answer."""
        view, read, count = self.view, versions.of_datasets, versions.count_of_datasets
        return await view.connected(
            info, read, count, self.key, DatasetVersion.of, at=view.as_of, first=first, after=after
        )

    @strawberry.field(description="The latest version now, or at a moment.")
    async def latest_version(self, info: Info, as_of: AsOf = None) -> DatasetVersion | None:
        """One version."""
        view = replace(self.view, as_of=self.view.at(as_of))
        row = await view.load(info, versions.latest_of_datasets, self.key, view.as_of)
        return None if row is None else DatasetVersion.of(row, view)

    @strawberry.field(description="The distinct schemas it had, the earliest first.")
    async def schema_history(self, info: Info, as_of: AsOf = None) -> list[parts.SchemaVersion]:
        """Schemas with their time; as of a moment, those there had been by then."""
        rows = await self.view.load(info, facets.schemas, self.key) or []
        at = self.view.at(as_of)
        return _schemas([row for row in rows if at is None or row.valid_from <= at], await self._tags(info, as_of))

    @strawberry.field(description="Everything its producers say of it, known to the catalog or not.")
    async def facets(self, info: Info, as_of: AsOf = None) -> list[parts.Facet]:
        """All facets."""
        rows = await self.view.load(info, facets.of_datasets, self.key, self.view.at(as_of)) or ()
        return [parts.Facet.of(row) for row in rows]

    @strawberry.field(description="One facet by its name, if the dataset has it.")
    async def facet(self, info: Info, name: FacetName, as_of: AsOf = None) -> parts.Facet | None:
        """One facet; what is said of the dataset itself goes before what is said of it as input or output."""
        rows = await self.view.load(info, facets.of_datasets, self.key, self.view.at(as_of), name)
        return parts.Facet.of(rows[0]) if rows else None

    @strawberry.field(description="The tags on it; those on its columns are at the columns.")
    async def tags(self, info: Info, as_of: AsOf = None) -> list[parts.Tag]:
        """Tags of the whole dataset."""
        return [parts.Tag.of(row) for row in await self._tags(info, as_of) if row.field is None]

    @strawberry.field(description="Who answers for it.")
    async def owners(self, info: Info, as_of: AsOf = None) -> list[parts.Owner]:
        """Owners."""
        at = self.view.at(as_of)
        rows = await self.view.load(info, then.owners, self.key, NodeKind.DATASET, at, understood) or ()
        return [parts.Owner.of(row) for row in rows]

    @strawberry.field(description="The jobs that write it now.")
    async def producers(self, info: Info) -> list[types.job.Job]:
        """Jobs with an edge into it."""
        return await types.job.load_many(info, await self.view.load(info, jobs.producers, self.key))

    @strawberry.field(description="The jobs that read it now.")
    async def consumers(self, info: Info) -> list[types.job.Job]:
        """Jobs with an edge from it."""
        return await types.job.load_many(info, await self.view.load(info, jobs.consumers, self.key))

    @strawberry.field(
        description="Who states that it, or a column of it, has no source. Empty: nobody does, and that nothing is "
        "known upstream does not mean that there is nothing."
    )
    async def sourceless_by(self, info: Info, as_of: AsOf = None) -> list[types.origins.Sourceless]:
        """Known absences of sources."""
        said = await self.view.load(info, origins.of_datasets, self.key, self.view.window(as_of))
        return [types.origins.Sourceless.of(row) for row in said or ()]

    @strawberry.field(description="The time of the last event that uses it or says something new of it.")
    async def updated_at(self, info: Info) -> DateTime:
        """The last change or use."""
        return DateTime(await self.view.load(info, datasets.updated_at, self.key) or self.created_at)

    @strawberry.field(description="Since when it is gone: dropped and not written again. Null: it is there.")
    async def deleted_at(self, info: Info) -> DateTime | None:
        """The drop that still holds."""
        return moment(await self.view.load(info, datasets.deleted_at, self.key))

    @strawberry.field(description="The lineage of this dataset: see the field of the same name on Query.")
    def lineage(
        self,
        info: Info,
        *,
        direction: WalkDirection = Direction.BOTH,
        granularity: WalkGranularity = Granularity.DATASET,
        depth: Depth = 5,
        as_of: LineageAsOf = None,
        during: During = None,
        cumulative: Cumulative = False,
        include_indirect: IncludeIndirect = True,
        max_nodes: MaxNodes = 1000,
        recorded_as_of: RecordedAsOf = None,
    ) -> types.lineage.Lineage:
        """The walk from here."""
        here = EntityRef(EntityKind.DATASET, self.namespace, self.name)
        when = types.lineage.When(as_of, during, cumulative, recorded_as_of)
        how = types.lineage.Walk(direction, granularity, depth, include_indirect, max_nodes)
        return types.lineage.answer(info, (here,), how, when)

    async def _tags(self, info: Info, as_of: DateTime | None) -> Sequence[TagRow]:
        at = self.view.at(as_of)
        return await self.view.load(info, then.tags, self.key, NodeKind.DATASET, at, understood) or ()


def _schemas(rows: Iterable[FacetRow], tags: Sequence[TagRow]) -> list[parts.SchemaVersion]:
    """Facets that say the same columns in other words are one schema."""
    result: list[parts.SchemaVersion] = []
    last: tuple[Column, ...] | None = None
    for row in rows:
        columns = parts.columns_of(row.payload)
        if columns == last and result[-1].valid_to == row.valid_from:
            result[-1].valid_to = moment(row.valid_to)
            continue
        result.append(
            parts.SchemaVersion(
                fields=parts.fields_of(columns, tags),
                valid_from=DateTime(row.valid_from),
                valid_to=moment(row.valid_to),
                columns=columns,
                before=last,
            )
        )
        last = columns
    return result


_READ = (1,)
"""Ends the id of a version that is known by its readers: the first of them may have made another one."""


@strawberry.type(
    description="What one run made of a dataset, a state that an event declared, or one that readers name."
)
class DatasetVersion(Node):
    """A version of a dataset."""

    row: strawberry.Private[DatasetVersionRow]
    version: str | None = strawberry.field(description="What the storage calls it, such as a snapshot id; if it does.")
    created_at: DateTime = strawberry.field(
        description="When the run ended, or the time of the event; where only readers name it, of the first that did."
    )
    row_count: BigInt | None = strawberry.field(description="How many rows were written.")
    size: BigInt | None = strawberry.field(description="How many bytes were written.")
    file_count: BigInt | None = strawberry.field(description="How many files were written.")
    lifecycle: list[Lifecycle] = strawberry.field(description="What was done to the dataset as a whole.")
    view: strawberry.Private[View] = PRESENT

    @classmethod
    def of(cls, row: DatasetVersionRow, view: View = PRESENT) -> Self:
        """From a row; `view` is how it was read."""
        return cls(
            id=global_id("DatasetVersion", row.named_id, abs(row.activity_id), *(_READ if row.activity_id < 0 else ())),
            row=row,
            version=row.label,
            created_at=DateTime(row.created_at),
            row_count=big(row.rows),
            size=big(row.size),
            file_count=big(row.files),
            lifecycle=list(row.lifecycle),
            view=view,
        )

    @strawberry.field(description="The run that wrote it; null where an event declared it, or only readers name it.")
    async def run(self, info: Info) -> types.run.Run | None:
        """The run."""
        return await types.run.load(info, self.row.run_id, self.view.onward)

    @strawberry.field(
        description="16 hexadecimal digits that say what is in it, as far as anybody told: versions of the dataset "
        "with the same ones differ in nothing that is known. Of a version that the storage calls something it is made "
        "from that; of another from the columns, the counts, the version of the job and `lifecycle`."
    )
    async def content_id(self, info: Info) -> str:
        """The address of the content."""
        at, row = self.row.created_at, self.row
        schemas = await self.view.load(info, facets.schemas, row.dataset_id) or ()
        held = next((s for s in schemas if s.valid_from <= at and (s.valid_to is None or at < s.valid_to)), None)
        columns = () if held is None else parts.columns_of(held.payload)
        done = row.job_version and (await info.context.load(same_work.of_versions, row.job_version) or row.job_version)
        return content_id(row.label, columns, (row.rows, row.size, row.files), done, row.lifecycle)

    @strawberry.field(description="The schema the dataset had then, if any was known.")
    async def schema_version(self, info: Info) -> parts.SchemaVersion | None:
        """The schema that held when this version was made."""
        view, key = self.view, self.row.dataset_id
        rows = await view.load(info, facets.schemas, key) or ()
        tags = await view.load(info, then.tags, key, NodeKind.DATASET, view.as_of, understood) or ()
        held = (s for s in _schemas(rows, tags) if s.valid_from <= self.created_at)
        return next((s for s in held if s.valid_to is None or s.valid_to > self.created_at), None)


async def load_version(info: Info, named: int, activity: int, *read: int) -> DatasetVersion | None:
    """What this run or event made of the dataset under this name, or read of it as the first, if it did."""
    row = await info.context.load(versions.by_keys, (named, -activity if read else activity))
    return None if row is None else DatasetVersion.of(row)


async def load(info: Info, key: int | None, view: View = PRESENT) -> Dataset | None:
    """The dataset with this id, if there is one."""
    row = None if key is None else await view.load(info, then.datasets, key, view.as_of, understood)
    return None if row is None else Dataset.of(row, view)


async def load_many(info: Info, keys: Iterable[int] | None) -> list[Dataset]:
    """The datasets with these ids, in their order."""
    found = await gather(*(load(info, key) for key in keys or ()))
    return [dataset for dataset in found if dataset is not None]


from catalog.api.graphql import types  # noqa: E402 - behind the classes: see the package
