"""What a run, a job event or a dataset event states about lineage, and the edges that follow.

A statement is content-addressed and merges by union, so the statements of a run's events can arrive in any
order and be merged in any grouping (law 1). `resolve` turns a merged statement into edges by the precedence of
law 5: explicit entries, else columns, else inputs x outputs (kept as inputs + outputs rows, never multiplied).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import msgspec
from msgspec import structs

from catalog.domain.changes import Transformation
from catalog.domain.ids import digest_key, field_id, key
from catalog.domain.records import Record
from catalog.domain.words import Conduct, Derivation, Node, Role


class End(NamedTuple):
    """One end of a flow: a dataset (with a column, or '' for the whole of it) or a job."""

    node: int
    id: int
    column: str = ""


NOWHERE = End(Node.NOTHING, 0)
"""Where what has no source comes from."""


class Flow(NamedTuple):
    """Data flows from source to target, transformed so."""

    source: End
    target: End
    type: str = ""
    subtype: str = ""
    description: str = ""
    masking: bool = False


class Statement(Record, frozen=True):
    """Everything one or more events of a run (or one declaring event) say about lineage.

    `explicit` is whether any of them carried a lineage facet; `targets` are the targets that it named. `sourceless`
    are those of which it said that they have no source, which is more than to name none. `code` is where the job's
    code was. `through` is the job that a person says an edge goes through: see `domain.manual`. `reads` and `writes`
    have the datasets that entries say the job read and wrote, be they among its inputs and outputs or not. `renames`
    are pairs of the name that a dataset gives up and the one that it gets: to read the one and write the other is no
    flow between them.
    """

    inputs: frozenset[int] = frozenset()
    outputs: frozenset[int] = frozenset()
    columns: frozenset[Flow] = frozenset()
    explicit: bool = False
    entries: frozenset[Flow] = frozenset()
    targets: frozenset[End] = frozenset()
    code: frozenset[str] = frozenset()
    sourceless: frozenset[End] = frozenset()
    through: frozenset[int] = frozenset()
    reads: frozenset[int] = frozenset()
    writes: frozenset[int] = frozenset()
    renames: frozenset[tuple[int, int]] = frozenset()

    def __or__(self, other: Statement) -> Statement:
        """The union: commutative, associative, idempotent."""
        return Statement(
            self.inputs | other.inputs,
            self.outputs | other.outputs,
            self.columns | other.columns,
            self.explicit or other.explicit,
            self.entries | other.entries,
            self.targets | other.targets,
            self.code | other.code,
            self.sourceless | other.sourceless,
            self.through | other.through,
            self.reads | other.reads,
            self.writes | other.writes,
            self.renames | other.renames,
        )

    def used(self, role: Role) -> frozenset[int]:
        """Every dataset that it names as read (INPUT) or written (OUTPUT), in whatever way it says so."""
        if role is Role.OUTPUT:
            return self.outputs | self.writes
        return self.inputs | self.reads | {flow.source.id for flow in self.columns}

    @property
    def datasets(self) -> frozenset[int]:
        """Every dataset that it names, under the names that it uses."""
        flows = self.columns | self.entries
        ends = {end for flow in flows for end in (flow.source, flow.target)} | self.targets | self.sourceless
        return self.used(Role.INPUT) | self.used(Role.OUTPUT) | {end.id for end in ends if end.node == Node.DATASET}

    def under(self, shown: Mapping[int, int]) -> Statement:
        """The same said under the names that datasets are shown by; `shown` has the ids of those, by that of any.

        Which of its names a dataset gets is not said of it then.
        """

        def named(ids: frozenset[int]) -> frozenset[int]:
            return frozenset(shown[id] for id in ids)

        def end(one: End) -> End:
            return one._replace(id=shown[one.id]) if one.node == Node.DATASET else one

        def flows(said: frozenset[Flow]) -> frozenset[Flow]:
            return frozenset(one._replace(source=end(one.source), target=end(one.target)) for one in said)

        return structs.replace(
            self, inputs=named(self.inputs), outputs=named(self.outputs), reads=named(self.reads),
            writes=named(self.writes), columns=flows(self.columns), entries=flows(self.entries),
            targets=frozenset(map(end, self.targets)), sourceless=frozenset(map(end, self.sourceless)),
            renames=frozenset(),
        )  # fmt: skip

    @property
    def says_lineage(self) -> bool:
        """Whether anything is said of lineage; a bare terminal event says nothing and so retires nothing."""
        return bool(self.inputs or self.outputs or self.explicit)

    def encode(self) -> bytes:
        """Canonical bytes: equal statements encode equally."""
        said: tuple[object, ...] = (
            sorted(self.inputs),
            sorted(self.outputs),
            sorted(self.columns),
            self.explicit,
            sorted(self.entries),
            sorted(self.targets),
            sorted(self.code),
        )
        # Nothing is written of what hardly anybody says: the ids of all other statements stay what they were.
        if self.sourceless or self.through or self.reads or self.writes or self.renames:
            said = (*said, sorted(self.sourceless), sorted(self.through), sorted(self.reads), sorted(self.writes))
        if self.renames:
            said = (*said, sorted(self.renames))
        return _encoder.encode(said)

    @staticmethod
    def decode(data: bytes) -> Statement:
        """The inverse of `encode`."""
        said = _decoder.decode(data)
        return Statement(
            frozenset(said.inputs),
            frozenset(said.outputs),
            frozenset(said.columns),
            said.explicit,
            frozenset(said.entries),
            frozenset(said.targets),
            frozenset(said.code),
            frozenset(said.sourceless),
            frozenset(said.through),
            frozenset(said.reads),
            frozenset(said.writes),
            frozenset(said.renames),
        )


NOTHING_SAID = Statement()


class _Wire(msgspec.Struct, array_like=True):
    """What `encode` wrote; of the last five there may be nothing."""

    inputs: list[int]
    outputs: list[int]
    columns: list[Flow]
    explicit: bool
    entries: list[Flow]
    targets: list[End]
    code: list[str]
    sourceless: list[End] = []
    through: list[int] = []
    reads: list[int] = []
    writes: list[int] = []
    renames: list[tuple[int, int]] = []


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Wire)


def statement_key(encoded: bytes) -> int:
    """The content address of an encoded statement."""
    return digest_key(sha256(encoded).digest())


class Edge(NamedTuple):
    """An edge of the graph: what the `edge` table holds besides its owner and its interval.

    THROUGH rows of one owner multiply only within one `group`. It is 0 unless several runs speak at once (a job
    that never completed), where inputs of one run must not meet outputs of another; or what is RENAMED is among them.
    Of a manual edge, which its owner says no job of, it is the job that the edge goes through, 0 for none.
    """

    source_node: int
    source_id: int
    target_node: int
    target_id: int
    conduct: int
    derivation: int
    group: int = 0


RENAMED = 1
"""The group of former names, and of all outputs that are no new names: see `_apart`."""


class FieldEdge(NamedTuple):
    """An edge with a column at one end at least, or one that says how data changed.

    A '' column stands for the whole dataset, or a job. One whose source is NOTHING is no edge: it says that the
    target is known to have no source.
    """

    source_id: int
    target_id: int
    transformation_key: int
    source_node: int
    source_owner: int
    source_column: str
    target_node: int
    target_owner: int
    target_column: str
    derivation: int
    type: str
    subtype: str
    description: str
    masking: bool


class Edges(Record, frozen=True):
    """All edges of one resolved statement."""

    edges: frozenset[Edge] = frozenset()
    fields: frozenset[FieldEdge] = frozenset()

    def __or__(self, other: Edges) -> Edges:
        return Edges(self.edges | other.edges, self.fields | other.fields)


def resolve(statement: Statement, job: int | None, *, declared: bool) -> Edges:
    """The edges a statement makes, through this job (None: what a dataset, or a person, declares).

    Declared statements keep their shape and carry DECLARED, so that they can stand beside what was observed.
    """
    through = min(statement.through, default=0)
    job = job or through or None
    if statement.explicit:
        flows, strength = statement.entries, Derivation.EXPLICIT
    else:
        flows = frozenset(flow for flow in statement.columns if flow.target.id in statement.outputs)
        strength = Derivation.COLUMN
    between = {flow for flow in flows if (flow.source.id, flow.target.id) not in statement.renames}
    edges = {_flow_edge(flow, strength) for flow in between}
    if job is not None:
        own = _boundary(statement, flows, job, strength, {(e.source_id, e.target_id) for e in edges})
        edges |= _apart(own, statement.renames) if statement.renames else own
    fields = {_field_edge(f, strength) for f in between if f.source.column or f.target.column or f.type}
    fields |= {_field_edge(Flow(NOWHERE, end), strength) for end in _without_source(statement, job)}
    if through:
        edges = {edge._replace(group=through) for edge in edges}
    if declared:
        edges = {edge._replace(derivation=Derivation.DECLARED) for edge in edges}
        fields = {field._replace(derivation=Derivation.DECLARED) for field in fields}
    return Edges(frozenset(edges), frozenset(fields))


def _without_source(statement: Statement, job: int | None) -> frozenset[End]:
    """The ends of which it was said that they have no source, and of which nothing else was said.

    That the job itself makes something is no other word: it is where data begins then.
    """
    if not statement.sourceless:
        return frozenset()
    foreign = [flow.target for flow in statement.entries if flow.source != End(Node.JOB, job or 0)]
    # A column with a source is a source of its dataset; one of the whole dataset is none of a column.
    fed = {*foreign, *(End(target.node, target.id) for target in foreign)}
    return statement.sourceless - fed


def grouped(edges: Edges, group: int) -> Edges:
    """The same edges as one run's among several that speak at once: see `Edge`."""
    return Edges(
        # Two groups of a run stay two: keys that differ in their last bit alone are none.
        frozenset(e._replace(group=group ^ e.group) if e.conduct == Conduct.THROUGH else e for e in edges.edges),
        edges.fields,
    )


