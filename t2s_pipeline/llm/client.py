"""Asks a model for a structured reply: from the cache when it was paid for, else from the endpoint.

A reply that cannot be used gets one repair turn that says what is wrong; then the question fails with a
reason, and the reply is kept.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from weakref import WeakValueDictionary

from pydantic import BaseModel

from t2s_pipeline.errors import BudgetExceeded
from t2s_pipeline.llm.cache import StoredReply, replies_in
from t2s_pipeline.llm.calls import CallFailed, CallRow, CallStatus, Message, Request
from t2s_pipeline.llm.endpoint import Endpoint, RawReply, Setback
from t2s_pipeline.llm.limits import Clock, back_off_s
from t2s_pipeline.llm.parse import Unreadable, parse_cut_off, parse_reply
from t2s_pipeline.llm.prices import prices_for
from t2s_pipeline.llm.sending import Answer, GivenUp, Sender
from t2s_pipeline.llm.settings import DEFAULT_MODEL, LLMSettings

Reply = TypeVar("Reply", bound=BaseModel)
Check = Callable[[Reply], str | None]
"""A test of a reply beyond its model: None when it can be used, else what is wrong with it."""

_REPAIR_SHOWS = 4_000
"""Characters of a useless reply that its repair turn shows to the model."""
_MODEL_LIST_TRIES = 4


class LLMClient:
    """One endpoint, one model, one cache, one budget. An asynchronous context manager, used inside one
    event loop; `rows` holds what was noted about every call so far.
    """

    def __init__(self, settings: LLMSettings, cache_dir: Path, *, clock: Clock, rng: random.Random) -> None:
        self.settings = settings
        self.model = settings.model or ""
        self.rows: list[CallRow] = []
        self._cache_dir = cache_dir
        self._cache = replies_in(cache_dir)
        self._clock = clock
        self._rng = rng
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def __aenter__(self) -> Self:
        self._endpoint = Endpoint(self.settings)
        if not self.model:
            self.model = await self._listed_model()
        self._sender = Sender(
            self.settings,
            self.model,
            self._endpoint,
            prices_for(self.settings, self.model),
            self._cache_dir,
            clock=self._clock,
            rng=self._rng,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sender.close()
        await self._endpoint.close()

    def request(
        self,
        purpose: str,
        messages: Sequence[Message],
        reply: type[BaseModel],
        *,
        prompt_version: str,
        skill: str,
        trace_id: str | None = None,
        about: Sequence[str] = (),
    ) -> Request:
        """A question with this client's model and parameters."""
        return Request(
            model=self.model,
            messages=tuple(messages),
            reply=reply,
            temperature=self.settings.temperature,
            seed=self.settings.seed,
            max_output_tokens=self.settings.max_output_tokens,
            prompt_version=prompt_version,
            purpose=purpose,
            skill=skill,
            trace_id=trace_id,
            about=tuple(about),
        )

    async def ask(self, request: Request, reply: type[Reply], check: Check[Reply] | None = None) -> Reply:
        """The reply to a question, validated. Raises CallFailed or BudgetExceeded; either way the calls
        are in `rows`.
        """
        key = request.key()
        lock = self._asking.setdefault(key, asyncio.Lock())
        async with lock:  # the same question twice at once is asked once
            stored = self._cache.get(key)
            if stored is not None:
                try:
                    usable = _usable(stored.text, reply, check)
                except Unreadable:
                    pass  # the checks have become stricter since
                else:
                    self._note(request, key, stored, from_cache=True)
                    return usable
            return await self._ask_endpoint(request, key, reply, check)

    async def _ask_endpoint(
        self, request: Request, key: str, reply: type[Reply], check: Check[Reply] | None
    ) -> Reply:
        messages = request.messages
        answers: list[Answer[RawReply]] = []
        status: CallStatus = "invalid"
        problem = ""
        for turn in ("", "-r"):
            answer = await self._sent(request, messages, key, turn)
            answers.append(answer)
            try:
                usable, text = _read(answer.raw, reply, check, last=bool(turn))
            except Unreadable as error:
                status, problem = _judged(answer.raw, str(error))
                self._note(request, key, _stored(request, [answer]), turn=turn, status=status, error=problem)
                messages = (*request.messages, *_repair(answer.raw, problem))
                continue
            self._cache.put(key, _stored(request, answers).model_copy(update={"text": text}))
            self._note(request, key, _stored(request, [answer]), turn=turn)
            return usable
        useless = _stored(request, answers).model_copy(update={"problem": problem})
        kept = self._cache.keep_failed(key, useless)
        where = kept.relative_to(self._cache_dir)
        raise CallFailed(status, f"{problem} (after one repair turn; the reply is kept in {where})")

    async def _sent(
        self, request: Request, messages: Sequence[Message], key: str, turn: str
    ) -> Answer[RawReply]:
        try:
            for probe, answer in await self._sender.known_dialect():
                self._note(probe, probe.key(), _stored(probe, [answer]))
            return await self._sender.send(request, messages)
        except GivenUp as given_up:
            reason = given_up.reason
            lost = StoredReply(text="", latency_s=given_up.latency_s, attempts=given_up.attempts)
            status: CallStatus = "budget" if isinstance(reason, BudgetExceeded) else reason.status
            if given_up.attempts:
                self._note(request, key, lost, turn=turn, status=status, error=str(reason))
            raise reason from given_up

    def _note(
        self,
        request: Request,
        key: str,
        reply: StoredReply,
        *,
        turn: str = "",
        from_cache: bool = False,
        status: CallStatus = "ok",
        error: str | None = None,
    ) -> None:
        row = CallRow(
            call_id=f"m-{key[:24]}{turn}",
            purpose=request.purpose,
            skill=request.skill,
            trace_id=request.trace_id,
            model=request.model,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            cached_tokens=reply.cached_tokens,
            cost_usd=reply.cost_usd,
            latency_s=reply.latency_s,
            attempts=reply.attempts,
            from_cache=from_cache,
            status=status,
            error=error,
        )
        self.rows.append(row)

    async def _listed_model(self) -> str:
        """The only model the endpoint lists, or the default. Raises CallFailed when nobody answers."""
        failures = 0
        while True:
            try:
                names = await self._endpoint.models()
                return names[0] if len(names) == 1 else DEFAULT_MODEL
            except Setback as setback:
                failures += 1
                if failures >= _MODEL_LIST_TRIES:
                    raise CallFailed(setback.status, setback.reason, fatal=True) from setback
                await self._clock.sleep(back_off_s(failures, self._rng))


