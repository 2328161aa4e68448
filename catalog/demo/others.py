"""What Harbour Bank does besides its nights: trainings, closings, a stream, and what is only declared."""

from __future__ import annotations

from functools import partial
from typing import Final

from catalog.demo import raw
from catalog.demo import world as w
from catalog.demo.dates import FIRST, NEW_VIEW, RECONNECTED
from catalog.demo.pipelines import AIRFLOW, STAGE_BUREAU
from catalog.demo.shapes import Step

FLINK: Final = "harbour-flink"
KUBEFLOW: Final = "harbour-kubeflow"

_training = partial(Step, KUBEFLOW, owner="team:credit-risk", integration="KUBEFLOW")
_closing = partial(Step, AIRFLOW, owner="team:regulatory-reporting")

TRAINING: Final = _training(
    "weekly_training", description="Trains the credit risk model anew, every Sunday.", kind="DAG",
    path="training/pipeline.py",
)  # fmt: skip

TRAIN: Final = _training(
    "weekly_training.train", description="Fits the trees.", reads={"t": w.TRAINING_SET}, writes={w.CREDIT_RISK: ""},
    path="training/train.py", minutes=95,
)  # fmt: skip

WEEKLY: Final = (
    _training(
        "weekly_training.observe_outcomes", description="Which loans went bad.",
        reads={"l": w.STG_LOANS, "p": w.STG_PAYMENTS},
        writes={w.OUTCOMES: """
            = l.loan_id l.customer_key
            observed_on <- p.due_on : aggregated max(due_on)
            defaulted <- p.days_late : aggregated bool_or(days_late > 90)
            * <- l.loan_id p.loan_id : join
        """},
        sql="""\
CREATE OR REPLACE TABLE lending.training.loan_outcomes AS
SELECT l.loan_id, l.customer_key, max(p.due_on) AS observed_on, bool_or(p.days_late > 90) AS defaulted
FROM lending.staging.loans l JOIN lending.staging.payments p USING (loan_id)
GROUP BY l.loan_id, l.customer_key""",
    ),
    _training(
        "weekly_training.split", description="Joins outcomes with features, and lays a fifth aside.",
        reads={"o": w.OUTCOMES, "b": w.BEHAVIOUR, "f": w.AFFORDABILITY, "h": w.BUREAU_HISTORY},
        writes=dict.fromkeys((w.TRAINING_SET, w.HOLDOUT_SET), """
            = o.customer_key o.defaulted b.max_days_late f.debt_to_income h.bureau_score
            * <- o.customer_key b.customer_key f.customer_key h.customer_key : join
            * <- o.loan_id : filter hash(loan_id) % 5
        """),
        path="training/split.py",
    ),
    TRAIN,
    _training(
        "weekly_training.validate", description="Measures the new version on loans it has never seen.",
        reads={"m": w.CREDIT_RISK, "h": w.HOLDOUT_SET}, writes={w.VALIDATION: ""}, path="training/validate.py",
    ),
)  # fmt: skip

CLOSING: Final = _closing(
    "monthly_closing", description="From the books to the supervisor, on the first business day of a month.",
    kind="DAG", path="dags/monthly_closing.py",
)  # fmt: skip

CLOSE_THE_BOOKS: Final = _closing(
    "monthly_closing.close_the_books",
    description="One program that writes three tables. Each comes from other inputs, which only it knows.",
    reads={"l": w.STG_LOANS, "p": w.STG_PAYMENTS, "r": w.STG_RATES, "g": w.STG_LEDGER},
    writes={
        w.EXPOSURES: """
            = l.product
            exposure_eur <- l.principal r.rate : aggregated sum(principal / rate)
            * <- l.currency r.currency : join
        """,
        w.ARREARS: """
            = l.product
            bucket <- p.days_late : computed width_bucket(days_late, 0, 360, 12)
            overdue <- p.amount : aggregated sum(amount)
            * <- l.loan_id p.loan_id : join
        """,
        w.RECONCILIATION: """
            = g.account g.month
            difference <- g.amount l.principal : aggregated sum(amount) - sum(principal)
        """,
    },
    path="closing/close_the_books.py", exact=True, minutes=22,
)  # fmt: skip

MONTHLY: Final = (
    _closing(
        "monthly_closing.extract_ledger", description="Copies the ledger out of core banking.", reads={"g": raw.LEDGER},
        writes={raw.LANDED_LEDGER: "= g.entry_id g.account g.amount g.currency g.booked_on"},
    ),
    _closing(
        "monthly_closing.stage_ledger", description="Adds the ledger up by account.", reads={"g": raw.LANDED_LEDGER},
        writes={w.STG_LEDGER: """
            = g.account g.currency
            month <- g.booked_on : computed date_trunc('month', booked_on)
            amount <- g.amount : aggregated sum(amount)
        """},
        sql="""\
INSERT INTO lending.staging.ledger
SELECT account, currency, date_trunc('month', booked_on) AS month, sum(amount) AS amount
FROM landing.ledger GROUP BY 1, 2, 3""",
    ),
    CLOSE_THE_BOOKS,
    _closing(
        "monthly_closing.find_large_exposures", description="What is over a tenth of the capital.",
        reads={"e": w.EXPOSURES},
        writes={w.LARGE_EXPOSURES: """
            = e.product e.month e.exposure_eur
            share_of_capital <- e.exposure_eur : computed exposure_eur / :capital
            * <- e.exposure_eur : filter exposure_eur > :capital / 10
        """},
        sql="""\
CREATE OR REPLACE TABLE lending.reporting.large_exposures AS
SELECT product, month, exposure_eur, exposure_eur / :capital AS share_of_capital
FROM lending.reporting.exposures WHERE exposure_eur > :capital / 10""",
    ),
    _closing(
        "monthly_closing.build_corep", description="Fills in the credit risk return.",
        reads={
            "e": w.EXPOSURES, "a": w.ARREARS, "x": w.LARGE_EXPOSURES, "r": w.RECONCILIATION, "v": w.ACTIVE_LOANS,
            "d": w.DECISIONS,
        },
        writes={w.COREP: ""}, path="closing/corep.py",
    ),
    _closing(
        "monthly_closing.submit_corep", description="Sends the return to the supervisor.", reads={"c": w.COREP},
        writes={w.SUBMISSION: ""}, path="closing/submit.py",
    ),
)  # fmt: skip

