"""Search finds what people mean, in one order, and both engines answer the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from builders import also_known_as, columns, declared_dataset, declared_job, dropped, facet, ran
from catalog.domain.errors import BadRequest
from catalog.domain.words import EntityKind
from catalog.ingest.accept import Ingest, Received
from catalog.store import maintenance, search
from catalog.store.engine import Database
from catalog.store.paging import Page
from catalog.store.tables import metadata

EVENTS = sorted((Path(__file__).parents[1] / "events").glob("*.ndjson"))
Found = list[tuple[str, str, int]]


def told(database: Database, *stories: bytes | Iterable[bytes]) -> None:
    events = [event for story in stories for event in ([story] if isinstance(story, bytes) else story)]
    Ingest(database).accept([Received(event, "test") for event in events])


def hits(database: Database, text: str, kinds: list[EntityKind] | None = None, first: int = 50) -> list[search.Hit]:
    with database.read() as connection:
        return list(search.page(connection, text, kinds, Page(first)).items)


def names(database: Database, text: str, kinds: list[EntityKind] | None = None) -> list[str]:
    return [hit.name for hit in hits(database, text, kinds)]


def all_pages(database: Database, text: str, first: int) -> Found:
    found: Found = []
    after = None
    with database.read() as connection:
        while True:
            page = search.page(connection, text, None, Page(first, after))
            found += [(hit.namespace, hit.name, hit.score) for hit in page.items]
            if not page.has_next:
                return found
            after = page.cursors[-1]


@pytest.fixture
def shop(database: Database) -> Database:
    told(
        database,
        ran("load_orders", 0)
        .reading("landing/orders")
        .writing("raw.orders", schema=columns(order_id="int", email="text")),
        ran("build_marts", 5).reading("raw.orders").writing("mart.customerOrders2024"),
        declared_dataset("orders", 1, documentation=facet(description="Everything sold, one line per purchase.")),
        declared_dataset("people", 1, ownership=facet(owners=[{"name": "team:Émile", "type": "OWNER"}])),
        declared_dataset("cities", 1, tags=facet(tags=[{"key": "sensitivity", "value": "public"}])),
        declared_dataset("churn", 1, datasetType=facet(datasetType="MODEL")),
        declared_dataset("注文明細", 1),
    )
    return database


def test_a_whole_name_comes_first_then_short_names_with_the_word_then_beginnings_then_columns(shop: Database) -> None:
    found = [(hit.name, hit.score) for hit in hits(shop, "order")]
    assert found == [
        ("orders", 5), ("raw.orders", 5), ("load_orders", 5), ("landing/orders", 5), ("mart.customerOrders2024", 5),
    ]  # fmt: skip
    assert [(hit.name, hit.score) for hit in hits(shop, "orders")] == [
        ("orders", 7), ("raw.orders", 7), ("load_orders", 7), ("landing/orders", 7), ("mart.customerOrders2024", 6),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "field", "matched"),
    [
        ("customer orders 2024", "mart.customerOrders2024", "name", "mart.customerOrders2024"),
        ("customerOrders", "mart.customerOrders2024", "name", "mart.customerOrders2024"),
        ("MART.CUST", "mart.customerOrders2024", "name", "mart.customerOrders2024"),
        ("email", "raw.orders", "column", "email"),
        ("order_id", "raw.orders", "column", "order_id"),
        ("emile", "people", "owner", "team:Émile"),
        ("sensitivity public", "cities", "tag", "sensitivity=public"),
        ("purchase", "orders", "description", "Everything sold, one line per purchase."),
        ("明細", "注文明細", "name", "注文明細"),
        ("細", "注文明細", "name", "注文明細"),
        ("文", "注文明細", "name", "注文明細"),
        ("ustomer", "mart.customerOrders2024", "name", "mart.customerOrders2024"),
        ("landnig", "landing/orders", "name", "landing/orders"),
        ("biuld", "build_marts", "name", "build_marts"),
    ],
)
def test_what_people_type_finds_what_they_mean_and_says_where(
    shop: Database, text: str, name: str, field: str, matched: str
) -> None:
    first = hits(shop, text)[0]
    assert (first.name, first.matched[0].field, first.matched[0].text) == (name, field, matched)


def test_words_may_come_from_different_texts_and_all_of_them_count(shop: Database) -> None:
    (hit,) = hits(shop, "raw email")
    assert [(match.field, match.text) for match in hit.matched] == [("name", "raw.orders"), ("column", "email")]
    assert hit.column == "email"
    assert hits(shop, "raw zebra") == []


def test_kinds_narrow_the_answer(shop: Database) -> None:
    assert names(shop, "orders", [EntityKind.JOB]) == ["load_orders"]
    assert names(shop, "churn", [EntityKind.MODEL]) == ["churn"]
    assert names(shop, "churn", [EntityKind.DATASET]) == []
    assert names(shop, "orders", [EntityKind.RUN]) == []
    (column,) = hits(shop, "order", [EntityKind.COLUMN])
    assert (column.kind, column.name, column.column) == (EntityKind.COLUMN, "raw.orders", "order_id")
    kinds = {hit.kind for hit in hits(shop, "order", [EntityKind.COLUMN, EntityKind.JOB])}
    assert kinds == {EntityKind.COLUMN, EntityKind.JOB}


def test_a_dataset_with_several_names_is_found_once_by_each(database: Database) -> None:
    told(database, ran("j").writing("table_x", symlinks=also_known_as(("s3://lake", "warehouse/zebra"))))
    (hit,) = hits(database, "zebra")
    assert (hit.name, hit.matched[0].field, hit.matched[0].text) == ("table_x", "alias", "warehouse/zebra")
    assert names(database, "table") == ["table_x"]


def test_a_drop_counts_from_the_event_that_completes_its_run_whatever_that_names(database: Database) -> None:
    drop = ran("drop").writing("aa sales", lifecycleStateChange=dropped())
    told(database, [drop.event("START", 0)], ran("j", 0).writing("sales of a long name"))
    assert names(database, "sale", [EntityKind.DATASET]) == ["aa sales", "sales of a long name"]
    told(database, [drop.event("COMPLETE", 1, bare=True)])
    assert names(database, "sale", [EntityKind.DATASET]) == ["sales of a long name", "aa sales"]


def test_what_was_dropped_comes_last_among_equals_until_it_is_written_again(database: Database) -> None:
    told(database, ran("j", 0).writing("aa sales", "sales of a long name"))
    assert names(database, "sale", [EntityKind.DATASET]) == ["aa sales", "sales of a long name"]
    told(database, ran("drop", 10).writing("aa sales", lifecycleStateChange=dropped()))
    assert [(hit.name, hit.gone) for hit in hits(database, "sale", [EntityKind.DATASET])] == [
        ("sales of a long name", False), ("aa sales", True),
    ]  # fmt: skip
    told(database, ran("j", 20).writing("aa sales"))
    assert names(database, "sale", [EntityKind.DATASET]) == ["aa sales", "sales of a long name"]


def test_a_long_description_is_cut_to_the_words_that_were_found(database: Database) -> None:
    prose = "Lorem ipsum dolor. " * 30 + "Here is the needle of it. " + "And so on and on. " * 30
    told(database, declared_dataset("d", 1, documentation=facet(description=prose)))
    text = hits(database, "needle")[0].matched[0].text
    assert "needle" in text
    assert text[0] == text[-1] == "…"
    assert len(text) < 170


HOSTILE = [
    '"', "'", "*", "NEAR(a b)", "a AND b OR NOT c", "name:orders", "a\0b", "x" * 1_000_000, "!!! ??? ---", "🚀", "\\",
    "סדר הזמנות", "注文", "\ud800", "a:*", "'a' & !'b'", "(((", "^a", "{a b}", "a" * 63 + "é" * 10, "½", "İ", "ﬁ", "%",
    "_", "e\u0301" * 500, "\u202eabc", "-orders", "+orders", "orders*", "ord" * 300,
    "a b c d e f g h i j k l m n o p q r s t", "\u200b", "ก็", "ß", "a\u2039b",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text)[:20] for text in HOSTILE])
def test_hostile_text_is_never_an_error(shop: Database, text: str) -> None:
    stored = text.replace("\ud800", "?")
    told(shop, declared_dataset(f"hostile {stored}", 3, documentation=facet(description=stored)))
    found = names(shop, text)
    assert len(found) <= 50
    with shop.read() as connection:
        assert search.count(connection, text, None) >= len(found)


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_text_is_refused(shop: Database, text: str) -> None:
    with pytest.raises(BadRequest, match="nothing to look for"):
        hits(shop, text)


def test_a_cursor_of_another_list_is_refused(shop: Database) -> None:
    with shop.read() as connection, pytest.raises(BadRequest, match="cursor"):
        search.page(connection, "orders", None, Page(5, "bm9wZQ"))


def test_fifty_hits_cost_no_more_statements_than_one(database: Database, statements: Any) -> None:
    told(database, *(ran(f"job number_{n}", n).writing(f"thing number_{n}") for n in range(60)), ran("unique", 90))
    with statements(database) as one:
        assert len(hits(database, "unique")) == 1
    with statements(database) as many:
        assert len(hits(database, "number")) == 50
    assert len(many) <= len(one) + 5
    assert len(many) <= 12


WORDS = ("orders", "order", "customer", "customers", "raw", "id", "orders2024", "Émile", "注文", "x")
QUESTIONS = (
    *WORDS,
    "ord",
    "raw ord",
    "customer id",
    "rders",
    "odrers",
    "customre",
    "o",
    "文",
    "raworders",
    "emi",
    "zz",
)


@st.composite
def corpora(draw: st.DrawFn) -> list[bytes]:
    some = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3)
    events = []
    for at in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(("_", ".", " ", ""))).join(draw(some))
        facets: dict[str, Any] = {}
        if draw(st.booleans()):
            facets["schema"] = columns(**dict.fromkeys(("_".join(draw(some)), "k"), "int"))
        if draw(st.booleans()):
            facets["documentation"] = facet(description=" ".join(draw(some)))
        if draw(st.booleans()):
            facets["tags"] = facet(tags=[{"key": draw(st.sampled_from(WORDS)), "value": "x"}])
        make = draw(st.sampled_from((declared_dataset, declared_job)))
        events.append(make(name, at, **facets))
    return events


@pytest.fixture
def two_engines(sqlite_url: str, postgres_url: str) -> Iterator[tuple[Database, Database]]:
    one, other = Database(sqlite_url), Database(postgres_url)
    yield one, other
    one.close()
    other.close()


def emptied(database: Database) -> None:
    with database.write() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())


def test_both_engines_find_the_same_in_the_same_order_on_any_page_size(
    two_engines: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    @settings(max_examples=max(8, settings().max_examples // 6))
    @given(corpora(), st.integers(1, 4))
    def same(events: list[bytes], first: int) -> None:
        note(repr(events))
        for database in two_engines:
            emptied(database)
            told(database, *events)
        for text in QUESTIONS:
            monkeypatch.setattr(search, "FEW", 100)
            expected = all_pages(two_engines[0], text, 1000)
            assert len({(space, name) for space, name, _ in expected}) <= len(expected)
            for few in (100, 0):
                # Tiers told from the words, and asked of the index, are the same.
                monkeypatch.setattr(search, "FEW", few)
                for database in two_engines:
                    assert all_pages(database, text, first) == expected, (text, few, database.is_sqlite)
            for database in two_engines:
                with database.read() as connection:
                    assert search.count(connection, text, None) == len(expected)

    same()


def test_both_engines_find_the_same_in_recorded_events(two_engines: tuple[Database, Database]) -> None:
    events = [line for path in EVENTS for line in path.read_bytes().splitlines() if line.strip()]
    for database in two_engines:
        told(database, *events)
    for text in ("orders", "stg", "raw customers", "shop main", "ustomers", "custmoers", "airflow", "a", "dbt model"):
        one, other = (all_pages(database, text, 3) for database in two_engines)
        assert one == other
    assert all_pages(two_engines[0], "orders", 10)


def test_a_copy_to_the_other_engine_is_searched_like_the_original(two_engines: tuple[Database, Database]) -> None:
    sqlite, postgres = two_engines
    told(sqlite, *EVENTS[0].read_bytes().splitlines())
    maintenance.copy(sqlite, postgres)
    for text in ("e", "air", "xyz"):
        assert all_pages(sqlite, text, 7) == all_pages(postgres, text, 7)
