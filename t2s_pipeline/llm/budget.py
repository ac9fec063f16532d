"""A cap on what a run may spend, which no number of concurrent calls can overrun.

Before a call its upper bound is reserved; after it the bound is replaced by what it really cost. What is
spent and what is reserved together never exceed the cap. Money is kept in whole billionths of a dollar:
sums of floats drift.
"""

from __future__ import annotations

import asyncio
import math
import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from t2s_pipeline.errors import BudgetExceeded

_NANO = 1_000_000_000
_NO_CAP = 2**62
_LOCK_WAIT_S = 30.0

_TABLE = """
CREATE TABLE IF NOT EXISTS budget (
    scope   TEXT PRIMARY KEY,
    usd     INTEGER NOT NULL DEFAULT 0,  -- spent and reserved, billionths of a dollar
    tokens  INTEGER NOT NULL DEFAULT 0
)
"""
_OPEN = "INSERT OR IGNORE INTO budget (scope) VALUES (?)"
_RESERVE = """
UPDATE budget SET usd = usd + :usd, tokens = tokens + :tokens
WHERE scope = :scope AND usd + :usd <= :cap_usd AND tokens + :tokens <= :cap_tokens
"""
_CHANGE = "UPDATE budget SET usd = usd + :usd, tokens = tokens + :tokens WHERE scope = :scope"


_STARTED = time.time_ns()


def process_scope() -> str:
    """A scope that everything in this process shares and no other process ever has."""
    return f"process {os.getpid()} of {_STARTED}"


@dataclass(frozen=True)
class Reservation:
    """An upper bound that is set aside for one call."""

    usd: float
    tokens: int


class Budget:
    """The ledger of one run. With a path and a scope, several processes share one; what a killed process
    had reserved stays counted, since it may have been spent.
    """

    def __init__(
        self, *, usd: float | None, tokens: int | None, path: Path | None = None, scope: str = "run"
    ) -> None:
        self._cap_usd = _NO_CAP if usd is None else math.floor(usd * _NANO)
        self._cap_tokens = _NO_CAP if tokens is None else tokens
        self._scope = scope
        self._open_reservations = 0
        self._settled = asyncio.Event()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._ledger = sqlite3.connect(path or ":memory:", timeout=_LOCK_WAIT_S, isolation_level=None)
        self._ledger.execute(_TABLE)
        self._ledger.execute(_OPEN, (scope,))

    async def reserve(self, bound: Reservation) -> None:
        """Set the bound of a call aside. Waits while calls in flight may still turn out cheaper than
        reserved; raises BudgetExceeded when the bound does not fit even so.
        """
        while not self._fits(bound):
            if self._open_reservations == 0:
                raise BudgetExceeded(self._refusal(bound))
            await self._settled.wait()
        self._open_reservations += 1

    def settle(self, bound: Reservation, spent: Reservation) -> None:
        """Replace the bound of a call that is over by what it cost."""
        change = {
            "usd": _up(spent.usd) - _up(bound.usd),
            "tokens": spent.tokens - bound.tokens,
            "scope": self._scope,
        }
        self._ledger.execute(_CHANGE, change)
        self._open_reservations -= 1
        self._settled.set()
        self._settled = asyncio.Event()

    def committed(self) -> Reservation:
        """What is spent and reserved so far, over all processes of the scope."""
        row = self._ledger.execute(
            "SELECT usd, tokens FROM budget WHERE scope = ?", (self._scope,)
        ).fetchone()
        return Reservation(usd=row[0] / _NANO, tokens=row[1])

    def close(self) -> None:
        """Close the ledger; the object is of no use afterwards."""
        self._ledger.close()

    def _fits(self, bound: Reservation) -> bool:
        row = {
            "usd": _up(bound.usd),
            "tokens": bound.tokens,
            "scope": self._scope,
            "cap_usd": self._cap_usd,
            "cap_tokens": self._cap_tokens,
        }
        return self._ledger.execute(_RESERVE, row).rowcount == 1

    def _refusal(self, bound: Reservation) -> str:
        so_far = self.committed()
        if self._cap_tokens != _NO_CAP and so_far.tokens + bound.tokens > self._cap_tokens:
            return (
                f"the next call may take {bound.tokens:,} tokens; {so_far.tokens:,} of the "
                f"{self._cap_tokens:,} of T2S_BUDGET_TOKENS are used. Raise it to go on"
            )
        return (
            f"the next call may cost ${bound.usd:.4f}; ${so_far.usd:.4f} of the "
            f"${self._cap_usd / _NANO:.2f} of T2S_BUDGET_USD are used. Raise it to go on"
        )


def _up(usd: float) -> int:
    return math.ceil(usd * _NANO)
