"""What is asked of a model, what is noted about every call, and how a call fails."""

from __future__ import annotations

import hashlib
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict

from t2s_pipeline.errors import EndpointError
from t2s_pipeline.llm.schema import strict_schema

CallStatus = Literal[
    "ok", "invalid", "truncated", "refused", "empty",
    "rate_limited", "timeout", "connection", "server_error", "rejected", "budget",
]  # fmt: skip
"""`invalid` to `empty`: a reply came and could not be used. The rest: no reply came."""


class Message(BaseModel):
    """One message of a prompt."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str


class Request(BaseModel):
    """One question. Everything that can change the reply is in the key; what it is for is not."""

    model_config = ConfigDict(frozen=True)

    model: str
    messages: tuple[Message, ...]
    reply: type[BaseModel]
    temperature: float
    seed: int | None
    max_output_tokens: int
    prompt_version: str

    purpose: str
    """Who asks: `analyst.error`, `merge`; for the books."""
    skill: str
    trace_id: str | None = None
    about: tuple[str, ...] = ()
    """Ids of all traces whose text is in the messages."""

    def key(self) -> str:
        """Hash of every parameter of the question: equal keys, equal questions."""
        asked = self.model_dump(
            include={"model", "messages", "temperature", "seed", "max_output_tokens", "prompt_version"}
        )
        asked |= {"schema": strict_schema(self.reply), "schema_name": self.reply.__name__}
        return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


class CallRow(BaseModel):
    """One row of `llm_calls` without its batch. A reply from the cache shows what it cost when it was paid
    for; `from_cache` tells that this run did not pay.
    """

    model_config = ConfigDict(frozen=True)

    call_id: str
    """`m-` and hex digits of the question's key; `-r` for the one repair turn of a question."""
    purpose: str
    skill: str
    trace_id: str | None
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cost_usd: float | None
    latency_s: float
    attempts: int
    from_cache: bool
    status: CallStatus
    error: str | None


class CallFailed(EndpointError):
    """A question that got no usable reply. `fatal` when no other question would get one either."""

    def __init__(self, status: CallStatus, reason: str, *, fatal: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.fatal = fatal
