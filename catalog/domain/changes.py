"""What facets say, in the catalog's words: facet modules answer with these, the projection reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from catalog.domain.words import Scope


@dataclass(frozen=True, slots=True)
class Name:
    """A namespace and a name within it, exactly as sent."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class RunName:
    """A run as another event names it."""

    job: Name
    run: str


@dataclass(frozen=True, slots=True)
class Described:
    """Prose about the subject."""

    text: str
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """A key with a value; `field` is set where the tag is on a column."""

    key: str
    value: str
    source: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Tagged:
    """All tags of the subject: a facet is replaced whole."""

    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who answers for the subject, and as what (`type` may be empty)."""

    name: str
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Owned:
    """All owners of the subject."""

    owners: tuple[Owner, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a dataset. Nested columns have the dotted path of their parents before their name."""

    name: str
    type: str | None = None
    description: str | None = None
    ordinal: int | None = None


@dataclass(frozen=True, slots=True)
class Structured:
    """The schema of a dataset, depth first."""

    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Symlinked:
    """Other names of the same dataset, each with the type its producer gave (TABLE, LOCATION ...)."""

    names: tuple[tuple[Name, str], ...]


@dataclass(frozen=True, slots=True)
class ChildOf:
    """The run that contains this one, and the root of the whole tree. Containment, never data flow."""

    parent: RunName
    root: RunName | None = None


@dataclass(frozen=True, slots=True)
class Dependency:
    """A job, perhaps one run of it, that a run waits for or that waits for it; rules and kind as sent."""

    job: Name
    run: str | None = None
    kind: str | None = None
    sequence_rule: str | None = None
    status_rule: str | None = None


@dataclass(frozen=True, slots=True)
class DependsOn:
    """What a run waits for and what waits for it. Order of work, never data flow."""

    upstream: tuple[Dependency, ...]
    downstream: tuple[Dependency, ...]
    trigger_rule: str | None = None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The time a run is *for*. Texts as sent; the decoder of event times reads them."""

    start: str | None
    end: str | None = None


@dataclass(frozen=True, slots=True)
class JobTyped:
    """What kind of job it is: processing (BATCH, STREAMING), integration (SPARK, DBT ...), type (TASK, QUERY ...)."""

    processing_type: str | None
    integration: str | None
    job_type: str | None


@dataclass(frozen=True, slots=True)
class DatasetTyped:
    """What kind of dataset it is (TABLE, VIEW, FILE, TOPIC, MODEL ...)."""

    type: str
    sub_type: str | None = None


@dataclass(frozen=True, slots=True)
class Transformation:
    """How a column was made from another: DIRECT or INDIRECT, how exactly, and whether it hides the value."""

    type: str = ""
    subtype: str = ""
    description: str = ""
    masking: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """Where data comes from in a lineage statement: a dataset, one of its columns, or a job.

    `name` None stands for the event's own job. `type` is kept as sent: kinds unknown today are no error.
    """

    type: str
    name: Name | None
    field: str | None = None
    run: str | None = None
    transformations: tuple[Transformation, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnsFrom:
    """The `columnLineage` facet: sources of single columns, and of the dataset as a whole (column None).

    `unread` is how many of its parts could not be read.
    """

    flows: tuple[tuple[str | None, Source], ...]
    unread: int = 0


@dataclass(frozen=True, slots=True)
class LineageEntry:
    """One target of the explicit `lineage` facet with its sources.

    `name` None stands for the event's own subject. `sourceless` are the columns, and '' for the target itself, that
    were sent with an empty list of sources: known to have none. Without a list nobody said.
    """

    type: str
    name: Name | None
    sources: tuple[Source, ...]
    fields: tuple[tuple[str, Source], ...]
    run: str | None = None
    sourceless: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Explicit:
    """The explicit `lineage` facet of a job or of a dataset; `unread` is how many of its parts could not be read."""

    entries: tuple[LineageEntry, ...]
    unread: int = 0


@dataclass(frozen=True, slots=True)
class LifecycleChanged:
    """ALTER, CREATE, DROP, OVERWRITE, RENAME or TRUNCATE; a rename says what the name was before."""

    change: str
    previous: Name | None = None


@dataclass(frozen=True, slots=True)
class Versioned:
    """The version a storage system gave the dataset (an Iceberg snapshot, say). Opaque, unique per dataset only."""

    label: str


@dataclass(frozen=True, slots=True)
class Measured:
    """How much was read or written: rows, bytes, files."""

    rows: int | None = None
    size: int | None = None
    files: int | None = None


@dataclass(frozen=True, slots=True)
class CodeAt:
    """Where the code of a job is, as one canonical text per location (part of what makes a job version)."""

    location: str


Change = (
    Described | Tagged | Owned | Structured | Symlinked | ChildOf | DependsOn | Scheduled | JobTyped
    | DatasetTyped | ColumnsFrom | Explicit | LifecycleChanged | Versioned | Measured | CodeAt
)  # fmt: skip

Understand: TypeAlias = Callable[[Scope, str, bytes], tuple[Change, ...]]
"""What a facet of this scope and name says with these bytes; nothing, where nobody understands it."""
