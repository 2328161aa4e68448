"""Questions about lineage as a whole, asked of what the catalog knew on an earlier day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from graphql import GraphQLError
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import also_known_as, columns, declared_dataset, facet, micros, moment, ran, renamed
from catalog.api.graphql.context import Bounds
from catalog.api.graphql.limits import Limits
from catalog.api.graphql.schema import execute
from catalog.domain.words import EntityKind, Granularity
from catalog.store.engine import Database
from conftest import NewDatabase
from histories import cut_in_two, mentioned, receive

Ask = Callable[..., Any]
Refusal = Callable[..., GraphQLError]

ROOMY = Limits(max_cost=10_000_000, max_tokens=5_000, max_aliases=100)
DAY = 1440
THEN, LATER = (micros(day * DAY) for day in (10, 12))
TUESDAY, WEDNESDAY = (moment(day * DAY) for day in (11, 12))
OF_MONDAY = f'from: "{moment(10 * DAY)}", to: "{moment(10 * DAY)}"'
MODEL, TABLE = facet(datasetType="MODEL"), facet(datasetType="TABLE")


class TestCycles:
    @pytest.mark.parametrize("around", ['of: [{kind: DATASET, namespace: "shop", name: "a"}]', 'namespace: "shop"'])
    def test_that_nobody_had_heard_of_are_not_there(self, database: Database, ask: Ask, around: str) -> None:
        receive(database, THEN, [*ran("there").reading("a").writing("b"), declared_dataset("a", 0, datasetType=MODEL)])
        receive(
            database, LATER, [*ran("back", 1).reading("b").writing("a"), declared_dataset("a", 0.5, datasetType=TABLE)]
        )
        shown = "cycles { nodes { name kind entity { ... on Dataset { type } } } }"

        def found(when: str) -> list[Any]:
            loops: list[Any] = ask(f"{{ cycles({around}{when}) {{ {shown} }} }}")["cycles"]["cycles"]
            return [[(n["name"], n["kind"], n["entity"]["type"]) for n in loop["nodes"]] for loop in loops]

        assert found(f', recordedAsOf: "{TUESDAY}"') == []
        both = [[("a", "DATASET", "TABLE"), ("b", "DATASET", None)]]
        assert found(f', recordedAsOf: "{WEDNESDAY}"') == found("") == both

    def test_have_the_kinds_of_then(self, database: Database, ask: Ask) -> None:
        receive(database, THEN, [*ran("loop").reading("a").writing("a"), declared_dataset("a", 0, datasetType=MODEL)])
        receive(database, LATER, [declared_dataset("a", 0.5, datasetType=TABLE)])
        asked = f'cycles(namespace: "shop", recordedAsOf: "{TUESDAY}")'
        (loop,) = ask(f"{{ {asked} {{ cycles {{ nodes {{ kind }} }} }} }}")["cycles"]["cycles"]
        assert loop == {"nodes": [{"kind": "MODEL"}]}


class TestOrphans:
    @pytest.fixture
    def corrected(self, database: Database) -> None:
        receive(database, THEN, [declared_dataset("alone", 0, datasetType=MODEL, schema=columns(a="int"))])
        receive(database, THEN, [declared_dataset("other", 0), *ran("dag", 0)])
        receive(database, LATER, [declared_dataset("alone", 1, datasetType=TABLE), declared_dataset("late", 0)])
        receive(
            database, LATER, [*ran("etl").reading("other").writing("elsewhere"), *ran("task").inside(ran("dag", 0))]
        )

    @pytest.mark.usefixtures("corrected")
    @pytest.mark.parametrize("where", ["", ', namespace: "shop"'])
    def test_are_those_that_were_known_as_what_they_were(self, ask: Ask, where: str) -> None:
        shown = "totalCount nodes { kind name entity { ... on Dataset { type } } }"

        def found(when: str) -> list[Any]:
            answer = ask(f"{{ orphans({when}{where}) {{ {shown} }} }}")["orphans"]
            assert answer["totalCount"] == len(answer["nodes"])
            return [(one["kind"], one["name"], one["entity"].get("type")) for one in answer["nodes"]]

        then = [("DATASET", "other", None), ("MODEL", "alone", "MODEL"), ("JOB", "dag", None)]
        assert found(f'recordedAsOf: "{TUESDAY}"') == then
        now = [("DATASET", "alone", "TABLE"), ("DATASET", "late", None), ("JOB", "task", None)]
        assert found(f'recordedAsOf: "{WEDNESDAY}"') == found("first: 9") == now
        assert ("MODEL", "alone", "MODEL") in found(f'asOf: "{moment(0)}"')

    @pytest.mark.usefixtures("corrected")
    def test_of_more_than_may_be_read_again_are_refused_with_a_way_out(self, database: Database, ask: Ask) -> None:
        asked = f'orphans(recordedAsOf: "{TUESDAY}") {{ totalCount }}'
        (error,) = execute(database, f"{{ {asked} }}", bounds=Bounds(max_entries=3)).errors or ()
        assert "more than 3 entries" in error.message
        assert "for one `namespace`" in error.message
        assert "CATALOG_LINEAGE_MAX_ENTRIES" in error.message
        assert ask(f"{{ {asked} }}") == {"orphans": {"totalCount": 3}}

    def test_of_a_namespace_read_nothing_of_others_again(self, database: Database) -> None:
        receive(database, THEN, [declared_dataset((f"n{n}", "d"), 0) for n in range(9)])
        asked = f'orphans(namespace: "n3", recordedAsOf: "{TUESDAY}") {{ nodes {{ namespace }} }}'
        found = execute(database, f"{{ {asked} }}", bounds=Bounds(max_entries=1))
        assert found.data == {"orphans": {"nodes": [{"namespace": "n3"}]}}


class TestRootCandidates:
    @pytest.fixture
    def corrected(self, database: Database) -> None:
        """A night that failed; on Wednesday it is heard what else had failed before."""
        night = ran("night", 5, "n").failing()
        receive(database, THEN, [*ran("up", 1).reading("raw").writing("staged"), *night])
        receive(database, THEN, ran("task", 4.5, "t").inside(night).reading("staged").writing("mart").failing())
        receive(database, LATER, ran("up", 3, "u").reading("raw").writing("staged").failing())
        receive(database, LATER, ran("other task", 4.6, "o").inside(night).failing())

    @pytest.mark.usefixtures("corrected")
    @pytest.mark.parametrize("kind", ["RUN", "JOB"])
    def test_are_those_of_which_one_knew(self, ask: Ask, kind: str) -> None:
        of = f'{{kind: {kind}, namespace: "shop", name: "{"n" if kind == "RUN" else "night"}"}}'

        def found(when: str) -> set[str]:
            shown = "candidates { node { name } reason run { runId } }"
            return {
                f"{one['node']['name']} {one['reason']} {one['run']['runId']}"
                for one in ask(f"{{ rootCandidates(of: {of}{when}) {{ {shown} }} }}")["rootCandidates"]["candidates"]
            }

        at_first = {"task FAILED t"}
        assert found(f', recordedAsOf: "{TUESDAY}"') == at_first
        all_of_them = at_first | {"up FAILED u", "other task FAILED o"}
        assert found(f', recordedAsOf: "{WEDNESDAY}"') == found("") == all_of_them

    @pytest.mark.usefixtures("corrected")
    def test_of_what_failed_at_no_known_moment_are_as_of_that_day(self, ask: Ask, refusal: Refusal) -> None:
        of = 'of: {kind: DATASET, namespace: "shop", name: "mart"}'
        found = ask(f'{{ rootCandidates({of}, recordedAsOf: "{TUESDAY}") {{ moment }} }}')["rootCandidates"]
        assert found == {"moment": TUESDAY}
        unknown = refusal(f'{{ rootCandidates({of}, recordedAsOf: "{moment(0)}") {{ moment }} }}')
        assert unknown.message.endswith("At least nobody knew of it then.")


@pytest.mark.parametrize("how", ["symlink", "rename"])
@pytest.mark.parametrize("granularity", ["DATASET", "JOB", "COLUMN"])
def test_a_dataset_whose_other_name_was_learnt_between_is_the_same_in_a_difference(
    database: Database, ask: Ask, granularity: str, how: str
) -> None:
    load = ran("load").from_columns("files", a=[("raw", "a")])
    receive(database, THEN, [*load, *ran("copy", 1).from_columns("copied", a=[("files", "a")])])
    link = {"symlinks": also_known_as("files")} if how == "symlink" else {"lifecycleStateChange": renamed("files")}
    receive(database, LATER, [declared_dataset("a_table", 2, **link)])
    named = "name column"
    said = f"""added removed changed nodesAdded {{ {named} }} nodesRemoved {{ {named} }} edgesAdded {{ source }}
        edgesRemoved {{ source }} nodesChanged {{ before {{ {named} }} after {{ {named} }} }}"""
    asked = f'of: [{{kind: DATASET, namespace: "shop", name: "copied"}}], granularity: {granularity}'
    new, old = ({"name": name, "column": "a" if granularity == "COLUMN" else None} for name in ("a_table", "files"))
    for first, last, recorded in ((old, new, "fromRecorded"), (new, old, "toRecorded")):
        query = f'{asked}, {OF_MONDAY}, {recorded}: "{TUESDAY}"'
        assert ask(f"{{ lineageDiff({query}) {{ {said} }} }}")["lineageDiff"] == {
            "added": 0, "removed": 0, "changed": 1, "nodesAdded": [], "nodesRemoved": [], "edgesAdded": [],
            "edgesRemoved": [], "nodesChanged": [{"before": first, "after": last}],
        }  # fmt: skip


def test_a_dataset_that_got_its_former_name_back_is_the_same_in_a_difference(database: Database, ask: Ask) -> None:
    there, back = (declared_dataset(name, at, lifecycleStateChange=renamed(was)) for name, at, was in (
        ("r", 5, "q"), ("q", 8, "r"),
    ))  # fmt: skip
    receive(database, THEN, [*ran("j", 1).reading("q").writing("b"), there])
    receive(database, LATER, [back])
    asked = f'of: [{{kind: DATASET, namespace: "shop", name: "b"}}], {OF_MONDAY}, fromRecorded: "{TUESDAY}"'
    said = "added removed nodesChanged { before { name } after { name } }"
    changed = [{"before": {"name": "r"}, "after": {"name": "q"}}]
    found = ask(f"{{ lineageDiff({asked}) {{ {said} }} }}")["lineageDiff"]
    assert found == {"added": 0, "removed": 0, "nodesChanged": changed}


NODE = "kind namespace name column depth tags owners hiddenUpstream hiddenDownstream"
LOOPS = f"{{ truncatedBy cycles {{ nodes {{ {NODE} }} edges {{ source target derivation }} }} }}"
ORPHANS = "{ totalCount nodes { kind name entity { id ... on Dataset { description tags { key } } } } }"
CAUSES = (
    f"{{ moment candidates {{ node {{ {NODE} }} reason distance at detail run {{ id state }} facet {{ name }} }} }}"
)
QUESTIONS = {
    "cycles(of: [%s], granularity: %s%s": LOOPS,
    'cycles(namespace: "shop", depth: 3%s': LOOPS,
    "orphans(first: 9%s": ORPHANS,
    'orphans(namespace: "shop"%s': ORPHANS,
    "rootCandidates(of: %s%s": CAUSES,
}


def test_any_history_cut_at_any_receipt_answers_as_its_beginning_alone(
    new_database: NewDatabase, engine_name: str
) -> None:
    def said(database: Database, asked: str) -> Any:
        result = execute(database, f"{{ {asked} }}", limits=ROOMY)
        errors = [error.message.removesuffix(" At least nobody knew of it then.") for error in result.errors or ()]
        return errors or orjson.loads(orjson.dumps(result.data))

    with new_database() as whole, new_database() as beginning:

        @settings(max_examples=settings().max_examples // (10 if engine_name == "sqlite" else 30))
        @given(st.data())
        def answers_agree(data: st.DataObject) -> None:
            events, known = cut_in_two(data, whole, beginning, (THEN, LATER), least=1)
            # What was not heard of then may have been named by then: that is another test's.
            things = [ref for ref in mentioned(events[:known], Granularity.JOB) if ref.kind is not EntityKind.COLUMN]
            of = data.draw(st.sampled_from(things))
            named = f'{{kind: {of.kind.value}, namespace: "{of.namespace}", name: "{of.name}"}}'
            how = data.draw(st.sampled_from(("DATASET", "JOB", "COLUMN")))
            at = f', asOf: "{moment(data.draw(st.integers(0, 10)))}"'
            now = data.draw(st.booleans())
            for question in data.draw(
                st.lists(st.sampled_from(sorted(QUESTIONS)), min_size=1, max_size=2, unique=True)
            ):
                places = {1: (), 2: (named,), 3: (named, how)}[question.count("%s")]
                shown, when = QUESTIONS[question], "" if now and "rootCandidates" not in question else at
                then = said(whole, f'{question % (*places, when)}, recordedAsOf: "{TUESDAY}") {shown}')
                assert then == said(beginning, f"{question % (*places, when)}) {shown}")

        answers_agree()
