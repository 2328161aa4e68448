"""What jobs, datasets and runs are described with: parts that refer to nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import msgspec
import strawberry
from strawberry.scalars import JSON

from catalog import facets
from catalog.api.graphql.enums import Scope
from catalog.api.graphql.scalars import DateTime, moment, raw_json
from catalog.domain.changes import Column, Structured, Transformation
from catalog.domain.schema_changes import compare
from catalog.store.read.facets import FacetRow
from catalog.store.read.subjects import OwnerRow, TagRow

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode


def text_in(payload: bytes, member: str) -> str | None:
    """A text in a facet; nothing where there is none."""
    try:
        return _text(_members(payload)[member])
    except (ValueError, KeyError):
        return None


@strawberry.type(description="A tag: a key with a value.")
class Tag:
    """A tag of a job, a dataset or a column."""

    key: str = strawberry.field(description="What is said.")
    value: str = strawberry.field(description="The value of it; often `true`.")
    source: str | None = strawberry.field(description="Who said it: USER, DBT, SPARK …")

    @classmethod
    def of(cls, row: TagRow) -> Self:
        """From a row."""
        return cls(key=row.key, value=row.value, source=row.source)


@strawberry.type(description="Who answers for something.")
class Owner:
    """An owner of a job or dataset."""

    name: str = strawberry.field(description="The owner as the producer names it, such as `team:data`.")
    type: str | None = strawberry.field(description="As what: OWNER, MAINTAINER, STEWARD …")

    @classmethod
    def of(cls, row: OwnerRow) -> Self:
        """From a row."""
        return cls(name=row.name, type=row.type)


@strawberry.type(description="Another name of a dataset.")
class DatasetAlias:
    """A symlink, from the dataset's side."""

    namespace: str = strawberry.field(description="The namespace of that name.")
    name: str = strawberry.field(description="The name within it.")
    type: str | None = strawberry.field(description="What its producer calls the link: TABLE, LOCATION …")


@strawberry.type(description="A column of a dataset.")
class Field:
    """A column; only its name is told of one that is not in the schema."""

    name: str = strawberry.field(description="The name; of a nested column with those of its parents: `address.city`.")
    type: str | None = strawberry.field(
        description="The type, as the producer writes it. Null where the schema does not say, or lacks the column."
    )
    description: str | None = strawberry.field(description="What is in it.")
    ordinal: int | None = strawberry.field(
        description="Its place in the schema, from 1. Null for a column that is not in it."
    )
    tags: list[Tag] = strawberry.field(description="The tags on this column.")


@strawberry.type(description="A column as a schema had it.")
class SchemaColumn:
    """A column that came or went."""

    name: str = strawberry.field(description="The name; of a nested column with those of its parents: `address.city`.")
    type: str | None = strawberry.field(description="The type, as the producer writes it.")
    description: str | None = strawberry.field(description="What is in it.")


@strawberry.type(description="A column that has another type.")
class RetypedColumn:
    """A column with both its types."""

    name: str = strawberry.field(description="The name; of a nested column with those of its parents.")
    before: str | None = strawberry.field(description="The type it had; null: nobody said.")
    after: str | None = strawberry.field(description="The type it has; null: nobody says.")


@strawberry.type(description="A column that stands elsewhere among those beside it, which are those of its parent.")
class MovedColumn:
    """A column with both its places."""

    name: str = strawberry.field(description="The name; of a nested column with those of its parents.")
    before: int = strawberry.field(description="Where it stood, from 1.")
    after: int = strawberry.field(description="Where it stands, from 1.")


@strawberry.type(
    description="What a schema differs from the one before in. A column that was renamed is one removed and one added: "
    "renames are not guessed."
)
class SchemaChanges:
    """From one schema to the next."""

    added: list[SchemaColumn] = strawberry.field(description="Columns that were not there.")
    removed: list[SchemaColumn] = strawberry.field(description="Columns that are there no more.")
    retyped: list[RetypedColumn] = strawberry.field(description="Columns with another type.")
    moved: list[MovedColumn] = strawberry.field(
        description="The fewest columns without which all others are in the order they were in; one that only makes "
        "room for another has not moved."
    )
    redescribed: list[str] = strawberry.field(description="The names of columns with another description.")

    @classmethod
    def between(cls, before: Iterable[Column], after: Iterable[Column]) -> Self:
        """From two schemas."""
        said = compare(before, after)
        return cls(
            added=[SchemaColumn(name=c.name, type=c.type, description=c.description) for c in said.added],
            removed=[SchemaColumn(name=c.name, type=c.type, description=c.description) for c in said.removed],
            retyped=[RetypedColumn(name=c.name, before=c.before, after=c.after) for c in said.retyped],
            moved=[MovedColumn(name=c.name, before=c.before, after=c.after) for c in said.moved],
            redescribed=list(said.redescribed),
        )


@strawberry.type(description="The columns a dataset had during some time.")
class SchemaVersion:
    """A distinct schema of a dataset."""

    fields: list[Field] = strawberry.field(description="The columns, nested ones after their parents.")
    valid_from: DateTime = strawberry.field(description="When this schema was first reported.")
    valid_to: DateTime | None = strawberry.field(description="When another one was; null: it holds now.")
    columns: strawberry.Private[tuple[Column, ...]]
    before: strawberry.Private[tuple[Column, ...] | None]

    @strawberry.field(description="What is other than in the schema before it. Null: it is the first.")
    def changes(self) -> SchemaChanges | None:
        """The difference."""
        return None if self.before is None else SchemaChanges.between(self.before, self.columns)


