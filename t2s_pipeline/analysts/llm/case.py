"""A trace laid out for analysts: its steps as JSON objects and its calls, with what failed among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from t2s_pipeline.analysts.statistical.repairs import Repair, find_repairs
from t2s_pipeline.analysts.statistical.repeats import Repeat, find_repeats
from t2s_pipeline.analysts.statistical.runs import Run, run_from_steps
from t2s_pipeline.traces.record import TraceRecord, quotable_texts

Step = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One trace under analysis."""

    record: TraceRecord
    steps: tuple[Step, ...]
    """ATIF steps as JSON objects; step n is at position n - 1."""
    run: Run
    size: int
    """Bytes of the trace as JSON: what sending it whole would take."""

    @cached_property
    def tools(self) -> frozenset[str]:
        """Names of the tools the agent called."""
        return frozenset(call.tool for call in self.run.calls)

    @cached_property
    def repairs(self) -> tuple[Repair, ...]:
        """Calls that failed, each with the call that put it right."""
        return tuple(find_repairs(self.run))

    @cached_property
    def repeats(self) -> tuple[Repeat, ...]:
        """Stretches of the same call with the same result."""
        return tuple(find_repeats(self.run))

    @property
    def task(self) -> str:
        """What tells this task from others; a trace without a task id is a task of its own."""
        return self.record.task_id if self.record.task_id is not None else self.record.trace_id

    def texts(self, number: int) -> list[str]:
        """The texts of a step that evidence may quote; none when there is no such step."""
        step = self.step(number)
        return quotable_texts(dict(step)) if step is not None else []

    def step(self, number: int) -> Step | None:
        """The step with this id, or None."""
        return self.steps[number - 1] if 1 <= number <= len(self.steps) else None


def case_of(record: TraceRecord) -> Case:
    """Lay a record out."""
    body = record.trajectory.model_dump_json(exclude_none=True).encode()
    steps = tuple(orjson.loads(body)["steps"])
    run = run_from_steps(
        steps,
        trace_id=record.trace_id,
        skill=record.skill,
        task_id=record.task_id,
        agent=record.agent,
        outcome=record.outcome.status,
    )
    return Case(record=record, steps=steps, run=run, size=len(body))


def arguments_text(arguments: Mapping[str, Any]) -> str:
    """Arguments with one line a leaf, strings as they are."""
    return "\n".join(f"{path}: {leaf}" for path, leaf in _leaves(arguments, "") if path)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for position, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{position}]")
    else:
        yield path, value if isinstance(value, str) else str(value)
