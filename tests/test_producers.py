"""What real producers' events come to is what their jobs really do, worked out by hand from the jobs' code."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from sqlalchemy import func, select

import graphs
from catalog.api.graphql.schema import execute
from catalog.ingest.accept import Ingest, Received
from catalog.store.engine import Database
from catalog.store.tables import dataset, field_edge, log_entry, quarantine

EVENTS: Final = Path(__file__).parent / "events"

Ends = tuple[str, str]
Take = Callable[[str], Database]


def lines(recording: str) -> list[bytes]:
    return [line for line in (EVENTS / f"{recording}.ndjson").read_bytes().splitlines() if line.strip()]


@pytest.fixture(params=["in order", "shuffled and twice"])
def take(request: pytest.FixtureRequest, database: Database) -> Callable[[str], Database]:
    """Ingest a recording: in the order it was sent, and in any other. Nothing may be refused."""

    def ingest(recording: str) -> Database:
        events = lines(recording)
        if request.param != "in order":
            events *= 2
            random.Random(recording).shuffle(events)
        Ingest(database).accept([Received(raw, "test") for raw in events])
        with database.read() as connection:
            failures = connection.scalars(select(log_entry.c.failure).where(log_entry.c.failure.is_not(None))).all()
            refused = connection.scalar(select(func.count()).select_from(quarantine))
        assert (list(failures), refused) == ([], 0)
        return database

    return ingest


def pairs(database: Database) -> set[Ends]:
    """Which dataset was ever made from which."""
    return {(short(source), short(target)) for source, target in graphs.pairs(database)}


def columns(database: Database) -> dict[Ends, set[str]]:
    """Which column was made from which, and how. A flow into all rows has the dataset for a target."""
    source, target = dataset.alias(), dataset.alias()
    joined = (
        select(field_edge, source.c.name.label("source_name"), target.c.name.label("target_name"))
        .join(source, source.c.id == field_edge.c.source_owner)
        .join(target, target.c.id == field_edge.c.target_owner)
    )
    found: dict[Ends, set[str]] = {}
    with database.read() as connection:
        for row in connection.execute(joined):
            ends = (end(row.source_name, row.source_column), end(row.target_name, row.target_column))
            found.setdefault(ends, set()).add(f"{row.type} {row.subtype}{' masked' if row.masking else ''}".strip())
    return found


def end(name: str, column: str) -> str:
    return f"{short(name)}:{column}" if column else short(name)


def short(name: str) -> str:
    """The last two parts of a path; the whole of other names."""
    return "/".join(name.split("/")[-2:])


def said(database: Database, query: str) -> Any:
    """What GraphQL answers, without errors."""
    result = execute(database, query)
    assert result.errors is None
    return orjson.loads(orjson.dumps(result.data))


# Spark: integrations/spark/job.py, read line by line.

IDENTITY: Final = {"DIRECT IDENTITY"}
COMPUTED: Final = {"DIRECT TRANSFORMATION"}

SPARK_ORDERS: Final = {
    ("landing/orders.csv:id", "lake/orders:order_id"): IDENTITY,
    ("landing/orders.csv:customer_id", "lake/orders:customer_id"): IDENTITY,
    ("landing/orders.csv:ordered_on", "lake/orders:ordered_on"): IDENTITY,
    ("landing/orders.csv:amount", "lake/orders:gross"): COMPUTED,
    ("landing/orders.csv:status", "lake/orders"): {"INDIRECT FILTER"},
}
SPARK_REVENUE: Final = {
    ("landing/customers.csv:country", "lake/revenue:country"): IDENTITY,
    ("lake/orders:ordered_on", "lake/revenue:ordered_on"): IDENTITY,
    ("lake/orders:gross", "lake/revenue:revenue"): {"DIRECT AGGREGATION"},
    ("landing/customers.csv:country", "lake/revenue:place"): {"INDIRECT WINDOW"},
    # By the job the sum only orders the window; the listener calls it what the sum is.
    ("lake/orders:gross", "lake/revenue:place"): {"DIRECT AGGREGATION"},
    ("lake/orders:customer_id", "lake/revenue"): {"INDIRECT JOIN", "INDIRECT FILTER"},
    ("landing/customers.csv:id", "lake/revenue"): {"INDIRECT JOIN", "INDIRECT FILTER"},
    ("landing/customers.csv:country", "lake/revenue"): {"INDIRECT GROUP_BY", "INDIRECT FILTER"},
    ("lake/orders:ordered_on", "lake/revenue"): {"INDIRECT GROUP_BY"},
}
SPARK_CONTACTS: Final = {
    ("landing/customers.csv:id", "warehouse/contacts:id"): IDENTITY,
    ("landing/customers.csv:email", "warehouse/contacts:email_digest"): {"DIRECT TRANSFORMATION masked"},
    ("landing/customers.csv:country", "warehouse/contacts:market"): {"INDIRECT CONDITIONAL"},
}
SPARK_SHARES: Final = {
    ("lake/revenue:country", "lake/shares:country"): IDENTITY,
    ("lake/revenue:revenue", "lake/shares:share"): COMPUTED,
    ("lake/revenue:place", "lake/shares:share"): COMPUTED,
}


def test_sparks_steps_join_what_they_read_and_wrote(take: Take) -> None:
    assert pairs(take("spark")) == {
        ("landing/orders.csv", "lake/orders"),
        ("lake/orders", "lake/revenue"),
        ("landing/customers.csv", "lake/revenue"),
        ("landing/customers.csv", "warehouse/contacts"),
        ("lake/revenue", "lake/shares"),
    }


def test_sparks_columns_come_from_where_the_job_takes_them_and_in_that_way(take: Take) -> None:
    assert columns(take("spark")) == SPARK_ORDERS | SPARK_REVENUE | SPARK_CONTACTS | SPARK_SHARES


def test_a_table_of_sparks_catalog_is_the_folder_it_is_kept_in(take: Take) -> None:
    query = """{ dataset(namespace: "file:/srv/shop/spark/lake/warehouse", name: "default.contacts") {
      namespace name } }"""

    found = said(take("spark"), query)["dataset"]

    assert found == {"namespace": "file", "name": "/srv/shop/spark/lake/warehouse/contacts"}


def test_every_run_of_spark_is_part_of_its_application(take: Take) -> None:
    runs = said(take("spark"), "{ runs { nodes { job { name } parent { job { name } } } } }")["runs"]["nodes"]

    assert {run["parent"] and run["parent"]["job"]["name"] for run in runs if run["job"]["name"] != "shop_lake"} == {
        "shop_lake"
    }
    assert [run["parent"] for run in runs if run["job"]["name"] == "shop_lake"] == [None]


def test_what_failed_in_spark_is_flagged_and_says_why_though_spark_completes_it_too(take: Take) -> None:
    query = "{ runs(filter: {conflicting: true}) { nodes { job { name } error { message stackTrace } } } }"

    (run,) = said(take("spark"), query)["runs"]["nodes"]

    assert run["job"]["name"].endswith(".lake_shares")
    assert run["error"]["message"].startswith("[DIVIDE_BY_ZERO]")
    assert "SparkArithmeticException" in run["error"]["stackTrace"]


def test_the_composite_transport_sends_what_http_sends(take: Take) -> None:
    assert columns(take("spark_composite")) == SPARK_ORDERS


def test_rows_that_spark_wrote_are_counted(take: Take) -> None:
    query = "{ runs { nodes { job { name } outputs { dataset { name } rowCount } } } }"

    runs = said(take("spark"), query)["runs"]["nodes"]
    counts = {(short(out["dataset"]["name"]), out["rowCount"]) for run in runs for out in run["outputs"]}

    assert {("lake/orders", 4), ("lake/revenue", 3), ("warehouse/contacts", 3)} <= counts


# Airflow: integrations/airflow/dags.


def test_airflows_tasks_join_what_they_read_and_wrote(take: Take) -> None:
    assert pairs(take("airflow")) == {
        # shop_nightly: inlets and outlets.
        ("landing/orders.csv", "shop.public.orders"),
        ("shop.public.orders", "shop.public.revenue"),
        ("shop.public.revenue", "extracts/revenue.parquet"),
        # shop_reports: a copied file, parsed SQL, and an operator that knows its own lineage.
        ("landing/rates.csv", "home/rates.csv"),
        ("main.rates", "main.converted"),
        ("main.sales", "main.converted"),
        ("main.converted", "main.ranking"),
    }


def test_an_operator_of_airflow_may_tell_columns(take: Take) -> None:
    assert columns(take("airflow")) == {
        ("main.converted:country", "main.ranking:country"): IDENTITY,
        ("main.converted:euros", "main.ranking:place"): {"INDIRECT WINDOW"},
    }


def test_what_airflow_runs_is_a_tree_up_to_whoever_started_it(take: Take) -> None:
    query = "{ runs { nodes { job { name } state parent { job { name } } root { job { name } } } } }"

    nodes = said(take("airflow"), query)["runs"]["nodes"]
    tree = {run["job"]["name"]: tuple(up and up["job"]["name"] for up in (run["parent"], run["root"])) for run in nodes}

    assert tree["shop_nightly"] == ("shop-night", "shop-night")
    assert tree["shop_nightly.publish"] == ("shop_nightly", "shop-night")
    assert tree["shop_reports"] == (None, None)
    assert tree["shop_reports.convert"] == ("shop_reports", "shop_reports")
    assert tree["shop_reports.convert.manual_query.1"] == ("shop_reports.convert", "shop_reports")
    assert {run["job"]["name"] for run in nodes if run["state"] == "FAIL"} == {"shop_nightly", "shop_nightly.publish"}


def test_why_a_task_of_airflow_failed_is_shown(take: Take) -> None:
    query = """{ runs(filter: {job: {namespace: "airflow-shop", name: "shop_nightly.publish"}}) {
      nodes { error { message } } } }"""

    (run,) = said(take("airflow"), query)["runs"]["nodes"]

    assert run["error"] == {"message": "could not reach the report server"}


# dbt: integrations/dbt/shop/models. dbt-ol says nothing of how, and nothing of filters and joins.

DBT_COLUMNS: Final = {
    ("raw_customers:id", "stg_customers:customer_id"),
    ("raw_customers:name", "stg_customers:customer_name"),
    ("raw_customers:email", "stg_customers:email_digest"),
    ("raw_customers:country", "stg_customers:country"),
    ("raw_orders:id", "stg_orders:order_id"),
    ("raw_orders:customer_id", "stg_orders:customer_id"),
    ("raw_orders:ordered_on", "stg_orders:ordered_on"),
    ("raw_orders:status", "stg_orders:status"),
    ("raw_orders:amount", "stg_orders:amount"),
    ("stg_customers:country", "mart_revenue:country"),
    ("stg_orders:ordered_on", "mart_revenue:ordered_on"),
    ("stg_orders:amount", "mart_revenue:revenue"),
    ("stg_orders:order_id", "mart_refunds:order_id"),
    # No such column: the model fails for it. dbt-ol has it from the model's text.
    ("stg_orders:refunded_amount", "mart_refunds:refunded_amount"),
}


def test_dbts_columns_come_from_where_its_models_take_them(take: Take) -> None:
    found = columns(take("dbt"))

    plain = {(a.removeprefix("shop.main."), b.removeprefix("shop.main.")) for a, b in found}
    assert plain == DBT_COLUMNS
    assert set(map(frozenset, found.values())) == {frozenset({""})}


def test_a_test_of_dbts_that_fails_is_a_failed_run_and_says_what_it_found(take: Take) -> None:
    query = """{ runs(filter: {job: {namespace: "dbt-shop", name: "shop.main.shop.stg_customers.test"}}) {
      nodes { state inputs { dataset { facet(name: "dataQualityAssertions") { payload } } } } } }"""

    (run,) = said(take("dbt"), query)["runs"]["nodes"]

    assert run["state"] == "FAIL"
    (used,) = run["inputs"]
    found = used["dataset"]["facet"]["payload"]["assertions"]
    assert {(one["assertion"], one["column"]): one["success"] for one in found} == {
        ("accepted_values", "country"): False,
        ("not_null", "customer_id"): True,
        ("unique", "customer_id"): True,
    }
