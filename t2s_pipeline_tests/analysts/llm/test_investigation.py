from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

from t2s_pipeline.analysts.llm.desk import Desk
from t2s_pipeline.analysts.llm.investigation import investigate
from t2s_pipeline.llm.client import LLMClient
from t2s_pipeline.llm.limits import SystemClock
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline_tests.analysts.llm.records import REFUSED, booking_steps, case_with
from t2s_pipeline_tests.llm.server import LocalServer


def conversation(server: LocalServer, cache: Path, *, sibling: bool, turns: int) -> list[dict[str, Any]]:
    """The last request of an investigation: it holds the whole conversation."""
    case = case_with(*booking_steps())
    other = case_with(*booking_steps(refused=False, route="NYC-BOS"), trace_id="t-2", outcome="success")
    settings = LLMSettings(
        base_url=server.base_url, model="m", max_turns=turns, error_mode="agentic", output_mode="json_schema"
    )

    async def run() -> None:
        async with LLMClient(settings, cache, clock=SystemClock(), rng=random.Random(0)) as client:
            await investigate("error", case, other if sibling else None, Desk(client, settings, None))

    asyncio.run(run())
    messages: list[dict[str, Any]] = server.seen.requests[-1]["messages"]
    return messages


def test_each_turn_shows_what_the_last_one_asked_for(tmp_path: Path) -> None:
    with LocalServer(keep=True) as server:
        messages = conversation(server, tmp_path, sibling=True, turns=6)

    said = [message["content"] for message in messages]
    assert [message["role"] for message in messages] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    assert REFUSED in said[1]
    assert json.loads(said[2])["tool"] == "read_steps"
    assert "--- step 1, system" in said[3]
    assert json.loads(said[4])["tool"] == "search"
    assert "step 2:" in said[5]


def test_the_last_turn_is_announced(tmp_path: Path) -> None:
    with LocalServer(keep=True) as server:
        messages = conversation(server, tmp_path, sibling=False, turns=2)

    assert "last turn" in messages[-1]["content"]
    assert len(server.seen.requests) == 2
