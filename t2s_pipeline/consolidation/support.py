"""Support of a group of lessons: counted here from the lessons, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.cluster import Effect, Support


def count_support(lessons: Sequence[Lesson]) -> Support:
    """How much stands behind `lessons`: distinct traces and tasks, outcomes, occurrences, effect."""
    outcome_of = {lesson.trace_id: lesson.outcome for lesson in lessons}
    outcomes = list(outcome_of.values())
    return Support(
        traces=len(outcome_of),
        tasks=len(tasks_of(lessons)),
        success=outcomes.count("success"),
        failure=outcomes.count("failure"),
        occurrences=sum([_occurrences(lesson.facts) for lesson in lessons]),
        effect=agreed_effect(lessons),
    )


def tasks_of(lessons: Iterable[Lesson]) -> set[tuple[str, bool]]:
    """Distinct tasks the lessons come from: (id, whether it is a task id).

    Several attempts at one task are one task, so that repeating a task never looks like breadth. A trace
    without a task id (a coding session) is a job of its own and counts as one task.
    """
    return {
        (lesson.trace_id, False) if lesson.task_id is None else (lesson.task_id, True) for lesson in lessons
    }


def agreed_effect(lessons: Iterable[Lesson]) -> Effect | None:
    """The effect the lessons carry in `facts["effect"]`; None without one or when they disagree."""
    told = [lesson.facts for lesson in lessons if "effect" in lesson.facts]
    effects = {effect for facts in told if (effect := _effect(facts)) is not None}
    return effects.pop() if len(effects) == 1 else None


def _effect(facts: Mapping[str, Any]) -> Effect | None:
    try:
        return Effect.model_validate(facts["effect"])
    except ValidationError:
        return None


def _occurrences(facts: Mapping[str, Any]) -> int:
    count = facts.get("count", 1)
    return max(int(count), 1) if isinstance(count, int | float) else 1
