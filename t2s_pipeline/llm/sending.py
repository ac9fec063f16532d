"""Gets one prompt answered: in the endpoint's dialect, in its turn, within the budget, however often the
endpoint has to be asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pydantic import ValidationError

from t2s_pipeline.errors import BudgetExceeded
from t2s_pipeline.llm.budget import Budget, Reservation, process_scope
from t2s_pipeline.llm.cache import write_atomically
from t2s_pipeline.llm.calls import CallFailed, Message, Request
from t2s_pipeline.llm.circuit import Circuit
from t2s_pipeline.llm.dialect import PROBE_QUESTION, Dialect, ProbeReply, first_dialect
from t2s_pipeline.llm.endpoint import Endpoint, RawReply, RawVectors, Setback, timed_out
from t2s_pipeline.llm.limits import Clock, Limiter, back_off_s
from t2s_pipeline.llm.parse import Unreadable, parse_reply
from t2s_pipeline.llm.prices import Prices
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline.llm.tokens import estimated_tokens, most_tokens

_PROBE_TRIES = 2
"""Per way to ask for structure: one odd reply must not decide for good."""
_PROBE_TOKENS = 1_000
"""Room for a reasoning model to think before it names a colour."""
_MOST_TIMEOUTS = 2
"""Per call: a model that rambles on does so again when asked the same."""
_TYPICAL_REPLY_TOKENS = 600
"""Assumed for rate limits until the reply tells."""


class Counted(Protocol):
    """A reply that may say what it cost; tokens are None where it does not."""

    @property
    def input_tokens(self) -> int | None: ...
    @property
    def output_tokens(self) -> int | None: ...
    @property
    def cached_tokens(self) -> int | None: ...


Raw = TypeVar("Raw", bound=Counted)


@dataclass(frozen=True)
class Answer(Generic[Raw]):
    """A reply with what it took to get it, over all attempts."""

    raw: Raw
    attempts: int
    latency_s: float
    cost_usd: float | None


class GivenUp(Exception):
    """No reply came; how long was tried."""

    def __init__(self, reason: CallFailed | BudgetExceeded, attempts: int, latency_s: float) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.attempts = attempts
        self.latency_s = latency_s


class Sender:
    """The one way out to an endpoint for a run: shared limiter, shared budget, one dialect."""

    def __init__(
        self,
        settings: LLMSettings,
        model: str,
        endpoint: Endpoint,
        prices: Prices,
        state_dir: Path,
        *,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._settings = settings
        self._model = model
        self._endpoint = endpoint
        self._prices = prices
        self._clock = clock
        self._rng = rng
        self._limiter = Limiter(
            in_flight=settings.max_in_flight,
            requests_per_minute=settings.requests_per_minute,
            tokens_per_minute=settings.tokens_per_minute,
            circuit=Circuit(
                failures_to_open=max(2, settings.max_attempts - 1), outage_limit_s=settings.outage_limit_s
            ),
            clock=clock,
        )
        capped = settings.budget_usd is not None or settings.budget_tokens is not None
        self._budget = Budget(
            usd=settings.budget_usd,
            tokens=settings.budget_tokens,
            path=state_dir / "budgets.sqlite" if capped else None,
            scope=settings.budget_scope or process_scope(),
        )
        name = hashlib.sha256(f"{settings.base_url}\x00{model}".encode()).hexdigest()[:16]
        self._dialect_path = state_dir / "endpoints" / f"{name}.json"
        self._dialect: Dialect | None = None
        self._finding_out = asyncio.Lock()
        self._dead: CallFailed | None = None

    def close(self) -> None:
        """Close the budget's ledger."""
        self._budget.close()

    async def known_dialect(self) -> list[tuple[Request, Answer[RawReply]]]:
        """Find out what the endpoint understands, unless that is known. Returns the probes it took, to be
        noted; everybody who asks meanwhile waits. Raises GivenUp.
        """
        probes: list[tuple[Request, Answer[RawReply]]] = []
        async with self._finding_out:
            if self._dialect is None:
                self._dialect = _remembered(self._dialect_path)
            if self._dialect is None:
                dialect = first_dialect(self._settings)
                if self._settings.output_mode == "auto":
                    dialect = await self._probed(dialect, probes)
                self._remember(dialect)
        return probes

    async def send(self, request: Request, messages: Sequence[Message]) -> Answer[RawReply]:
        """The reply to a prompt. `known_dialect` comes first. Raises GivenUp."""
        before = self._dialect or first_dialect(self._settings)
        answer, dialect = await self._exchange(
            lambda dialect: self._completed(request, messages, dialect), before
        )
        if dialect != before:
            self._remember(dialect)
        return answer

    async def embed(self, texts: Sequence[str]) -> Answer[RawVectors]:
        """The vectors of some texts. Raises GivenUp."""

        async def attempt(_: Dialect) -> tuple[RawVectors, float | None]:
            try:
                return await self._attempt(
                    self._bound(texts, 0),
                    sum(map(estimated_tokens, texts)),
                    lambda: self._endpoint.embed(self._model, texts),
                )
            except Setback as setback:
                if setback.status == "rejected":  # there is no other way to ask
                    raise CallFailed("rejected", setback.reason, fatal=setback.fatal) from setback
                raise

        answer, _ = await self._exchange(attempt, first_dialect(self._settings))
        return answer

    async def _probed(self, dialect: Dialect, probes: list[tuple[Request, Answer[RawReply]]]) -> Dialect:
        request = Request(
            model=self._model,
            messages=(Message(role="user", content=PROBE_QUESTION),),
            reply=ProbeReply,
            temperature=self._settings.temperature,
            seed=self._settings.seed,
            max_output_tokens=_PROBE_TOKENS,
            prompt_version="probe",
            purpose="probe",
            skill="",
        )
        while dialect.output_mode != "text":
            mode = dialect.output_mode
            for _ in range(_PROBE_TRIES):
                answer, dialect = await self._exchange(
                    lambda dialect: self._completed(request, request.messages, dialect), dialect
                )
                probes.append((request, answer))
                if dialect.output_mode == "text" or _fits(answer):
                    return dialect
            if dialect.output_mode == mode:
                dialect = dialect.weaker() or dialect
        return dialect

    async def _exchange(
        self, attempt: Callable[[Dialect], Awaitable[tuple[Raw, float | None]]], dialect: Dialect
    ) -> tuple[Answer[Raw], Dialect]:
        """Attempts until a reply comes, and the dialect it came in. Raises GivenUp."""
        started = self._clock.now()
        attempts = counted = timeouts = 0
        try:
            while True:
                if self._dead is not None:
                    raise self._dead
                try:
                    raw, cost = await attempt(dialect)
                    return Answer(raw, attempts + 1, self._clock.now() - started, cost), dialect
                except Setback as setback:
                    attempts += 1
                    adapted = _adapted(dialect, setback)
                    if adapted is not None:
                        dialect = adapted
                        continue
                    timeouts += setback.status == "timeout"
                    if setback.status == "timeout" or not (setback.outage and self._limiter.in_outage):
                        counted += 1
                    if timeouts >= _MOST_TIMEOUTS:
                        raise CallFailed("timeout", f"{setback} ({attempts} attempts)") from setback
                    await self._wait_or_give_up(setback, counted)
        except (CallFailed, BudgetExceeded) as error:
            if isinstance(error, CallFailed) and error.fatal:
                self._dead = error
            raise GivenUp(error, attempts, self._clock.now() - started) from error

    async def _completed(
        self, request: Request, messages: Sequence[Message], dialect: Dialect
    ) -> tuple[RawReply, float | None]:
        """One attempt at a prompt. Raises Setback."""
        parameters = dialect.parameters(request, messages)
        texts = [message["content"] for message in parameters["messages"]]
        return await self._attempt(
            self._bound([*texts, str(parameters.get("response_format", ""))], request.max_output_tokens),
            sum(map(estimated_tokens, texts)) + _TYPICAL_REPLY_TOKENS,
            lambda: self._endpoint.complete(parameters),
        )

    async def _attempt(
        self, bound: Reservation, expected: int, call: Callable[[], Awaitable[Raw]]
    ) -> tuple[Raw, float | None]:
        """One HTTP call of about the `expected` tokens, its bound reserved before and its cost settled
        after. Raises Setback.
        """
        async with self._limiter.slot(expected):
            await self._budget.reserve(bound)
            spent = bound  # until the endpoint says otherwise
            try:
                async with asyncio.timeout(self._settings.call_timeout_s):
                    raw = await call()
                spent, cost = self._spent(raw, bound)
            except TimeoutError as error:
                self._limiter.unanswered()
                raise timed_out(self._settings) from error
            except Setback as setback:
                spent = bound if setback.billed else Reservation(0.0, 0)
                if setback.outage:
                    self._limiter.unanswered()
                else:
                    self._limiter.answered()
                raise
            finally:
                self._budget.settle(bound, spent)
            self._limiter.answered()
            self._limiter.correct(spent.tokens - expected)
            return raw, cost

    async def _wait_or_give_up(self, setback: Setback, counted: int) -> None:
        limits = self._settings
        asked_s = setback.retry_after_s
        if not setback.retry:
            raise CallFailed(setback.status, setback.reason, fatal=setback.fatal)
        if asked_s is not None and asked_s > limits.max_retry_after_s:
            reason = f"{setback}; it asks to wait {asked_s:.0f} s, more than T2S_MAX_RETRY_AFTER_S"
            raise CallFailed(setback.status, reason, fatal=True)
        if counted >= limits.max_attempts:
            raise CallFailed(setback.status, f"{setback} ({counted} attempts)")
        if asked_s is not None:
            self._limiter.pause(asked_s)
        if counted:
            await self._clock.sleep(back_off_s(counted, self._rng))

    def _bound(self, texts: Sequence[str], max_output_tokens: int) -> Reservation:
        most_in = most_tokens(texts)
        usd = self._prices.cost(most_in, max_output_tokens)
        if usd is None and self._settings.budget_usd is not None:
            raise BudgetExceeded(
                f"T2S_BUDGET_USD is set, but what {self._model} costs at {self._settings.base_url} is not "
                "known: set T2S_PRICE_INPUT and T2S_PRICE_OUTPUT, or T2S_BUDGET_TOKENS instead"
            )
        return Reservation(usd or 0.0, most_in + max_output_tokens)

    def _spent(self, raw: Counted, bound: Reservation) -> tuple[Reservation, float | None]:
        """What a reply cost. Without a count of its tokens the bound stands."""
        if raw.input_tokens is None or raw.output_tokens is None:
            return bound, None
        usd = self._prices.cost(raw.input_tokens, raw.output_tokens, raw.cached_tokens or 0)
        return Reservation(usd or 0.0, raw.input_tokens + raw.output_tokens), usd

    def _remember(self, dialect: Dialect) -> None:
        self._dialect = dialect
        write_atomically(self._dialect_path, dialect.model_dump_json().encode())


def _adapted(dialect: Dialect, setback: Setback) -> Dialect | None:
    if setback.status != "rejected" or setback.fatal:
        return None
    return dialect.without(setback.reason, setback.refused_parameter)


def _fits(answer: Answer[RawReply]) -> bool:
    try:
        parse_reply(answer.raw.text, ProbeReply)
    except Unreadable:
        return False
    return True


def _remembered(path: Path) -> Dialect | None:
    """The dialect found out earlier; deleting the file makes the next run find out again."""
    try:
        return Dialect.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
