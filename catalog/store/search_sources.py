"""What a dataset or job is found by, in its own words: the writer makes documents of it, the reader shows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import and_, select

from catalog.domain.words import EntityKind, Node
from catalog.store.dialect import any_of
from catalog.store.engine import Read
from catalog.store.liveness import deaths
from catalog.store.read import datasets, jobs, subjects
from catalog.store.tables import dataset, namespace

KINDS = {EntityKind.DATASET: 1, EntityKind.JOB: 2, EntityKind.MODEL: 3}
"""How documents say what they are of; never changes meaning."""

_NOW = (1 << 63) - 2


@dataclass(slots=True)
class Source:
    """Everything that words are taken from. The first name is the one it is shown under."""

    kind: EntityKind
    names: list[tuple[str, str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    """As `key=value`."""
    owners: list[str] = field(default_factory=list)
    descriptions: list[str] = field(default_factory=list)
    gone: bool = False
    """Dropped, and not written since."""


def read(connection: Read, canonical: Collection[int], job_ids: Collection[int]) -> Mapping[int, Source]:
    """Of datasets, by the ids they are shown under, and of jobs; a fixed number of statements for any number."""
    found: dict[int, Source] = {}
    for id, row in (jobs.by_ids(connection, job_ids) if job_ids else {}).items():
        found[id] = Source(EntityKind.JOB, [(row.namespace, row.name)])
        found[id].descriptions += [row.description] if row.description else []
    if canonical:
        _read_datasets(connection, canonical, found)
    for ids, node in ((job_ids, Node.JOB), (canonical, Node.DATASET)):
        if not ids:
            continue
        for id, tags in subjects.tags(connection, ids, node).items():
            found[id].tags += [f"{tag.key}={tag.value}" if tag.value else tag.key for tag in tags]
        for id, owners in subjects.owners(connection, ids, node).items():
            found[id].owners += [owner.name for owner in owners]
    return found


def _read_datasets(connection: Read, canonical: Collection[int], found: dict[int, Source]) -> None:
    rows = connection.execute(
        select(dataset.c.canonical_id, dataset.c.id, namespace.c.name, dataset.c.name, dataset.c.description,
               and_(dataset.c.id == dataset.c.canonical_id, subjects.is_model(dataset)))
        .join(namespace, namespace.c.id == dataset.c.namespace_id)
        .where(any_of(connection, dataset.c.canonical_id, canonical))
        .order_by(dataset.c.id != dataset.c.canonical_id, dataset.c.sort_key, dataset.c.id)
    )  # fmt: skip
    members: dict[int, list[int]] = defaultdict(list)
    for owner, id, space, name, description, is_model in rows:
        members[owner].append(id)
        source = found.setdefault(owner, Source(EntityKind.DATASET))
        source.names.append((space, name))
        source.descriptions += [description] if description else []
        if is_model:
            source.kind = EntityKind.MODEL
    for owner, columns in datasets.columns(connection, canonical).items():
        found[owner].columns += columns
    for owner, intervals in deaths(connection, members).whole.items():
        found[owner].gone = any(interval.start <= _NOW < interval.end for interval in intervals)
