"""OpenAI chat conversations: JSONL with one conversation per line, a JSON list of them, or bare messages.

`{"messages": [{"role", "content", "tool_calls", "tool_call_id"}, ...], ...}`. Which keys beside
`messages` hold the id, the task, the attempt, the agent and the outcome is the user's choice: the
settings name them (`id_key` and its neighbours), dotted paths allowed; a key missing at the top is also
looked for under `metadata`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import steps_of_messages, trajectory
from t2s_pipeline.traces.format import Converted, Damage, Format, Head, Json, RawRecord, Record, SourceFile
from t2s_pipeline.traces.labels import agent_of, identity_of, outcome_of, task_of, trial_of, usage_of
from t2s_pipeline.traces.layouts import document, whichever


class OpenAIChat(Format):
    name = "openai_chat"
    title = "OpenAI chat conversation"

    def recognises(self, head: Head) -> int:
        if head.shape == "list" and head.samples and all(map(_is_message, head.samples)):
            return 5
        for sample in head.objects():
            messages = sample.get("messages", sample.get("conversation"))
            if isinstance(messages, list) and (not messages or _is_message(messages[0])):
                return 10
        return 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        bare = source.head.shape == "list" and _is_message(source.head.samples[0])
        return document(source) if bare else whichever(source)

    def identity(self, record: Record) -> str | None:
        return identity_of(record)

    def convert(self, record: Record) -> Converted:
        if isinstance(record.value, list):
            record = replace(record, value={"messages": record.value})
        value = record.value
        if not isinstance(value, dict):
            raise TraceError(f"not a conversation but {type(value).__name__}")
        messages = value.get("messages", value.get("conversation"))
        if not isinstance(messages, list):
            raise TraceError("not a conversation: it has no list of `messages`")
        steps, warnings = steps_of_messages(messages).finish()
        model = value["model"] if isinstance(value.get("model"), str) else None
        agent = agent_of(record) or model or "unknown"
        outcome, hints = outcome_of(record)
        return Converted(
            trajectory=trajectory(
                steps, agent=agent, model_name=model, tool_definitions=_tools(value.get("tools"))
            ),
            outcome=outcome,
            usage=usage_of(value, steps),
            task_id=task_of(record),
            trial=trial_of(record),
            agent=agent,
            warnings=(*warnings, *hints),
        )


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and "role" in value and bool({"content", "tool_calls"} & value.keys())


def _tools(tools: Any) -> list[Json] | None:
    if not isinstance(tools, list):
        return None
    return [tool for tool in tools if isinstance(tool, dict)] or None


FORMAT = OpenAIChat()
