"""One small sample file of every format, made up here: a task with one failing and one working tool call.

The README's table of formats is computed from these files.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from t2s_pipeline_tests.traces.samples import (
    Json,
    chat,
    claude_agent,
    claude_session,
    claude_user,
    episode,
    tau_run,
    text,
    write,
    write_lines,
)

WHEN = "2026-03-01T10:00:00Z"
NANOSECONDS = 1_772_359_200_000_000_000
"""The same moment for OpenTelemetry."""


def openai_chat(folder: Path) -> Path:
    line = chat("a", model="gpt-x", usage={"prompt_tokens": 100, "completion_tokens": 20}, cost_usd=0.01)
    return write_lines(folder / "chat.jsonl", [line, chat("b", reward=0)])


def tau_bench(folder: Path) -> Path:
    return write(folder / "gpt-4o-airline.json", [tau_run(0), tau_run(1, reward=0.0)])


def intercode(folder: Path) -> Path:
    return write(folder / "ic_sql_react.json", {"0": episode(0), "1": episode(1, reward=0.0)})


def claude_code(folder: Path) -> Path:
    side = {"isSidechain": True}
    delegated = [claude_user("s1", None, "sub task", **side), claude_agent("s2", "s1", text("done"), **side)]
    return write_lines(folder / "session.jsonl", [*claude_session(), *delegated])


def codex_lines() -> list[Json]:
    """A Codex rollout: each result stands in an item and in an event, usage is cumulative."""

    def line(kind: str, **payload: Any) -> Json:
        return {"timestamp": WHEN, "type": kind, "payload": payload}

    def message(role: str, words: str) -> Json:
        part = "output_text" if role == "assistant" else "input_text"
        return line("response_item", type="message", role=role, content=[{"type": part, "text": words}])

    def call(call_id: str, command: str) -> Json:
        arguments = json.dumps({"command": command})
        return line("response_item", type="function_call", name="shell", arguments=arguments, call_id=call_id)

    def output(call_id: str, words: str) -> Json:
        return line("response_item", type="function_call_output", call_id=call_id, output=words)

    def tokens(total: int, last: int) -> Json:
        def usage(count: int) -> Json:
            return {"input_tokens": count, "cached_input_tokens": count // 2, "output_tokens": count // 10}

        info = {"total_token_usage": usage(total), "last_token_usage": usage(last)}
        return line("event_msg", type="token_count", info=info)

    def ended(call_id: str, words: str, code: int) -> Json:
        return line(
            "event_msg", type="exec_command_end", call_id=call_id, aggregated_output=words, exit_code=code
        )

    return [
        line("session_meta", id="rollout-1", cwd="/repo", cli_version="0.140.0", originator="codex_cli_rs"),
        line("turn_context", model="gpt-5", effort="high"),
        message("user", "<environment_context>cwd</environment_context>"),
        message("user", "fix the bug"),
        line("event_msg", type="user_message", message="fix the bug"),
        line("response_item", type="reasoning", summary=[{"type": "summary_text", "text": "try the tests"}]),
        call("c1", "pytest"),
        ended("c1", "pytest: not found", 127),
        output("c1", "pytest: not found"),
        tokens(1000, 1000),
        call("c2", "python -m pytest"),
        output("c2", "2 passed"),
        tokens(2500, 1500),
        line("event_msg", type="token_count", info=None),
        message("assistant", "Fixed."),
        line("event_msg", type="agent_message", message="Fixed."),
    ]


def codex(folder: Path) -> Path:
    return write_lines(folder / "rollout-2026-03-01.jsonl", codex_lines())


def responses_record() -> Json:
    """A Responses conversation with a call and its output."""
    return {
        "id": "r1",
        "task_id": "t1",
        "reward": 1,
        "model": "gpt-5",
        "instructions": "be brief",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "weather?"}]}],
        "output": [
            {"type": "reasoning", "id": "rs1", "summary": [{"type": "summary_text", "text": "look it up"}]},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Rome"}'},
            {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Sunny."}]},
        ],
        "usage": {"input_tokens": 90, "input_tokens_details": {"cached_tokens": 40}, "output_tokens": 12},
    }


def openai_responses(folder: Path) -> Path:
    return write_lines(folder / "responses.jsonl", [responses_record()])


def atif_document(version: str = "ATIF-v1.4") -> Json:
    """An ATIF trajectory."""
    return {
        "schema_version": version,
        "session_id": "run-1",
        "agent": {"name": "terminus", "version": "2.0", "model_name": "gpt-4o"},
        "steps": [
            {"step_id": 1, "timestamp": WHEN, "source": "user", "message": "fix the bug"},
            {
                "step_id": 2,
                "source": "agent",
                "message": "running",
                "tool_calls": [
                    {"tool_call_id": "c1", "function_name": "bash", "arguments": {"command": "pytest"}}
                ],
                "observation": {
                    "results": [
                        {
                            "source_call_id": "c1",
                            "content": "ok",
                            "subagent_trajectory_ref": [{"session_id": "s"}],
                        }
                    ]
                },
                "metrics": {
                    "prompt_tokens": 50,
                    "completion_tokens": 5,
                    "cached_tokens": 10,
                    "cost_usd": 0.001,
                },
            },
        ],
        "final_metrics": {
            "total_prompt_tokens": 50,
            "total_completion_tokens": 5,
            "total_cached_tokens": 10,
            "total_cost_usd": 0.001,
        },
    }


def harbor_result(reward: float = 1.0, **keys: Any) -> Json:
    """What Harbor writes beside a trajectory."""
    return {
        "task_name": "fix-bug",
        "trial_name": "fix-bug__1",
        "agent_result": {"n_input_tokens": 50, "n_output_tokens": 5, "cost_usd": 0.001},
        "verifier_result": {"rewards": {"reward": reward}},
        "exception_info": None,
        **keys,
    }


def atif(folder: Path) -> Path:
    write(folder / "trial" / "result.json", harbor_result())
    return write(folder / "trial" / "agent" / "trajectory.json", atif_document())


def swe_agent_document() -> Json:
    """A SWE-agent trajectory with a demonstration in its history."""
    return {
        "environment": "swe_main",
        "trajectory": [
            {
                "action": "ls\n",
                "observation": "a.py\n",
                "response": "Look.\n```\nls\n```",
                "thought": "Look.",
            },
            {"action": "submit\n", "observation": "", "response": "Done.", "thought": "Done."},
        ],
        "history": [
            {"role": "system", "content": "SETTING", "agent": "primary"},
            {"role": "user", "content": "demonstration", "is_demo": True, "agent": "primary"},
            {"role": "user", "content": "solve the issue", "agent": "primary"},
            {
                "role": "assistant",
                "content": "Look.",
                "agent": "primary",
                "thought": "Look.",
                "action": "ls\n",
            },
        ],
        "info": {
            "exit_status": "submitted",
            "submission": "diff",
            "model_stats": {"instance_cost": 0.5, "tokens_sent": 1000, "tokens_received": 50, "api_calls": 2},
        },
    }


def swe_agent(folder: Path) -> Path:
    return write(folder / "gpt4__swe-bench__default" / "repo__issue-1.traj", swe_agent_document())


def mini_document() -> Json:
    """A mini-swe-agent trajectory of version 1.1, with tool calls."""

    def usage(prompt: int) -> Json:
        return {
            "response": {"usage": {"prompt_tokens": prompt, "completion_tokens": 10}},
            "timestamp": 1.77e9,
        }

    call = {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    return {
        "trajectory_format": "mini-swe-agent-1.1",
        "instance_id": "repo__issue-1",
        "info": {
            "mini_version": "2.1.0",
            "exit_status": "Submitted",
            "submission": "diff",
            "model_stats": {"instance_cost": 0.25, "api_calls": 2},
            "config": {"model": {"model_name": "gpt-5-mini"}},
        },
        "messages": [
            {"role": "system", "content": "You are helpful."},
            {"role": "user", "content": "solve the issue"},
            {"role": "assistant", "content": "Look.", "tool_calls": [call], "extra": usage(100)},
            {"role": "tool", "tool_call_id": "c1", "content": "ls: no", "extra": {"returncode": 2}},
            {"role": "assistant", "content": "Done.", "extra": usage(200)},
            {"role": "exit", "content": "diff", "extra": {"exit_status": "Submitted"}},
        ],
    }


def mini_swe_agent(folder: Path) -> Path:
    return write(folder / "repo__issue-1.traj.json", mini_document())


def openhands_events() -> list[Json]:
    """OpenHands V0 events."""

    def told(call_id: str, name: str, arguments: Json) -> Json:
        call = {"id": call_id, "function": {"name": name, "arguments": json.dumps(arguments)}}
        message = {"role": "assistant", "content": "Let me run it.", "tool_calls": [call]}
        return {
            "function_name": name,
            "tool_call_id": call_id,
            "model_response": {
                "id": f"response-{call_id}",
                "model": "claude-3-5",
                "choices": [{"message": message}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10, "cache_read_input_tokens": 60},
            },
        }

    run = told("c1", "execute_bash", {"command": "pytest"})
    return [
        {
            "id": 0,
            "timestamp": "2026-03-01T10:00:00",
            "source": "user",
            "action": "message",
            "message": "fix it",
            "args": {"content": "fix it"},
        },
        {
            "id": 1,
            "timestamp": "2026-03-01T10:00:01",
            "source": "environment",
            "observation": "agent_state_changed",
            "content": "",
            "extras": {},
        },
        {
            "id": 2,
            "timestamp": "2026-03-01T10:00:02",
            "source": "agent",
            "action": "run",
            "message": "Running",
            "args": {"command": "pytest", "thought": "Let me run it."},
            "tool_call_metadata": run,
            "llm_metrics": {"accumulated_cost": 0.02},
        },
        {
            "id": 3,
            "timestamp": "2026-03-01T10:00:03",
            "source": "agent",
            "observation": "run",
            "cause": 2,
            "content": "1 failed",
            "extras": {"metadata": {"exit_code": 1}},
            "tool_call_metadata": run,
        },
        {
            "id": 4,
            "timestamp": "2026-03-01T10:00:04",
            "source": "agent",
            "action": "finish",
            "message": "Done",
            "args": {"final_thought": "Done"},
            "tool_call_metadata": told("c2", "finish", {}),
        },
    ]


def openhands_row(**keys: Any) -> Json:
    """A row of an OpenHands evaluation."""
    return {
        "instance_id": "repo__issue-1",
        "instance": {"patch": "gold-patch"},
        "test_result": {"git_patch": "diff"},
        "metadata": {"llm_config": {"model": "claude-3-5"}},
        "history": openhands_events(),
        "metrics": {
            "accumulated_cost": 0.02,
            "accumulated_token_usage": {
                "prompt_tokens": 200,
                "completion_tokens": 20,
                "cache_read_tokens": 120,
            },
        },
        "error": None,
        **keys,
    }


def openhands(folder: Path) -> Path:
    return write_lines(folder / "output.jsonl", [openhands_row(report={"resolved": True}), openhands_row()])


def tau2_run(**keys: Any) -> Json:
    """A tau2-bench simulation."""
    return {
        "id": "sim-1",
        "task_id": "7",
        "termination_reason": "user_stop",
        "agent_cost": 0.03,
        "user_cost": 0.01,
        "reward_info": {"reward": 1.0, "action_checks": [{"action": {"name": "gold-action"}}]},
        "messages": [
            {"role": "assistant", "content": "Hi!", "cost": 0.0, "usage": None},
            {"role": "user", "content": "Book a flight", "cost": 0.01},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "name": "book", "arguments": {"flight": "A1"}, "requestor": "assistant"}
                ],
                "usage": {"prompt_tokens": 300, "completion_tokens": 30},
                "cost": 0.03,
            },
            {"id": "c1", "role": "tool", "content": "no seats", "requestor": "assistant", "error": True},
            {
                "role": "user",
                "content": None,
                "tool_calls": [{"id": "u1", "name": "check_phone", "arguments": {}, "requestor": "user"}],
            },
            {"id": "u1", "role": "tool", "content": "phone is on", "requestor": "user", "error": False},
            {"role": "assistant", "content": "No seats left."},
        ],
        "trial": 2,
        "seed": 1,
        **keys,
    }


def tau2_results(*runs: Json) -> Json:
    """A tau2-bench results file."""
    return {
        "timestamp": WHEN,
        "info": {"agent_info": {"implementation": "llm_agent", "llm": "gpt-4.1"}, "num_trials": 1},
        "tasks": [{"id": "7", "evaluation_criteria": {"actions": ["gold-action"]}}],
        "simulations": list(runs),
    }


def tau2_bench(folder: Path) -> Path:
    return write(folder / "results.json", tau2_results(tau2_run()))


def inspect_sample(sample: int = 1, **keys: Any) -> Json:
    """A sample of an Inspect log."""
    return {
        "id": sample,
        "epoch": 1,
        "input": "What is 2 + 2?",
        "target": "gold-target",
        "messages": [
            {"id": "m1", "role": "system", "content": "Answer."},
            {"id": "m2", "role": "user", "content": "attachment://abc", "source": "input"},
            {
                "id": "m3",
                "role": "assistant",
                "content": [
                    {"type": "reasoning", "reasoning": "add"},
                    {"type": "text", "text": "Let me compute."},
                ],
                "tool_calls": [{"id": "c1", "function": "python", "arguments": {"code": "2+2"}}],
                "model": "gpt-4o",
            },
            {
                "id": "m4",
                "role": "tool",
                "content": "",
                "tool_call_id": "c1",
                "function": "python",
                "error": {"type": "timeout", "message": "timed out"},
            },
            {"id": "m5", "role": "assistant", "content": "4"},
        ],
        "scores": {"match": {"value": "C", "answer": "4", "explanation": "gold-explanation"}},
        "metadata": {"solution": "gold-metadata"},
        "model_usage": {
            "openai/gpt-4o": {
                "input_tokens": 100,
                "output_tokens": 20,
                "total_tokens": 220,
                "input_tokens_cache_read": 100,
                "total_cost": 0.004,
            }
        },
        "attachments": {"abc": "What is 2 + 2?"},
        **keys,
    }


INSPECT_HEADER: Json = {
    "version": 2,
    "status": "success",
    "eval": {"task": "sums", "task_id": "x", "model": "openai/gpt-4o", "packages": {"inspect_ai": "0.3.150"}},
}


def inspect_log(folder: Path) -> Path:
    path = folder / "sums.eval"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(INSPECT_HEADER))
        archive.writestr("samples/1_epoch_1.json", json.dumps(inspect_sample()))
        archive.writestr("summaries.json", "[]")
    return path


def otlp(*spans: Json) -> Json:
    """An OTLP export request."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "helpdesk"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}


