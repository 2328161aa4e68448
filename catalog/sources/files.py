"""Events in files: JSON, NDJSON, gzip of either, folders of them, and standard input; one record at a time.

What a file holds is told by its content. Names only decide which files of a folder are looked into.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import msgspec

from catalog.domain.errors import BadRequest, CatalogError
from catalog.ingest.json_bytes import BLANK, without_bom

STDIN: Final = "-"
"""The path that stands for standard input."""

SUFFIXES: Final = (".json", ".ndjson", ".jsonl", ".json.gz", ".ndjson.gz", ".jsonl.gz")
"""What a folder is searched for."""

KEPT: Final = 64 * 1024
"""Bytes kept of a record over the limit: enough to see what it is."""

_CHUNK: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_OUTSIDE_TEXT: Final = re.compile(rb'["\[\]{},]')
_INSIDE_TEXT: Final = re.compile(rb'["\\]')
_objects: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

OnRead = Callable[[int], None]
"""Told how many more bytes of the files (as they are on disk) were read."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What should be one event: the bytes as they are in the file, beginning on line `position` (from 1).

    Of a record over the limit `raw` is only the beginning, and `digest` the SHA-256 of all its `size` bytes.
    """

    path: str
    position: int
    raw: bytes
    size: int
    digest: bytes | None = None

    @property
    def place(self) -> str:
        """Where the record is, as editors and compilers write it."""
        return f"{self.path}:{self.position}"


def expand(paths: Iterable[str]) -> list[str]:
    """The files meant by `paths`: folders become the event files in and below them, in order of their names.

    Raises:
        BadRequest: a path is not there, or a folder has nothing to read.
    """
    found: list[str] = []
    for path in paths:
        if path == STDIN or (Path(path).exists() and not Path(path).is_dir()):
            found.append(path)
        elif Path(path).is_dir():
            found += _event_files(path)
        else:
            raise BadRequest(f"There is no file or folder {path}.", fix="Check the path; - reads standard input.")
    return found


def size(paths: Iterable[str]) -> int | None:
    """The bytes of these files together; None where one (a pipe, standard input) does not tell."""
    total = 0
    for path in paths:
        if path == STDIN or not Path(path).is_file():
            return None
        total += Path(path).stat().st_size
    return total


def records(paths: Iterable[str], limit: int, on_read: OnRead | None = None) -> Iterator[FileRecord]:
    """Every record of the files, in order, reading no further than it has to.

    Args:
        paths: files as `expand` gives them; "-" is standard input.
        limit: bytes of a record held in memory at most; see `FileRecord` for what is larger.
        on_read: for a progress bar.

    Raises:
        CatalogError: a file cannot be read to its end; what came before it was given out.
    """
    for path in paths:
        with _opened(path, on_read) as stream:
            try:
                for position, piece in _split(stream, limit):
                    yield piece.record(path, position)
            except (OSError, EOFError, zlib.error) as error:
                raise CatalogError(
                    f"{path} cannot be read to its end: {error}.", fix="What came before was read; is the file whole?"
                ) from error


def _event_files(folder: str) -> list[str]:
    found = [
        os.path.join(parent, name)  # noqa: PTH118 - pathlib would drop the "./" a user typed, and names must match
        for parent, _, names in os.walk(folder)
        for name in names
        if name.endswith(SUFFIXES) and not name.startswith(".")
    ]
    if not found:
        raise BadRequest(f"There are no events in {folder}.", fix=f"Files are found by {', '.join(SUFFIXES)}.")
    return sorted(found)


@contextmanager
def _opened(path: str, on_read: OnRead | None) -> Iterator[io.BufferedIOBase]:
    try:
        raw = sys.stdin.buffer if path == STDIN else Path(path).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise CatalogError(f"{path} cannot be read: {error.strerror}.", fix="Check its permissions.") from error
    try:
        watched = io.BufferedReader(_Watched(raw, on_read), _CHUNK)
        # By content, as standard input has no name.
        packed = watched.peek(len(_GZIP)).startswith(_GZIP)
        yield gzip.GzipFile(fileobj=watched, mode="rb") if packed else watched
    finally:
        if path != STDIN:
            raw.close()


class _Watched(io.RawIOBase):
    """A file that tells how much of it was read."""

    def __init__(self, file: IO[bytes], on_read: OnRead | None) -> None:
        self._file = file
        self._on_read = on_read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # every caller passes a memoryview
        chunk = self._file.read(len(buffer))
        buffer[: len(chunk)] = chunk
        if self._on_read:
            self._on_read(len(chunk))
        return len(chunk)


class _Piece:
    """The bytes of one record as they are gathered, with the end cut off where they are too many."""

    def __init__(self, limit: int) -> None:
        self.head = bytearray()
        self.size = 0
        self.lines = 0
        self._limit = limit
        self._hash: hashlib._Hash | None = None

    def add(self, part: bytes) -> None:
        self.size += len(part)
        self.lines += part.count(b"\n")
        if self._hash is not None:
            self._hash.update(part)
            return
        self.head += part
        if self.size > self._limit:
            self._hash = hashlib.sha256(self.head)
            del self.head[KEPT:]

    @property
    def blank(self) -> bool:
        return self._hash is None and not self.head.strip(BLANK)

    def record(self, path: str, position: int) -> FileRecord:
        if self._hash is not None:
            return FileRecord(path, position, bytes(self.head), self.size, self._hash.digest())
        raw = bytes(self.head.strip(BLANK))
        return FileRecord(path, position, raw, len(raw))


def _split(stream: io.BufferedIOBase, limit: int) -> Iterator[tuple[int, _Piece]]:
    """The records of a file with the line each begins on."""
    head = without_bom(stream.read(_CHUNK))
    chunks = _chunks(head, stream)
    line = 1
    for piece in _lines(chunks, limit) if _is_ndjson(head) else _values(chunks, limit):
        if not piece.blank:
            before = len(piece.head) - len(piece.head.lstrip(BLANK))
            yield line + piece.head.count(b"\n", 0, before), piece
        line += piece.lines


def _chunks(head: bytes, stream: io.BufferedIOBase) -> Iterator[bytes]:
    yield head
    while chunk := stream.read(_CHUNK):
        yield chunk


def _is_ndjson(head: bytes) -> bool:
    """Whether every line is a record by itself, also where some of them are broken.

    The lines of a document printed over many do not begin with a whole object at their left edge, `{}` excepted.
    """
    text = head.lstrip(BLANK)
    if text.startswith(b"["):
        return False
    lines = text.split(b"\n")
    return _object(lines[0]) is not None or (
        _object(text) is None and any(line.startswith(b"{") and _object(line) for line in lines[1:])
    )


def _object(text: bytes) -> dict[str, msgspec.Raw] | None:
    try:
        return _objects.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _lines(chunks: Iterable[bytes], limit: int) -> Iterator[_Piece]:
    piece = _Piece(limit)
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start) + 1) > 0:
            piece.add(chunk[start:end])
            yield piece
            piece, start = _Piece(limit), end
        piece.add(chunk[start:])
    yield piece


def _values(chunks: Iterable[bytes], limit: int) -> Iterator[_Piece]:
    """JSON values one after another, and the elements of arrays that are not inside of another value.

    Only brackets are looked at, so what is broken inside comes out as one piece too. A decoder would need the value
    as a whole to tell a broken one from one that goes on.
    """
    piece, marks = _Piece(limit), _Marks()
    depth, listing = 0, False
    for chunk in chunks:
        start = 0
        for end, mark in marks.of(chunk):
            if mark in b"{[":
                outside = not (depth or listing or chunk[start : end - 1].strip(BLANK)) and piece.blank
                if mark == b"{" or not outside:
                    depth += 1
                    continue
                listing, cut = True, end - 1
            elif depth:
                depth -= mark != b","
                if depth or listing:
                    continue
                cut = end
            elif listing and mark != b"}":
                listing, cut = mark == b",", end - 1
            else:
                continue
            piece.add(chunk[start:cut])
            yield piece
            piece, start = _Piece(limit), end
        piece.add(chunk[start:])
    if listing and piece.blank:
        raise EOFError("the array is not closed")
    yield piece


class _Marks:
    """Brackets and commas outside of texts, chunk by chunk."""

    def __init__(self) -> None:
        self._in_text = False
        self._skip = 0

    def of(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """Where each stands (the place after it), and which it is."""
        at = self._skip
        while found := (_INSIDE_TEXT if self._in_text else _OUTSIDE_TEXT).search(chunk, at):
            at, mark = found.end(), found[0]
            if mark == b'"':
                self._in_text = not self._in_text
            elif mark == b"\\":
                at += 1
            else:
                yield at, mark
        self._skip = max(at - len(chunk), 0)
