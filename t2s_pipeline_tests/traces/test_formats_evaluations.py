"""tau2-bench and Inspect AI."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.reading import count_records
from t2s_pipeline_tests.traces.format_samples import (
    INSPECT_HEADER,
    inspect_log,
    inspect_sample,
    tau2_results,
    tau2_run,
)
from t2s_pipeline_tests.traces.samples import calls, everything, read, read_one, results, said, write


def test_tau2_runs_carry_task_trial_reward_and_the_agents_cost(tmp_path: Path) -> None:
    trace = read_one(write(tmp_path / "results.json", tau2_results(tau2_run())))

    assert (trace.task_id, trace.trial, trace.agent) == ("7", "2", "gpt-4.1")
    assert (trace.outcome.status, trace.outcome.reward) == ("success", 1.0)
    assert (trace.usage.input_tokens, trace.usage.cost_usd) == (300, 0.03)
    assert trace.source.uri == "results.json#/simulations/0"


def test_tools_of_the_simulated_user_are_not_the_agents(tmp_path: Path) -> None:
    trace = read_one(write(tmp_path / "results.json", tau2_results(tau2_run())))

    assert calls(trace) == [("book", {"flight": "A1"})]
    assert results(trace) == [("no seats", True)]
    assert "phone is on" not in everything(trace)


def test_tau2_answers_are_not_read(tmp_path: Path) -> None:
    trace = read_one(write(tmp_path / "results.json", tau2_results(tau2_run())))

    assert "gold-action" not in everything(trace)


@pytest.mark.parametrize("ended", ["infrastructure_error", "unexpected_error"])
def test_a_run_that_the_infrastructure_ended_is_marked(tmp_path: Path, ended: str) -> None:
    run = tau2_run(termination_reason=ended, reward_info=None)

    trace = read_one(write(tmp_path / "results.json", tau2_results(run)))

    assert (trace.outcome.status, trace.outcome.infra_error) == ("error", True)


def test_one_tau2_run_per_file_is_read(tmp_path: Path) -> None:
    assert read_one(write(tmp_path / "sim.json", tau2_run())).source.format == "tau2_bench"


def test_the_header_may_stand_behind_the_runs(tmp_path: Path) -> None:
    document = dict(reversed(tau2_results(tau2_run()).items()))

    assert read_one(write(tmp_path / "results.json", document)).agent == "gpt-4.1"


def test_json_and_eval_logs_give_the_same_trace(tmp_path: Path) -> None:
    from_json = read_one(write(tmp_path / "log.json", {**INSPECT_HEADER, "samples": [inspect_sample()]}))
    from_zip = read_one(inspect_log(tmp_path))

    assert from_json.trace_id == from_zip.trace_id
    assert (from_zip.task_id, from_zip.trial, from_zip.agent) == ("sums/1", "1", "openai/gpt-4o")
    assert from_zip.source.format_version == "0.3.150"
    assert from_zip.source.uri == "sums.eval#/samples/1_epoch_1.json"


def test_attachments_are_put_back_and_reasoning_and_errors_are_kept(tmp_path: Path) -> None:
    trace = read_one(inspect_log(tmp_path))

    assert said(trace)[1] == ("user", "What is 2 + 2?")
    assert trace.trajectory.steps[2].reasoning_content == "add"
    assert calls(trace) == [("python", {"code": "2+2"})]
    assert results(trace) == [("timed out", True)]


def test_cached_tokens_that_stand_beside_are_counted_in(tmp_path: Path) -> None:
    trace = read_one(inspect_log(tmp_path))

    assert (trace.usage.input_tokens, trace.usage.output_tokens, trace.usage.cached_tokens) == (200, 20, 100)
    assert trace.usage.cost_usd == 0.004


@pytest.mark.parametrize(
    ("value", "status"),
    [("C", "success"), ("I", "failure"), ("P", "partial"), ("N", "failure"), (0.5, "partial")],
)
def test_scores_become_outcomes(tmp_path: Path, value: object, status: str) -> None:
    sample = inspect_sample(scores={"match": {"value": value}})

    trace = read_one(write(tmp_path / "log.json", {**INSPECT_HEADER, "samples": [sample]}))

    assert trace.outcome.status == status
    assert trace.outcome.reward is not None


def test_a_sample_that_broke_is_an_infrastructure_error_and_one_without_score_unknown(tmp_path: Path) -> None:
    broken = inspect_sample(1, error={"message": "sandbox died"}, scores=None)
    unscored = inspect_sample(2, scores=None)

    traces, _ = read(write(tmp_path / "log.json", {**INSPECT_HEADER, "samples": [broken, unscored]}))

    assert [(one.outcome.status, one.outcome.infra_error) for one in traces] == [
        ("error", True),
        ("unknown", False),
    ]


def test_members_compressed_with_zstd_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "log.eval", "w", compression=93) as archive:
        archive.writestr("header.json", json.dumps(INSPECT_HEADER))
        archive.writestr("samples/1_epoch_1.json", json.dumps(inspect_sample()))

    assert read_one(tmp_path / "log.eval").task_id == "sums/1"


def test_a_damaged_member_is_quarantined_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", json.dumps(INSPECT_HEADER))
        archive.writestr("samples/1_epoch_1.json", json.dumps(inspect_sample(1)))
        archive.writestr("samples/2_epoch_1.json", json.dumps(inspect_sample(2)))
    raw = path.read_bytes()
    at = raw.index(b"What is 2")
    path.write_bytes(raw[:at] + b"X" + raw[at + 1 :])

    traces, quarantined = read(path)

    assert [one.task_id for one in traces] == ["sums/2"]
    assert "damaged" in quarantined[0].reason


@pytest.mark.parametrize(
    ("compression", "kept"),
    [(zipfile.ZIP_DEFLATED, 0), (zipfile.ZIP_BZIP2, 0), (zipfile.ZIP_LZMA, 4), (93, 0)],
)
def test_a_member_whose_compressed_bytes_are_damaged_is_quarantined_and_the_others_are_read(
    tmp_path: Path, compression: int, kept: int
) -> None:
    path = tmp_path / "log.eval"
    name = "samples/1_epoch_1.json"
    with zipfile.ZipFile(path, "w", compression=compression) as archive:
        archive.writestr("header.json", json.dumps(INSPECT_HEADER))
        archive.writestr(name, json.dumps(inspect_sample(1)))
        archive.writestr("samples/2_epoch_1.json", json.dumps(inspect_sample(2)))
        start = archive.getinfo(name).header_offset + 30 + len(name)
    raw = path.read_bytes()
    # A few bytes at the start stay: the size of the properties of an LZMA stream.
    path.write_bytes(raw[: start + kept] + b"\xff" * 40 + raw[start + kept + 40 :])

    traces, quarantined = read(path)

    assert [one.task_id for one in traces] == ["sums/2"]
    assert [one.reason.split(":")[0] for one in quarantined] == ["the archive is damaged here"]
    assert count_records(path, Settings()) == 2


def test_a_member_that_unpacks_beyond_the_limit_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "log.eval", "w", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(INSPECT_HEADER))
        archive.writestr("samples/1_epoch_1.json", b"[" + b" " * 5_000_000 + b"]")

    _, quarantined = read(tmp_path / "log.eval", settings=Settings(max_record_mb=1))

    assert "above the limit of 1 MB" in quarantined[0].reason


def test_a_log_without_samples_holds_no_records(tmp_path: Path) -> None:
    _, quarantined = read(write(tmp_path / "log.json", {**INSPECT_HEADER, "samples": []}))

    assert "no records" in quarantined[0].reason