def otel_span(number: int, attributes: Json, *, trace: str = "t1", **keys: Any) -> Json:
    """A span whose attributes are given as plain values."""

    def value(one: Any) -> Json:
        if isinstance(one, int):
            return {"intValue": str(one)}
        return {"doubleValue": one} if isinstance(one, float) else {"stringValue": one}

    return {
        "traceId": trace,
        "spanId": f"s{number}",
        "name": f"span {number}",
        "startTimeUnixNano": str(NANOSECONDS + number),
        "attributes": [{"key": key, "value": value(one)} for key, one in attributes.items()],
        **keys,
    }


def genai_spans(trace: str = "t1") -> list[Json]:
    """Two model calls and the tool call between them, after the GenAI conventions."""
    asked = {"role": "user", "parts": [{"type": "text", "content": "refund order 7"}]}
    call = {"type": "tool_call", "id": "c1", "name": "refund", "arguments": {"order": 7}}
    called = {"role": "assistant", "parts": [call]}
    reply = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "result": "too old"}]}
    said = {"role": "assistant", "parts": [{"type": "text", "content": "It is too old."}]}

    def chat_span(number: int, inputs: list[Json], outputs: list[Json]) -> Json:
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be kind."}]),
            "gen_ai.input.messages": json.dumps(inputs),
            "gen_ai.output.messages": json.dumps(outputs),
            "gen_ai.usage.input_tokens": 50,
            "gen_ai.usage.output_tokens": 5,
            "gen_ai.usage.cache_read.input_tokens": 20,
        }
        return otel_span(number, attributes, trace=trace)

    tool = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "refund",
        "gen_ai.tool.call.id": "c1",
        "gen_ai.tool.call.arguments": '{"order": 7}',
        "gen_ai.tool.call.result": "too old",
    }
    verdict = otel_span(
        0,
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "refunds"},
        trace=trace,
        events=[
            {
                "name": "gen_ai.evaluation.result",
                "attributes": [
                    {"key": "gen_ai.evaluation.name", "value": {"stringValue": "success"}},
                    {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": 0.0}},
                ],
            }
        ],
    )
    return [
        chat_span(1, [asked], [called]),
        otel_span(2, tool, trace=trace, status={"code": 2}),
        chat_span(3, [asked, called, reply], [said]),
        verdict,
    ]