CARD_STREAM: Final = Step(
    FLINK, "card_activity", "team:cards", "Adds card authorisations up by customer and hour, without end.",
    reads={"a": raw.AUTHORISATIONS},
    writes={raw.CARD_ACTIVITY: """
        customer_key <- a.customer_id : masked hmac_sha256(customer_id)
        hour <- a.at : computed tumble(at, 1 hour)
        spent <- a.amount : aggregated sum(amount)
        declined <- a.at : aggregated count(*)
    """},
    kind="JOB", integration="FLINK", processing="STREAMING", path="streams/card_activity.py",
)  # fmt: skip

STAGE_CORRECTIONS: Final = Step(
    STAGE_BUREAU.namespace, STAGE_BUREAU.name, STAGE_BUREAU.owner, STAGE_BUREAU.description,
    reads={"b": raw.LANDED_BUREAU, "c": raw.BUREAU_CORRECTIONS},
    writes={w.STG_BUREAU: """
        tax_key <- b.tax_number c.tax_number : masked hmac_sha256(tax_number)
        = b.delinquencies b.reported_on
        score <- b.score c.score : computed coalesce(c.score, b.score)
    """},
    sql="""\
INSERT INTO lending.staging.bureau_scores
SELECT hmac_sha256(tax_number, :pepper) AS tax_key, coalesce(c.score, b.score) AS score, delinquencies, reported_on
FROM landing.bureau_scores b LEFT JOIN landing.bureau_corrections c USING (tax_number)""",
)  # fmt: skip
"""What `stage_bureau` did in the one night in which the bureau had corrections."""

RETIRE: Final = Step(
    AIRFLOW, "retire_applicant", "team:risk-features", "Drops the old feature table.", kind="COMMAND",
    sql="DROP TABLE lending.features.applicant", since=RECONNECTED,
)  # fmt: skip

DECLARED: Final = (
    Step(
        AIRFLOW, "yearly_stress_test", "team:credit-risk", "What a recession would cost. Known from its code alone.",
        reads={"e": w.EXPOSURES, "a": w.ARREARS, "m": w.CREDIT_RISK}, writes={w.STRESS_TEST: ""},
        path="stress/recession.py",
    ),
    Step(
        AIRFLOW, "subject_access", "team:privacy", "Collects all we know of one person, when that person asks.",
        reads={"c": raw.CUSTOMERS, "a": raw.ADDRESSES, "e": raw.EMPLOYMENTS, "d": w.DECISIONS},
        writes={w.SUBJECT_ACCESS: ""}, path="privacy/subject_access.py",
    ),
)  # fmt: skip
"""Jobs that nobody has seen run in these weeks."""

# Views have no job: a dataset event says what they are made from. The steps only lend them their words.

ACTIVE_LOANS_VIEW: Final = Step(
    "", "", "", "", reads={"l": w.STG_LOANS, "p": w.STG_PAYMENTS}, since=FIRST,
    writes={w.ACTIVE_LOANS: """
        = l.loan_id l.product
        outstanding <- l.principal p.amount : aggregated principal - sum(amount)
        * <- l.loan_id p.loan_id : join
    """},
)  # fmt: skip
ACTIVE_LOANS_VIEW_WITH_COLLATERAL: Final = Step(
    "", "", "", "", reads={"l": w.STG_LOANS, "p": w.STG_PAYMENTS, "r": w.STG_RATES}, since=NEW_VIEW,
    writes={w.ACTIVE_LOANS: """
        = l.loan_id l.product
        outstanding <- l.principal p.amount r.rate : aggregated (principal - sum(amount)) / rate
        collateral <- l.collateral r.rate : computed collateral / rate
        * <- l.loan_id p.loan_id l.currency r.currency : join
    """},
)  # fmt: skip
REFUSALS_VIEW: Final = Step(
    "", "", "", "", reads={"d": w.DECISIONS, "a": w.STG_APPLICATIONS, "p": w.PROFILE}, since=FIRST,
    writes={w.REFUSALS: """
        region <- p.region
        reason <- d.reason_codes : computed unnest(reason_codes)
        refused <- d.outcome : aggregated count(*)
        * <- d.application_id a.application_id a.customer_key p.customer_key : join
    """},
)  # fmt: skip
