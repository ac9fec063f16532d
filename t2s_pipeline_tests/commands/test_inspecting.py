"""`t2s inspect`: what a file would become."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2s_pipeline.commands.inspecting import inspect_file
from t2s_pipeline.errors import TraceError
from t2s_pipeline.settings import Settings
from t2s_pipeline_tests.commands.in_process import Terminal
from t2s_pipeline_tests.traces.samples import chat, write, write_lines


def test_a_file_is_told_in_numbers(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2}
    lines = [chat("a", usage=usage), chat("b", reward=0, agent="hasty"), "broken"]
    path = write_lines(tmp_path / "runs.jsonl", lines)

    found = inspect_file(path, Settings())

    assert (found.formats, found.traces, found.quarantined) == ({"openai_chat": 2}, 2, 1)
    assert found.agents == {"unknown": 1, "hasty": 1}
    assert (found.steps, found.calls, found.tasks) == (8, 2, 2)
    assert (found.input_tokens, found.output_tokens, found.cost_usd) == (10, 2, None)
    assert found.first_quarantined[0].where == "runs.jsonl#L3"


def test_only_the_first_traces_and_reasons_are_listed(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "runs.jsonl", [*map(chat, "abc"), "broken", "broken too"])

    found = inspect_file(path, Settings(), shown=1)

    assert (len(found.first_traces), len(found.first_quarantined)) == (1, 1)
    assert (found.traces, found.quarantined) == (3, 2)


def test_outcomes_beside_a_file_are_applied_and_what_is_wrong_with_them_is_told(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "runs.jsonl", [chat("a", reward=0), chat("b", reward=0)])
    write(tmp_path / "outcomes.csv", "task_id,success\ntask-b,true\ntask-a,perhaps\n")

    found = inspect_file(path, Settings(data=tmp_path / "elsewhere"))

    assert found.outcomes == {"failure": 1, "success": 1}
    assert [one.where for one in found.first_quarantined] == ["outcomes.csv#L3"]


def test_in_the_inbox_outcomes_of_the_folders_around_a_file_are_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(tmp_path / "data" / "inbox" / "s" / "deep" / "runs.jsonl", [chat("a")])
    write(tmp_path / "data" / "inbox" / "s" / "outcomes.csv", "task_id,success\ntask-a,false\n")
    monkeypatch.chdir(tmp_path / "data" / "inbox")

    found = inspect_file(Path("s/deep/runs.jsonl"), Settings(data=tmp_path / "data"))

    assert found.outcomes == {"failure": 1}


def test_something_that_is_no_trace_is_told_with_the_reason(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.jsonl", [{"foo": 1}])

    found = inspect_file(path, Settings())

    assert found.formats == {}
    assert "not a known trace format" in found.first_quarantined[0].reason
    with pytest.raises(TraceError, match="is not a file"):
        inspect_file(tmp_path / "absent", Settings())


def test_tokens_and_warnings_are_seen_on_the_screen(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 1200, "completion_tokens": 30}
    odd = chat("a", usage=usage)
    odd["messages"][0]["mood"] = "grim"
    path = write_lines(tmp_path / "runs.jsonl", [odd, chat("b")])

    done = Terminal(tmp_path / "data")("inspect", str(path))
    plain = Terminal(tmp_path / "data")("inspect", str(path), "--json").json

    assert "1,200 tokens in, 30 out" in done.out
    assert "1 trace: unknown key `mood`" in done.out
    assert [count for warning, count in plain["warnings"].items() if "mood" in warning] == [1]
    assert plain["first_traces"][0]["input_tokens"] == 1200
