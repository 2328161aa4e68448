from __future__ import annotations

from catalog.domain.changes import Transformation
from catalog.domain.job_changes import ColumnEdge, Work, compare, work
from catalog.domain.statement import End, Flow, Statement
from catalog.domain.words import Node

JOB, RAW, CLEAN, ALIAS = 9, 1, 2, 3
HASHED = Transformation("DIRECT", "TRANSFORMATION", "", masking=True)


def code(**members: str) -> str:
    return "{" + ",".join(f'"{name}":"{said}"' for name, said in sorted(members.items())) + "}"


def test_work_is_what_edges_say_under_the_names_that_are_shown():
    flow = Flow(End(Node.DATASET, ALIAS, "a"), End(Node.DATASET, CLEAN, "b"), "DIRECT", "TRANSFORMATION", "", True)
    said = Statement(frozenset([RAW]), frozenset([CLEAN]), columns=frozenset([flow]))
    done = work(said, JOB, {RAW: RAW, ALIAS: RAW, CLEAN: CLEAN}.__getitem__)
    assert (done.inputs, done.outputs) == ({RAW}, {CLEAN})
    assert done.columns == {ColumnEdge(RAW, "a", CLEAN, "b", HASHED)}


def test_the_same_work_has_no_changes_and_no_new_commit():
    done = Work(frozenset([RAW]), code=frozenset([code(url="u", version="c1")]))
    changes = compare(done, done)
    assert not changes.inputs_added + changes.inputs_removed + changes.code_added + changes.code_removed
    assert (changes.code_parts, changes.commit) == ((), None)


def test_what_came_and_what_went_are_told_apart():
    plain, hashed = (ColumnEdge(RAW, "a", CLEAN, "b", how) for how in (Transformation(), HASHED))
    changes = compare(
        Work(frozenset([RAW]), frozenset([CLEAN]), frozenset([plain])),
        Work(frozenset([ALIAS]), frozenset([CLEAN]), frozenset([hashed])),
    )
    assert (changes.inputs_added, changes.inputs_removed) == ((ALIAS,), (RAW,))
    assert (changes.outputs_added, changes.outputs_removed) == ((), ())
    assert (changes.columns_added, changes.columns_removed) == ((hashed,), (plain,))


def test_of_a_code_location_the_members_that_differ_are_named_and_the_commit_it_is_at():
    before, after = code(url="u", version="c1", branch="main"), code(url="u", version="c2", tag="v2")
    changes = compare(Work(code=frozenset([before])), Work(code=frozenset([after])))
    assert (changes.code_added, changes.code_removed) == ((after,), (before,))
    assert changes.code_parts == ("branch", "tag", "version")
    assert changes.commit == "c2"
