"""How fast names are found among 55,000 jobs and as many datasets, on both engines.

    python benchmarks/bench_search.py [--jobs 55000] [--database URL]

Prints milliseconds of one page of 20 inside the service (question to hits, with why each was found), the median of
several, and the ratio to `LIKE '%word%'` over the names in the same database, which is what search replaces.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from measuring import engine_name, engines, opened
from sqlalchemy import func, select

from catalog.domain.ids import dataset_id, field_id, job_id, namespace_id
from catalog.domain.projection import NEVER
from catalog.store import search, search_writer
from catalog.store.dialect import insert
from catalog.store.engine import Database
from catalog.store.paging import Page
from catalog.store.rows import sort_key
from catalog.store.tables import dataset, field, job, namespace

SUBJECTS: Final = (
    "orders", "customers", "payments", "loans", "collateral", "rates", "accounts", "transfers", "cards", "branches",
    "applications", "scores", "limits", "defaults", "recoveries", "ledger", "balances", "fees", "agents", "documents",
)  # fmt: skip
LAYERS: Final = ("raw", "staging", "core", "mart", "report")
COLUMNS: Final = (
    "id", "customer_id", "created_at", "updated_at", "amount", "currency", "status", "country", "branch_id", "rate",
    "balance", "email", "phone", "birth_date", "score",
)  # fmt: skip
QUESTIONS: Final = {
    "a rare word": "zanzibar",
    "a name": "core.loans_4211",
    "a word of every job": "etl",
    "two frequent words": "etl loans",
    "two frequent words, apart": "payments loans",
    "a beginning of everything": "e",
    "a beginning": "cust",
    "a column of most datasets": "customer_id",
    "words of three kinds": "mart amount lender",
    "a piece of a word": "ollatera",
    "a typo": "colateral",
    "nothing": "xylophone",
    "a question in words": "what are the loans of customers in the report",
}
_REPEATS: Final = 7
_DRAWN = random.Random(20261122)  # noqa: S311 - a corpus, the same every time


def datasets(many: int) -> Iterator[tuple[str, str]]:
    """Names such as `mart.loans_daily_17` in namespaces of lenders."""
    for number in range(many):
        space = f"postgres://lender-{number % 40}.example:5432"
        yield space, f"{LAYERS[number % 5]}.{SUBJECTS[(number // 5) % 20]}_{number}"
    yield "s3://archive", "zanzibar"


def jobs(many: int) -> Iterator[tuple[str, str]]:
    """Names such as `etl_mart_loans_17` in namespaces of schedulers."""
    for number in range(many):
        yield f"airflow-{number % 12}", f"etl_{LAYERS[number % 5]}_{SUBJECTS[(number // 5) % 20]}_{number}"


def fill(database: Database, many: int) -> float:
    """Put the corpus into a database; the answer is the seconds that the documents took."""
    data, work = list(datasets(many)), list(jobs(many))
    described = {
        n: f"All {SUBJECTS[n % 20]} as of the last close, for the regulatory report." for n in range(0, many, 3)
    }
    with database.write() as connection:
        spaces = {space for space, _ in data + work}
        insert(connection, namespace, [{"id": namespace_id(s), "name": s, "sort_key": s} for s in spaces])
        rows = [_dataset(names, described.get(n)) for n, names in enumerate(data)]
        insert(connection, dataset, rows)
        insert(connection, job, [_job(names, described.get(n)) for n, names in enumerate(work)])
        columns = [(row["id"], name) for row in rows for name in _DRAWN.sample(COLUMNS, 10)]
        insert(connection, field, [{"id": field_id(o, c), "dataset_id": o, "name": c} for o, c in columns])
        begun = time.perf_counter()
        search_writer.fill(connection)
        took = time.perf_counter() - begun
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    return took


def _dataset(names: tuple[str, str], description: str | None) -> dict[str, Any]:
    id = dataset_id(*names)
    return {**_named(id, names, description), "canonical_id": id, "type": "TABLE", "sub_type": None}


def _job(names: tuple[str, str], description: str | None) -> dict[str, Any]:
    blank: Mapping[str, Any] = dict.fromkeys((
        "parent_id", "processing_type", "integration", "type", "first_point_at", "last_point_at", "last_point_run",
        "last_version_id",
    ))  # fmt: skip
    return {**_named(job_id(*names), names, description), **blank, "parent_at": NEVER.at, "parent_tie": NEVER.tie}


def _named(id: int, names: tuple[str, str], description: str | None) -> dict[str, Any]:
    return {
        "id": id, "namespace_id": namespace_id(names[0]), "name": names[1], "sort_key": sort_key(*names),
        "created_at": 0, "description": description,
    }  # fmt: skip


def median_ms(measured: Callable[[], object]) -> float:
    """The median of several, in milliseconds; the first is not counted."""
    measured()
    took = []
    for _ in range(_REPEATS):
        begun = time.perf_counter()
        measured()
        took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1_000


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--jobs", type=int, default=55_000, help="how many jobs, and how many datasets")
    arguments.add_argument("--database", help="URL of an empty database, instead of one of each engine")
    given = arguments.parse_args()
    with engines(given.database) as urls:
        for url in urls:
            with opened(url) as database:
                took = fill(database, given.jobs)
                print(f"\n{engine_name(url)}: {2 * given.jobs} documents written in {took:.1f} s")
                _measure(database)


def _measure(database: Database) -> None:
    print(f"{'question':<28}{'found':>8}{'page ms':>9}{'2nd ms':>8}{'count ms':>9}{'LIKE ms':>9}{'ratio':>7}")
    with database.read() as connection:
        for what, text in QUESTIONS.items():
            found = search.page(connection, text, None, Page(20))
            page = median_ms(lambda text=text: search.page(connection, text, None, Page(20)))  # type: ignore[misc] # bound now
            after = Page(20, found.cursors[-1] if found.cursors else None)
            second = median_ms(lambda text=text, after=after: search.page(connection, text, None, after))  # type: ignore[misc] # as above
            total = search.count(connection, text, None)
            counted = median_ms(lambda text=text: search.count(connection, text, None))  # type: ignore[misc] # as above
            likes = [
                select(table.c.id).where(func.lower(table.c.name).like(f"%{text}%")).limit(20)
                for table in (dataset, job)
            ]
            scanned = median_ms(lambda likes=likes: [connection.execute(like).all() for like in likes])  # type: ignore[misc] # as above
            print(f"{what:<28}{total:>8}{page:>9.1f}{second:>8.1f}{counted:>9.1f}{scanned:>9.1f}{page / scanned:>7.2f}")


if __name__ == "__main__":
    main()
