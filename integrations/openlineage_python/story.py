"""A night at a small shop: a load, a failure, a rerun, a check, and what was declared without running.

Deterministic: two sendings differ in no byte. `datasets.py` has the nouns, `jobs.py` the verbs.
"""

from collections.abc import Iterator

import datasets as data
import jobs
from datasets import CLICKS, CUSTOMERS, EXTRACT, LANDING, MASKED_CUSTOMERS, ORDERS, REVENUE, SESSIONS
from openlineage.client.event_v2 import Dataset, DatasetEvent, Job, JobEvent, OutputDataset, RunEvent, StaticDataset
from openlineage.client.event_v2 import RunState as State
from openlineage.client.facet_v2 import DatasetFacet, JobFacet, lineage

BUILD = """INSERT INTO shop.public.revenue
SELECT md5(o.customer_id) AS customer_id, c.country, sum(o.amount) AS amount
FROM shop.public.orders o JOIN shop.public.customers c ON c.id = o.customer_id
WHERE o.status = 'paid' GROUP BY 1, 2"""


def story() -> Iterator[RunEvent | JobEvent | DatasetEvent]:
    """Every event of the story, in the order in which things happened."""
    yield from failed_night()
    yield from repeated_night()
    yield from sessions()
    yield weekly_report()
    yield masked_customers()
    yield landing()


def failed_night() -> Iterator[RunEvent]:
    """Orders are loaded, then the database is away: the task fails, and with it the night."""
    night = jobs.JobRun("nightly", 0, facets=night_facets())
    yield night.event(State.START)
    load = jobs.JobRun("nightly.load_orders", 1, night, {"jobType": jobs.batch("TASK"), "tags": jobs.tagged(tier="1")})
    yield load.event(State.START)
    yield load.event(State.RUNNING, 2, [data.read(LANDING)])
    yield load.event(State.COMPLETE, 5, [data.read(LANDING, rows=1200)], [loaded_orders()])
    build = build_run(6, night)
    yield build.event(State.START, inputs=[data.read(ORDERS), data.read(CUSTOMERS)])
    yield build.event(State.FAIL, 1, error='could not connect to server: "db.shop.example" is starting up')
    yield night.event(State.FAIL, 8)


def repeated_night() -> Iterator[RunEvent]:
    """The same night again, from the failed task on, for the same nominal time; this time it is published."""
    night = jobs.JobRun("nightly", 60, facets=night_facets())
    yield night.event(State.START)
    build = build_run(61, night)
    yield build.event(State.START, inputs=[data.read(ORDERS), data.read(CUSTOMERS)])
    inputs = [data.read(ORDERS, rows=1200), data.read(CUSTOMERS, customers_schema(), rows=310)]
    yield build.event(State.COMPLETE, 4, inputs, [revenue()])
    check = jobs.JobRun("nightly.check_revenue", 66, night, {"jobType": jobs.batch("TASK")})
    yield check.event(State.START)
    yield check.event(State.COMPLETE, 1, [data.checked(REVENUE)])
    publish = jobs.JobRun("nightly.publish", 68, night, {"jobType": jobs.batch("TASK")})
    upload = jobs.JobRun("nightly.publish.upload", 69, publish, {"jobType": jobs.batch("QUERY")})
    yield publish.event(State.START)
    yield upload.event(State.START)
    yield upload.event(State.COMPLETE, 1)
    inputs, outputs = [data.read(REVENUE), data.read(CUSTOMERS)], [data.written(EXTRACT, rows=42)]
    yield publish.event(State.COMPLETE, 3, inputs, outputs, lineage=published())
    yield night.event(State.COMPLETE, 12)


def sessions() -> Iterator[RunEvent]:
    """A streaming job that is still running when the story ends."""
    job = jobs.JobRun("sessions", 10, facets={"jobType": jobs.streaming(window=300)}, scheduled=False)
    yield job.event(State.START, 0, [data.read(CLICKS)], [data.written(SESSIONS, rows=0)])
    yield job.event(State.RUNNING, 5, [data.read(CLICKS, rows=9000)], [data.written(SESSIONS, rows=510)])


def weekly_report() -> JobEvent:
    """A job known from its code alone: declared, never seen running."""
    facets: dict[str, JobFacet] = {
        "jobType": jobs.batch("TASK"),
        "documentation": jobs.documented("Revenue by country, **every Monday**."),
        "ownership": jobs.owned_by("team:finance"),
        "sourceCodeLocation": jobs.code("reports/weekly.py"),
    }
    return JobEvent(
        eventTime=jobs.at(180),
        job=Job(jobs.NAMESPACE, "weekly_report", facets),
        inputs=[data.read(REVENUE)],
        outputs=[OutputDataset(data.LAKE, "reports/weekly.pdf")],
        producer=jobs.PRODUCER,
    )


