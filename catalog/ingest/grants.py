"""What a key that is limited to namespaces may say: pure, and the whole rule.

It writes its own namespaces alone. Others it may name where data comes from, and say there what a run observes (schema,
storage, statistics); what governs a dataset (owners, tags, description, type, other names, a drop) is said by those
who may write it.
Otherwise any producer could take over another team's lineage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from catalog import facets
from catalog.domain.callers import Caller
from catalog.domain.changes import Change, Explicit, LifecycleChanged, Name, Symlinked
from catalog.domain.errors import Forbidden
from catalog.domain.event import DatasetMention, Event, Facets
from catalog.domain.words import Role, Scope

GOVERNING: Final = frozenset(
    {"datasetType", "documentation", "lifecycleStateChange", "lineage", "ownership", "symlinks", "tags"}
)
"""Facets of a dataset that say whose it is and what it is, whatever is in them."""

_SHOWN: Final = 200
_PLACES: Final = {Role.INPUT: "/inputs", Role.OUTPUT: "/outputs"}


@dataclass(frozen=True, slots=True)
class Trespass:
    """Something said about a namespace that the sender may not write: where in the event, and what."""

    namespace: str
    pointer: str
    what: str


def refusal(event: Event, caller: Caller) -> Forbidden | None:
    """Why this caller may not send this event; None if it may."""
    if not caller.namespaces:
        return None
    found = list(trespasses(event, caller.may_write))
    if not found:
        return None
    first = found[0]
    needed = " ".join(f"--namespace '{_short(name)}'" for name in dict.fromkeys(one.namespace for one in found))
    return Forbidden(
        f"{first.what} is in the namespace '{_short(first.namespace)}', which {caller.name} may not write to.",
        pointer=first.pointer,
        fix=f"Ask for a key that also has {_short(needed)}, or leave this to those who have one.",
    )


def trespasses(event: Event, may_write: Callable[[str], bool]) -> Iterator[Trespass]:
    """Everything in the event that would write where the sender may not, in the order of the event."""
    if event.job is not None:
        if not may_write(event.job.namespace):
            yield Trespass(event.job.namespace, "/job/namespace", "The job")
        yield from _named(Scope.JOB, event.job_facets, "/job/facets", may_write)
    for mention, at in _placed(event):
        if not may_write(mention.name.namespace):
            yield from _foreign(mention, at)
        yield from _named(Scope.DATASET, mention.facets, f"{at}/facets", may_write)


def _foreign(mention: DatasetMention, at: str) -> Iterator[Trespass]:
    namespace = mention.name.namespace
    if mention.role is not Role.INPUT:
        yield Trespass(namespace, f"{at}/namespace", "The dataset written")
        return
    for name, payload in mention.facets.items():
        if name in GOVERNING or _may_delete(payload):
            yield Trespass(namespace, f"{at}/facets/{_escaped(name)}", f"The input that {_short(name)} governs")


def _named(scope: Scope, given: Facets, at: str, may_write: Callable[[str], bool]) -> Iterator[Trespass]:
    """Names in facets to which something is done: lineage into them, identity shared with them."""
    for facet, payload in given.items():
        for what, name in (one for change in _changes(scope, facet, payload) for one in _written(change)):
            if not may_write(name.namespace):
                yield Trespass(name.namespace, f"{at}/{_escaped(facet)}", what)


def _written(change: Change) -> Iterator[tuple[str, Name]]:
    match change:
        case Explicit(entries):
            # Of every type: one that means nothing today may mean something when the log is replayed.
            yield from (("The target of a lineage entry", entry.name) for entry in entries if entry.name is not None)
        case Symlinked(names):
            yield from (("The other name of a dataset", name) for name, _ in names)
        case LifecycleChanged(_, previous) if previous is not None:
            yield "The former name of a dataset", previous
        case _:
            pass


def _changes(scope: Scope, name: str, payload: bytes) -> tuple[Change, ...]:
    facet = facets.find(scope, name)
    if facet is None:
        return ()
    try:
        return facet.changes(payload)
    except ValueError:
        return ()  # Nothing is made of it, so nothing is done to anybody.


def _placed(event: Event) -> Iterator[tuple[DatasetMention, str]]:
    """Every mention of a dataset with its JSON pointer; nulls among them were left out, and have a warning each."""
    nulls = {warning.pointer for warning in event.warnings if warning.code == "null"}
    index = dict.fromkeys(_PLACES, 0)
    for mention in event.datasets:
        if mention.role is Role.DECLARED:
            yield mention, "/dataset"
            continue
        place = _PLACES[mention.role]
        while f"{place}/{index[mention.role]}" in nulls:
            index[mention.role] += 1
        yield mention, f"{place}/{index[mention.role]}"
        index[mention.role] += 1


def _may_delete(payload: bytes) -> bool:
    """Whether the facet takes back what others said. Text that says so and cannot be read counts as well."""
    if b"_deleted" not in payload and b"\\u" not in payload:
        return False
    try:
        said = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return True
    return isinstance(said, dict) and bool(said.get("_deleted"))


def _escaped(name: str) -> str:
    return _short(name.replace("~", "~0").replace("/", "~1"))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
