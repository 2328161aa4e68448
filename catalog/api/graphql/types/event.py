"""The log entry by entry, and what was refused."""

from __future__ import annotations

from typing import Self

import strawberry
from strawberry.scalars import JSON

from catalog.api.graphql.context import Info
from catalog.api.graphql.enums import EventKind, RunState
from catalog.api.graphql.scalars import BigInt, DateTime, moment, raw_json
from catalog.ingest.accept import receipt
from catalog.ingest.json_bytes import without_bom
from catalog.store import bodies
from catalog.store.read import events
from catalog.store.read.events import EventRow, RefusedRow

_SHOWN = 4_000


@strawberry.type(description="An event as it was accepted: an entry of the log.")
class Event:
    """An entry of the log."""

    row: strawberry.Private[EventRow]
    seq: BigInt = strawberry.field(description="Its place in the log, from 0, without gaps.")
    kind: EventKind = strawberry.field(description="What it is about.")
    state: RunState = strawberry.field(description="The state of the run it reports: its `eventType`.")
    event_time: DateTime = strawberry.field(description="When what it tells happened, as its producer says.")
    received_at: DateTime = strawberry.field(description="When it was accepted.")
    digest: str = strawberry.field(description="The SHA-256 of its bytes, in hexadecimal.")
    receipt: str = strawberry.field(description="The receipt its sender was given.")
    principal: str = strawberry.field(description="Who sent it.")
    source: str = strawberry.field(description="How it came in: http, kafka, file …")
    failure: str | None = strawberry.field(
        description="Why the graph could not be made from it; null if it was. The event itself is kept all the same."
    )

    @classmethod
    def of(cls, row: EventRow) -> Self:
        """From a row."""
        return cls(
            row=row,
            seq=BigInt(row.seq),
            kind=row.kind,
            state=row.state,
            event_time=DateTime(row.event_time),
            received_at=DateTime(row.received_at),
            digest=row.digest.hex(),
            receipt=receipt(row.digest),
            principal=row.principal,
            source=row.source,
            failure=row.failure,
        )

    @strawberry.field(description="The event byte for byte as it was received; null if it was erased since.")
    async def payload(self, info: Info) -> JSON | None:
        """The body."""
        raw = await info.context.load(bodies.read_many, self.row.seq)
        return None if raw is None else raw_json(without_bom(raw))

    @strawberry.field(description="The run it is about.")
    async def run(self, info: Info) -> types.run.Run | None:
        """The run of a RUN event."""
        return await types.run.load(info, self.row.activity_id) if self.kind is EventKind.RUN else None

    @strawberry.field(description="The job it is about; of a RECORD the job that declared lineage goes into.")
    async def job(self, info: Info) -> types.job.Job | None:
        """The job of a RUN or JOB event."""
        return None if self.kind is EventKind.DATASET else await types.job.load(info, self.row.subject_id)

    @strawberry.field(description="The dataset it declares; of a RECORD the one that declared lineage goes into.")
    async def dataset(self, info: Info) -> types.dataset.Dataset | None:
        """The dataset of a DATASET event."""
        declares = self.kind in (EventKind.DATASET, EventKind.RECORD)
        return await types.dataset.load(info, self.row.subject_id) if declares else None


# The contract has a QuarantineConnection, and a connection is named for what it is of.
@strawberry.type(name="Quarantine", description="Bytes that are no event: kept, with the reason.")
class QuarantineEntry:
    """A refusal."""

    key: strawberry.Private[int]
    received_at: DateTime = strawberry.field(description="When the bytes arrived first.")
    source: str = strawberry.field(description="How they came: http, kafka, file …")
    principal: str = strawberry.field(description="Who sent them.")
    code: str = strawberry.field(description="The kind of reason, for programs: parse, shape, limit …")
    reason: str = strawberry.field(description="Why they are no event.")
    pointer: str = strawberry.field(description="Where in them, as a JSON pointer; empty for the whole.")
    digest: str = strawberry.field(description="The SHA-256 of the bytes, in hexadecimal.")
    receipt: str = strawberry.field(description="The receipt the sender was given.")
    size: BigInt = strawberry.field(description="How many bytes there were.")
    truncated: bool = strawberry.field(description="Whether only the beginning was kept, the whole being too large.")
    retried_at: DateTime | None = strawberry.field(description="When a later try was accepted.")

    @classmethod
    def of(cls, row: RefusedRow) -> Self:
        """From a row."""
        return cls(
            key=row.id,
            received_at=DateTime(row.received_at),
            source=row.source,
            principal=row.principal,
            code=row.code,
            reason=row.reason,
            pointer=row.pointer,
            digest=row.digest.hex(),
            receipt=receipt(row.digest),
            size=BigInt(row.size),
            truncated=row.truncated,
            retried_at=moment(row.retried_at),
        )

    @strawberry.field(description="The first 4,000 bytes as text; what is not UTF-8 is shown as �.")
    async def preview(self, info: Info) -> str:
        """The beginning of the bytes."""
        return (await info.context.load(events.beginnings, self.key, _SHOWN) or b"").decode(errors="replace")


from catalog.api.graphql import types  # noqa: E402 - behind the classes: see the package
