"""The envelope of an event: the JSON around the facets, read in one pass and within its limits.

`msgspec` leaves every facet as the bytes it came in. It does not look into the strings it skips, it recurses, and
it makes objects as it goes: encoding, depth and width are checked before it is let at the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Raw, Struct

from catalog.domain.errors import NotAnEvent
from catalog.ingest.json_bytes import check_utf8, encoding_fault, measure, without_bom


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What an event may cost at most.

    Attributes:
        max_bytes: Length of the body.
        max_depth: Arrays and objects inside each other, facets included.
        max_datasets: Entries of `inputs` and `outputs` together.
        max_name_bytes: UTF-8 length of a namespace, a name, a run id or the key of a facet.
        max_facets: Facets in one place.
        max_members: Members and items of the whole envelope, without the insides of facets: what bounds the memory.
        max_events: Events in one batch.
    """

    max_bytes: int = 32 * 1024 * 1024
    max_depth: int = 100
    max_datasets: int = 50_000
    max_name_bytes: int = 1_100_000
    max_facets: int = 1_000
    max_members: int = 1_000_000
    max_events: int = 100_000


RawFacets = dict[str, Raw] | list[Raw] | None
# Any JSON value, of which only the outermost level becomes objects.
Anything = str | int | float | bool | dict[str, Raw] | list[Raw] | None


class RunPart(Struct, gc=False):
    """`run`."""

    run_id: str = msgspec.field(name="runId")
    facets: RawFacets = None


class JobPart(Struct, gc=False):
    """`job`."""

    namespace: str
    name: str
    facets: RawFacets = None


class DatasetPart(Struct, gc=False):
    """`dataset`, or an item of `inputs` or `outputs`."""

    namespace: str
    name: str
    facets: RawFacets = None
    input_facets: RawFacets = msgspec.field(default=None, name="inputFacets")
    output_facets: RawFacets = msgspec.field(default=None, name="outputFacets")


Datasets = list[DatasetPart | None] | None


class Envelope(Struct, gc=False):
    """Everything an event of any kind may have; which kind it is shows in what is there."""

    event_time: Anything = msgspec.field(default=None, name="eventTime")
    event_type: Anything = msgspec.field(default=None, name="eventType")
    run: RunPart | None = None
    job: JobPart | None = None
    dataset: DatasetPart | None = None
    inputs: Datasets = None
    outputs: Datasets = None
    producer: Anything = None
    schema_url: Anything = msgspec.field(default=None, name="schemaURL")


_decoder: Final = msgspec.json.Decoder(Envelope)

