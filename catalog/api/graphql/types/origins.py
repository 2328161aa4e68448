"""Where data is known to begin."""

from __future__ import annotations

from typing import Self

import strawberry

from catalog.api.graphql.context import Info
from catalog.api.graphql.enums import Derivation
from catalog.api.graphql.scalars import DateTime, moment
from catalog.domain.timeline import FOREVER
from catalog.store.read.origins import Origin


@strawberry.type(
    description="That a dataset or a column has no source, as somebody states: `inputs` in a lineage facet are []. "
    "Where nobody states it, that nothing is known upstream says nothing."
)
class Sourceless:
    """A known absence."""

    job_key: strawberry.Private[int | None]
    column: str | None = strawberry.field(description="The column; null: the dataset as a whole.")
    derivation: Derivation = strawberry.field(description="EXPLICIT: a run said so. DECLARED: a job or dataset event.")
    valid_from: DateTime = strawberry.field(description="Since when that holds.")
    valid_to: DateTime | None = strawberry.field(description="Until when; null: it holds now.")

    @classmethod
    def of(cls, row: Origin) -> Self:
        """From a row."""
        return cls(
            job_key=row.job_id,
            column=row.column or None,
            derivation=row.derivation,
            valid_from=DateTime(row.valid_from),
            valid_to=moment(None if row.valid_to == FOREVER else row.valid_to),
        )

    @strawberry.field(description="The job that states it; null where the dataset itself does.")
    async def job(self, info: Info) -> types.job.Job | None:
        """The job."""
        return await types.job.load(info, self.job_key)


from catalog.api.graphql import types  # noqa: E402 - behind the classes: see the package
