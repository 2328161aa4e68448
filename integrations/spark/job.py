"""A night at a small shop on Spark: clean, join and rank, mask, and then divide by zero.

Example: `spark-submit job.py orders revenue`. Run by `run.py`, which adds the OpenLineage listener.
"""

import sys
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as f

HERE = Path(__file__).resolve().parent
LANDING = HERE / "landing"
LAKE = HERE / "lake"


def orders(spark: SparkSession) -> None:
    """CSV to Parquet: rows filtered out, columns renamed, left as they are, and computed."""
    columns = "id INT, customer_id INT, ordered_on DATE, status STRING, amount DECIMAL(12, 2)"
    raw = spark.read.csv(str(LANDING / "orders.csv"), schema=columns, header=True)
    kept = raw.where(f.col("status") != "cancelled").select(
        f.col("id").alias("order_id"),
        "customer_id",
        "ordered_on",
        (f.col("amount") * 1.2).cast("decimal(12, 2)").alias("gross"),
    )
    _write(kept, "orders")


def revenue(spark: SparkSession) -> None:
    """A join, a filter, an aggregation and a window."""
    sold = spark.read.parquet(str(LAKE / "orders"))
    buyers = _customers(spark)
    daily = (
        sold.join(buyers, sold.customer_id == buyers.id)
        .where(buyers.country != "XX")
        .groupBy("country", "ordered_on")
        .agg(f.sum("gross").alias("revenue"), f.count("*").alias("orders"))
    )
    best_first = Window.partitionBy("country").orderBy(f.desc("revenue"))
    _write(daily.withColumn("place", f.row_number().over(best_first)), "revenue")


def contacts(spark: SparkSession) -> None:
    """SQL over a temporary view: a masked column and one that depends on another; a table of Spark's own catalog."""
    _customers(spark).createOrReplaceTempView("customers")
    spark.sql(
        "CREATE TABLE contacts USING parquet AS"
        " SELECT id, md5(email) AS email_digest, CASE WHEN country = 'DE' THEN 'home' ELSE 'abroad' END AS market"
        " FROM customers"
    ).collect()


def shares(spark: SparkSession) -> None:
    """Always fails, because a recording needs a failure: the first place is number one."""
    sold = spark.read.parquet(str(LAKE / "revenue"))
    _write(sold.select("country", (f.col("revenue") / (f.col("place") - 1)).alias("share")), "shares")


STEPS = {step.__name__: step for step in (orders, revenue, contacts, shares)}


def _customers(spark: SparkSession) -> DataFrame:
    columns = "id INT, name STRING, email STRING, country STRING"
    return spark.read.csv(str(LANDING / "customers.csv"), schema=columns, header=True)


def _write(rows: DataFrame, name: str) -> None:
    rows.coalesce(1).write.mode("overwrite").parquet(str(LAKE / name))


def main() -> None:
    """Do the named steps, one after another; what Spark raises ends the program."""
    spark = SparkSession.builder.appName("shop_lake").getOrCreate()
    try:
        for name in sys.argv[1:] or STEPS:
            STEPS[name](spark)
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
