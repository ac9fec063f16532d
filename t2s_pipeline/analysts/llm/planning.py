"""What reading a set of traces will take, before anything is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import ceil

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.llm.assignment import Siblings, assignments, reason_to_skip
from t2s_pipeline.analysts.llm.case import case_of
from t2s_pipeline.analysts.llm.prompting import prompt
from t2s_pipeline.analysts.llm.view import view_of
from t2s_pipeline.llm.prices import Prices, prices_for
from t2s_pipeline.llm.settings import DEFAULT_MODEL, LLMSettings
from t2s_pipeline.llm.tokens import estimated_tokens
from t2s_pipeline.traces.record import TraceRecord

_REPLY_TOKENS = 500
"""A usual reply: two lessons."""
_TURN_TOKENS = 1_200
"""What a turn of an agentic analysis adds to the next: the reply and what its tool shows."""
_USUAL_SHARE_OF_TURNS = 0.6
_MERGES_PER_TRACE = 0.15
"""Merges and judgements of consolidation, for each trace that is read."""
_MERGE_TOKENS = 1_600


class Plan(BaseModel):
    """Estimates; right within a factor of two or so, which is what a budget needs to know."""

    model_config = ConfigDict(frozen=True)

    traces: int
    skipped: int
    calls: int
    calls_by_purpose: dict[str, int]
    input_tokens: int
    output_tokens: int
    trace_tokens: int
    """What sending the traces whole would take."""
    model: str
    usd: float | None
    """None when the price is unknown."""


def plan_run(
    records: Iterable[TraceRecord], siblings: Siblings, settings: LLMSettings, prices: Prices | None = None
) -> Plan:
    """What the fleet and the merges after it would take for these traces, if nothing was paid before. Asks
    nobody; `prices` default to the price list.
    """
    model = settings.model or DEFAULT_MODEL
    system = estimated_tokens(prompt("error", "lesson").text)
    calls: Counter[str] = Counter()
    traces = skipped = tokens_in = trace_tokens = 0
    for record in records:
        if reason_to_skip(record) is not None:
            skipped += 1
            continue
        traces += 1
        case = case_of(record)
        view = view_of(case, settings.trace_tokens)
        trace_tokens += view.trace_tokens
        for assignment in assignments(case, siblings, settings):
            name = assignment.analyst.name
            turns = _turns(name, settings)
            calls[f"analyst.{name}"] += turns
            tokens_in += turns * (system + view.tokens) + turns * (turns - 1) // 2 * _TURN_TOKENS
    merges = ceil(traces * _MERGES_PER_TRACE)
    if merges:
        calls["merge"] = merges
        tokens_in += merges * _MERGE_TOKENS
    tokens_out = calls.total() * _REPLY_TOKENS
    return Plan(
        traces=traces,
        skipped=skipped,
        calls=calls.total(),
        calls_by_purpose=dict(sorted(calls.items())),
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        trace_tokens=trace_tokens,
        model=model,
        usd=(prices or prices_for(settings, model)).cost(tokens_in, tokens_out),
    )


def _turns(analyst: str, settings: LLMSettings) -> int:
    """Calls of one analysis, about."""
    if analyst == "error" and settings.error_mode == "agentic":
        return ceil(settings.max_turns * _USUAL_SHARE_OF_TURNS)
    return 1
