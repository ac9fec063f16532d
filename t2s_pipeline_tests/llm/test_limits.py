from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2s_pipeline.llm.calls import CallFailed
from t2s_pipeline.llm.circuit import Circuit
from t2s_pipeline.llm.limits import Limiter, back_off_s
from t2s_pipeline_tests.llm.clock import FakeClock

CLOSE = 1e-6


def limiter_with(
    clock: FakeClock,
    *,
    in_flight: int = 100,
    requests: int | None = None,
    tokens: int | None = None,
    failures_to_open: int = 1_000,
    outage_limit_s: float = 600.0,
) -> Limiter:
    """A gate on a fake clock."""
    circuit = Circuit(failures_to_open=failures_to_open, outage_limit_s=outage_limit_s)
    return Limiter(
        in_flight=in_flight,
        requests_per_minute=requests,
        tokens_per_minute=tokens,
        circuit=circuit,
        clock=clock,
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.1, 5.0), min_size=1, max_size=25), st.integers(1, 6))
def test_never_more_calls_are_open_than_allowed(durations: list[float], in_flight: int) -> None:
    clock = FakeClock()
    limiter = limiter_with(clock, in_flight=in_flight)
    now_open = most_open = 0

    async def one(duration: float) -> None:
        nonlocal now_open, most_open
        async with limiter.slot(1):
            now_open += 1
            most_open = max(most_open, now_open)
            await clock.sleep(duration)
            now_open -= 1

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, durations))

    clock.run(all_of_them())

    assert most_open == min(in_flight, len(durations))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 25), st.integers(1, 600), st.lists(st.floats(0, 30), max_size=3))
def test_starts_are_spaced_by_the_request_limit_whatever_pauses_come(
    calls: int, per_minute: int, pauses: list[float]
) -> None:
    clock = FakeClock()
    limiter = limiter_with(clock, requests=per_minute)
    starts: list[float] = []

    async def one() -> None:
        async with limiter.slot(1):
            starts.append(clock.now())

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(calls):
                group.create_task(one())
            for pause in pauses:
                await clock.sleep(pause)
                limiter.pause(pause)

    clock.run(all_of_them())

    assert len(starts) == calls
    for first, second in pairwise(starts):
        assert second - first >= 60 / per_minute - CLOSE


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 2_000), min_size=2, max_size=20), st.integers(100, 10_000))
def test_in_any_stretch_of_time_the_token_limit_holds_up_to_one_call(sizes: list[int], limit: int) -> None:
    clock = FakeClock()
    limiter = limiter_with(clock, tokens=limit)
    starts: list[tuple[float, int]] = []

    async def one(tokens: int) -> None:
        async with limiter.slot(tokens):
            starts.append((clock.now(), tokens))

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, sizes))

    clock.run(all_of_them())

    for first in range(len(starts)):
        for last in range(first + 1, len(starts)):
            spent = sum(tokens for _, tokens in starts[first:last])
            assert spent <= (starts[last][0] - starts[first][0]) * limit / 60 + CLOSE


def test_tokens_spent_beyond_the_estimate_delay_the_next_call() -> None:
    clock = FakeClock()
    limiter = limiter_with(clock, tokens=600)

    async def two_calls() -> None:
        async with limiter.slot(10):
            limiter.correct(+590)
        async with limiter.slot(10):
            pass

    clock.run(two_calls())

    assert clock.now() == pytest.approx(60.0)


def test_a_pause_the_endpoint_asked_for_holds_everybody() -> None:
    clock = FakeClock()
    limiter = limiter_with(clock)
    starts: list[float] = []

    async def one() -> None:
        async with limiter.slot(1):
            starts.append(clock.now())

    async def paused() -> None:
        limiter.pause(20.0)
        limiter.pause(5.0)
        await asyncio.gather(one(), one(), one())

    clock.run(paused())

    assert starts == [20.0, 20.0, 20.0]


def test_calls_pass_in_the_order_they_came() -> None:
    clock = FakeClock()
    limiter = limiter_with(clock, requests=60)
    passed: list[int] = []

    async def one(number: int) -> None:
        async with limiter.slot(1):
            passed.append(number)

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, range(10)))

    clock.run(all_of_them())

    assert passed == list(range(10))


@given(st.integers(1, 40), st.integers())
def test_back_off_stays_within_a_bound_that_doubles(failures: int, seed: int) -> None:
    waited = back_off_s(failures, random.Random(seed))

    assert 0 <= waited <= min(30.0, 0.5 * 2 ** (failures - 1))


def test_back_off_is_spread_out_so_that_callers_do_not_return_together() -> None:
    rng = random.Random(0)

    waits = {round(back_off_s(5, rng), 3) for _ in range(100)}

    assert len(waits) > 90


async def _fail(limiter: Limiter) -> None:
    async with limiter.slot(1):
        limiter.unanswered()


async def _succeed(limiter: Limiter) -> None:
    async with limiter.slot(1):
        limiter.answered()


def test_an_endpoint_that_is_down_is_tried_by_one_call_at_a_time() -> None:
    clock = FakeClock()
    limiter = limiter_with(clock, failures_to_open=3)
    tries: list[float] = []

    async def attempt() -> None:
        async with limiter.slot(1):
            tries.append(clock.now())
            await clock.sleep(0.1)
            if clock.now() < 6:
                limiter.unanswered()
            else:
                limiter.answered()

    async def outage() -> None:
        for _ in range(3):
            await _fail(limiter)
        await asyncio.gather(*(attempt() for _ in range(20)))

    clock.run(outage())

    while_down = [at for at in tries if at < 6]
    assert while_down == pytest.approx([1.0, 3.1])  # after a pause of 1 s, then of 2 s
    assert len(tries) == 20


def test_a_success_between_failures_keeps_the_circuit_closed() -> None:
    clock = FakeClock()
    limiter = limiter_with(clock, failures_to_open=3)

    async def ups_and_downs() -> None:
        for _ in range(20):
            await _fail(limiter)
            await _fail(limiter)
            await _succeed(limiter)

    clock.run(ups_and_downs())

    assert not limiter.in_outage
    assert clock.now() == 0.0


def test_a_trial_that_is_cancelled_leaves_the_way_to_the_next_one() -> None:
    clock = FakeClock()
    limiter = limiter_with(clock, failures_to_open=1)

    async def given_up() -> None:
        async with limiter.slot(1):
            raise RuntimeError("no budget")

    async def outage() -> None:
        await _fail(limiter)
        with pytest.raises(RuntimeError):
            await given_up()
        await _succeed(limiter)

    clock.run(outage())

    assert not limiter.in_outage


def test_an_outage_beyond_the_limit_ends_the_waiting_for_all() -> None:
    clock = FakeClock()
    limiter = limiter_with(clock, failures_to_open=1, outage_limit_s=60.0)

    async def outage() -> list[BaseException | None]:
        await _fail(limiter)
        tries = (_fail(limiter) for _ in range(30))
        return await asyncio.gather(*tries, return_exceptions=True)

    results = clock.run(outage())

    assert any(isinstance(result, CallFailed) and result.fatal for result in results)
    assert 60.0 <= clock.now() < 130.0
