"""Langfuse exports: a trace with its observations, or bare observations of many traces.

`{"trace": {...}, "observations": [...]}`, a trace object that holds `observations`, or a list or JSONL of
observations, which are put together by `traceId`. Outcome: a score named like the outcome (see settings),
by a person (`ANNOTATION`), a judge (`EVAL`) or the producer (`API`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import trajectory
from t2s_pipeline.traces.dialects import decoded, messages_in
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
from t2s_pipeline.traces.grouping import by_trace
from t2s_pipeline.traces.layouts import whichever
from t2s_pipeline.traces.outcomes import OutcomeSource
from t2s_pipeline.traces.spans import (
    Score,
    Span,
    agent_name,
    outcome_of_scores,
    steps_of_spans,
    token_metrics,
    usage_of_spans,
)

_OBSERVATION_KEYS = frozenset(
    "id traceId trace_id startTime endTime projectId parentObservationId type environment name level "
    "statusMessage version createdAt updatedAt input output model internalModelId internalModel "
    "modelParameters completionStartTime promptId promptName promptVersion latency timeToFirstToken "
    "usageDetails costDetails providedCostDetails providedUsageDetails metadata usage totalCost "
    "inputCost outputCost calculatedTotalCost calculatedInputCost calculatedOutputCost sessionId userId "
    "modelId unit inputUsage outputUsage totalUsage inputPrice outputPrice totalPrice "
    "usagePricingTierName usagePricingTierId toolDefinitions toolCalls toolCallNames traceName tags "
    "release bookmarked public comments scores traceTags traceTimestamp".split()
)
_MODEL_TYPES = ("GENERATION", "EMBEDDING")
_SOURCES: dict[str, OutcomeSource] = {"ANNOTATION": "human", "EVAL": "llm_judge", "API": "verifier"}


class Langfuse(Format):
    name = "langfuse"
    title = "Langfuse trace"

    def recognises(self, head: Head) -> int:
        for sample in head.objects():
            if isinstance(sample.get("trace"), dict) and isinstance(sample.get("observations"), list):
                return 85
            if isinstance(sample.get("observations"), list) and "timestamp" in sample:
                return 80
            if {"traceId", "type", "startTime"} <= sample.keys():
                return 75
        return 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        if any("traceId" in sample for sample in source.head.objects()):
            return by_trace(source, _observations_in)
        return whichever(source)

    def identity(self, record: Record) -> str | None:
        value = record.value
        if isinstance(value, list):
            return str(value[0].get("traceId")) if value else None
        trace = value.get("trace", value) if isinstance(value, dict) else {}
        return trace.get("id") if isinstance(trace.get("id"), str) else None

    def convert(self, record: Record) -> Converted:
        value = record.value
        whole: Json = {"observations": value} if isinstance(value, list) else value
        observations = [one for one in whole.get("observations") or () if isinstance(one, dict)]
        trace = whole["trace"] if isinstance(whole.get("trace"), dict) else whole
        if not observations:
            raise TraceError("the trace has no steps: it holds no observations")
        spans = _without_wrappers(observations)
        steps, warnings = steps_of_spans(spans).finish()
        if not steps:
            raise TraceError("the trace has no steps: no observation holds messages or tool calls")
        outcome, hints = outcome_of_scores(_scores(trace), record.source.settings)
        models = [span.model for span in spans if span.model]
        name = trace.get("name") if isinstance(trace.get("name"), str) else None
        return Converted(
            trajectory=trajectory(steps, agent=name or "unknown", model_name=models[0] if models else None),
            outcome=outcome,
            usage=usage_of_spans(spans, steps),
            task_id=_task(trace),
            agent=agent_name(name, models[0] if models else None),
            warnings=(
                *warnings,
                *hints,
                *unknown_keys("observation", {key for one in observations for key in one}, _OBSERVATION_KEYS),
            ),
        )


def _observations_in(value: Any) -> Iterator[tuple[str, Json]]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict) and isinstance(one.get("traceId"), str):
            yield one["traceId"], one


def _without_wrappers(observations: list[Json]) -> list[Span]:
    """The spans, without model calls that repeat the one around or inside them: of a wrapper and what it
    wraps, the one that tells more stays."""
    spans = {str(one.get("id")): _span(one) for one in observations}
    for one in observations:
        inner, outer = spans[str(one.get("id"))], spans.get(str(one.get("parentObservationId")))
        if outer is None or inner.kind != "model" or outer.kind != "model":
            continue
        kept, left = (outer, inner) if _told(outer) > _told(inner) else (inner, outer)
        kept.metrics = kept.metrics or left.metrics
        left.kind = "other"
    return list(spans.values())


def _told(span: Span) -> tuple[int, int]:
    calls = sum(len(message.get("tool_calls", ())) for message in span.outputs)
    return calls, sum(len(message["content"]) for message in span.outputs)


def _span(one: Json) -> Span:
    kind = one.get("type")
    start = str(one.get("startTime") or "")
    if kind in _MODEL_TYPES:
        return Span(
            "model",
            start,
            name=str(one.get("name") or ""),
            time=start,
            inputs=messages_in(one.get("input"), "user"),
            outputs=messages_in(one.get("output"), "assistant"),
            model=one["model"] if isinstance(one.get("model"), str) else None,
            metrics=_metrics(one),
        )
    if kind == "TOOL" or _looks_like_a_tool(one):
        name, arguments = _called(one)
        return Span(
            "tool",
            start,
            name=name,
            time=start,
            arguments=arguments,
            result=one.get("output"),
            failed=one.get("level") == "ERROR",
        )
    return Span("other", start)


def _looks_like_a_tool(one: Json) -> bool:
    """Producers without tool observations: OpenTelemetry says in the metadata what a span is."""
    attributes = _attributes(one)
    kinds = (attributes.get("openinference.span.kind"), attributes.get("gen_ai.operation.name"))
    return "TOOL" in kinds or "execute_tool" in kinds or "gen_ai.tool.name" in attributes


def _called(one: Json) -> tuple[str, Any]:
    arguments = decoded(one.get("input"))
    if isinstance(arguments, Mapping) and set(arguments) == {"input"}:
        arguments = decoded(arguments["input"])
    named = _attributes(one).get("gen_ai.tool.name")
    name = named if isinstance(named, str) else str(one.get("name") or "unknown")
    return name.removeprefix("tool.").removeprefix("execute_tool ").removeprefix("running tool: "), arguments


def _attributes(one: Json) -> Mapping[str, Any]:
    """The OpenTelemetry attributes Langfuse keeps in the metadata."""
    metadata = decoded(one.get("metadata"))
    attributes = decoded(metadata.get("attributes")) if isinstance(metadata, Mapping) else None
    return attributes if isinstance(attributes, Mapping) else {}


def _metrics(one: Json) -> Json | None:
    usage = one.get("usageDetails") or one.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    cost = one.get("costDetails")
    total = (
        cost.get("total")
        if isinstance(cost, Mapping)
        else one.get("totalCost", one.get("calculatedTotalCost"))
    )
    cached = usage.get(
        "input_cached_tokens", usage.get("input_cache_read", usage.get("prompt_details.cache_read"))
    )
    return token_metrics(usage.get("input"), usage.get("output"), cached, total)


def _scores(trace: Json) -> list[Score]:
    return [
        Score(
            str(one.get("name")),
            one.get("value") if one.get("value") is not None else one.get("stringValue"),
            _SOURCES.get(str(one.get("source")), "verifier"),
        )
        for one in trace.get("scores") or ()
        if isinstance(one, dict)
    ]


def _task(trace: Json) -> str | None:
    metadata = decoded(trace.get("metadata"))
    named = metadata.get("task_id") if isinstance(metadata, Mapping) else None
    return str(named) if named is not None else None


FORMAT = Langfuse()