def otel(folder: Path) -> Path:
    return write(folder / "spans.json", otlp(*genai_spans()))


def langfuse_export() -> Json:
    """A Langfuse trace with its observations."""
    call = {"id": "c1", "type": "function", "function": {"name": "refund", "arguments": '{"order": 7}'}}
    asked = {"role": "user", "content": "refund order 7"}
    called = {"role": "assistant", "content": None, "tool_calls": [call]}

    def generation(number: int, inputs: list[Json], output: Json) -> Json:
        return {
            "id": f"g{number}",
            "traceId": "lf1",
            "parentObservationId": None,
            "type": "GENERATION",
            "name": "chat",
            "startTime": f"2026-03-01T10:00:0{number}.000Z",
            "input": json.dumps(inputs),
            "output": json.dumps(output),
            "model": "gpt-4o",
            "usageDetails": {"input": 50, "output": 5, "input_cached_tokens": 20, "total": 55},
            "costDetails": {"total": 0.002},
            "level": "DEFAULT",
        }

    tool = {
        "id": "o2",
        "traceId": "lf1",
        "parentObservationId": None,
        "type": "TOOL",
        "name": "refund",
        "startTime": "2026-03-01T10:00:02.000Z",
        "input": {"order": 7},
        "output": "too old",
        "level": "ERROR",
    }
    return {
        "trace": {
            "id": "lf1",
            "name": "refunds",
            "timestamp": WHEN,
            "scores": [
                {"name": "toxicity", "value": 0, "source": "EVAL"},
                {"name": "success", "value": 1, "source": "ANNOTATION"},
            ],
        },
        "observations": [
            generation(
                3,
                [asked, called, {"role": "tool", "tool_call_id": "c1", "content": "too old"}],
                {"role": "assistant", "content": "It is too old."},
            ),
            generation(1, [asked], called),
            tool,
        ],
    }


