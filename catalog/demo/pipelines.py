"""What Harbour Bank runs each night: from core banking to the decision, in the order in which it runs."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from catalog.demo import raw
from catalog.demo import world as w
from catalog.demo.dates import MOVED, NEW_COLUMNS, RECONNECTED
from catalog.demo.shapes import Step

AIRFLOW: Final = "harbour-airflow"
DAG: Final = "nightly_lending"

_BEFORE_MOVE: Final = MOVED - timedelta(days=1)

_platform = partial(Step, AIRFLOW, owner="team:data-platform")
_features = partial(Step, AIRFLOW, owner="team:risk-features")
_risk = partial(Step, AIRFLOW, owner="team:credit-risk")

NIGHT: Final = Step(
    AIRFLOW, DAG, "team:data-platform", "From core banking to decisions, every business night.", kind="DAG",
    path="dags/nightly_lending.py",
)  # fmt: skip

EXTRACTION: Final = (
    _platform(
        f"{DAG}.extract_customers",
        description="Copies customers with address and salary out of core banking.",
        reads={"c": raw.CUSTOMERS, "a": raw.ADDRESSES, "e": raw.EMPLOYMENTS},
        writes={raw.LANDED_CUSTOMERS: """
            = c.customer_id c.tax_number c.full_name c.email c.birth_date c.segment
            = a.postcode a.country
            = e.sector e.net_salary
            * <- c.customer_id a.customer_id e.customer_id : join
        """},
    ),
    _platform(
        f"{DAG}.extract_accounts", description="Copies accounts, but for their numbers, out of core banking.",
        reads={"a": raw.ACCOUNTS},
        writes={raw.LANDED_ACCOUNTS: "= a.account_id a.customer_id a.balance a.overdraft"},
    ),
    _platform(
        f"{DAG}.extract_loans", description="Copies loans and what secures them out of core banking.",
        reads={"l": raw.LOANS, "c": raw.COLLATERAL},
        writes={raw.LANDED_LOANS: """
            = l.loan_id l.customer_id l.product l.principal l.rate l.currency l.matures_on
            collateral <- c.value : aggregated sum(value)
            * <- l.loan_id c.loan_id : join
        """},
    ),
    _platform(
        f"{DAG}.extract_payments", description="Copies instalments out of core banking.", reads={"p": raw.PAYMENTS},
        writes={raw.LANDED_PAYMENTS: """
            = p.payment_id p.loan_id p.due_on p.paid_on p.amount
            * <- p.due_on : filter due_on > current_date - 400
        """},
    ),
    _platform(
        f"{DAG}.extract_applications", description="Copies the applications of the day out of core banking.",
        reads={"a": raw.APPLICATIONS},
        writes={raw.LANDED_APPLICATIONS: """
            = a.application_id a.customer_id a.channel a.amount a.declared_income a.open_banking_consent a.received_at
            * <- a.received_at : filter received_at >= current_date - 1
        """},
    ),
    _platform(
        f"{DAG}.fetch_bureau", description="Fetches what the credit bureau laid ready.",
        reads={"b": raw.BUREAU_OUTBOX}, writes={raw.LANDED_BUREAU: ""},
    ),
    _platform(
        f"{DAG}.fetch_rates", description="Fetches the reference rates of the central bank.",
        reads={"r": raw.CENTRAL_BANK_RATES}, writes={raw.LANDED_RATES: ""},
    ),
)  # fmt: skip

STAGE_BUREAU: Final = _platform(
    f"{DAG}.stage_bureau", description="Loads the bureau's scores; the tax number becomes a key.",
    reads={"b": raw.LANDED_BUREAU},
    writes={w.STG_BUREAU: """
        tax_key <- b.tax_number : masked hmac_sha256(tax_number)
        = b.score b.delinquencies b.reported_on
    """},
    sql="""\
INSERT INTO lending.staging.bureau_scores
SELECT hmac_sha256(tax_number, :pepper) AS tax_key, score, delinquencies, reported_on
FROM landing.bureau_scores""",
)  # fmt: skip

STAGING: Final = (
    _platform(
        f"{DAG}.stage_customers",
        description="Pseudonymises customers: from here on nobody reads a name or a tax number.",
        reads={"c": raw.LANDED_CUSTOMERS},
        writes={w.STG_CUSTOMERS: """
            customer_key <- c.customer_id : masked hmac_sha256(customer_id)
            tax_key <- c.tax_number : masked hmac_sha256(tax_number)
            birth_year <- c.birth_date : masked extract(year FROM birth_date)
            region <- c.postcode : masked left(postcode, 2)
            salary_band <- c.net_salary : masked width_bucket(net_salary, 0, 20000, 20)
            = c.country c.segment c.sector
        """},
        sql="""\
