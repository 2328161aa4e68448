"""Where `ingest` brings events: into a database, or to a server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, Protocol

import msgspec

from catalog.cli.console import say
from catalog.cli.outcomes import Fate, Sent
from catalog.cli.remote import Answer, Remote
from catalog.domain.callers import LOCAL
from catalog.domain.errors import CatalogError, Unavailable
from catalog.domain.event import Tolerated
from catalog.ingest.accept import Ingest, Outcome, Received, Refused
from catalog.sources.files import FileRecord

SOURCE: Final = "file"
"""What the log says about where an event arrived."""

ONE: Final = "/api/v1/lineage"
MANY: Final = "/api/v1/lineage/batch"

_TRIES: Final = 5
_WAIT_SECONDS: Final = 2.0

# What servers without the batch endpoint answer there.
_NO_BATCHES: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)

_values: Final = msgspec.json.Decoder(msgspec.Raw)


class Sender(Protocol):
    """Takes a batch and says what became of each record, in its order."""

    def send(self, batch: Sequence[FileRecord]) -> list[Sent]:
        """Raises CatalogError where nothing can be taken; what was sent before stays."""
        ...


class DatabaseSender:
    """Into a database, through the one door."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def send(self, batch: Sequence[FileRecord]) -> list[Sent]:
        """In one transaction; waits for its turn where others write."""
        whole = [Received(record.raw, SOURCE, LOCAL) for record in batch if record.digest is None]
        outcomes = iter(self._accept(whole))
        return [self._keep(record) if record.digest else sent_of(next(outcomes)) for record in batch]

    def _accept(self, batch: Sequence[Received]) -> list[Outcome]:
        for number in range(1, _TRIES):
            try:
                return self._ingest.accept(batch)
            except Unavailable as error:
                say(f"{error.detail} Trying again ({number} of {_TRIES - 1}).")
                time.sleep(_WAIT_SECONDS)
        return self._ingest.accept(batch)

    def _keep(self, record: FileRecord) -> Sent:
        receipt = self._ingest.quarantine_oversized(record.raw, record.size, record.digest or b"", SOURCE, LOCAL)
        reason = f"It has {record.size} bytes, more than the {self._ingest.limits.max_bytes} that are accepted."
        return Sent(Fate.QUARANTINED, reason=reason, receipt=receipt)


class RemoteSender:
    """To a server: many at once where it can take them, else one by one."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._takes_batches = True

    def send(self, batch: Sequence[FileRecord]) -> list[Sent]:
        """What is no JSON goes alone: inside an array it would break the others."""
        together = [record for record in batch if record.digest is None and _is_json(record.raw)]
        sent: dict[int, Sent | None] = {}
        if self._takes_batches and len(together) > 1:
            sent = dict(zip(map(id, together), self._send_many(together), strict=True))
        return [sent.get(id(record)) or self._send_one(record) for record in batch]

    def _send_many(self, batch: Sequence[FileRecord]) -> list[Sent | None]:
        """None for those that are to be sent alone."""
        answer = self._remote.post(MANY, b"[" + b",".join(record.raw for record in batch) + b"]")
        if answer.status in _NO_BATCHES:
            self._takes_batches = False
            return [None] * len(batch)
        if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return [None] * len(batch)
        if not answer.ok:
            raise CatalogError(f"The server refused the batch: {answer.reason}")
        sent: list[Sent | None] = [Sent(Fate.ACCEPTED)] * len(batch)
        # A server may answer 204, as the specification has it: then all is well.
        failed = answer.body.get("failed_events", []) if isinstance(answer.body, dict) else []
        for failure in failed:
            later = failure.get("retriable")
            sent[failure["index"]] = None if later else Sent(Fate.QUARANTINED, reason=failure.get("reason", ""))
        return sent

    def _send_one(self, record: FileRecord) -> Sent:
        if record.digest is not None:
            return Sent(Fate.QUARANTINED, reason=f"It has {record.size} bytes and was not sent.")
        answer = self._remote.post(ONE, record.raw)
        said = answer.body if isinstance(answer.body, dict) else {}
        if answer.ok:
            fate = Fate.DUPLICATE if said.get("duplicate") else Fate.ACCEPTED
            return Sent(fate, tuple(_tolerated(warning) for warning in said.get("warnings", ())))
        if answer.status == HTTPStatus.NOT_FOUND or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _useless(self._remote, answer)
        pointer, fix, receipt = (str(said.get(name, "")) for name in ("pointer", "fix", "receipt"))
        return Sent(Fate.QUARANTINED, (), answer.reason, pointer, fix, receipt)


def sent_of(outcome: Outcome) -> Sent:
    """What became of a record, by what the door answered."""
    if isinstance(outcome, Refused):
        why = outcome.reason
        return Sent(Fate.QUARANTINED, (), why.detail, why.pointer, why.fix, outcome.receipt)
    return Sent(Fate.DUPLICATE if outcome.duplicate else Fate.ACCEPTED, outcome.warnings)


def _tolerated(warning: object) -> Tolerated:
    if isinstance(warning, dict):
        return Tolerated(*(str(warning.get(name, "")) for name in ("code", "pointer", "detail")))
    return Tolerated("", "", str(warning))


def _useless(remote: Remote, answer: Answer) -> CatalogError:
    return CatalogError(f"{remote.url} takes no OpenLineage events: {answer.reason}", fix="Is the URL right?")


def _is_json(raw: bytes) -> bool:
    try:
        _values.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