_FACET_DEPTH: Final = 4  # event > inputs > dataset > facets
_SAID: Final = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(?P<key>\w+)`")
_EXPECTED: Final = re.compile(r"Expected `(?P<expected>[^`]*)`, got `(?P<got>\w+)`")
_BYTE: Final = re.compile(r" \(byte (?P<at>[0-9]+)\)")
_IN_JSON: Final = {"str": "string", "int": "number", "float": "number", "bool": "boolean"}
_NOT_NUMBERS: Final = (b"NaN", b"Infinity", b"inf", b"nan")


def read_envelope(raw: bytes, limits: DecodeLimits) -> Envelope:
    """The envelope in these bytes; a UTF-8 byte order mark before it is skipped.

    Raises:
        NotAnEvent: They are no JSON, have another shape, or more of it than is allowed.
    """
    if len(raw) > limits.max_bytes:
        raise too_much(f"The event has {len(raw)} bytes, {limits.max_bytes} are allowed.")
    text = without_bom(raw)
    check_utf8(text)
    _check_shape(text, limits)
    try:
        envelope = _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise _misshapen(str(error)) from None
    except msgspec.DecodeError as error:
        raise encoding_fault(text) or _malformed(str(error), text) from None
    except RecursionError:  # The depth is within the limit: it is the caller who stands deep in the stack.
        raise too_much("The event is nested too deeply to be read here.") from None
    if len(text) > limits.max_name_bytes:
        _check_names(envelope, limits.max_name_bytes)
    return envelope


def too_much(detail: str, pointer: str = "") -> NotAnEvent:
    """The error for what is over a limit."""
    return NotAnEvent(detail, pointer=pointer, fix="Send less at once, or ask for a higher limit.", code="limit")


def _check_shape(text: bytes, limits: DecodeLimits) -> None:
    # Each level has its bracket and each member but the first its comma: most events need no more than counting.
    many_brackets = text.count(b"{") + text.count(b"[") > limits.max_depth
    many_members = len(text) > limits.max_members and text.count(b",") > limits.max_members
    if not many_brackets and not many_members:
        return
    shape = measure(text, limits.max_depth, with_commas=many_members)
    if shape.depth > limits.max_depth:
        raise too_much(f"The event is nested deeper than {limits.max_depth} levels.")
    if sum(count for depth, count in shape.commas.items() if depth <= _FACET_DEPTH) > limits.max_members:
        raise too_much(f"The event has more than {limits.max_members} members outside of its facets.")


def _check_names(envelope: Envelope, most: int) -> None:
    for pointer, name in _names(envelope):
        if len(name) > most or len(name.encode()) > most:
            raise too_much(f"This is longer than {most} bytes.", pointer)


def _names(envelope: Envelope) -> Iterator[tuple[str, str]]:
    if envelope.run is not None:
        yield "/run/runId", envelope.run.run_id
        yield from _keys(envelope.run.facets, "/run/facets")
    if envelope.job is not None:
        yield from _names_in(envelope.job, "/job")
    if envelope.dataset is not None:
        yield from _names_in(envelope.dataset, "/dataset")
    for key, datasets in (("inputs", envelope.inputs), ("outputs", envelope.outputs)):
        for index, dataset in enumerate(datasets or ()):
            if dataset is not None:
                yield from _names_in(dataset, f"/{key}/{index}")


def _names_in(part: JobPart | DatasetPart, at: str) -> Iterator[tuple[str, str]]:
    yield f"{at}/namespace", part.namespace
    yield f"{at}/name", part.name
    yield from _keys(part.facets, f"{at}/facets")
    if isinstance(part, DatasetPart):
        yield from _keys(part.input_facets, f"{at}/inputFacets")
        yield from _keys(part.output_facets, f"{at}/outputFacets")


def _keys(facets: RawFacets, at: str) -> Iterator[tuple[str, str]]:
    return ((at, key) for key in facets or () if isinstance(key, str))


def _misshapen(said: str) -> NotAnEvent:
    """What msgspec said of a wrong shape, in the words of JSON and with a JSON pointer."""
    parts = _SAID.fullmatch(said)
    what, path = (parts["what"], parts["path"] or "") if parts else (said, "")
    # Paths hold keys of our own structs and indices only: there is nothing to escape.
    pointer = path.replace("[", "/").replace("]", "").replace(".", "/")
    if missing := _MISSING.fullmatch(what):
        key = missing["key"]
        return NotAnEvent(
            f"`{key}` is missing.", pointer=f"{pointer}/{key}", fix=f"Send `{key}`; where it is a name it may be empty."
        )
    if wrong := _EXPECTED.fullmatch(what):
        expected = " or ".join(_IN_JSON.get(kind, kind) for kind in wrong["expected"].split(" | "))
        got = _IN_JSON.get(wrong["got"], wrong["got"])
        fix = f"Send {expected}." if pointer else "Send one event; several go to the batch endpoint."
        return NotAnEvent(f"Expected {expected}, got {got}.", pointer=pointer, fix=fix)
    return NotAnEvent(f"{what}.", pointer=pointer, fix="Send a value of the OpenLineage schema.")


def _malformed(said: str, text: bytes) -> NotAnEvent:
    if not text.strip():
        return NotAnEvent("The body is empty.", fix="Send one event as JSON.", code="parse")
    place = _BYTE.search(said)
    if place is None:
        return NotAnEvent("The JSON ends too early.", fix="Send the whole event.", code="parse")
    at = int(place["at"])
    fix = "Send the event as JSON (RFC 8259)."
    if text.startswith(_NOT_NUMBERS, at) or text[at - 1 : at] == b"-":
        fix = "NaN and Infinity are not JSON: send null, or leave the number out."
    what = said.replace(place[0], "").removeprefix("JSON is malformed: ")
    return NotAnEvent(f"Malformed JSON: {what} at byte {at}.", fix=fix, code="parse")
