"""Trace files of a small restaurant agent, written the way a user would drop them into the inbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from t2s_pipeline.pipeline import Pipeline, pipeline_at
from t2s_pipeline.settings import Settings

REFUSAL = "Error: time must be in 24-hour format"


def pipeline_in(root: Path, **settings: Any) -> Pipeline:
    """A pipeline whose data lies in `root`."""
    return pipeline_at(Settings(data=root, **settings))


def conversation(number: int) -> dict[str, Any]:
    """A booking that is refused for the form of its time and then put right. Equal numbers, equal bytes."""
    name = f"guest-{number}"
    return {
        "id": f"run-{number}",
        "task_id": f"task-{number}",
        "reward": 1.0,
        "messages": [
            {"role": "user", "content": f"Book a table for {name} at 7 in the evening."},
            _call("c1", {"guest": name, "time": "7pm"}),
            {"role": "tool", "tool_call_id": "c1", "content": REFUSAL},
            _call("c2", {"guest": name, "time": "19:00"}),
            {"role": "tool", "tool_call_id": "c2", "content": f"booked for {name}"},
            {"role": "assistant", "content": "Your table is booked."},
        ],
    }


def drop(pipeline: Pipeline, skill: str, file: str, numbers: range) -> Path:
    """Put a file of conversations into the inbox of a skill."""
    path = pipeline.paths.inbox / skill / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(conversation(number)) + "\n" for number in numbers), encoding="utf-8")
    return path


def _call(call_id: str, arguments: dict[str, str]) -> dict[str, Any]:
    function = {"name": "book_table", "arguments": json.dumps(arguments)}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call_id, "type": "function", "function": function}],
    }
