"""The statistical engine's words for a cluster: a template filled with what its lessons counted."""

from __future__ import annotations

from collections.abc import Sequence

from t2s_pipeline.analysts.lesson import Lesson, RuleText
from t2s_pipeline.analysts.statistical.contrast_text import contrast_text
from t2s_pipeline.analysts.statistical.refusal_text import refusal_text
from t2s_pipeline.analysts.statistical.repeat_text import repeat_text
from t2s_pipeline.consolidation.merge import typical_words


class StatisticalMerger:
    """Implements `consolidation.cluster.LessonMerger` for lessons of the statistical engine. What only a
    model has taught is said in the words of its most typical lesson.
    """

    name = "statistical"
    version = "1"

    def merge(self, lessons: Sequence[Lesson], support: object = None) -> RuleText | None:  # noqa: ARG002
        """Words for lessons of one pattern and tool; None when a person could not act on them."""
        counted = [lesson for lesson in lessons if lesson.engine == "statistical"]
        by_model = [lesson for lesson in lessons if lesson.engine != "statistical"]
        text = _from_template(counted) if counted else None
        return text or (typical_words(by_model) if by_model else None)


def _from_template(lessons: Sequence[Lesson]) -> RuleText | None:
    facts = [lesson.facts for lesson in lessons]
    signature = lessons[0].signature
    if signature.pattern == "refusal":
        return refusal_text(signature.tool, facts)
    if signature.pattern == "repeat":
        return repeat_text(signature.tool, facts)
    return contrast_text(facts)
