"""Lineage that people declare: who may, what is refused, and what the log and the graph know of it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from builders import also_known_as, declared_dataset, drawn_from, dropped, facet, named, ran
from catalog.api.graphql.schema import execute
from catalog.domain.callers import Caller, Permission, Role
from catalog.ingest.accept import Ingest, Received, Refused
from catalog.store.engine import Database
from catalog.store.log import replay

Tell = Callable[..., Any]
Ask = Callable[..., Any]
Edge = tuple[str, str, str, str | None]

ADA = Caller("ada", Role.STEWARD)
SHEET, BUDGET, MART = ({"kind": "DATASET", **named(name)} for name in ("budget.xlsx", "budget", "mart"))
DAY = 60 * 24
FEBRUARY, MARCH, APRIL = (f"2026-0{month}-01T00:00:00Z" for month in (2, 3, 4))
ANSWER = """lineage { source { kind namespace name column } target { kind name column } job { name }
    transformations { type subtype masking } principal reason recordedAt effectiveFrom retracted receipt }
    receipt errors { code message fix }"""
DECLARE = f"mutation($input: DeclareLineageInput!) {{ declareLineage(input: $input) {{ {ANSWER} }} }}"
RETRACT = f"mutation($input: RetractLineageInput!) {{ retractLineage(input: $input) {{ {ANSWER} }} }}"
LINEAGE = """query($of: EntityRef!, $granularity: Granularity!, $asOf: DateTime) {
    lineage(of: [$of], granularity: $granularity, asOf: $asOf) {
        nodes { id name column kind knownSourceless }
        edges { source target derivation masked job { name } transformations { type subtype }
                declaredBy { principal reason source { column } retracted effectiveFrom } } } }"""


def column(of: str, name: str) -> dict[str, str]:
    return {"kind": "COLUMN", **named(of), "column": name}


def job(name: str) -> dict[str, str]:
    return {"kind": "JOB", **named(name)}


@pytest.fixture
def say(database: Database) -> Ask:
    """What a mutation answers; a steward's unless said otherwise."""

    def answer(mutation: str, source: Any, target: Any, *, caller: Caller = ADA, **given: Any) -> Any:
        said = {"source": source, "target": target, "reason": "I asked the controller", **given}
        result = execute(database, mutation, {"input": said}, caller=caller)
        assert result.errors is None, result.errors
        (payload,) = orjson.loads(orjson.dumps(result.data)).values()
        return payload

    return answer


@pytest.fixture
def declare(say: Ask) -> Ask:
    def declared(source: Any, target: Any, **given: Any) -> Any:
        payload = say(DECLARE, source, target, **given)
        assert payload["errors"] == []
        return payload["lineage"]

    return declared


@pytest.fixture
def retract(say: Ask) -> Ask:
    def retracted(source: Any, target: Any, **given: Any) -> Any:
        payload = say(RETRACT, source, target, **given)
        assert payload["errors"] == []
        return payload["lineage"]

    return retracted


@pytest.fixture
def answered(ask: Ask) -> Ask:
    def answer(of: Any, granularity: str = "DATASET", as_of: str | None = None) -> Any:
        return ask(LINEAGE, of=of, granularity=granularity, asOf=as_of)["lineage"]

    return answer


@pytest.fixture
def edges(answered: Ask) -> Callable[..., set[Edge]]:
    def found(*question: Any) -> set[Edge]:
        answer = answered(*question)
        names = {
            node["id"]: node["name"] + (f".{node['column']}" if node["column"] else "") for node in answer["nodes"]
        }
        return {
            (names[e["source"]], names[e["target"]], e["derivation"], e["job"] and e["job"]["name"])
            for e in answer["edges"]
        }

    return found


# What is declared is lineage.


def test_what_a_steward_declares_is_lineage_from_then_on(declare: Ask, edges: Ask) -> None:
    said = declare(SHEET, BUDGET, effectiveFrom=FEBRUARY)

    assert (said["principal"], said["reason"], said["retracted"]) == ("ada", "I asked the controller", False)
    assert said["effectiveFrom"] == FEBRUARY
    assert edges(BUDGET) == {("budget.xlsx", "budget", "DECLARED", None)}
    assert edges(BUDGET, "DATASET", FEBRUARY) == {("budget.xlsx", "budget", "DECLARED", None)}
    assert edges(BUDGET, "DATASET", "2026-01-31T23:59:59Z") == set()
    assert edges(BUDGET, "JOB") == {("budget.xlsx", "budget", "DECLARED", None)}


