"""What an endpoint understands of Chat Completions, found out by asking it.

Endpoints that call themselves compatible differ in how a structured reply is asked for and in which
parameters they refuse. A dialect starts with everything and only ever loses, so finding it ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.llm.calls import Message, Request
from t2s_pipeline.llm.endpoint import TOO_LONG
from t2s_pipeline.llm.schema import response_format, schema_in_words
from t2s_pipeline.llm.settings import OPENAI_URL, LLMSettings, OutputMode

_WEAKER: dict[OutputMode, OutputMode] = {"json_schema": "json_object", "json_object": "text"}
_FORMAT = re.compile(
    r"response_format|json_schema|json_object|json mode|schema|grammar|guided", re.IGNORECASE
)
_SYSTEM_ROLE = re.compile(r"system role|role.{0,20}system|system message", re.IGNORECASE)


class Dialect(BaseModel):
    """How questions are put to one model behind one endpoint."""

    model_config = ConfigDict(frozen=True)

    output_mode: OutputMode = "json_schema"
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """Newer OpenAI models refuse the first, most other servers do not know the second."""
    temperature: bool = True
    seed: bool = True
    system_role: bool = True

    def parameters(self, request: Request, messages: Sequence[Message]) -> dict[str, Any]:
        """The parameters of the HTTP call."""
        wire: dict[str, Any] = {
            "model": request.model,
            "messages": [message.model_dump() for message in self._shaped(request, messages)],
            self.limit: request.max_output_tokens,
        }
        if self.temperature:
            wire["temperature"] = request.temperature
        if self.seed and request.seed is not None:
            wire["seed"] = request.seed
        if self.output_mode == "json_schema":
            wire["response_format"] = response_format(request.reply)
        elif self.output_mode == "json_object":
            wire["response_format"] = {"type": "json_object"}
        return wire

    def without(self, refusal: str, parameter: str | None) -> Dialect | None:
        """The dialect to use after the endpoint refused a call with these words (and named a parameter,
        when it did); None when the refusal is about the question and not about how it was put.
        """
        named = parameter or refusal
        if TOO_LONG.search(refusal):
            return None
        if "max_tokens" in named and self.limit == "max_tokens":
            return self.model_copy(update={"limit": "max_completion_tokens"})
        if "temperature" in named and self.temperature:
            return self.model_copy(update={"temperature": False})
        if re.search(r"\bseed\b", named) and self.seed:
            return self.model_copy(update={"seed": False})
        if _FORMAT.search(named):
            return self.weaker()
        if _SYSTEM_ROLE.search(refusal) and self.system_role:
            return self.model_copy(update={"system_role": False})
        return None

    def weaker(self) -> Dialect | None:
        """The same with the next weaker way to ask for structure; None below plain text."""
        mode = _WEAKER.get(self.output_mode)
        return self.model_copy(update={"output_mode": mode}) if mode else None

    def _shaped(self, request: Request, messages: Sequence[Message]) -> list[Message]:
        shaped = list(messages)
        if self.output_mode != "json_schema":
            first = shaped[0]
            words = f"{first.content}\n\n{schema_in_words(request.reply)}"
            shaped[0] = Message(role=first.role, content=words)
        if not self.system_role and shaped[0].role == "system" and len(shaped) > 1:
            joined = f"{shaped[0].content}\n\n{shaped[1].content}"
            shaped[:2] = [Message(role="user", content=joined)]
        return shaped


def first_dialect(settings: LLMSettings) -> Dialect:
    """Where finding out begins."""
    return Dialect(
        output_mode="json_schema" if settings.output_mode == "auto" else settings.output_mode,
        limit="max_completion_tokens" if settings.base_url == OPENAI_URL else "max_tokens",
    )


class ProbeReply(BaseModel):
    """What the probe asks for. The question does not say so: only an endpoint that enforces the schema
    answers in this form.
    """

    colour: Literal["red", "green", "blue"]
    is_warm: bool


PROBE_QUESTION = "What is the colour of a clear sky at noon?"
