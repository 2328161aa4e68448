"""What the story is told in: tables and the steps between them, written down as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple


class Column(NamedTuple):
    """A column of a table, for as long as it had this type. Both days are part of that time; None is open."""

    name: str
    type: str
    personal: bool = False
    since: date | None = None
    until: date | None = None

    def is_there(self, day: date) -> bool:
        """Whether the table had it on that day."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class Table:
    """A dataset: a table, a file, a topic, a view or a model.

    Attributes:
        rows: How many it has on the first day.
        alias: Another namespace and name it is known by.
    """

    namespace: str
    name: str
    owner: str
    description: str
    columns: tuple[Column, ...] = ()
    kind: str = "TABLE"
    rows: int = 1_000
    alias: tuple[str, str] | None = None

    def __hash__(self) -> int:
        return hash((self.namespace, self.name))

    def columns_on(self, day: date) -> tuple[Column, ...]:
        """The columns it had on that day."""
        return tuple(column for column in self.columns if column.is_there(day))


class How(NamedTuple):
    """How a value is changed on its way, in the words of OpenLineage's column lineage."""

    type: str
    subtype: str
    description: str | None = None
    masking: bool = False


class Origin(NamedTuple):
    """One source of a column, or of all rows where `target` is `*`."""

    target: str
    source: Table
    column: str
    how: How


@dataclass(frozen=True, slots=True)
class Step:
    """A job that reads some tables and writes others, with the days from and to which it did so.

    Attributes:
        reads: The inputs, by the short names that `sql` and `origins` give them.
        writes: The outputs, each with the origins of its columns where they are told; see `origins`.
        minutes: How long a run takes.
        exact: Whether a run says with the `lineage` facet which output comes from which input.
    """

    namespace: str
    name: str
    owner: str
    description: str
    reads: Mapping[str, Table] = field(default_factory=dict)
    writes: Mapping[Table, str] = field(default_factory=dict)
    sql: str | None = None
    kind: str = "TASK"
    integration: str = "AIRFLOW"
    processing: str = "BATCH"
    path: str = ""
    minutes: int = 4
    since: date | None = None
    until: date | None = None
    exact: bool = False

    def __hash__(self) -> int:
        return hash((self.namespace, self.name, self.since))

    def is_run(self, day: date) -> bool:
        """Whether it is done in this way on that day."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


def columns(text: str) -> tuple[Column, ...]:
    """Columns from lines of `name type`, then `pii` for personal data, `since=DAY` and `until=DAY`."""
    return tuple(_column(line) for line in text.strip().splitlines())


def _column(line: str) -> Column:
    name, type, *more = line.split()
    said = dict(word.split("=") for word in more if "=" in word)
    days = {key: date.fromisoformat(day) for key, day in said.items()}
    return Column(name, type, "pii" in more, days.get("since"), days.get("until"))


_WORDS = {
    "": ("DIRECT", "IDENTITY"),
    "masked": ("DIRECT", "TRANSFORMATION"),
    "computed": ("DIRECT", "TRANSFORMATION"),
    "aggregated": ("DIRECT", "AGGREGATION"),
    "join": ("INDIRECT", "JOIN"),
    "filter": ("INDIRECT", "FILTER"),
    "group": ("INDIRECT", "GROUP_BY"),
    "condition": ("INDIRECT", "CONDITIONAL"),
}


def origins(step: Step, table: Table) -> tuple[Origin, ...]:
    """Where the columns of an output come from.

    A line is `target <- alias.column …: how in words`; `how` is a key of `_WORDS`, nothing for an exact copy, and a
    target `*` is for what bears on all rows. A line `= alias.column …` copies columns under their own names.
    """
    found = []
    for line in step.writes[table].strip().splitlines():
        told, _, how = line.partition(":")
        word, _, words = how.strip().partition(" ")
        way = How(*_WORDS[word], words or None, word == "masked")
        target, arrow, sources = told.partition("<-")
        for source in (sources if arrow else told.lstrip(" =")).split():
            alias, _, column = source.partition(".")
            found.append(Origin(target.strip() if arrow else column, step.reads[alias], column, way))
    return tuple(found)
