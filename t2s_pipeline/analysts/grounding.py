"""The check every lesson passes: its quotes are found verbatim in the steps it names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from t2s_pipeline.analysts.lesson import Lesson, RefusedLesson
from t2s_pipeline.traces.record import quotable_texts

StepOf = Callable[[str, int], Mapping[str, Any] | None]
"""(trace id, step id) -> the ATIF step as a JSON object; None when there is no such step."""


def problem_with(lesson: Lesson, step_of: StepOf) -> str | None:
    """Why the lesson's evidence does not hold; None when it does."""
    if not lesson.evidence:
        return "no evidence"
    for evidence in lesson.evidence:
        if not evidence.quote.strip():
            return "an empty quote"
        if evidence.first_step > evidence.last_step:
            return f"steps {evidence.first_step} to {evidence.last_step} run backwards"
        steps = [step_of(evidence.trace_id, n) for n in range(evidence.first_step, evidence.last_step + 1)]
        if any(step is None for step in steps):
            return f"{evidence.trace_id} has no step {evidence.last_step}"
        if not any(evidence.quote in text for step in steps if step for text in quotable_texts(dict(step))):
            return f"the quote is not in steps {evidence.first_step} to {evidence.last_step}"
    return None


def grounded(lessons: Iterable[Lesson], step_of: StepOf) -> tuple[list[Lesson], list[RefusedLesson]]:
    """The lessons whose evidence holds, and the refused ones with the reason."""
    kept: list[Lesson] = []
    refused: list[RefusedLesson] = []
    for lesson in lessons:
        problem = problem_with(lesson, step_of)
        if problem is None:
            kept.append(lesson)
        else:
            refused.append(
                RefusedLesson(
                    skill=lesson.skill,
                    trace_id=lesson.trace_id,
                    analyst=lesson.analyst,
                    reason=problem,
                    text=lesson.do,
                )
            )
    return kept, refused
