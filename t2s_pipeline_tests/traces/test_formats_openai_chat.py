"""OpenAI chat conversations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from t2s_pipeline.settings import Settings
from t2s_pipeline_tests.traces.samples import calls, chat, read, read_one, results, said, write, write_lines


def test_each_line_is_a_trace_with_its_task_trial_agent_and_outcome(tmp_path: Path) -> None:
    lines = [
        chat("a", reward=1.0, trial=0, agent="careful"),
        chat("b", reward=0.0, trial=1, agent="hasty"),
        chat("c", reward=0.5),
    ]

    traces, quarantined = read(write_lines(tmp_path / "runs.jsonl", lines))

    assert quarantined == []
    assert [(one.task_id, one.trial, one.agent, one.outcome.status) for one in traces] == [
        ("task-a", "0", "careful", "success"),
        ("task-b", "1", "hasty", "failure"),
        ("task-c", None, "unknown", "partial"),
    ]
    assert [one.source.uri for one in traces] == ["runs.jsonl#L1", "runs.jsonl#L2", "runs.jsonl#L3"]


def test_a_tool_result_stands_in_the_step_of_the_call_it_answers(tmp_path: Path) -> None:
    trace = read_one(write_lines(tmp_path / "runs.jsonl", [chat()]))

    assert said(trace) == [
        ("system", "You are careful."),
        ("user", "question a"),
        ("agent", ""),
        ("agent", "done"),
    ]
    assert calls(trace) == [("sql", {"query": "SELECT 1"})]
    assert trace.trajectory.steps[2].observation is not None
    assert trace.trajectory.steps[2].observation.results[0].source_call_id == "call_1"
    assert trace.trajectory.schema_version == "ATIF-v1.8"


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["runs.json", "runs.jsonl", "runs.txt"])
def test_a_json_list_of_conversations_is_read_element_by_element(
    tmp_path: Path, name: str, indent: int | None
) -> None:
    path = write(tmp_path / name, json.dumps([chat("a"), chat("b")], indent=indent))

    traces, quarantined = read(path)

    assert quarantined == []
    assert [one.source.uri for one in traces] == [f"{name}#/0", f"{name}#/1"]


def test_one_pretty_printed_conversation_is_one_trace(tmp_path: Path) -> None:
    trace = read_one(write(tmp_path / "run.json", json.dumps(chat(), indent=4)))

    assert trace.source.uri == "run.json"


@pytest.mark.parametrize(
    ("reward", "status", "number"),
    [
        (1, "success", 1.0),
        (2.5, "success", 2.5),
        (0.99, "partial", 0.99),
        (0, "failure", 0.0),
        (-1, "failure", -1.0),
        (True, "success", 1.0),
        (False, "failure", 0.0),
        ("success", "success", None),
        ("Resolved", "success", None),
        ("FAIL", "failure", None),
        ("0.0", "failure", 0.0),
        ("infrastructure_error", "error", None),
        (None, "unknown", None),
        ("later", "unknown", None),
        ({"a": 1}, "unknown", None),
    ],
)
def test_outcomes_come_from_numbers_truth_values_and_words_and_are_never_guessed(
    tmp_path: Path, reward: Any, status: str, number: float | None
) -> None:
    trace = read_one(write_lines(tmp_path / "runs.jsonl", [chat(reward=reward), ""]))

    assert (trace.outcome.status, trace.outcome.reward) == (status, number)
    assert trace.outcome.infra_error == (reward == "infrastructure_error")


def test_keys_come_from_the_settings_with_dots_and_from_metadata(tmp_path: Path) -> None:
    line = {
        "meta": {"run": "r1"},
        "metadata": {"problem": "p1", "scores": {"final": 1}},
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}],
    }
    settings = Settings(id_key="meta.run", task_key="problem", reward_key="scores.final")

    trace = read_one(write_lines(tmp_path / "runs.jsonl", [line, ""]), settings=settings)

    assert (trace.task_id, trace.trajectory.session_id) == ("p1", "r1")
    assert trace.outcome.status == "success"


def test_a_reward_under_another_name_is_pointed_at_and_not_used(tmp_path: Path) -> None:
    line = {key: value for key, value in chat(score=0.7).items() if key != "reward"}

    trace = read_one(write_lines(tmp_path / "runs.jsonl", [line]))

    assert trace.outcome.status == "unknown"
    assert any("`score` is there: set reward_key" in warning for warning in trace.source.warnings)


def test_arguments_that_do_not_parse_are_kept_raw(tmp_path: Path) -> None:
    line = chat()
    line["messages"][2]["tool_calls"][0]["function"]["arguments"] = '{"query": "SELECT'

    trace = read_one(write_lines(tmp_path / "runs.jsonl", [line]))

    assert calls(trace) == [("sql", {"_raw": '{"query": "SELECT'})]


def test_a_result_that_answers_no_call_stays_visible_with_a_warning(tmp_path: Path) -> None:
    line = chat()
    line["messages"][3]["tool_call_id"] = "call_9"

    trace = read_one(write_lines(tmp_path / "runs.jsonl", [line]))

    assert results(trace) == [("[(1,)]", False)]
    assert "a tool result answers no call" in trace.source.warnings
    assert "a tool call has no result" in trace.source.warnings


def test_a_result_without_an_id_goes_to_the_call_before_it(tmp_path: Path) -> None:
    line = chat()
    del line["messages"][3]["tool_call_id"]

    trace = read_one(write_lines(tmp_path / "runs.jsonl", [line]))

    step = trace.trajectory.steps[2]
    assert step.observation is not None
    assert step.observation.results[0].source_call_id == "call_1"


def test_call_ids_that_start_again_in_every_turn_keep_their_results(tmp_path: Path) -> None:
    line = chat()
    turn = line["messages"][2:4]
    line["messages"] += [turn[0], {**turn[1], "content": "[(2,)]"}]

    trace = read_one(write_lines(tmp_path / "runs.jsonl", [line]))

    assert [text for text, _ in results(trace)] == ["[(1,)]", "[(2,)]"]
    assert trace.trajectory.steps[4].observation is not None


def test_parts_legacy_calls_reasoning_and_usage_are_understood(tmp_path: Path) -> None:
    line = {
        "model": "gpt-x",
        "messages": [
            {"role": "developer", "content": "be brief"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {}}],
            },
            {
                "role": "assistant",
                "content": "",
                "reasoning_content": "hm",
                "function_call": {"name": "find", "arguments": "{}"},
                "usage": {
                    "prompt_tokens": 50,
                    "completion_tokens": 7,
                    "prompt_tokens_details": {"cached_tokens": 30},
                },
            },
            {"role": "function", "name": "find", "content": "nothing"},
        ],
    }

    trace = read_one(write_lines(tmp_path / "runs.jsonl", [line]))

    assert said(trace)[:2] == [("system", "be brief"), ("user", "look\n[image_url]")]
    assert trace.trajectory.steps[2].reasoning_content == "hm"
    assert results(trace) == [("nothing", False)]
    assert (trace.usage.input_tokens, trace.usage.output_tokens, trace.usage.cached_tokens) == (50, 7, 30)
    assert trace.agent == "gpt-x"


def test_unknown_keys_of_a_message_are_reported(tmp_path: Path) -> None:
    line = chat()
    line["messages"][1]["brand_new"] = 1

    trace = read_one(write_lines(tmp_path / "runs.jsonl", [line]))

    assert "unknown key `brand_new` in message" in trace.source.warnings


def test_a_file_of_bare_messages_is_one_conversation(tmp_path: Path) -> None:
    trace = read_one(write(tmp_path / "run.json", chat()["messages"]))

    assert (trace.source.format, trace.source.uri) == ("openai_chat", "run.json")
    assert calls(trace) == [("sql", {"query": "SELECT 1"})]
