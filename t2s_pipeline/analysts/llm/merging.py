"""Words for a cluster, and judgements about findings, from a model.

Implements what consolidation asks of an engine whose calls cost (`consolidation.merge.InductiveMerger`).
Consolidation calls from several threads; all calls run in one event loop of their own, through one client,
so that limits, budget and cache hold for all of them together.
"""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections import Counter
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.lesson import Lesson, RuleText
from t2s_pipeline.analysts.llm.embedding import EndpointEmbedder
from t2s_pipeline.analysts.llm.guards import problem_with_rule
from t2s_pipeline.analysts.llm.prompting import Prompt, prompt
from t2s_pipeline.consolidation.cluster import LessonMerger, Support
from t2s_pipeline.consolidation.embed import Embedder
from t2s_pipeline.consolidation.merge import Judgement, Stated
from t2s_pipeline.errors import BudgetExceeded
from t2s_pipeline.llm.calls import CallFailed, CallRow, CallStatus, Message
from t2s_pipeline.llm.client import Check, LLMClient
from t2s_pipeline.llm.embeddings import EmbeddingClient
from t2s_pipeline.llm.limits import Clock, SystemClock
from t2s_pipeline.llm.settings import LLMSettings

FAN_IN = 16
"""Lessons of a merge and findings of a judgement: what fits one screen of a prompt."""

Reply = TypeVar("Reply", bound=BaseModel)
Result = TypeVar("Result")


class Unanswered(NamedTuple):
    """A merge or a judgement that the model gave no usable answer to; code decides in its place."""

    analyst: str
    """What was asked: `merge` or `judge`."""
    status: CallStatus
    reason: str


class Fate(BaseModel):
    """What became of one lesson of a merge."""

    model_config = ConfigDict(frozen=True)

    lesson: int
    use: Literal["kept", "merged", "dropped"]
    reason: str


class MergeReply(BaseModel):
    """What a merge replies; `prompts/merge.md` says what the fields mean."""

    model_config = ConfigDict(frozen=True)

    lessons: tuple[Fate, ...]
    usable: bool
    headline: str
    detail: str


class JudgeReply(BaseModel):
    """What a judgement replies, by the numbers of the findings."""

    model_config = ConfigDict(frozen=True)

    groups: tuple[tuple[int, ...], ...]
    opposed: tuple[tuple[int, ...], ...]


