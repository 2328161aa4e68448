"""The domain's enums with the descriptions GraphQL shows. Types take them from here, so that they have them."""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from catalog.domain.callers import Permission, Role
from catalog.domain.causes import Reason as RootCause
from catalog.domain.identity import Doubt
from catalog.domain.words import (
    Derivation,
    Direction,
    EntityKind,
    EventKind,
    Granularity,
    Lifecycle,
    RunState,
    Scope,
)

__all__ = [
    "Derivation", "Direction", "Doubt", "EntityKind", "EventKind", "Granularity", "Lifecycle", "Permission", "Role",
    "RootCause", "RunState", "Scope",
]  # fmt: skip

E = TypeVar("E", bound=type[Enum])


def _described(enum: E, description: str, name: str | None = None, **values: str) -> E:
    """Register an enum with a description of it and of each of its values."""
    strawberry.enum(enum, name=name, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined] # set just above
    definition.values = [value for value in definition.values if value.name in values]
    for value in definition.values:
        value.description = values[value.name]
    return enum


_described(
    EntityKind,
    "What a lineage question can be asked of.",
    DATASET="A dataset: a table, file, topic, view …",
    COLUMN="A column of a dataset.",
    JOB="A job: a recurring process that reads and writes datasets.",
    RUN="One run of a job.",
    MODEL="A machine learning model: a dataset of type MODEL.",
)
_described(
    Direction,
    "Which way to walk.",
    UPSTREAM="To where the data comes from.",
    DOWNSTREAM="To where the data goes.",
    BOTH="Both ways from the start.",
)
_described(
    Granularity,
    "Which nodes an answer is made of.",
    DATASET="Datasets, whatever jobs lie between them.",
    JOB="Datasets and jobs in turn: from a dataset to a job is one hop.",
    COLUMN="Columns of datasets.",
    RUN="Runs, and what they read and wrote.",
)
_described(
    Derivation,
    "How an edge is known, the strongest statement first.",
    EXPLICIT="A producer stated exactly this edge in a `lineage` facet.",
    COLUMN="It follows from lineage between columns.",
    IMPLICIT="It follows from being input and output of the same run.",
    DECLARED="A job or dataset event declared it; no run was seen to do it.",
)
_described(
    RunState,
    "The state of a run. A terminal state beats RUNNING, which beats START, whatever arrived first.",
    START="It has begun.",
    RUNNING="It reported progress.",
    COMPLETE="It ended well.",
    FAIL="It failed.",
    ABORT="It was stopped.",
    OTHER="It reported something else.",
    UNKNOWN="No event of it says a state, or only other runs name it.",
)
_described(
    RootCause,
    "What is known of something upstream of a failure.",
    name="RootCause",
    FAILED="A run of the job failed, and nothing had made it good when the failed one began: none had completed since, "
    "and of a stream none was going on.",
    ABORTED="A run of the job was stopped, and nothing made it good, as with FAILED.",
    ASSERTION_FAILED="The last time that quality assertions on the dataset were checked, one failed, and that was "
    "in the hours that are looked at.",
    UNFINISHED="A run of the job had begun and not ended when the failed one began.",
    SCHEMA_CHANGED="The dataset got other columns.",
    NOT_REFRESHED="The dataset had not been written for longer than it ever was between its last writes.",
)
_described(
    Doubt,
    "Why two names may not be one dataset.",
    name="IdentityDoubt",
    WITHDRAWN="The dataset said that it has the other name, and says so no more.",
    USED_AGAIN="The dataset was renamed, and then somebody wrote under the name it had before.",
)
_described(
    EventKind,
    "What an event of the log is about.",
    RUN="A run of a job.",
    JOB="A job as it is declared, without a run.",
    DATASET="A dataset as it is declared, without a run.",
    RECORD="What somebody did in the catalog itself: declared lineage, so far. `payload` says what, who and why.",
)
_described(
    Scope,
    "Where in an event a facet stands.",
    name="FacetScope",
    RUN="In the run.",
    JOB="In the job.",
    DATASET="In the dataset, whatever was done with it.",
    INPUT="In the dataset as an input of a run.",
    OUTPUT="In the dataset as an output of a run.",
)
_described(
    Lifecycle,
    "What a run did to a dataset as a whole.",
    name="LifecycleChange",
    ALTER="Its structure was changed.",
    CREATE="It was made.",
    DROP="It was removed.",
    OVERWRITE="All that was in it was replaced.",
    RENAME="It was given this name.",
    TRUNCATE="It was emptied.",
)
_described(
    Role,
    "What a key is for.",
    READER="May ask for everything but raw events.",
    INGESTOR="May send events, of all namespaces or of those it was given.",
    STEWARD="May read, and change what the catalog says about governance.",
    AUDITOR="May read, raw events and what was refused among it.",
    ADMIN="May do everything, and make keys.",
)
_described(
    Permission,
    "Something that not everybody may do.",
    READ="Ask for what the graph has.",
    READ_LOG="See raw events and the quarantine.",
    INGEST="Send events.",
    STEWARD="Change what the catalog says about governance.",
    MANAGE_KEYS="List, create and revoke keys.",
)
