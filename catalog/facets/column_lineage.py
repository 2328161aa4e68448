"""Which columns a dataset's columns were made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from catalog.domain.changes import Change, ColumnsFrom, Name, Source, Transformation
from catalog.domain.salvage import part_reader
from catalog.domain.wire import HowMade, Shape, present, transformations
from catalog.domain.words import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME: Final = "columnLineage"
SUBJECTS: Final = frozenset({Scope.DATASET})


class _InputField(Shape):
    namespace: str
    name: str
    field: str
    transformations: list[HowMade | None] | None = None


class _Column(Shape):
    input_fields: list[_InputField | None] | None = None
    transformation_type: str | None = None
    transformation_description: str | None = None


class _Facet(Shape):
    fields: dict[str, _Column | None] | None = None
    dataset: list[_InputField | None] | None = None


_read: Final = part_reader(_Facet)


def changes(payload: bytes) -> tuple[Change, ...]:
    """One flow for each pair of target and source column; the columns that shape all rows have no target.

    Raises:
        ValueError: this is no such facet, or nothing of it can be read.
    """
    facet, unread = _read(payload)
    flows: list[tuple[str | None, Source]] = [(None, source) for source in _sources(facet.dataset, ())]
    for name, column in (facet.fields or {}).items():
        if column is not None:
            flows += [(name, source) for source in _sources(column.input_fields, _said_of_all(column))]
    if unread and not flows:
        raise ValueError("no field of the columnLineage facet can be read")
    return (ColumnsFrom(tuple(flows), unread),)


def _said_of_all(column: _Column) -> tuple[Transformation, ...]:
    """What producers older than `transformations` say of all sources of a column at once."""
    kind, description = column.transformation_type or "", column.transformation_description or ""
    if not (kind or description):
        return ()
    # Both kinds that were ever defined pass the value on; any other word must not be taken for that.
    known = kind.upper() in {"IDENTITY", "MASKED"}
    return (Transformation("DIRECT" if known else "", kind, description, masking=kind.upper() == "MASKED"),)


def _sources(sent: list[_InputField | None] | None, otherwise: tuple[Transformation, ...]) -> Iterator[Source]:
    found: dict[tuple[str, str, str], tuple[Transformation, ...]] = {}
    for item in present(sent):
        source = (item.namespace, item.name, item.field)
        how = transformations(item.transformations) or otherwise
        # A source named twice was used in two ways; it is still one source.
        found[source] = tuple(dict.fromkeys(found[source] + how)) if source in found else how
    for (namespace, name, field), how in found.items():
        yield Source("DATASET", Name(namespace, name), field, transformations=how)
