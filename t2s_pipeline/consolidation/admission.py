"""Where a cluster goes by its support alone."""

from __future__ import annotations

from collections.abc import Sequence

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.cluster import Placement, Support

SEVERE_FAILURES = 3
"""Failed attempts at one task, with no success among them, that make a rare repair worth a reference."""


def admit(lessons: Sequence[Lesson], support: Support, min_tasks: int) -> tuple[Placement, str]:
    """Placement of a cluster and the reason, in words a person reads.

    Breadth decides: `min_tasks` distinct tasks make a rule. A repair whose fix the task's own verifier
    passed needs no second task. What is rare but severe goes to a reference, read when it is needed; the
    rest waits as a candidate that later traces can promote.
    """
    if support.tasks >= min_tasks:
        return "skill", "1 task" if support.tasks == 1 else f"{support.tasks} tasks"
    if any(lesson.verified for lesson in lessons):
        return "skill", "the fix was re-scored and passed"
    few = "one task only" if support.tasks == 1 else f"{support.tasks} tasks of {min_tasks} needed"
    if is_severe(lessons, support):
        return "reference", f"{few}, but severe"
    return "candidate", few


def is_severe(lessons: Sequence[Lesson], support: Support) -> bool:
    """Whether an analyst marked a lesson severe (`facts["severe"]`), or a repair's task failed on every one
    of several attempts that showed it."""
    if any(lesson.facts.get("severe") is True for lesson in lessons):
        return True
    stuck = support.failure >= SEVERE_FAILURES and support.failure == support.traces
    return stuck and all(lesson.kind == "repair" for lesson in lessons)
