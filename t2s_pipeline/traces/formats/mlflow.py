"""MLflow traces: `{"info": {...}, "data": {"spans": [...]}}`, one per file, line or list element.

Outcome: an assessment (feedback) named like the outcome (see settings). Expectations are the right answers
and are never read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import epoch_time, number, trajectory, whole
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
from t2s_pipeline.traces.layouts import whichever
from t2s_pipeline.traces.outcomes import OutcomeSource
from t2s_pipeline.traces.record import Usage
from t2s_pipeline.traces.spans import (
    Score,
    Span,
    agent_name,
    outcome_of_scores,
    steps_of_spans,
    token_metrics,
    usage_of_spans,
)

_INFO_KEYS = frozenset(
    "trace_id request_id client_request_id trace_location experiment_id request_time timestamp_ms state "
    "status execution_duration execution_time_ms request_preview response_preview trace_metadata "
    "request_metadata tags assessments".split()
)
_SPAN_KEYS = frozenset(
    "trace_id span_id context parent_id parent_span_id name start_time_unix_nano end_time_unix_nano "
    "start_time end_time status status_code status_message attributes events links".split()
)
_MODEL_TYPES = ("CHAT_MODEL", "LLM")
_SOURCES: dict[str, OutcomeSource] = {"HUMAN": "human", "LLM_JUDGE": "llm_judge", "AI_JUDGE": "llm_judge"}


class MLflow(Format):
    name = "mlflow"
    title = "MLflow trace"

    def recognises(self, head: Head) -> int:
        for sample in head.objects():
            info, data = sample.get("info"), sample.get("data")
            if isinstance(info, dict) and isinstance(data, dict) and isinstance(data.get("spans"), list):
                return 88
        return 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        return whichever(source)

    def identity(self, record: Record) -> str | None:
        info = record.value.get("info") if isinstance(record.value, dict) else None
        named = (info.get("trace_id") or info.get("request_id")) if isinstance(info, dict) else None
        return named if isinstance(named, str) else None

    def convert(self, record: Record) -> Converted:
        info: Json = record.value["info"]
        raw: list[Json] = [one for one in record.value["data"]["spans"] if isinstance(one, dict)]
        spans = [_span(one) for one in raw]
        steps, warnings = steps_of_spans(spans).finish()
        if not steps:
            raise TraceError("the trace has no steps: no span holds messages or tool calls")
        outcome, hints = outcome_of_scores(list(_scores(info)), record.source.settings)
        tags = info["tags"] if isinstance(info.get("tags"), dict) else {}
        models = [span.model for span in spans if span.model]
        model = models[0] if models else None
        name = tags.get("mlflow.traceName")
        name = name if isinstance(name, str) else None
        task = tags.get("task_id")
        return Converted(
            trajectory=trajectory(steps, agent=name or "unknown", model_name=model),
            outcome=outcome,
            usage=_usage(info, usage_of_spans(spans, steps)),
            task_id=task if isinstance(task, str) else None,
            agent=agent_name(name, model),
            warnings=(
                *warnings,
                *hints,
                *unknown_keys("info", info.keys(), _INFO_KEYS),
                *unknown_keys("span", {key for one in raw for key in one}, _SPAN_KEYS),
            ),
        )


def _span(one: Json) -> Span:
    told = {key: decoded(value) for key, value in (one.get("attributes") or {}).items()}
    kind = str(told.get("mlflow.spanType") or "")
    nanoseconds = one.get("start_time_unix_nano", one.get("start_time"))
    start = int(str(nanoseconds)) if str(nanoseconds).isdigit() else 0
    time = epoch_time(start / 1e9)
    inputs, outputs = told.get("mlflow.spanInputs"), told.get("mlflow.spanOutputs")
    if kind in _MODEL_TYPES:
        usage = told.get("mlflow.chat.tokenUsage")
        usage = usage if isinstance(usage, Mapping) else {}
        cost = told.get("mlflow.llm.cost")
        return Span(
            "model",
            f"{start:024}",
            time=time,
            inputs=messages_in(inputs, "user"),
            outputs=messages_in(outputs, "assistant"),
            model=_model(told, inputs),
            metrics=token_metrics(
                usage.get("input_tokens"),
                usage.get("output_tokens"),
                usage.get("cache_read_input_tokens"),
                cost.get("total_cost") if isinstance(cost, Mapping) else cost,
            ),
        )
    if kind == "TOOL":
        failed = "ERROR" in str(one.get("status_code") or _code(one.get("status")))
        return Span(
            "tool",
            f"{start:024}",
            name=str(one.get("name") or "unknown"),
            time=time,
            arguments=inputs,
            result=outputs
            if outputs is not None
            else one.get("status_message") or _message(one.get("status")),
            failed=failed,
        )
    return Span("other", f"{start:024}")


def _code(status: Any) -> str:
    return str(status.get("code") or "") if isinstance(status, Mapping) else ""


def _message(status: Any) -> Any:
    return status.get("message") if isinstance(status, Mapping) else None


def _model(told: Mapping[str, Any], inputs: Any) -> str | None:
    for named in (
        told.get("mlflow.llm.model"),
        told.get("model"),
        inputs.get("model") if isinstance(inputs, Mapping) else None,
    ):
        if isinstance(named, str) and named:
            return named
    return None


def _usage(info: Json, spent: Usage) -> Usage:
    """The totals MLflow computes for a trace, else the sum over its spans."""
    metadata = info.get("trace_metadata") or info.get("request_metadata") or {}
    tokens, cost = (
        decoded(metadata.get("mlflow.trace.tokenUsage")),
        decoded(metadata.get("mlflow.trace.cost")),
    )
    if not isinstance(tokens, Mapping):
        return spent
    return Usage(
        input_tokens=whole(tokens.get("input_tokens")),
        output_tokens=whole(tokens.get("output_tokens")),
        cached_tokens=whole(tokens.get("cache_read_input_tokens")),
        cost_usd=number(cost.get("total_cost")) if isinstance(cost, Mapping) else spent.cost_usd,
    )


def _scores(info: Json) -> Iterator[Score]:
    for one in info.get("assessments") or ():
        if not isinstance(one, Mapping) or not isinstance(one.get("feedback"), Mapping):
            continue
        source = one.get("source")
        kind = str(source.get("source_type")) if isinstance(source, Mapping) else ""
        name = one.get("assessment_name") or one.get("name")
        yield Score(str(name), one["feedback"].get("value"), _SOURCES.get(kind, "verifier"))


FORMAT = MLflow()