CREATE OR REPLACE TABLE lending.staging.customers AS
SELECT hmac_sha256(customer_id, :pepper) AS customer_key,
       hmac_sha256(tax_number, :pepper) AS tax_key,
       extract(year FROM birth_date) AS birth_year,
       left(postcode, 2) AS region, country, segment, sector,
       width_bucket(net_salary, 0, 20000, 20) AS salary_band
FROM landing.customers""",
    ),
    _platform(
        f"{DAG}.stage_accounts", description="Loads accounts under the customer's pseudonym.",
        reads={"a": raw.LANDED_ACCOUNTS},
        writes={w.STG_ACCOUNTS: """
            customer_key <- a.customer_id : masked hmac_sha256(customer_id)
            = a.account_id a.balance a.overdraft
        """},
        sql="""\
CREATE OR REPLACE TABLE lending.staging.accounts AS
SELECT account_id, hmac_sha256(customer_id, :pepper) AS customer_key, balance, overdraft
FROM landing.accounts""",
    ),
    _platform(
        f"{DAG}.stage_loans", description="Loads loans under the customer's pseudonym.",
        reads={"l": raw.LANDED_LOANS},
        writes={w.STG_LOANS: """
            customer_key <- l.customer_id : masked hmac_sha256(customer_id)
            = l.loan_id l.product l.principal l.rate l.currency l.matures_on l.collateral
        """},
        sql="""\
CREATE OR REPLACE TABLE lending.staging.loans AS
SELECT loan_id, hmac_sha256(customer_id, :pepper) AS customer_key,
       product, principal, rate, currency, matures_on, collateral
FROM landing.loans""",
    ),
    _platform(
        f"{DAG}.stage_payments", description="Loads instalments and counts the days they were late.",
        reads={"p": raw.LANDED_PAYMENTS}, minutes=11,
        writes={w.STG_PAYMENTS: """
            = p.payment_id p.loan_id p.due_on p.amount
            days_late <- p.due_on p.paid_on : computed coalesce(paid_on, current_date) - due_on
        """},
        sql="""\
INSERT OVERWRITE INTO lending.staging.payments
SELECT payment_id, loan_id, due_on, coalesce(paid_on, current_date) - due_on AS days_late, amount
FROM landing.payments""",
    ),
    _platform(
        f"{DAG}.stage_applications", description="Loads applications under the customer's pseudonym.",
        reads={"a": raw.LANDED_APPLICATIONS},
        writes={w.STG_APPLICATIONS: """
            customer_key <- a.customer_id : masked hmac_sha256(customer_id)
            = a.application_id a.channel a.amount a.declared_income a.open_banking_consent a.received_at
        """},
        sql="""\
INSERT INTO lending.staging.applications
SELECT * EXCLUDE customer_id, hmac_sha256(customer_id, :pepper) AS customer_key
FROM landing.applications""",
    ),
    STAGE_BUREAU,
    _platform(
        f"{DAG}.stage_rates", description="Loads exchange rates.", reads={"r": raw.LANDED_RATES},
        writes={w.STG_RATES: "= r.currency r.quoted_on r.rate"},
        sql="INSERT INTO lending.staging.rates\nSELECT currency, quoted_on, rate FROM landing.rates",
    ),
)  # fmt: skip

FEATURES: Final = (
    _features(
        f"{DAG}.build_customer_profile", description="Who the customer is, as far as a model may know.",
        reads={"c": w.STG_CUSTOMERS},
        writes={w.PROFILE: """
            = c.customer_key c.region c.sector c.salary_band
            age_band <- c.birth_year : computed (extract(year FROM current_date) - birth_year) / 10
        """},
        sql="""\
CREATE OR REPLACE TABLE lending.features.customer_profile AS
SELECT customer_key, (extract(year FROM current_date) - birth_year) / 10 AS age_band, region, sector, salary_band
FROM lending.staging.customers""",
    ),
    _features(
        f"{DAG}.build_payment_behaviour", description="How punctually the customer pays.",
        reads={"l": w.STG_LOANS, "p": w.STG_PAYMENTS}, minutes=9,
        writes={w.BEHAVIOUR: """
            = l.customer_key
            max_days_late <- p.days_late : aggregated max(days_late)
            late_share <- p.days_late : aggregated avg(CASE WHEN days_late > 5 THEN 1 ELSE 0 END)
            paid <- p.amount : aggregated sum(amount)
            * <- l.loan_id p.loan_id : join
            * <- l.customer_key : group
        """},
        sql="""\