def masked_customers() -> DatasetEvent:
    """A view over customers; its lineage needs no job."""
    masked = lineage.LineageTransformation("DIRECT", "TRANSFORMATION", "md5(email)", masking=True)
    fields = {
        "id": lineage.LineageFieldEntry([source(CUSTOMERS, "id")]),
        "email": lineage.LineageFieldEntry([source(CUSTOMERS, "email", masked)]),
    }
    facet = lineage.LineageDatasetFacet(inputs=[source(CUSTOMERS)], fields=fields)
    described = data.documentation("Customers without readable addresses.")
    return declared(MASKED_CUSTOMERS, 200, facet, described, data.schema(id="INTEGER", email="VARCHAR"))


def landing() -> DatasetEvent:
    """A file that is known to come from outside: its inputs are known, and there are none."""
    return declared(LANDING, 210, lineage.LineageDatasetFacet(inputs=[]), data.ownership("team:platform"))


def night_facets() -> dict[str, JobFacet]:
    """What is said about the job that holds the others together."""
    return {
        "jobType": jobs.batch("DAG"),
        "documentation": jobs.documented("Loads, builds and publishes the day's *revenue*."),
        "ownership": jobs.owned_by("team:data", "user:ada"),
    }


def build_run(minute: float, night: jobs.JobRun) -> jobs.JobRun:
    """A run of the job that fills the revenue table."""
    facets: dict[str, JobFacet] = {
        "jobType": jobs.batch("QUERY"),
        "sql": jobs.sql(BUILD),
        "sourceCodeLocation": jobs.code("marts/revenue.sql"),
    }
    return jobs.JobRun("nightly.build_revenue", minute, night, facets)


def loaded_orders() -> OutputDataset:
    """Orders as loaded: with columns, owners, personal data, and their name in the metastore."""
    columns = data.schema(id="INTEGER", customer_id="INTEGER", status="VARCHAR", amount="NUMERIC(12,2)")
    alias = data.also_known_as("hive://metastore.shop.example:9083", "shop.orders")
    facets = (columns, alias, data.ownership("team:sales"), data.personal("customer_id"))
    return data.written(ORDERS, *facets, rows=1200)


def customers_schema() -> DatasetFacet:
    """The columns of the customers table, as its reader found them."""
    return data.schema(id="INTEGER", email="VARCHAR", country="CHAR(2)")


def revenue() -> OutputDataset:
    """Revenue as built: with columns and where each comes from."""
    columns = data.schema(customer_id="CHAR(32)", country="CHAR(2)", amount="NUMERIC(12,2)")
    return data.written(REVENUE, columns, data.revenue_columns(), data.documentation("One row a customer."), rows=42)


def published() -> lineage.LineageJobFacet:
    """What publishing moves: the extract comes from revenue alone; customers are only looked at by the job."""
    fields = {
        "amount": lineage.LineageFieldEntry([source(REVENUE, "amount")]),
        "country": lineage.LineageFieldEntry([source(REVENUE, "country")]),
        "exported_at": lineage.LineageFieldEntry([lineage.LineageJobInput("JOB")]),
    }
    order = source(REVENUE, "amount", lineage.LineageTransformation("INDIRECT", "SORT"))
    extract = lineage.LineageDatasetEntry(
        EXTRACT.namespace, EXTRACT.name, "DATASET", inputs=[source(REVENUE), order], fields=fields
    )
    looked_at = lineage.LineageJobEntry("JOB", inputs=[source(CUSTOMERS)])
    return lineage.LineageJobFacet([extract, looked_at])


def source(
    dataset: Dataset, field: str | None = None, how: lineage.LineageTransformation | None = None
) -> lineage.LineageDatasetInput:
    """A dataset, or one field of it, as a source of explicit lineage."""
    steps = [how] if how else []
    return lineage.LineageDatasetInput(dataset.namespace, dataset.name, "DATASET", field, steps)


def declared(dataset: Dataset, minute: float, *facets: DatasetFacet) -> DatasetEvent:
    """A dataset's facets as declared by whoever keeps it, without a job."""
    static = StaticDataset(dataset.namespace, dataset.name, facets=data.named(*facets))
    return DatasetEvent(eventTime=jobs.at(minute), dataset=static, producer=jobs.PRODUCER)
