"""What one schema differs from another in. A renamed column is one less and one more: renames are not guessed."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from catalog.domain.changes import Column


@dataclass(frozen=True, slots=True)
class Retyped:
    """A column with another type; None where nobody said one. `name` is the path, as in `Column`."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A column at another place among those beside it (of the same parent), counted from 1."""

    name: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class SchemaChanges:
    """From one schema to another. Removed columns are in the order of the first, all others in that of the second."""

    added: tuple[Column, ...] = ()
    removed: tuple[Column, ...] = ()
    retyped: tuple[Retyped, ...] = ()
    moved: tuple[Moved, ...] = ()
    redescribed: tuple[str, ...] = ()


def compare(before: Iterable[Column], after: Iterable[Column]) -> SchemaChanges:
    """What changed. Columns are the same by their path; of several with one path the first counts."""
    old, new = _by_path(before), _by_path(after)
    both = [(old[name], column) for name, column in new.items() if name in old]
    return SchemaChanges(
        tuple(column for name, column in new.items() if name not in old),
        tuple(column for name, column in old.items() if name not in new),
        tuple(Retyped(b.name, a.type, b.type) for a, b in both if a.type != b.type),
        tuple(_moved(old, new)),
        tuple(b.name for a, b in both if (a.description or "") != (b.description or "")),
    )


def _by_path(columns: Iterable[Column]) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for column in columns:
        found.setdefault(column.name, column)
    return found


def _moved(old: Mapping[str, Column], new: Mapping[str, Column]) -> Iterable[Moved]:
    """The fewest columns without which all others are in the order they were in.

    That a column before it came or went does not move a column.
    """
    was, now = _places(old), _places(new)
    for parent, places in now.items():
        before = was.get(parent, {})
        common = [name for name in places if name in before]
        staying = _longest_rising([before[name] for name in common])
        yield from (Moved(n, before[n], places[n]) for i, n in enumerate(common) if i not in staying)


def _places(columns: Mapping[str, Column]) -> dict[str, dict[str, int]]:
    """The place of each column beside the others of its parent: by ordinals where all have one, else as listed."""
    beside: dict[str, list[Column]] = defaultdict(list)
    parents: list[str] = []
    for column in columns.values():
        # Depth first: a parent is one of the columns before it whose path goes on here.
        while parents and not column.name.startswith(f"{parents[-1]}."):
            parents.pop()
        beside[parents[-1] if parents else ""].append(column)
        parents.append(column.name)
    return {parent: {column.name: i for i, column in enumerate(_ordered(of), 1)} for parent, of in beside.items()}


def _ordered(columns: Sequence[Column]) -> Sequence[Column]:
    ordinals = [column.ordinal for column in columns if column.ordinal is not None]
    if len(set(ordinals)) < len(columns):
        return columns
    return sorted(columns, key=lambda column: column.ordinal or 0)


def _longest_rising(numbers: Sequence[int]) -> set[int]:
    """The places of a longest subsequence that rises."""
    ends: list[int] = []
    places: list[int] = []
    before: list[int] = []
    for place, number in enumerate(numbers):
        length = bisect_left(ends, number)
        before.append(places[length - 1] if length else -1)
        ends[length:] = [number, *ends[length + 1 :]]
        places[length:] = [place, *places[length + 1 :]]
    chosen: set[int] = set()
    place = places[-1] if places else -1
    while place >= 0:
        chosen.add(place)
        place = before[place]
    return chosen
