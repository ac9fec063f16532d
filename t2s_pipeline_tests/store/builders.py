"""Records, lessons and clusters as the store's tests need them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from atif import Agent, Observation, ObservationResult, Step, ToolCall, Trajectory

from t2s_pipeline.analysts.lesson import Evidence, Lesson, Signature
from t2s_pipeline.consolidation.cluster import Cluster, Placement, RuleText, Support
from t2s_pipeline.store.frames import batch_stage_frame, trace_frames
from t2s_pipeline.traces.record import Outcome, OutcomeStatus, Source, TraceRecord


def record(
    trace_id: str,
    *,
    skill: str = "sql",
    task_id: str | None = "task-1",
    status: OutcomeStatus = "success",
    steps: int = 2,
) -> TraceRecord:
    """A record whose steps are one question and calls of one tool."""
    question = Step(step_id=1, source="user", message=f"How many rows has table {trace_id}?")
    calls = [
        Step(
            step_id=step_id,
            source="agent",
            message="",
            tool_calls=[
                ToolCall(tool_call_id=f"call-{step_id}", function_name="query", arguments={"limit": None})
            ],
            observation=Observation(
                results=[ObservationResult(source_call_id=f"call-{step_id}", content=f"{step_id} rows")]
            ),
        )
        for step_id in range(2, steps + 1)
    ]
    return TraceRecord(
        trace_id=trace_id,
        skill=skill,
        task_id=task_id,
        source=Source(
            format="chat", uri=f"inbox/{skill}/chat.jsonl#L{trace_id}", sha256="0" * 64, warnings=("short",)
        ),
        outcome=Outcome(status=status, reward=float(status == "success"), source="verifier"),
        trajectory=Trajectory(
            schema_version="ATIF-v1.8",
            agent=Agent(name="tester", version="1"),
            steps=[question, *calls][:steps],
        ),
    )


def batch_tables(
    batch: str, trace_ids: Sequence[str], *, skill: str = "sql", steps: int = 2
) -> dict[str, pl.DataFrame]:
    """What the first stage of a batch writes."""
    frames = trace_frames([record(trace_id, skill=skill, steps=steps) for trace_id in trace_ids], batch)
    stage = batch_stage_frame(
        batch=batch, skill=skill, stage="traces", code_version="1", traces=len(trace_ids)
    )
    return {**frames, "batch_stages": stage}


def lesson(trace_id: str, *, skill: str = "sql", do: str = "Look at the schema first.") -> Lesson:
    """A lesson with one quote from the first step of its trace."""
    return Lesson(
        skill=skill,
        kind="preserve",
        engine="statistical",
        analyst="habits",
        trace_id=trace_id,
        task_id="task-1",
        outcome="success",
        when="Before the first query",
        do=do,
        because="Column names differ from what the question says.",
        section="workflow",
        signature=Signature(pattern="habit", action=do),
        facts={"count": 2},
        evidence=(Evidence(trace_id=trace_id, first_step=1, last_step=1, quote=f"table {trace_id}"),),
    )


def cluster(cluster_id: str, lessons: Sequence[Lesson], *, placement: Placement = "skill") -> Cluster:
    """The cluster of some lessons of one skill."""
    return Cluster(
        cluster_id=cluster_id,
        skill=lessons[0].skill,
        kind=lessons[0].kind,
        section=lessons[0].section,
        signature=lessons[0].signature,
        lesson_ids=tuple(sorted(lesson.lesson_id for lesson in lessons)),
        support=Support(traces=len(lessons), tasks=1, success=len(lessons), failure=0, occurrences=1),
        text=RuleText(headline=lessons[0].do),
        placement=placement,
        reason="2 tasks",
    )