def _flow_edge(flow: Flow, derivation: Derivation) -> Edge:
    source, target = flow.source, flow.target
    conduct = Conduct.DIRECT if source.node == target.node else Conduct.END
    return Edge(source.node, source.id, target.node, target.id, conduct, derivation)


def _boundary(
    statement: Statement,
    flows: frozenset[Flow],
    job: int,
    strength: Derivation,
    known: set[tuple[int, int]],
) -> set[Edge]:
    """The job's own edges: inputs into it, outputs out of it, and whatever finer flows between datasets touch.

    An input or output that no explicit entry mentions ends in the job; without explicit entries, inputs flow
    into every output whose columns do not say better.
    """
    between = [f for f in flows if f.source.node == f.target.node == Node.DATASET]
    sources = {flow.source.id for flow in between}
    targets = {flow.target.id for flow in between}
    mentioned = {end.id for flow in statement.entries for end in (flow.source, flow.target)}
    mentioned |= {end.id for end in statement.targets}

    def standing(dataset: int, *, flowing: bool, better_said: bool) -> tuple[Conduct, Derivation]:
        if statement.explicit:
            told = flowing or dataset in mentioned
            return (Conduct.BOUNDARY, strength) if told else (Conduct.END, Derivation.IMPLICIT)
        conduct = Conduct.BOUNDARY if better_said else Conduct.THROUGH
        return conduct, strength if flowing else Derivation.IMPLICIT

    edges = set()
    for dataset in statement.inputs | sources:
        flowing = dataset in sources
        conduct, derivation = standing(dataset, flowing=flowing, better_said=dataset not in statement.inputs)
        edges.add(Edge(Node.DATASET, dataset, Node.JOB, job, conduct, derivation))
    for dataset in statement.outputs | targets:
        flowing = dataset in targets
        conduct, derivation = standing(dataset, flowing=flowing, better_said=flowing)
        edges.add(Edge(Node.JOB, job, Node.DATASET, dataset, conduct, derivation))
    return {edge for edge in edges if (edge.source_id, edge.target_id) not in known}


