"""The fleet: many analysts at work on many traces, one gate to the endpoint, nothing lost.

Traces are taken up one by one as places become free, so that only the views of those under way are in
memory, however many traces there are.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.lesson import Lesson, RefusedLesson
from t2s_pipeline.analysts.llm.assignment import Assignment, Siblings, assignments, reason_to_skip
from t2s_pipeline.analysts.llm.case import Case, case_of
from t2s_pipeline.analysts.llm.desk import Desk
from t2s_pipeline.analysts.llm.guards import judge
from t2s_pipeline.analysts.llm.leaks import Elsewhere, OtherTasks
from t2s_pipeline.errors import BudgetExceeded
from t2s_pipeline.llm.calls import CallFailed, CallRow, CallStatus
from t2s_pipeline.llm.client import LLMClient
from t2s_pipeline.llm.limits import Clock, SystemClock
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline.traces.record import TraceRecord

_WORKERS_PER_PLACE = 2
"""Traces under way for each call in flight: those that wait for the endpoint hold no place."""
_SUCCESSES_AT_HAND = 64
_BYTES_PER_TOKEN = 4


class Failure(BaseModel):
    """An analyst that could not read a trace, and why. Run again, it is asked again."""

    model_config = ConfigDict(frozen=True)

    trace_id: str
    analyst: str
    status: CallStatus
    reason: str


class Skipped(BaseModel):
    """A trace that no analyst is meant to read, and why."""

    model_config = ConfigDict(frozen=True)

    trace_id: str
    reason: str


class FleetReport(BaseModel):
    """What came of a set of traces. Every trace is analysed, failed or skipped."""

    model_config = ConfigDict(frozen=True)

    lessons: tuple[Lesson, ...]
    refused: tuple[RefusedLesson, ...]
    failures: tuple[Failure, ...]
    skipped: tuple[Skipped, ...]
    analysed: tuple[str, ...]
    """Ids of the traces that every analyst assigned to them has read."""
    calls: tuple[CallRow, ...]
    tokens_in_traces: int
    """Estimated tokens of the traces that were read, had they been sent whole."""
    tokens_sent: int
    """Prompt tokens of all calls, as counted by the endpoint, replies from the cache included."""


def analyse_traces(
    records: Sequence[TraceRecord],
    siblings: Siblings,
    settings: LLMSettings,
    cache_dir: Path,
    progress: Callable[[int], None] = lambda done: None,  # noqa: ARG005
    *,
    elsewhere: Elsewhere | None = None,
    clock: Clock | None = None,
    rng: random.Random | None = None,
) -> FleetReport:
    """Have every trace read. Does not raise for traces or calls that fail: the report says which and why.

    `siblings` gives the other attempts at a trace's task. `progress` is told 1 for each trace that is done.
    `elsewhere` answers whether a constant occurs in other tasks of the skill; by default some of `records`
    are looked through. The report is a function of the traces and the replies, not of the order they came.

    Raises:
        T2SError: as `siblings` does, where the store cannot be read.
    """
    client = LLMClient(settings, cache_dir, clock=clock or SystemClock(), rng=rng or random.Random())
    fleet = _Fleet(client, siblings, elsewhere or OtherTasks(records), progress)
    # The result stays out of the task: asyncio puts the text of a task's result together when it ends.
    try:
        asyncio.run(fleet.read(records))
    except ExceptionGroup as group:
        # The trace that failed first has ended the others.
        raise _first_of(group) from group
    return _report(fleet, client.rows)


@dataclass
class _Fleet:
    """The analysts at work, and what they have come to so far."""

    client: LLMClient
    siblings: Siblings
    elsewhere: Elsewhere
    progress: Callable[[int], None]

    lessons: list[Lesson] = field(default_factory=list)
    refused: list[RefusedLesson] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    analysed: list[str] = field(default_factory=list)
    bytes_in_traces: int = 0
    successes: dict[str, Case] = field(default_factory=dict)
    """Cases that failures were compared with last: the same success is the nearest of several."""

    async def read(self, records: Sequence[TraceRecord]) -> None:
        """Read all records, as many at a time as there are places."""
        waiting = iter(records)
        workers = min(len(records), _WORKERS_PER_PLACE * self.client.settings.max_in_flight)
        try:
            async with self.client, asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work(waiting))
        except CallFailed as error:  # nobody answered before the first question
            for record in records:
                self._failed(record, "", error)

    async def _work(self, waiting: Iterator[TraceRecord]) -> None:
        for record in waiting:
            reason = reason_to_skip(record)
            if reason is None:
                await self._read(case_of(record))
            else:
                self.skipped.append(Skipped(trace_id=record.trace_id, reason=reason))
            self.progress(1)

    async def _read(self, case: Case) -> None:
        """Everything that is assigned for one trace."""
        self.bytes_in_traces += case.size
        # In a thread: the store may have to be waited for, and calls under way would run out of time.
        assigned = await asyncio.to_thread(assignments, case, self.siblings, self.client.settings)
        read = [await self._carry_out(assignment, case) for assignment in assigned]
        if all(read):
            self.analysed.append(case.record.trace_id)

    async def _carry_out(self, assignment: Assignment, case: Case) -> bool:
        """Whether the analyst came to an end."""
        analyst = assignment.analyst
        sibling = self._success(assignment.sibling) if assignment.sibling is not None else None
        desk = Desk(self.client, self.client.settings, assignment.reading)
        try:
            stated = await analyst.analyse(case, sibling, desk)
        except (CallFailed, BudgetExceeded) as error:
            self._failed(case.record, analyst.name, error)
            return False
        judged = judge(stated.drafts, stated.shown, stated.taught_by, analyst.name, self.elsewhere)
        self.lessons.extend(judged.lessons)
        self.refused.extend(judged.refused)
        return True

    def _failed(self, record: TraceRecord, analyst: str, error: CallFailed | BudgetExceeded) -> None:
        status: CallStatus = error.status if isinstance(error, CallFailed) else "budget"
        self.failures.append(
            Failure(trace_id=record.trace_id, analyst=analyst, status=status, reason=str(error))
        )

    def _success(self, record: TraceRecord) -> Case:
        """The case of a record that others are compared with."""
        case = self.successes.pop(record.trace_id, None) or case_of(record)
        self.successes[record.trace_id] = case
        if len(self.successes) > _SUCCESSES_AT_HAND:
            del self.successes[next(iter(self.successes))]
        return case


def _first_of(group: ExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first


def _report(work: _Fleet, rows: Sequence[CallRow]) -> FleetReport:
    lessons = {lesson.lesson_id: lesson for lesson in work.lessons}
    calls = sorted(rows, key=lambda row: (row.trace_id or "", row.purpose, row.call_id))
    return FleetReport(
        lessons=tuple(sorted(lessons.values(), key=lambda le: (le.trace_id, le.analyst, le.lesson_id))),
        refused=tuple(sorted(work.refused, key=lambda r: (r.trace_id, r.analyst, r.reason, r.text))),
        failures=tuple(sorted(work.failures, key=lambda f: (f.trace_id, f.analyst, f.reason))),
        skipped=tuple(sorted(work.skipped, key=lambda s: s.trace_id)),
        analysed=tuple(sorted(work.analysed)),
        calls=tuple(calls),
        tokens_in_traces=work.bytes_in_traces // _BYTES_PER_TOKEN,
        tokens_sent=sum(row.input_tokens or 0 for row in calls),
    )
