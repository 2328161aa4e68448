"""An id for what is in a version of a dataset, as far as the catalog is told."""

from __future__ import annotations

from collections.abc import Iterable

from catalog.domain.changes import Column
from catalog.domain.ids import key
from catalog.domain.words import Lifecycle


def content_id(
    label: str | None,
    columns: Iterable[Column],
    measures: tuple[int | None, int | None, int | None],
    job_version: int | None,
    lifecycle: Lifecycle,
) -> str:
    """16 hexadecimal digits; the same content has the same one, within its dataset.

    What the storage calls a version says it all. Without such a label it is the columns and their types, how much was
    written (rows, bytes, files; None: nobody said), by which version of a job, and what was done to the dataset as a
    whole. That two versions have the same id says that nothing known of them differs, not that every byte is the same.
    """
    if label is not None:
        return f"{key('content of label', label):016x}"
    said = [part for column in columns for part in (column.name, column.type or "")]
    counts = ["" if count is None else str(count) for count in measures]
    return f"{key('content', *counts, str(job_version or ''), str(int(lifecycle)), *said):016x}"