CREATE OR REPLACE TABLE lending.features.payment_behaviour AS
SELECT l.customer_key, max(p.days_late) AS max_days_late,
       avg(CASE WHEN p.days_late > 5 THEN 1 ELSE 0 END) AS late_share, sum(p.amount) AS paid
FROM lending.staging.loans l JOIN lending.staging.payments p USING (loan_id)
GROUP BY l.customer_key""",
    ),
    _features(
        f"{DAG}.build_affordability", description="What the customer can pay back.",
        reads={"c": w.STG_CUSTOMERS, "a": w.STG_ACCOUNTS, "l": w.STG_LOANS, "r": w.STG_RATES},
        writes={w.AFFORDABILITY: """
            = c.customer_key
            liquidity <- a.balance a.overdraft : aggregated sum(balance + overdraft)
            debt <- l.principal r.rate : aggregated sum(principal / r.rate)
            debt_to_income <- l.principal r.rate c.salary_band : computed debt / income
            * <- a.customer_key l.customer_key c.customer_key l.currency r.currency : join
        """},
        sql="""\
CREATE OR REPLACE TABLE lending.features.affordability AS
SELECT c.customer_key, sum(a.balance + a.overdraft) AS liquidity, sum(l.principal / r.rate) AS debt,
       sum(l.principal / r.rate) / (12000 * c.salary_band) AS debt_to_income
FROM lending.staging.customers c
LEFT JOIN lending.staging.accounts a USING (customer_key)
LEFT JOIN lending.staging.loans l USING (customer_key)
LEFT JOIN lending.staging.rates r USING (currency)
GROUP BY c.customer_key, c.salary_band""",
    ),
    _features(
        f"{DAG}.build_bureau_history", description="What others say of the customer.",
        reads={"c": w.STG_CUSTOMERS, "b": w.STG_BUREAU},
        writes={w.BUREAU_HISTORY: """
            = c.customer_key b.delinquencies
            bureau_score <- b.score
            * <- c.tax_key b.tax_key : join
        """},
        sql="""\
CREATE OR REPLACE TABLE lending.features.bureau_history AS
SELECT c.customer_key, b.score AS bureau_score, b.delinquencies
FROM lending.staging.customers c JOIN lending.staging.bureau_scores b USING (tax_key)""",
    ),
    _features(
        f"{DAG}.build_card_spend", description="Adds up card spending from the stream's hours.",
        # By the name the warehouse has for it: the stream writes the same data under a path.
        reads={"s": raw.CARD_ACTIVITY_TABLE},
        writes={w.CARD_SPEND: """
            = s.customer_key
            spent_30d <- s.spent : aggregated sum(spent) over 30 days
            spent_90d <- s.spent : aggregated sum(spent) over 90 days
            declined_30d <- s.declined : aggregated sum(declined) over 30 days
            * <- s.hour : filter
        """},
        sql="""\
CREATE OR REPLACE TABLE lending.features.card_spend AS
SELECT customer_key, sum(CASE WHEN hour > current_date - 30 THEN spent END) AS spent_30d, sum(spent) AS spent_90d,
       sum(CASE WHEN hour > current_date - 30 THEN declined END) AS declined_30d
FROM lending.external.card_activity WHERE hour > current_date - 90
GROUP BY customer_key""",
    ),
    _features(
        f"{DAG}.build_applicant", description="Puts the scorecard's features together.",
        reads={"a": w.STG_APPLICATIONS, "p": w.PROFILE, "b": w.BEHAVIOUR, "f": w.AFFORDABILITY, "h": w.BUREAU_HISTORY},
        writes={w.APPLICANT: """
            = a.application_id a.customer_key p.age_band p.region b.max_days_late f.debt_to_income h.bureau_score
            * <- a.customer_key p.customer_key b.customer_key f.customer_key h.customer_key : join
        """},
        sql="""\
