"""Whatever the bytes are: an event or `NotAnEvent`, soon, in bounded memory, and nothing is bent on the way."""

from __future__ import annotations

import inspect
import json
import re
import sys
import tracemalloc
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.domain.changes import Name
from catalog.domain.errors import NotAnEvent
from catalog.domain.event import Event
from catalog.ingest import json_bytes
from catalog.ingest.decode import DecodeLimits, decode
from catalog.ingest.json_bytes import measure

START = b'{"eventTime":"2026-11-20T02:00:00Z","job":{"namespace":"a","name":"b"}'
EVENTS = Path(__file__).parents[1] / "events"
REAL = [line for file in sorted(EVENTS.glob("*.ndjson")) for line in file.read_bytes().splitlines()]


def job_event(more: bytes) -> bytes:
    """A job event that ends with this."""
    return START + b"," + more + b"}"


def refusal(raw: bytes, limits: DecodeLimits | None = None) -> NotAnEvent:
    with pytest.raises(NotAnEvent) as refused:
        decode(raw, limits or DecodeLimits())
    return refused.value


def decode_or_refuse(raw: bytes) -> Event | None:
    """The event, or None; anything else that is raised fails the test."""
    result: Event | NotAnEvent
    try:
        result = decode(raw)
    except NotAnEvent as refused:
        result = refused
    if isinstance(result, Event):
        assert result.digest == sha256(raw).digest()
        return result
    assert result.code in {"parse", "shape", "limit"}
    assert result.detail
    assert result.fix
    assert result.pointer == "" or result.pointer.startswith("/")
    return None


# Anything at all

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.binary())
@example(b"")
@example(b"{")
@example(b'{"a":"\\ud800')
@example(b'{"a":"\\')
@example(b"\xef\xbb\xbf")
@example(b"\xef\xbb\xbf\xef\xbb\xbf{}")
def test_any_bytes_are_an_event_or_refused(raw):
    decode_or_refuse(raw)


@given(st.data())
def test_a_real_event_with_bytes_changed_is_an_event_or_refused(data):
    raw = bytearray(data.draw(st.sampled_from(REAL)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = min(len(raw), start + data.draw(st.integers(0, 8)))
        raw[start:end] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b'"', b"\\", b"{", b"]", b"null", b"\\ud800"])
        )
    decode_or_refuse(bytes(raw))


@given(st.data())
def test_a_real_event_with_a_value_changed_is_refused_or_keeps_its_facets(data):
    said = json.loads(data.draw(st.sampled_from(REAL)))
    inside: Any = said
    while isinstance(inside, dict | list) and inside:
        key = data.draw(st.sampled_from(list(inside) if isinstance(inside, dict) else range(len(inside))))
        if not isinstance(inside[key], dict | list) or data.draw(st.integers(0, 2)) == 0:
            inside[key] = data.draw(JSON_VALUES)
            break
        inside = inside[key]
    raw = json.dumps(said, ensure_ascii=data.draw(st.booleans())).encode()
    event = decode_or_refuse(raw)
    if event is not None and event.job is not None:
        facets = {key: value for key, value in (said["job"].get("facets") or {}).items() if value is not None}
        assert {key: json.loads(value) for key, value in event.job_facets.items()} == facets


# Characters


