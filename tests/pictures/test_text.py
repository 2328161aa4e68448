"""Names get into a picture as text that shows, fits and means nothing to XML."""

from __future__ import annotations

import time
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from catalog.domain.names import visible
from catalog.pictures.text import fitted, markup, told, width


@given(st.text())
def test_any_name_is_valid_xml_and_comes_back_from_it(name: str):
    text = visible(name)
    assert ET.fromstring(f"<a b={chr(34)}{markup(text)}{chr(34)}>{markup(text)}</a>").text == (text or None)  # noqa: S314 - our own
    assert text.isprintable()


@given(st.text(max_size=300), st.sampled_from([40.0, 100.0, 260.0]), st.booleans())
def test_a_label_takes_no_more_than_its_room(name: str, room: float, bold: bool):
    label = fitted(name, room, 12, bold=bold)
    assert label.width <= room
    assert abs(label.width - width(label.text, 12, bold=bold)) < 0.01
    assert label.text.strip()


def test_a_long_name_keeps_both_ends_and_its_whole_in_the_tooltip():
    name = "warehouse.public.orders_of_the_last_financial_year_v2"
    label = fitted(name, 150, 12)
    begin, end = label.text.split("…")
    assert name.startswith(begin)
    assert name.endswith(end)
    assert told(name) == name


def test_a_name_of_a_megabyte_is_shortened_everywhere_and_at_once():
    began = time.process_time()
    name = "x" * 1_000_000
    assert told(name).endswith("… (1,000,000 characters)")
    assert len(told(name)) < 500
    assert len(fitted(name, 200, 12).text) < 50
    assert time.process_time() - began < 0.1


def test_what_does_not_show_or_turns_text_around_is_written_out():
    assert visible("\u202egpj.exe\x00\x1b[2J") == "\\u202egpj.exe\\x00\\x1b[2J"
    assert fitted(" ", 100, 12).text == "“ ”"


def test_towers_of_accents_are_cut_down_in_labels():
    assert fitted("a" + "\u0301" * 50, 100, 12).text == "a\u0301\u0301"
