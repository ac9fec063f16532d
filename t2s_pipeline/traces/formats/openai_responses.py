"""OpenAI Responses: JSONL (or a JSON list) of responses or of conversations made of items.

`{"input": [...], "output": [...], "usage": {...}}` is a response with what was sent; `{"items": [...]}` is
a conversation. Ids, tasks and outcomes stand under the keys the settings name, as for chat conversations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import content_text, metrics_of, trajectory
from t2s_pipeline.traces.format import Converted, Damage, Format, Head, Json, RawRecord, Record, SourceFile
from t2s_pipeline.traces.labels import agent_of, identity_of, outcome_of, task_of, trial_of, usage_of
from t2s_pipeline.traces.layouts import whichever
from t2s_pipeline.traces.responses import ITEM_TYPES, ItemSteps


class OpenAIResponses(Format):
    name = "openai_responses"
    title = "OpenAI Responses conversation"

    def recognises(self, head: Head) -> int:
        for sample in head.objects():
            items = _items_of(sample)
            if sample.get("object") == "response" and isinstance(sample.get("output"), list):
                return 40
            if any(isinstance(item, dict) and item.get("type") in ITEM_TYPES for item in items):
                return 20
        return 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        return whichever(source)

    def identity(self, record: Record) -> str | None:
        return identity_of(record)

    def convert(self, record: Record) -> Converted:
        value = record.value
        if not isinstance(value, dict) or not _items_of(value):
            raise TraceError("not a Responses conversation: it has no list of items")
        items = ItemSteps()
        if instructions := content_text(value.get("instructions")):
            items.found.add("system", instructions)
        if isinstance(value.get("input"), str):
            items.found.add("user", value["input"])
        for item in _items_of(value):
            if isinstance(item, dict):
                items.add(item, item.get("timestamp"))
            else:
                items.found.warnings.append("an item that is no object was left out")
        steps, warnings = items.found.finish()
        last = items.last_agent_step()
        if last is not None and (metrics := metrics_of(value.get("usage"))):
            last["metrics"] = metrics
        model = value.get("model") if isinstance(value.get("model"), str) else None
        agent = agent_of(record) or model or "unknown"
        outcome, hints = outcome_of(record)
        return Converted(
            trajectory=trajectory(steps, agent=agent, model_name=model),
            outcome=outcome,
            usage=usage_of(value, steps),
            task_id=task_of(record),
            trial=trial_of(record),
            agent=agent,
            warnings=(*warnings, *hints),
        )


def _items_of(value: Json) -> list[Any]:
    sent = value.get("input")
    items = value.get("items")
    if isinstance(items, list):
        return items
    output = value.get("output")
    return [*(sent if isinstance(sent, list) else []), *(output if isinstance(output, list) else [])]


FORMAT = OpenAIResponses()