def langfuse(folder: Path) -> Path:
    return write(folder / "trace.json", langfuse_export())


def langsmith_runs() -> list[Json]:
    """LangSmith runs of one trace, in the order they were logged (not the order they happened)."""

    def ai(content: str, *calls: Json) -> Json:
        kwargs = {"content": content, "tool_calls": list(calls)}
        return {
            "lc": 1,
            "type": "constructor",
            "id": ["langchain_core", "messages", "AIMessage"],
            "kwargs": kwargs,
        }

    asked = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "HumanMessage"],
        "kwargs": {"content": "refund 7"},
    }
    call = {"id": "c1", "name": "refund", "args": {"order": 7}, "type": "tool_call"}

    def model(number: int, inputs: list[Json], output: Json) -> Json:
        return {
            "id": f"m{number}",
            "trace_id": "ls1",
            "parent_run_id": "root",
            "run_type": "llm",
            "name": "ChatOpenAI",
            "start_time": f"2026-03-01T10:00:0{number}",
            "inputs": {"messages": [inputs]},
            "outputs": {"generations": [[{"message": output, "text": ""}]]},
            "extra": {"metadata": {"ls_model_name": "gpt-4o"}},
            "prompt_tokens": 50,
            "completion_tokens": 5,
            "total_cost": 0.002,
        }

    root = {
        "id": "root",
        "trace_id": "ls1",
        "parent_run_id": None,
        "run_type": "chain",
        "name": "refunds",
        "start_time": "2026-03-01T10:00:00",
        "inputs": {"messages": ["refund 7"]},
        "outputs": {},
        "reference_example_id": "example-7",
        "feedback_stats": {"correctness": {"n": 1, "avg": 0.0}},
    }
    tool = {
        "id": "t2",
        "trace_id": "ls1",
        "parent_run_id": "root",
        "run_type": "tool",
        "name": "refund",
        "start_time": "2026-03-01T10:00:02",
        "inputs": {"input": '{"order": 7}'},
        "outputs": None,
        "error": "ValueError('too old')",
    }
    return [
        model(1, [asked], ai("", call)),
        tool,
        model(3, [asked, ai("", call)], ai("It is too old.")),
        root,
    ]


