"""A body of many events: each comes out as the bytes it went in, whatever is wrong with its neighbours."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.domain.errors import NotAnEvent
from catalog.ingest.decode import DecodeLimits, batch
from catalog.ingest.json_bytes import split_array

ONE = b'{ "a":1}'
TWO = '{"b":"],[{\\"é\\\\"}'.encode()


def test_the_elements_of_an_array_are_exactly_the_bytes_received():
    body = b" [\n " + ONE + b" ,\t" + TWO + b"\n] "
    assert list(batch(body, "application/json; charset=utf-8")) == [(0, ONE), (1, TWO)]


@pytest.mark.parametrize(
    "content_type", ["application/x-ndjson", "application/ndjson", "Application/JSONL ; charset=utf-8"]
)
def test_lines_are_events_and_blank_lines_are_none(content_type):
    body = b"\n" + ONE + b"\r\n \t \r\n" + TWO + b"\n" + b"broken"
    assert list(batch(body, content_type)) == [(0, ONE), (1, TWO), (2, b"broken")]


def test_empty_batches_have_no_events():
    assert list(batch(b"[ ]", "application/json")) == []
    assert list(batch(b" \n\n", "application/x-ndjson")) == []


def test_a_byte_order_mark_before_a_batch_is_skipped():
    assert list(batch(b"\xef\xbb\xbf[" + ONE + b"]", "application/json")) == [(0, ONE)]
    assert list(batch(b"\xef\xbb\xbf" + ONE, "application/x-ndjson")) == [(0, ONE)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (ONE, "shape"), (b"", "parse"), (b"null", "parse"), (b"NaN", "parse"), (b"x[]", "parse"),
        ("[]".encode("utf-16"), "parse"),
    ],
)  # fmt: skip
def test_what_is_no_array_is_refused_as_a_whole_before_anything_is_read(body, code):
    with pytest.raises(NotAnEvent) as refused:
        batch(body, "application/json")
    assert refused.value.code == code


@pytest.mark.parametrize(
    "broken", [b'{"x":NaN}', b'{"x":"\\ud800"}', b"", b"{'x':1}", b'{"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}"]
)
def test_a_broken_element_leaves_the_others_good(broken):
    body = b"[" + ONE + b", " + broken + b" ," + TWO + b"]"
    assert list(batch(body, "application/json")) == [(0, ONE), (1, broken), (2, TWO)]


@pytest.mark.parametrize("rest", [b"", b" , "])
def test_of_an_array_that_is_cut_off_between_elements_the_good_ones_come_and_then_a_word(rest):
    (_, first), (_, second), (index, word) = batch(b"[" + ONE + b"," + TWO + rest, "application/json")
    assert (first, second, index) == (ONE, TWO, 2)
    assert isinstance(word, NotAnEvent)
    assert word.code == "parse"


def test_of_an_array_that_is_cut_off_within_an_element_the_rest_comes_as_bytes():
    parts = [part for _, part in batch(b"[" + ONE + b"," + TWO[:-4], "application/json")]
    assert parts[:2] == [ONE, TWO[:-4]]
    assert [type(part) for part in parts[2:]] == [NotAnEvent]


def test_what_stands_after_an_array_is_not_lost():
    assert list(batch(b"[" + ONE + b"] " + TWO, "application/json")) == [(0, ONE), (1, TWO)]


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
def test_more_events_than_allowed_end_with_a_word(content_type):
    body = b"[1,\n2,\n3]" if content_type == "application/json" else b"1\n2\n3"
    *_, (index, word) = batch(body, content_type, DecodeLimits(max_events=2))
    assert index == 2
    assert isinstance(word, NotAnEvent)
    assert word.code == "limit"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\[]{},: \n\u20ac'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('a"\\[]{},:'), inner, max_size=4),
)


@given(st.lists(VALUES, max_size=6), st.sampled_from([None, 1]), st.booleans())
def test_cutting_an_array_by_hand_gives_what_the_parser_gives(values, indent, plain):
    text = json.dumps(values, indent=indent, ensure_ascii=plain).encode()
    elements = [element for element in split_array(text, most=-1) if isinstance(element, bytes)]
    assert elements == list(split_array(text, most=1_000_000))
    assert [json.loads(element) for element in elements] == values


@given(st.binary(max_size=80) | st.text('[]{},:"\\a1 ').map(str.encode), st.sampled_from(["json", "x-ndjson"]))
def test_any_body_is_split_or_refused_and_nothing_but_blanks_and_marks_is_lost(body, content_type):
    try:
        parts = [part for _, part in batch(body, "application/" + content_type) if isinstance(part, bytes)]
    except NotAnEvent:
        return
    assert all(part in body for part in parts)
    lost = len(body.removeprefix(b"\xef\xbb\xbf")) - sum(map(len, parts))
    assert lost <= sum(map(body.count, (b" ", b"\t", b"\r", b"\n", b",", b"[", b"]", b"}")))


@pytest.mark.parametrize("body", [b"[" * 3_000_000, b"[[" + b"[]," * 2_000_000, b'["' + b"\\\\" * 1_000_000])
def test_an_array_nobody_can_take_apart_ends_with_a_word(body):
    *_, (_, word) = batch(body, "application/json")
    assert isinstance(word, NotAnEvent)
