"""OpenTelemetry spans as OTLP/JSON: the GenAI conventions, OpenInference, and OpenLLMetry's flat keys.

A file holds export requests (`resourceSpans`), one or one per line; the spans of a trace are found by
their trace id wherever they stand. What was said is there only when the producer captured content; a
trace without any is quarantined. Outcome: a `gen_ai.evaluation.result` event or an OpenInference
annotation named like the outcome (see settings). GenAI records no cost; OpenInference may.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import epoch_time, trajectory
from t2s_pipeline.traces.dialects import decoded, messages_in
from t2s_pipeline.traces.format import Converted, Damage, Format, Head, Json, RawRecord, Record, SourceFile
from t2s_pipeline.traces.grouping import by_trace
from t2s_pipeline.traces.spans import (
    Score,
    Span,
    SpanKind,
    agent_name,
    outcome_of_scores,
    steps_of_spans,
    token_metrics,
    usage_of_spans,
)

_ERROR_CODES = (2, "2", "STATUS_CODE_ERROR")
_MODEL_OPERATIONS = ("chat", "text_completion", "generate_content", "completion", "responses")
_MESSAGE_EVENTS = re.compile(r"^gen_ai\.(system|user|assistant|tool)\.message$")
_ANNOTATION = re.compile(
    r"^annotations?\.(?:\d+\.)?annotation\.(name|score|label)$|^annotation\.(name|score|label)$"
)


class OpenTelemetry(Format):
    name = "otel"
    title = "OpenTelemetry trace"

    def recognises(self, head: Head) -> int:
        for sample in head.objects():
            if isinstance(sample.get("resourceSpans", sample.get("resource_spans")), list):
                return 85
            if {"traceId", "spanId", "attributes"} <= sample.keys():
                return 80
        return 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        return by_trace(source, _spans_in)

    def identity(self, record: Record) -> str | None:
        return record.fragment.removeprefix("trace=")

    def convert(self, record: Record) -> Converted:
        told = [_Told(one) for one in record.value]
        spans = [one.span() for one in told]
        steps, warnings = steps_of_spans(spans).finish()
        if not any(step["source"] == "agent" for step in steps):
            raise TraceError(
                "the trace has no steps: its spans hold no messages or tool calls (was content captured?)"
            )
        outcome, hints = outcome_of_scores(
            [score for one in told for score in one.scores()], record.source.settings
        )
        models = [span.model for span in spans if span.model]
        agent = _first(told, "gen_ai.agent.name", "agent.name", "service.name")
        return Converted(
            trajectory=trajectory(steps, agent=agent or "unknown", model_name=models[0] if models else None),
            outcome=outcome,
            usage=usage_of_spans(spans, steps),
            task_id=_first(told, "task_id", "task.id"),
            agent=agent_name(agent, models[0] if models else None),
            warnings=(*warnings, *hints),
        )


def _first(told: Sequence[_Told], *keys: str) -> str | None:
    """The first attribute that any span has, in the order of the keys."""
    return next((one for key in keys for span in told if (one := span.text(key)) is not None), None)


class _Told:
    """One span and its attributes as plain values."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw
        self._attributes = {**_plain(raw.get("_resource")), **_plain(raw.get("attributes"))}

    def text(self, *keys: str) -> str | None:
        """The first of the attributes that is a text."""
        return next((one for key in keys if isinstance(one := self._attributes.get(key), str) and one), None)

    def span(self) -> Span:
        kind = self._kind()
        status = self._raw.get("status")
        nanoseconds = str(self._raw.get("startTimeUnixNano") or "0")
        span = Span(
            kind,
            nanoseconds.zfill(24),
            name=self.text("gen_ai.tool.name", "tool.name") or str(self._raw.get("name") or ""),
            time=epoch_time(int(nanoseconds) / 1e9) if nanoseconds.isdigit() else None,
            failed=isinstance(status, Mapping) and status.get("code") in _ERROR_CODES,
            model=self.text("gen_ai.response.model", "gen_ai.request.model", "llm.model_name"),
        )
        if kind == "model":
            span.inputs, span.outputs = self._inputs(), self._outputs()
            span.metrics = self._metrics()
        elif kind == "tool":
            self._fill_tool(span)
        return span

    def scores(self) -> Iterator[Score]:
        """Judgements: events of the GenAI conventions, annotations of OpenInference."""
        for event in self._raw.get("events") or ():
            told = _plain(event.get("attributes"))
            if event.get("name") == "gen_ai.evaluation.result":
                value = told.get("gen_ai.evaluation.score.value", told.get("gen_ai.evaluation.score.label"))
                yield Score(str(told.get("gen_ai.evaluation.name")), value, "verifier")
        if any(_ANNOTATION.match(key) for key in self._attributes):
            found = _nested(self._attributes, "annotations") or [
                _nested_object(self._attributes, "annotation")
            ]
            for one in found:
                told = one.get("annotation", one)
                if isinstance(told, Mapping) and told.get("name"):
                    yield Score(str(told["name"]), told.get("score", told.get("label")), "human")

    def _kind(self) -> SpanKind:
        operation = self.text("gen_ai.operation.name")
        kind = (self.text("openinference.span.kind", "traceloop.span.kind") or "").upper()
        if operation == "execute_tool" or kind == "TOOL":
            return "tool"
        if operation in _MODEL_OPERATIONS or kind == "LLM":
            return "model"
        flat = any(key.startswith(("gen_ai.prompt.", "llm.input_messages.")) for key in self._attributes)
        return "model" if flat or (operation is None and self._events("user")) else "other"

    def _inputs(self) -> list[Json]:
        found = messages_in(self._attributes.get("gen_ai.system_instructions"), "system")
        for message in found:
            message["role"] = "system"
        found += messages_in(self._attributes.get("gen_ai.input.messages"), "user")
        found += _flat_messages(self._attributes, "llm.input_messages", "user")
        found += _flat_messages(self._attributes, "gen_ai.prompt", "user")
        found += [
            message for role in ("system", "user", "assistant", "tool") for message in self._events(role)
        ]
        return found or messages_in(self._attributes.get("input.value"), "user")

    def _outputs(self) -> list[Json]:
        found = messages_in(self._attributes.get("gen_ai.output.messages"), "assistant")
        found += _flat_messages(self._attributes, "llm.output_messages", "assistant")
        found += _flat_messages(self._attributes, "gen_ai.completion", "assistant")
        for event in self._raw.get("events") or ():
            if event.get("name") == "gen_ai.choice":
                found += messages_in(_plain(event.get("attributes")), "assistant")
        return found or messages_in(self._attributes.get("output.value"), "assistant")

    def _events(self, role: str) -> list[Json]:
        """Messages kept as span events, as the conventions had it before 2025."""
        found: list[Json] = []
        for event in self._raw.get("events") or ():
            match = _MESSAGE_EVENTS.match(str(event.get("name")))
            if match is not None and match[1] == role:
                found += messages_in({"role": role, **_plain(event.get("attributes"))}, role)
        return found

    def _fill_tool(self, span: Span) -> None:
        told = self._attributes
        span.call_id = self.text("gen_ai.tool.call.id", "tool_call.id")
        span.arguments = next(
            (
                told[key]
                for key in ("gen_ai.tool.call.arguments", "tool.parameters", "input.value")
                if key in told
            ),
            None,
        )
        span.result = told.get("gen_ai.tool.call.result", told.get("output.value"))
        for event in self._raw.get("events") or ():
            if event.get("name") == "exception":
                span.failed = True
                span.result = span.result or _plain(event.get("attributes")).get("exception.message")

    def _metrics(self) -> Json | None:
        told = self._attributes
        return token_metrics(
            told.get("gen_ai.usage.input_tokens", told.get("llm.token_count.prompt")),
            told.get("gen_ai.usage.output_tokens", told.get("llm.token_count.completion")),
            told.get(
                "gen_ai.usage.cache_read.input_tokens", told.get("llm.token_count.prompt_details.cache_read")
            ),
            told.get("llm.cost.total"),
        )


