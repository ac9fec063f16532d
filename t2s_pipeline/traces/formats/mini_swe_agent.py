"""mini-swe-agent trajectories: v1 (a bare list of messages) and later (`trajectory_format`, `messages`).

v1 writes the command as a fenced block in the agent's text and the result as the next user message; later
versions use tool calls (chat or Responses) with `extra` beside each message. `exit_status: Submitted` says
that the agent handed something in, not that it is right: the outcome is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import (
    add_message,
    content_text,
    epoch_time,
    metrics_of,
    number,
    trajectory,
    usage_of_steps,
)
from t2s_pipeline.traces.format import (
    Converted,
    Damage,
    Format,
    Head,
    Json,
    RawRecord,
    Record,
    SourceFile,
    unknown_keys,
)
from t2s_pipeline.traces.layouts import document
from t2s_pipeline.traces.record import Outcome
from t2s_pipeline.traces.responses import ItemSteps

_ROOT_KEYS = frozenset("info messages trajectory_format instance_id config".split())
_COMMAND = re.compile(r"```(?:mswea_bash_command|bash)\s*\n(.*?)\n?```", re.DOTALL)
_RETURN_CODE = re.compile(r"<returncode>(-?\d+)</returncode>")
_AGENT_EXITS = frozenset(
    "Submitted LimitsExceeded TimeExceeded UserInterruption RepeatedFormatError FormatError".split()
)


class MiniSweAgent(Format):
    name = "mini_swe_agent"
    title = "mini-swe-agent trajectory"

    def recognises(self, head: Head) -> int:
        if head.shape == "list":
            messages = [one for one in head.samples if isinstance(one, dict) and "role" in one]
            fenced = any(_COMMAND.search(content_text(one.get("content"))) for one in messages)
            return 60 if fenced and len(messages) == len(head.samples) else 0
        for sample in head.objects():
            info = sample.get("info")
            if str(sample.get("trajectory_format", "")).startswith("mini-swe-agent"):
                return 95
            if isinstance(sample.get("messages"), list) and isinstance(info, dict) and "mini_version" in info:
                return 90
        return 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        return document(source)

    def convert(self, record: Record) -> Converted:
        value = record.value if isinstance(record.value, dict) else {"messages": record.value}
        messages = value.get("messages")
        if not isinstance(messages, list):
            raise TraceError("not a mini-swe-agent trajectory: it has no list of `messages`")
        items = ItemSteps()
        for message in messages:
            if isinstance(message, dict):
                _add(items, message)
            else:
                items.found.warnings.append("a message that is no object was left out")
        steps, warnings = items.found.finish()
        info = value["info"] if isinstance(value.get("info"), dict) else {}
        model = _model(info)
        version = info.get("mini_version")
        usage = usage_of_steps(steps)
        stats = info.get("model_stats")
        if isinstance(stats, dict) and stats.get("api_calls"):
            usage = usage.model_copy(update={"cost_usd": number(stats.get("instance_cost"))})
        named = value.get("instance_id")
        return Converted(
            trajectory=trajectory(
                steps,
                agent="mini-swe-agent",
                version=version if isinstance(version, str) else None,
                model_name=model,
            ),
            outcome=_outcome(info),
            usage=usage,
            task_id=named if isinstance(named, str) else record.source.path.name.split(".traj")[0],
            agent=f"mini-swe-agent {model}" if model else "mini-swe-agent",
            format_version=_version(value),
            warnings=(*warnings, *unknown_keys("trajectory file", value.keys(), _ROOT_KEYS)),
        )


def _add(items: ItemSteps, message: Json) -> None:
    extra = message["extra"] if isinstance(message.get("extra"), dict) else {}
    when = epoch_time(extra.get("timestamp"))
    if message.get("object") == "response":
        for item in message.get("output") or ():
            items.add(item, when)
        _add_metrics(items.last_agent_step(), message.get("usage"), extra)
    elif message.get("type") == "function_call_output":
        items.output(
            str(message.get("call_id")), content_text(message.get("output")), is_error=_failed(message, extra)
        )
    elif message.get("role") == "assistant":
        items.close()
        _add_assistant(items, message, extra, when)
    elif message.get("role") in ("tool", "user", "exit"):
        _add_reply(items, message, extra, when)
    else:
        items.close()
        add_message(items.found, _plain(message))


def _add_assistant(items: ItemSteps, message: Json, extra: Json, when: str | None) -> None:
    add_message(items.found, _plain(message))
    step = items.found.steps[-1]
    if when is not None:
        step["timestamp"] = when
    commands = _COMMAND.findall(step["message"]) if "tool_calls" not in step else []
    if len(commands) == 1:
        step["message"] = _COMMAND.sub("", step["message"]).strip()
        items.found.call(step, None, "bash", {"command": commands[0]})
    response = extra.get("response")
    _add_metrics(step, response.get("usage") if isinstance(response, dict) else None, extra)


def _add_reply(items: ItemSteps, message: Json, extra: Json, when: str | None) -> None:
    """The environment answers as a tool, or, where the command was text, as a user."""
    items.close()
    steps = items.found.steps
    last = steps[-1] if steps else None
    text = content_text(message.get("content"))
    if message.get("role") == "tool":
        items.found.result(
            message.get("tool_call_id"), text, is_error=_failed(message, extra), timestamp=when
        )
    elif last is None or last["source"] != "agent":
        items.found.add("user" if message.get("role") == "user" else "system", text, timestamp=when)
    elif "tool_calls" in last and "observation" not in last:
        items.found.result(
            last["tool_calls"][0]["tool_call_id"], text, is_error=_failed(message, extra), timestamp=when
        )
    elif text:
        items.found.observe(last, text, {"is_error": True} if extra.get("interrupt_type") else None)


def _failed(message: Json, extra: Json) -> bool:
    if isinstance(extra.get("returncode"), int):
        return bool(extra["returncode"])
    code = _RETURN_CODE.search(content_text(message.get("content", message.get("output"))))
    return code is not None and code[1] != "0"


def _add_metrics(step: Json | None, usage: Any, extra: Json) -> None:
    if step is not None and (metrics := metrics_of(usage, extra.get("cost"))):
        step["metrics"] = metrics


def _plain(message: Json) -> Json:
    return {key: value for key, value in message.items() if key not in ("extra", "timestamp")}


def _outcome(info: Json) -> Outcome:
    status = info.get("exit_status")
    if not isinstance(status, str) or not status:
        return Outcome()
    broke = status not in _AGENT_EXITS
    return Outcome(
        status="error" if broke else "unknown",
        source="heuristic" if broke else "none",
        infra_error=broke,
        detail=f"exit status: {status}",
    )


def _model(info: Json) -> str | None:
    config = info.get("config")
    model = config.get("model") if isinstance(config, dict) else None
    name = model.get("model_name") if isinstance(model, dict) else None
    return name if isinstance(name, str) else None


def _version(value: Json) -> str | None:
    named = value.get("trajectory_format")
    return named.removeprefix("mini-swe-agent-") if isinstance(named, str) else "1"


FORMAT = MiniSweAgent()
