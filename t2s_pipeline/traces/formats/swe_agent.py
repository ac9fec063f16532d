"""SWE-agent `.traj` files: `{environment, trajectory: [turn], history: [message], info}`.

A turn is a thought, one action (a command line) and its observation. The system prompt and the task stand
in `history`; demonstrations there are left out. `exit_status: submitted` says that the agent gave an
answer and not that it is right: the outcome is unknown unless an outcome file tells it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import StepList, add_message, content_text, number, trajectory, whole
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
from t2s_pipeline.traces.record import Outcome, Usage

_ROOT_KEYS = frozenset("environment trajectory history info replay_config environment_name attempts".split())
_TURN_KEYS = frozenset(
    "action observation response thought execution_time state query messages extra_info tool_calls "
    "thinking_blocks".split()
)
_HISTORY_KEYS = frozenset(
    "agent message_type is_demo thought action tool_call_ids tags cache_control thinking_blocks".split()
)
_PREDICTIONS = ("all_preds.jsonl", "preds.json", "preds.jsonl")
_INFRASTRUCTURE = ("exit_environment_error", "exit_api", "exit_error", "early_exit")


class SweAgent(Format):
    name = "swe_agent"
    title = "SWE-agent trajectory"

    def recognises(self, head: Head) -> int:
        for sample in head.objects():
            if isinstance(sample.get("trajectory"), list) and {"history", "info"} & sample.keys():
                return 80
            history = sample.get("history")
            if isinstance(history, list) and any(
                "message_type" in one for one in history[:3] if isinstance(one, dict)
            ):
                return 70
        return 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        return document(source)

    def is_side_file(self, path: Path) -> bool:
        """Predictions beside trajectories: the patches that were handed in, no traces."""
        if path.name not in _PREDICTIONS and path.suffix != ".pred":
            return False
        return any(path.parent.glob("*.traj*")) or any(path.parent.glob("*/*.traj*"))

    def convert(self, record: Record) -> Converted:
        value = record.value
        turns, history = value.get("trajectory") or [], value.get("history") or []
        found = StepList()
        for message in history:
            if turns and message.get("role") == "assistant":
                break
            if not message.get("is_demo"):
                _add_history(found, message)
            if turns and any(step["source"] == "user" for step in found.steps):
                break
        if turns:
            for turn in turns:
                _add_turn(found, turn)
        elif not history:
            raise TraceError("the trace has no steps: neither `trajectory` nor `history` holds any")
        steps, warnings = found.finish()
        info = value.get("info") if isinstance(value.get("info"), dict) else {}
        return Converted(
            trajectory=trajectory(steps, agent="swe-agent", version=_text(info.get("swe_agent_version"))),
            outcome=_outcome(info),
            usage=_usage(info.get("model_stats")),
            task_id=record.source.path.stem.removesuffix(".traj") or None,
            agent=_agent(record),
            format_version=_text(info.get("swe_agent_version")),
            warnings=(
                *warnings,
                *unknown_keys("trajectory file", value.keys(), _ROOT_KEYS),
                *unknown_keys("turn", {key for turn in turns for key in turn}, _TURN_KEYS),
            ),
        )


def _add_history(found: StepList, message: Json) -> None:
    ids = message.get("tool_call_ids")
    kept = {key: one for key, one in message.items() if key not in _HISTORY_KEYS}
    if isinstance(ids, list) and ids and "tool_call_id" not in kept:
        kept["tool_call_id"] = ids[0]
    add_message(found, kept)


def _add_turn(found: StepList, turn: Json) -> None:
    action = content_text(turn.get("action")).strip("\n")
    thought = content_text(turn.get("thought"))
    step = found.add("agent", thought or ("" if action else content_text(turn.get("response"))))
    observation = content_text(turn.get("observation"))
    if action:
        found.call(step, None, "bash", {"command": action})
        found.result(step["tool_calls"][0]["tool_call_id"], observation)
    elif observation:
        found.observe(step, observation)


def _outcome(info: Json) -> Outcome:
    exit_status = _text(info.get("exit_status"))
    if exit_status is None:
        return Outcome()
    broke = exit_status.startswith(_INFRASTRUCTURE) and not info.get("submission")
    return Outcome(
        status="error" if broke else "unknown",
        source="heuristic" if broke else "none",
        infra_error=broke,
        detail=f"exit status: {exit_status}",
    )


def _usage(stats: Any) -> Usage:
    if not isinstance(stats, dict) or not stats.get("api_calls"):
        return Usage()
    return Usage(
        input_tokens=whole(stats.get("tokens_sent")),
        output_tokens=whole(stats.get("tokens_received")),
        cost_usd=number(stats.get("instance_cost")),
    )


def _agent(record: Record) -> str:
    """The run folder names the model: `gpt4__swe-bench-dev__default__t-0.00__...`."""
    folder = record.source.path.parent.name
    return f"swe-agent {folder.split('__')[0]}" if "__" in folder else "swe-agent"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


FORMAT = SweAgent()
