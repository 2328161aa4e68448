"""What happened at Harbour Bank in sixty days, as the events that its schedulers and catalogs sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from openlineage.client.event_v2 import DatasetEvent, InputDataset, JobEvent, OutputDataset, RunEvent
from openlineage.client.event_v2 import RunState as State
from openlineage.client.facet_v2 import RunFacet
from openlineage.client.uuid import generate_static_uuid

from catalog.demo import dates, facets, others, pipelines
from catalog.demo import world as w
from catalog.demo.shapes import Step, Table

_PAUSE: Final = timedelta(seconds=40)

OVERFLOW: Final = "Numeric value '104250000000.00' is out of range for NUMERIC(12,2) in column AMOUNT"
TRACE: Final = f"""\
Traceback (most recent call last):
  File "/opt/airflow/task_runner.py", line 918, in run
    result = task.execute(context=context)
  File "/opt/pipelines/operators/warehouse.py", line 57, in execute
    cursor.execute(self.sql, self.parameters)
snowflake.connector.errors.ProgrammingError: 100039 (22003): {OVERFLOW}"""


class Sent(NamedTuple):
    """An event, and when its sender got through."""

    at: datetime
    event: RunEvent | JobEvent | DatasetEvent


def sent() -> list[Sent]:
    """The whole story, in the order in which it was sent."""
    told: list[Sent] = list(_described())
    for day in dates.days():
        told += _stream(day)
        if dates.is_training_day(day):
            told += _dag(others.TRAINING, others.WEEKLY, dates.moment(day, 5), _before(dates.moment(day, 5), 7))
        if dates.is_business_day(day):
            told += _night(day)
        if dates.is_closing_day(day):
            told += _dag(others.CLOSING, others.MONTHLY, dates.moment(day, 6), _before(dates.moment(day, 6), 30))
        if day == dates.RECONNECTED:
            told += _retired(day)
        if day == dates.NEW_VIEW:
            told.append(_view(others.ACTIVE_LOANS_VIEW_WITH_COLLATERAL, w.ACTIVE_LOANS, dates.moment(day, 10, 20)))
    # Stable: what was sent at the same moment stays in the order in which it is told.
    return sorted(told, key=lambda one: one.at)


@dataclass(frozen=True, slots=True)
class _Doing:
    """A run. `stands_for` is the time it is for, `part_of` the DAG and the run it belongs to."""

    step: Step
    start: datetime
    stands_for: dict[str, RunFacet] = field(default_factory=dict)
    part_of: tuple[Step, str] | None = None

    @property
    def run_id(self) -> str:
        """The same in every telling: from the moment and the job."""
        return str(generate_static_uuid(self.start, f"{self.step.namespace}/{self.step.name}".encode()))

    @property
    def day(self) -> date:
        return self.start.date()

    def event(
        self,
        state: State,
        at: datetime,
        inputs: Sequence[InputDataset] = (),
        outputs: Sequence[OutputDataset] = (),
        said: dict[str, RunFacet] | None = None,
    ) -> Sent:
        """That the run has come to this state; `said` is what only this event knows of the run."""
        about = facets.engine(self.step.integration) | self.stands_for | (said or {})
        if self.part_of:
            about |= facets.part_of(*self.part_of)
        exact = state is State.COMPLETE and self.step.exact
        more = [("lineage", facets.exact_lineage(self.step, self.day))] if exact else []
        event = RunEvent(
            eventType=state, eventTime=at.isoformat(), run=facets.run(self.run_id, about),
            job=facets.job(self.step, self.day, *more), inputs=list(inputs), outputs=list(outputs),
            producer=facets.PRODUCER,
        )  # fmt: skip
        return Sent(at, event)

    def begun(self) -> Sent:
        return self.event(State.START, self.start)

    def done(self, at: datetime) -> Sent:
        """That the run ended well, with all it read and wrote."""
        inputs = [facets.read(table, self.day) for table in self.step.reads.values()]
        if self.step is pipelines.CHECK:
            inputs = [_checked(table, self.day) for table in self.step.reads.values()]
        outputs = [facets.written(self.step, table, self.day) for table in self.step.writes]
        return self.event(State.COMPLETE, at, inputs, outputs)


def _before(end: datetime, days: int) -> dict[str, RunFacet]:
    """So many days up to then, as the time that a run is for."""
    return facets.nominal(end - timedelta(days), end)


def _dag(dag: Step, tasks: Sequence[Step], start: datetime, stands_for: dict[str, RunFacet]) -> Iterator[Sent]:
    """A DAG and its tasks, one after another, all of which end well."""
    whole = _Doing(dag, start, stands_for)
    yield whole.begun()
    at = start + _PAUSE
    for task in tasks:
        one = _Doing(task, at, whole.stands_for, (dag, whole.run_id))
        at += _lasting(one)
        yield one.begun()
        yield one.done(at)
        at += _PAUSE
    yield whole.event(State.COMPLETE, at)


def _night(day: date) -> Iterator[Sent]:
    tasks = [task for task in pipelines.NIGHTLY if task.is_run(day)]
    start = dates.moment(day, 1)
    stands_for = _before(start, 1)
    if day == dates.FAILED:
        (at,) = (number for number, task in enumerate(tasks) if task.name.endswith("stage_payments"))
        yield from _failed_night(tasks[:at], tasks[at], start)
        yield from _dag(pipelines.NIGHT, tasks[at:], dates.moment(day, 7, 30), stands_for)
        return
    if day != dates.CUT_OFF:
        yield from _dag(pipelines.NIGHT, tasks, start, stands_for)
        return
    corrected = [others.STAGE_CORRECTIONS if task is pipelines.STAGE_BUREAU else task for task in tasks]
    for one in _dag(pipelines.NIGHT, corrected, start, stands_for):
        event = one.event
        lost = isinstance(event, RunEvent) and event.job.name == pipelines.STAGE_BUREAU.name and event.outputs
        yield one._replace(at=dates.moment(dates.RECONNECTED, 8, 12)) if lost else one


def _failed_night(done: Sequence[Step], failing: Step, start: datetime) -> Iterator[Sent]:
    """Some tasks end well, one fails, the rest are not begun, and the DAG fails with it."""
    stands_for = _before(start, 1)
    *told, _ = _dag(pipelines.NIGHT, done, start, stands_for)
    yield from told
    whole = _Doing(pipelines.NIGHT, start, stands_for)
    one = _Doing(failing, told[-1].at + _PAUSE, whole.stands_for, (pipelines.NIGHT, whole.run_id))
    end = one.start + timedelta(minutes=3)
    yield one.begun()
    inputs = [facets.read(table, one.day) for table in failing.reads.values()]
    yield one.event(State.FAIL, end, inputs, said=facets.failure(OVERFLOW, TRACE))
    yield whole.event(State.FAIL, end + _PAUSE)


def _lasting(doing: _Doing) -> timedelta:
    """How long a run takes: about as long as its step says, by a rule that looks like chance."""
    return timedelta(
        minutes=doing.step.minutes, seconds=(doing.start.toordinal() * 37 + len(doing.step.name) * 11) % 90
    )


def _checked(table: Table, day: date) -> InputDataset:
    column = "debt_to_income" if table is w.AFFORDABILITY else "late_share"
    missing = 0.118 if (day, column) == (dates.INCOMPLETE, "debt_to_income") else 0.002 + (day.day % 7) / 1_000
    return facets.checked(table, day, column, missing, 0.05)


def _stream(day: date) -> Iterator[Sent]:
    """The streaming job: one run from the first day on, heard of once a day, without end."""
    step = others.CARD_STREAM
    one = _Doing(step, dates.moment(dates.FIRST, 0, 5))
    if day == dates.FIRST:
        yield one.begun()
    inputs = [facets.read(table, day) for table in step.reads.values()]
    outputs = [facets.written(step, table, day) for table in step.writes]
    yield one.event(State.RUNNING, dates.moment(day, 12), inputs, outputs)


def _retired(day: date) -> Iterator[Sent]:
    """The old feature table is dropped, two weeks after nobody reads it any more."""
    one = _Doing(others.RETIRE, dates.moment(day, 9))
    yield one.begun()
    yield one.event(State.COMPLETE, dates.moment(day, 9, 1), outputs=[facets.dropped(w.APPLICANT)])


def _described() -> Iterator[Sent]:
    """The first hour: owners describe their datasets, views and what is not seen to run."""
    at = dates.moment(dates.FIRST, 0)
    views = (w.ACTIVE_LOANS, w.REFUSALS)
    for table in w.TABLES:
        if table not in views:
            dataset = facets.described(table, dates.FIRST)
            yield Sent(at, DatasetEvent(eventTime=at.isoformat(), dataset=dataset, producer=facets.PRODUCER))
    yield _view(others.ACTIVE_LOANS_VIEW, w.ACTIVE_LOANS, at)
    yield _view(others.REFUSALS_VIEW, w.REFUSALS, at)
    for step in others.DECLARED:
        declared = JobEvent(
            eventTime=at.isoformat(), job=facets.job(step, dates.FIRST), producer=facets.PRODUCER,
            inputs=[facets.read(table, dates.FIRST) for table in step.reads.values()],
            outputs=[OutputDataset(table.namespace, table.name) for table in step.writes],
        )  # fmt: skip
        yield Sent(at, declared)


def _view(step: Step, table: Table, at: datetime) -> Sent:
    """A view, and what it is made from: said by the dataset itself, since no job makes it.

    One view says so by the `lineage` facet, the other by `columnLineage`: both are sent in practice.
    """
    day = at.date()
    if table is w.REFUSALS:
        dataset = facets.described(table, day, ("columnLineage", facets.column_lineage(step, table, day)))
    else:
        dataset = facets.described(table, day, ("lineage", facets.made_from(step, table, day)))
    return Sent(at, DatasetEvent(eventTime=at.isoformat(), dataset=dataset, producer=facets.PRODUCER))