def test_it_stands_beside_what_was_seen_and_what_producers_declare(tell: Tell, declare: Ask, edges: Ask) -> None:
    tell(ran("etl").reading("raw").writing("budget"), declared_dataset("budget", 5, lineage=drawn_from("ledger")))
    declare(SHEET, BUDGET)

    assert edges(BUDGET) == {
        ("raw", "budget", "IMPLICIT", "etl"),
        ("ledger", "budget", "DECLARED", None),
        ("budget.xlsx", "budget", "DECLARED", None),
    }


def test_a_producer_that_declares_anew_takes_no_word_of_a_person_away(tell: Tell, declare: Ask, edges: Ask) -> None:
    declare(SHEET, BUDGET, effectiveFrom=FEBRUARY)
    tell(declared_dataset("budget", 90 * DAY, lineage=drawn_from("ledger")))

    assert {edge[0] for edge in edges(BUDGET)} == {"budget.xlsx", "ledger"}


def test_a_column_becomes_a_column_in_the_way_that_was_said(declare: Ask, answered: Ask, edges: Ask) -> None:
    hashed = {"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": True}
    declare(column("budget.xlsx", "name"), column("budget", "person"), transformations=[hashed])

    assert edges(column("budget", "person"), "COLUMN") == {("budget.xlsx.name", "budget.person", "DECLARED", None)}
    assert edges(BUDGET) == {("budget.xlsx", "budget", "DECLARED", None)}
    for of, granularity in ((column("budget", "person"), "COLUMN"), (BUDGET, "DATASET")):
        (edge,) = answered(of, granularity)["edges"]
        assert edge["masked"]
        assert edge["transformations"] == [{"type": "DIRECT", "subtype": "TRANSFORMATION"}]


def test_the_job_that_does_it_is_part_of_the_answer_if_it_was_named(declare: Ask, answered: Ask, edges: Ask) -> None:
    direct = {"type": "DIRECT", "subtype": "IDENTITY"}
    declare(column("budget.xlsx", "x"), column("budget", "y"), job=named("by hand"), transformations=[direct])

    assert edges(BUDGET) == {("budget.xlsx", "budget", "DECLARED", "by hand")}
    assert edges(column("budget", "y"), "COLUMN") == {("budget.xlsx.x", "budget.y", "DECLARED", "by hand")}
    assert edges(BUDGET, "JOB") == {
        ("budget.xlsx", "by hand", "DECLARED", "by hand"),
        ("by hand", "budget", "DECLARED", "by hand"),
    }
    for granularity in ("DATASET", "JOB"):
        for edge in answered(BUDGET, granularity)["edges"]:
            assert [said["principal"] for said in edge["declaredBy"]] == ["ada"]
    (edge,) = answered(BUDGET)["edges"]
    assert edge["transformations"] == [{"type": "DIRECT", "subtype": "IDENTITY"}]


def test_who_asks_among_columns_for_the_job_that_does_it_finds_the_edge(
    tell: Tell, declare: Ask, retract: Ask, answered: Ask, edges: Ask
) -> None:
    tell(ran("by hand").from_columns("budget", z=[("raw", "x")]))
    ends = column("budget.xlsx", "x"), column("budget", "y")
    declare(*ends, job=named("by hand"), effectiveFrom=FEBRUARY)
    declare(SHEET, column("budget", "w"), job=named("by hand"), reason="the whole of it", effectiveFrom=FEBRUARY)
    declare(*ends, job=named("otherwise"))
    seen = {("raw.x", "by hand", "COLUMN", "by hand"), ("by hand", "budget.z", "COLUMN", "by hand")}
    said = {("budget.xlsx.x", "by hand", "DECLARED", "by hand"), ("by hand", "budget.y", "DECLARED", "by hand")}
    whole = {("budget.xlsx", "by hand", "DECLARED", "by hand"), ("by hand", "budget.w", "DECLARED", "by hand")}

    assert edges(job("by hand"), "COLUMN") == seen | said | whole
    answer = answered(job("by hand"), "COLUMN")
    columns = {node["id"]: (node["name"], node["column"]) for node in answer["nodes"]}
    reasons = {
        (columns[edge["source"]], columns[edge["target"]]): [one["reason"] for one in edge["declaredBy"]]
        for edge in answer["edges"]
    }
    by_hand = ("by hand", None)
    assert reasons == {
        (("raw", "x"), by_hand): [], (by_hand, ("budget", "z")): [],
        (("budget.xlsx", "x"), by_hand): ["I asked the controller"],
        (by_hand, ("budget", "y")): ["I asked the controller"],
        (("budget.xlsx", None), by_hand): ["the whole of it"], (by_hand, ("budget", "w")): ["the whole of it"],
    }  # fmt: skip
    retract(*ends, job=named("by hand"), effectiveFrom=APRIL)
    assert edges(job("by hand"), "COLUMN") == seen | whole
    assert edges(job("by hand"), "COLUMN", MARCH) == seen | said | whole


