"""Chat messages (OpenAI style and its many dialects) as ATIF steps.

ATIF wants a tool's result in the step of the call it answers; chats carry it as a later message. A result
that answers no call, and a call that has no result, stay visible and are reported as warnings.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from t2s_pipeline.traces.format import ATIF_VERSION, OPEN_CALL, Json, unknown_keys
from t2s_pipeline.traces.record import Usage

_MESSAGE_KEYS = frozenset(
    "role content name tool_calls tool_call_id function_call reasoning_content reasoning refusal audio "
    "annotations id timestamp created_at usage cost model is_error status type metadata extra "
    "thinking_blocks provider_specific_fields reasoning_details function finish_reason".split()
)
_PLAIN_KEYS = frozenset({"role", "content", "tool_calls", "name"})
"""Keys of nearly every message; a message with no other needs no closer look."""
_LATEST_EPOCH_S = 4_102_444_800
"""The year 2100: numbers above are no seconds since the epoch."""
_NO_TEXT = ("image_url", "input_image", "image", "input_audio", "audio", "file", "input_file", "video")
_SOURCES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "agent",
    "ai": "agent",
    "model": "agent",
}


class StepList:
    """Collects the steps of one trace in order and puts tool results where they belong."""

    def __init__(self) -> None:
        self.steps: list[Json] = []
        self.warnings: list[str] = []
        self._open: OrderedDict[str, tuple[Json, str, str]] = OrderedDict()
        self._open_of_tool: dict[str, OrderedDict[str, None]] = {}
        self._call_ids: set[tuple[int, str]] = set()
        self._last_agent_step: Json | None = None

    def add(self, source: str, message: str, **fields: Any) -> Json:
        """Appends a step; fields that are None are left out."""
        step: Json = {"step_id": len(self.steps) + 1, "source": source, "message": message}
        for name, value in fields.items():
            if value is not None:
                step[name] = value
        self.steps.append(step)
        if source == "agent":
            self._last_agent_step = step
        return step

    def call(
        self, step: Json, call_id: str | None, name: str, arguments: Any, extra: Json | None = None
    ) -> None:
        """Adds a tool call to an agent step; its result may follow under the same id."""
        calls: list[Json] = step.setdefault("tool_calls", [])
        unique = call_id or f"call_{step['step_id']}_{len(calls)}"
        if (step["step_id"], unique) in self._call_ids:
            self.warnings.append("two tool calls of one step share an id")
            unique = f"{unique}#{len(calls)}"
        call: Json = {"tool_call_id": unique, "function_name": name, "arguments": arguments_of(arguments)}
        if extra:
            call["extra"] = extra
        calls.append(call)
        self._call_ids.add((step["step_id"], unique))
        key = call_id or unique
        self._close(key)
        self._open[key] = (step, unique, name)
        self._open_of_tool.setdefault(name, OrderedDict())[key] = None

    def result(
        self,
        call_id: str | None,
        content: str,
        *,
        is_error: bool = False,
        extra: Json | None = None,
        name: str | None = None,
        timestamp: str | None = None,
        **fields: Any,
    ) -> None:
        """Attaches a tool's result to the step of its call, or, when there is none, to the agent step
        before it, with a warning."""
        entry: Json = {"content": content, **fields} if fields else {"content": content}
        if is_error:
            extra = {**(extra or {}), "is_error": True}
        found = self._close(call_id if call_id else self._first_open(name))
        if found is None:
            self.warnings.append("a tool result answers no call")
            extra = {**(extra or {}), "orphan": True}
            if call_id:
                extra["call_id"] = call_id
            step = self._last_agent_step or self.add("system", "", timestamp=timestamp)
        else:
            step, entry["source_call_id"] = found
            if not call_id:
                self.warnings.append("a tool result without id was given to the oldest open call")
        if extra:
            entry["extra"] = extra
        step.setdefault("observation", {"results": []})["results"].append(entry)

    def observe(self, step: Json, content: str, extra: Json | None = None) -> None:
        """Adds feedback that answers no call."""
        entry: Json = {"content": content}
        if extra:
            entry["extra"] = extra
        step.setdefault("observation", {"results": []})["results"].append(entry)

    def finish(self) -> tuple[list[Json], tuple[str, ...]]:
        """The steps and the warnings; calls of the last step may be open (the run ended with them)."""
        last = self.steps[-1] if self.steps else None
        missing = sum(1 for step, _, _ in self._open.values() if step is not last)
        if missing:
            self.warnings.append(OPEN_CALL)
        return self.steps, tuple(dict.fromkeys(self.warnings))

    def _first_open(self, name: str | None) -> str | None:
        """The oldest open call, of any tool or of one."""
        return next(iter(self._open if name is None else self._open_of_tool.get(name, ())), None)

    def _close(self, key: str | None) -> tuple[Json, str] | None:
        """The step and the id of an open call, which is open no longer."""
        if key is None or key not in self._open:
            return None
        step, call_id, name = self._open.pop(key)
        del self._open_of_tool[name][key]
        return step, call_id


def steps_of_messages(messages: Sequence[Any], *, error_prefix: str | None = None) -> StepList:
    """The steps of a chat. `error_prefix`: tool results that start with it are marked as errors, for
    producers that promise such a convention."""
    found = StepList()
    for message in messages:
        if isinstance(message, dict):
            add_message(found, message, error_prefix=error_prefix)
        elif isinstance(message, str):
            found.add("user", message)
        else:
            found.warnings.append("a message that is no object was left out")
    return found


def add_message(found: StepList, message: Json, *, error_prefix: str | None = None) -> None:
    """Adds one chat message to the steps."""
    if not _MESSAGE_KEYS.issuperset(message):
        found.warnings.extend(unknown_keys("message", message.keys(), _MESSAGE_KEYS))
    role = message.get("role")
    content = message.get("content")
    text = content if isinstance(content, str) else content_text(content)
    timestamp = iso_time(message["timestamp"]) if "timestamp" in message else None
    if role in ("tool", "function"):
        failed = message.get("is_error") is True or message.get("status") == "error"
        found.result(
            message.get("tool_call_id"),
            text,
            is_error=failed or (error_prefix is not None and text.startswith(error_prefix)),
            name=message.get("name"),
            timestamp=timestamp,
        )
        return
    source = _SOURCES.get(str(role))
    if source is None:
        # Never as system: what an operator says is not screened, and this may be what a tool answered.
        found.warnings.append(f"unknown role {role!r} taken as user")
        source = "user"
    if source != "agent":
        found.add(source, text, timestamp=timestamp)
        return
    step = found.add("agent", text, timestamp=timestamp)
    if not _PLAIN_KEYS.issuperset(message) or isinstance(content, list):
        _add_details(step, message)
    for call in message.get("tool_calls") or ():
        if not isinstance(call, dict):
            found.warnings.append("a tool call that is no object was left out")
            continue
        function = call.get("function") or call.get("custom") or call
        if isinstance(function, str):
            function = {"name": function, "arguments": call.get("arguments")}
        found.call(
            step,
            _text_or_none(call.get("id")),
            str(function.get("name") or "unknown"),
            function.get("arguments", function.get("input")),
        )
    if legacy := message.get("function_call"):
        found.call(step, None, str(legacy.get("name") or "unknown"), legacy.get("arguments"))


def _add_details(step: Json, message: Json) -> None:
    """What some producers record with an agent's message: reasoning, model, usage, a refusal."""
    reasoning = message.get("reasoning_content") or message.get("reasoning") or _reasoning_parts(message)
    for name, value in (
        ("message", step["message"] or content_text(message.get("refusal"))),
        ("reasoning_content", content_text(reasoning) or None),
        ("model_name", _text_or_none(message.get("model"))),
        ("metrics", metrics_of(message.get("usage"), message.get("cost"))),
    ):
        if value is not None:
            step[name] = value


