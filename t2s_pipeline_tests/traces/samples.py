"""Trace files of every format, made up here, and ways to read them in a test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.reading import read_file
from t2s_pipeline.traces.record import Quarantined, TraceRecord, text_of

Json = dict[str, Any]


def read(
    path: Path, *, settings: Settings | None = None, **range_: Any
) -> tuple[list[TraceRecord], list[Quarantined]]:
    """What a file becomes: its traces and what was quarantined."""
    found = list(read_file(path, skill="skill", uri=path.name, settings=settings or Settings(), **range_))
    traces = [item for item in found if isinstance(item, TraceRecord)]
    return traces, [item for item in found if isinstance(item, Quarantined)]


def read_one(path: Path, *, settings: Settings | None = None) -> TraceRecord:
    """The only trace of a file from which nothing was quarantined."""
    traces, quarantined = read(path, settings=settings)
    assert quarantined == []
    (trace,) = traces
    return trace


def write(path: Path, content: str | bytes | Json | list[Any]) -> Path:
    """A file with this content; objects and lists are written as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict | list):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_lines(path: Path, values: Sequence[Any]) -> Path:
    """A JSONL file; strings are written as they are."""
    lines = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return write(path, "".join(f"{line}\n" for line in lines))


def said(trace: TraceRecord) -> list[tuple[str, str]]:
    """(source, message) of each step."""
    return [(step.source, text_of(step.message)) for step in trace.trajectory.steps]


def calls(trace: TraceRecord) -> list[tuple[str, Json]]:
    """(tool, arguments) of each call."""
    return [
        (call.function_name, call.arguments)
        for step in trace.trajectory.steps
        for call in step.tool_calls or ()
    ]


def results(trace: TraceRecord) -> list[tuple[str, bool]]:
    """(text, marked as an error) of each observation."""
    return [
        (text_of(result.content), bool((result.extra or {}).get("is_error")))
        for step in trace.trajectory.steps
        for result in (step.observation.results if step.observation else ())
    ]


def everything(trace: TraceRecord) -> str:
    """All that is kept of a trace, to look for what must not be in it."""
    return trace.model_dump_json()


def chat(name: str = "a", *, answer: str = "done", tool: bool = True, **keys: Any) -> Json:
    """An OpenAI chat conversation with one tool call."""
    messages: list[Json] = [
        {"role": "system", "content": "You are careful."},
        {"role": "user", "content": f"question {name}"},
    ]
    if tool:
        messages += [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "sql", "arguments": '{"query": "SELECT 1"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "[(1,)]"},
        ]
    messages.append({"role": "assistant", "content": answer})
    return {"id": name, "task_id": f"task-{name}", "reward": 1.0, **keys, "messages": messages}


def tau_run(task: int = 0, *, reward: float = 1.0, trial: int = 0) -> Json:
    """A tau-bench run with its answer beside it."""
    return {
        "task_id": task,
        "reward": reward,
        "info": {
            "task": {
                "user_id": "u",
                "actions": [{"name": "book", "kwargs": {"secret_answer": "gold-booking"}}],
                "instruction": "You are the user.",
                "outputs": ["gold-output"],
            },
            "user_cost": 0.01,
            "reward_info": {"reward": reward, "info": {"gt_data_hash": "gold-hash"}, "actions": []},
        },
        "traj": [
            {"role": "system", "content": "Policy"},
            {"role": "user", "content": "Book a flight"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "book", "arguments": '{"flight": "HAT1"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "name": "book", "content": "Error: payment too low"},
            {"role": "assistant", "content": "It failed."},
        ],
        "trial": trial,
    }


def episode(
    task: int = 0,
    *,
    actions: Sequence[str] = ("SELECT 1",),
    observations: Sequence[str] = ("[(1,)]",),
    valid: Sequence[bool] = (True,),
    thoughts: Sequence[str] | None = None,
    reward: float = 1.0,
    environment: str = "ic_sql",
) -> Json:
    """An InterCode episode."""
    history: Json = {
        "actions": list(actions),
        "observations": list(observations),
        "rewards": [reward] * len(actions),
        "valid_action": list(valid),
    }
    if thoughts is not None:
        history["thoughts"] = list(thoughts)
    return {
        "environment": environment,
        "dataset": "spider",
        "task_id": task,
        "query": f"How many are there ({task})?",
        "turn_history": history,
        "summary": {"max_reward": reward, "turns_taken": len(actions), "turns_max": 10},
        "hardness": "easy",
    }


def claude_user(uuid: str, parent: str | None, content: Any, **keys: Any) -> Json:
    """A user line of a Claude Code session."""
    return _claude("user", uuid, parent, {"role": "user", "content": content}, keys)


def claude_agent(
    uuid: str, parent: str | None, *blocks: Json, message_id: str | None = None, tokens: int = 10, **keys: Any
) -> Json:
    """An assistant line of a Claude Code session."""
    message = {
        "id": message_id or f"msg_{uuid}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": list(blocks),
        "usage": {
            "input_tokens": 5,
            "cache_creation_input_tokens": 20,
            "cache_read_input_tokens": 100,
            "output_tokens": tokens,
        },
    }
    return _claude("assistant", uuid, parent, message, keys)


def text(value: str) -> Json:
    return {"type": "text", "text": value}


def tool_use(call_id: str, name: str = "Bash", **arguments: Any) -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def tool_result(call_id: str, content: Any, *, is_error: bool = False) -> Json:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": is_error}


def claude_session(prompt: str = "fix the bug") -> list[Json]:
    """A short Claude Code session: prompt, failing command, working command, closing words."""
    return [
        claude_user("u1", None, prompt),
        claude_agent("a1", "u1", text("Looking."), tool_use("t1", command="pytest")),
        claude_user("u2", "a1", [tool_result("t1", "command not found", is_error=True)]),
        claude_agent("a2", "u2", tool_use("t2", command="python -m pytest")),
        claude_user("u3", "a2", [tool_result("t2", "2 passed")]),
        claude_agent("a3", "u3", text("Fixed.")),
    ]


def _claude(kind: str, uuid: str, parent: str | None, message: Json, keys: Mapping[str, Any]) -> Json:
    return {
        "type": kind,
        "uuid": uuid,
        "parentUuid": parent,
        "sessionId": "session-1",
        "timestamp": "2026-02-01T10:00:00.000Z",
        "cwd": "/home/me/project",
        "version": "2.1.0",
        "isSidechain": False,
        "userType": "external",
        "message": message,
        **keys,
    }