def langsmith(folder: Path) -> Path:
    return write_lines(folder / "runs.jsonl", langsmith_runs())


def mlflow_trace() -> Json:
    """An MLflow trace."""
    asked = {"role": "user", "content": "refund order 7"}
    call = {"id": "c1", "type": "function", "function": {"name": "refund", "arguments": '{"order": 7}'}}
    called = {"role": "assistant", "content": None, "tool_calls": [call]}

    def span(number: int, kind: str, name: str, inputs: Any, outputs: Any, code: str = "OK") -> Json:
        return {
            "name": name,
            "context": {"span_id": f"0x{number}", "trace_id": "0x1"},
            "parent_id": None,
            "start_time": NANOSECONDS + number,
            "end_time": NANOSECONDS + number + 1,
            "status_code": code,
            "status_message": "",
            "attributes": {
                "mlflow.spanType": json.dumps(kind),
                "mlflow.spanInputs": json.dumps(inputs),
                "mlflow.spanOutputs": json.dumps(outputs),
            },
            "events": [],
        }

    reply = {"role": "tool", "tool_call_id": "c1", "content": "too old"}
    answer = {"choices": [{"message": {"role": "assistant", "content": "It is too old."}}]}
    return {
        "info": {
            "trace_id": "tr-1",
            "state": "OK",
            "trace_metadata": {
                "mlflow.trace.tokenUsage": '{"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}',
                "mlflow.trace.cost": '{"total_cost": 0.004}',
            },
            "tags": {"mlflow.traceName": "refunds", "task_id": "7"},
            "assessments": [
                {"assessment_name": "expected", "expectation": {"value": "gold-expectation"}},
                {
                    "assessment_name": "success",
                    "source": {"source_type": "HUMAN"},
                    "feedback": {"value": True},
                },
            ],
        },
        "data": {
            "spans": [
                span(
                    1,
                    "CHAT_MODEL",
                    "chat",
                    {"model": "gpt-4o", "messages": [asked]},
                    {"choices": [{"message": called}]},
                ),
                span(2, "TOOL", "refund", {"order": 7}, "too old", "ERROR"),
                span(
                    3, "CHAT_MODEL", "chat", {"model": "gpt-4o", "messages": [asked, called, reply]}, answer
                ),
            ]
        },
    }