def _usable(text: str, reply: type[Reply], check: Check[Reply] | None) -> Reply:
    parsed = parse_reply(text, reply)
    problem = check(parsed) if check is not None else None
    if problem is not None:
        raise Unreadable(problem)
    return parsed


def _read(raw: RawReply, reply: type[Reply], check: Check[Reply] | None, *, last: bool) -> tuple[Reply, str]:
    """The reply and the text to keep of it. Of a reply that is cut off even on the last turn, what it says
    completely is taken: better a lesson less than none.
    """
    try:
        return _usable(raw.text, reply, check), raw.text
    except Unreadable:
        if not last or raw.finish_reason != "length":
            raise
    text = parse_cut_off(raw.text, reply).model_dump_json()
    return _usable(text, reply, check), text


def _judged(raw: RawReply, problem: str) -> tuple[CallStatus, str]:
    """What kind of useless reply it is, in words that help both a person and the model."""
    if raw.refusal is not None or raw.finish_reason == "content_filter":
        return "refused", f"the model declined: {raw.refusal or 'content filter'}"
    if not raw.text.strip():
        return "empty", "the reply is empty"
    if raw.finish_reason == "length":
        return "truncated", "the reply was cut off at its limit of tokens; answer more briefly"
    return "invalid", problem


def _repair(raw: RawReply, problem: str) -> list[Message]:
    """The turn that asks again."""
    shown = [Message(role="assistant", content=raw.text[:_REPAIR_SHOWS])] if raw.text.strip() else []
    words = f"That reply cannot be used: {problem}. Reply again with one JSON object of the form asked for."
    return [*shown, Message(role="user", content=words)]


def _stored(request: Request, answers: Sequence[Answer[RawReply]]) -> StoredReply:
    """The last answer with what all of them cost together."""
    costs = [answer.cost_usd for answer in answers]
    return StoredReply(
        text=answers[-1].raw.text,
        about=request.about,
        input_tokens=_total([answer.raw.input_tokens for answer in answers]),
        output_tokens=_total([answer.raw.output_tokens for answer in answers]),
        cached_tokens=_total([answer.raw.cached_tokens for answer in answers]),
        cost_usd=sum(cost for cost in costs if cost is not None) if None not in costs else None,
        latency_s=sum(answer.latency_s for answer in answers),
        attempts=sum(answer.attempts for answer in answers),
    )


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
