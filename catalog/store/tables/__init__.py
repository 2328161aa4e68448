"""The tables: `log` is what happened, `graph` is the view of it that `rebuild` can make again."""

from catalog.store.tables.access import api_key
from catalog.store.tables.base import metadata
from catalog.store.tables.graph import (
    dataset,
    dataset_alias,
    dataset_drop,
    dataset_rename,
    declaration,
    edge,
    facet,
    field,
    field_edge,
    job,
    job_version,
    namespace,
    ownership,
    run,
    run_dataset,
    run_statement,
    statement,
    statement_dataset,
    tag,
)
from catalog.store.tables.log import log_body, log_entry, log_head, log_node, quarantine
from catalog.store.tables.offsets import kafka_offset
from catalog.store.tables.search import search_document

GRAPH = (
    namespace, dataset, dataset_alias, dataset_drop, dataset_rename, field, job, job_version, run, run_dataset,
    run_statement, statement, statement_dataset, declaration, edge, field_edge, facet, tag, ownership, search_document,
)  # fmt: skip
"""Every table that `rebuild` empties and fills again."""

__all__ = [
    "GRAPH", "api_key", "dataset", "dataset_alias", "dataset_drop", "dataset_rename", "declaration", "edge",
    "facet", "field", "field_edge", "job", "job_version", "kafka_offset", "log_body", "log_entry", "log_head",
    "log_node", "metadata", "namespace", "ownership", "quarantine", "run", "run_dataset", "run_statement",
    "search_document", "statement", "statement_dataset", "tag",
]  # fmt: skip
