"""The statistical engine's two questions: what does this trace teach, and what do the traces of a skill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.analysts.statistical.comparison import Finding, SkillRuns
from t2s_pipeline.analysts.statistical.contrast import find_contrasts
from t2s_pipeline.analysts.statistical.habits import RunActions
from t2s_pipeline.analysts.statistical.repairs import mine_repairs
from t2s_pipeline.analysts.statistical.repeats import find_repeats, mine_repeats
from t2s_pipeline.analysts.statistical.runs import Run

COMPARABLE = ("success", "failure", "partial")
"""Outcomes that a contrast may use; `partial` counts as not successful."""


def lessons_of_run(run: Run) -> list[Lesson]:
    """What one trace teaches on its own: refusals put right or not, and calls repeated for nothing."""
    return mine_repairs(run) + mine_repeats(run)


def action_rows(run: Run, batch: str) -> list[dict[str, Any]]:
    """Rows of the `actions` table: the run's calls, abstracted."""
    repeated = {call.position for repeat in find_repeats(run) for call in repeat.calls[1:]}
    return [
        {
            "trace_id": run.trace_id,
            "batch": batch,
            "skill": run.skill,
            "position": call.position,
            "step_id": call.step_id,
            "tool": call.tool,
            "kind": call.action.kind,
            "action": call.action.name,
            "features": list(call.action.features),
            "error": call.error.template if call.error is not None else None,
            "after_user": call.after_user,
            "repeated": call.position in repeated,
        }
        for call in run.calls
    ]


def skill_runs(traces: pl.DataFrame, actions: pl.DataFrame) -> SkillRuns:
    """The comparable runs of a skill from rows of `traces` and `actions` (ordered by trace, position).

    Only traces with a task and an outcome, not spoilt by their environment, can be compared.
    """
    usable = traces.filter(
        pl.col("status").is_in(COMPARABLE) & ~pl.col("infra_error") & pl.col("task_id").is_not_null()
    ).sort("trace_id")
    by_trace = _actions_by_trace(actions)
    nothing = RunActions((), (), (), (), (), ())
    trace_ids = usable["trace_id"].to_list()
    return SkillRuns(
        trace_ids=trace_ids,
        tasks=usable["task_id"].to_list(),
        agents=usable["agent"].to_list(),
        success=np.array(usable["status"].to_list(), dtype=object) == "success",
        actions=[by_trace.get(trace_id, nothing) for trace_id in trace_ids],
    )


def contrasts_of_skill(runs: SkillRuns, *, max_fdr: float, min_strata: int) -> list[Finding]:
    """Habits worth a rule; see `contrast`."""
    return find_contrasts(runs, max_fdr=max_fdr, min_strata=min_strata)


def _actions_by_trace(actions: pl.DataFrame) -> Mapping[str, RunActions]:
    columns: Sequence[list[Any]] = [
        actions[name].to_list()
        for name in ("trace_id", "action", "kind", "features", "step_id", "error", "after_user")
    ]
    found: dict[str, RunActions] = {}
    for trace_id, rows in groupby(zip(*columns, strict=True), key=lambda row: row[0]):
        _, names, kinds, features, step_ids, errors, after_user = zip(*rows, strict=True)
        failed = tuple(error is not None for error in errors)
        found[trace_id] = RunActions(names, kinds, features, step_ids, failed, after_user)
    return found
