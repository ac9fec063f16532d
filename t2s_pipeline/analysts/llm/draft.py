"""What a model is asked to reply: lessons as it states them, before any of it is believed.

The place and the quote come first and the advice after them, so that a model which writes in this order
looks before it concludes. Ranges and lengths are not part of the schema: they are judged by the guards, one
lesson at a time, and one bad lesson does not cost the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.lesson import LessonKind, Section


class LessonDraft(BaseModel):
    """One lesson as a model states it; `prompts/lesson.md` says what the fields mean."""

    model_config = ConfigDict(frozen=True)

    first_step: int
    last_step: int
    quote: str
    because: str
    when: str
    do: str
    kind: LessonKind
    section: Section
    tool: str
    trigger: str
    action: str
    negated: bool


class PairDraft(LessonDraft):
    """A lesson from two runs of the same task."""

    in_run: Literal["A", "B"]


class Lessons(BaseModel):
    """The reply of an analyst that reads one run."""

    model_config = ConfigDict(frozen=True)

    lessons: tuple[LessonDraft, ...]


class PairLessons(BaseModel):
    """The reply of an analyst that reads two runs."""

    model_config = ConfigDict(frozen=True)

    lessons: tuple[PairDraft, ...]


class Turn(BaseModel):
    """One turn of an analyst that works with tools."""

    model_config = ConfigDict(frozen=True)

    thought: str
    tool: Literal["read_steps", "search", "compare_with_success", "conclude"]
    first_step: int
    last_step: int
    text: str
    lessons: tuple[LessonDraft, ...]


Drafts = Sequence[LessonDraft]
