"""One gate for all calls of a run: how many at once, how fast, and not at all while the endpoint is down.

Starts are spaced evenly instead of let through in bursts, so in any minute the limits of the endpoint hold,
not only in calendar minutes. Calls pass in the order they came.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from t2s_pipeline.llm.calls import CallFailed
from t2s_pipeline.llm.circuit import Circuit

_MINUTE_S = 60.0
_FIRST_BACK_OFF_S = 0.5
_LONGEST_BACK_OFF_S = 30.0


class Clock(Protocol):
    """Time, to be replaced in tests."""

    def now(self) -> float:
        """Seconds on a monotonic clock."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        ...


class SystemClock:
    """The time of this machine."""

    def now(self) -> float:
        """Seconds on the monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep without blocking the loop."""
        await asyncio.sleep(seconds)


def back_off_s(failures: int, rng: random.Random) -> float:
    """How long to wait after so many failures in a row (at least one): anywhere between nothing and a
    bound that doubles, so that callers which failed together do not come back together.
    """
    return rng.uniform(0, min(_LONGEST_BACK_OFF_S, _FIRST_BACK_OFF_S * 2 ** (failures - 1)))


class Limiter:
    """The gate of one endpoint, shared by everything that calls it in this process."""

    def __init__(
        self,
        *,
        in_flight: int,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        circuit: Circuit,
        clock: Clock,
    ) -> None:
        self._request_s = _MINUTE_S / requests_per_minute if requests_per_minute else 0.0
        self._token_s = _MINUTE_S / tokens_per_minute if tokens_per_minute else 0.0
        self._circuit = circuit
        self._clock = clock
        self._open = asyncio.Semaphore(in_flight)
        self._turn = asyncio.Lock()
        self._trial_over = asyncio.Event()
        self._requests_free = clock.now()
        self._tokens_free = clock.now()
        self._paused_until = clock.now()

    @asynccontextmanager
    async def slot(self, tokens: int) -> AsyncIterator[None]:
        """Hold one of the places in flight, once it is this call's turn to spend about so many tokens.
        Raises CallFailed when the endpoint has been down for too long.
        """
        async with self._open:
            async with self._turn:
                await self._until_free()
                now = self._clock.now()
                self._requests_free = now + self._request_s
                self._tokens_free = now + tokens * self._token_s
                self._circuit.start()
                is_trial = self._circuit.on_trial
            try:
                yield
            finally:
                if is_trial and self._circuit.on_trial:  # left without an outcome: cancelled, no budget
                    self._circuit.on_trial = False
                    self._end_trial()

    def correct(self, tokens: int) -> None:
        """So many tokens more (or fewer, when negative) were spent than the slot was asked for."""
        self._tokens_free += tokens * self._token_s

    def pause(self, seconds: float) -> None:
        """Nothing starts for so long: the endpoint asked for it."""
        self._paused_until = max(self._paused_until, self._clock.now() + seconds)

    def answered(self) -> None:
        """The endpoint gave an answer, be it a refusal."""
        self._circuit.succeed()
        self._end_trial()

    def unanswered(self) -> None:
        """A call failed in a way that tells of the endpoint and not of the call."""
        self._circuit.fail(self._clock.now())
        self._end_trial()

    @property
    def in_outage(self) -> bool:
        """Whether the endpoint counts as down; a call that failed should not hold that against itself."""
        return self._circuit.is_down

    def _end_trial(self) -> None:
        self._trial_over.set()
        self._trial_over = asyncio.Event()

    async def _until_free(self) -> None:
        while True:
            if self._circuit.given_up:
                raise CallFailed(
                    "connection",
                    f"the endpoint has been down for more than {self._circuit.outage_limit_s:.0f} s "
                    "(T2S_OUTAGE_LIMIT_S); run again when it is back, nothing paid is paid again",
                    fatal=True,
                )
            if self._circuit.on_trial:
                await self._trial_over.wait()
                continue
            now = self._clock.now()
            free = max(self._requests_free, self._tokens_free, self._paused_until)
            wait_s = max(free - now, self._circuit.wait_s(now))
            if wait_s <= 0:
                return
            await self._clock.sleep(wait_s)
