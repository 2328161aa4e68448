"""Renames as they were told: a dataset keeps what it had under the name before, one more of its names from then on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from catalog.domain.projection import DatasetUse, Projection, RunFacts, Symlink
from catalog.domain.words import Lifecycle
from catalog.store import alias_writer
from catalog.store.alias_writer import Regrouped
from catalog.store.dialect import upsert
from catalog.store.engine import Write
from catalog.store.rows import by_ids
from catalog.store.tables import dataset_rename

LINK = "RENAME"
"""What the link between the two names is called."""


def write(
    connection: Write, projections: Sequence[Projection], runs: Mapping[int, RunFacts], uses: Iterable[DatasetUse]
) -> Regrouped:
    """Note the renames of a batch, and join the names of those that became true.

    A run renames a dataset when it completes, a failed one renames nothing; any other event does at once. `uses` are
    all of the activities of the batch.
    """
    renaming = {use.activity_id for use in uses if use.lifecycle & Lifecycle.RENAME}
    if not renaming:
        return Regrouped()
    rows = by_ids(connection, dataset_rename, dataset_rename.c.activity_id, renaming)
    known = {(row.activity_id, row.dataset_id, row.previous_id): row.at for row in rows}
    told = {(p.activity_id, *rename): p.stamp.at for p in projections for rename in p.renames}
    now = {
        key: runs[key[0]].completed_at if key[0] in runs else known.get(key, at)
        for key, at in {**told, **known}.items()
    }  # fmt: skip
    changed = {key: at for key, at in now.items() if key not in known or known[key] != at}
    upsert(
        connection,
        dataset_rename,
        [{"activity_id": a, "dataset_id": d, "previous_id": p, "at": at} for (a, d, p), at in changed.items()],
    )
    done = [(dataset, previous) for (_, dataset, previous), at in changed.items() if at is not None]
    links = [Symlink(dataset, previous, LINK) for dataset, previous in done]
    # Also of names that are joined already: which of them is shown depends on the last rename.
    return alias_writer.write(connection, links, {name for pair in done for name in pair})
