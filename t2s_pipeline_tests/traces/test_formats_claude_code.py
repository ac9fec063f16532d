"""Claude Code sessions."""

from __future__ import annotations

from pathlib import Path

from t2s_pipeline_tests.traces.samples import (
    calls,
    claude_agent,
    claude_session,
    claude_user,
    read,
    read_one,
    results,
    said,
    text,
    tool_result,
    tool_use,
    write,
    write_lines,
)


def test_a_session_is_one_trace_with_unknown_outcome(tmp_path: Path) -> None:
    trace = read_one(write_lines(tmp_path / "s.jsonl", claude_session()))

    assert said(trace) == [
        ("user", "fix the bug"),
        ("agent", "Looking."),
        ("agent", ""),
        ("agent", "Fixed."),
    ]
    assert results(trace) == [("command not found", True), ("2 passed", False)]
    assert (trace.outcome.status, trace.task_id) == ("unknown", None)
    assert trace.trajectory.session_id == "session-1"
    assert trace.agent == "claude-code claude-sonnet-4-5"
    assert trace.source.format_version == "2.1.0"


def test_one_message_split_over_lines_is_one_step_and_its_usage_counts_once(tmp_path: Path) -> None:
    lines = [
        claude_user("u1", None, "go"),
        claude_agent("a1", "u1", text("First"), message_id="m", tokens=1),
        claude_agent("a2", "a1", tool_use("t1", command="ls"), message_id="m", tokens=9),
        claude_user("u2", "a2", [tool_result("t1", "ok")]),
    ]

    trace = read_one(write_lines(tmp_path / "s.jsonl", lines))

    assert len(trace.trajectory.steps) == 2
    assert (trace.usage.input_tokens, trace.usage.output_tokens, trace.usage.cached_tokens) == (125, 9, 100)
    assert trace.usage.cost_usd is None


def test_order_is_that_of_the_chain_and_not_of_the_file(tmp_path: Path) -> None:
    ordered = claude_session()
    shuffled = [ordered[0], ordered[2], ordered[1], *ordered[3:]]

    trace = read_one(write_lines(tmp_path / "s.jsonl", shuffled))

    assert [result for result, _ in results(trace)] == ["command not found", "2 passed"]
    assert "a tool result answers no call" not in trace.source.warnings


def test_an_abandoned_branch_is_left_out_and_counted(tmp_path: Path) -> None:
    lines = [
        claude_user("u1", None, "first try"),
        claude_agent("a1", "u1", text("an answer nobody wanted")),
        claude_user("u2", None, "unrelated start"),
        claude_user("u3", "u1", "second try"),
        claude_agent("a3", "u3", text("better")),
    ]

    trace = read_one(write_lines(tmp_path / "s.jsonl", lines))

    assert [message for _, message in said(trace)] == ["first try", "second try", "better", "unrelated start"]
    assert "1 messages of abandoned branches left out" in trace.source.warnings


def test_results_of_parallel_calls_hang_beside_the_path_and_are_kept(tmp_path: Path) -> None:
    lines = [
        claude_user("u1", None, "go"),
        claude_agent("a1", "u1", tool_use("t1", command="one"), message_id="m"),
        claude_agent("a2", "a1", tool_use("t2", command="two"), message_id="m"),
        claude_user("r1", "a1", [tool_result("t1", "result one")]),
        claude_user("r2", "a2", [tool_result("t2", "result two")]),
        claude_agent("a3", "r2", text("both done")),
    ]

    trace = read_one(write_lines(tmp_path / "s.jsonl", lines))

    assert sorted(results(trace)) == [("result one", False), ("result two", False)]
    assert len(calls(trace)) == 2
    assert trace.source.warnings == ()


def test_repeated_lines_count_once(tmp_path: Path) -> None:
    lines = claude_session()

    trace = read_one(write_lines(tmp_path / "s.jsonl", [*lines, *lines[:3]]))

    assert len(calls(trace)) == 2
    assert "3 repeated lines left out (same uuid)" in trace.source.warnings


