"""A lesson: one finding of one analyst in one trace, with the quote that shows it."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, computed_field

from t2s_pipeline.traces.record import OutcomeStatus

LessonKind = Literal["repair", "prune", "preserve"]

Section = Literal["workflow", "tools", "recovery", "cost"]
"""Placement hint: order of work and checks; what a tool accepts and refuses; what to do when a call
fails; what costs and does not help."""


class Evidence(BaseModel):
    """Where to look. Steps are ATIF step ids, both ends included."""

    model_config = ConfigDict(frozen=True)

    trace_id: str
    first_step: int
    last_step: int
    quote: str


class Signature(BaseModel):
    """What a lesson is about, as fields code can compare. Lessons of one skill with equal signatures
    say the same thing; similarity of wording alone never merges two lessons.
    """

    model_config = ConfigDict(frozen=True)

    pattern: str
    """Kind of finding: `refusal`, `repeat`, `habit`, `order`, `precondition`, … (llm: the analyst's)."""
    tool: str = ""
    """Tool or program the lesson is about; empty when it is about the whole run."""
    trigger: str = ""
    """What sets it off: an error template, a feature, an action; normalised, no task constants."""
    action: str = ""
    """What to do about it, normalised; empty when only the merge can tell."""
    negated: bool = False
    """True when the advice is not to do `action`."""


class Lesson(BaseModel):
    """One finding. `when`, `do`, `because` are sentences; `facts` are the counted values a merge needs."""

    model_config = ConfigDict(frozen=True)

    skill: str
    kind: LessonKind
    engine: Literal["statistical", "llm"]
    analyst: str
    trace_id: str
    """The trace that teaches it (for a contrast: the trace that shows the better side)."""
    task_id: str | None = None
    outcome: OutcomeStatus = "unknown"
    when: str
    do: str
    because: str
    section: Section
    signature: Signature
    facts: dict[str, Any] = {}
    evidence: tuple[Evidence, ...]
    verified: bool = False
    """The fix was re-scored by the task's own verifier and passed."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def lesson_id(self) -> str:
        """`l-` and 16 hex digits of everything the lesson says; equal lessons have equal ids."""
        body = self.model_dump(mode="json", exclude={"lesson_id"})
        digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
        return "l-" + digest.hexdigest()[:16]


class RuleText(BaseModel):
    """The words of a rule. Counts are not part of it: the writer adds the support."""

    model_config = ConfigDict(frozen=True)

    headline: str
    """One imperative sentence, complete on its own. Inline Markdown allowed, no line breaks."""
    detail: str = ""
    """Optional further sentences: what to do exactly, example of what was refused and what worked."""
    support_note: str = ""
    """Optional phrase for what `occurrences` counts, e.g. `refusals`, `repeats`."""
    advice: str = ""
    """Equal for clusters that give the same advice for different triggers; such clusters become one."""


class RefusedLesson(BaseModel):
    """A lesson that did not pass the checks, kept with the reason so that it can be counted and shown."""

    model_config = ConfigDict(frozen=True)

    skill: str
    trace_id: str
    analyst: str
    reason: str
    text: str