@pytest.mark.parametrize("direction", ["UPSTREAM", "DOWNSTREAM", "BOTH"])
def test_what_only_a_person_named_was_known_from_then_on(declare: Ask, ask: Ask, direction: str) -> None:
    declare(column("budget.xlsx", "x"), column("budget", "y"), job=named("by hand"))
    (entry,) = ask("{ events { nodes { receivedAt } } }")["events"]["nodes"]
    asked = f"""query($of: EntityRef!, $then: DateTime) {{
        lineage(of: [$of], granularity: COLUMN, direction: {direction}, recordedAsOf: $then) {{
            nodes {{ name }} edges {{ declaredBy {{ reason }} }} }} }}"""
    for of in (SHEET, BUDGET, job("by hand")):
        now, then = (ask(asked, of=of, then=at) for at in (None, entry["receivedAt"]))
        assert then == now
        assert now["lineage"]["nodes"]


def test_a_job_can_be_an_end_of_it(declare: Ask, edges: Ask) -> None:
    declare(SHEET, job("import"))
    declare(job("import"), job("load"))
    declare(job("load"), BUDGET)

    assert edges(BUDGET, "JOB") == {
        ("budget.xlsx", "import", "DECLARED", None),
        ("import", "load", "DECLARED", None),
        ("load", "budget", "DECLARED", None),
    }
    assert edges(BUDGET) == {("budget.xlsx", "budget", "DECLARED", "load")}


def test_by_any_name_of_a_dataset_it_is_the_same_edge_in_answers(
    tell: Tell, declare: Ask, answered: Ask, edges: Ask
) -> None:
    tell(ran("etl").writing("budget", symlinks=also_known_as("budget_table")))
    declare(SHEET, {"kind": "DATASET", **named("budget_table")})

    assert edges(BUDGET) == {("budget.xlsx", "budget", "DECLARED", None)}
    (edge,) = answered(BUDGET)["edges"]
    assert [said["principal"] for said in edge["declaredBy"]] == ["ada"]


def test_who_declared_an_edge_and_why_is_beside_it(tell: Tell, declare: Ask, answered: Ask) -> None:
    tell(declared_dataset("budget", 5, lineage=drawn_from("ledger")))
    declare(SHEET, BUDGET)
    declare(column("budget.xlsx", "x"), column("budget", "y"), caller=Caller("bob", Role.ADMIN), reason="seen it")
    names = {node["id"]: node["name"] for node in answered(BUDGET)["nodes"]}

    said = {names[edge["source"]]: edge["declaredBy"] for edge in answered(BUDGET)["edges"]}
    assert [(one["principal"], one["reason"]) for one in said["budget.xlsx"]] == [
        ("ada", "I asked the controller"), ("bob", "seen it"),
    ]  # fmt: skip
    assert said["ledger"] == []
    (edge,) = answered(column("budget", "y"), "COLUMN")["edges"]
    assert [one["principal"] for one in edge["declaredBy"]] == ["bob"]


def test_of_several_words_on_an_edge_those_in_force_are_shown(declare: Ask, answered: Ask) -> None:
    declare(SHEET, BUDGET, reason="first", effectiveFrom=FEBRUARY)
    declare(SHEET, BUDGET, reason="second", effectiveFrom=APRIL)

    assert [one["reason"] for one in answered(BUDGET, "DATASET", MARCH)["edges"][0]["declaredBy"]] == ["first"]
    assert [one["reason"] for one in answered(BUDGET)["edges"][0]["declaredBy"]] == ["second"]