def _apart(edges: set[Edge], renames: frozenset[tuple[int, int]]) -> set[Edge]:
    """Inputs x outputs without what is read and written only as it gets another name.

    Former names flow into all outputs but new names, other inputs into all. To leave out single pairs was refused: of
    a thousand tables that are renamed at once, a thousand times a thousand would be left.
    """
    through = [edge for edge in edges if edge.conduct == Conduct.THROUGH]
    read, written = {edge.source_id for edge in through}, {edge.target_id for edge in through}
    done = [(former, new) for former, new in renames if former in read and new in written]
    former, new = {one for one, _ in done}, {one for _, one in done}

    def groups(edge: Edge) -> tuple[int, ...]:
        if edge.target_node == Node.JOB:
            return (RENAMED,) if edge.source_id in former else (edge.group,)
        return (edge.group,) if edge.target_id in new else (edge.group, RENAMED)

    return {*edges.difference(through), *(edge._replace(group=one) for edge in through for one in groups(edge))}


def _field_edge(flow: Flow, derivation: Derivation) -> FieldEdge:
    source, target = flow.source, flow.target
    return FieldEdge(
        _column_key(source),
        _column_key(target),
        transformation_key(Transformation(flow.type, flow.subtype, flow.description, flow.masking)),
        source.node,
        source.id,
        source.column,
        target.node,
        target.id,
        target.column,
        derivation,
        flow.type,
        flow.subtype,
        flow.description,
        flow.masking,
    )


def _column_key(end: End) -> int:
    return field_id(end.id, end.column) if end.column else end.id


def transformation_key(transformation: Transformation) -> int:
    """The id of a transformation, so that edges with equal ones are the same edge."""
    t = transformation
    return key("transformation", t.type, t.subtype, t.description, "masked" if t.masking else "")
