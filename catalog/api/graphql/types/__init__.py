"""The types of the schema, by noun.

They refer to each other in circles: each module reaches the others through this package, which it imports behind
its classes. While they are made, `types` is an unknown name, and Strawberry leaves such a field for when the schema
is built. Refused: `strawberry.lazy` at every mention, and one module of a thousand lines.
"""

from catalog.api.graphql.types import (
    access,
    changes,
    column,
    dataset,
    event,
    identity,
    job,
    lineage,
    namespace,
    node,
    origins,
    parts,
    questions,
    run,
    search,
)

__all__ = [
    "access", "changes", "column", "dataset", "event", "identity", "job", "lineage", "namespace", "node", "origins",
    "parts", "questions", "run", "search",
]  # fmt: skip
