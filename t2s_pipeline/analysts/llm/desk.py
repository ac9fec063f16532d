"""Where analysts sit: what they share, and the one way they put a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from t2s_pipeline.analysts.llm.case import Case
from t2s_pipeline.analysts.llm.draft import LessonDraft
from t2s_pipeline.analysts.llm.prompting import Prompt
from t2s_pipeline.llm.calls import Message
from t2s_pipeline.llm.client import Check, LLMClient
from t2s_pipeline.llm.settings import LLMSettings, Reading
from t2s_pipeline.traces.record import OutcomeStatus

Reply = TypeVar("Reply", bound=BaseModel)

ENDED: dict[OutcomeStatus, str] = {
    "success": "The run reached its goal.",
    "failure": "The run did not reach its goal.",
    "partial": "The run reached its goal only in part.",
    "error": "The run broke off before it reached its goal.",
    "unknown": "Whether the run reached its goal is not known.",
}
"""All that an analyst is told about the outcome: never a reward, never an answer."""


@dataclass(frozen=True)
class Stated:
    """What an analyst states, not yet judged."""

    drafts: Sequence[LessonDraft]
    shown: Sequence[Case]
    """For each draft, the case whose steps it names."""
    taught_by: Case
    """The case the lessons count for."""


@dataclass(frozen=True)
class Desk:
    """The client and the settings an analyst works with."""

    client: LLMClient
    settings: LLMSettings
    reading: Reading | None

    async def ask(
        self,
        analyst: str,
        prompt: Prompt,
        turns: Sequence[Message],
        reply: type[Reply],
        cases: Sequence[Case],
        check: Check[Reply] | None = None,
    ) -> Reply:
        """The reply to a conversation about these cases. Raises CallFailed or BudgetExceeded."""
        record = cases[0].record
        request = self.client.request(
            f"analyst.{analyst}",
            [Message(role="system", content=prompt.text), *turns],
            reply,
            prompt_version=prompt.version,
            skill=record.skill,
            trace_id=record.trace_id,
            about=[case.record.trace_id for case in cases],
        )
        return await self.client.ask(request, reply, check)


def run_message(case: Case, view: str) -> Message:
    """The user message that shows one run."""
    return Message(role="user", content=f"{ENDED[case.record.outcome.status]}\n\n{view}")
