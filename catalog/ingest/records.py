"""Records of what somebody did in the catalog itself: written by its mutations, read back from its log.

They are canonical JSON (RFC 8785), so that anybody can make the same bytes. They come in by a mark of their own,
never by what they look like: a sender of events could otherwise speak for somebody else.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import msgspec
import rfc8785

from catalog.domain.changes import Name, Transformation
from catalog.domain.errors import NotAnEvent
from catalog.domain.event import Event
from catalog.domain.ids import job_id
from catalog.domain.manual import Manual, ManualEdge, ManualEnd
from catalog.domain.projection import Declaration, Projection, Stamp
from catalog.domain.wire import HowMade, Shape, transformations
from catalog.domain.words import EventKind, Node
from catalog.evidence.commitment import rfc3339
from catalog.ingest.decode import DEFAULT_LIMITS, DecodeLimits, decode
from catalog.ingest.times import parse_time

DECLARED: Final = "lineage.declared"
RETRACTED: Final = "lineage.retracted"

_KINDS: Final = {"DATASET": Node.DATASET, "JOB": Node.JOB}


class _Named(Shape):
    namespace: str
    name: str


class _End(_Named):
    kind: str
    column: str = ""


class _Lineage(Shape):
    record: str
    recorded_at: str
    effective_from: str
    principal: str
    reason: str
    source: _End
    target: _End
    job: _Named | None = None
    transformations: list[HowMade | None] | None = None


_decoder: Final = msgspec.json.Decoder(_Lineage)


def encode(manual: Manual) -> bytes:
    """The record as the log keeps it."""
    edge = manual.edge
    said: dict[str, Any] = {
        "record": DECLARED if manual.declared else RETRACTED,
        "recordedAt": rfc3339(manual.recorded_at),
        "effectiveFrom": rfc3339(manual.effective_from),
        "principal": manual.principal,
        "reason": manual.reason,
        "source": _end(edge.source),
        "target": _end(edge.target),
    }
    if edge.through is not None:
        said["job"] = {"namespace": edge.through.namespace, "name": edge.through.name}
    if manual.transformations:
        said["transformations"] = [_how(how) for how in manual.transformations]
    return rfc8785.dumps(said)


def read(raw: bytes) -> Manual:
    """The inverse of `encode`.

    Raises:
        NotAnEvent: these bytes are no record.
    """
    try:
        said = _decoder.decode(raw)
        recorded_at, effective_from = (parse_time(text).at for text in (said.recorded_at, said.effective_from))
        edge = ManualEdge(
            _read_end(said.source),
            _read_end(said.target),
            None if said.job is None else Name(said.job.namespace, said.job.name),
        )
    except (msgspec.MsgspecError, ValueError, KeyError, RecursionError) as error:
        raise NotAnEvent(f"This is no record: {error}") from None
    if said.record not in (DECLARED, RETRACTED):
        raise NotAnEvent(f"Nothing is known of a record '{said.record}'.", pointer="/record")
    return Manual(
        edge, said.record == DECLARED, said.principal, said.reason, recorded_at, effective_from,
        transformations(said.transformations),
    )  # fmt: skip


def decode_record(raw: bytes) -> Event:
    """A record as an entry of the log; its time is since when it is so. Raises NotAnEvent."""
    manual = read(raw)
    return Event(EventKind.RECORD, manual.effective_from, sha256(raw).digest(), record=manual)


def decode_entry(raw: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> Event:
    """Read what is in the log already, be it an event or a record: nothing can be taken for both. Raises NotAnEvent."""
    try:
        return decode(raw, limits)
    except NotAnEvent as no_event:
        try:
            return decode_record(raw)
        except NotAnEvent:
            raise no_event from None


def of_lineage(manual: Manual, digest: int) -> Projection:
    """What the graph learns of it: an edge, the names at its ends, and nothing of what they name.

    `digest` is the key of the digest of its bytes.
    """
    edge = manual.edge
    stamp = Stamp(manual.effective_from, manual.tie(digest))
    into = Projection(EventKind.RECORD, stamp, digest, edge.target.id, statement=manual.statement)
    for end in (edge.source, edge.target):
        named = into.jobs if end.node is Node.JOB else into.datasets
        named[end.id] = (end.name.namespace, end.name.name)
    if edge.through is not None:
        into.jobs[job_id(edge.through.namespace, edge.through.name)] = (edge.through.namespace, edge.through.name)
    into.declaration = Declaration(edge.owner, False, stamp, digest)
    return into


def _end(end: ManualEnd) -> dict[str, str]:
    said = {"kind": end.node.name, "namespace": end.name.namespace, "name": end.name.name}
    return {**said, "column": end.column} if end.column else said


def _read_end(said: _End) -> ManualEnd:
    return ManualEnd(_KINDS[said.kind], Name(said.namespace, said.name), said.column)


def _how(how: Transformation) -> dict[str, str | bool]:
    said: dict[str, str | bool] = {"type": how.type, "subtype": how.subtype, "description": how.description}
    return {**{key: value for key, value in said.items() if value}, "masking": how.masking}
