"""Harbour Bank, a lender that does not exist: its core banking, its partners, and its lake as data lands in it.

`columns` says how the lines are read. The days on which columns change are those of `dates.py`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from catalog.demo.shapes import Table, columns

CORE: Final = "postgres://core.harbour.example:5432"
LAKE: Final = "s3://harbour-lake"
WAREHOUSE: Final = "snowflake://harbour-eu"
TOPICS: Final = "kafka://events.harbour.example:9092"
BUREAU: Final = "sftp://bureau.example"

_core = partial(Table, CORE, owner="team:core-banking")
_lake = partial(Table, LAKE, owner="team:data-platform", kind="FILE")

# Core banking: the system of record, where names and tax numbers are readable.

CUSTOMERS: Final = _core(
    "core.public.customers",
    description="Everybody who has, had or asked for a product.",
    rows=184_200,
    columns=columns("""
        customer_id   bigint
        tax_number    varchar(20)   pii
        full_name     varchar(160)  pii
        email         varchar(254)  pii
        birth_date    date          pii
        segment       varchar(16)
        opened_on     date
    """),
)
ADDRESSES: Final = _core(
    "core.public.addresses",
    description="Where customers live, one row for each time of living there.",
    rows=231_900,
    columns=columns("""
        customer_id   bigint
        street        varchar(200)  pii
        postcode      varchar(10)   pii
        country       char(2)
        valid_from    date
    """),
)
EMPLOYMENTS: Final = _core(
    "core.public.employments",
    description="Employers and salaries, as customers proved them.",
    rows=120_400,
    columns=columns("""
        customer_id   bigint
        employer      varchar(120)  pii
        sector        varchar(8)
        net_salary    numeric(12,2) pii
    """),
)
ACCOUNTS: Final = _core(
    "core.public.accounts",
    description="Current and savings accounts with their balances at the close of the day.",
    rows=302_700,
    columns=columns("""
        account_id    bigint
        customer_id   bigint
        iban          varchar(34)   pii
        balance       numeric(14,2)
        overdraft     numeric(14,2)
    """),
)
LOANS: Final = _core(
    "core.public.loans",
    description="Every loan and its terms.",
    rows=41_300,
    columns=columns("""
        loan_id       bigint
        customer_id   bigint
        product       varchar(24)
        principal     numeric(14,2)
        rate          numeric(6,4)
        currency      char(3)
        matures_on    date
    """),
)
COLLATERAL: Final = _core(
    "core.public.collateral",
    description="What loans are secured by, with its last valuation.",
    rows=12_800,
    columns=columns("""
        loan_id       bigint
        kind          varchar(24)
        value         numeric(14,2)
        valued_on     date
    """),
)
PAYMENTS: Final = _core(
    "core.public.payments",
    description="Instalments: when they were due, when they came, and how much.",
    rows=988_000,
    columns=columns("""
        payment_id    bigint
        loan_id       bigint
        due_on        date
        paid_on       date
        amount        numeric(12,2)
    """),
)
APPLICATIONS: Final = _core(
    "core.public.applications",
    description="Applications for a loan, from the web, the app and the branches.",
    rows=640,
    columns=columns("""
        application_id        bigint
        customer_id           bigint
        channel               varchar(12)
        amount                numeric(12,2)
        declared_income       numeric(10,2)  until=2026-10-11
        declared_income       numeric(14,2)  since=2026-10-12
        open_banking_consent  boolean        since=2026-10-12
        received_at           timestamptz
    """),
)
LEDGER: Final = _core(
    "core.public.ledger",
    description="The general ledger: one row an entry.",
    rows=2_410_000,
    columns=columns("""
        entry_id      bigint
        account       varchar(12)
        amount        numeric(16,2)
        currency      char(3)
        booked_on     date
    """),
)

# The lake: files as they landed.

BUREAU_OUTBOX: Final = Table(
    BUREAU, "outgoing/scores.csv", "partner:credit-bureau", "What the credit bureau lays ready for us each evening.",
    kind="FILE", rows=640,
)  # fmt: skip
CENTRAL_BANK_RATES: Final = Table(
    "https://rates.example", "euro/daily.xml", "partner:central-bank", "Reference rates of the euro.", kind="FILE",
    rows=31,
)  # fmt: skip
LANDED_CUSTOMERS: Final = _lake(
    "landing/customers",
    description="Customers with address and salary, readable; deleted after seven days.",
    rows=184_200,
    columns=columns("""
        customer_id   bigint
        tax_number    string        pii
        full_name     string        pii
        email         string        pii
        birth_date    date          pii
        segment       string
        postcode      string        pii
        country       string
        sector        string
        net_salary    decimal(12,2) pii
    """),
)
LANDED_ACCOUNTS: Final = _lake(
    "landing/accounts", description="Accounts without their numbers.", rows=302_700,
    columns=columns("account_id bigint\ncustomer_id bigint\nbalance decimal(14,2)\noverdraft decimal(14,2)"),
)  # fmt: skip
LANDED_LOANS: Final = _lake(
    "landing/loans", description="Loans with what secures them.", rows=41_300,
    columns=columns("""
        loan_id       bigint
        customer_id   bigint
        product       string
        principal     decimal(14,2)
        rate          decimal(6,4)
        currency      string
        matures_on    date
        collateral    decimal(14,2)
    """),
)  # fmt: skip
LANDED_PAYMENTS: Final = _lake(
    "landing/payments", description="The instalments of the last 400 days.", rows=988_000,
    columns=columns("payment_id bigint\nloan_id bigint\ndue_on date\npaid_on date\namount decimal(12,2)"),
)  # fmt: skip
LANDED_APPLICATIONS: Final = _lake(
    "landing/applications", description="The applications of the day.", rows=640,
    columns=columns("""
        application_id        bigint
        customer_id           bigint
        channel               string
        amount                decimal(12,2)
        declared_income       decimal(10,2)  until=2026-10-11
        declared_income       decimal(14,2)  since=2026-10-12
        open_banking_consent  boolean        since=2026-10-12
        received_at           timestamp
    """),
)  # fmt: skip
LANDED_LEDGER: Final = _lake(
    "landing/ledger", description="The ledger of the month.", rows=2_410_000,
    columns=columns("entry_id bigint\naccount string\namount decimal(16,2)\ncurrency string\nbooked_on date"),
)  # fmt: skip
LANDED_BUREAU: Final = _lake(
    "landing/bureau/scores", description="The bureau's scores of the day's applicants.", rows=640,
    columns=columns("tax_number string pii\nscore int\ndelinquencies int\nreported_on date"),
)  # fmt: skip
BUREAU_CORRECTIONS: Final = _lake(
    "landing/bureau/corrections", description="Scores that the bureau took back and gave anew.", rows=17,
    columns=columns("tax_number string pii\nscore int\ncorrects date"),
)  # fmt: skip
LANDED_RATES: Final = _lake(
    "landing/rates", description="Exchange rates to the euro.", rows=31,
    columns=columns("currency string\nrate decimal(12,6)\nquoted_on date"),
)  # fmt: skip
AUTHORISATIONS: Final = Table(
    TOPICS, "cards.authorisations", "team:cards", "Every authorisation of a card, as it happens.", kind="TOPIC",
    rows=410_000, columns=columns("card_id string pii\ncustomer_id long\nmerchant string\namount double\nat long"),
)  # fmt: skip
CARD_ACTIVITY: Final = _lake(
    "streams/card_activity", description="Spending a customer and hour, from the stream of authorisations.",
    rows=96_000, alias=(WAREHOUSE, "lending.external.card_activity"),
    columns=columns("customer_key string\nhour timestamp\nspent decimal(12,2)\ndeclined int"),
)  # fmt: skip
CARD_ACTIVITY_TABLE: Final = replace(
    CARD_ACTIVITY, namespace=WAREHOUSE, name="lending.external.card_activity", alias=None
)
"""The same data under the name the warehouse has for it: a symlink says so."""

TABLES: Final = tuple(table for table in list(globals().values()) if isinstance(table, Table))
"""All of them, in the order of this page."""
