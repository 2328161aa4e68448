"""What raw events say, for the oracle: events read with the standard library alone, and what they state of lineage.

Names are (namespace, name). Nodes are ("DATASET" | "JOB", namespace, name), ("RUN", job's namespace, job, run id) and
("COLUMN", namespace, name, column).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

Name = tuple[str, str]
Node = tuple[str, ...]
Edge = tuple[Node, Node, Name | None, str]
"""Source, target, the job it goes through, derivation."""
Step = tuple[Node, Node, str]
How = tuple[str, str, str, bool]
"""How a value changes: type, subtype, description, whether it is masked; all empty where nobody said."""
Flow = tuple[Node, Node, How]
UNSAID: How = ("", "", "", False)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def node(name: Name) -> Node:
    """The node of a dataset."""
    return ("DATASET", *name)


@dataclass(frozen=True)
class Event:
    """One event, read; `order` is the law's order of time."""

    at: int
    order: tuple[int, int]
    body: dict[str, Any] = field(compare=False)

    def facet(self, part: str, name: str) -> dict[str, Any] | None:
        """A facet of the job or of the dataset that the event is about."""
        return facet(self.body[part], name)

    def mentions(self, role: str) -> Iterator[tuple[Name, dict[str, Any]]]:
        """The datasets in `inputs`, `outputs`, or (role `dataset`) the one a dataset event is about."""
        parts = [self.body["dataset"]] if role == "dataset" else self.body.get(role) or []
        for part in parts:
            yield name_of(part), part

    @property
    def says_lineage(self) -> bool:
        return bool(self.body.get("inputs") or self.body.get("outputs") or self.facet("job", "lineage"))


def read(raw: bytes) -> Event:
    """An event from its bytes."""
    body = json.loads(raw)
    at = (datetime.fromisoformat(body["eventTime"]) - _EPOCH) // timedelta(microseconds=1)
    return Event(at, (at, int.from_bytes(sha256(raw).digest()[:8], "big") & (2**63 - 1)), body)


def name_of(part: dict[str, Any]) -> Name:
    """The name a part of an event has."""
    return part["namespace"], part["name"]


def facet(part: dict[str, Any], name: str) -> dict[str, Any] | None:
    """A facet that is there and not deleted."""
    found = (part.get("facets") or {}).get(name)
    return None if found is None or found.get("_deleted") else found


def ended(events: Iterable[Event]) -> int | None:
    """When a run completed; None if it did not."""
    return max((event.at for event in events if event.body.get("eventType") == "COMPLETE"), default=None)


def lifecycle(part: dict[str, Any]) -> str | None:
    """DROP, CREATE and the like, if said."""
    said = facet(part, "lifecycleStateChange")
    return str(said["lifecycleStateChange"]) if said else None


def former_name(name: Name, part: dict[str, Any]) -> Name | None:
    """What a dataset was called before it was renamed to this, if that is said."""
    said = facet(part, "lifecycleStateChange") or {}
    if said.get("lifecycleStateChange") != "RENAME" or "previousIdentifier" not in said:
        return None
    before = name_of(said["previousIdentifier"])
    return None if before == name else before


def drops(parts: Iterable[dict[str, Any]]) -> bool:
    """Whether a run that said all this of a dataset left it dropped."""
    changes = {lifecycle(part) for part in parts}
    return "DROP" in changes and not changes & {"CREATE", "OVERWRITE"}


def passes_on(parts: Iterable[dict[str, Any]]) -> bool:
    """Whether a run that said all this of a dataset left what was in it."""
    changes = {lifecycle(part) for part in parts}
    return bool(changes & {"ALTER", "RENAME"}) and not changes & {"CREATE", "DROP", "OVERWRITE", "TRUNCATE"}


def uses_of(event: Event, role: str) -> set[Name]:
    """The datasets that the event's job read (`inputs`) or wrote: those it lists, and those that flows say it did."""
    job = name_of(event.body["job"])
    used = {name for name, _ in event.mentions(role)}
    if role == "inputs":
        used |= {name for _, part in event.mentions("outputs") for name in column_sources(part)}
    for source, target in statement(job, [event]).entries:
        end, other = (source, target) if role == "inputs" else (target, source)
        if end[0] == "DATASET" and (other[0] == "DATASET" or other == ("JOB", *job)):
            used.add((end[1], end[2]))
    return used