def test_a_subagent_in_the_session_file_is_embedded_and_not_mixed_in(tmp_path: Path) -> None:
    side = {"isSidechain": True}
    lines = [
        *claude_session(),
        claude_user("s1", None, "sub task", **side),
        claude_agent("s2", "s1", text("sub answer"), **side),
    ]

    trace = read_one(write_lines(tmp_path / "s.jsonl", lines))

    assert "sub task" not in [message for _, message in said(trace)]
    (embedded,) = trace.trajectory.subagent_trajectories or ()
    assert [step.message for step in embedded.steps] == ["sub task", "sub answer"]


def test_a_subagents_own_file_is_its_own_trace_and_its_parent_points_at_it(tmp_path: Path) -> None:
    parent = [
        claude_user("u1", None, "go"),
        claude_agent("a1", "u1", tool_use("t1", name="Task", prompt="sub task")),
        claude_user("u2", "a1", [tool_result("t1", "done")], toolUseResult={"agentId": "abc"}),
    ]
    own = {"isSidechain": True, "agentId": "abc"}
    sub = [claude_user("s1", None, "sub task", **own), claude_agent("s2", "s1", text("sub answer"), **own)]

    parent_trace = read_one(write_lines(tmp_path / "session-1.jsonl", parent))
    sub_trace = read_one(write_lines(tmp_path / "session-1" / "subagents" / "agent-abc.jsonl", sub))

    observation = parent_trace.trajectory.steps[1].observation
    assert observation is not None
    (reference,) = observation.results[0].subagent_trajectory_ref or ()
    assert reference.trajectory_path == "session-1/subagents/agent-abc.jsonl"
    assert sub_trace.trajectory.session_id == "session-1/abc"
    assert sub_trace.agent.startswith("claude-code/sub-agent")


def test_bookkeeping_meta_and_summaries_are_not_taken_for_the_user(tmp_path: Path) -> None:
    lines = [
        {"type": "summary", "summary": "Fixing a bug", "leafUuid": "a3"},
        {"type": "file-history-snapshot", "messageId": "x", "snapshot": {}},
        claude_user("m1", None, "Caveat: generated", isMeta=True),
        *claude_session(),
    ]

    trace = read_one(write_lines(tmp_path / "s.jsonl", lines))

    assert said(trace)[0] == ("system", "Caveat: generated")
    assert trace.trajectory.extra is not None
    assert trace.trajectory.extra["summary"] == "Fixing a bug"
    assert trace.trajectory.extra["task_prompt"] == "fix the bug"


def test_broken_lines_are_quarantined_and_the_session_still_goes_in(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "s.jsonl", [*claude_session(), "42", '{"type": "user", "mess'])

    traces, quarantined = read(path)

    assert len(traces) == 1
    assert [one.uri for one in quarantined] == ["s.jsonl#L7", "s.jsonl#L8"]
    assert "truncated" in quarantined[1].reason


def test_a_new_kind_of_line_or_key_raises_an_alarm(tmp_path: Path) -> None:
    lines = [*claude_session(), {"type": "telepathy", "sessionId": "session-1"}]
    lines[0]["brandNew"] = 1

    trace = read_one(write_lines(tmp_path / "s.jsonl", lines))

    assert "unknown key `type: telepathy` in line" in trace.source.warnings
    assert "unknown key `brandNew` in line" in trace.source.warnings


def test_a_session_exported_as_one_document_is_read(tmp_path: Path) -> None:
    trace = read_one(write(tmp_path / "s.json", {"loglines": claude_session()}))

    assert trace.source.format == "claude_code"
    assert len(calls(trace)) == 2


def test_a_session_that_only_met_a_broken_api_is_an_infrastructure_error(tmp_path: Path) -> None:
    lines = [
        claude_user("u1", None, "go"),
        claude_agent("a1", "u1", text("API Error: 529 overloaded"), isApiErrorMessage=True),
    ]

    trace = read_one(write_lines(tmp_path / "s.jsonl", lines))

    assert trace.outcome.infra_error


def test_a_session_of_bookkeeping_only_is_quarantined(tmp_path: Path) -> None:
    lines = [{"type": "permission-mode", "sessionId": "s"}, {"type": "mode", "sessionId": "s"}]

    traces, quarantined = read(write_lines(tmp_path / "s.jsonl", lines))

    assert traces == []
    assert "no steps" in quarantined[0].reason
