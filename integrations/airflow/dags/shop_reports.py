"""Copies a file, loads it by SQL, and ranks countries by an operator that knows its own lineage."""

from datetime import UTC, datetime
from pathlib import Path

from airflow.providers.common.compat.openlineage.facet import (
    ColumnLineageDatasetFacet,
    Dataset,
    Fields,
    InputField,
    OutputDataset,
    OutputStatisticsOutputDatasetFacet,
    SchemaDatasetFacet,
    SchemaDatasetFacetFields,
)
from airflow.providers.common.io.operators.file_transfer import FileTransferOperator
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.openlineage.api import emit_query_lineage
from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.providers.sqlite.hooks.sqlite import SqliteHook
from airflow.sdk import Asset, BaseOperator, Context, dag, task
from openlineage.client.facet_v2 import column_lineage_dataset

HERE = Path(__file__).resolve().parent.parent
WAREHOUSE = "shop_warehouse"
NAMESPACE = "sqlite://shop-warehouse"
"""Where the tables are for OpenLineage: SQLite's own connection has no name that two machines would agree on."""

PREPARE = [
    "CREATE TABLE rates (currency TEXT, rate REAL)",
    "CREATE TABLE sales (country TEXT, currency TEXT, amount REAL)",
    "INSERT INTO sales VALUES ('DE', 'EUR', 50.0), ('US', 'USD', 80.5), ('GB', 'EUR', 120.0)",
]
CONVERT = (
    "CREATE TABLE converted AS"
    " SELECT sales.country, sales.amount / rates.rate AS euros"
    " FROM sales JOIN rates ON sales.currency = rates.currency"
)
RANK = "CREATE TABLE ranking AS SELECT country, RANK() OVER (ORDER BY euros DESC) AS place FROM converted"


class RankCountries(BaseOperator):
    """Ranks countries, and tells OpenLineage what came from where: such operators are how teams report their own."""

    def execute(self, context: Context) -> None:  # noqa: ARG002  as Airflow calls it
        """Make the ranking."""
        SqliteHook(WAREHOUSE).run(RANK)

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage:  # noqa: ARG002  as above
        """Columns, where they came from, and how many rows there are."""

        def converted(column: str, kind: str, subtype: str) -> InputField:
            how = column_lineage_dataset.Transformation(type=kind, subtype=subtype)
            return InputField(NAMESPACE, "main.converted", column, [how])

        columns = [SchemaDatasetFacetFields("country", "TEXT"), SchemaDatasetFacetFields("place", "INTEGER")]
        made_from = {
            "country": Fields([converted("country", "DIRECT", "IDENTITY")]),
            "place": Fields([converted("euros", "INDIRECT", "WINDOW")]),
        }
        ranking = OutputDataset(
            NAMESPACE,
            "main.ranking",
            facets={"schema": SchemaDatasetFacet(columns), "columnLineage": ColumnLineageDatasetFacet(made_from)},
            outputFacets={"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=3)},
        )
        return OperatorLineage(inputs=[Dataset(NAMESPACE, "main.converted")], outputs=[ranking])


@task
def convert() -> None:
    """Runs a statement by a hook of SQLite's, and reports it as a query of its own."""
    SqliteHook(WAREHOUSE).run(CONVERT)
    emit_query_lineage(
        query_text=CONVERT, query_source_namespace=NAMESPACE, default_schema="main", query_id="q-1", raise_on_error=True
    )


@dag(schedule=[Asset("revenue")], start_date=datetime(2026, 11, 1, tzinfo=UTC), tags=["shop"])
def shop_reports() -> None:
    """Four tasks in a row."""
    fetch_rates = FileTransferOperator(
        task_id="fetch_rates",
        src=f"file://{HERE}/landing/rates.csv",
        dst=f"file://{HERE}/home/rates.csv",
        overwrite=True,
    )
    prepare = SQLExecuteQueryOperator(task_id="prepare", conn_id=WAREHOUSE, sql=PREPARE)
    fetch_rates >> prepare >> convert() >> RankCountries(task_id="rank_countries")


shop_reports()
