"""Namespaces."""

from __future__ import annotations

from typing import Self

import strawberry

from catalog.api.graphql.context import Info
from catalog.api.graphql.types.node import Node, global_id
from catalog.store.read import namespaces
from catalog.store.read.namespaces import NamespaceRow


@strawberry.type(description="A namespace: where names of datasets or jobs are unique.")
class Namespace(Node):
    """A namespace."""

    key: strawberry.Private[int]
    name: str = strawberry.field(description="Its name, such as `postgres://db.example:5432` or `airflow-prod`.")

    @classmethod
    def of(cls, row: NamespaceRow) -> Self:
        """From a row."""
        return cls(id=global_id("Namespace", row.id), key=row.id, name=row.name)

    @strawberry.field(description="How many datasets have a name in it.")
    async def dataset_count(self, info: Info) -> int:
        """Datasets in it."""
        return await info.context.load(namespaces.dataset_counts, self.key) or 0

    @strawberry.field(description="How many jobs are in it.")
    async def job_count(self, info: Info) -> int:
        """Jobs in it."""
        return await info.context.load(namespaces.job_counts, self.key) or 0


async def load(info: Info, key: int | None) -> Namespace | None:
    """The namespace with this id, if there is one."""
    row = None if key is None else await info.context.load(namespaces.by_ids, key)
    return None if row is None else Namespace.of(row)
