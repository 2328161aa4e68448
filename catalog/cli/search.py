"""`catalog search`: what has these words."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.cli.console import say, tell_json, tell_table
from catalog.cli.databases import DatabaseOption, JsonOption, opened, settings

if TYPE_CHECKING:
    from catalog.store.search import Hit


class Found(Enum):
    """What can be found."""

    DATASET = "dataset"
    COLUMN = "column"
    JOB = "job"
    MODEL = "model"


def search(
    text: Annotated[list[str], typer.Argument(metavar="TEXT…", help="Words, or beginnings of words.")],
    *,
    kind: Annotated[
        list[Found] | None, typer.Option("--kind", case_sensitive=False, help="Only these; may be repeated.")
    ] = None,
    first: Annotated[int, typer.Option("--first", min=1, max=1_000, help="How many at most.")] = 20,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find datasets, jobs and models by words of their names, columns, tags, owners or descriptions.

    All words have to be found, in any order; the best come first. Exits with 0 also where nothing is found.
    """
    from catalog.domain.words import EntityKind
    from catalog.store import search as store
    from catalog.store.paging import Page
    from catalog.store.read.snapshot import snapshot

    kinds = None if not kind else frozenset(EntityKind[one.name] for one in kind)
    with opened(settings(database).database.url) as source, snapshot(source) as reading:
        found = reading.ask(store.page, " ".join(text), kinds, Page(first))
    if as_json:
        tell_json([_described(hit) for hit in found.items])
        return
    rows = [
        (hit.kind.value.lower(), hit.namespace, hit.name, hit.column, "; ".join(_reasons(hit))) for hit in found.items
    ]
    tell_table(("kind", "namespace", "name", "column", "found in"), rows)
    if found.has_next:
        say(f"There is more than these {first}. Raise --first, or give more words.")


def _reasons(hit: Hit) -> list[str]:
    """Where the words were found, without what the other columns of the table say."""
    shown = {("name", hit.name), ("column", hit.column), ("namespace", hit.namespace)}
    reasons = [
        match.field if (match.field, match.text) in shown else f"{match.field} {match.text}" for match in hit.matched
    ]
    return [*reasons, "dropped"] if hit.gone else reasons


def _described(hit: Hit) -> dict[str, Any]:
    return {
        "kind": hit.kind.value, "namespace": hit.namespace, "name": hit.name, "column": hit.column,
        "score": hit.score, "deleted": hit.gone,
        "matched": [{"field": match.field, "text": match.text} for match in hit.matched],
    }  # fmt: skip