class LLMMerger:
    """A context manager; `rows` holds what was noted about its calls.

    `merge` and `judge` raise CallFailed or BudgetExceeded when the endpoint has no usable answer, one repair
    turn included: consolidation then takes deterministic words and asks again another time. `fallback`
    words what needs no model: lessons of the other engine, and a finding with only one wording.
    """

    name = "llm"
    fan_in = FAN_IN

    def __init__(
        self,
        settings: LLMSettings,
        cache_dir: Path,
        fallback: LessonMerger,
        *,
        skill: str,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._skill = skill
        self._fallback = fallback
        clock, rng = clock or SystemClock(), rng or random.Random()
        self._client = LLMClient(settings, cache_dir, clock=clock, rng=rng)
        self._vectors: EmbeddingClient | None = None
        self.embedder: Embedder | None = None
        if settings.embedding_model:
            self._vectors = EmbeddingClient(
                settings, settings.embedding_model, cache_dir, skill=skill, clock=clock, rng=rng
            )
            self.embedder = EndpointEmbedder(self._vectors, self._run)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="merges", daemon=True)
        self._unanswered: dict[str, Unanswered] = {}
        self.concurrency = settings.max_in_flight
        self.version = self._version_with(settings.model or "")

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._run(self._client.__aenter__())
            if self._vectors:
                self._run(self._vectors.__aenter__())
        except BaseException:
            self._end_loop()
            raise
        self.version = self._version_with(self._client.model)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._vectors:
            self._run(self._vectors.__aexit__(kind, error, trace))
        self._run(self._client.__aexit__(kind, error, trace))
        self._end_loop()

    @property
    def rows(self) -> tuple[CallRow, ...]:
        """The calls so far, in a fixed order."""
        rows = [*self._client.rows, *(self._vectors.rows if self._vectors else ())]
        return tuple(sorted(rows, key=lambda row: (row.purpose, row.call_id, row.status)))

    @property
    def model(self) -> str:
        """The model that is asked."""
        return self._client.model

    @property
    def unanswered(self) -> tuple[Unanswered, ...]:
        """What had no usable answer, the last time it was asked, in a fixed order."""
        return tuple(sorted(self._unanswered.values()))

    def merge(self, lessons: Sequence[Lesson], support: Support) -> RuleText | None:
        """The rule that lessons amount to; None when they amount to none."""
        by_model = [lesson for lesson in lessons if lesson.engine == "llm"]
        if not by_model:
            return self._fallback.merge(lessons, support)
        wordings = list({(lesson.when, lesson.do, lesson.because): lesson for lesson in lessons}.values())
        if len(wordings) == 1:
            return own_words(wordings[0])
        shown = "\n\n".join(_lesson_lines(number, le) for number, le in enumerate(wordings, start=1))

        def check(reply: MergeReply) -> str | None:
            return _unaccounted([fate.lesson for fate in reply.lessons], len(wordings)) or (
                problem_with_rule(reply.headline, reply.detail, wordings) if reply.usable else None
            )

        about = sorted({lesson.trace_id for lesson in lessons})
        reply = self._asked("merge", shown, MergeReply, about, check)
        if not reply.usable or all(fate.use == "dropped" for fate in reply.lessons):
            return None
        return RuleText(headline=_one_line(reply.headline), detail=_one_line(reply.detail))

    def judge(self, findings: Sequence[Stated]) -> Judgement:
        """Which findings mean the same, and which contradict each other."""
        shown = "\n\n".join(_finding_lines(number, f) for number, f in enumerate(findings, start=1))

        def check(reply: JudgeReply) -> str | None:
            named = [number for group in reply.groups for number in group]
            strange = [n for pair in reply.opposed for n in pair if not 1 <= n <= len(findings)]
            if strange:
                return f"`opposed` names {strange[0]}, which is no finding"
            return _unaccounted(named, len(findings))

        reply = self._asked("judge", shown, JudgeReply, (), check)
        pairs = {tuple(sorted({n - 1 for n in pair})) for pair in reply.opposed if len(set(pair)) == 2}
        return Judgement(
            same=tuple(sorted(tuple(sorted(n - 1 for n in group)) for group in reply.groups if group)),
            opposed=tuple(sorted((low, high) for low, high in pairs)),
        )

    def _asked(
        self,
        purpose: str,
        shown: str,
        reply: type[Reply],
        about: Sequence[str],
        check: Check[Reply],
    ) -> Reply:
        """The reply; what has none is noted. A question is put again when it had none."""
        try:
            answer = self._run(self._ask(purpose, prompt(purpose), shown, reply, about, check))
        except (CallFailed, BudgetExceeded) as error:
            status: CallStatus = error.status if isinstance(error, CallFailed) else "budget"
            self._unanswered[shown] = Unanswered(purpose, status, str(error))
            raise
        self._unanswered.pop(shown, None)
        return answer

    async def _ask(
        self,
        purpose: str,
        system: Prompt,
        shown: str,
        reply: type[Reply],
        about: Sequence[str],
        check: Check[Reply],
    ) -> Reply:
        messages = [Message(role="system", content=system.text), Message(role="user", content=shown)]
        request = self._client.request(
            purpose, messages, reply, prompt_version=system.version, skill=self._skill, about=about
        )
        return await self._client.ask(request, reply, check)

    def _version_with(self, model: str) -> str:
        settings = self._client.settings
        decides = (prompt("merge").version, prompt("judge").version, self._fallback.version, model)
        return "-".join((*decides, f"{settings.temperature:g}", str(settings.seed)))

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def own_words(lesson: Lesson) -> RuleText:
    """The words of a lesson as a rule."""
    when = lesson.when.strip().rstrip(".,:;")
    headline = (
        lesson.do if when.lower() in lesson.do.lower() else f"{when[:1].upper()}{when[1:]}: {lesson.do}"
    )
    return RuleText(headline=_one_line(headline), detail=_one_line(lesson.because))


def _lesson_lines(number: int, lesson: Lesson) -> str:
    said = {"when": lesson.when, "do": lesson.do, "because": lesson.because}
    return "\n".join((f"lesson {number}", *(f"{name}: {_one_line(text)}" for name, text in said.items())))


def _finding_lines(number: int, finding: Stated) -> str:
    said = finding.signature
    tool = f"\ntool: {said.tool}" if said.tool else ""
    action = said.action or "(what to do differs)"
    return (
        f"finding {number}{tool}\nsituation: {said.trigger}\n{'do not' if said.negated else 'do'}: {action}"
    )


def _unaccounted(named: Sequence[int], expected: int) -> str | None:
    """What is wrong with an account of the numbers 1 to `expected`; None when each is named once."""
    counts = Counter(named)
    missing = sorted(set(range(1, expected + 1)) - counts.keys())
    strange = sorted(counts.keys() - set(range(1, expected + 1)))
    twice = sorted(number for number, count in counts.items() if count > 1)
    for numbers, problem in ((missing, "is missing"), (strange, "was not given"), (twice, "is named twice")):
        if numbers:
            return f"number {numbers[0]} {problem}; name each of 1 to {expected} exactly once"
    return None


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
