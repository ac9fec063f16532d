from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2s_pipeline.errors import BudgetExceeded
from t2s_pipeline.llm.budget import Budget, Reservation
from t2s_pipeline_tests.llm.clock import FakeClock

calls = st.lists(
    st.tuples(st.integers(1, 500), st.floats(0, 1), st.floats(0.01, 3.0)), min_size=1, max_size=30
)


@settings(max_examples=60, deadline=None)
@given(calls, st.integers(0, 3_000))
def test_what_concurrent_calls_spend_never_exceeds_the_cap(
    wanted: list[tuple[int, float, float]], cap: int
) -> None:
    """Each call reserves a bound, takes a while, and spends a part of the bound."""
    clock = FakeClock()
    budget = Budget(usd=cap / 1_000, tokens=cap)
    spent = refused = 0

    async def one(bound: int, share: float, duration: float) -> None:
        nonlocal spent, refused
        reserved = Reservation(bound / 1_000, bound)
        try:
            await budget.reserve(reserved)
        except BudgetExceeded:
            refused += 1
            return
        assert budget.committed().tokens <= cap
        assert budget.committed().usd <= cap / 1_000 + 1e-9
        await clock.sleep(duration)
        used = int(bound * share)
        spent += used
        budget.settle(reserved, Reservation(used / 1_000, used))

    async def all_of_them() -> None:
        await asyncio.gather(*(one(*call) for call in wanted))

    clock.run(all_of_them())

    assert spent <= cap
    assert budget.committed().tokens == spent
    assert refused or spent == sum(int(bound * share) for bound, share, _ in wanted)


def test_a_call_waits_for_room_that_calls_in_flight_may_leave() -> None:
    budget = Budget(usd=None, tokens=100)
    order: list[str] = []

    async def first() -> None:
        await budget.reserve(Reservation(0.0, 90))
        await asyncio.sleep(0)
        order.append("first settles")
        budget.settle(Reservation(0.0, 90), Reservation(0.0, 10))

    async def second() -> None:
        await budget.reserve(Reservation(0.0, 90))
        order.append("second starts")

    async def both() -> None:
        await asyncio.gather(first(), second())

    asyncio.run(both())

    assert order == ["first settles", "second starts"]


def test_the_refusal_says_what_is_used_and_which_knob_to_turn() -> None:
    budget = Budget(usd=0.01, tokens=None)

    with pytest.raises(BudgetExceeded, match=r"\$0.0200.*T2S_BUDGET_USD"):
        asyncio.run(budget.reserve(Reservation(0.02, 10)))


def test_processes_of_one_scope_share_a_budget(tmp_path: Path) -> None:
    path = tmp_path / "budgets.sqlite"
    one = Budget(usd=None, tokens=100, path=path, scope="run 1")
    other = Budget(usd=None, tokens=100, path=path, scope="run 1")
    apart = Budget(usd=None, tokens=100, path=path, scope="run 2")

    asyncio.run(one.reserve(Reservation(0.0, 60)))

    with pytest.raises(BudgetExceeded):
        asyncio.run(other.reserve(Reservation(0.0, 60)))
    asyncio.run(apart.reserve(Reservation(0.0, 60)))


def test_what_a_killed_process_had_reserved_stays_counted(tmp_path: Path) -> None:
    path = tmp_path / "budgets.sqlite"
    killed = Budget(usd=None, tokens=100, path=path)
    asyncio.run(killed.reserve(Reservation(0.0, 80)))
    killed.close()

    restarted = Budget(usd=None, tokens=100, path=path)

    assert restarted.committed().tokens == 80


def test_a_closed_budget_refuses_to_count() -> None:
    budget = Budget(usd=None, tokens=1)
    budget.close()

    with pytest.raises(sqlite3.ProgrammingError):
        budget.committed()
