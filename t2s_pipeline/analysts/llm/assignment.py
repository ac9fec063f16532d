"""Which analyst reads which trace. A pure function: the plan of a run and the run itself agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from t2s_pipeline.analysts.llm.card import wasted_share
from t2s_pipeline.analysts.llm.case import Case
from t2s_pipeline.analysts.llm.contrast import ContrastAnalyst, nearest_success
from t2s_pipeline.analysts.llm.cost import CostAnalyst
from t2s_pipeline.analysts.llm.desk import Desk, Stated
from t2s_pipeline.analysts.llm.error import ErrorAnalyst
from t2s_pipeline.analysts.llm.success import SuccessAnalyst
from t2s_pipeline.llm.settings import LLMSettings, Reading
from t2s_pipeline.traces.record import TraceRecord

WASTEFUL = 0.25
"""Share of a successful run's tokens spent on repeats from which its waste teaches more than its success."""

Siblings = Callable[[TraceRecord], Sequence[TraceRecord]]
"""Other attempts at the task of a trace."""


class Analyst(Protocol):
    """Reads one trace, with a success of the same task beside it where there is one."""

    name: str

    async def analyse(self, case: Case, sibling: Case | None, desk: Desk) -> Stated:
        """What the trace teaches. Raises CallFailed or BudgetExceeded."""
        ...


@dataclass(frozen=True)
class Assignment:
    """One analyst for one trace."""

    analyst: Analyst
    sibling: TraceRecord | None
    reading: Reading | None


def reason_to_skip(record: TraceRecord) -> str | None:
    """Why nobody reads a trace; None when somebody does."""
    if record.outcome.infra_error:
        return "the environment broke, not the agent"
    if not any(step.source == "agent" for step in record.trajectory.steps):
        return "the agent did nothing"
    return None


def assignments(case: Case, siblings: Siblings, settings: LLMSettings) -> list[Assignment]:
    """The analysts for a trace, in order: the one that suits it best, or all that apply."""
    chosen = _chosen(case, siblings, settings)
    readings: Sequence[Reading | None] = settings.readings or (None,)
    return [Assignment(analyst, sibling, reading) for analyst, sibling in chosen for reading in readings]


def _chosen(
    case: Case, siblings: Siblings, settings: LLMSettings
) -> list[tuple[Analyst, TraceRecord | None]]:
    every = settings.analysts == "all"
    status = case.record.outcome.status
    wasteful = wasted_share(case) >= WASTEFUL
    if status == "success":
        if every:
            return [(SuccessAnalyst(), None), (CostAnalyst(), None)]
        return [(CostAnalyst() if wasteful else SuccessAnalyst(), None)]
    if status == "unknown":
        return [(ErrorAnalyst(), None), *([(CostAnalyst(), None)] if every else ())]
    success = nearest_success(case.record, siblings(case.record))
    if every:
        pair = [(ContrastAnalyst(), success)] if success is not None else []
        return [(ErrorAnalyst(), success), *pair, (CostAnalyst(), None)]
    if success is not None and settings.error_mode == "single":
        return [(ContrastAnalyst(), success)]
    return [(ErrorAnalyst(), success)]