@dataclass
class Statement:
    """What one run, or one declaring event, says of lineage. `job` is None for a dataset event."""

    job: Name | None
    declared: bool = False
    inputs: set[Name] = field(default_factory=set)
    outputs: set[Name] = field(default_factory=set)
    columns: dict[Name, set[Name]] = field(default_factory=lambda: defaultdict(set))
    entries: set[tuple[Node, Node]] = field(default_factory=set)  # (source, target)
    flows: set[Flow] = field(default_factory=set)
    mentioned: set[Node] = field(default_factory=set)
    is_explicit: bool = False
    renames: set[tuple[Name, Name]] = field(default_factory=set)  # (former name, new one)

    def derivation(self, how: str) -> str:
        return "DECLARED" if self.declared else how

    def dataset_edges(self) -> Iterator[Edge]:
        """Dataset to dataset, through the statement's job; a dataset is not made of itself by getting a new name."""
        was = {old for old, new in self.renames if old in self.inputs and new in self.outputs}
        becomes = {new for old, new in self.renames if old in was and new in self.outputs}
        for edge in self.named_edges():
            source, target = (end[1:] for end in edge[:2])
            # Several that are listed as renamed have nothing to do with each other, unless somebody says so.
            supposed = source in was and target in becomes and not (self.is_explicit or target in self.columns)
            if (source, target) not in self.renames and not supposed:
                yield edge

    def named_edges(self) -> Iterator[Edge]:
        """The same, with renames taken for flows."""
        for source, target in self.entries:
            if source[0] == target[0] == "DATASET":
                yield source, target, self.job, self.derivation("EXPLICIT")
        if not self.is_explicit:
            for output in self.outputs | set(self.columns):
                sources, how = (self.columns[output], "COLUMN") if output in self.columns else (self.inputs, "IMPLICIT")
                for source in sources:
                    yield node(source), node(output), self.job, self.derivation(how)

    def told(self) -> Iterator[tuple[Edge, How]]:
        """How values change from column to column, or between what is said without one."""
        how_known = self.derivation("EXPLICIT" if self.is_explicit else "COLUMN")
        for source, target, how in self.flows:
            if (source[1:3], target[1:3]) not in self.renames:
                yield (source, target, self.job, how_known), how

    def job_edges(self) -> Iterator[Edge]:
        """The graph in which jobs are nodes too."""
        own = None if self.job is None else ("JOB", *self.job)
        if own:
            yield from ((node(name), own, self.job, self.how_touched(name, "in")) for name in self.inputs)
            yield from ((own, node(name), self.job, self.how_touched(name, "out")) for name in self.outputs)
        if not own:
            yield from self.dataset_edges()
        for source, target, _, derivation in self.named_edges() if own else ():
            if derivation != "IMPLICIT":
                yield source, own, self.job, derivation
                yield own, target, self.job, derivation
        for source, target in self.entries:
            if "JOB" in (source[0], target[0]):
                yield source, target, self.job, self.derivation("EXPLICIT")

    def how_touched(self, name: Name, way: str) -> str:
        if self.is_explicit:
            return self.derivation("EXPLICIT" if node(name) in self.mentioned else "IMPLICIT")
        by_column = set().union(*self.columns.values()) if way == "in" else set(self.columns)
        return self.derivation("COLUMN" if name in by_column else "IMPLICIT")

    def job_ends(self) -> tuple[set[Step], set[Step], set[Step]]:
        """How data enters a job to stay there, goes from job to job, and leaves one it began in."""
        explicit = self.derivation("EXPLICIT")
        enters = {(s, t, explicit) for s, t in self.entries if (s[0], t[0]) == ("DATASET", "JOB")}
        calls = {(s, t, explicit) for s, t in self.entries if (s[0], t[0]) == ("JOB", "JOB")}
        leaves = {(s, t, explicit) for s, t in self.entries if (s[0], t[0]) == ("JOB", "DATASET")}
        if self.job is not None:
            own = ("JOB", *self.job)
            taken = {name for name in self.inputs if node(name) not in self.mentioned}
            given = {name for name in self.outputs - set(self.columns) if node(name) not in self.mentioned}
            enters |= {(node(name), own, self.how_touched(name, "in")) for name in taken}
            leaves |= {(own, node(name), self.how_touched(name, "out")) for name in given}
        return enters, calls, leaves


