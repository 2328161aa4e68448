"""What happens in the demo, as whoever asks the catalog sees it. `catalog/demo/dates.py` has the days."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Ask = Callable[..., Any]
Upstream = Callable[..., set[str]]

WAREHOUSE = "snowflake://harbour-eu"
AIRFLOW = "harbour-airflow"

_DATASET = "query ($ns: String!, $name: String!) { dataset(namespace: $ns, name: $name) { %s } }"
_JOB = "query ($ns: String!, $name: String!) { job(namespace: $ns, name: $name) { %s } }"


def of_dataset(ask: Ask, name: str, fields: str, namespace: str = WAREHOUSE) -> Any:
    return ask(_DATASET % fields, ns=namespace, name=name)["dataset"]


def of_job(ask: Ask, name: str, fields: str, namespace: str = AIRFLOW) -> Any:
    return ask(_JOB % fields, ns=namespace, name=name)["job"]


def nodes(connection: Any) -> list[Any]:
    return [edge["node"] for edge in connection["edges"]]


def test_it_is_large_enough_to_look_at(ask: Ask) -> None:
    found = ask("{ datasets { totalCount } jobs { totalCount } events { totalCount } runs { totalCount } }")

    assert found["datasets"]["totalCount"] >= 40
    assert found["jobs"]["totalCount"] >= 30
    assert 1_500 <= found["events"]["totalCount"] <= 3_000
    assert found["runs"]["totalCount"] >= 1_000


def test_nothing_of_it_failed_to_become_part_of_the_graph(ask: Ask) -> None:
    found = ask("{ events(filter: {failed: true}) { totalCount } quarantine { totalCount } }")

    assert found == {"events": {"totalCount": 0}, "quarantine": {"totalCount": 0}}


def test_every_dataset_says_what_it_is_and_whose(ask: Ask) -> None:
    found = nodes(
        ask("{ datasets(first: 1000) { edges { node { name description type owners { name } } } } }")["datasets"]
    )

    assert [one["name"] for one in found if not (one["description"] and one["type"] and one["owners"])] == []


def test_every_job_says_what_it_does_and_whose_it_is(ask: Ask) -> None:
    query = (
        "{ jobs(first: 1000) { edges { node { name description owners { name } sourceCodeLocation { version } } } } }"
    )
    found = nodes(ask(query)["jobs"])

    assert [one["name"] for one in found if not (one["description"] and one["owners"])] == []
    assert {one["sourceCodeLocation"]["version"] for one in found if one["sourceCodeLocation"]}


def test_from_core_banking_one_gets_to_the_supervisor(ask: Ask) -> None:
    query = """query ($of: [EntityRef!]!) {
      lineage(of: $of, direction: DOWNSTREAM, depth: 10) { truncated nodes { namespace name } }
    }"""
    loans = {"kind": "DATASET", "namespace": "postgres://core.harbour.example:5432", "name": "core.public.loans"}
    found = ask(query, of=[loans])["lineage"]

    assert {"namespace": "s3://harbour-reports", "name": "corep/submissions"} in found["nodes"]
    assert {"namespace": "mlflow://models.harbour.example", "name": "credit_risk"} in found["nodes"]
    assert not found["truncated"]


def test_before_the_20th_the_scoring_job_read_the_old_feature_table(upstream: Upstream) -> None:
    assert upstream("lending.scoring.scores", "2026-10-19T12:00:00Z") == {"lending.features.applicant", "credit_risk"}


def test_since_the_20th_the_scoring_job_reads_the_new_feature_table(upstream: Upstream) -> None:
    moved = {"lending.features.applicant_v2", "credit_risk"}

    assert upstream("lending.scoring.scores", "2026-10-20T12:00:00Z") == moved
    assert upstream("lending.scoring.scores") == moved


def test_the_old_feature_table_is_dropped_and_was_there_before(ask: Ask, upstream: Upstream) -> None:
    assert of_dataset(ask, "lending.features.applicant", "deletedAt") == {"deletedAt": "2026-11-02T09:01:00Z"}
    assert upstream("lending.features.applicant") == set()
    assert "lending.staging.applications" in upstream("lending.features.applicant", "2026-10-25T12:00:00Z")


def test_on_the_12th_incomes_got_wider_and_applications_a_column(ask: Ask) -> None:
    history = of_dataset(ask, "lending.staging.applications", "schemaHistory { validFrom fields { name type } }")
    old, new = history["schemaHistory"]
    before, after = ({field["name"]: field["type"] for field in one["fields"]} for one in (old, new))

    assert new["validFrom"].startswith("2026-10-12")
    assert (before["declared_income"], after["declared_income"]) == ("numeric(10,2)", "numeric(14,2)")
    assert after.keys() - before.keys() == {"open_banking_consent"}


def test_the_night_of_the_7th_failed_with_a_stack_trace(ask: Ask) -> None:
    query = "{ runs(filter: {state: [FAIL]}) { edges { node { job { name } error { message stackTrace } } } } }"
    failed = {run["job"]["name"]: run["error"] for run in nodes(ask(query)["runs"])}

    assert failed.keys() == {"nightly_lending", "nightly_lending.stage_payments"}
    error = failed["nightly_lending.stage_payments"]
    assert "out of range" in error["message"]
    assert error["stackTrace"].startswith("Traceback")


def test_the_failed_night_is_healed_by_its_rerun(ask: Ask, upstream: Upstream) -> None:
    query = """{ runs(filter: {
      job: {namespace: "harbour-airflow", name: "nightly_lending.stage_payments"}
      startedAfter: "2026-10-07T00:00:00Z", startedBefore: "2026-10-08T00:00:00Z"
    }) { edges { node { state nominalEnd startedAt } } } }"""
    rerun, failed = nodes(ask(query)["runs"])

    assert (failed["state"], rerun["state"]) == ("FAIL", "COMPLETE")
    assert failed["nominalEnd"] == rerun["nominalEnd"]
    between = upstream("lending.staging.payments", "2026-10-07T05:00:00Z")
    assert between == upstream("lending.staging.payments", "2026-10-07T12:00:00Z") == {"landing/payments"}


def test_what_a_cut_off_worker_said_days_later_corrects_the_past(ask: Ask, upstream: Upstream) -> None:
    scores, corrections = "landing/bureau/scores", "landing/bureau/corrections"

    assert upstream("lending.staging.bureau_scores", "2026-10-28T12:00:00Z") == {scores}
    assert upstream("lending.staging.bureau_scores", "2026-10-29T12:00:00Z") == {scores, corrections}
    assert upstream("lending.staging.bureau_scores", "2026-10-30T12:00:00Z") == {scores}

    query = """{ events(first: 1000, filter: {
      eventTime: {from: "2026-10-29T00:00:00Z", to: "2026-10-31T00:00:00Z"}
    }) { edges { node { eventTime job { name } } } } }"""
    *_, last = nodes(ask(query)["events"])
    assert last["job"] == {"name": "nightly_lending.stage_bureau"}
    assert last["eventTime"].startswith("2026-10-29")


def test_the_stream_runs_from_the_first_day_on_and_has_no_end(ask: Ask) -> None:
    fields = "processingType runs { totalCount edges { node { state startedAt endedAt events { totalCount } } } }"
    found = of_job(ask, "card_activity", fields, "harbour-flink")
    (run,) = nodes(found["runs"])

    assert found["processingType"] == "STREAMING"
    assert run == {
        "state": "RUNNING", "startedAt": "2026-09-20T00:05:00Z", "endedAt": None, "events": {"totalCount": 61},
    }  # fmt: skip


def test_what_the_stream_writes_as_a_path_is_read_as_a_table(ask: Ask, upstream: Upstream) -> None:
    by_table = of_dataset(ask, "lending.external.card_activity", "id aliases { namespace name } consumers { name }")
    by_path = of_dataset(ask, "streams/card_activity", "id producers { name }", "s3://harbour-lake")

    assert by_table["id"] == by_path["id"]
    assert by_path["producers"] == [{"name": "card_activity"}]
    assert by_table["consumers"] == [{"name": "nightly_lending.build_card_spend"}]
    assert "cards.authorisations" in upstream("lending.features.card_spend", depth=2)


def test_the_customers_tax_number_reaches_the_warehouse_only_masked(ask: Ask) -> None:
    query = '{ datasets(first: 1000) { edges { node { namespace name facet(name: "columnLineage") { payload } } } } }'
    flows = [
        ((one["namespace"], one["name"], column), (at["namespace"], at["name"], at["field"]), at["transformations"])
        for one in nodes(ask(query)["datasets"])
        if one["facet"]
        for column, said in one["facet"]["payload"]["fields"].items()
        for at in said["inputFields"]
    ]
    readable = {("postgres://core.harbour.example:5432", "core.public.customers", "tax_number")}
    masked = set()
    for _ in flows:
        for target, source, (how,) in flows:
            if source in readable:
                (masked if how["masking"] else readable).add(target)

    assert ("s3://harbour-lake", "landing/customers", "tax_number") in readable
    assert (WAREHOUSE, "lending.staging.customers", "tax_key") in masked
    assert {one for one in readable if one[0] == WAREHOUSE} == set()


def test_no_column_of_the_warehouse_is_personal(ask: Ask) -> None:
    query = '{ datasets(filter: {tag: "pii"}) { edges { node { namespace name fields { name tags { key } } } } } }'
    found = nodes(ask(query)["datasets"])
    customers = next(one for one in found if one["name"] == "core.public.customers")

    assert {one["namespace"] for one in found}.isdisjoint({WAREHOUSE})
    personal = [field["name"] for field in customers["fields"] if field["tags"]]
    assert personal == ["tax_number", "full_name", "email", "birth_date"]


def test_a_view_has_sources_and_no_job(ask: Ask, upstream: Upstream) -> None:
    for view in ("lending.reporting.active_loans", "lending.reporting.refusals"):
        assert of_dataset(ask, view, "type producers { name }") == {"type": "VIEW", "producers": []}
    assert upstream("lending.reporting.refusals") == {
        "lending.decisions.decisions", "lending.staging.applications", "lending.features.customer_profile",
    }  # fmt: skip


def test_on_the_5th_of_november_the_view_was_defined_anew(upstream: Upstream) -> None:
    before = {"lending.staging.loans", "lending.staging.payments"}

    assert upstream("lending.reporting.active_loans", "2026-11-04T12:00:00Z") == before
    assert upstream("lending.reporting.active_loans") == before | {"lending.staging.rates"}


def test_what_closes_the_books_says_which_table_comes_from_which(ask: Ask, upstream: Upstream) -> None:
    job = of_job(ask, "monthly_closing.close_the_books", "inputs { name } outputs { name }")

    assert (len(job["inputs"]), len(job["outputs"])) == (4, 3)
    staging = "lending.staging."
    assert upstream("lending.reporting.exposures") == {f"{staging}loans", f"{staging}rates"}
    assert upstream("lending.reporting.arrears") == {f"{staging}loans", f"{staging}payments"}
    assert upstream("lending.reporting.reconciliation") == {f"{staging}ledger", f"{staging}loans"}


def test_a_task_is_part_of_its_night(ask: Ask) -> None:
    fields = "parent { name } latestRun { parent { job { name } } root { job { name } } nominalStart nominalEnd }"
    found = of_job(ask, "nightly_lending.decide_applications", fields)

    assert found["parent"] == {"name": "nightly_lending"}
    assert found["latestRun"] == {
        "parent": {"job": {"name": "nightly_lending"}}, "root": {"job": {"name": "nightly_lending"}},
        "nominalStart": "2026-11-17T01:00:00Z", "nominalEnd": "2026-11-18T01:00:00Z",
    }  # fmt: skip


def test_one_check_failed_once(ask: Ask) -> None:
    query = """{ events(first: 1000, filter: {
      job: {namespace: "harbour-airflow", name: "nightly_lending.check_features"}
    }) { edges { node { eventTime payload } } } }"""
    failed = [
        (event["eventTime"][:10], assertion["column"], assertion["actual"])
        for event in nodes(ask(query)["events"])
        for checked in event["payload"].get("inputs", [])
        for assertion in checked["inputFacets"]["dataQualityAssertions"]["assertions"]
        if not assertion["success"]
    ]

    assert failed == [("2026-10-27", "debt_to_income", "0.118")]


def test_the_model_is_trained_every_week_and_every_version_is_known(ask: Ask) -> None:
    fields = "type versions(first: 20) { edges { node { version run { job { name } } } } } consumers { name }"
    model = of_dataset(ask, "credit_risk", fields, "mlflow://models.harbour.example")
    versions = nodes(model["versions"])

    assert model["type"] == "MODEL"
    assert [one["version"] for one in versions] == [str(number) for number in range(9, 0, -1)]
    assert {one["run"]["job"]["name"] for one in versions} == {"weekly_training.train"}
    assert {"name": "nightly_lending.score_applications"} in model["consumers"]


def test_a_declared_job_has_inputs_and_no_runs(ask: Ask) -> None:
    found = of_job(ask, "yearly_stress_test", "inputs { name } runs { totalCount }")

    assert {"name": "credit_risk"} in found["inputs"]
    assert found["runs"]["totalCount"] == 0


def test_the_code_of_a_job_changed_with_the_releases(ask: Ask) -> None:
    versions = of_job(
        ask, "nightly_lending.stage_loans", "sql versions { edges { node { runCount code { version } } } }"
    )
    commits = {code["version"] for one in nodes(versions["versions"]) for code in one["code"]}

    assert len(commits) == 5
    assert "lending.staging.loans" in versions["sql"]


def test_every_version_of_a_table_says_how_many_rows_were_written(ask: Ask) -> None:
    versions = nodes(
        of_dataset(ask, "lending.staging.loans", "versions(first: 50) { edges { node { rowCount } } }")["versions"]
    )

    assert len(versions) == 43
    assert all(one["rowCount"] > 40_000 for one in versions)