def _spans_in(value: Any) -> Iterator[tuple[str, Json]]:
    """The spans of an export request, or a bare span; each keeps its resource's attributes."""
    for request in value if isinstance(value, list) else [value]:
        if not isinstance(request, dict):
            continue
        if isinstance(request.get("traceId"), str):
            yield request["traceId"], request
        for resource in request.get("resourceSpans", request.get("resource_spans")) or ():
            attributes = (resource.get("resource") or {}).get("attributes")
            for scope in resource.get("scopeSpans", resource.get("scope_spans")) or ():
                for span in scope.get("spans") or ():
                    if isinstance(span.get("traceId"), str):
                        yield span["traceId"], {**span, "_resource": attributes}


def _plain(attributes: Any) -> dict[str, Any]:
    """OTLP's list of typed values as a plain object."""
    if isinstance(attributes, Mapping):
        return dict(attributes)
    pairs = (
        [one for one in attributes or () if isinstance(one, Mapping)]
        if isinstance(attributes, Sequence)
        else []
    )
    return {str(one.get("key")): _value(one.get("value")) for one in pairs}


def _value(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if "intValue" in value:
        return int(value["intValue"])
    if "arrayValue" in value:
        return [_value(one) for one in (value["arrayValue"] or {}).get("values") or ()]
    if "kvlistValue" in value:
        return _plain((value["kvlistValue"] or {}).get("values"))
    return next(iter(value.values()), None)


def _flat_messages(attributes: Mapping[str, Any], prefix: str, role: str) -> list[Json]:
    """Messages flattened into keys: `llm.input_messages.0.message.content`, `gen_ai.prompt.0.content`."""
    found: list[Json] = []
    for one in _nested(attributes, prefix):
        message = one.get("message", one)
        if not isinstance(message, dict):
            continue
        calls = [
            call.get("tool_call", call) for call in message.get("tool_calls") or () if isinstance(call, dict)
        ]
        parts = [
            part.get("message_content", part)
            for part in message.get("contents") or ()
            if isinstance(part, dict)
        ]
        content = decoded(message.get("content")) if message.get("content") is not None else parts
        found += messages_in(
            {**message, "content": content, "tool_calls": calls, "role": message.get("role", role)}, role
        )
    return found


def _nested(attributes: Mapping[str, Any], prefix: str) -> list[Json]:
    """The list that was flattened under a prefix, its elements in order."""
    tree = _nested_object(attributes, prefix)
    listed = _listed(tree)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _nested_object(attributes: Mapping[str, Any], prefix: str) -> Json:
    tree: Json = {}
    for key, value in attributes.items():
        if not key.startswith(f"{prefix}."):
            continue
        here = tree
        *path, last = key[len(prefix) + 1 :].split(".")
        for part in path:
            inner = here.setdefault(part, {})
            here = inner if isinstance(inner, dict) else here
        here[last] = value
    return tree


def _listed(tree: Any) -> Any:
    """Objects whose keys are all numbers become lists."""
    if not isinstance(tree, dict):
        return tree
    inner = {key: _listed(value) for key, value in tree.items()}
    if inner and all(key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


FORMAT = OpenTelemetry()