# What is retracted is over.


def test_what_is_retracted_is_over_and_is_there_as_of_before(declare: Ask, retract: Ask, edges: Ask) -> None:
    declare(SHEET, BUDGET, effectiveFrom=FEBRUARY)
    declare(MART, BUDGET, effectiveFrom=FEBRUARY)
    said = retract(SHEET, BUDGET, effectiveFrom=APRIL, reason="we have a system now")

    assert (said["retracted"], said["reason"]) == (True, "we have a system now")
    assert edges(BUDGET) == {("mart", "budget", "DECLARED", None)}
    assert {edge[0] for edge in edges(BUDGET, "DATASET", MARCH)} == {"mart", "budget.xlsx"}
    assert {edge[0] for edge in edges(BUDGET, "DATASET", APRIL)} == {"mart"}


def test_what_was_declared_by_mistake_never_was_once_it_is_retracted_as_of_then(
    declare: Ask, retract: Ask, edges: Ask
) -> None:
    for _ in range(5):  # Whatever the digests are, the later word counts.
        declare(SHEET, BUDGET, effectiveFrom=FEBRUARY)
        retract(SHEET, BUDGET, effectiveFrom=FEBRUARY)
        assert edges(BUDGET) == edges(BUDGET, "DATASET", FEBRUARY) == set()
    declare(SHEET, BUDGET, effectiveFrom=FEBRUARY)
    assert edges(BUDGET, "DATASET", FEBRUARY) == {("budget.xlsx", "budget", "DECLARED", None)}


def test_the_same_ends_with_a_job_or_with_columns_are_other_edges(declare: Ask, retract: Ask, edges: Ask) -> None:
    declare(SHEET, BUDGET)
    declare(SHEET, BUDGET, job=named("by hand"))
    declare(column("budget.xlsx", "x"), column("budget", "y"))
    retract(SHEET, BUDGET)

    assert edges(BUDGET) == {
        ("budget.xlsx", "budget", "DECLARED", None), ("budget.xlsx", "budget", "DECLARED", "by hand"),
    }  # fmt: skip
    retract(column("budget.xlsx", "x"), column("budget", "y"))
    assert edges(BUDGET) == {("budget.xlsx", "budget", "DECLARED", "by hand")}


def test_one_document_can_declare_and_retract(database: Database) -> None:
    ends = 'source: {kind: DATASET, namespace: "n", name: "a"}, target: {kind: JOB, namespace: "n", name: "b"}'
    document = f"""mutation {{
        a: declareLineage(input: {{{ends}, reason: "r"}}) {{ errors {{ code }} }}
        b: retractLineage(input: {{{ends}, reason: "r"}}) {{ errors {{ code }} }}
        c: retractLineage(input: {{{ends}, reason: "r"}}) {{ errors {{ code }} }} }}"""
    result = execute(database, document)

    assert result.errors is None
    assert result.data == {"a": {"errors": []}, "b": {"errors": []}, "c": {"errors": [{"code": "NOT_FOUND"}]}}


# An edge has the names it was declared under; who speaks of it may use others.

FILES = {"kind": "DATASET", **named("files")}
BY_ANOTHER_NAME = {
    "datasets": (SHEET, BUDGET, SHEET, FILES, {}),
    "sources": (BUDGET, MART, FILES, MART, {}),
    "through a job": (SHEET, BUDGET, SHEET, FILES, {"job": named("by hand")}),
    "columns": (column("sheet", "x"), column("files", "y"), column("sheet", "x"), column("budget", "y"), {}),
    "columns of one dataset": (
        column("budget", "x"),
        column("budget", "y"),
        column("files", "x"),
        column("files", "y"),
        {},
    ),
    "a job": (job("load"), FILES, job("load"), BUDGET, {}),
}


