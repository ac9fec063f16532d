"""Traces that are large in an unusual way: the time to read them follows their size, not its square."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.traces.inbox import plan_batches
from t2s_pipeline_tests.traces.samples import read_one, write, write_lines

pytestmark = pytest.mark.slow

MANY = 6_000
LONG_S = 6.0
"""Ten times what reading takes; with the square of the size it was 12 to 36 s."""


def test_a_session_with_thousands_of_sub_agents_is_read_in_a_moment(tmp_path: Path) -> None:
    def line(uuid: str, kind: str, **keys: Any) -> dict[str, Any]:
        message = {"role": kind, "id": uuid, "content": "hello"}
        return {"type": kind, "uuid": uuid, "parentUuid": None, "sessionId": "s", "message": message, **keys}

    sides = (
        line(f"u{number}", "assistant", isSidechain=True, agentId=f"a{number}") for number in range(MANY)
    )
    path = write_lines(tmp_path / "s.jsonl", [line("root", "user"), *sides])
    started = monotonic()

    trace = read_one(path)

    assert monotonic() - started < LONG_S
    assert len(trace.trajectory.subagent_trajectories or ()) == MANY


def test_thousands_of_results_that_answer_no_call_are_read_in_a_moment(tmp_path: Path) -> None:
    calls = [{"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]}] * MANY
    results = [{"role": "tool", "name": "another", "content": "x"}] * MANY
    path = write_lines(tmp_path / "a.jsonl", [{"id": "a", "messages": [*calls, *results]}])
    started = monotonic()

    trace = read_one(path)

    assert monotonic() - started < LONG_S
    assert "a tool result answers no call" in trace.source.warnings


def test_a_result_without_id_goes_to_the_oldest_open_call_of_its_tool(tmp_path: Path) -> None:
    calls = [
        {"role": "assistant", "content": "", "tool_calls": [{"id": key, "function": {"name": name}}]}
        for key, name in (("c1", "f"), ("c2", "g"), ("c3", "g"), ("c3", "f"))
    ]
    results = [{"role": "tool", "name": name, "content": name} for name in ("g", "f", "f", "g")]
    path = write_lines(tmp_path / "a.jsonl", [{"id": "a", "messages": [*calls, *results]}])

    trace = read_one(path)

    answered = [
        (result.source_call_id, result.content)
        for step in trace.trajectory.steps
        for result in (step.observation.results if step.observation else ())
    ]
    assert answered == [("c1", "f"), ("c2", "g"), ("c3", "f"), (None, "g")]


def test_a_folder_of_many_event_files_is_planned_in_a_moment(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    event = {"kind": "MessageEvent", "source": "user", "timestamp": "2026-01-01T00:00:00"}
    for number in range(1_500):
        write(paths.inbox / "s" / f"event-{number:05}-x.json", event)
    started = monotonic()

    (batch,) = plan_batches(paths, Settings(data=tmp_path))

    assert monotonic() - started < LONG_S
    assert batch.traces == 1
