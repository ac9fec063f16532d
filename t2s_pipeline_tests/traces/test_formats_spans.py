"""OpenTelemetry, Langfuse, LangSmith and MLflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from t2s_pipeline.settings import Settings
from t2s_pipeline.traces import grouping
from t2s_pipeline.traces.dialects import messages_in
from t2s_pipeline.traces.spans import Span, steps_of_spans
from t2s_pipeline_tests.traces.format_samples import (
    SAMPLES,
    genai_spans,
    langfuse_export,
    langsmith_runs,
    mlflow_trace,
    otel_span,
    otlp,
)
from t2s_pipeline_tests.traces.samples import calls, read, read_one, results, said, write, write_lines


@pytest.mark.parametrize("name", ["langfuse", "langsmith", "mlflow", "otel"])
def test_what_each_model_call_repeats_is_taken_once(tmp_path: Path, name: str) -> None:
    trace = read_one(SAMPLES[name](tmp_path))

    assert calls(trace) == [("refund", {"order": 7})]
    assert [
        (text.replace("ValueError('too old')", "too old"), failed) for text, failed in results(trace)
    ] == [("too old", True)]
    assert said(trace)[-1] == ("agent", "It is too old.")
    assert (trace.usage.input_tokens, trace.usage.output_tokens) == (100, 10)


@pytest.mark.parametrize(
    ("name", "status", "source"),
    [
        ("langfuse", "success", "human"),
        ("langsmith", "failure", "human"),
        ("mlflow", "success", "human"),
        ("otel", "failure", "verifier"),
    ],
)
def test_the_outcome_is_the_score_that_speaks_of_success(
    tmp_path: Path, name: str, status: str, source: str
) -> None:
    trace = read_one(SAMPLES[name](tmp_path))

    assert (trace.outcome.status, trace.outcome.source) == (status, source)


def test_other_scores_are_named_and_not_used_unless_the_settings_say_so(tmp_path: Path) -> None:
    export = langfuse_export()
    export["trace"]["scores"] = [{"name": "helpfulness", "value": 1, "source": "EVAL"}]
    path = write(tmp_path / "trace.json", export)

    by_default = read_one(path)
    by_setting = read_one(path, settings=Settings(reward_key="helpfulness"))

    assert by_default.outcome.status == "unknown"
    assert any("helpfulness" in warning for warning in by_default.source.warnings)
    assert (by_setting.outcome.status, by_setting.outcome.source) == ("success", "llm_judge")


def test_the_spans_of_a_trace_are_found_wherever_they_stand(tmp_path: Path) -> None:
    first, second = genai_spans("t1"), genai_spans("t2")
    lines = [
        otlp(first[0]),
        otlp(second[0], first[1]),
        "broken",
        otlp(second[1]),
        otlp(*first[2:], *second[2:]),
    ]

    traces, quarantined = read(write_lines(tmp_path / "spans.jsonl", lines))

    assert [one.source.uri for one in traces] == ["spans.jsonl#trace=t1", "spans.jsonl#trace=t2"]
    assert [len(one.trajectory.steps) for one in traces] == [4, 4]
    assert [one.uri for one in quarantined] == ["spans.jsonl#L3"]


def test_a_line_that_many_traces_share_is_parsed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        otlp(*(span for number in range(8) for span in genai_spans(f"{line}-{number}"))) for line in range(3)
    ]
    path = write_lines(tmp_path / "spans.jsonl", lines)
    parsed = []
    real = grouping.parse

    def counting(raw: bytes) -> Any:
        parsed.append(len(raw))
        return real(raw)

    monkeypatch.setattr(grouping, "parse", counting)

    traces, quarantined = read(path)

    assert (len(traces), quarantined) == (24, [])
    assert len(parsed) == 2 * len(lines)  # once to find the traces, once to read them


def test_lines_are_let_go_when_they_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "_KEPT_BYTES", 1)
    spans = [genai_spans(f"t{number}") for number in range(3)]
    path = write_lines(tmp_path / "spans.jsonl", [otlp(*column) for column in zip(*spans, strict=True)])

    traces, quarantined = read(path)

    assert quarantined == []
    assert [len(one.trajectory.steps) for one in traces] == [4, 4, 4]


def test_what_a_user_says_twice_is_said_twice() -> None:
    def text(role: str, content: str) -> dict[str, Any]:
        return {"role": role, "content": content}

    history = [text("user", "no"), text("assistant", "Sure?"), text("user", "no"), text("assistant", "OK.")]
    spans = [
        Span("model", "1", inputs=history[:1], outputs=history[1:2]),
        Span("model", "2", inputs=history[:3], outputs=history[3:]),
        Span("model", "3", inputs=history, outputs=[text("assistant", "Bye.")]),
    ]

    steps = steps_of_spans(spans).steps

    assert [step["message"] for step in steps] == ["no", "Sure?", "no", "OK.", "Bye."]


def test_openinference_spans_are_read_from_their_flat_keys(tmp_path: Path) -> None:
    prefix = "llm.output_messages.0.message"
    model = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "refund order 7",
        f"{prefix}.role": "assistant",
        f"{prefix}.tool_calls.0.tool_call.id": "c1",
        f"{prefix}.tool_calls.0.tool_call.function.name": "refund",
        f"{prefix}.tool_calls.0.tool_call.function.arguments": '{"order": 7}',
        "llm.token_count.prompt": 50,
        "llm.token_count.completion": 5,
        "llm.cost.total": 0.01,
    }
    tool = {
        "openinference.span.kind": "TOOL",
        "tool.name": "refund",
        "input.value": '{"order": 7}',
        "output.value": "done",
    }
    verdict = {
        "openinference.span.kind": "CHAIN",
        "annotations.0.annotation.name": "correctness",
        "annotations.0.annotation.score": 1,
    }
    spans = [otel_span(2, tool), otel_span(1, model), otel_span(3, verdict)]

    trace = read_one(write(tmp_path / "spans.json", otlp(*spans)))

    assert said(trace)[0] == ("user", "refund order 7")
    assert calls(trace) == [("refund", {"order": 7})]
    assert results(trace) == [("done", False)]
    assert (trace.usage.input_tokens, trace.usage.cost_usd, trace.outcome.status) == (50, 0.01, "success")


def test_spans_without_captured_content_say_so(tmp_path: Path) -> None:
    span = otel_span(1, {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"})

    _, quarantined = read(write(tmp_path / "spans.json", otlp(span)))

    assert "was content captured?" in quarantined[0].reason


def test_langfuse_observations_without_their_trace_are_put_together(tmp_path: Path) -> None:
    observations = langfuse_export()["observations"]

    from_lines = read_one(write_lines(tmp_path / "o.jsonl", observations))
    from_list = read_one(write(tmp_path / "o.json", observations))

    assert calls(from_lines) == calls(from_list) == [("refund", {"order": 7})]
    assert from_lines.outcome.status == "unknown"


def test_of_a_wrapper_and_the_model_call_inside_it_one_counts(tmp_path: Path) -> None:
    export = langfuse_export()
    outer = {**export["observations"][1], "id": "outer", "usageDetails": {}}
    export["observations"][1]["parentObservationId"] = "outer"
    export["observations"].append(outer)

    trace = read_one(write(tmp_path / "trace.json", export))

    assert calls(trace) == [("refund", {"order": 7})]
    assert trace.usage.input_tokens == 100


def test_langsmith_runs_nested_in_their_root_are_read(tmp_path: Path) -> None:
    *children, root = langsmith_runs()

    trace = read_one(write(tmp_path / "run.json", {**root, "child_runs": children}))

    assert calls(trace) == [("refund", {"order": 7})]
    assert trace.task_id == "example-7"


def test_what_mlflow_expects_is_not_read(tmp_path: Path) -> None:
    trace = read_one(write(tmp_path / "trace.json", mlflow_trace()))

    assert "gold-expectation" not in trace.model_dump_json()
    assert (trace.task_id, trace.usage.cost_usd) == ("7", 0.004)


def test_unknown_keys_of_observations_runs_and_spans_raise_an_alarm(tmp_path: Path) -> None:
    export, runs, mlflow = langfuse_export(), langsmith_runs(), mlflow_trace()
    export["observations"][0]["brandNew"] = runs[0]["brandNew"] = mlflow["info"]["brandNew"] = 1

    found = [
        read_one(write(tmp_path / "a.json", export)),
        read_one(write_lines(tmp_path / "b.jsonl", runs)),
        read_one(write(tmp_path / "c.json", mlflow)),
    ]

    assert all(any("`brandNew`" in warning for warning in one.source.warnings) for one in found)


CALL = {"id": "c1", "name": "find", "arguments": {"q": 1}}
OPENAI_CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": {"q": 1}}}
LANGCHAIN_CALL = {"id": "c1", "name": "find", "args": {"q": 1}}
OPENAI_MESSAGE = {"role": "assistant", "content": "", "tool_calls": [OPENAI_CALL]}


@pytest.mark.parametrize(
    "value",
    [
        OPENAI_MESSAGE,
        {"choices": [{"message": OPENAI_MESSAGE}]},
        {"role": "assistant", "content": json.dumps([OPENAI_CALL])},
        {"role": "assistant", "parts": [{"type": "tool_call", **CALL}]},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "c1", "name": "find", "input": {"q": 1}}],
        },
        {"type": "ai", "content": "", "tool_calls": [LANGCHAIN_CALL]},
        {"lc": 1, "id": ["x", "AIMessage"], "kwargs": {"content": "", "tool_calls": [LANGCHAIN_CALL]}},
        {"type": "function_call", "call_id": "c1", "name": "find", "arguments": {"q": 1}},
        {"toolCallId": "c1", "toolName": "find", "input": {"q": 1}},
        {"role": "model", "parts": [{"function_call": LANGCHAIN_CALL}]},
    ],
)
def test_a_call_is_the_same_in_every_dialect(value: dict[str, Any]) -> None:
    for told in (value, [value], json.dumps(value), {"output": [value]}):
        (message,) = messages_in(told, "assistant")

        assert message["role"] == "assistant"
        assert message["tool_calls"] == [CALL]


@pytest.mark.parametrize(
    "value",
    [
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "done"}]},
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "c1", "response": {"result": "done"}}],
        },
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
        {"lc": 1, "id": ["x", "ToolMessage"], "kwargs": {"content": "done", "tool_call_id": "c1"}},
    ],
)
def test_a_result_is_the_same_in_every_dialect(value: dict[str, Any]) -> None:
    (message,) = messages_in([value], "user")

    assert (message["role"], message["tool_call_id"], message["content"]) == ("tool", "c1", "done")