@pytest.fixture
def files(tell: Tell) -> None:
    """A dataset with two names: budget and files."""
    tell(ran("etl", -90 * DAY).writing("budget", symlinks=also_known_as("files")))


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("case", BY_ANOTHER_NAME.values(), ids=BY_ANOTHER_NAME)
def test_by_another_name_of_its_datasets_an_edge_is_renewed_and_retracted(
    declare: Ask, retract: Ask, say: Ask, ask: Ask, case: tuple[Any, Any, Any, Any, dict[str, Any]]
) -> None:
    source, target, its_source, its_target, given = case
    first = declare(source, target, effectiveFrom=FEBRUARY, **given)
    again = declare(its_source, its_target, reason="still so", effectiveFrom=MARCH, **given)
    over = retract(its_source, its_target, effectiveFrom=APRIL, **given)

    for said in (again, over):
        assert (said["source"], said["target"]) == (first["source"], first["target"])
    for names in ((source, target), (its_source, its_target)):
        assert [error["code"] for error in say(RETRACT, *names, **given)["errors"]] == ["NOT_FOUND"]
    kind, known = ("JOB", named("load")) if source["kind"] == "JOB" else ("DATASET", named("budget"))
    asked = """query($of: EntityRef!, $at: DateTime) { lineage(of: [$of], granularity: JOB, asOf: $at) {
        edges { declaredBy { reason } } } }"""
    for at, reasons in ((FEBRUARY, {"I asked the controller"}), (MARCH, {"still so"}), (APRIL, set())):
        edges = ask(asked, of={"kind": kind, **known}, at=at)["lineage"]["edges"]
        assert {one["reason"] for edge in edges for one in edge["declaredBy"]} == reasons


@pytest.mark.usefixtures("files")
def test_what_was_declared_under_the_names_given_comes_first(
    tell: Tell, declare: Ask, retract: Ask, edges: Ask
) -> None:
    declare(SHEET, {"kind": "DATASET", **named("path")}, effectiveFrom=FEBRUARY)
    declare(SHEET, FILES, effectiveFrom=FEBRUARY)
    tell(declared_dataset("budget", 1, symlinks=also_known_as("path")))

    assert retract(SHEET, FILES)["target"]["name"] == "files"
    assert edges(BUDGET) == {("budget.xlsx", "budget", "DECLARED", None)}
    assert retract(SHEET, FILES)["target"]["name"] == "path"
    assert edges(BUDGET) == set()


@pytest.mark.usefixtures("files")
def test_an_edge_of_other_columns_or_another_job_is_not_meant(declare: Ask, say: Ask) -> None:
    declare(column("sheet", "x"), column("budget", "y"), job=named("by hand"))
    for source, target, given in (
        (column("sheet", "x"), column("files", "z"), {"job": named("by hand")}),
        (column("sheet", "x"), column("files", "y"), {"job": named("otherwise")}),
        (column("sheet", "x"), column("files", "y"), {}),
        ({"kind": "DATASET", **named("sheet")}, FILES, {"job": named("by hand")}),
    ):
        assert [error["code"] for error in say(RETRACT, source, target, **given)["errors"]] == ["NOT_FOUND"]


@pytest.mark.usefixtures("files")
def test_what_is_over_under_another_name_is_declared_under_the_names_given(
    declare: Ask, retract: Ask, edges: Ask
) -> None:
    declare(SHEET, FILES, effectiveFrom=FEBRUARY)
    retract(SHEET, FILES, effectiveFrom=MARCH)

    assert declare(SHEET, BUDGET, effectiveFrom=FEBRUARY)["target"]["name"] == "budget"
    assert edges(BUDGET) == {("budget.xlsx", "budget", "DECLARED", None)}


# What is dropped conducts nothing, so nothing is declared of it.