def mlflow(folder: Path) -> Path:
    return write(folder / "trace.json", mlflow_trace())


def who_and_when(folder: Path) -> Path:
    history = [
        {"role": "human", "content": "Where is it?"},
        {"role": "Orchestrator (thought)", "content": "Ask the web."},
        {"role": "Orchestrator (-> WebSurfer)", "content": "Search for it."},
        {"role": "WebSurfer", "content": "Nothing found."},
        {"role": "Orchestrator (termination condition)", "content": "No."},
    ]
    labels = {"mistake_agent": "WebSurfer", "mistake_step": "3", "mistake_reason": "gold-reason"}
    answer = {
        "question": "Where is it?",
        "ground_truth": "gold-place",
        "is_correct": False,
        "question_ID": "q1",
    }
    return write(folder / "1.json", {"history": history, **answer, **labels})


SAMPLES: dict[str, Callable[[Path], Path]] = {
    maker.__name__: maker
    for maker in (
        atif,
        claude_code,
        codex,
        inspect_log,
        intercode,
        langfuse,
        langsmith,
        mini_swe_agent,
        mlflow,
        openai_chat,
        openai_responses,
        openhands,
        otel,
        swe_agent,
        tau2_bench,
        tau_bench,
        who_and_when,
    )
}
"""Writes the sample of a format into a folder and gives its path, by format name."""
