"""Bytes become an event, leniently: what a producer got wrong becomes a warning wherever a meaning is left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from catalog.domain.changes import Name
from catalog.domain.errors import NotAnEvent
from catalog.domain.event import DatasetMention, Event, Facets, Tolerated
from catalog.domain.words import EventKind, Role, RunState
from catalog.ingest.envelope import (
    Anything,
    DatasetPart,
    Datasets,
    DecodeLimits,
    Envelope,
    JobPart,
    RawFacets,
    read_envelope,
    too_much,
)
from catalog.ingest.json_bytes import BLANK, encoding_fault, split_array, split_lines, without_bom
from catalog.ingest.times import parse_time

__all__ = ["DEFAULT_LIMITS", "NDJSON", "DecodeLimits", "batch", "decode"]

DEFAULT_LIMITS: Final = DecodeLimits()

NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
"""Content types of one event per line."""

_MOST_WARNINGS: Final = 100
_SHOWN: Final = 60

_STATES: Final = {state.name: state for state in RunState if state is not RunState.UNKNOWN}
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_SCHEMA_URL: Final = re.compile(
    r"https://openlineage\.io/spec/[0-9]+-[0-9]+-[0-9]+/OpenLineage\.json"
    r"(?:#/(?:\$defs|definitions)/(?P<kind>Run|Job|Dataset)Event)?"
)


def decode(raw: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> Event:
    """Read one OpenLineage event.

    Args:
        raw: The body as received; the digest is over exactly these bytes.
        limits: What it may cost.

    Returns:
        The event, its facets as the bytes they came in, and a warning for everything that was put right.

    Raises:
        NotAnEvent: The bytes are no JSON (`parse`), no event (`shape`) or too much of one (`limit`).
            Nothing else is raised, whatever the bytes are.
    """
    reading = _Reading(limits)
    envelope = reading.envelope(raw)
    kind = reading.kind(envelope)
    run, job = envelope.run, envelope.job
    return Event(
        kind,
        reading.event_time(envelope.event_time),
        sha256(raw).digest(),
        job=None if job is None else reading.name(job, "/job"),
        run_id=None if run is None else reading.run_id(run.run_id),
        state=RunState.UNKNOWN if run is None else reading.state(envelope.event_type),
        run_facets={} if run is None else reading.facets(run.facets, "/run/facets"),
        job_facets={} if job is None else reading.facets(job.facets, "/job/facets"),
        datasets=reading.datasets(envelope),
        producer=reading.producer(envelope.producer),
        schema_url=reading.schema_url(envelope.schema_url, kind),
        warnings=reading.all_warnings(),
    )


def batch(
    raw: bytes, content_type: str, limits: DecodeLimits = DEFAULT_LIMITS
) -> Iterator[tuple[int, bytes | NotAnEvent]]:
    """Split a body into its events, each still as received and not yet looked into.

    Args:
        raw: A JSON array of events, or one event per line where the content type says so.
        content_type: With or without parameters, in any case.
        limits: How many events there may be; their size is a matter of `decode`.

    Returns:
        The index of each event among the events, and its bytes. A NotAnEvent stands, at the end, for events
        that could not be told apart (the array is cut off) or are too many.

    Raises:
        NotAnEvent: The body as a whole is no batch.
    """
    text = without_bom(raw)
    if content_type.partition(";")[0].strip().lower() in NDJSON:
        return _numbered(split_lines(text), limits)
    text = text.strip(BLANK)
    if not text.startswith(b"["):
        if text.startswith(b"{"):
            fix = "Put the event in [ ], post it as a single event, or name the content type of NDJSON."
            raise NotAnEvent("A batch is an array of events.", fix=fix)
        no_array = NotAnEvent("The body is no JSON array.", fix="Send [event, event, …].", code="parse")
        raise encoding_fault(raw) or no_array
    return _numbered(split_array(text, limits.max_members), limits)


def _numbered(events: Iterator[bytes | NotAnEvent], limits: DecodeLimits) -> Iterator[tuple[int, bytes | NotAnEvent]]:
    for index, event in enumerate(events):
        if index == limits.max_events:
            too_many = f"There are more than {limits.max_events} events; the rest was not read."
            yield index, NotAnEvent(too_many, fix="Send the rest in further batches.", code="limit")
            return
        yield index, event


class _Reading:
    """One event on its way out of an envelope, and what had to be tolerated so far."""

    def __init__(self, limits: DecodeLimits) -> None:
        self.limits = limits
        self.warnings: list[Tolerated] = []
        self.unsaid = 0

    def warn(self, code: str, pointer: str, detail: str) -> None:
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.append(Tolerated(code, pointer, detail))
        else:
            self.unsaid += 1

    def all_warnings(self) -> tuple[Tolerated, ...]:
        if self.unsaid:
            self.warnings.append(Tolerated("more", "", f"{self.unsaid} more warnings."))
        return tuple(self.warnings)

    def envelope(self, raw: bytes) -> Envelope:
        """The envelope, within the limits."""
        envelope = read_envelope(raw, self.limits)
        if len(without_bom(raw)) < len(raw):
            self.warn("bom", "", "A byte order mark before the JSON was skipped.")
        return envelope

    def kind(self, envelope: Envelope) -> EventKind:
        """What the event is, by the keys it has; the envelope keeps only what belongs to that."""
        if envelope.run is not None:
            if envelope.job is None:
                raise NotAnEvent("The run has no job.", pointer="/job", fix="Send the job the run belongs to.")
            kind = EventKind.RUN
        elif envelope.job is None and envelope.dataset is None:
            fix = "A run event has `run` and `job`, a job event `job`, a dataset event `dataset`."
            raise NotAnEvent("There is neither a run, a job nor a dataset.", fix=fix)
        elif envelope.job is None or _hint(envelope.schema_url) == "Dataset":
            kind = EventKind.DATASET
        else:
            kind = EventKind.JOB
        ignored = ("job", "inputs", "outputs") if kind is EventKind.DATASET else ("dataset",)
        for key in ignored:
            if getattr(envelope, key) is not None:
                self.warn("kind", f"/{key}", f"Ignored: this was read as a {kind.name.lower()} event.")
                setattr(envelope, key, None)
        return kind

    def event_time(self, value: Anything) -> int:
        """Microseconds since 1970."""
        if value is None:
            fix = "Send the time of the event, such as 2026-01-31T12:00:00Z: order and versions are told by it alone."
            raise NotAnEvent("`eventTime` is missing.", pointer="/eventTime", fix=fix)
        try:
            at, assumed = parse_time(value)
        except ValueError as error:
            fix = "Send ISO 8601 with an offset, such as 2026-01-31T12:00:00Z."
            raise NotAnEvent(str(error), pointer="/eventTime", fix=fix) from None
        if assumed:
            self.warn("event-time", "/eventTime", f"{assumed[0].upper()}{assumed[1:]}.")
        return at

    def run_id(self, run_id: str) -> str:
        """The id as sent."""
        if _UUID.fullmatch(run_id) is None:
            self.warn("run-id", "/run/runId", f"{_shown(run_id)} is no UUID; kept as it is.")
        return run_id

    def state(self, event_type: Anything) -> RunState:
        """The state this event reports, OTHER for words unknown today."""
        if event_type is None:
            self.warn("event-type", "/eventType", "Missing; the event says nothing about the state of the run.")
            return RunState.UNKNOWN
        word = event_type if isinstance(event_type, str) else ""
        state = _STATES.get(word)
        if state is None:
            state = _STATES.get(word.strip().upper(), RunState.OTHER)
            self.warn("event-type", "/eventType", f"{_shown(event_type)} was read as {state.name}.")
        return state

    def producer(self, value: Anything) -> str | None:
        """The producer as sent, if it is text."""
        if value is None:
            self.warn("producer", "/producer", "Missing.")
        elif not isinstance(value, str):
            self.warn("producer", "/producer", "Not text; ignored.")
        else:
            if _URI.fullmatch(value) is None:
                self.warn("producer", "/producer", f"{_shown(value)} is no URI; kept as it is.")
            return value
        return None

    def schema_url(self, value: Anything, kind: EventKind) -> str | None:
        """The schema URL as sent, if it is text. What an event is was told by its keys."""
        if value is None:
            self.warn("schema-url", "/schemaURL", "Missing; what the event is was told by its keys.")
        elif not isinstance(value, str):
            self.warn("schema-url", "/schemaURL", "Not text; ignored.")
        else:
            hint = _hint(value)
            if hint is None:
                self.warn("schema-url", "/schemaURL", f"{_shown(value)} is no OpenLineage schema.")
            elif hint and hint.upper() != kind.name:
                self.warn("schema-url", "/schemaURL", f"Says {hint}Event, but this is a {kind.name.lower()} event.")
            return value
        return None

    def name(self, named: JobPart | DatasetPart, at: str) -> Name:
        """Namespace and name as sent."""
        if not named.namespace:
            self.warn("name", f"{at}/namespace", "Empty.")
        if not named.name:
            self.warn("name", f"{at}/name", "Empty.")
        return Name(named.namespace, named.name)

    def facets(self, facets: RawFacets, at: str) -> Facets:
        """Raw facets by key, without those that are null."""
        if isinstance(facets, list):
            if facets:
                raise NotAnEvent("Facets are an object, this is an array.", pointer=at, fix="Send {name: facet}.")
            self.warn("facets", at, "An empty array, read as an empty object.")
            return {}
        if not facets:
            return {}
        if len(facets) > self.limits.max_facets:
            raise too_much(f"These are {len(facets)} facets, {self.limits.max_facets} are allowed.", at)
        return {key: text for key, facet in facets.items() if (text := bytes(facet)) != b"null"}

    def datasets(self, envelope: Envelope) -> tuple[DatasetMention, ...]:
        """Every mention of a dataset, in the order of the event: one dataset may well be mentioned twice."""
        many = len(envelope.inputs or ()) + len(envelope.outputs or ())
        if many > self.limits.max_datasets:
            raise too_much(f"The event names {many} datasets, {self.limits.max_datasets} are allowed.")
        mentions = [
            self._mention(dataset, role, at)
            for role, key, datasets in (
                (Role.INPUT, "inputs", envelope.inputs),
                (Role.OUTPUT, "outputs", envelope.outputs),
            )
            for dataset, at in self._present(datasets, key)
        ]
        if envelope.dataset is not None:
            mentions.append(self._mention(envelope.dataset, Role.DECLARED, "/dataset"))
        return tuple(mentions)

    def _present(self, datasets: Datasets, key: str) -> Iterator[tuple[DatasetPart, str]]:
        for index, dataset in enumerate(datasets or ()):
            if dataset is None:
                self.warn("null", f"/{key}/{index}", "Null where a dataset should be; ignored.")
            else:
                yield dataset, f"/{key}/{index}"

    def _mention(self, dataset: DatasetPart, role: Role, at: str) -> DatasetMention:
        facets = self.facets(dataset.facets, f"{at}/facets")
        io_facets: Facets = {}
        if role is Role.INPUT:
            io_facets = self.facets(dataset.input_facets, f"{at}/inputFacets")
        elif role is Role.OUTPUT:
            io_facets = self.facets(dataset.output_facets, f"{at}/outputFacets")
        return DatasetMention(self.name(dataset, at), role, facets, io_facets)


def _hint(schema_url: Anything) -> str | None:
    """The kind of event a schema URL names, "" if it names none, None if it is no OpenLineage schema at all."""
    found = _SCHEMA_URL.fullmatch(schema_url) if isinstance(schema_url, str) else None
    return None if found is None else found["kind"] or ""


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else type(value).__name__
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
