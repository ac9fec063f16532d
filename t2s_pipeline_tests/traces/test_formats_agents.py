"""ATIF, SWE-agent, mini-swe-agent, OpenHands and OpenAI Responses."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.inbox import plan_batches
from t2s_pipeline.traces.ingest import ingest_batches
from t2s_pipeline_tests.traces.format_samples import (
    SAMPLES,
    atif_document,
    harbor_result,
    mini_document,
    openhands_events,
    openhands_row,
    responses_record,
    swe_agent_document,
)
from t2s_pipeline_tests.traces.samples import (
    calls,
    everything,
    read,
    read_one,
    results,
    said,
    write,
    write_lines,
)


@pytest.mark.parametrize("minor", range(9))
def test_every_atif_version_becomes_the_newest(tmp_path: Path, minor: int) -> None:
    trace = read_one(write(tmp_path / "trajectory.json", atif_document(f"ATIF-v1.{minor}")))

    assert trace.trajectory.schema_version == "ATIF-v1.8"
    assert trace.source.format_version == f"1.{minor}"
    assert (trace.usage.input_tokens, trace.usage.cost_usd) == (50, 0.001)
    assert trace.outcome.status == "unknown"


def test_harbors_result_gives_task_reward_and_outcome(tmp_path: Path) -> None:
    write(tmp_path / "trial" / "result.json", harbor_result(0.0))

    trace = read_one(write(tmp_path / "trial" / "agent" / "trajectory.json", atif_document()))

    assert (trace.task_id, trace.trial) == ("fix-bug", "fix-bug__1")
    assert (trace.outcome.status, trace.outcome.reward, trace.outcome.source) == ("failure", 0.0, "verifier")


def test_a_trial_that_harbor_could_not_verify_is_an_infrastructure_error(tmp_path: Path) -> None:
    problem = {"exception_type": "EnvironmentError", "exception_message": "no docker"}
    write(tmp_path / "trial" / "result.json", harbor_result(verifier_result=None, exception_info=problem))

    trace = read_one(write(tmp_path / "trial" / "agent" / "trajectory.json", atif_document()))

    assert trace.outcome.infra_error
    assert trace.outcome.detail == "EnvironmentError: no docker"


def test_loose_atif_is_repaired_and_unknown_fields_are_reported(tmp_path: Path) -> None:
    document = atif_document()
    document["brand_new"] = 1
    document["steps"][0]["step_id"] = 7
    document["steps"][0]["timestamp"] = "yesterday"
    document["steps"][1]["observation"]["results"][0]["source_call_id"] = "c9"

    trace = read_one(write(tmp_path / "t.json", document))

    assert [step.step_id for step in trace.trajectory.steps] == [1, 2]
    assert trace.trajectory.steps[0].timestamp is None
    assert "unknown key `brand_new` in trajectory" in trace.source.warnings
    assert "a tool result answers no call" in trace.source.warnings


def test_a_trial_folder_is_one_trace_and_a_verdict_that_comes_later_is_taken_up(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path / "data")
    settings = Settings(data=paths.root)
    trial = paths.inbox / "s" / "trial"
    write(trial / "agent" / "trajectory.json", atif_document())
    before = ingest_batches(Store(paths), paths, settings, plan_batches(paths, settings))
    write(trial / "result.json", harbor_result())
    write(trial / "config.json", {"any": "thing"})
    write(trial / "verifier" / "test-stdout.txt", "1 passed")

    after = ingest_batches(Store(paths), paths, settings, plan_batches(paths, settings))

    assert [one.outcomes for one in before.values()] == [{"unknown": 1}]
    assert [(one.traces, one.outcomes, one.quarantined) for one in after.values()] == [(1, {"success": 1}, 0)]
    assert plan_batches(paths, settings) == []


def test_swe_agent_turns_become_shell_calls_after_the_task_without_demonstrations(tmp_path: Path) -> None:
    path = write(tmp_path / "gpt4__bench" / "repo__issue-1.traj", swe_agent_document())

    trace = read_one(path)

    assert said(trace)[:3] == [("system", "SETTING"), ("user", "solve the issue"), ("agent", "Look.")]
    assert calls(trace) == [("bash", {"command": "ls"}), ("bash", {"command": "submit"})]
    assert (trace.task_id, trace.agent, trace.usage.cost_usd) == ("repo__issue-1", "swe-agent gpt4", 0.5)
    assert (trace.outcome.status, trace.outcome.detail) == ("unknown", "exit status: submitted")


def test_a_swe_agent_demonstration_with_only_a_history_is_read(tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "open", "arguments": '{"path": "a"}'}}
    history = [
        {"role": "user", "content": "task", "message_type": "observation", "agent": "main"},
        {"role": "assistant", "content": "x", "tool_calls": [call], "message_type": "action"},
        {"role": "tool", "content": "file", "tool_call_ids": ["c1"], "message_type": "observation"},
    ]

    trace = read_one(write(tmp_path / "demo.traj", {"history": history}))

    assert calls(trace) == [("open", {"path": "a"})]
    assert trace.source.warnings == ()


def test_a_broken_environment_is_told_from_a_submitted_answer(tmp_path: Path) -> None:
    document = swe_agent_document()
    document["info"] = {"exit_status": "exit_environment_error", "submission": None}

    assert read_one(write(tmp_path / "a.traj", document)).outcome.infra_error


def test_predictions_beside_trajectories_are_not_planned(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path / "data")
    write(paths.inbox / "s" / "run" / "repo__issue-1" / "repo__issue-1.traj", swe_agent_document())
    write(paths.inbox / "s" / "run" / "preds.json", {"repo__issue-1": {"model_patch": "diff"}})

    (batch,) = plan_batches(paths, Settings(data=paths.root))

    assert [Path(part.path).name for part in batch.slices] == ["repo__issue-1.traj"]


def test_mini_swe_agent_calls_tools_and_is_told_the_return_code(tmp_path: Path) -> None:
    trace = read_one(write(tmp_path / "x.traj.json", mini_document()))

    assert calls(trace) == [("bash", {"command": "ls"})]
    assert results(trace)[0] == ("ls: no", True)
    assert (trace.task_id, trace.agent) == ("repo__issue-1", "mini-swe-agent gpt-5-mini")
    assert (trace.usage.input_tokens, trace.usage.cost_usd) == (300, 0.25)
    assert trace.trajectory.steps[2].timestamp is not None


def test_the_bare_list_of_version_one_has_its_commands_in_the_text(tmp_path: Path) -> None:
    messages = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "task"},
        {"role": "assistant", "content": "THOUGHT: look\n\n```bash\nls\n```"},
        {"role": "user", "content": "<returncode>1</returncode>\n<output>\nno\n</output>"},
        {"role": "assistant", "content": "no command"},
        {"role": "user", "content": "Please give exactly one action."},
    ]

    trace = read_one(write(tmp_path / "issue-7.traj.json", messages))

    assert calls(trace) == [("bash", {"command": "ls"})]
    assert said(trace)[2] == ("agent", "THOUGHT: look")
    assert [failed for _, failed in results(trace)] == [True, False]
    assert trace.task_id == "issue-7"


def test_mini_swe_agent_with_responses_turns_is_read(tmp_path: Path) -> None:
    document = mini_document()
    call = {"type": "function_call", "call_id": "c1", "name": "bash", "arguments": '{"command": "ls"}'}
    turn = {"object": "response", "output": [call], "usage": {"input_tokens": 7, "output_tokens": 1}}
    reply = {"type": "function_call_output", "call_id": "c1", "output": "a.py", "extra": {"returncode": 0}}
    document["messages"][2:4] = [turn, reply]

    trace = read_one(write(tmp_path / "x.traj.json", document))

    assert calls(trace) == [("bash", {"command": "ls"})]
    assert ("a.py", False) in results(trace)


def test_a_run_that_crashed_is_an_infrastructure_error_and_a_limit_is_not(tmp_path: Path) -> None:
    crashed, limited = mini_document(), mini_document()
    crashed["info"]["exit_status"] = "APIConnectionError"
    limited["info"]["exit_status"] = "LimitsExceeded"

    assert read_one(write(tmp_path / "a.traj.json", crashed)).outcome.infra_error
    assert read_one(write(tmp_path / "b.traj.json", limited)).outcome.status == "unknown"


def test_openhands_events_and_rows_give_the_same_steps(tmp_path: Path) -> None:
    from_events = read_one(write(tmp_path / "events.json", openhands_events()))
    from_row = read_one(write_lines(tmp_path / "output.jsonl", [openhands_row()]))

    assert said(from_events) == said(from_row)
    assert calls(from_events) == [("execute_bash", {"command": "pytest"}), ("finish", {})]
    assert results(from_events) == [("1 failed", True)]
    assert from_row.task_id == "repo__issue-1"
    assert (from_row.usage.input_tokens, from_row.usage.cost_usd) == (200, 0.02)


def test_an_openhands_row_knows_its_outcome_only_after_scoring(tmp_path: Path) -> None:
    rows = [
        openhands_row(),
        openhands_row(report={"resolved": False}),
        openhands_row(error="AgentRuntimeError: container died"),
        openhands_row(error="RuntimeError: Agent reached maximum iteration"),
    ]

    traces, _ = read(write_lines(tmp_path / "output.jsonl", rows))

    assert [(one.outcome.status, one.outcome.infra_error) for one in traces] == [
        ("unknown", False),
        ("failure", False),
        ("error", True),
        ("error", False),
    ]
    assert all("gold-patch" not in everything(one) for one in traces)


SDK_EVENTS = [
    {"kind": "SystemPromptEvent", "source": "agent", "system_prompt": {"type": "text", "text": "Be good."}},
    {
        "kind": "MessageEvent",
        "source": "user",
        "llm_message": {"role": "user", "content": [{"type": "text", "text": "fix it"}]},
    },
    {
        "kind": "ActionEvent",
        "source": "agent",
        "thought": [{"type": "text", "text": "look"}],
        "reasoning_content": "hm",
        "tool_name": "terminal",
        "tool_call_id": "c1",
        "tool_call": {"id": "c1", "name": "terminal", "arguments": '{"command": "ls"}'},
        "llm_response_id": "r1",
        "action": {"kind": "TerminalAction", "command": "ls"},
    },
    {
        "kind": "ObservationEvent",
        "source": "environment",
        "tool_name": "terminal",
        "tool_call_id": "c1",
        "observation": {"content": [{"type": "text", "text": "no"}], "is_error": False, "exit_code": 2},
    },
    {
        "kind": "ConversationStateUpdateEvent",
        "source": "environment",
        "key": "stats",
        "value": {
            "usage_to_metrics": {
                "agent": {
                    "accumulated_cost": 0.1,
                    "accumulated_token_usage": {
                        "prompt_tokens": 40,
                        "completion_tokens": 4,
                        "cache_read_tokens": 8,
                    },
                }
            }
        },
    },
]


@pytest.mark.parametrize("layout", ["lines", "list", "files"])
def test_openhands_sdk_conversations_are_read_in_all_three_layouts(tmp_path: Path, layout: str) -> None:
    events = [{"id": f"e{n}", "timestamp": "2026-03-01T10:00:00", **one} for n, one in enumerate(SDK_EVENTS)]
    if layout == "files":
        for number, event in enumerate(events):
            write(tmp_path / "events" / f"event-{number:05}-{event['id']}.json", event)
        path = tmp_path / "events" / "event-00000-e0.json"
    else:
        maker = write_lines if layout == "lines" else write
        path = maker(tmp_path / "events.json", events)

    trace = read_one(path)

    assert said(trace) == [("system", "Be good."), ("user", "fix it"), ("agent", "look")]
    assert calls(trace) == [("terminal", {"command": "ls"})]
    assert results(trace) == [("no", True)]
    assert (trace.usage.input_tokens, trace.usage.cached_tokens, trace.usage.cost_usd) == (40, 8, 0.1)


def test_a_conversation_kept_as_a_file_per_event_is_one_trace_that_grows(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path / "data")
    settings = Settings(data=paths.root)
    folder = paths.inbox / "s" / "conversation" / "events"
    events = [{"id": f"e{n}", "timestamp": "2026-03-01T10:00:00", **one} for n, one in enumerate(SDK_EVENTS)]
    for number, event in enumerate(events[:3]):
        write(folder / f"event-{number:05}.json", event)
    ingest_batches(Store(paths), paths, settings, plan_batches(paths, settings))
    write(folder / "event-00003.json", events[3])

    ingest_batches(Store(paths), paths, settings, plan_batches(paths, settings))

    stored = Store(paths).query("SELECT n_steps, n_calls FROM traces").rows()
    observed = Store(paths).query("SELECT count(*) FROM steps WHERE body LIKE '%observation%'").rows()
    assert (stored, observed) == ([(3, 1)], [(1,)])


def test_a_request_to_another_agent_is_a_call_and_its_reply_the_result(tmp_path: Path) -> None:
    trace = read_one(SAMPLES["who_and_when"](tmp_path))

    assert calls(trace) == [("WebSurfer", {"request": "Search for it."})]
    assert results(trace) == [("Nothing found.", False)]
    assert trace.trajectory.steps[1].reasoning_content == "Ask the web."
    assert [step.extra and step.extra["turn"] for step in trace.trajectory.steps] == [0, 1, 2, 4]
    assert (trace.task_id, trace.outcome.status) == ("q1", "failure")


def test_responses_items_become_steps(tmp_path: Path) -> None:
    trace = read_one(write_lines(tmp_path / "r.jsonl", [responses_record()]))

    assert said(trace) == [("system", "be brief"), ("user", "weather?"), ("agent", ""), ("agent", "Sunny.")]
    assert calls(trace) == [("weather", {"city": "Rome"})]
    assert results(trace) == [("sunny", False)]
    assert trace.trajectory.steps[2].reasoning_content == "look it up"
    assert (trace.task_id, trace.outcome.status, trace.usage.cached_tokens) == ("t1", "success", 40)


def test_a_conversation_of_bare_items_is_read(tmp_path: Path) -> None:
    items = [*responses_record()["input"], *responses_record()["output"]]

    trace = read_one(write_lines(tmp_path / "r.jsonl", [{"items": items, "id": "x"}]))

    assert len(trace.trajectory.steps) == 3
