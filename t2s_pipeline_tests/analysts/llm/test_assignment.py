from __future__ import annotations

from typing import Any

import pytest

from t2s_pipeline.analysts.llm.assignment import assignments, reason_to_skip
from t2s_pipeline.analysts.llm.case import case_of
from t2s_pipeline.analysts.llm.contrast import nearest_success
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline.traces.record import OutcomeStatus, TraceRecord
from t2s_pipeline_tests.analysts.llm.records import booking_steps, record_of
from t2s_pipeline_tests.builders import call, user

SUCCESS = record_of(*booking_steps(), trace_id="t-9", outcome="success")


def chosen(record: TraceRecord, *siblings: TraceRecord, **settings: Any) -> list[str]:
    """Names of the analysts a trace gets."""
    found = assignments(case_of(record), lambda _: siblings, LLMSettings.model_validate(settings))
    return [assignment.analyst.name for assignment in found]


def ended(outcome: OutcomeStatus) -> TraceRecord:
    """A booking that ended so."""
    return record_of(*booking_steps(), outcome=outcome)


@pytest.mark.parametrize(
    ("outcome", "siblings", "analysts"),
    [
        ("success", (), ["success"]),
        ("failure", (), ["error"]),
        ("failure", (SUCCESS,), ["contrast"]),
        ("partial", (SUCCESS,), ["contrast"]),
        ("error", (), ["error"]),
        ("unknown", (SUCCESS,), ["error"]),
    ],
)
def test_one_analyst_reads_each_trace_by_default(
    outcome: OutcomeStatus, siblings: tuple[TraceRecord, ...], analysts: list[str]
) -> None:
    assert chosen(ended(outcome), *siblings) == analysts


@pytest.mark.parametrize(
    ("outcome", "analysts"),
    [
        ("success", ["success", "cost"]),
        ("failure", ["error", "contrast", "cost"]),
        ("unknown", ["error", "cost"]),
    ],
)
def test_all_analysts_that_apply_can_be_asked_for(outcome: OutcomeStatus, analysts: list[str]) -> None:
    assert chosen(ended(outcome), SUCCESS, analysts="all") == analysts


def test_a_success_that_wasted_much_is_read_for_its_cost() -> None:
    same = call("look", {"page": 1}, "the same long page of offers " * 40)

    assert chosen(record_of(*booking_steps(), same, same, same, outcome="success")) == ["cost"]


def test_an_agentic_error_analyst_compares_by_itself() -> None:
    assert chosen(ended("failure"), SUCCESS, error_mode="agentic") == ["error"]


def test_each_reading_is_an_assignment_of_its_own() -> None:
    names = chosen(ended("success"), readings=("conditional_rules", "action_sequences"))

    assert names == ["success", "success"]


def test_a_trace_spoilt_by_its_environment_is_not_read() -> None:
    assert reason_to_skip(record_of(*booking_steps(), infra_error=True)) is not None
    assert reason_to_skip(record_of(user("hello"))) is not None
    assert reason_to_skip(record_of(*booking_steps())) is None


def test_the_nearest_success_is_of_the_same_task_and_agent_and_most_alike() -> None:
    failure = record_of(*booking_steps(), outcome="failure")
    other_task = record_of(*booking_steps(), trace_id="t-2", task_id="other", outcome="success")
    other_agent = record_of(*booking_steps(), trace_id="t-3", agent="other", outcome="success")
    far = record_of(
        *booking_steps(), *[call("look", {"n": n}) for n in range(5)], trace_id="t-4", outcome="success"
    )
    near = record_of(*booking_steps(), call("look", {}), trace_id="t-5", outcome="success")
    failed_too = record_of(*booking_steps(), trace_id="t-6", outcome="failure")
    siblings = [failure, other_task, other_agent, far, near, failed_too]

    assert nearest_success(failure, siblings) == near
    assert nearest_success(failure, list(reversed(siblings))) == near
    assert nearest_success(failure, [failure, other_task, failed_too]) is None