def statement(job: Name, events: Iterable[Event], *, declared: bool = False) -> Statement:
    """What these events of one run, or one job event, say together."""
    said = Statement(job, declared)
    columns: dict[Name, set[Name]] = defaultdict(set)
    flows: set[Flow] = set()
    for event in events:
        said.inputs |= {name for name, _ in event.mentions("inputs")}
        for name, part in event.mentions("outputs"):
            said.outputs.add(name)
            columns[name] |= column_sources(part)
            flows |= column_flows(name, part)
        for name, part in (*event.mentions("inputs"), *event.mentions("outputs")):
            said.renames |= {(before, name) for before in [former_name(name, part)] if before}
        if explicit := event.facet("job", "lineage"):
            said.is_explicit = True
            for entry in explicit["entries"]:
                _read_entry(said, entry, _end(entry, job))
    if not said.is_explicit:
        said.columns.update({name: sources for name, sources in columns.items() if sources})
        said.flows = flows
    return said


def declaration(event: Event) -> Statement:
    """What a job event or a dataset event declares."""
    if "job" in event.body:
        return statement(name_of(event.body["job"]), [event], declared=True)
    said = Statement(None, declared=True)
    own = name_of(event.body["dataset"])
    said.renames = {(before, own) for before in [former_name(own, event.body["dataset"])] if before}
    if explicit := event.facet("dataset", "lineage"):
        said.is_explicit = True
        _read_entry(said, explicit, node(own))
    elif sources := column_sources(event.body["dataset"]):
        said.columns[own] = sources
        said.flows = column_flows(own, event.body["dataset"])
    return said


def _read_entry(said: Statement, entry: dict[str, Any], target: Node) -> None:
    said.mentioned.add(target)
    columns = {column: sent["inputs"] for column, sent in (entry.get("fields") or {}).items()}
    for column, inputs in [(None, entry.get("inputs") or []), *columns.items()]:
        for given in inputs:
            source = _end(given, said.job)
            said.mentioned.add(source)
            said.entries.add((source, target))
            ends = _column(source, given.get("field")), _column(target, column)
            said.flows |= {(*ends, how) for how in _ways(given) or [UNSAID]}


def _end(part: dict[str, Any], own: Name | None) -> Node:
    if "name" in part:
        return (part["type"], *name_of(part))
    assert own is not None, "only a job's event leaves the name of a job out"
    return ("JOB", *own)


def _column(end: Node, column: str | None) -> Node:
    """The column of a dataset; the whole of it where none is named, and a job has none."""
    return ("COLUMN", *end[1:], column) if column and end[0] == "DATASET" else end


def _ways(given: dict[str, Any]) -> list[How]:
    return [
        (way["type"], way.get("subtype") or "", way.get("description") or "", bool(way.get("masking")))
        for way in given.get("transformations") or []
    ]


def column_flows(own: Name, part: dict[str, Any]) -> set[Flow]:
    """What a `columnLineage` facet says of single columns, and of the whole."""
    said = facet(part, "columnLineage") or {}
    flows: set[Flow] = set()
    for column, sent in [*(said.get("fields") or {}).items(), (None, {"inputFields": said.get("dataset") or []})]:
        kind, described = sent.get("transformationType") or "", sent.get("transformationDescription") or ""
        old = ("DIRECT" if kind in ("IDENTITY", "MASKED") else "", kind, described, kind == "MASKED")
        for given in sent["inputFields"]:
            source = _column(node(name_of(given)), given["field"])
            flows |= {(source, _column(node(own), column), how) for how in _ways(given) or [old]}
    return flows


def column_sources(part: dict[str, Any]) -> set[Name]:
    """The datasets a `columnLineage` facet names as sources."""
    said = facet(part, "columnLineage") or {}
    columns = [*(said.get("fields") or {}).values(), {"inputFields": said.get("dataset") or []}]
    return {name_of(source) for column in columns for source in column["inputFields"]}
