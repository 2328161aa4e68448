"""The field's own words as enums. Integer values are stored; they never change meaning."""

from __future__ import annotations

from enum import Enum, IntEnum, IntFlag
from typing import Final

STREAMING: Final = "STREAMING"
"""The `processingType` of jobs that are not expected to end."""


class EventKind(IntEnum):
    """What an entry of the log is: an event that was sent, or a record of what somebody did in the catalog itself."""

    RUN = 1
    JOB = 2
    DATASET = 3
    RECORD = 4


class EntityKind(Enum):
    """What a lineage question can be asked of."""

    DATASET = "DATASET"
    COLUMN = "COLUMN"
    JOB = "JOB"
    RUN = "RUN"
    MODEL = "MODEL"


class Direction(Enum):
    """Which way a lineage walk goes."""

    UPSTREAM = "UPSTREAM"
    DOWNSTREAM = "DOWNSTREAM"
    BOTH = "BOTH"


class Granularity(Enum):
    """Which nodes a lineage answer is made of."""

    DATASET = "DATASET"
    JOB = "JOB"
    COLUMN = "COLUMN"
    RUN = "RUN"


class Derivation(IntEnum):
    """How an edge is known; a smaller number is the stronger statement (law 5)."""

    EXPLICIT = 1
    COLUMN = 2
    IMPLICIT = 3
    DECLARED = 4


class Conduct(IntEnum):
    """What an edge that ends in a job passes on when datasets are walked.

    BOUNDARY says only that the job touched the dataset (finer edges tell the flow), END that the dataset
    ends or begins in the job, THROUGH that it takes part in inputs x outputs. DIRECT edges join two
    datasets or two jobs.
    """

    BOUNDARY = 0
    END = 1
    THROUGH = 2
    DIRECT = 3


class Node(IntEnum):
    """What an end of an edge is. NOTHING is the source of what is known to have none."""

    NOTHING = 0
    DATASET = 1
    JOB = 2


class Role(IntEnum):
    """How an activity (a run, or an event that declares) took part with a dataset."""

    INPUT = 1
    OUTPUT = 2
    DECLARED = 3


class RunState(IntEnum):
    """The state of a run as a lattice: the larger number wins, whatever came first (law 1)."""

    UNKNOWN = 0
    OTHER = 1
    START = 2
    RUNNING = 3
    ABORT = 4
    FAIL = 5
    COMPLETE = 6


class Lifecycle(IntFlag):
    """Lifecycle changes a run reported of a dataset. Flags, so that merging them needs no order."""

    NONE = 0
    ALTER = 1
    CREATE = 2
    DROP = 4
    OVERWRITE = 8
    RENAME = 16
    TRUNCATE = 32

    @property
    def ends_dataset(self) -> bool:
        """A drop that the same run does not undo by creating the dataset again."""
        return bool(self & Lifecycle.DROP) and not self & (Lifecycle.CREATE | Lifecycle.OVERWRITE)

    @property
    def passes_on(self) -> bool:
        """A change that leaves the dataset the data it had."""
        made = Lifecycle.CREATE | Lifecycle.DROP | Lifecycle.OVERWRITE | Lifecycle.TRUNCATE
        return bool(self & (Lifecycle.ALTER | Lifecycle.RENAME)) and not self & made


class Scope(IntEnum):
    """Where in an event a facet stands."""

    RUN = 1
    JOB = 2
    DATASET = 3
    INPUT = 4
    OUTPUT = 5
