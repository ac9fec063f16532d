"""Support of a group of lessons: counted here from the lessons, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.cluster import Effect, Support


def count_support(lessons: Sequence[Lesson]) -> Support:
    """How much stands behind `lessons`: distinct traces and tasks, outcomes, occurrences, effect."""
    outcome_of: dict[str, str] = {}
    tasks: set[tuple[str, bool]] = set()
    occurrences = 0
    effects: list[object] = []
    for lesson in lessons:
        outcome_of[lesson.trace_id] = lesson.outcome
        tasks.add(task_of(lesson))
        occurrences += _occurrences(lesson.facts)
        if "effect" in lesson.facts:
            effects.append(lesson.facts["effect"])
    outcomes = list(outcome_of.values())
    return Support(
        traces=len(outcome_of),
        tasks=len(tasks),
        success=outcomes.count("success"),
        failure=outcomes.count("failure"),
        occurrences=occurrences,
        effect=agreed_effect(effects) if effects else None,
    )


def task_of(lesson: Lesson) -> tuple[str, bool]:
    """The task a lesson comes from: (id, whether it is a task id).

    Several attempts at one task are one task, so that repeating a task never looks like breadth. A trace
    without a task id (a coding session) is a job of its own and counts as one task.
    """
    return (lesson.trace_id, False) if lesson.task_id is None else (lesson.task_id, True)


def agreed_effect(told: Iterable[object]) -> Effect | None:
    """The one effect among what lessons carry in `facts["effect"]`; None when they disagree."""
    effects = {effect for body in told if (effect := _effect(body)) is not None}
    return effects.pop() if len(effects) == 1 else None


def _effect(body: object) -> Effect | None:
    try:
        return Effect.model_validate(body)
    except ValidationError:
        return None


def _occurrences(facts: Mapping[str, Any]) -> int:
    count = facts.get("count", 1)
    return max(int(count), 1) if isinstance(count, int | float) else 1
