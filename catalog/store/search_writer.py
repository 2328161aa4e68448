"""Documents to search, one for each dataset and job: rewritten when its words change, and only then.

A document follows from other rows of the graph alone, so it is the same whatever the order in which those came. The
writers before this one say what may have other words; where nothing has, a look at the table of drops is all it costs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from sqlalchemy import select

from catalog.domain.search_words import SHORTEST_PIECE, grams, segments, wholes
from catalog.store.among import among, among_found
from catalog.store.dialect import any_of, delete_keys, upsert
from catalog.store.engine import Read, Write
from catalog.store.rows import by_ids
from catalog.store.search_index import Token
from catalog.store.search_sources import KINDS, Source, read
from catalog.store.tables import dataset, dataset_drop, job, search_document

_mentioned = dataset.alias()
_SHOWN: Final = select(_mentioned.c.canonical_id).distinct().where(among(_mentioned.c.id, "ids"))
_DROPPED: Final = (
    select(dataset_drop.c.dataset_id)
    .distinct()
    .join(dataset, dataset.c.id == dataset_drop.c.dataset_id)
    .where(among_found(dataset.c.canonical_id, _SHOWN))
)

_FILLED_AT_ONCE: Final = 2_000
_SHORT: Final = 100

# More than any person reads, and less than a tsvector can hold (1 MB, positions aside).
_MOST_NAMES, _MOST_COLUMNS, _MOST_CHARACTERS, _MOST_WORDS = 50, 5_000, 10_000, 10_000


def write(connection: Write, worded: Collection[int], mentioned: Collection[int]) -> None:
    """Bring documents up to date.

    Args:
        connection: to write on.
        worded: datasets, under any of their names, and jobs whose words may have changed.
        mentioned: every dataset of the batch: those that were dropped may live again.
    """
    touched = set(worded)
    # Under whatever name it was dropped, a write under any of its names makes it live.
    touched.update(connection.scalars(_DROPPED, {"ids": mentioned}))
    if touched:
        _rewrite(connection, touched)


def fill(connection: Write) -> None:
    """Write every document anew."""
    connection.execute(search_document.delete())
    everything = [*connection.scalars(select(dataset.c.id)), *connection.scalars(select(job.c.id))]
    for start in range(0, len(everything), _FILLED_AT_ONCE):
        _rewrite(connection, set(everything[start : start + _FILLED_AT_ONCE]))


def is_missing(connection: Read) -> bool:
    """Whether there is a graph and not one document of it: it was made by a release that had no search."""
    if connection.execute(select(search_document.c.place).limit(1)).first() is not None:
        return False
    return any(connection.execute(select(table.c.id).limit(1)).first() is not None for table in (dataset, job))


def _rewrite(connection: Write, touched: set[int]) -> None:
    shown = set(connection.scalars(select(dataset.c.canonical_id).where(any_of(connection, dataset.c.id, touched))))
    jobs = set(connection.scalars(select(job.c.id).where(any_of(connection, job.c.id, touched))))
    new = [_row(id, source) for id, source in read(connection, shown, jobs).items()]
    # A name that is no longer shown has a document to lose.
    old = {
        row.place: row._asdict()
        for row in by_ids(connection, search_document, search_document.c.subject_id, touched | shown)
    }
    kept = {row["place"] for row in new}
    delete_keys(connection, search_document, [(place,) for place in old if place not in kept])
    upsert(connection, search_document, [row for row in new if old.get(row["place"]) != row])


def _row(id: int, source: Source) -> Mapping[str, Any]:
    return {
        "place": _place(id, source), "subject_id": id, "kind": KINDS[source.kind], "words": " ".join(tokens(source)),
    }  # fmt: skip


def _place(id: int, source: Source) -> int:
    """Where a document stands among equally good ones: what is gone last, short names first, then by id.

    63 bits: 1 for gone, 8 for the length of the name, 54 of the id. That two of a million names of one length have
    the same place has a chance of 1 in 36,000; the later of them takes it.
    """
    return int(source.gone) << 62 | min(len(source.names[0][1]), 255) << 54 | id >> 9


def tokens(source: Source) -> list[str]:
    """All that a document is found by, sorted; the first character of each says where it comes from."""
    names = [name for _, name in source.names[:_MOST_NAMES]]
    spaces = dict.fromkeys(space for space, _ in source.names[:_MOST_NAMES])
    named, columns = _words(names), _words(source.columns[:_MOST_COLUMNS])
    more = {*named, *columns, *_words([*source.tags, *source.owners, *spaces])}
    result = {f"{Token.KIND}{KINDS[source.kind]}"}
    result |= {f"{Token.WHOLE}{whole}" for name in names for whole in wholes(name[:_MOST_CHARACTERS])}
    result |= {f"{Token.NAME}{word}" for word in named}
    result |= {f"{Token.GRAM}{gram}" for word in named if len(word) >= SHORTEST_PIECE for gram in grams(word)}
    result |= {f"{Token.COLUMN}{word}" for word in columns}
    result |= {f"{Token.MORE}{word}" for word in more}
    result |= {f"{Token.ANY}{word}" for word in more.union(_words(source.descriptions))}
    return sorted(result)


def _words(texts: Iterable[str]) -> list[str]:
    """The words of texts, each once: so many of the first that a document has a size."""
    found = (word for text in texts for word in (_short if len(text) <= _SHORT else _long)(text))
    return list(dict.fromkeys(islice(found, _MOST_WORDS)))


def _long(text: str) -> Iterator[str]:
    return (word for said in segments(text[:_MOST_CHARACTERS]) for word in sorted(said.words))


@lru_cache(maxsize=16_384)
def _short(text: str) -> tuple[str, ...]:
    """Kept, as datasets have the same columns, owners and namespaces."""
    return tuple(_long(text))
