"""Harbour Bank's warehouse, models and reports: what is made from what `raw` has, and without readable names."""

from __future__ import annotations

from functools import partial
from typing import Final

from catalog.demo import raw
from catalog.demo.raw import WAREHOUSE
from catalog.demo.shapes import Table, columns

MODELS: Final = "mlflow://models.harbour.example"
REPORTS: Final = "s3://harbour-reports"

_staging = partial(Table, WAREHOUSE, owner="team:data-platform")
_features = partial(Table, WAREHOUSE, owner="team:risk-features")
_risk = partial(Table, WAREHOUSE, owner="team:credit-risk")
_finance = partial(Table, WAREHOUSE, owner="team:regulatory-reporting")

# Staging: clean, typed, and without readable personal data.

STG_CUSTOMERS: Final = _staging(
    "lending.staging.customers", description="Customers under a pseudonym.", rows=184_200,
    columns=columns("""
        customer_key  varchar(64)
        tax_key       varchar(64)
        birth_year    int
        region        varchar(2)
        country       char(2)
        segment       varchar(16)
        sector        varchar(8)
        salary_band   int
    """),
)  # fmt: skip
STG_ACCOUNTS: Final = _staging(
    "lending.staging.accounts", description="Accounts of pseudonymous customers.", rows=302_700,
    columns=columns("account_id bigint\ncustomer_key varchar(64)\nbalance numeric(14,2)\noverdraft numeric(14,2)"),
)  # fmt: skip
STG_LOANS: Final = _staging(
    "lending.staging.loans", description="Loans of pseudonymous customers, one row a loan.", rows=41_300,
    columns=columns("""
        loan_id       bigint
        customer_key  varchar(64)
        product       varchar(24)
        principal     numeric(14,2)
        rate          numeric(6,4)
        currency      char(3)
        matures_on    date
        collateral    numeric(14,2)
    """),
)  # fmt: skip
STG_PAYMENTS: Final = _staging(
    "lending.staging.payments", description="Instalments with the days they were late.", rows=988_000,
    columns=columns("payment_id bigint\nloan_id bigint\ndue_on date\ndays_late int\namount numeric(12,2)"),
)  # fmt: skip
STG_APPLICATIONS: Final = _staging(
    "lending.staging.applications", description="Applications of pseudonymous customers.", rows=640,
    columns=columns("""
        application_id        bigint
        customer_key          varchar(64)
        channel               varchar(12)
        amount                numeric(12,2)
        declared_income       numeric(10,2)  until=2026-10-11
        declared_income       numeric(14,2)  since=2026-10-12
        open_banking_consent  boolean        since=2026-10-12
        received_at           timestamp_tz
    """),
)  # fmt: skip
STG_LEDGER: Final = _staging(
    "lending.staging.ledger", description="The ledger by account and currency.", rows=18_600,
    columns=columns("account varchar(12)\ncurrency char(3)\nmonth date\namount numeric(18,2)"),
)  # fmt: skip
STG_BUREAU: Final = _staging(
    "lending.staging.bureau_scores", description="The bureau's scores, by the key of the tax number.", rows=640,
    columns=columns("tax_key varchar(64)\nscore int\ndelinquencies int\nreported_on date"),
)  # fmt: skip
STG_RATES: Final = _staging(
    "lending.staging.rates", description="Exchange rates, one row a currency and day.", rows=31,
    columns=columns("currency char(3)\nquoted_on date\nrate numeric(12,6)"),
)  # fmt: skip

# Features: what models are allowed to see.

PROFILE: Final = _features(
    "lending.features.customer_profile", description="Who the customer is, as far as a model may know.", rows=184_200,
    columns=columns("customer_key varchar(64)\nage_band int\nregion varchar(2)\nsector varchar(8)\nsalary_band int"),
)  # fmt: skip
BEHAVIOUR: Final = _features(
    "lending.features.payment_behaviour", description="How punctually the customer pays.", rows=38_900,
    columns=columns("customer_key varchar(64)\nmax_days_late int\nlate_share numeric(5,4)\npaid numeric(14,2)"),
)  # fmt: skip
AFFORDABILITY: Final = _features(
    "lending.features.affordability", description="What the customer can pay back.", rows=184_200,
    columns=columns("customer_key varchar(64)\nliquidity numeric(14,2)\ndebt numeric(14,2)\n"
                    "debt_to_income numeric(8,4)"),
)  # fmt: skip
BUREAU_HISTORY: Final = _features(
    "lending.features.bureau_history", description="What others say of the customer.", rows=22_100,
    columns=columns("customer_key varchar(64)\nbureau_score int\ndelinquencies int"),
)  # fmt: skip
CARD_SPEND: Final = _features(
    "lending.features.card_spend", description="Card spending over 30 and 90 days.", rows=96_000,
    columns=columns("customer_key varchar(64)\nspent_30d numeric(12,2)\nspent_90d numeric(12,2)\ndeclined_30d int"),
)  # fmt: skip
APPLICANT: Final = _features(
    "lending.features.applicant", description="One row an application, for the scorecard. Replaced by applicant_v2.",
    rows=640,
    columns=columns("""
        application_id  bigint
        customer_key    varchar(64)
        age_band        int
        region          varchar(2)
        max_days_late   int
        debt_to_income  numeric(8,4)
        bureau_score    int
    """),
)  # fmt: skip
APPLICANT_V2: Final = _features(
    "lending.features.applicant_v2", description="One row an application: without region, with card spending.",
    rows=640,
    columns=columns("""
        application_id  bigint
        customer_key    varchar(64)
        age_band        int
        max_days_late   int
        late_share      numeric(5,4)
        debt_to_income  numeric(8,4)
        bureau_score    int
        spent_90d       numeric(12,2)
    """),
)  # fmt: skip

