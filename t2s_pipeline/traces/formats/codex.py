"""Codex rollouts: `rollout-<time>-<id>.jsonl`, one session per file, lines `{timestamp, type, payload}`.

What the model said and did stands in `response_item` lines; `event_msg` lines repeat much of it for the
screen. Items are taken, events only where no item says the same: token counts (cumulative), and command
results without an output item. Rollouts record no outcome and no cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import content_text, iso_time, trajectory, whole
from t2s_pipeline.traces.format import (
    DRIFT,
    Converted,
    Damage,
    Format,
    Head,
    Json,
    RawRecord,
    Record,
    SourceFile,
)
from t2s_pipeline.traces.layouts import session
from t2s_pipeline.traces.record import Outcome, Usage
from t2s_pipeline.traces.responses import ITEM_TYPES, ItemSteps

_LINE_TYPES = frozenset(
    "session_meta turn_context response_item event_msg compacted world_state "
    "inter_agent_communication_metadata".split()
)
_EVENT_TYPES = frozenset(
    "user_message agent_message agent_reasoning agent_reasoning_raw_content "
    "agent_reasoning_section_break token_count task_started task_complete turn_started turn_complete "
    "turn_aborted exec_command_begin exec_command_end exec_command_output_delta patch_apply_begin "
    "patch_apply_end turn_diff mcp_tool_call_begin mcp_tool_call_end web_search_begin web_search_end "
    "image_generation_begin image_generation_end thread_settings_applied context_compacted "
    "sub_agent_activity thread_goal_updated entered_review_mode exited_review_mode item_started "
    "item_completed thread_name_updated thread_rolled_back guardian_assessment view_image_tool_call "
    "dynamic_tool_call_request dynamic_tool_call_response error stream_error warning undo_started "
    "undo_completed plan_update background_event collab_agent_spawn_begin collab_agent_spawn_end "
    "collab_waiting_begin collab_waiting_end collab_close_begin collab_close_end "
    "collab_agent_interaction_begin collab_agent_interaction_end".split()
)


class Codex(Format):
    name = "codex"
    title = "Codex rollout"
    session = True

    def recognises(self, head: Head) -> int:
        best = 0
        for line in head.objects():
            kind, payload = line.get("type"), line.get("payload")
            if kind in _LINE_TYPES and isinstance(payload, dict):
                best = max(best, 85 if kind != "world_state" else 60)
            elif {"instructions", "timestamp", "id"} <= line.keys() and "messages" not in line:
                best = max(best, 50)
        return best

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        return session(source)

    def identity(self, record: Record) -> str | None:
        meta = _meta([line for _, line in record.value])
        own = meta.get("id") or meta.get("session_id")
        return own if isinstance(own, str) and own else record.source.path.stem

    def convert(self, record: Record) -> Converted:
        lines = [line for _, line in record.value]
        meta = _meta(lines)
        items = ItemSteps()
        reader = _Rollout(items)
        for line in lines:
            reader.read(line)
        reader.add_left_over_results()
        steps, warnings = items.found.finish()
        if not steps:
            raise TraceError("the session has no steps: no message in it")
        version = meta.get("cli_version")
        agent = f"codex {reader.model}" if reader.model else "codex"
        acted = any(step["source"] == "agent" for step in steps)
        return Converted(
            trajectory=trajectory(
                steps,
                agent="codex",
                version=version if isinstance(version, str) else None,
                model_name=reader.model,
                extra={key: meta[key] for key in ("cwd", "originator") if isinstance(meta.get(key), str)}
                or None,
            ),
            outcome=Outcome(infra_error=True, detail="the session ended with an error before the agent acted")
            if reader.failed and not acted
            else Outcome(),
            usage=reader.usage(),
            agent=agent,
            format_version=version if isinstance(version, str) else None,
            warnings=(*warnings, *_drift(lines)),
        )


class _Rollout:
    """Reads the lines of a rollout in order."""

    def __init__(self, items: ItemSteps) -> None:
        self._items = items
        self._total: Json | None = None
        self._commands: dict[str, tuple[str, bool]] = {}
        self.model: str | None = None
        self.failed = False

    def read(self, line: Json) -> None:
        payload = line.get("payload")
        kind = line.get("type")
        if not isinstance(payload, dict):
            # Rollouts before 2025-09 have the items themselves as lines.
            if "role" in line or kind in ITEM_TYPES:
                self._items.add(line, line.get("timestamp", line.get("created_at")))
            return
        if kind == "response_item":
            self._items.add(payload, line.get("timestamp"))
        elif kind == "turn_context":
            model = payload.get("model")
            self.model = model if isinstance(model, str) else self.model
        elif kind == "compacted" and payload.get("message"):
            self._items.found.add(
                "system", content_text(payload["message"]), timestamp=iso_time(line.get("timestamp"))
            )
        elif kind == "event_msg":
            self._event(payload)

    def _event(self, payload: Json) -> None:
        kind = payload.get("type")
        if kind == "token_count" and isinstance(payload.get("info"), dict):
            info = payload["info"]
            self._total = info.get("total_token_usage") or self._total
            step = self._items.last_agent_step()
            if step is not None and "metrics" not in step and isinstance(info.get("last_token_usage"), dict):
                step["metrics"] = _metrics(info["last_token_usage"])
        elif kind == "exec_command_end" and isinstance(payload.get("call_id"), str):
            text = (
                payload.get("aggregated_output") or payload.get("formatted_output") or payload.get("stdout")
            )
            self._commands[payload["call_id"]] = (
                content_text(text),
                payload.get("exit_code") not in (0, None),
            )
        elif kind in ("error", "stream_error"):
            self.failed = True

    def add_left_over_results(self) -> None:
        """Command results that stand only in an event; and exit codes that the output item left out."""
        calls = {
            call["tool_call_id"]: step
            for step in self._items.found.steps
            for call in step.get("tool_calls", ())
        }
        for call_id, (text, failed) in self._commands.items():
            if call_id not in calls:
                continue
            self._items.output(call_id, text, is_error=failed)
            for result in calls[call_id].get("observation", {"results": []})["results"]:
                if failed and result.get("source_call_id") == call_id:
                    result["extra"] = {**result.get("extra", {}), "is_error": True}

    def usage(self) -> Usage:
        if not isinstance(self._total, dict):
            return Usage()
        return Usage(
            input_tokens=whole(self._total.get("input_tokens")),
            output_tokens=whole(self._total.get("output_tokens")),
            cached_tokens=whole(self._total.get("cached_input_tokens")),
        )


def _metrics(usage: Json) -> Json:
    named = {
        "prompt_tokens": whole(usage.get("input_tokens")),
        "completion_tokens": whole(usage.get("output_tokens")),
        "cached_tokens": whole(usage.get("cached_input_tokens")),
    }
    return {name: value for name, value in named.items() if value is not None}


def _meta(lines: Sequence[Json]) -> dict[str, Any]:
    """What the session says of itself; a resumed session repeats it, the first one is its own."""
    for line in lines:
        if line.get("type") == "session_meta" and isinstance(line.get("payload"), dict):
            return dict(line["payload"])
        if "id" in line and "instructions" in line:
            return line
    return {}


def _drift(lines: Sequence[Json]) -> list[str]:
    wrapped = [line for line in lines if isinstance(line.get("payload"), dict)]
    types = {str(line.get("type")) for line in wrapped} - _LINE_TYPES
    events = {str(line["payload"].get("type")) for line in wrapped if line.get("type") == "event_msg"}
    return [
        *(f"{DRIFT} `type: {kind}` in line" for kind in sorted(types)),
        *(f"{DRIFT} `type: {kind}` in event_msg" for kind in sorted(events - _EVENT_TYPES)),
    ]


FORMAT = Codex()
