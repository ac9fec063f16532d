"""Clocks for tests: one whose time passes only when everybody sleeps, and one whose waits are short."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Coroutine
from typing import Any, TypeVar

from t2s_pipeline.llm.limits import SystemClock

Result = TypeVar("Result")

_ROUNDS = 60
"""Rounds of the event loop after which every task that can run has run, in tests of this size."""


class QuickClock(SystemClock):
    """Real time, with waits cut to a hundredth, so that back-offs of a minute pass in a test."""

    async def sleep(self, seconds: float) -> None:
        """Sleep a hundredth of the time."""
        await super().sleep(seconds / 100)


class FakeClock:
    """Implements `t2s_pipeline.llm.limits.Clock`."""

    def __init__(self) -> None:
        self._now = 0.0
        self._order = 0
        self._sleeping: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Seconds since the clock was made."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Sleep until the clock is driven past the time to wake up."""
        woken = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._sleeping, (self._now + max(0.0, seconds), self._order, woken))
        await woken

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of `work`, with time passing as fast as its sleeps allow."""
        return asyncio.run(self._driven(work))

    async def _driven(self, work: Coroutine[Any, Any, Result]) -> Result:
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(_ROUNDS):
                await asyncio.sleep(0)
            if self._sleeping and not task.done():
                due, _, woken = heapq.heappop(self._sleeping)
                self._now = max(self._now, due)
                if not woken.done():
                    woken.set_result(None)
        return await task