@pytest.mark.parametrize(
    "name",
    [
        "\0", "a\0b", "\u202egnp.exe", "💥 🏳️‍🌈", "e\u0301", "'; DROP TABLE dataset; --", "${jndi:ldap://x}", "=1+1",
        "<script>alert(1)</script>", "a?b@c d/e:f#g%00", "..\\..\\etc", "\uffff\U0010ffff",
        "x" * 1_000_000, "é" * 500_000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("escaped", [True, False])
def test_any_name_is_kept_as_it_is(name, escaped):
    job = json.dumps({"namespace": name, "name": name}, ensure_ascii=escaped)
    event = decode(START.replace(b'{"namespace":"a","name":"b"}', job.encode()) + b"}")
    assert event.job == Name(name, name)


PLACES = [
    b'"x":"%s"',
    b'"producer":"%s"',
    b'"inputs":[{"namespace":"a","name":"%s"}]',
    b'"inputs":[{"namespace":"a","name":"b","facets":{"f":["%s"]}}]',
    b'"inputs":[{"namespace":"a","name":"b","facets":{"%s":1}}]',
    b'"%s":1',
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "half",
    [b"\\ud800", b"\\uDFFF", b"\\ud83dx", b"\\ud83d\\u0041", b"\\ude00\\ud83d", b"\\ud83d\\\\ude00", b"\\ud83d\\n"],
)
def test_half_a_surrogate_pair_is_refused_wherever_it_stands_and_its_place_is_told(place, half):
    raw = job_event(place % half)
    refused = refusal(raw)
    assert refused.code == "parse"
    assert f"at byte {raw.index(half)}" in refused.detail


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("pair", [b"\\ud83d\\ude00", b"\\uD83D\\uDE00", "😀".encode(), b"\\\\ud800", b"\\u0000"])
def test_whole_characters_are_taken_wherever_they_stand(place, pair):
    assert decode_or_refuse(job_event(place % pair)) is not None


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("wrong", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80"])
def test_bytes_that_are_not_utf_8_are_refused_wherever_they_stand_and_their_place_is_told(place, wrong):
    raw = job_event(place % wrong)
    refused = refusal(raw)
    assert refused.code == "parse"
    assert f"at byte {raw.index(wrong)}" in refused.detail
    assert "UTF-8" in refused.fix


def test_utf_8_is_checked_across_the_pieces_it_is_read_in(monkeypatch):
    monkeypatch.setattr(json_bytes, "_CHUNK", 5)
    assert decode(job_event('"x":"é€😀é€😀"'.encode())).job == Name("a", "b")
    raw = job_event('"x":"é€😀'.encode() + b'\xf0\x9f"')
    assert f"at byte {raw.index(bytes([0xF0, 0x9F, 0x22]))}" in refusal(raw).detail


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_other_encodings_are_told_by_name(encoding):
    assert "UTF-16 or UTF-32" in refusal((START + b"}").decode().encode(encoding)).detail


# JSON that is none


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_numbers_that_are_none_are_refused_with_the_way_out(number):
    assert "send null" in refusal(job_event(b'"x":' + number)).fix


@pytest.mark.parametrize(
    "wrong",
    [
        b'"x":01',
        b'"x":1.',
        b'"x":+1',
        b'"x":tru',
        b'"x":"\t"',
        b'"x":"\\q"',
        b"'x':1",
        b"x:1",
        b'"x":1,',
        b'"x":[1,]',
        b'"x"',
    ],
)
def test_malformed_json_is_refused_at_its_byte(wrong):
    refused = refusal(job_event(wrong))
    assert refused.code == "parse"
    assert re.search(r"at byte \d+", refused.detail)


@pytest.mark.parametrize("raw", [b"", b" \n", START, START[:20], START + b"} x", START + b"}" + START + b"}"])
def test_less_or_more_than_one_value_is_refused(raw):
    assert refusal(raw).code == "parse"


@pytest.mark.parametrize("number", [b"1e400", b"-1e-400", b"9" * 5_000, b"0." + b"9" * 5_000])
def test_numbers_no_machine_holds_stay_text_in_a_facet(number):
    raw = START.replace(b'"name":"b"', b'"name":"b","facets":{"f":%s}' % number) + b"}"
    assert decode(raw).job_facets == {"f": number}


# Limits


@pytest.mark.parametrize("place", [b'"x":%s', b'"inputs":[{"namespace":"a","name":"b","facets":{"f":%s}}]'])
@pytest.mark.parametrize("levels", [200, 990, 5_000, 1_000_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_is_refused_before_it_is_recursed_into(place, levels, opening, closing):
    assert refusal(job_event(place % (opening * levels + b"1" + closing * levels))).code == "limit"
    assert refusal(job_event(place % (opening * levels))).code == "limit"


def test_the_deepest_event_allowed_is_read_and_one_level_more_is_not():
    def nested(levels: int) -> bytes:
        return job_event(b'"x":' + b"[" * levels + b'"[{[{\\"["' + b"]" * levels)

    assert decode(nested(99)).job == Name("a", "b")
    assert "deeper than 100" in refusal(nested(100)).detail
    assert decode(job_event(b'"x":[' + b"[[1],{}]," * 5_000 + b"1]")).job == Name("a", "b")


def test_a_caller_deep_in_the_stack_gets_an_event_or_a_refusal():
    raw = job_event(b'"x":' + b"[" * 90 + b"]" * 90)

    def descend(levels: int) -> Event | None:
        return descend(levels - 1) if levels else decode_or_refuse(raw)

    assert descend(10) is not None
    assert descend(sys.getrecursionlimit() - len(inspect.stack()) - 60) is None


SKELETONS = st.recursive(
    st.integers() | st.text('a"\\[]{},:', max_size=6),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text('a"\\[]{},:', max_size=3), inner, max_size=5),
)


def depth_and_commas(value: object, depth: int = 0) -> tuple[int, dict[int, int]]:
    """The same by walking the value: an independent answer."""
    if not isinstance(value, dict | list):
        return depth, {}
    deepest, commas = depth + 1, {depth + 1: max(0, len(value) - 1)}
    for inner in value.values() if isinstance(value, dict) else value:
        below, more = depth_and_commas(inner, depth + 1)
        deepest = max(deepest, below)
        commas = {level: commas.get(level, 0) + more.get(level, 0) for level in commas | more}
    return deepest, commas


@given(SKELETONS, st.integers(1, 40))
def test_depth_and_commas_are_those_of_the_value_in_chunks_of_any_size(value, chunk):
    text = json.dumps(value).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_bytes, "_CHUNK", chunk)
        shape = measure(text, 1_000, with_commas=True)
    deepest, commas = depth_and_commas(value)
    assert shape.depth == deepest
    assert +shape.commas == {level: count for level, count in commas.items() if count}


@pytest.mark.parametrize(
    ("limits", "more", "pointer"),
    [
        (DecodeLimits(max_bytes=len(START)), b"", ""),
        (DecodeLimits(max_datasets=2), b',"inputs":[null,null],"outputs":[{"namespace":"a","name":"b"}]', ""),
        (DecodeLimits(max_facets=1), b',"run":{"runId":"a","facets":{"a":1,"b":1}}', "/run/facets"),
        (DecodeLimits(max_members=50), b',"x":[' + b"0," * 100 + b"0]", ""),
        (
            DecodeLimits(max_members=50),
            b',"inputs":[{"namespace":"","name":"","facets":{' + b",".join(b'"%d":1' % i for i in range(99)) + b"}}]",
            "",
        ),
        (DecodeLimits(max_name_bytes=9), b',"inputs":[{"namespace":"a","name":"0123456789"}]', "/inputs/0/name"),
        (DecodeLimits(max_name_bytes=9), ',"inputs":[{"namespace":"ééééé","name":""}]'.encode(), "/inputs/0/namespace"),
        (DecodeLimits(max_name_bytes=9), b',"dataset":{"namespace":"0123456789","name":"b"}', "/dataset/namespace"),
        (DecodeLimits(max_name_bytes=9), b',"run":{"runId":"0123456789"}', "/run/runId"),
        (DecodeLimits(max_name_bytes=9), b',"run":{"runId":"a","facets":{"0123456789":1}}', "/run/facets"),
        (
            DecodeLimits(max_name_bytes=9),
            b',"outputs":[{"namespace":"a","name":"b","outputFacets":{"0123456789":1}}]',
            "/outputs/0/outputFacets",
        ),
    ],
)  # fmt: skip
def test_what_is_over_a_limit_is_refused_where_it_is(limits, more, pointer):
    refused = refusal(START + more + b"}", limits)
    assert (refused.code, refused.pointer) == ("limit", pointer)


def test_what_is_just_within_the_limits_is_read():
    raw = job_event(b'"inputs":[null,{"namespace":"a","name":"012345678","facets":{"012345678":1}}]')
    limits = DecodeLimits(len(raw), max_depth=4, max_datasets=2, max_name_bytes=9, max_facets=1, max_members=6)
    assert decode(raw, limits).datasets[0].name == Name("a", "012345678")


@pytest.mark.parametrize(
    "more",
    [
        b'"inputs":[' + b"null," * 1_200_000 + b"null]",
        b'"inputs":[' + b'{"namespace":"","name":""},' * 150_000 + b"null]",
        b'"run":{"runId":"a","facets":{' + b",".join(b'"%x":1' % i for i in range(1_100_000)) + b"}}",
        b'"producer":[' + b"0," * 1_500_000 + b"0]",
        b'"x":1' + b"},[" + b"]]," * 700_000 + b"," * 1_000_000,
        b'"x":[' + b"[]," * 400_000 + b"9" * 2_000_000 + b"]",
        b'"x":[[[[' + b'"[",' * 400_000 + b'"' + b"\\\\" * 500_000,
    ],
    ids=["nulls", "datasets", "facets", "producer", "unbalanced", "brackets", "strings"],
)
def test_memory_stays_near_the_size_of_the_body_whatever_it_holds(more):
    raw = job_event(more)
    tracemalloc.start()
    try:
        decode_or_refuse(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 48 * 1024 * 1024 + 2 * len(raw)
