"""The words of each cluster, from the engine; kept by node so that only what changed is asked again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from rapidfuzz import fuzz, process

from t2s_pipeline.analysts.lesson import Lesson, LessonKind, Signature
from t2s_pipeline.consolidation.cluster import LessonMerger, RuleText, Support
from t2s_pipeline.consolidation.embed import Embedder
from t2s_pipeline.consolidation.nodes import Nodes, node_key
from t2s_pipeline.consolidation.support import count_support
from t2s_pipeline.errors import BudgetExceeded, T2SError

ATTEMPTS = 2
"""Times an engine is asked for one node before the deterministic words are taken."""
MEDOID_SAMPLE = 64
"""Lessons among which the most typical one is looked for; the comparison is quadratic."""


class Stated(BaseModel):
    """One finding as an engine that judges sees it."""

    model_config = ConfigDict(frozen=True)

    kind: LessonKind
    signature: Signature


class Judgement(BaseModel):
    """What an engine says about the findings of one topic, by their position."""

    model_config = ConfigDict(frozen=True)

    same: tuple[tuple[int, ...], ...]
    """Every position exactly once; those that stand together say the same thing."""
    opposed: tuple[tuple[int, int], ...] = ()
    """Pairs that give opposite advice for the same situation."""


@runtime_checkable
class InductiveMerger(LessonMerger, Protocol):
    """An engine whose calls cost: it reads at most `fan_in` things per call, and in return can tell which
    findings of a topic mean the same although their words differ.
    """

    fan_in: int
    """Lessons per `merge` and findings per `judge`; 16 is a good size."""
    concurrency: int
    """Calls that may run at the same time, from threads."""
    embedder: Embedder | None
    """What tells which findings to judge together; None for the vectors that come with the package."""

    def judge(self, findings: Sequence[Stated]) -> Judgement:
        """Which of up to `fan_in` findings say the same, and which contradict each other.

        Raises:
            T2SError, ValueError: no usable answer.
        """
        ...


@dataclass(frozen=True)
class Effort:
    """What words and judgements took."""

    asked: int = 0
    """Calls of the engine, retries included."""
    kept: int = 0
    """Answers taken from storage."""
    fallbacks: int = 0
    """Nodes whose engine gave no usable answer, so that the deterministic one stands."""

    @classmethod
    def over(cls, efforts: Iterable[Effort]) -> Effort:
        """All of them together."""
        asked = kept = fallbacks = 0
        for one in efforts:
            asked += one.asked
            kept += one.kept
            fallbacks += one.fallbacks
        return cls(asked, kept, fallbacks)


@dataclass(frozen=True)
class Answer:
    """What a node came to."""

    text: RuleText | None
    effort: Effort
    node: str = ""
    """Key of the node, where its answer cost something and is kept."""


def worded_by_model(lessons: Sequence[Lesson]) -> bool:
    """Whether a model worded any of the lessons: only then does an engine that costs ask its model."""
    return any(lesson.engine == "llm" for lesson in lessons)


def words_for(
    groups: Sequence[tuple[Sequence[Lesson], Support]], merger: LessonMerger, nodes: Nodes
) -> list[Answer]:
    """Words for each group of lessons (sorted by id), in the same order; None where there is no advice.

    Where words cost, the engine reads a sample of a large group, and is asked only for nodes it has not
    answered before. An engine that fails twice on a node leaves it to the most typical lesson's own words;
    that is not kept, so the next consolidation asks again.
    """

    if not isinstance(merger, InductiveMerger):
        return [_asked_words(lessons, support, merger) for lessons, support in groups]
    inductive = merger

    def answer(group: tuple[Sequence[Lesson], Support]) -> Answer:
        lessons, support = group
        if worded_by_model(lessons):
            return _kept_words(spread(lessons, inductive.fan_in), inductive, nodes)
        return _asked_words(lessons, support, inductive)

    return in_threads(answer, groups, inductive.concurrency)


def typical_words(lessons: Sequence[Lesson]) -> RuleText:
    """The own words of the lesson that is most like the others; ties go to the first."""
    lesson = lessons[0]
    texts = [f"{lesson.when} {lesson.do}" for lesson in lessons[:MEDOID_SAMPLE]]
    if len(set(texts)) > 1:
        closeness = process.cdist(texts, texts, scorer=fuzz.token_sort_ratio).sum(axis=1)
        lesson = lessons[int(closeness.argmax())]
    return RuleText(headline=_one_line(_advice(lesson)), detail=_one_line(lesson.because))


def spread(lessons: Sequence[Lesson], most: int) -> list[Lesson]:
    """At most `most` lessons, from as many tasks as possible, by id within each task.

    Few lessons of a large group are among them, so a new lesson seldom changes what an engine reads.
    """
    if len(lessons) <= most:
        return list(lessons)
    seen: dict[str, int] = {}
    ranked = []
    for lesson in sorted(lessons, key=lambda lesson: lesson.lesson_id):
        task = lesson.task_id if lesson.task_id is not None else lesson.trace_id
        seen[task] = seen.get(task, 0) + 1
        ranked.append((seen[task], lesson.lesson_id, lesson))
    chosen = sorted(ranked, key=lambda entry: entry[:2])[:most]
    return sorted((lesson for _, _, lesson in chosen), key=lambda lesson: lesson.lesson_id)


Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Iterable[Item], concurrency: int) -> list[Result]:
    """Results in the order of the items, with up to `concurrency` running at once."""
    with ThreadPoolExecutor(max_workers=max(1, concurrency)) as pool:
        return list(pool.map(work, items))


def ask(call: Callable[[], Result]) -> tuple[Result | None, int, bool]:
    """The answer of an engine, the calls made, and whether there is one; a failure is tried once more."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return call(), attempt, True
        except BudgetExceeded:
            return None, attempt, False
        except (T2SError, ValueError):
            continue
    return None, ATTEMPTS, False


_TEXT: TypeAdapter[RuleText | None] = TypeAdapter(RuleText | None)


def _kept_words(lessons: Sequence[Lesson], merger: LessonMerger, nodes: Nodes) -> Answer:
    # The support the engine sees is that of the sample: what it reads is exactly what the key covers.
    key = node_key("finding", [lesson.lesson_id for lesson in lessons], merger.name, merger.version)
    body = nodes.get(key)
    if body is not None:
        try:
            return Answer(_TEXT.validate_json(body), Effort(kept=1), key)
        except ValidationError:
            pass  # damaged on disk: ask again and overwrite it
    answer = _asked_words(lessons, count_support(lessons), merger)
    if not answer.effort.fallbacks:
        nodes.put(key, _TEXT.dump_json(answer.text))
    return replace(answer, node=key)


def _asked_words(lessons: Sequence[Lesson], support: Support, merger: LessonMerger) -> Answer:
    text, calls, answered = ask(lambda: merger.merge(lessons, support))
    if answered:
        return Answer(text, Effort(asked=calls))
    return Answer(typical_words(lessons), Effort(asked=calls, fallbacks=1))


def _advice(lesson: Lesson) -> str:
    when = lesson.when.strip().rstrip(".,:;")
    if not when or lesson.do.lower().startswith(when.lower()):
        return lesson.do
    return f"{when[0].upper()}{when[1:]}: {lesson.do}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
