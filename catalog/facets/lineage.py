"""Explicit lineage: what a job made from what, or what a dataset is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from catalog.domain.changes import Change, Explicit, LineageEntry, Name, Source
from catalog.domain.salvage import part_reader
from catalog.domain.wire import HowMade, Shape, present, transformations
from catalog.domain.words import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME: Final = "lineage"
SUBJECTS: Final = frozenset({Scope.JOB, Scope.DATASET})


class _Subject(Shape):
    # Any type: kinds unknown today (MODEL, DASHBOARD) are announced, and keep what name they were sent with.
    type: str
    namespace: str | None = None
    name: str | None = None
    run_id: str | None = None

    def __post_init__(self) -> None:
        # Of what is known today only the event's own job may go without a name. Half a name is a mistake, never the
        # own job; of other kinds nobody knows yet what a name is.
        kind, parts = self.type.upper(), (self.namespace, self.name)
        if kind in _KNOWN and None in parts and (kind != "JOB" or parts != (None, None)):
            raise ValueError(f"a {self.type} in a lineage facet needs a namespace and a name")


class _Input(_Subject):
    field: str | None = None
    transformations: list[HowMade | None] | None = None


class _Column(Shape):
    inputs: list[_Input | None] | None = None


class _Entry(_Subject):
    inputs: list[_Input | None] | None = None
    fields: dict[str, _Column | None] | None = None


class _Facet(Shape):
    entries: list[_Entry | None] | None = None
    inputs: list[_Input | None] | None = None
    fields: dict[str, _Column | None] | None = None


_read: Final = part_reader(_Facet)
_KNOWN: Final = frozenset({"DATASET", "JOB"})


def changes(payload: bytes) -> tuple[Change, ...]:
    """The entries of a job's facet, or the one entry that a dataset's facet is: those parts that can be read.

    Raises:
        ValueError: this is no such facet, or nothing of it can be read.
    """
    facet, unread = _read(payload)
    if facet.entries is not None:
        entries = tuple(map(_entry, present(facet.entries)))
        if unread and not entries:
            raise ValueError("no entry of the lineage facet can be read")
        return (Explicit(entries, unread),)
    sources, columns = _sources(facet.inputs), tuple(_columns(facet.fields))
    sourceless = _sourceless(facet.inputs, facet.fields)
    if (facet.inputs is None and facet.fields is None) or (unread and not (sources or columns or sourceless)):
        raise ValueError("a lineage facet with neither entries nor inputs nor fields")
    return (Explicit((LineageEntry("DATASET", None, sources, columns, None, sourceless),), unread),)


def _entry(sent: _Entry) -> LineageEntry:
    columns, sourceless = tuple(_columns(sent.fields)), _sourceless(sent.inputs, sent.fields)
    return LineageEntry(sent.type, _name(sent), _sources(sent.inputs), columns, sent.run_id, sourceless)


def _sourceless(inputs: list[_Input | None] | None, fields: dict[str, _Column | None] | None) -> frozenset[str]:
    """The columns, '' for the whole, that came with a list of sources that is empty. One that is not there is none."""
    whole = {""} if inputs == [] else set()
    return frozenset(
        whole | {column for column, sent in (fields or {}).items() if sent is not None and sent.inputs == []}
    )


def _columns(fields: dict[str, _Column | None] | None) -> Iterator[tuple[str, Source]]:
    for column, sent in (fields or {}).items():
        if sent is not None:
            for source in _sources(sent.inputs):
                yield column, source


def _sources(sent: list[_Input | None] | None) -> tuple[Source, ...]:
    return tuple(
        Source(one.type, _name(one), one.field, one.run_id, transformations(one.transformations))
        for one in present(sent)
    )


def _name(sent: _Subject) -> Name | None:
    return Name(sent.namespace, sent.name) if sent.namespace is not None and sent.name is not None else None
