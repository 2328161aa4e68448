"""What lies beyond a thing, counted and not listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from catalog.domain.lineage import LineageNode, Question
from catalog.domain.words import EntityKind, Node
from catalog.store.engine import Read
from catalog.store.lineage import answer
from catalog.store.read import as_of
from catalog.store.read.subjects import TagRow

MOST_COUNTED: Final = 1_000
"""How many namespaces, owners or tags an answer names at most, those of most things."""


@dataclass(frozen=True, slots=True)
class Impact:
    """How many things there are, the first ones not counted, and how many of each kind.

    Counts are ordered: the largest first, equal ones by name; depths by distance. A thing counts for each of its
    owners and tags.
    """

    total: int
    by_kind: list[tuple[EntityKind, int]]
    by_depth: list[tuple[int, int]]
    by_namespace: list[tuple[str, int]]
    by_owner: list[tuple[str, int]]
    by_tag: list[tuple[str, int]]
    without_owner: int
    truncated_by: str | None


def impact(connection: Read, question: Question) -> Impact:
    """Walk, and count: by the tags and owners of the window's last moment, if the question understands those of then.

    They are read in two statements each, however much is found.
    """
    found = answer(
        connection, replace(question, hidden=False, transformations=False, last_runs=False, first_seen=False)
    )
    beyond = [node for node in found.nodes if node.depth]
    owners = _owners(connection, beyond, question)
    owned = [owners.get(_subject(node), frozenset()) for node in beyond]
    namespaces, truncated = _most(Counter(node.namespace for node in beyond))
    by_owner, more_owners = _most(Counter(name for names in owned for name in names))
    by_tag, more_tags = _most(_tags(connection, beyond, question))
    kinds = Counter(node.kind for node in beyond)
    return Impact(
        total=len(beyond),
        by_kind=sorted(kinds.items(), key=lambda one: (-one[1], one[0].value)),
        by_depth=sorted(Counter(node.depth for node in beyond).items(), key=lambda one: (abs(one[0]), one[0])),
        by_namespace=namespaces,
        by_owner=by_owner,
        by_tag=by_tag,
        without_owner=sum(not names for names in owned),
        truncated_by=found.truncated_by or ("maxCounted" if truncated or more_owners or more_tags else None),
    )


def _most(counts: Counter[str]) -> tuple[list[tuple[str, int]], bool]:
    """The largest counts, and whether there are more."""
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ordered[:MOST_COUNTED], len(ordered) > MOST_COUNTED


def _subject(node: LineageNode) -> int:
    """What its owners are those of: of a column its dataset."""
    return node.id if node.dataset_id is None else node.dataset_id


def _of_kind(nodes: Collection[LineageNode], kind: Node) -> set[int]:
    if kind is Node.JOB:
        return {node.id for node in nodes if node.kind is EntityKind.JOB}
    return {_subject(node) for node in nodes if node.kind not in (EntityKind.JOB, EntityKind.RUN)}


def _owners(connection: Read, nodes: Collection[LineageNode], question: Question) -> dict[int, frozenset[str]]:
    """Who answers for each; nobody answers for a run."""
    names: dict[int, frozenset[str]] = {}
    for kind in (Node.DATASET, Node.JOB):
        if ids := _of_kind(nodes, kind):
            said = as_of.owners(connection, ids, kind, question.window.moment, question.understand)
            names |= {id: frozenset(row.name for row in rows) for id, rows in said.items()}
    return names


def _tags(connection: Read, nodes: Collection[LineageNode], question: Question) -> Counter[str]:
    """How many have each tag: a column those that are on it, all others those on the whole."""
    rows: dict[int, list[TagRow]] = {}
    for kind in (Node.DATASET, Node.JOB):
        if ids := _of_kind(nodes, kind):
            rows |= as_of.tags(connection, ids, kind, question.window.moment, question.understand)
    tagged: Counter[str] = Counter()
    for node in nodes:
        tagged.update({tag_text(row) for row in rows.get(_subject(node), ()) if row.field == node.column})
    return tagged


def tag_text(row: TagRow) -> str:
    """A tag as `key`, or as `key=value` where the value says more than true."""
    return row.key if row.value in ("", "true") else f"{row.key}={row.value}"