def content_text(content: Any) -> str:
    """The text of a message's content: a string, or a list of parts of which only text is kept."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return orjson.dumps(content).decode()
    texts: list[str] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            text = part.get("text", part.get("refusal"))
            if part.get("type") == "reasoning" and text is None:
                continue
            if isinstance(text, str):
                texts.append(text)
            elif part.get("type") in _NO_TEXT:
                texts.append(f"[{part['type']}]")
            elif part:
                texts.append(orjson.dumps(part).decode())
    return "\n".join(texts)


def arguments_of(arguments: Any) -> Json:
    """A tool call's arguments as an object; what cannot be parsed is kept under `_raw`."""
    if isinstance(arguments, dict):
        return arguments
    if arguments is None or arguments == "":
        return {}
    if isinstance(arguments, str):
        try:
            value = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            return {"_raw": arguments}
        return value if isinstance(value, dict) else {"_raw": arguments}
    return {"_raw": arguments}


def metrics_of(usage: Any, cost: Any = None) -> Json | None:
    """ATIF metrics from an OpenAI-style usage object; None when nothing is recorded."""
    metrics: Json = {}
    if isinstance(usage, dict):
        details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
        for name, value in (
            ("prompt_tokens", usage.get("prompt_tokens", usage.get("input_tokens"))),
            ("completion_tokens", usage.get("completion_tokens", usage.get("output_tokens"))),
            ("cached_tokens", details.get("cached_tokens") if isinstance(details, dict) else None),
        ):
            if (count := whole(value)) is not None:
                metrics[name] = count
    if (price := number(cost)) is not None:
        metrics["cost_usd"] = price
    return metrics or None