CREATE OR REPLACE TABLE lending.features.applicant AS
SELECT a.application_id, customer_key, p.age_band, p.region, b.max_days_late, f.debt_to_income, h.bureau_score
FROM lending.staging.applications a
JOIN lending.features.customer_profile p USING (customer_key)
LEFT JOIN lending.features.payment_behaviour b USING (customer_key)
LEFT JOIN lending.features.affordability f USING (customer_key)
LEFT JOIN lending.features.bureau_history h USING (customer_key)""",
        until=RECONNECTED - timedelta(days=1),
    ),
    _features(
        f"{DAG}.build_applicant_v2",
        description="Puts the scorecard's features together: region may stand for origin and is left out.",
        reads={
            "a": w.STG_APPLICATIONS, "p": w.PROFILE, "b": w.BEHAVIOUR, "f": w.AFFORDABILITY, "h": w.BUREAU_HISTORY,
            "s": w.CARD_SPEND,
        },
        writes={w.APPLICANT_V2: """
            = a.application_id a.customer_key p.age_band b.max_days_late b.late_share f.debt_to_income h.bureau_score
            = s.spent_90d
            * <- a.customer_key p.customer_key b.customer_key f.customer_key h.customer_key s.customer_key : join
        """},
        sql="""\
CREATE OR REPLACE TABLE lending.features.applicant_v2 AS
SELECT a.application_id, customer_key, p.age_band, b.max_days_late, b.late_share, f.debt_to_income, h.bureau_score,
       s.spent_90d
FROM lending.staging.applications a
JOIN lending.features.customer_profile p USING (customer_key)
LEFT JOIN lending.features.payment_behaviour b USING (customer_key)
LEFT JOIN lending.features.affordability f USING (customer_key)
LEFT JOIN lending.features.bureau_history h USING (customer_key)
LEFT JOIN lending.features.card_spend s USING (customer_key)""",
        since=NEW_COLUMNS,
    ),
)  # fmt: skip

CHECK: Final = _features(
    f"{DAG}.check_features", description="Refuses to be silent about features that look wrong.",
    reads={"f": w.AFFORDABILITY, "b": w.BEHAVIOUR}, minutes=1,
)  # fmt: skip

_SCORED: Final = "Gives every application its probability of default, and the reasons."

DECIDING: Final = (
    _risk(
        f"{DAG}.score_applications", description=_SCORED, reads={"f": w.APPLICANT, "m": w.CREDIT_RISK},
        writes={w.SCORES: "", w.REASONS: ""}, until=_BEFORE_MOVE, path="scoring/score.py",
    ),
    _risk(
        f"{DAG}.score_applications", description=_SCORED, reads={"f": w.APPLICANT_V2, "m": w.CREDIT_RISK},
        writes={w.SCORES: "", w.REASONS: ""}, since=MOVED, path="scoring/score.py",
    ),
    _risk(
        f"{DAG}.decide_applications", description="Applies the credit policy to the scores.",
        reads={"s": w.SCORES, "r": w.REASONS, "a": w.STG_APPLICATIONS, "p": w.POLICY},
        writes={w.DECISIONS: """
            = s.application_id p.rule_id
            outcome <- s.probability p.max_probability : computed CASE WHEN probability <= max_probability THEN ...
            reason_codes <- r.feature : aggregated array_agg(feature)
            * <- s.application_id a.application_id r.application_id : join
            * <- p.product : filter
        """},
        sql="""\
INSERT INTO lending.decisions.decisions
SELECT s.application_id,
       CASE WHEN s.probability <= p.max_probability THEN 'granted'
            WHEN a.amount > 50000 THEN 'manual' ELSE 'refused' END AS outcome,
       p.rule_id, array_agg(r.feature) AS reason_codes, current_timestamp AS decided_at
FROM lending.scoring.scores s
JOIN lending.staging.applications a USING (application_id)
JOIN lending.scoring.reasons r USING (application_id)
JOIN lending.decisions.policy_rules p ON p.valid_from <= current_date
GROUP BY ALL""",
    ),
    Step(
        AIRFLOW, f"{DAG}.write_letters", "team:customer-letters", "Tells those who were refused, and why.",
        # The letter needs a readable name and address: it goes back to core banking for them.
        reads={"d": w.DECISIONS, "l": raw.APPLICATIONS, "c": raw.CUSTOMERS, "a": raw.ADDRESSES},
        writes={w.LETTERS: """
            = d.application_id c.full_name a.street
            reasons <- d.reason_codes : computed in plain words
            * <- d.outcome : filter outcome = 'refused'
            * <- l.application_id l.customer_id c.customer_id a.customer_id : join
        """},
        path="letters/adverse_action.py",
    ),
    _risk(
        f"{DAG}.monitor_drift", description="Compares the day's scores with those of the holdout set.",
        reads={"s": w.SCORES, "h": w.HOLDOUT_SET}, writes={w.DRIFT: ""}, path="monitoring/drift.py",
    ),
)  # fmt: skip

NIGHTLY: Final = (*EXTRACTION, *STAGING, *FEATURES, CHECK, *DECIDING)
"""The tasks of a night, in the order in which they are done."""
