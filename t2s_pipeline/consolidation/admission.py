"""Where a cluster goes by its support alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.cluster import Placement, Support
from t2s_pipeline.consolidation.support import task_of

SEVERE_FAILURES = 3
"""Failed attempts at one task, with no success among them, that make a rare repair worth a reference."""

AGED = 0.5
"""Share of the needed tasks below which what is left of old support is no support: just enough tasks last one
half-life, twice as many last two."""


@dataclass(frozen=True)
class Needed:
    """How broad the support of a rule has to be."""

    tasks: int
    """Distinct tasks."""
    sources: int = 1
    """Distinct files the traces come from, for a rule in SKILL.md and in a reference alike: one file, and so
    whoever wrote it, is then never enough."""
    source_of: Mapping[str, str] = field(default_factory=dict)
    """Trace id to its file. A trace that is not in it counts as a source of its own."""
    weight_of: Mapping[str, float] = field(default_factory=dict)
    """Trace id to how much it still counts, from 0 to 1. A trace that is not in it counts in full."""

    def sources_of(self, lessons: Sequence[Lesson]) -> int:
        """Distinct files that teach the lessons."""
        return len({self.source_of.get(lesson.trace_id, lesson.trace_id) for lesson in lessons})

    def fresh_tasks_of(self, lessons: Sequence[Lesson]) -> float:
        """Tasks that teach the lessons, each counting as much as its newest trace."""
        weights: dict[tuple[str, bool], float] = {}
        for lesson in lessons:
            task = task_of(lesson)
            weights[task] = max(weights.get(task, 0.0), self.weight_of.get(lesson.trace_id, 1.0))
        return sum(sorted(weights.values()))


def admit(lessons: Sequence[Lesson], support: Support, needed: Needed) -> tuple[Placement, str]:
    """Placement of a cluster and the reason, in words a person reads.

    Breadth decides: enough distinct tasks make a rule, if they come from enough sources and are not too old
    to count. A repair whose fix the task's own verifier passed needs none of this. What is rare but severe
    goes to a reference, read when it is needed; the rest waits as a candidate that later traces can promote.
    """
    tasks = "1 task" if support.tasks == 1 else f"{support.tasks} tasks"
    broad = support.tasks >= needed.tasks
    if any(lesson.verified for lesson in lessons):
        return "skill", tasks if broad else "the fix was re-scored and passed"
    few = "one task only" if support.tasks == 1 else f"{tasks} of {needed.tasks} needed"
    if needed.sources > 1 and (sources := needed.sources_of(lessons)) < needed.sources:
        return "candidate", f"{tasks if broad else few}, from {sources} of {needed.sources} sources needed"
    if broad and needed.weight_of and (fresh := needed.fresh_tasks_of(lessons)) < AGED * needed.tasks:
        return "candidate", f"{tasks}, so long ago that they count as {fresh:.1f}"
    if broad:
        return "skill", tasks
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
