"""Lessons from contrasts: one per task that shows a finding, with quotes of the better and the worse run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from t2s_pipeline.analysts.lesson import Evidence, Lesson, Signature
from t2s_pipeline.analysts.statistical.actions import python, sql
from t2s_pipeline.analysts.statistical.comparison import Finding, SkillRuns
from t2s_pipeline.analysts.statistical.contrast_text import contrast_text
from t2s_pipeline.analysts.statistical.habits import Habit, RunActions, answering_calls
from t2s_pipeline.analysts.statistical.quotes import call_quote
from t2s_pipeline.analysts.statistical.runs import Call

CallsOf = Callable[[str, int], Sequence[Call]]
"""Calls of one step of a trace: (trace id, step id) -> calls."""

_SNIPPET: Mapping[str, Callable[[str, str], str | None]] = {"sql": sql.snippet, "python": python.snippet}


def shown_steps(runs: SkillRuns, findings: Iterable[Finding]) -> set[tuple[str, int]]:
    """The (trace id, step id) that the lessons of these findings will quote."""
    return {
        (runs.trace_ids[index], step)
        for finding in findings
        for pair in finding.pairs
        for index in pair
        for step in [_step(runs.actions[index], finding.habit)]
        if step is not None
    }


def habit_lessons(
    skill: str, runs: SkillRuns, findings: Sequence[Finding], calls_of: CallsOf
) -> list[Lesson]:
    """One lesson per finding and task; a task whose steps hold nothing to quote gives none."""
    lessons = []
    for finding in findings:
        for better, worse in finding.pairs:
            lesson = _lesson(skill, runs, finding, better, worse, calls_of)
            if lesson is not None:
                lessons.append(lesson)
    return lessons


def _lesson(
    skill: str, runs: SkillRuns, finding: Finding, better: int, worse: int, calls_of: CallsOf
) -> Lesson | None:
    shows = worse if finding.harmful else better  # the run that has the habit
    other = better if finding.harmful else worse
    evidence = [
        found
        for index in (shows, other)
        if (found := _evidence(runs, index, finding.habit, calls_of)) is not None
    ]
    if not evidence or evidence[0].trace_id != runs.trace_ids[shows]:
        return None
    habit, contrast = finding.habit, finding.contrast
    facts: dict[str, Any] = {
        "count": 1,
        "family": finding.family,
        "habit": {"kind": habit.kind, "action": habit.action, "other": habit.other},
        "harmful": finding.harmful,
        "instead_of": finding.instead_of,
        "rate_with": round(contrast.rate_with, 4),
        "rate_without": round(contrast.rate_without, 4),
        "example": _example(runs, shows, habit, calls_of),
        "tables": _tables(runs, shows, habit, calls_of),
    }
    if finding.family == "success":
        facts["effect"] = {
            "success_with": round(contrast.rate_with, 4),
            "success_without": round(contrast.rate_without, 4),
            "strata": contrast.strata,
            "p_value": float(f"{contrast.p_value:.3g}"),
            "q_value": float(f"{finding.q_value:.3g}"),
        }
    text = contrast_text([facts])
    return Lesson(
        skill=skill,
        kind="prune" if finding.harmful else "preserve",
        engine="statistical",
        analyst="contrast",
        trace_id=runs.trace_ids[shows],
        task_id=runs.tasks[shows],
        outcome="success" if runs.success[shows] else "failure",
        when="working on a task of this kind",
        do=text.headline,
        because=_because(finding),
        section="workflow",
        signature=Signature(
            pattern={"before": "order", "after": "order"}.get(habit.kind, "habit")
            if finding.family == "success"
            else "precondition",
            trigger=habit.key,
            action=habit.action,
            negated=finding.harmful,
        ),
        facts=facts,
        evidence=tuple(evidence),
    )


def _example(runs: SkillRuns, index: int, habit: Habit, calls_of: CallsOf) -> str:
    """The part of the call that has the habit, where it is code."""
    step = _step(runs.actions[index], habit)
    if step is None or not (habit.kind == "answer" or habit.action == python.SAVES):
        return ""
    for call in calls_of(runs.trace_ids[index], step):
        snippet = _SNIPPET.get(call.action.kind)
        if snippet is not None and call.action.code is not None:
            return snippet(call.action.code, habit.action) or ""
    return ""


def _tables(runs: SkillRuns, index: int, habit: Habit, calls_of: CallsOf) -> list[str]:
    """The tables that the answering query reads, where the habit is one of its clauses."""
    step = _step(runs.actions[index], habit)
    if step is None or habit.kind != "answer" or habit.other != "sql":
        return []
    codes = [call.action.code for call in calls_of(runs.trace_ids[index], step) if call.action.kind == "sql"]
    return sorted({table for code in codes if code is not None for table in sql.tables(code)})


def _because(finding: Finding) -> str:
    contrast = finding.contrast
    what = "succeeded" if finding.family == "success" else "had their first call work"
    return (
        f"of the attempts at the same tasks, {contrast.rate_with:.0%} with it and "
        f"{contrast.rate_without:.0%} without it {what}"
    )


def _evidence(runs: SkillRuns, index: int, habit: Habit, calls_of: CallsOf) -> Evidence | None:
    run = runs.actions[index]
    step = _step(run, habit)
    if step is None:
        return None
    trace_id = runs.trace_ids[index]
    for call in calls_of(trace_id, step):
        quote = call_quote(call, _telling_words(habit))
        if quote is not None:
            return Evidence(trace_id=trace_id, first_step=step, last_step=step, quote=quote)
    return None


def _telling_words(habit: Habit) -> list[str]:
    """Words of the habit to look for in the call, so that the quote is the line that shows it."""
    return [word for pair in re.findall(r"`([^`]+)`|([A-Z]{4,})", habit.action) for word in pair if word]


def _step(run: RunActions, habit: Habit) -> int | None:
    """The step that shows the habit, or for a run without it the step where it would have shown."""
    if habit.kind == "answer":
        answering = answering_calls(run, habit.other)
        return run.step_ids[answering[-1]] if answering else None
    positions = [index for index in range(len(run.names)) if _shows(run, index, habit)]
    if positions:
        return run.step_ids[positions[-1] if habit.kind == "after" else positions[0]]
    if habit.kind in ("before", "after"):
        others = [index for index in range(len(run.names)) if habit.other in run.labels[index]]
        if others:
            return run.step_ids[others[0] if habit.kind == "before" else others[-1]]
    if habit.kind == "starts":
        return run.step_ids[0] if run.step_ids else None
    return run.step_ids[-1] if run.step_ids else None


def _shows(run: RunActions, index: int, habit: Habit) -> bool:
    return habit.action in run.labels[index] or habit.action in run.features[index]
