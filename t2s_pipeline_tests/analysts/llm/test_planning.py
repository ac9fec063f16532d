from __future__ import annotations

from t2s_pipeline.analysts.llm.planning import plan_run
from t2s_pipeline.llm.prices import FixedPrices
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline_tests.analysts.llm.records import booking_steps, many_records, record_of

SETTINGS = LLMSettings(base_url="http://127.0.0.1:1/v1", model="m")


def test_a_plan_counts_one_call_a_trace_and_the_merges() -> None:
    plan = plan_run(many_records(40), lambda _: (), SETTINGS)

    assert plan.traces == 40
    assert plan.calls_by_purpose["merge"] == 6
    assert plan.calls == 46 == sum(plan.calls_by_purpose.values())
    assert plan.input_tokens > 40 * 800
    assert plan.usd is None


def test_a_known_price_makes_dollars() -> None:
    plan = plan_run(many_records(4), lambda _: (), SETTINGS, FixedPrices(2.0, 10.0))

    assert plan.usd == (2.0 * plan.input_tokens + 10.0 * plan.output_tokens) / 1e6


def test_more_analysts_and_turns_cost_more() -> None:
    records = many_records(20)
    usual = plan_run(records, lambda _: (), SETTINGS)

    every = plan_run(records, lambda _: (), SETTINGS.model_copy(update={"analysts": "all"}))
    agentic = plan_run(records, lambda _: (), SETTINGS.model_copy(update={"error_mode": "agentic"}))

    assert every.calls > usual.calls
    assert agentic.calls > usual.calls
    assert agentic.input_tokens > usual.input_tokens


def test_traces_nobody_reads_cost_nothing() -> None:
    plan = plan_run([record_of(*booking_steps(), infra_error=True)], lambda _: (), SETTINGS)

    assert (plan.traces, plan.skipped, plan.calls, plan.usd) == (0, 1, 0, None)
