"""Asks an endpoint for the vectors of texts, within the limits and the budget of all that it is asked."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from t2s_pipeline.errors import BudgetExceeded
from t2s_pipeline.llm.calls import CallFailed, CallRow, CallStatus
from t2s_pipeline.llm.endpoint import Endpoint, RawVectors
from t2s_pipeline.llm.limits import Clock
from t2s_pipeline.llm.prices import prices_for
from t2s_pipeline.llm.sending import Answer, GivenUp, Sender
from t2s_pipeline.llm.settings import LLMSettings

MOST_TEXTS = 32
"""Texts in one question: the smallest limit among the servers there are."""
MOST_CHARACTERS = 2_000
"""Of a text that are sent; the models there are read at least 512 tokens."""


class EmbeddingClient:
    """One endpoint and one embedding model. An asynchronous context manager, used inside one event loop;
    `rows` holds what was noted about every call so far. Keeps no replies: who asks does.
    """

    def __init__(
        self,
        settings: LLMSettings,
        model: str,
        state_dir: Path,
        *,
        skill: str,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.settings = settings
        self.model = model
        self.rows: list[CallRow] = []
        self._state_dir = state_dir
        self._skill = skill
        self._clock = clock
        self._rng = rng

    async def __aenter__(self) -> Self:
        self._endpoint = Endpoint(self.settings)
        prices = prices_for(self.settings, self.model)
        self._sender = Sender(
            self.settings,
            self.model,
            self._endpoint,
            prices,
            self._state_dir,
            clock=self._clock,
            rng=self._rng,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sender.close()
        await self._endpoint.close()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of at most MOST_TEXTS texts, in their order.

        Raises:
            CallFailed: no vectors came; the message says what to set.
            BudgetExceeded: the next call could overrun the budget.
        """
        sent = [text[:MOST_CHARACTERS] for text in texts]
        try:
            answer = await self._sender.embed(sent)
        except GivenUp as given_up:
            reason = given_up.reason
            status: CallStatus = "budget" if isinstance(reason, BudgetExceeded) else reason.status
            if given_up.attempts:
                self._note(sent, None, given_up.attempts, given_up.latency_s, status, str(reason))
            if isinstance(reason, BudgetExceeded):
                raise reason from given_up
            raise CallFailed(status, self._advice(reason), fatal=reason.fatal) from given_up
        self._note(sent, answer, answer.attempts, answer.latency_s)
        return answer.raw.vectors

    def _advice(self, reason: CallFailed) -> str:
        return (
            f"No embeddings from {self.settings.base_url}: {reason}. T2S_EMBEDDING_MODEL={self.model} has to "
            "name an embedding model of this endpoint; unset it for the vectors that come with the package."
        )

    def _note(
        self,
        texts: Sequence[str],
        answer: Answer[RawVectors] | None,
        attempts: int,
        latency_s: float,
        status: CallStatus = "ok",
        error: str | None = None,
    ) -> None:
        key = hashlib.sha256(orjson.dumps([self.model, texts])).hexdigest()
        row = CallRow(
            call_id=f"m-{key[:24]}",
            purpose="embed",
            skill=self._skill,
            trace_id=None,
            model=self.model,
            input_tokens=answer.raw.input_tokens if answer else None,
            output_tokens=answer.raw.output_tokens if answer else None,
            cached_tokens=None,
            cost_usd=answer.cost_usd if answer else None,
            latency_s=latency_s,
            attempts=attempts,
            from_cache=False,
            status=status,
            error=error,
        )
        self.rows.append(row)