@strawberry.type(description="A piece of metadata in a shape of its own, as the producer sent it.")
class Facet:
    """A facet of a run, a job or a dataset."""

    name: str = strawberry.field(description="Its key in the event.")
    scope: Scope = strawberry.field(description="Where in the event it stands.")
    valid_from: DateTime = strawberry.field(description="The time of the event that first had this content.")
    valid_to: DateTime | None = strawberry.field(
        description="The time of the event that changed or removed it; null: it holds now."
    )
    understood: bool = strawberry.field(
        description="Whether the catalog knows this facet and read it; others are kept and shown as they are."
    )
    content: strawberry.Private[bytes]

    @strawberry.field(description="The whole facet, byte for byte as it was received.")
    def payload(self) -> JSON:
        """The JSON."""
        return raw_json(self.content)

    @strawberry.field(description="The program that made it, from its `_producer`.")
    def producer(self) -> str | None:
        """Read from the payload."""
        return text_in(self.content, "_producer")

    @strawberry.field(description="The schema it follows, from its `_schemaURL`.")
    def schema_url(self) -> str | None:
        """Read from the payload."""
        return text_in(self.content, "_schemaURL")

    @classmethod
    def of(cls, row: FacetRow) -> Self:
        """From a row."""
        return cls(
            name=row.name,
            scope=row.scope,
            valid_from=DateTime(row.valid_from),
            valid_to=moment(row.valid_to),
            understood=row.understood,
            content=row.payload,
        )


@strawberry.type(name="Transformation", description="How data was changed on its way.")
class HowMade:
    """A transformation."""

    type: str = strawberry.field(
        description="DIRECT: the value itself went through. INDIRECT: it only had an influence. Empty: not said."
    )
    subtype: str | None = strawberry.field(description="How exactly: IDENTITY, AGGREGATION, FILTER, JOIN …")
    description: str | None = strawberry.field(description="In words.")
    masking: bool = strawberry.field(description="Whether the value was hidden: hashed, counted …")

    @classmethod
    def of(cls, said: Transformation) -> Self:
        """From a record."""
        return cls(
            type=said.type,
            subtype=said.subtype or None,
            description=said.description or None,
            masking=said.masking,
        )


@strawberry.type(description="Where the code of a job is.")
class CodeLocation:
    """A source code location facet."""

    url: str = strawberry.field(description="The whole address.")
    type: str | None = strawberry.field(description="The system: git, svn …")
    repo_url: str | None = strawberry.field(description="The repository.")
    path: str | None = strawberry.field(description="The path within it.")
    version: str | None = strawberry.field(description="The commit or revision.")
    tag: str | None = strawberry.field(description="The tag.")
    branch: str | None = strawberry.field(description="The branch.")

    @classmethod
    def read(cls, payload: str | bytes) -> Self | None:
        """From the JSON of the facet, if it is one."""
        try:
            said = _located(payload)
        except ValueError:
            return None
        return cls(
            url=said.url, type=said.type, repo_url=said.repo_url, path=said.path, version=said.version,
            tag=said.tag, branch=said.branch,
        )  # fmt: skip


class _Located(msgspec.Struct, rename="camel", gc=False):
    url: str
    type: str | None = None
    repo_url: str | None = None
    path: str | None = None
    version: str | None = None
    tag: str | None = None
    branch: str | None = None


_located = msgspec.json.Decoder(_Located).decode


@strawberry.type(description="Why a run failed.")
class RunError:
    """An error message facet."""

    message: str = strawberry.field(description="What went wrong.")
    programming_language: str | None = strawberry.field(description="The language of the program that failed.")
    stack_trace: str | None = strawberry.field(description="Where in it, if the producer said.")

    @classmethod
    def read(cls, payload: bytes) -> Self | None:
        """From the JSON of the facet, if it is one."""
        try:
            said = _failed(payload)
        except ValueError:
            return None
        return cls(message=said.message, programming_language=said.programming_language, stack_trace=said.stack_trace)


class _Failed(msgspec.Struct, rename="camel", gc=False):
    message: str
    programming_language: str | None = None
    stack_trace: str | None = None


_failed = msgspec.json.Decoder(_Failed).decode


def columns_of(payload: bytes) -> tuple[Column, ...]:
    """The columns a `schema` facet names; none if it is in no shape we know."""
    schema = facets.find(Scope.DATASET, "schema")
    try:
        said = schema.changes(payload) if schema else ()
    except ValueError:
        return ()
    return next((change.columns for change in said if isinstance(change, Structured)), ())


def fields_of(columns: Iterable[Column], tags: Iterable[TagRow], *, in_schema: bool = True) -> list[Field]:
    """Columns as fields, with the tags that are on them; those in no schema have no place in it."""
    on: dict[str | None, list[Tag]] = {}
    for tag in tags:
        on.setdefault(tag.field, []).append(Tag.of(tag))
    return [
        Field(
            name=column.name,
            type=column.type,
            description=column.description,
            ordinal=place if in_schema and column.ordinal is None else column.ordinal,
            tags=on.get(column.name, []),
        )
        for place, column in enumerate(columns, 1)
    ]
