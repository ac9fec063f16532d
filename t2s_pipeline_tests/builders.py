"""Builders of domain objects for tests: steps, runs and calls, with as few words as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from atif import Trajectory

from t2s_pipeline.analysts.statistical.runs import Run, run_from_steps
from t2s_pipeline.traces.record import Outcome, OutcomeStatus, Source, TraceRecord


def user(text: str) -> dict[str, Any]:
    """A step of the user, still without its id."""
    return {"source": "user", "message": text}


def system(text: str) -> dict[str, Any]:
    """A system prompt, still without its id."""
    return {"source": "system", "message": text}


def call(
    tool: str, arguments: Mapping[str, Any], result: str = "ok", *, failed: bool | None = None, say: str = ""
) -> dict[str, Any]:
    """An agent step with one tool call and its result, still without its id."""
    extra = None if failed is None else {"is_error": failed}
    return {
        "source": "agent",
        "message": say,
        "tool_calls": [{"tool_call_id": "c1", "function_name": tool, "arguments": dict(arguments)}],
        "observation": {"results": [{"source_call_id": "c1", "content": result, "extra": extra}]},
    }


def sql(query: str, result: str = "[(1,)]", *, failed: bool | None = None) -> dict[str, Any]:
    """A step that runs a query."""
    return call("run_sql", {"query": query}, result, failed=failed)


def numbered(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The steps with ATIF step ids from 1."""
    return [{**step, "step_id": number} for number, step in enumerate(steps, start=1)]


def run_of(
    *steps: Mapping[str, Any],
    trace_id: str = "t-1",
    task_id: str = "task",
    agent: str = "agent",
    outcome: OutcomeStatus = "success",
) -> Run:
    """A run of the given steps."""
    return run_from_steps(
        numbered(steps), trace_id=trace_id, skill="skill", task_id=task_id, agent=agent, outcome=outcome
    )


def record_of(
    *steps: Mapping[str, Any],
    trace_id: str = "t-1",
    task_id: str | None = "task",
    agent: str = "agent",
    status: OutcomeStatus = "success",
    infra_error: bool = False,
) -> TraceRecord:
    """A TraceRecord of the given steps."""
    body = {
        "schema_version": "ATIF-v1.8",
        "agent": {"name": agent, "version": "1"},
        "steps": numbered(steps),
    }
    return TraceRecord(
        trace_id=trace_id,
        skill="skill",
        task_id=task_id,
        agent=agent,
        source=Source(format="test", uri=f"inbox/skill/{trace_id}.jsonl#L1", sha256="0" * 64),
        outcome=Outcome(status=status, infra_error=infra_error),
        trajectory=Trajectory.model_validate(body),
    )
