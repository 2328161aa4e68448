"""What a search finds, and why."""

from __future__ import annotations

from typing import Annotated, Self

import strawberry

from catalog.api.graphql import types
from catalog.api.graphql.connections import Connection, connection_of, page_of
from catalog.api.graphql.context import Info
from catalog.api.graphql.enums import EntityKind
from catalog.api.graphql.types.node import Node
from catalog.domain import words
from catalog.store import search
from catalog.store.search import Hit

SearchText = Annotated[
    str,
    strawberry.argument(
        description="Words or beginnings of words, all of which have to be found, in any order: in names, columns, "
        "tags, owners, namespaces or descriptions. Letters match in either case, with and without accents."
    ),
]
SearchKinds = Annotated[
    list[EntityKind] | None,
    strawberry.argument(
        description="What to find; left out: everything. COLUMN finds datasets by their columns alone; runs are not "
        "found by words."
    ),
]


@strawberry.type(description="A text in which words were found that were looked for.")
class SearchMatch:
    """Why something was found."""

    field: str = strawberry.field(
        description="What it is: `name`, `alias`, `column`, `tag`, `owner`, `namespace` or `description`."
    )
    text: str = strawberry.field(description="The text as it was written; of a long one the part with the word.")


@strawberry.type(description="A dataset, job or model that a search found.")
class SearchHit:
    """A hit."""

    key: strawberry.Private[int]
    kind: EntityKind = strawberry.field(description="What it is.")
    namespace: str = strawberry.field(description="The namespace of the name it is shown under.")
    name: str = strawberry.field(description="The name it is shown under.")
    column: str | None = strawberry.field(description="The column that has the words, if they were found in one.")
    score: int = strawberry.field(
        description="How good it is: 7 the name is what was looked for, 6 the name has every word, 5 the name has "
        "words that begin so, 4 columns, tags, owners or the namespace help, 3 the description helps, 2 letters are "
        "inside of a word of the name, 1 a word of the name is nearly the one that was looked for."
    )
    deleted: bool = strawberry.field(
        description="Whether it was dropped and not written again; such come last among equally good ones."
    )
    matched: list[SearchMatch] = strawberry.field(description="Where the words were found.")

    @classmethod
    def of(cls, hit: Hit) -> Self:
        """From what the store found."""
        return cls(
            key=hit.id,
            kind=hit.kind,
            namespace=hit.namespace,
            name=hit.name,
            column=hit.column,
            score=hit.score,
            deleted=hit.gone,
            matched=[SearchMatch(field=match.field, text=match.text) for match in hit.matched],
        )

    @strawberry.field(description="The thing itself; of a column, its dataset.")
    async def entity(self, info: Info) -> Node | None:
        """The dataset or job."""
        if self.kind is words.EntityKind.JOB:
            return await types.job.load(info, self.key)
        return await types.dataset.load(info, self.key)


@strawberry.type(description="A page of what a search found, the best first.")
class SearchConnection(Connection[SearchHit]):
    """Relay's connection, under the name it has in the contract."""


def found(
    info: Info, text: str, kinds: list[EntityKind] | None, first: int | None, after: str | None
) -> SearchConnection:
    """One page of hits."""
    wanted = None if kinds is None else frozenset(kinds)
    hits = info.context.ask(search.page, text, wanted, page_of(info, first, after))

    async def counting() -> int:
        return info.context.ask(search.count, text, wanted)

    page = connection_of(hits, SearchHit.of, after, counting)
    return SearchConnection(edges=page.edges, page_info=page.page_info, counting=page.counting)