IT = {"kind": "DATASET", **named("budget")}
DROPPED = {
    "source": (IT, MART), "target": (SHEET, IT), "another name": (FILES, MART),
    "column": (column("sheet", "x"), column("budget", "x")),
}  # fmt: skip


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("ends", DROPPED.values(), ids=DROPPED)
def test_what_is_dropped_is_no_end_of_lineage_until_it_is_written_again(
    tell: Tell, say: Ask, declare: Ask, edges: Ask, ends: tuple[Any, Any]
) -> None:
    tell(declared_dataset("budget", 40 * DAY, lifecycleStateChange=dropped()))
    (error,) = say(DECLARE, *ends, effectiveFrom=MARCH)["errors"]
    assert error["code"] == "BAD_REQUEST"
    assert "in namespace 'shop' was dropped at 2026-02-10T00:00:00Z" in error["message"]
    assert error["fix"] == "Give an `effectiveFrom` before that, or declare it when it is written again."
    assert say(DECLARE, *ends)["errors"]

    tell(ran("etl", 70 * DAY).writing("files"))
    (error,) = say(DECLARE, *ends, effectiveFrom=MARCH)["errors"]
    assert error["fix"] == "Give an `effectiveFrom` before that, or from 2026-03-12T00:00:00Z on: it was written again."
    declare(*ends, effectiveFrom=APRIL)
    declare(*ends, effectiveFrom=FEBRUARY)
    assert [len(edges(BUDGET, "DATASET", at)) for at in (FEBRUARY, MARCH, APRIL)] == [1, 0, 1]


def test_an_edge_of_what_was_dropped_since_can_be_taken_back(tell: Tell, declare: Ask, retract: Ask) -> None:
    tell(ran("etl").writing("budget"))
    declare(SHEET, BUDGET, effectiveFrom=FEBRUARY)
    tell(declared_dataset("budget", 40 * DAY, lifecycleStateChange=dropped()))

    assert retract(SHEET, BUDGET, effectiveFrom=MARCH)["retracted"]


# What is refused.


@pytest.mark.parametrize("role", Role)
def test_only_stewards_and_admins_may(database: Database, role: Role) -> None:
    said = {"input": {"source": SHEET, "target": BUDGET, "reason": "r"}}
    caller = Caller("somebody", role, ("*",) if role is Role.INGESTOR else ())
    for mutation in (DECLARE, RETRACT):
        result = execute(database, mutation, said, caller=caller)
        codes = [(error.extensions or {}).get("code") for error in result.errors or ()]
        assert codes == ([] if caller.may(Permission.STEWARD) else ["FORBIDDEN"])


REFUSED: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "no reason": (SHEET, BUDGET, {"reason": " \n"}),
    "itself": (SHEET, SHEET, {}),
    "a column of itself": (column("budget", "x"), column("budget", "x"), {}),
    "the whole of what it is a column of": (BUDGET, column("budget", "x"), {}),
    "itself by another name": (BUDGET, {"kind": "DATASET", **named("budget_table")}, {}),
    "the future": (SHEET, BUDGET, {"effectiveFrom": "2999-01-01T00:00:00Z"}),
    "a run": ({"kind": "RUN", **named("r")}, BUDGET, {}),
    "a column without its name": ({"kind": "COLUMN", **named("r")}, BUDGET, {}),
    "a dataset with a column": ({"kind": "DATASET", **named("r"), "column": "x"}, BUDGET, {}),
    "no name": ({"kind": "DATASET", **named("")}, BUDGET, {}),
    "a job between jobs": (job("a"), job("b"), {"job": named("c")}),
    "a transformation of no kind": (SHEET, BUDGET, {"transformations": [{"type": "MAGIC"}]}),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused_in_words_and_leaves_no_trace(
    database: Database, tell: Tell, say: Ask, refused: tuple[Any, Any, dict[str, Any]]
) -> None:
    source, target, given = refused
    tell(ran("etl").writing("budget", symlinks=also_known_as("budget_table")))
    payload = say(DECLARE, source, target, **given)

    assert payload["lineage"] is payload["receipt"] is None
    (error,) = payload["errors"]
    assert error["code"] == "BAD_REQUEST"
    assert error["message"]
    with database.read() as connection:
        assert len(list(replay(connection, 0, 100))) == len([*ran("etl")])


def test_what_nobody_declared_cannot_be_retracted(tell: Tell, say: Ask, declare: Ask, retract: Ask) -> None:
    tell(declared_dataset("budget", 5, lineage=drawn_from("budget.xlsx")))
    assert [error["code"] for error in say(RETRACT, SHEET, BUDGET)["errors"]] == ["NOT_FOUND"]
    declare(SHEET, BUDGET, effectiveFrom=MARCH)
    assert [error["code"] for error in say(RETRACT, BUDGET, SHEET)["errors"]] == ["NOT_FOUND"]
    assert [error["code"] for error in say(RETRACT, SHEET, BUDGET, effectiveFrom=FEBRUARY)["errors"]] == ["NOT_FOUND"]
    retract(SHEET, BUDGET)
    assert [error["code"] for error in say(RETRACT, SHEET, BUDGET)["errors"]] == ["NOT_FOUND"]


