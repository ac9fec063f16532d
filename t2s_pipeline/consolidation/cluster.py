"""A cluster: lessons that say the same thing, with their support and the text they merge into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.lesson import Lesson, LessonKind, RuleText, Section, Signature

__all__ = ["Cluster", "Effect", "LessonMerger", "Placement", "RuleText", "Support"]

Placement = Literal["skill", "reference", "candidate"]


class Effect(BaseModel):
    """Difference between attempts at the same tasks that did and did not follow the lesson."""

    model_config = ConfigDict(frozen=True)

    success_with: float
    """Share of successes among runs that did it, each task weighted alike."""
    success_without: float
    strata: int
    """Tasks (times agents) that had both sides and both outcomes."""
    p_value: float
    """Exact or Cochran-Mantel-Haenszel, before correction."""
    q_value: float
    """After Benjamini-Hochberg over everything tried for the skill."""


class Support(BaseModel):
    """How much stands behind a cluster. Counted in code from the lessons and nothing else."""

    model_config = ConfigDict(frozen=True)

    traces: int
    tasks: int
    success: int
    """Distinct traces that succeeded."""
    failure: int
    """Distinct traces that failed; the rest of `traces` have another or no known outcome."""
    occurrences: int
    """Times it happened: sum of the lessons' `facts["count"]`, at least one each."""
    effect: Effect | None = None


class Cluster(BaseModel):
    """Lessons that say the same thing."""

    model_config = ConfigDict(frozen=True)

    cluster_id: str
    """`c-` and hex digits of skill and merged signature: stable while lessons come and go."""
    skill: str
    kind: LessonKind
    section: Section
    signature: Signature
    lesson_ids: tuple[str, ...]
    """Sorted."""
    support: Support
    text: RuleText
    placement: Placement
    reason: str
    """Why it is placed there, in words a person reads: `2 tasks`, `one task only`, `lost to c-…`."""


class LessonMerger(Protocol):
    """What an engine offers to consolidation: the words for a group of lessons."""

    name: str
    version: str

    def merge(self, lessons: Sequence[Lesson], support: Support) -> RuleText | None:
        """Words for lessons that say the same thing (sorted by lesson id); None when they do not
        amount to advice a person could follow, with nothing lost: the cluster stays a candidate.
        """
        ...