# The model and what it leads to.

OUTCOMES: Final = _risk(
    "lending.training.loan_outcomes", description="Which loans went bad within 18 months.", rows=36_000,
    columns=columns("loan_id bigint\ncustomer_key varchar(64)\nobserved_on date\ndefaulted boolean"),
)  # fmt: skip
TRAINING_SET: Final = _risk(
    "lending.training.train", description="Four fifths of the loans with known outcome.", rows=28_800,
    columns=columns("customer_key varchar(64)\nmax_days_late int\ndebt_to_income numeric(8,4)\nbureau_score int\n"
                    "defaulted boolean"),
)  # fmt: skip
HOLDOUT_SET: Final = _risk(
    "lending.training.holdout", description="The last fifth, which no training may see.", rows=7_200,
    columns=TRAINING_SET.columns,
)  # fmt: skip
CREDIT_RISK: Final = Table(
    MODELS, "credit_risk", "team:credit-risk", "The probability of default within 18 months: gradient boosted trees.",
    kind="MODEL", rows=1,
)  # fmt: skip
VALIDATION: Final = _risk(
    "lending.training.validation", description="How well each version of the model separates.", rows=9,
    columns=columns("model_version int\ngini numeric(6,4)\nks numeric(6,4)\nbrier numeric(6,4)"),
)  # fmt: skip
SCORES: Final = _risk(
    "lending.scoring.scores", description="The probability of default of every application.", rows=640,
    columns=columns("application_id bigint\nmodel_version int\nprobability numeric(8,6)\nscored_at timestamp_tz"),
)  # fmt: skip
REASONS: Final = _risk(
    "lending.scoring.reasons", description="The four features that weighed most, by application.", rows=2_560,
    columns=columns("application_id bigint\nrank int\nfeature varchar(40)\ncontribution numeric(8,6)"),
)  # fmt: skip
DRIFT: Final = _risk(
    "lending.scoring.drift", description="How far scores of the day are from those the model was trained on.", rows=60,
    columns=columns("scored_on date\nstability_index numeric(6,4)"),
)  # fmt: skip
POLICY: Final = _risk(
    "lending.decisions.policy_rules", description="Cut-offs and exclusions, as the risk committee set them.", rows=42,
    columns=columns("rule_id int\nproduct varchar(24)\nmax_probability numeric(8,6)\nvalid_from date"),
)  # fmt: skip
DECISIONS: Final = _risk(
    "lending.decisions.decisions", description="Granted, refused, or for a person to decide; and why.", rows=640,
    columns=columns("""
        application_id  bigint
        outcome         varchar(12)
        rule_id         int
        reason_codes    array
        decided_at      timestamp_tz
    """),
)  # fmt: skip
LETTERS: Final = Table(
    REPORTS, "letters/adverse_action", "team:customer-letters", "Letters to those who were refused, with the reasons.",
    kind="FILE", rows=210,
    columns=columns("application_id bigint\nfull_name string pii\nstreet string pii\nreasons string"),
)  # fmt: skip

# Reporting.

ACTIVE_LOANS: Final = _finance(
    "lending.reporting.active_loans", description="A view: loans that are not repaid.", kind="VIEW", rows=38_200,
    columns=columns("""
        loan_id       bigint
        product       varchar(24)
        outstanding   numeric(14,2)
        collateral    numeric(14,2)  since=2026-11-05
    """),
)  # fmt: skip
REFUSALS: Final = _finance(
    "lending.reporting.refusals", description="A view: who was refused, by region, for the fairness committee.",
    kind="VIEW", rows=180, columns=columns("region varchar(2)\nreason varchar(40)\nrefused int"),
)  # fmt: skip
EXPOSURES: Final = _finance(
    "lending.reporting.exposures", description="What is at risk, in euro, by product.", rows=1_900,
    columns=columns("product varchar(24)\nmonth date\nexposure_eur numeric(18,2)"),
)  # fmt: skip
ARREARS: Final = _finance(
    "lending.reporting.arrears", description="What is overdue, by product and days.", rows=760,
    columns=columns("product varchar(24)\nmonth date\nbucket varchar(8)\noverdue numeric(18,2)"),
)  # fmt: skip
RECONCILIATION: Final = _finance(
    "lending.reporting.reconciliation", description="Where loans and ledger differ.", rows=12,
    columns=columns("account varchar(12)\nmonth date\ndifference numeric(18,2)"),
)  # fmt: skip
LARGE_EXPOSURES: Final = _finance(
    "lending.reporting.large_exposures", description="Exposures over a tenth of the capital.", rows=9,
    columns=columns("product varchar(24)\nmonth date\nexposure_eur numeric(18,2)\nshare_of_capital numeric(6,4)"),
)  # fmt: skip
COREP: Final = Table(
    REPORTS, "corep/credit_risk.xbrl", "team:regulatory-reporting", "The credit risk return to the supervisor.",
    kind="FILE", rows=1,
)  # fmt: skip
SUBMISSION: Final = Table(
    REPORTS, "corep/submissions", "team:regulatory-reporting", "The supervisor's receipts.", kind="FILE", rows=1
)
STRESS_TEST: Final = Table(
    REPORTS, "icaap/stress_test.pdf", "team:credit-risk", "What a recession would cost.", kind="FILE", rows=1
)
SUBJECT_ACCESS: Final = Table(
    REPORTS, "privacy/subject_access.zip", "team:privacy", "All we know of one person, on that person's request.",
    kind="FILE", rows=1,
)  # fmt: skip

TABLES: Final = (*raw.TABLES, *(table for table in list(globals().values()) if isinstance(table, Table)))
"""Everything the bank has, in the order of the pages."""
