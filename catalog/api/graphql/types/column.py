"""Columns as things of their own: what lineage at granularity COLUMN is made of."""

from __future__ import annotations

import strawberry

from catalog.api.graphql.arguments import (
    AsOf,
    Cumulative,
    Depth,
    During,
    IncludeIndirect,
    LineageAsOf,
    MaxNodes,
    RecordedAsOf,
    WalkDirection,
    WalkGranularity,
)
from catalog.api.graphql.context import Info
from catalog.api.graphql.enums import Direction, EntityKind, Granularity
from catalog.api.graphql.scalars import DateTime
from catalog.api.graphql.types import parts
from catalog.api.graphql.types.node import Node, global_id
from catalog.domain.ids import field_id
from catalog.domain.lineage import EntityRef
from catalog.store.read import datasets


@strawberry.type(description="A column of a dataset, as a thing with an id of its own. See also `Dataset.fields`.")
class Column(Node):
    """A column that a schema, a lineage or a tag ever named."""

    owner: strawberry.Private[types.dataset.Dataset]
    name: str = strawberry.field(description="The name; of a nested column with those of its parents: `address.city`.")

    @strawberry.field(description="The dataset it is a column of.")
    def dataset(self) -> types.dataset.Dataset:
        """The dataset."""
        return self.owner

    @strawberry.field(description="The type, as the producer writes it. Null: no schema of that moment has the column.")
    async def type(self, info: Info, as_of: AsOf = None) -> str | None:
        """The type."""
        field = await self._field(info, as_of)
        return None if field is None else field.type

    @strawberry.field(description="What is in it.")
    async def description(self, info: Info, as_of: AsOf = None) -> str | None:
        """The description."""
        field = await self._field(info, as_of)
        return None if field is None else field.description

    @strawberry.field(description="Its place in the schema, from 1. Null: no schema of that moment has the column.")
    async def ordinal(self, info: Info, as_of: AsOf = None) -> int | None:
        """The place."""
        field = await self._field(info, as_of)
        return None if field is None else field.ordinal

    @strawberry.field(description="The tags on this column.")
    async def tags(self, info: Info, as_of: AsOf = None) -> list[parts.Tag]:
        """Tags of the column alone."""
        field = await self._field(info, as_of)
        return [] if field is None else field.tags

    @strawberry.field(description="The lineage of this column: see the field of the same name on Query.")
    def lineage(
        self,
        info: Info,
        *,
        direction: WalkDirection = Direction.BOTH,
        granularity: WalkGranularity = Granularity.COLUMN,
        depth: Depth = 5,
        as_of: LineageAsOf = None,
        during: During = None,
        cumulative: Cumulative = False,
        include_indirect: IncludeIndirect = True,
        max_nodes: MaxNodes = 1000,
        recorded_as_of: RecordedAsOf = None,
    ) -> types.lineage.Lineage:
        """The walk from here."""
        here = EntityRef(EntityKind.COLUMN, self.owner.namespace, self.owner.name, self.name)
        when = types.lineage.When(as_of, during, cumulative, recorded_as_of)
        how = types.lineage.Walk(direction, granularity, depth, include_indirect, max_nodes)
        return types.lineage.answer(info, (here,), how, when)

    async def _field(self, info: Info, as_of: DateTime | None) -> parts.Field | None:
        columns = await self.owner.columns(info, as_of)
        return next((column for column in columns if column.name == self.name), None)


async def load(info: Info, dataset: int, key: int) -> Column | None:
    """The column whose id is `key` under this name of its dataset, if there is one."""
    name = await info.context.load(datasets.column_names, (dataset, key))
    owner = await types.dataset.load(info, dataset)
    if name is None or owner is None:
        return None
    id = key if owner.key == dataset else field_id(owner.key, name)
    return Column(id=global_id("Column", owner.key, id), owner=owner, name=name)


from catalog.api.graphql import types  # noqa: E402 - behind the classes: see the package
