"""The datasets of the story, with the facets their producers know about them."""

from openlineage.client.event_v2 import Dataset, InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    documentation_dataset,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
    ownership_dataset,
    schema_dataset,
    symlinks_dataset,
    tags_dataset,
)

WAREHOUSE = "postgres://db.shop.example:5432"
LAKE = "s3://shop-lake"
STREAM = "kafka://broker.shop.example:9092"

LANDING = Dataset(LAKE, "landing/orders/2026-11-20.csv")
ORDERS = Dataset(WAREHOUSE, "shop.public.orders")
CUSTOMERS = Dataset(WAREHOUSE, "shop.public.customers")
MASKED_CUSTOMERS = Dataset(WAREHOUSE, "shop.public.customers_masked")
REVENUE = Dataset(WAREHOUSE, "shop.public.revenue")
EXTRACT = Dataset(LAKE, "marts/revenue")
CLICKS = Dataset(STREAM, "shop.clicks")
SESSIONS = Dataset(LAKE, "streams/sessions")


def read(dataset: Dataset, *facets: DatasetFacet, rows: int | None = None) -> InputDataset:
    """The dataset as a run's input; `rows` is how many were read."""
    statistics: dict[str, InputDatasetFacet] = {}
    if rows is not None:
        facet = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=rows, size=64 * rows)
        statistics["inputStatistics"] = facet
    return InputDataset(dataset.namespace, dataset.name, inputFacets=statistics, facets=named(*facets))


def written(dataset: Dataset, *facets: DatasetFacet, rows: int) -> OutputDataset:
    """The dataset as a run's output; `rows` is how many were written."""
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=rows, size=64 * rows, fileCount=1
    )
    return OutputDataset(
        dataset.namespace, dataset.name, outputFacets={"outputStatistics": statistics}, facets=named(*facets)
    )


def checked(dataset: Dataset) -> InputDataset:
    """The dataset as input of a quality check, with one assertion that held and one that did not."""
    assertion = data_quality_assertions_dataset.Assertion
    facet = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
        assertions=[
            assertion("not_null", success=True, column="customer_id", severity="error"),
            assertion(
                "accepted_range",
                success=False,
                column="amount",
                severity="warn",
                name="revenue_is_positive",
                description="Refunds are booked elsewhere.",
                expected="0 rows",
                actual="3 rows",
                content="SELECT count(*) FROM shop.public.revenue WHERE amount < 0",
                contentType="sql",
                params={"min": 0},
            ),
        ]
    )
    return InputDataset(dataset.namespace, dataset.name, inputFacets={"dataQualityAssertions": facet})


def named(*facets: DatasetFacet) -> dict[str, DatasetFacet]:
    """Facets under the keys the specification gives them: the class name without its scope, in camel case."""
    names = (type(facet).__name__.removesuffix("DatasetFacet") for facet in facets)
    return {name[0].lower() + name[1:]: facet for name, facet in zip(names, facets, strict=True)}


def schema(**types: str) -> schema_dataset.SchemaDatasetFacet:
    """Columns in order, each with its type and position, the first being 1."""
    field = schema_dataset.SchemaDatasetFacetFields
    columns = enumerate(types.items(), start=1)
    return schema_dataset.SchemaDatasetFacet(
        fields=[field(name, column_type, ordinal_position=position) for position, (name, column_type) in columns]
    )


def documentation(text: str) -> documentation_dataset.DocumentationDatasetFacet:
    """What a person should know about a dataset."""
    return documentation_dataset.DocumentationDatasetFacet(text, contentType="text/plain")


def ownership(*names: str) -> ownership_dataset.OwnershipDatasetFacet:
    """Who answers for a dataset."""
    owners = [ownership_dataset.Owner(name, "OWNER") for name in names]
    return ownership_dataset.OwnershipDatasetFacet(owners=owners)


def personal(*columns: str) -> tags_dataset.TagsDatasetFacet:
    """Tags saying that a table and some of its columns hold personal data."""
    tag = tags_dataset.TagsDatasetFacetFields
    tags = [tag("pii", "true", "USER", column) for column in columns]
    return tags_dataset.TagsDatasetFacet(tags=[tag("domain", "sales", "USER"), *tags])


def also_known_as(namespace: str, name: str) -> symlinks_dataset.SymlinksDatasetFacet:
    """A second name of the same table."""
    return symlinks_dataset.SymlinksDatasetFacet([symlinks_dataset.Identifier(namespace, name, "TABLE")])


def revenue_columns() -> column_lineage_dataset.ColumnLineageDatasetFacet:
    """How the columns of `REVENUE` come from orders and customers; the join bears on every one of them."""
    amount = _column(ORDERS, "amount", "DIRECT", "AGGREGATION", "sum(amount)")
    country = _column(CUSTOMERS, "country", "DIRECT", "IDENTITY")
    customer = _column(ORDERS, "customer_id", "DIRECT", "TRANSFORMATION", "md5(customer_id)", masking=True)
    join = [
        _column(ORDERS, "customer_id", "INDIRECT", "JOIN"),
        _column(CUSTOMERS, "id", "INDIRECT", "JOIN"),
        _column(ORDERS, "status", "INDIRECT", "FILTER", "status = 'paid'"),
    ]
    fields = {"amount": [amount], "country": [country], "customer_id": [customer]}
    return column_lineage_dataset.ColumnLineageDatasetFacet(
        fields={name: column_lineage_dataset.Fields(sources) for name, sources in fields.items()}, dataset=join
    )


def _column(
    dataset: Dataset, field: str, kind: str, subtype: str, description: str | None = None, *, masking: bool = False
) -> column_lineage_dataset.InputField:
    how = column_lineage_dataset.Transformation(kind, subtype, description, masking)
    return column_lineage_dataset.InputField(dataset.namespace, dataset.name, field, [how])
