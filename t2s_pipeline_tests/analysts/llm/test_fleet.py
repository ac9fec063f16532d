"""The fleet against a real endpoint over HTTP, misbehaving and not."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from t2s_pipeline.analysts.grounding import problem_with
from t2s_pipeline.analysts.llm.fleet import FleetReport, analyse_traces
from t2s_pipeline.errors import StoreBusy
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline.traces.record import TraceRecord
from t2s_pipeline_tests.analysts.llm.records import booking_steps, by_task, many_records, record_of
from t2s_pipeline_tests.llm.clock import QuickClock
from t2s_pipeline_tests.llm.server import Behaviour, LocalServer


def run_fleet(server: LocalServer, cache: Path, records: list[TraceRecord], **changes: Any) -> FleetReport:
    """The report on records whose siblings are among them."""
    fields = {"base_url": server.base_url, "model": "m", "call_timeout_s": 5.0} | changes
    siblings = by_task(records)
    return analyse_traces(
        records,
        lambda record: siblings[record.task_id],
        LLMSettings.model_validate(fields),
        cache,
        clock=QuickClock(),
        rng=random.Random(0),
    )


def step_of(record: TraceRecord, number: int) -> dict[str, Any]:
    """A step of a record as a JSON object."""
    return record.trajectory.steps[number - 1].model_dump(mode="json", exclude_none=True)


def without_costs(report: FleetReport) -> FleetReport:
    """The report without what differs between a call and its reply from the cache."""
    return report.model_copy(update={"calls": ()})


def test_every_trace_is_read_once_and_its_lessons_are_grounded(tmp_path: Path) -> None:
    records = many_records(40)
    by_id = {record.trace_id: record for record in records}
    done: list[int] = []
    with LocalServer() as server:
        siblings = by_task(records)
        report = analyse_traces(
            records,
            lambda record: siblings[record.task_id],
            LLMSettings(base_url=server.base_url, model="m"),
            tmp_path,
            done.append,
        )

    assert report.analysed == tuple(sorted(by_id))
    assert sum(done) == len(records)
    assert server.seen.chats == len(records) + 1
    assert len(report.lessons) >= len(records)
    for lesson in report.lessons:
        assert lesson.outcome == by_id[lesson.trace_id].outcome.status
        assert problem_with(lesson, lambda trace_id, number: step_of(by_id[trace_id], number)) is None


def test_a_model_is_never_told_reward_task_or_ids(tmp_path: Path) -> None:
    records = many_records(20)

    with LocalServer(keep=True) as server:
        run_fleet(server, tmp_path, records, analysts="all", error_mode="agentic")

    prompts = "\n".join(m["content"] for request in server.seen.requests for m in request["messages"])
    assert "0.125" not in prompts
    assert not [record.trace_id for record in records if record.trace_id in prompts]
    assert not [record.task_id for record in records if f"{record.task_id}\n" in prompts]


@pytest.mark.slow
def test_under_faults_of_all_kinds_every_trace_is_analysed_or_has_a_reason(tmp_path: Path) -> None:
    records = many_records(150)
    behaviour = Behaviour(fault_rate=0.3, slow_s=1.2, seed=5)

    with LocalServer(behaviour) as server:
        report = run_fleet(server, tmp_path, records, call_timeout_s=0.8, max_in_flight=64)

    ends = Counter([*report.analysed, *(failure.trace_id for failure in report.failures)])
    assert ends == Counter(record.trace_id for record in records)
    assert all(failure.reason and failure.analyst for failure in report.failures)
    assert len(report.analysed) > 0.9 * len(records)
    assert sum(row.attempts for row in report.calls) == server.seen.chats


@pytest.mark.slow
def test_the_next_run_asks_again_for_nothing_but_what_failed(tmp_path: Path) -> None:
    records = many_records(100)
    with LocalServer(Behaviour(fault_rate=0.5, faults=("empty", "refusal"), seed=1)) as server:
        first = run_fleet(server, tmp_path, records, output_mode="json_schema")
        asked = server.seen.chats
        server.misbehave(fault_rate=0.0)

        second = run_fleet(server, tmp_path, records, output_mode="json_schema")

    assert first.failures
    assert not second.failures
    assert server.seen.chats - asked == len(first.failures)


def test_the_report_does_not_depend_on_the_order_of_the_traces(tmp_path: Path) -> None:
    records = many_records(40)
    with LocalServer() as server:
        one = run_fleet(server, tmp_path / "one", records)
        other = run_fleet(server, tmp_path / "other", records[::-1], max_in_flight=3)

    assert without_costs(one) == without_costs(other)


def test_a_budget_that_runs_out_is_a_reason_and_not_an_error(tmp_path: Path) -> None:
    records = many_records(60)
    with LocalServer() as server:
        report = run_fleet(
            server, tmp_path, records, budget_tokens=40_000, max_output_tokens=500, max_in_flight=8
        )

    assert server.seen.tokens <= 40_000
    assert 0 < len(report.analysed) < len(records)
    assert {failure.status for failure in report.failures} == {"budget"}
    assert len(report.analysed) + len(report.failures) == len(records)


def test_an_endpoint_that_nobody_can_reach_is_a_reason_for_every_trace(tmp_path: Path) -> None:
    records = many_records(10)
    with LocalServer() as server:
        address = server.base_url

    settings = LLMSettings(base_url=address, outage_limit_s=0.0, max_attempts=2)
    report = analyse_traces(
        records, lambda _: (), settings, tmp_path, clock=QuickClock(), rng=random.Random(0)
    )

    assert len(report.failures) == 10
    assert {failure.status for failure in report.failures} == {"connection"}


def test_traces_nobody_should_learn_from_are_skipped_with_their_reason(tmp_path: Path) -> None:
    records = [record_of(*booking_steps(), infra_error=True), *many_records(3)]
    with LocalServer() as server:
        report = run_fleet(server, tmp_path, records)

    assert [skipped.trace_id for skipped in report.skipped] == ["t-1"]
    assert len(report.analysed) == 3


def test_an_agentic_analysis_takes_several_turns_and_no_more_than_allowed(tmp_path: Path) -> None:
    records = [record_of(*booking_steps(), trace_id=f"t-{n}", task_id=str(n)) for n in range(3)]
    with LocalServer() as server:
        report = run_fleet(server, tmp_path, records, error_mode="agentic", max_turns=2)
        more = run_fleet(server, tmp_path / "more", records[:1], error_mode="agentic", max_turns=9)

    assert Counter(row.trace_id for row in report.calls if row.trace_id) == {"t-0": 2, "t-1": 2, "t-2": 2}
    assert len(more.calls) == 4  # the probe, two looks, the conclusion
    assert more.lessons


def test_a_contrast_counts_for_the_run_that_was_read_whatever_run_it_quotes(tmp_path: Path) -> None:
    failure = record_of(*booking_steps(), trace_id="t-1", outcome="failure")
    success = record_of(*booking_steps(refused=False), trace_id="t-2", outcome="success")
    with LocalServer() as server:
        settings = LLMSettings(base_url=server.base_url, model="m")
        report = analyse_traces([failure], lambda _: [success], settings, tmp_path)

    assert {lesson.analyst for lesson in report.lessons} == {"contrast"}
    assert {(lesson.trace_id, lesson.outcome, lesson.kind) for lesson in report.lessons} == {
        ("t-1", "failure", "repair")
    }
    assert {evidence.trace_id for lesson in report.lessons for evidence in lesson.evidence} == {"t-2"}


def test_lessons_that_do_not_hold_are_refused_and_counted(tmp_path: Path) -> None:
    """Evidence quoted from steps that the answers name wrongly: the view of one trace, judged on another."""
    empty = [record_of({"source": "agent", "message": "x"}, trace_id=f"t-{n}") for n in range(3)]
    with LocalServer(keep=True) as server:
        report = run_fleet(server, tmp_path, empty)

    assert not report.lessons
    assert report.analysed == ("t-0", "t-1", "t-2")


def test_a_store_that_has_to_be_waited_for_stalls_no_call(tmp_path: Path) -> None:
    """A query in the event loop would keep every call under way from getting its answer in time."""
    records = many_records(8)
    siblings = by_task(records)
    in_the_loop: list[bool] = []

    def looked_up(record: TraceRecord) -> Sequence[TraceRecord]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            in_the_loop.append(False)
        else:
            in_the_loop.append(True)
        return siblings[record.task_id]

    with LocalServer() as server:
        settings = LLMSettings(base_url=server.base_url, model="m")
        analyse_traces(records, looked_up, settings, tmp_path, clock=QuickClock(), rng=random.Random(0))

    assert in_the_loop
    assert not any(in_the_loop)


def test_a_store_that_cannot_be_read_is_told_as_it_is(tmp_path: Path) -> None:
    def busy(record: TraceRecord) -> Sequence[TraceRecord]:
        raise StoreBusy(f"nobody can look for {record.trace_id}")

    with LocalServer() as server, pytest.raises(StoreBusy, match="nobody can look for"):
        analyse_traces(
            many_records(8),
            busy,
            LLMSettings(base_url=server.base_url, model="m"),
            tmp_path,
            clock=QuickClock(),
            rng=random.Random(0),
        )
