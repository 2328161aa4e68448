"""What datasets are called, for the oracle: symlinks and renames, whoever said them and when."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from oracle_events import Event, Name, facet, former_name, name_of

Rename = tuple[int, Name, Name]
"""When, to what, from what."""
Turn = tuple[int, int]
"""When, and how many renames of that moment are done by then."""


def renames(events: Iterable[Event], ended: Callable[[Event], int | None]) -> Iterator[Rename]:
    """When datasets were renamed, to what and from what: by a run when it completes, by another event at once."""
    for event in events:
        at = ended(event) if "run" in event.body else event.at
        for role in ("dataset",) if "dataset" in event.body else ("inputs", "outputs"):
            for name, part in event.mentions(role):
                before = former_name(name, part)
                if at is not None and before is not None:
                    yield at, name, before


def turns(renames: Collection[Rename]) -> dict[Rename, Turn]:
    """In which order datasets were renamed: of those of one moment, whatever has to free a name for another first.

    What waits for itself waits longest.
    """
    found = {}
    for rename in renames:
        waits_for, many = {rename}, 0
        while waits_for and many <= len(renames):
            waits_for = {one for one in renames if any((one[0], one[2]) == (at, new) for at, new, _ in waits_for)}
            many += 1
        found[rename] = rename[0], many
    return found


def shown_names(events: Iterable[Event], renames: Collection[Rename]) -> dict[Name, Name]:
    """The one name of each dataset that has several.

    It is the one a rename gave last, unless it was given up later; else the least of those that said they have others.
    """
    said, never = set(_symlinks(events)), (float("-inf"), 0)
    into, away = dict[Name, Turn](), dict[Name, Turn]()
    for (_, new, old), turn in sorted(turns(renames).items(), key=lambda one: one[1]):
        said.add((new, old))
        into[new], away[old] = turn, turn
    declaring = {one for one, _ in said}

    def rank(name: Name) -> tuple[bool, float, int, bool, str]:
        at, place = given = into.get(name, never)
        return away.get(name, never) > given, -at, -place, name not in declaring, f"{name[0]}\x1f{name[1]}"

    return {name: min(together, key=rank) for name, together in _groups(said).items()}


def always_same(events: Iterable[Event], renames: Iterable[Rename]) -> Callable[[Name], frozenset[Name]]:
    """Which names are one by what is said of them, and not because one was given in place of the other."""
    groups = _groups(set(_symlinks(events)) - {(new, old) for _, new, old in renames})
    return lambda name: groups.get(name, frozenset([name]))


def _symlinks(events: Iterable[Event]) -> Iterator[tuple[Name, Name]]:
    for event in events:
        for role in ("dataset",) if "dataset" in event.body else ("inputs", "outputs"):
            for name, part in event.mentions(role):
                said = facet(part, "symlinks") or {"identifiers": []}
                yield from ((name, other) for other in map(name_of, said["identifiers"]) if other != name)


def _groups(said: Iterable[tuple[Name, Name]]) -> dict[Name, frozenset[Name]]:
    same: dict[Name, frozenset[Name]] = {}
    for one, other in said:
        together = same.get(one, frozenset([one])) | same.get(other, frozenset([other]))
        same.update(dict.fromkeys(together, together))
    return same