def test_nobody_else_can_speak_in_the_name_of_a_person(database: Database, declare: Ask, edges: Ask) -> None:
    declare(SHEET, BUDGET)
    with database.read() as connection:
        ((_, record, _),) = replay(connection, 0, 1)
    forged = record.replace(b"budget.xlsx", b"elsewhere")
    (outcome,) = Ingest(database).accept([Received(forged, "http", Caller("mallory", Role.ADMIN))])

    assert isinstance(outcome, Refused)
    assert {edge[0] for edge in edges(BUDGET)} == {"budget.xlsx"}


# What the log knows.

EVENTS = """query($filter: EventFilter) { events(filter: $filter) { nodes {
    kind principal source eventTime receipt payload dataset { name } job { name } run { runId } failure } } }"""


def test_the_log_has_who_when_and_why_in_canonical_json(ask: Ask, declare: Ask) -> None:
    said = declare(SHEET, BUDGET, effectiveFrom=FEBRUARY)
    (entry,) = ask(EVENTS, filter={"kind": "RECORD"})["events"]["nodes"]

    assert (entry["principal"], entry["source"], entry["eventTime"]) == ("ada", "graphql", FEBRUARY)
    assert (entry["dataset"], entry["job"], entry["run"]) == ({"name": "budget"}, None, None)
    assert (entry["receipt"], entry["failure"]) == (said["receipt"], None)
    assert entry["payload"] == {
        "record": "lineage.declared",
        "principal": "ada",
        "reason": "I asked the controller",
        "recordedAt": entry["payload"]["recordedAt"],
        "effectiveFrom": "2026-02-01T00:00:00.000000Z",
        "source": SHEET,
        "target": BUDGET,
    }


@pytest.mark.parametrize("name", ["budget", "budget.xlsx"])
def test_a_record_is_found_by_the_datasets_it_names(tell: Tell, ask: Ask, declare: Ask, name: str) -> None:
    tell(ran("etl").reading("raw").writing("mart"))
    declare(SHEET, BUDGET)

    found = ask(EVENTS, filter={"dataset": named(name)})["events"]["nodes"]
    assert [entry["kind"] for entry in found] == ["RECORD"]


# What is known to have no source is said in GraphQL too.


def test_a_known_absence_of_sources_is_told_from_an_unknown_one(tell: Tell, ask: Ask, answered: Ask) -> None:
    begins = {**named("mart"), "type": "DATASET", "inputs": []}
    tell(ran("etl").explicitly(begins).reading("raw").writing("mart"), ran("load").reading("mart").writing("top"))

    known = {node["name"]: node["knownSourceless"] for node in answered(MART, "JOB")["nodes"]}
    assert known == {"raw": False, "etl": False, "mart": True, "load": False, "top": False}
    asked = "{ dataset(namespace: %s, name: %s) { sourcelessBy { column derivation job { name } validTo } } }"
    assert ask(asked % ('"shop"', '"mart"'))["dataset"]["sourcelessBy"] == [
        {"column": None, "derivation": "EXPLICIT", "job": {"name": "etl"}, "validTo": None}
    ]
    assert ask(asked % ('"shop"', '"raw"'))["dataset"]["sourcelessBy"] == []


def test_a_column_known_to_have_no_source_says_so_among_columns(tell: Tell, answered: Ask) -> None:
    sources = {"y": {"inputs": [{**named("raw"), "type": "DATASET", "field": "x"}]}, "now": {"inputs": []}}
    on = {"z": {"inputs": [{**named("mart"), "type": "DATASET", "field": "now"}]}}
    entries = [{**named(name), "type": "DATASET", "fields": of} for name, of in (("mart", sources), ("top", on))]
    tell(ran("etl").job_with(lineage=facet(entries=entries)))

    nodes = answered(MART, "COLUMN")["nodes"]
    known = {(node["name"], node["column"]): node["knownSourceless"] for node in nodes if node["column"]}
    assert known == {("raw", "x"): False, ("mart", "y"): False, ("mart", "now"): True, ("top", "z"): False}
