"""Lessons, clusters and small engines for the tests of this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
from hypothesis import strategies as st

from t2s_pipeline.analysts.lesson import Evidence, Lesson, LessonKind, RuleText, Section, Signature
from t2s_pipeline.consolidation.cluster import Support
from t2s_pipeline.consolidation.embed import Embedder, Vectors, quantised
from t2s_pipeline.consolidation.findings import Exact, exact_of, said_by
from t2s_pipeline.consolidation.merge import Judgement, Stated
from t2s_pipeline.errors import EndpointError

SKILL = "airline"


def lesson(
    trace: int | str = 1,
    *,
    task: str | None = "task-1",
    kind: LessonKind = "repair",
    engine: str = "statistical",
    pattern: str = "refusal",
    tool: str = "book_reservation",
    trigger: str = "payment amount does not add up",
    action: str = "",
    negated: bool = False,
    outcome: str = "failure",
    when: str = "calling `book_reservation`",
    do: str = "Compute the total first.",
    because: str = "it was refused",
    section: Section = "tools",
    verified: bool = False,
    facts: Mapping[str, Any] | None = None,
    skill: str = SKILL,
    evidence: bool = True,
) -> Lesson:
    """One lesson; every argument has a value that passes."""
    trace_id = trace if isinstance(trace, str) else f"t-{trace:016x}"
    shown = (Evidence(trace_id=trace_id, first_step=1, last_step=2, quote="does not add up"),)
    return Lesson.model_validate(
        {
            "skill": skill,
            "kind": kind,
            "engine": engine,
            "analyst": "repair",
            "trace_id": trace_id,
            "task_id": task,
            "outcome": outcome,
            "when": when,
            "do": do,
            "because": because,
            "section": section,
            "signature": Signature(
                pattern=pattern, tool=tool, trigger=trigger, action=action, negated=negated
            ),
            "facts": dict(facts or {}),
            "evidence": shown if evidence else (),
            "verified": verified,
        }
    )


def worded(trace: int | str = 1, **fields: Any) -> Lesson:
    """A lesson that a model worded."""
    return lesson(trace, engine="llm", **fields)


def by_id(*lessons: Lesson) -> dict[str, Lesson]:
    return {one.lesson_id: one for one in lessons}


def exact(*lessons: Lesson) -> list[Exact]:
    return exact_of(said_by(one.lesson_id, one) for one in lessons)


class SpellingEmbedder:
    """Counts of three letters in a row: sees spelling and not meaning, and has no weights to load."""

    name = "spelling"
    texts_at_once = 100
    concurrency = 1

    def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), 256), dtype=np.int8)
        for row, text in enumerate(texts):
            counts = np.zeros(256)
            for start in range(len(text) - 2):
                counts[crc32(text[start : start + 3].encode()) % 256] += 1
            vectors[row] = quantised(counts)
        return vectors


class PlainMerger:
    """Words that depend on every lesson and on the support, so that any difference shows."""

    name = "plain"
    version = "1"

    def merge(self, lessons: Sequence[Lesson], support: Support) -> RuleText | None:
        first = lessons[0]
        if first.do == "":
            return None
        advice = str(first.facts.get("advice", ""))
        detail = " ".join(sorted({one.because for one in lessons}))
        return RuleText(headline=first.do, detail=f"{detail} {support.traces}", advice=advice)


class RaisingMerger:
    """An engine that never answers."""

    name = "raising"
    version = "1"

    def __init__(self, error: Exception) -> None:
        self._error = error

    def merge(self, *_: object) -> RuleText | None:
        raise self._error


@dataclass
class CostlyMerger:
    """An engine whose calls are counted: joins what shares its first word, on request fails."""

    name: str = "costly"
    version: str = "1"
    fan_in: int = 4
    concurrency: int = 2
    embedder: Embedder | None = None
    failures: int = 0
    """Calls that fail before the first that works."""
    merges: list[int] = field(default_factory=list)
    judged: list[int] = field(default_factory=list)

    def merge(self, lessons: Sequence[Lesson], support: Support) -> RuleText | None:
        self.merges.append(len(lessons))
        self._perhaps_fail()
        headline = " / ".join(sorted({one.do for one in lessons}))
        return RuleText(headline=headline, detail=f"{support.traces}")

    def judge(self, findings: Sequence[Stated]) -> Judgement:
        self.judged.append(len(findings))
        self._perhaps_fail()
        groups: dict[str, list[int]] = {}
        for position, finding in enumerate(findings):
            groups.setdefault(finding.signature.trigger.split(" ")[0], []).append(position)
        return Judgement(same=tuple(tuple(group) for group in groups.values()))

    def _perhaps_fail(self) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise EndpointError("no usable answer")


_PHRASES = (
    "payment amount does not add up",
    "payment amount does not add up for this reservation",
    "payment amount does add up",
    "certificate cannot be used to update the reservation",
    "certificate cannot be used to update reservation 12",
    "no such column",
    "",
)
_ACTIONS = ("", "compute the total first", "never compute the total first", "ask the user")

any_lesson = st.builds(
    lesson,
    st.integers(1, 12),
    task=st.sampled_from([None, "a", "b", "c"]),
    kind=st.sampled_from(["repair", "prune", "preserve"]),
    engine=st.sampled_from(["statistical", "statistical", "llm"]),
    pattern=st.sampled_from(["refusal", "habit"]),
    tool=st.sampled_from(["book", "cancel"]),
    trigger=st.sampled_from(_PHRASES),
    action=st.sampled_from(_ACTIONS),
    negated=st.booleans(),
    outcome=st.sampled_from(["success", "failure", "unknown"]),
    do=st.sampled_from(["Compute it.", "Ask.", "Ask.", ""]),
    because=st.sampled_from(["one", "two"]),
    section=st.sampled_from(["tools", "recovery"]),
    verified=st.sampled_from([False, False, False, True]),
    facts=st.sampled_from([{}, {}, {"count": 3}, {"agent": "x"}, {"agent": "y"}, {"advice": "compute"}]),
    evidence=st.sampled_from([True, True, True, False]),
)
"""Lessons from few words, so that many say the same, nearly the same, or the opposite."""

some_lessons = st.lists(any_lesson, max_size=40)
