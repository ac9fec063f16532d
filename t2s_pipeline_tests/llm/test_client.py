"""The client against a real endpoint over HTTP."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel

from t2s_pipeline.errors import BudgetExceeded
from t2s_pipeline.llm.cache import replies_in
from t2s_pipeline.llm.calls import CallFailed, CallRow, Message, Request
from t2s_pipeline.llm.client import LLMClient
from t2s_pipeline.llm.settings import DEFAULT_MODEL, LLMSettings
from t2s_pipeline_tests.llm.clock import QuickClock
from t2s_pipeline_tests.llm.server import FaultKind, LocalServer

Result = TypeVar("Result")


class Advice(BaseModel):
    do: str
    usable: bool


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer(keep=True) as running:
        yield running


def settings_for(server: LocalServer, **changes: Any) -> LLMSettings:
    """Settings for the local endpoint."""
    return LLMSettings.model_validate(
        {"base_url": server.base_url, "model": "m", "call_timeout_s": 5.0} | changes
    )


def question(client: LLMClient, text: str = "hello") -> Request:
    """A question of two messages."""
    messages = [Message(role="system", content="be kind"), Message(role="user", content=text)]
    return client.request("test", messages, Advice, prompt_version="v", skill="s", trace_id="t-1")


def with_client(
    settings: LLMSettings, cache: Path, work: Callable[[LLMClient], Awaitable[Result]]
) -> tuple[Result, list[CallRow]]:
    """The result of work with a client, and the rows it left."""

    async def run() -> tuple[Result, list[CallRow]]:
        client = LLMClient(settings, cache, clock=QuickClock(), rng=random.Random(0))
        async with client:
            return await work(client), client.rows

    return asyncio.run(run())


async def ask(client: LLMClient) -> Advice:
    return await client.ask(question(client), Advice)


async def failing(client: LLMClient) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        await ask(client)
    return caught.value


def answers_to(server: LocalServer) -> list[dict[str, Any]]:
    """Requests other than the probe."""
    return [request for request in server.seen.requests if len(request["messages"]) > 1]


def test_a_reply_is_validated_and_every_call_is_a_row(server: LocalServer, tmp_path: Path) -> None:
    reply, rows = with_client(settings_for(server, price_input=1.0, price_output=2.0), tmp_path, ask)

    assert reply.usable
    assert [(row.purpose, row.status, row.from_cache) for row in rows] == [
        ("probe", "ok", False),
        ("test", "ok", False),
    ]
    row = rows[1]
    assert (row.skill, row.trace_id, row.model, row.attempts) == ("s", "t-1", "m", 1)
    assert row.input_tokens
    assert row.output_tokens
    assert row.cost_usd == pytest.approx((row.input_tokens + 2 * row.output_tokens) / 1e6)


def test_the_same_question_is_paid_for_once(server: LocalServer, tmp_path: Path) -> None:
    async def twice(client: LLMClient) -> None:
        await asyncio.gather(ask(client), ask(client))

    with_client(settings_for(server), tmp_path, twice)
    _, rows = with_client(settings_for(server), tmp_path, ask)

    assert server.seen.chats == 2  # the probe and the question
    assert [row.from_cache for row in rows] == [True]
    assert rows[0].input_tokens


def test_another_seed_is_another_question(server: LocalServer, tmp_path: Path) -> None:
    with_client(settings_for(server, seed=1), tmp_path, ask)
    with_client(settings_for(server, seed=2), tmp_path, ask)

    assert [request["seed"] for request in answers_to(server)] == [1, 2]


def test_nothing_is_asked_when_everything_is_in_the_cache(server: LocalServer, tmp_path: Path) -> None:
    with_client(settings_for(server), tmp_path, ask)
    server.misbehave(down=True)

    reply, _ = with_client(settings_for(server), tmp_path, ask)

    assert reply.usable


@pytest.mark.parametrize("fault", ["429", "429 with Retry-After", "500", "503", "reset"])
def test_an_endpoint_that_stumbles_is_asked_again(
    server: LocalServer, tmp_path: Path, fault: FaultKind
) -> None:
    settings = settings_for(server, output_mode="json_schema", max_attempts=20)
    server.misbehave(faults=(fault,), fault_rate=0.5, seed=3)

    async def eight(client: LLMClient) -> None:
        asked = (client.ask(question(client, f"hello {n}"), Advice) for n in range(8))
        await asyncio.gather(*asked)

    _, rows = with_client(settings, tmp_path, eight)

    assert [row.status for row in rows] == ["ok"] * 8
    assert sum(row.attempts for row in rows) == server.seen.chats > 8


def test_a_reply_that_does_not_come_in_time_is_asked_for_once_more_and_no_further(
    server: LocalServer, tmp_path: Path
) -> None:
    server.misbehave(faults=("slow",), fault_rate=1.0, slow_s=30.0)
    settings = settings_for(server, call_timeout_s=0.1, output_mode="json_schema")

    error, rows = with_client(settings, tmp_path, failing)

    assert error.status == "timeout"
    assert rows[0].attempts == server.seen.chats == 2


@pytest.mark.parametrize("fault", ["truncated", "wrong schema", "refusal", "empty"])
def test_a_useless_reply_gets_one_repair_turn_and_is_then_recorded_with_its_reason(
    server: LocalServer, tmp_path: Path, fault: FaultKind
) -> None:
    server.misbehave(faults=(fault,), fault_rate=1.0)
    settings = settings_for(server, output_mode="json_schema")

    error, rows = with_client(settings, tmp_path, failing)

    status = {"truncated": "truncated", "wrong schema": "invalid", "refusal": "refused", "empty": "empty"}
    assert error.status == status[fault]
    assert [row.status for row in rows] == [error.status] * 2
    assert [row.call_id.endswith("-r") for row in rows] == [False, True]
    assert all(row.input_tokens for row in rows)
    assert list((tmp_path / "replies" / "failed").glob("*.json"))
    assert not list(tmp_path.glob("replies/??/*.json"))
    assert "cannot be used" in server.seen.requests[-1]["messages"][-1]["content"]


def test_of_a_list_that_is_cut_off_even_after_the_repair_turn_the_complete_part_is_taken(
    server: LocalServer, tmp_path: Path
) -> None:
    class Advices(BaseModel):
        lessons: tuple[Advice, ...]

    item = '{"do": "look first", "usable": true}'
    content = f'{{"lessons": [{item}, {item}, {item}]}}'
    server.misbehave(faults=("truncated",), fault_rate=1.0, content=content)

    async def ask_for_many(client: LLMClient) -> Advices:
        request = question(client).model_copy(update={"reply": Advices})
        return await client.ask(request, Advices)

    first, rows = with_client(settings_for(server, output_mode="json_schema"), tmp_path, ask_for_many)
    again, more = with_client(settings_for(server, output_mode="json_schema"), tmp_path, ask_for_many)

    assert len(first.lessons) == 1
    assert [row.status for row in rows] == ["truncated", "ok"]
    assert again == first
    assert more[0].from_cache


def test_prose_around_the_object_needs_no_repair(server: LocalServer, tmp_path: Path) -> None:
    server.misbehave(faults=("prose",), fault_rate=1.0)

    _, rows = with_client(settings_for(server, output_mode="json_schema"), tmp_path, ask)

    assert [row.status for row in rows] == ["ok"]


def test_a_check_of_the_reply_can_ask_for_a_repair(server: LocalServer, tmp_path: Path) -> None:
    problems = iter(["`do` is not concrete", None])

    async def checked(client: LLMClient) -> Advice:
        return await client.ask(question(client), Advice, lambda reply: next(problems))  # noqa: ARG005

    _, rows = with_client(settings_for(server), tmp_path, checked)

    assert [row.status for row in rows] == ["ok", "invalid", "ok"]
    assert "`do` is not concrete" in server.seen.requests[-1]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("formats", "mode"),
    [(("json_schema", "json_object"), "json_schema"), (("json_object",), "json_object"), ((), None)],
)
def test_the_endpoint_is_asked_once_what_it_understands(
    server: LocalServer, tmp_path: Path, formats: tuple[str, ...], mode: str | None
) -> None:
    server.misbehave(formats=formats, refuses=("temperature", "max_tokens"))

    with_client(settings_for(server), tmp_path, ask)
    before = server.seen.chats
    with_client(settings_for(server, seed=9), tmp_path, ask)

    assert server.seen.chats == before + 1
    last = server.seen.requests[-1]
    assert (last.get("response_format") or {}).get("type") == mode
    assert "temperature" not in last
    assert "max_completion_tokens" in last


def test_an_endpoint_that_ignores_the_schema_is_told_it_in_words(server: LocalServer, tmp_path: Path) -> None:
    server.misbehave(enforces=False)

    reply, _ = with_client(settings_for(server), tmp_path, ask)

    assert reply.usable
    assert "JSON Schema" in server.seen.requests[-1]["messages"][0]["content"]


@pytest.mark.parametrize("status", [401, 404])
def test_after_a_refusal_that_concerns_everything_nobody_asks_any_more(
    server: LocalServer, tmp_path: Path, status: int
) -> None:
    server.misbehave(status=status)

    async def ten(client: LLMClient) -> list[CallFailed]:
        return [await failing(client) for _ in range(10)]

    errors, _ = with_client(settings_for(server), tmp_path, ten)

    assert server.seen.chats == 1
    assert all(error.fatal and str(status) in str(error) for error in errors)


def test_a_wait_of_hours_is_a_refusal(server: LocalServer, tmp_path: Path) -> None:
    server.misbehave(faults=("429 with Retry-After",), fault_rate=1.0, retry_after="3600")

    error, _ = with_client(settings_for(server), tmp_path, failing)

    assert error.status == "rate_limited"
    assert "3600 s" in str(error)


def test_a_call_is_given_up_after_its_attempts(server: LocalServer, tmp_path: Path) -> None:
    server.misbehave(faults=("429",), fault_rate=1.0)

    error, rows = with_client(settings_for(server, max_attempts=3), tmp_path, failing)

    assert error.status == "rate_limited"
    assert "3 attempts" in str(error)
    assert rows[-1].attempts == server.seen.chats == 3


def test_an_outage_is_waited_out_without_using_up_attempts(server: LocalServer, tmp_path: Path) -> None:
    server.misbehave(down=True)

    async def through_the_outage(client: LLMClient) -> list[Advice]:
        async def repair() -> None:
            await asyncio.sleep(0.4)
            server.misbehave(down=False)

        asked = [client.ask(question(client, f"hello {n}"), Advice) for n in range(10)]
        replies, _ = await asyncio.gather(asyncio.gather(*asked), repair())
        return replies

    settings = settings_for(server, max_attempts=3, output_mode="json_schema")
    replies, rows = with_client(settings, tmp_path, through_the_outage)

    assert len(replies) == 10
    assert {row.status for row in rows} == {"ok"}


def test_an_endpoint_that_stays_down_ends_with_a_reason(server: LocalServer, tmp_path: Path) -> None:
    server.misbehave(down=True)

    error, _ = with_client(settings_for(server, outage_limit_s=0.0), tmp_path, failing)

    assert error.fatal
    assert "down" in str(error)


def test_the_budget_is_not_overrun_by_calls_that_run_at_once(server: LocalServer, tmp_path: Path) -> None:
    server.misbehave(delay_s=0.02, faults=("500", "reset", "truncated", "empty"), fault_rate=0.2)
    cap = 4_000

    async def many(client: LLMClient) -> Counter[str]:
        async def one(number: int) -> str:
            try:
                await client.ask(question(client, f"hello {number}"), Advice)
            except (BudgetExceeded, CallFailed) as error:
                return type(error).__name__
            return "answered"

        return Counter(await asyncio.gather(*map(one, range(200))))

    settings = settings_for(server, budget_tokens=cap, max_output_tokens=200, output_mode="json_schema")
    ends, rows = with_client(settings, tmp_path, many)

    assert server.seen.tokens <= cap
    assert ends["answered"] > 20
    assert ends["BudgetExceeded"] > 50
    assert sum(row.attempts for row in rows) == server.seen.chats


@pytest.mark.slow
def test_all_clients_of_a_process_share_one_budget(server: LocalServer, tmp_path: Path) -> None:
    async def until_it_is_spent(client: LLMClient) -> int:
        for number in range(1_000):
            try:
                await client.ask(question(client, f"hello {client.settings.seed} {number}"), Advice)
            except BudgetExceeded:
                return number
        raise AssertionError("no end")

    capped = {"budget_tokens": 3_000, "max_output_tokens": 200, "output_mode": "json_schema"}
    first, _ = with_client(settings_for(server, seed=1, **capped), tmp_path, until_it_is_spent)
    second, _ = with_client(settings_for(server, seed=2, **capped), tmp_path, until_it_is_spent)

    assert first > 0
    assert second == 0
    assert server.seen.tokens <= 3_000


def test_dollars_cannot_be_capped_where_the_price_is_unknown(server: LocalServer, tmp_path: Path) -> None:
    async def refused(client: LLMClient) -> str:
        with pytest.raises(BudgetExceeded) as caught:
            await ask(client)
        return str(caught.value)

    message, _ = with_client(settings_for(server, budget_usd=1.0), tmp_path, refused)

    assert "T2S_PRICE_INPUT" in message
    assert server.seen.chats == 0


@pytest.mark.parametrize(
    ("listed", "asked"), [(("only",), "only"), (("a", "b"), DEFAULT_MODEL), ((), DEFAULT_MODEL)]
)
def test_without_a_model_the_only_one_listed_is_asked(
    server: LocalServer, tmp_path: Path, listed: tuple[str, ...], asked: str
) -> None:
    server.misbehave(models=listed)

    with_client(settings_for(server, model=None), tmp_path, ask)

    assert {request["model"] for request in server.seen.requests} == {asked}


def test_a_reply_without_usage_is_taken_and_counts_with_its_bound(
    server: LocalServer, tmp_path: Path
) -> None:
    server.misbehave(usage=False)

    _, rows = with_client(settings_for(server), tmp_path, ask)

    assert rows[-1].status == "ok"
    assert rows[-1].input_tokens is None


def test_what_is_known_of_an_endpoint_is_no_reply_and_is_not_forgotten_with_them(
    server: LocalServer, tmp_path: Path
) -> None:
    with_client(settings_for(server), tmp_path, ask)
    probes = server.seen.chats - 1

    gone = replies_in(tmp_path).forget(["t-none"])
    with_client(settings_for(server, seed=7), tmp_path, ask)

    assert gone == 0
    assert server.seen.chats == probes + 2
