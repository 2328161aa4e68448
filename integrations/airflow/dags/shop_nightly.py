"""Loads orders, builds revenue, and then fails to publish it."""

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.lineage.entities import Column, File, Table, User
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Asset, dag, task

WAREHOUSE = "postgres://db.shop.example:5432"

LANDING = File(url="s3://shop-lake/landing/orders.csv")
ORDERS = Table(
    cluster=WAREHOUSE,
    database="shop.public",
    name="orders",
    description="Orders as loaded.",
    columns=[
        Column(name="id", data_type="INTEGER", description="Key of the order."),
        Column(name="amount", data_type="NUMERIC(12,2)", description="Price in euros."),
    ],
    owners=[User(email="sales@shop.example", first_name="Ada", last_name="Byron")],
)
REVENUE = Table(cluster=WAREHOUSE, database="shop.public", name="revenue")
BUILT = Asset("revenue")
"""Starts `shop_reports`. It is no dataset: without a scheme that a provider knows it has no name in OpenLineage."""

EXTRACT = Asset("file:///srv/shop/extracts/revenue.parquet")


@task(inlets=[ORDERS], outlets=[REVENUE, BUILT], owner="data")
def build_revenue() -> None:
    """Sums orders by country."""


@task(inlets=[REVENUE], outlets=[EXTRACT], owner="finance")
def publish() -> None:
    """Always fails, because a recording needs a failure."""
    raise ConnectionError("could not reach the report server")


@dag(
    schedule=None,
    start_date=datetime(2026, 11, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 0, "retry_delay": timedelta(minutes=5)},
    tags=["shop", "finance"],
    owner_links={"finance": "mailto:finance@shop.example"},
    doc_md="Loads, builds and publishes the day's **revenue**.",
)
def shop_nightly() -> None:
    """Three tasks in a row."""
    load_orders = BashOperator(
        task_id="load_orders",
        bash_command="echo loading {{ ds }}",
        inlets=[LANDING],
        outlets=[ORDERS],
        owner="data",
    )
    load_orders >> build_revenue() >> publish()


shop_nightly()
