"""What people declare and take back, in any order of arrival, against a slow answerer that reads every word again.

The oracle of `test_lineage_oracle` knows events alone; here are records alone, and nobody walks further than a hop.
"""

from __future__ import annotations

from hypothesis import given, note, settings
from hypothesis import strategies as st

from builders import micros
from catalog.domain.changes import Name
from catalog.domain.ids import job_id
from catalog.domain.lineage import EntityRef, Question
from catalog.domain.manual import Manual, ManualEdge, ManualEnd
from catalog.domain.timeline import Window
from catalog.domain.words import Derivation, EntityKind, Granularity, Node
from catalog.ingest import records
from catalog.ingest.accept import Ingest, Received
from catalog.store import lineage
from catalog.store.engine import Database
from conftest import NewDatabase
from histories import put, windows

Arrow = tuple[str, str, str | None]
"""From one thing to another, each as `name` or `name.column`, and the job that does it."""

JOBS = ("j", "k")
_datasets, _columns, _jobs = st.sampled_from("abc"), st.sampled_from(("", "", "x", "y")), st.sampled_from(JOBS)
_things = st.builds(lambda name, column: ManualEnd(Node.DATASET, Name("n", name), column), _datasets, _columns)
_at_jobs = st.builds(lambda name: ManualEnd(Node.JOB, Name("n", name)), _jobs)
_between = st.builds(
    lambda one, other, job: ManualEdge(one, other, None if job is None else Name("n", job)),
    _things, _things, st.none() | _jobs,
)  # fmt: skip
_edges = st.one_of(
    _between, _between, st.builds(ManualEdge, _things, _at_jobs), st.builds(ManualEdge, _at_jobs, _things)
)
_sound = _edges.filter(lambda edge: edge.source.name != edge.target.name)


@st.composite
def words(draw: st.DrawFn) -> list[Manual]:
    """What somebody said, each later than the one before, of few edges and few moments."""
    edges = draw(st.lists(_sound, min_size=1, max_size=4, unique=True))
    said = draw(st.lists(st.tuples(st.sampled_from(edges), st.integers(0, 9), st.booleans()), min_size=1, max_size=8))
    return [
        Manual(edge, declared, "ada", "seen", micros(100 + at), micros(since))
        for at, (edge, since, declared) in enumerate(said)
    ]


def declared(told: list[Manual], window: Window) -> set[ManualEdge]:
    """The edges that hold at some moment of the window: it is enough to look where something begins."""
    moments = {window.first, *(word.effective_from for word in told)}
    found = set()
    for moment in (moment for moment in moments if window.first <= moment <= window.last):
        for edge in {word.edge for word in told}:
            heard = [word for word in told if word.edge == edge and word.effective_from <= moment]
            last = max(heard, key=lambda word: (word.effective_from, word.recorded_at), default=None)
            if last is not None and last.declared:
                found.add(edge)
    return found


def shown(end: ManualEnd, granularity: Granularity) -> str:
    return f"{end.name.name}.{end.column}" if end.column and granularity is Granularity.COLUMN else end.name.name


def arrows(edge: ManualEdge, root: EntityRef, granularity: Granularity) -> set[Arrow]:
    """What an answer about the root shows of an edge."""
    job = None if edge.through is None else edge.through.name
    source, target = shown(edge.source, granularity), shown(edge.target, granularity)
    from_job = root.kind is EntityKind.JOB
    if granularity is Granularity.COLUMN and not (edge.source.column or edge.target.column):
        return set()
    # Among datasets a job is where a walk begins, and nowhere else.
    if granularity is Granularity.DATASET and not from_job and Node.JOB in (edge.source.node, edge.target.node):
        return set()
    is_split = job is not None and (from_job or granularity is Granularity.JOB)
    parts = {(source, job, job), (job, target, job)} if is_split and job is not None else {(source, target, job)}
    return {part for part in parts if root.name in (part[0].partition(".")[0], part[1].partition(".")[0])}


def answered(database: Database, root: EntityRef, granularity: Granularity, window: Window) -> set[Arrow]:
    """What the catalog shows, one hop each way."""
    with database.read() as connection:
        found = lineage.answer(connection, Question((root,), granularity=granularity, depth=1, window=window))
    names = {node.id: f"{node.name}.{node.column}" if node.column else node.name for node in found.nodes}
    jobs = {job_id("n", name): name for name in JOBS}
    assert {edge.derivation for edge in found.edges} <= {Derivation.DECLARED}
    return {(names[edge.source], names[edge.target], edge.job_id and jobs[edge.job_id]) for edge in found.edges}


def test_what_people_said_in_any_order_is_what_reading_every_word_again_says(
    new_database: NewDatabase, engine_name: str
) -> None:
    with new_database() as database:

        @settings(max_examples=settings().max_examples // (2 if engine_name == "sqlite" else 4))
        @given(st.data())
        def answers_agree(data: st.DataObject) -> None:
            told = data.draw(words())
            raw = data.draw(st.permutations([records.encode(word) for word in told]))
            note("\n".join(records.encode(word).decode() for word in told))
            cut = data.draw(st.integers(0, len(raw)))
            put(database, [])
            for batch in (raw[:cut], raw[cut:]):
                Ingest(database).accept([Received(record, "test", is_record=True) for record in batch])
            ends = {end for word in told for end in (word.edge.source, word.edge.target)}
            named = {(EntityKind.JOB if end.node is Node.JOB else EntityKind.DATASET, end.name.name) for end in ends}
            named |= {(EntityKind.JOB, word.edge.through.name) for word in told if word.edge.through is not None}
            window = data.draw(windows)
            held = declared(told, window)
            for kind, name in sorted(named, key=lambda one: one[1]):
                root = EntityRef(kind, "n", name)
                for granularity in (Granularity.DATASET, Granularity.JOB, Granularity.COLUMN):
                    expected = {arrow for edge in held for arrow in arrows(edge, root, granularity)}
                    assert answered(database, root, granularity, window) == expected, (root, granularity)

        answers_agree()
