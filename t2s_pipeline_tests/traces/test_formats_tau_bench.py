"""tau-bench result files."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2s_pipeline_tests.traces.samples import everything, read, read_one, results, said, tau_run, write


def test_runs_carry_task_trial_outcome_and_the_agent_of_the_file_name(tmp_path: Path) -> None:
    runs = [tau_run(3, reward=1.0, trial=0), tau_run(3, reward=0.0, trial=1)]

    traces, quarantined = read(write(tmp_path / "gpt-4o-airline-trials01.json", runs))

    assert quarantined == []
    assert [(one.task_id, one.trial, one.agent) for one in traces] == [
        ("3", "0", "gpt-4o"),
        ("3", "1", "gpt-4o"),
    ]
    assert [(one.outcome.status, one.outcome.source) for one in traces] == [
        ("success", "benchmark"),
        ("failure", "benchmark"),
    ]


@pytest.mark.parametrize(
    ("name", "agent"),
    [
        ("sonnet-35-new-retail.json", "sonnet-35-new"),
        ("tool-calling-gpt-4o-0.0_range_0--1_user-gpt-4o-llm_0101120000.json", "gpt-4o"),
        ("results.json", "unknown"),
    ],
)
def test_the_agent_is_named_by_the_file(tmp_path: Path, name: str, agent: str) -> None:
    assert read_one(write(tmp_path / name, [tau_run()])).agent == agent


def test_the_answer_in_the_file_reaches_nothing(tmp_path: Path) -> None:
    trace = read_one(write(tmp_path / "gpt-4o-airline.json", [tau_run()]))

    for answer in ("gold-booking", "gold-output", "gold-hash", "You are the user"):
        assert answer not in everything(trace)


def test_the_policy_stays_a_system_step_and_refusals_are_marked(tmp_path: Path) -> None:
    trace = read_one(write(tmp_path / "gpt-4o-airline.json", [tau_run()]))

    assert said(trace)[0] == ("system", "Policy")
    assert results(trace) == [("Error: payment too low", True)]


def test_a_truncated_file_keeps_the_runs_before_the_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "gpt-4o-airline.json", [tau_run(1), tau_run(2), tau_run(3)])
    path.write_bytes(path.read_bytes()[:-300])

    traces, quarantined = read(path)

    assert [one.task_id for one in traces] == ["1", "2"]
    assert [(one.uri, one.reason) for one in quarantined] == [
        ("gpt-4o-airline.json#/2", "the file ends in the middle of the document (truncated)")
    ]
