"""LangSmith runs: a list or JSONL of runs, put together by `trace_id`, or one run with its `child_runs`.

Outcome: feedback named like the outcome (see settings), from `feedback_stats` or a list of feedback.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import number, trajectory
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
from t2s_pipeline.traces.record import Outcome
from t2s_pipeline.traces.spans import (
    Score,
    Span,
    agent_name,
    outcome_of_scores,
    steps_of_spans,
    token_metrics,
    usage_of_spans,
)

_RUN_KEYS = frozenset(
    "id trace_id parent_run_id parent_run_ids dotted_order run_type name inputs outputs error status "
    "start_time end_time extra serialized events tags session_id session_name app_path manifest_id "
    "s3_urls prompt_tokens completion_tokens total_tokens prompt_cost completion_cost total_cost "
    "prompt_token_details completion_token_details first_token_time feedback feedback_stats "
    "reference_example_id child_run_ids direct_child_run_ids child_runs attachments share_token "
    "in_dataset inputs_preview outputs_preview metadata inputs_s3_urls outputs_s3_urls "
    "trace_first_received_at trace_min_start_time trace_max_start_time trace_tier ttl_seconds "
    "trace_upgrade last_queued_at thread_id execution_order child_execution_order price_model_id "
    "prompt_cost_details completion_cost_details latency messages".split()
)


class LangSmith(Format):
    name = "langsmith"
    title = "LangSmith trace"

    def recognises(self, head: Head) -> int:
        return 85 if any({"run_type", "inputs"} <= one.keys() for one in head.objects()) else 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        return by_trace(source, _runs_in)

    def identity(self, record: Record) -> str | None:
        return record.fragment.removeprefix("trace=")

    def convert(self, record: Record) -> Converted:
        runs: list[Json] = record.value
        root = next((run for run in runs if not run.get("parent_run_id")), runs[0])
        spans = [_span(run) for run in runs]
        steps, warnings = steps_of_spans(spans).finish()
        if not steps:
            raise TraceError("the trace has no steps: no run holds messages or tool calls")
        outcome, hints = outcome_of_scores(list(_scores(runs)), record.source.settings)
        if outcome.status == "unknown" and isinstance(root.get("error"), str) and root["error"]:
            outcome = Outcome(status="error", source="heuristic", detail=root["error"][:500])
        models = [span.model for span in spans if span.model]
        model = models[0] if models else None
        task = root.get("reference_example_id")
        return Converted(
            trajectory=trajectory(steps, agent=str(root.get("name") or "unknown"), model_name=model),
            outcome=outcome,
            usage=usage_of_spans(spans, steps),
            task_id=task if isinstance(task, str) else None,
            agent=agent_name(str(root.get("name") or ""), model),
            warnings=(
                *warnings,
                *hints,
                *unknown_keys("run", {key for run in runs for key in run}, _RUN_KEYS),
            ),
        )


def _runs_in(value: Any) -> Iterator[tuple[str, Json]]:
    for run in value if isinstance(value, list) else [value]:
        if isinstance(run, dict) and "run_type" in run:
            yield from _with_children(run, str(run.get("trace_id") or run.get("id")))


def _with_children(run: Json, trace_id: str) -> Iterator[tuple[str, Json]]:
    yield trace_id, {key: value for key, value in run.items() if key != "child_runs"}
    for child in run.get("child_runs") or ():
        if isinstance(child, dict):
            yield from _with_children({"parent_run_id": run.get("id"), **child}, trace_id)


def _span(run: Json) -> Span:
    kind = run.get("run_type")
    start = str(run.get("start_time") or "")
    order = f"{start}\x00{run.get('dotted_order') or ''}"
    if kind == "llm":
        return Span(
            "model",
            order,
            name=str(run.get("name") or ""),
            time=start,
            inputs=messages_in(run.get("inputs"), "user"),
            outputs=messages_in(run.get("outputs"), "assistant"),
            model=_model(run),
            metrics=_metrics(run),
        )
    if kind == "tool":
        failed = isinstance(run.get("error"), str) and bool(run["error"])
        return Span(
            "tool",
            order,
            name=str(run.get("name") or "unknown"),
            time=start,
            arguments=_arguments(run.get("inputs")),
            result=run["error"] if failed and not run.get("outputs") else _output(run.get("outputs")),
            failed=failed,
        )
    return Span("other", order)


def _arguments(inputs: Any) -> Any:
    """LangChain hands a tool its arguments as text under `input`."""
    inputs = decoded(inputs)
    if isinstance(inputs, Mapping) and set(inputs) == {"input"}:
        return decoded(inputs["input"])
    return inputs


def _output(outputs: Any) -> Any:
    if isinstance(outputs, Mapping) and set(outputs) == {"output"}:
        return outputs["output"]
    return outputs


def _model(run: Json) -> str | None:
    extra = run["extra"] if isinstance(run.get("extra"), Mapping) else {}
    metadata = extra["metadata"] if isinstance(extra.get("metadata"), Mapping) else {}
    sent = extra["invocation_params"] if isinstance(extra.get("invocation_params"), Mapping) else {}
    for told in (metadata.get("ls_model_name"), sent.get("model"), sent.get("model_name")):
        if isinstance(told, str) and told:
            return told
    return None


def _metrics(run: Json) -> Json | None:
    details = run.get("prompt_token_details")
    outputs = run["outputs"] if isinstance(run.get("outputs"), Mapping) else {}
    usage = outputs["usage_metadata"] if isinstance(outputs.get("usage_metadata"), Mapping) else {}
    cost = run.get("total_cost")
    return token_metrics(
        run.get("prompt_tokens", usage.get("input_tokens")),
        run.get("completion_tokens", usage.get("output_tokens")),
        details.get("cache_read") if isinstance(details, Mapping) else None,
        number(float(cost)) if isinstance(cost, str) and cost.replace(".", "", 1).isdigit() else cost,
    )


def _scores(runs: list[Json]) -> Iterator[Score]:
    for run in runs:
        for one in run.get("feedback") or ():
            if isinstance(one, Mapping):
                value = one.get("score") if one.get("score") is not None else one.get("value")
                yield Score(str(one.get("key")), value, "human")
        stats = run.get("feedback_stats")
        for name, told in stats.items() if isinstance(stats, Mapping) else ():
            if isinstance(told, Mapping) and told.get("avg") is not None:
                yield Score(str(name), told["avg"], "human")


FORMAT = LangSmith()