def usage_from(metrics: Json) -> Usage:
    """ATIF metrics as the usage of a whole trace."""
    return Usage(
        input_tokens=whole(metrics.get("prompt_tokens")),
        output_tokens=whole(metrics.get("completion_tokens")),
        cached_tokens=whole(metrics.get("cached_tokens")),
        cost_usd=number(metrics.get("cost_usd")),
    )


def usage_of_steps(steps: Sequence[Json]) -> Usage:
    """The sum over the steps of what is recorded; None where no step records it."""
    parts = [step["metrics"] for step in steps if "metrics" in step]
    return usage_from(
        {
            name: sum(part.get(name, 0) for part in parts)
            for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd")
            if any(name in part for part in parts)
        }
    )


def trajectory(steps: list[Json], *, agent: str, version: str | None = None, **fields: Any) -> Json:
    """An ATIF document around steps; fields that are None are left out."""
    document: Json = {
        "schema_version": ATIF_VERSION,
        "agent": {"name": agent, "version": version or "unknown"},
        "steps": steps,
    }
    for name, value in fields.items():
        if value is None:
            continue
        if name in ("model_name", "tool_definitions"):
            document["agent"][name] = value
        else:
            document[name] = value
    return document


def iso_time(value: Any) -> str | None:
    """The value when it is an ISO 8601 time, else None: a time is never guessed."""
    if not isinstance(value, str):
        return None
    try:
        datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return value


def epoch_time(value: Any) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC, or None."""
    seconds = number(value)
    if seconds is None or not 0 < seconds < _LATEST_EPOCH_S:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def whole(value: Any) -> int | None:
    """The value as a count, or None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 2**53 else None


def number(value: Any) -> float | None:
    """The value as a finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < float("inf") else None


def _reasoning_parts(message: Json) -> str | None:
    """Reasoning that stands as a part of the content."""
    content = message.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    found = [part.get("reasoning") for part in parts if part.get("type") == "reasoning"]
    return "\n".join(text for text in found if isinstance(text, str)) or None


def _text_or_none(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else str(value)
