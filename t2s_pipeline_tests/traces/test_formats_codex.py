"""Codex rollouts."""

from __future__ import annotations

from pathlib import Path

from t2s_pipeline_tests.traces.format_samples import WHEN, codex_lines
from t2s_pipeline_tests.traces.samples import calls, read, read_one, results, said, write_lines


def test_results_that_stand_twice_count_once_and_the_exit_code_is_kept(tmp_path: Path) -> None:
    trace = read_one(write_lines(tmp_path / "r.jsonl", codex_lines()))

    assert calls(trace) == [("shell", {"command": "pytest"}), ("shell", {"command": "python -m pytest"})]
    assert results(trace) == [("pytest: not found", True), ("2 passed", False)]
    assert said(trace)[-1] == ("agent", "Fixed.")
    assert trace.trajectory.steps[2].reasoning_content == "try the tests"


def test_usage_is_the_last_total_and_not_the_sum_of_totals(tmp_path: Path) -> None:
    trace = read_one(write_lines(tmp_path / "r.jsonl", codex_lines()))

    assert (trace.usage.input_tokens, trace.usage.output_tokens, trace.usage.cached_tokens) == (
        2500,
        250,
        1250,
    )
    assert trace.usage.cost_usd is None
    assert trace.outcome.status == "unknown"


def test_instructions_put_before_the_task_are_not_the_users(tmp_path: Path) -> None:
    trace = read_one(write_lines(tmp_path / "r.jsonl", codex_lines()))

    assert [source for source, _ in said(trace)[:2]] == ["system", "user"]


def test_a_command_whose_result_is_only_an_event_still_has_it(tmp_path: Path) -> None:
    lines = [one for one in codex_lines() if one["payload"].get("output") != "pytest: not found"]

    trace = read_one(write_lines(tmp_path / "r.jsonl", lines))

    assert ("pytest: not found", True) in results(trace)


def test_patches_and_searches_are_calls(tmp_path: Path) -> None:
    lines = codex_lines()
    patch = {"type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin Patch", "call_id": "p1"}
    search = {"type": "web_search_call", "id": "w1", "action": {"type": "search", "query": "x"}}
    output = {
        "type": "custom_tool_call_output",
        "call_id": "p1",
        "output": '{"output": "Failed", "metadata": {"exit_code": 1}}',
    }
    lines[-2:-2] = [
        {"timestamp": WHEN, "type": "response_item", "payload": one} for one in (search, patch, output)
    ]

    trace = read_one(write_lines(tmp_path / "r.jsonl", lines))

    assert ("apply_patch", {"input": "*** Begin Patch"}) in calls(trace)
    assert ("web_search", {"type": "search", "query": "x"}) in calls(trace)
    assert ("Failed", True) in results(trace)


def test_rollouts_without_payloads_are_read(tmp_path: Path) -> None:
    lines = [
        {"id": "old-1", "timestamp": WHEN, "instructions": None},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]},
    ]

    trace = read_one(write_lines(tmp_path / "r.jsonl", lines))

    assert said(trace) == [("user", "hi"), ("agent", "hello")]
    assert trace.trajectory.session_id == "old-1"


def test_new_kinds_of_lines_items_and_events_raise_an_alarm(tmp_path: Path) -> None:
    new = [
        {"timestamp": WHEN, "type": "hologram", "payload": {}},
        {"timestamp": WHEN, "type": "event_msg", "payload": {"type": "sigh"}},
        {"timestamp": WHEN, "type": "response_item", "payload": {"type": "telepathy"}},
    ]

    trace = read_one(write_lines(tmp_path / "r.jsonl", [*codex_lines(), *new]))

    assert {"unknown key `type: hologram` in line", "unknown key `type: sigh` in event_msg"} <= set(
        trace.source.warnings
    )
    assert "unknown key `type: telepathy` in item" in trace.source.warnings


def test_a_rollout_that_ended_before_the_agent_acted_is_an_infrastructure_error(tmp_path: Path) -> None:
    lines = [*codex_lines()[:4], {"timestamp": WHEN, "type": "event_msg", "payload": {"type": "error"}}]

    traces, _ = read(write_lines(tmp_path / "r.jsonl", lines))

    assert traces[0].outcome.infra_error
