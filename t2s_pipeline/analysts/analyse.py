"""Stored traces in, stored lessons out: what the `lessons` and `merged_clusters` assets call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson
import polars as pl
from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.grounding import grounded
from t2s_pipeline.analysts.lesson import Lesson, RefusedLesson
from t2s_pipeline.analysts.statistical.engine import (
    action_rows,
    contrasts_of_skill,
    lessons_of_run,
    skill_runs,
)
from t2s_pipeline.analysts.statistical.habit_lessons import habit_lessons, shown_steps
from t2s_pipeline.analysts.statistical.runs import Call, run_from_steps
from t2s_pipeline.analysts.version import ANALYSTS_VERSION
from t2s_pipeline.settings import Settings
from t2s_pipeline.store import frames, queries
from t2s_pipeline.store.store import Store

BATCHES_AT_A_TIME = 8
"""Batches read from the store at once: bounds memory, and keeps the number of queries low."""


class AnalysisReport(BaseModel):
    """What came of the traces of one batch."""

    model_config = ConfigDict(frozen=True)

    batch: str
    skill: str
    traces: int
    """Traces read, those that were left out included."""
    excluded: int
    """Not learnt from: spoilt by their environment (`infra_error`), or held until a person releases them."""
    lessons: int
    refused: int
    by_kind: dict[str, int]


def analyse_batches(
    store: Store,
    settings: Settings,  # noqa: ARG001 - the other engine needs it; the seam is one for both
    batches: Sequence[str],
    progress: Callable[[int], None] = lambda done: None,  # noqa: ARG005
) -> dict[str, AnalysisReport]:
    """Mine every trace of the batches and store actions, lessons and evidence, batch by batch.

    Idempotent: a batch's rows are replaced. Batches without traces are reported as empty.
    """
    reports: dict[str, AnalysisReport] = {}
    for start in range(0, len(batches), BATCHES_AT_A_TIME):
        group = list(batches[start : start + BATCHES_AT_A_TIME])
        held = set(queries.held_rows(store, group)["trace_id"])
        traces = queries.traces_of_batches(store, group)
        steps = queries.steps_of_batches(store, group)
        for batch in group:
            report = _analyse_batch(
                store,
                batch,
                traces.filter(pl.col("batch") == batch),
                steps.filter(pl.col("batch") == batch),
                held,
            )
            reports[batch] = report
            progress(report.traces)
    store.load_staged()
    return reports


def analyse_skill(store: Store, settings: Settings, skill: str) -> int:
    """Compare the attempts at the same tasks over all traces of the skill; returns the lessons stored."""
    held = queries.held_rows(store)["trace_id"].unique()
    traces = queries.traces_of_skill(store, skill).filter(~pl.col("trace_id").is_in(held.implode()))
    runs = skill_runs(traces, queries.actions_of_skill(store, skill))
    findings = contrasts_of_skill(runs, max_fdr=settings.max_fdr, min_strata=settings.min_informative_strata)
    bodies = queries.step_bodies(store, shown_steps(runs, findings))
    steps = {place: orjson.loads(body) for place, body in bodies.items()}

    def calls_of(trace_id: str, step_id: int) -> Sequence[Call]:
        step = steps.get((trace_id, step_id))
        return () if step is None else _calls_of_one(skill, trace_id, step)

    found = habit_lessons(skill, runs, findings, calls_of)
    kept, refused = grounded(found, lambda trace_id, step_id: steps.get((trace_id, step_id)))
    _write(store, f"skill:{skill}", kept, refused, {})
    store.load_staged()
    return len(kept)


def _analyse_batch(
    store: Store, batch: str, traces: pl.DataFrame, steps: pl.DataFrame, held: Collection[str]
) -> AnalysisReport:
    bodies = {
        trace_id: [orjson.loads(body) for _, body in rows]
        for trace_id, rows in groupby(steps.select("trace_id", "body").iter_rows(), key=lambda row: row[0])
    }
    lessons: list[Lesson] = []
    refused: list[RefusedLesson] = []
    actions: list[dict[str, Any]] = []
    excluded = 0
    for row in traces.iter_rows(named=True):
        if row["infra_error"] or row["trace_id"] in held:
            excluded += 1
            continue
        of_trace = bodies.get(row["trace_id"], [])
        run = run_from_steps(
            of_trace,
            trace_id=row["trace_id"],
            skill=row["skill"],
            task_id=row["task_id"],
            agent=row["agent"],
            outcome=row["status"],
        )
        by_id = {step["step_id"]: step for step in of_trace}
        kept, dropped = grounded(lessons_of_run(run), lambda _, step_id, by_id=by_id: by_id.get(step_id))  # type: ignore[misc]
        lessons += kept
        refused += dropped
        actions += action_rows(run, batch)
    skill = traces["skill"][0] if len(traces) else _skill_of_empty(store, batch)
    stage = frames.batch_stage_frame(
        batch=batch,
        skill=skill,
        stage="lessons",
        code_version=ANALYSTS_VERSION,
        traces=len(traces) - excluded,
        lessons=len(lessons),
        refused=len(refused),
    )
    _write(
        store, batch, lessons, refused, {"actions": frames.frame("actions", actions), "batch_stages": stage}
    )
    kinds = [lesson.kind for lesson in lessons]
    return AnalysisReport(
        batch=batch,
        skill=skill,
        traces=len(traces),
        excluded=excluded,
        lessons=len(lessons),
        refused=len(refused),
        by_kind={kind: kinds.count(kind) for kind in sorted(set(kinds))},
    )


def _skill_of_empty(store: Store, batch: str) -> str:
    """The skill of a batch none of whose records became a trace."""
    stages = queries.batch_stages(store).filter(pl.col("batch") == batch)
    return str(stages["skill"][0]) if len(stages) else ""


def _write(
    store: Store,
    batch: str,
    lessons: Sequence[Lesson],
    refused: Sequence[RefusedLesson],
    more: Mapping[str, pl.DataFrame],
) -> None:
    tables = {
        **frames.lessons_frames(lessons, batch),
        "refused_lessons": frames.refused_lessons_frame(refused, batch),
        **more,
    }
    store.stage({"batch": batch}, tables)


def _calls_of_one(skill: str, trace_id: str, step: Mapping[str, Any]) -> Sequence[Call]:
    run = run_from_steps([step], trace_id=trace_id, skill=skill, task_id=None, agent="", outcome="unknown")
    return run.calls
