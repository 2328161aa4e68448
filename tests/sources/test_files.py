"""Whatever way events are written into files, they come out one by one, with the place where each stands."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.domain.errors import BadRequest, CatalogError
from catalog.sources import files

LIMIT = 32 * 1024 * 1024
EVENTS = [{"a": {"b": [1, {"c": '}{][,\\"'}]}}, {"x": "\\"}, {"names": ["ü", "\n", ""]}, {}]


def read(path: Path, content: bytes, limit: int = LIMIT) -> list[files.FileRecord]:
    path.write_bytes(content)
    return list(files.records([str(path)], limit))


def placed(found: Sequence[files.FileRecord]) -> list[tuple[int, Any]]:
    return [(record.position, json.loads(record.raw)) for record in found]


def test_lines_are_records_of_their_own_and_blank_ones_are_none(tmp_path: Path) -> None:
    found = read(tmp_path / "e", b'\n{"a": 1}\r\n\n  {"b":2}  \n\n')
    assert [(r.position, r.raw) for r in found] == [(2, b'{"a": 1}'), (4, b'{"b":2}')]


def test_one_event_over_many_lines_is_one_record_byte_for_byte(tmp_path: Path) -> None:
    text = json.dumps(EVENTS[0], indent=4).encode()
    (found,) = read(tmp_path / "e.ndjson", b"\n" + text + b"\n")
    assert (found.position, found.raw) == (2, text)


def test_an_array_gives_its_elements_and_the_line_of_each(tmp_path: Path) -> None:
    text = b"[\n" + b",\n".join(json.dumps(event).encode() for event in EVENTS) + b"\n]\n"
    assert placed(read(tmp_path / "e", text)) == list(enumerate(EVENTS, 2))


def test_documents_printed_one_after_another_are_told_apart(tmp_path: Path) -> None:
    text = "\n".join(json.dumps(event, indent=2) for event in EVENTS)
    assert [value for _, value in placed(read(tmp_path / "e", text.encode()))] == EVENTS


def test_a_broken_line_does_not_take_its_neighbours_with_it(tmp_path: Path) -> None:
    found = read(tmp_path / "e", b'{"a": [1, {"b"\n{"c": 3}\n{"d": "open\n{"e": 5}\n')
    assert [r.raw for r in found] == [b'{"a": [1, {"b"', b'{"c": 3}', b'{"d": "open', b'{"e": 5}']


def test_a_broken_element_of_an_array_is_given_out_like_the_good_ones(tmp_path: Path) -> None:
    found = read(tmp_path / "e", b'[{"a": 1}, {"b": nope}, {"c": 3}]')
    assert [r.raw for r in found] == [b'{"a": 1}', b'{"b": nope}', b'{"c": 3}']


def test_text_that_is_no_json_is_one_record(tmp_path: Path) -> None:
    assert [r.raw for r in read(tmp_path / "e", b"a,b\n1,2\n")] == [b"a,b\n1,2"]


def test_a_byte_order_mark_belongs_to_the_file_and_not_to_its_first_event(tmp_path: Path) -> None:
    assert [r.raw for r in read(tmp_path / "e", b'\xef\xbb\xbf{"a": 1}\n{"b": 2}')] == [b'{"a": 1}', b'{"b": 2}']


@pytest.mark.parametrize("content", [b"", b"\n \n", b"[]", b" [ ] "])
def test_nothing_comes_out_of_what_is_empty(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path / "e", content) == []


def test_an_array_that_is_cut_off_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "e"
    path.write_bytes(b'[{"a": 1}, {"b": 2},')
    reading = files.records([str(path)], LIMIT)
    assert [next(reading).raw, next(reading).raw] == [b'{"a": 1}', b'{"b": 2}']
    with pytest.raises(CatalogError, match="not closed"):
        next(reading)


def test_gzip_is_told_by_content_and_not_by_name(tmp_path: Path) -> None:
    assert [r.raw for r in read(tmp_path / "e.json", gzip.compress(b'{"a": 1}\n{"b": 2}\n'))] == [
        b'{"a": 1}',
        b'{"b": 2}',
    ]


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:2000] + b"\0\0\0\0" + b[2004:]])
def test_a_damaged_gzip_file_is_an_error_that_names_the_file(tmp_path: Path, damage: Any) -> None:
    noise = b"".join(sha256(bytes([number])).hexdigest().encode() for number in range(256))
    with pytest.raises(CatalogError, match=r"e\.gz cannot be read to its end"):
        read(tmp_path / "e.gz", damage(gzip.compress(b'{"a": "' + noise + b'"}\n')))


def test_a_folder_gives_its_event_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b/2.json", "b/1.ndjson.gz", "a.jsonl", "notes.md", ".hidden.json", "c.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    found = files.expand([str(tmp_path)])
    assert [str(Path(path).relative_to(tmp_path)) for path in found] == ["a.jsonl", "b/1.ndjson.gz", "b/2.json"]


def test_a_file_that_is_named_is_read_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_bytes(b"{}")
    assert files.expand([str(path), "-"]) == [str(path), "-"]


def test_a_path_that_is_not_there_is_an_error_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no file or folder"):
        files.expand([str(tmp_path / "nowhere.json")])


def test_a_folder_without_events_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no events"):
        files.expand([str(tmp_path)])


def test_standard_input_is_read_like_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(b'{"a": 1}\n{"b": 2}'))))
    assert [r.place for r in files.records(["-"], LIMIT)] == ["-:1", "-:2"]


@pytest.mark.parametrize("content", [b'{"a": 1}\n{"b": "%s"}\n{"c": 3}', b'[{"a": 1},\n{"b": "%s"},\n{"c": 3}]'])
def test_of_a_record_over_the_limit_the_beginning_the_size_and_the_digest_are_known(
    tmp_path: Path, content: bytes
) -> None:
    large = b'{"b": "' + b"x" * 3_000_000 + b'"}'
    first, found, last = read(tmp_path / "e", content.replace(b'{"b": "%s"}', large), limit=1_000_000)
    assert (first.raw, first.digest, last.raw) == (b'{"a": 1}', None, b'{"c": 3}')
    assert large.startswith(found.raw.strip())
    assert len(found.raw) == files.KEPT
    assert found.position == 2
    assert found.digest in {sha256(large).digest(), sha256(large + b"\n").digest(), sha256(b"\n" + large).digest()}


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "large.ndjson"
    with path.open("wb") as file:
        for _ in range(40):
            file.write((b'{"a": "' + b"x" * 5_000 + b'"}\n') * 200)
    tracemalloc.start()
    try:
        assert sum(1 for _ in files.records([str(path)], LIMIT)) == 8_000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8_000_000 < path.stat().st_size // 4


def test_progress_adds_up_to_the_size_of_the_files_on_disk(tmp_path: Path) -> None:
    paths = [str(tmp_path / "a.json"), str(tmp_path / "b.gz")]
    Path(paths[0]).write_bytes(b'{"a": 1}\n' * 100_000)
    Path(paths[1]).write_bytes(gzip.compress(b'{"a": 1}\n' * 100_000))
    read_bytes: list[int] = []
    assert sum(1 for _ in files.records(paths, LIMIT, read_bytes.append)) == 200_000
    assert sum(read_bytes) == files.size(paths)
    assert files.size([*paths, "-"]) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def written(events: list[Any], way: str) -> str:
    match way:
        case "lines":
            return "\n".join(json.dumps(event) for event in events)
        case "array":
            return json.dumps(events, ensure_ascii=False)
        case "printed array":
            return json.dumps(events, indent=1)
        case _:
            return "\n".join(json.dumps(event, indent=2, ensure_ascii=False) for event in events)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written")


@pytest.mark.parametrize("way", ["lines", "array", "printed array", "printed one after another"])
# A chunk of a byte means to look at every byte again and again.
@settings(max_examples=settings().max_examples // 4)
@given(
    events=st.lists(st.dictionaries(st.text(), json_values, min_size=1, max_size=4), max_size=4),
    chunk=st.integers(1, 9),
)
def test_events_come_out_the_same_whichever_way_they_were_written(
    folder: Path, way: str, events: list[Any], chunk: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # What a file is is told by its first chunk, so small ones are for what can be told by its first byte.
        if way in {"array", "printed array"}:
            patch.setattr(files, "_CHUNK", chunk)
        found = read(folder / "events", written(events, way).encode())
    assert [json.loads(record.raw) for record in found] == events
