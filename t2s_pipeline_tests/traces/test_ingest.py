"""From batches to the store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces import ingest
from t2s_pipeline.traces.batch_content import IngestReport, OpenFiles, read_batch
from t2s_pipeline.traces.inbox import Batch, plan_batches
from t2s_pipeline.traces.ingest import ingest_batches, shares_of
from t2s_pipeline_tests.traces.samples import (
    chat,
    claude_agent,
    claude_session,
    episode,
    text,
    write,
    write_lines,
)


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    return DataPaths(tmp_path / "data")


def land(paths: DataPaths, name: str, names: str, **keys: Any) -> Path:
    """A chat file in the inbox with one trace per letter."""
    return write_lines(paths.inbox / name, [chat(letter, **keys) for letter in names])


def run(paths: DataPaths, **keys: Any) -> list[IngestReport]:
    """Plans and ingests what is new; the reports in key order."""
    settings = Settings(data=paths.root, **keys)
    reports = ingest_batches(Store(paths), paths, settings, plan_batches(paths, settings))
    return [reports[key] for key in sorted(reports)]


def rows(paths: DataPaths, sql: str) -> list[tuple[Any, ...]]:
    return Store(paths).query(sql).rows()


def test_traces_steps_quarantine_and_the_stage_are_written(paths: DataPaths) -> None:
    write_lines(paths.inbox / "s" / "a.jsonl", [chat("a"), "broken", chat("b", reward=0)])

    (report,) = run(paths)

    assert (report.traces, report.quarantined, report.duplicates) == (2, 1, 0)
    assert report.outcomes == {"success": 1, "failure": 1}
    assert report.formats == {"openai_chat": 2}
    assert report.reasons[0][0] == "inbox/s/a.jsonl#L2"
    assert rows(paths, "SELECT task_id, status, n_steps, n_calls FROM traces ORDER BY task_id") == [
        ("task-a", "success", 4, 1),
        ("task-b", "failure", 4, 1),
    ]
    assert rows(paths, "SELECT count(*) FROM steps") == [(8,)]
    assert rows(paths, "SELECT uri FROM quarantine") == [("inbox/s/a.jsonl#L2",)]
    assert rows(paths, "SELECT stage, traces, quarantined FROM batch_stages") == [("traces", 2, 1)]


def test_ingesting_again_changes_nothing(paths: DataPaths) -> None:
    land(paths, "s/a.jsonl", "abcde")
    settings = Settings(data=paths.root, batch_traces=2)
    batches = plan_batches(paths, settings)
    first = ingest_batches(Store(paths), paths, settings, batches)
    before = rows(paths, "SELECT * FROM traces ORDER BY trace_id")

    second = ingest_batches(Store(paths), paths, settings, list(reversed(batches)))

    assert second == first
    assert rows(paths, "SELECT * FROM traces ORDER BY trace_id") == before


def test_the_same_bytes_twice_are_counted_and_not_stored_twice(paths: DataPaths) -> None:
    land(paths, "s/a.jsonl", "abca")
    (first,) = run(paths)
    land(paths, "s/b.jsonl", "bcd")
    (second,) = run(paths)

    assert (first.traces, first.duplicates) == (3, 1)
    assert (second.traces, second.duplicates, second.quarantined) == (1, 2, 0)
    assert rows(paths, "SELECT count(*) FROM traces") == [(4,)]


def test_a_copied_file_adds_nothing_even_when_its_name_would_name_another_agent(paths: DataPaths) -> None:
    original = write(paths.inbox / "s" / "ic_sql_gpt.json", {"0": episode(0), "1": episode(1)})
    run(paths)
    write(paths.inbox / "s" / "ic_sql_gpt (copy).json", original.read_bytes())

    (report,) = run(paths)

    assert (report.traces, report.duplicates) == (0, 2)
    assert rows(paths, "SELECT DISTINCT agent FROM traces") == [("gpt",)]


def test_a_copy_is_read_when_its_original_is_gone(paths: DataPaths) -> None:
    original = land(paths, "s/a.jsonl", "ab")
    land(paths, "s/b.jsonl", "ab")
    settings = Settings(data=paths.root)
    batches = plan_batches(paths, settings)
    original.unlink()

    reports = ingest_batches(Store(paths), paths, settings, batches)

    assert [(one.traces, one.duplicates, one.quarantined) for one in reports.values()] == [(2, 0, 1)]


def test_batches_that_slice_a_file_give_what_one_batch_gives_and_open_it_once(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [*(chat(letter) for letter in "abcdefg"), "broken", chat("a", answer="other"), chat("z")]
    write_lines(paths.inbox / "s" / "a.jsonl", lines)
    whole = run(paths)
    ids = rows(paths, "SELECT trace_id FROM traces ORDER BY trace_id")
    sliced = DataPaths(paths.root.parent / "sliced")
    write_lines(sliced.inbox / "s" / "a.jsonl", lines)
    settings = Settings(data=sliced.root, batch_traces=2)
    batches = plan_batches(sliced, settings)
    opened = []
    real = Path.open

    def counting(path: Path, *arguments: Any, **keys: Any) -> Any:
        opened.append(path.name)
        return real(path, *arguments, **keys)

    monkeypatch.setattr(Path, "open", counting)

    reports = ingest_batches(Store(sliced), sliced, settings, batches)

    assert len(batches) == 5
    assert rows(sliced, "SELECT trace_id FROM traces ORDER BY trace_id") == ids
    assert sum(one.quarantined for one in reports.values()) == whole[0].quarantined == 2
    assert opened.count("a.jsonl") == 2  # once to tell the format, once to read


def test_batches_ingested_apart_and_out_of_order_give_the_same_traces(paths: DataPaths) -> None:
    land(paths, "s/a.jsonl", "abcdefgh")
    settings = Settings(data=paths.root, batch_traces=3)
    batches = plan_batches(paths, settings)

    for batch in reversed(batches):
        ingest_batches(Store(paths), paths, settings, [batch])

    assert rows(paths, "SELECT batch, count(*) FROM traces GROUP BY batch ORDER BY batch") == [
        (batch.key, batch.traces) for batch in batches
    ]


def test_a_session_that_went_on_replaces_its_older_trace(paths: DataPaths) -> None:
    path = paths.inbox / "s" / "session.jsonl"
    write_lines(path, claude_session())
    (first,) = run(paths)
    write_lines(path, [*claude_session(), claude_agent("a4", "a3", text("One more thing."))])

    (second,) = run(paths)

    assert (first.replaced, second.replaced) == (0, 1)
    assert rows(paths, "SELECT batch, n_steps FROM traces") == [(second.batch, 5)]
    assert rows(paths, "SELECT count(*) FROM steps") == [(5,)]


def test_a_conversation_exported_again_with_its_outcome_replaces_the_one_without(paths: DataPaths) -> None:
    land(paths, "s/a.jsonl", "ab", reward=None)
    run(paths)
    land(paths, "s/a.jsonl", "ab", reward=1.0)

    (report,) = run(paths)

    assert report.replaced == 2
    assert rows(paths, "SELECT status, count(*) FROM traces GROUP BY status") == [("success", 2)]


def test_a_file_that_is_put_back_to_what_it_was_puts_the_store_back(paths: DataPaths) -> None:
    for answer in ("first", "second", "first"):
        write_lines(paths.inbox / "s" / "runs.jsonl", [chat("a", answer=answer)])
        run(paths)
        (body,) = Store(paths).query("SELECT body FROM steps ORDER BY step_id DESC LIMIT 1")["body"]

        assert answer in body


def test_lines_added_to_a_file_add_traces_and_keep_the_others(paths: DataPaths) -> None:
    land(paths, "s/a.jsonl", "ab")
    run(paths)
    land(paths, "s/a.jsonl", "abc")

    (report,) = run(paths)

    assert (report.traces, report.duplicates, report.replaced) == (1, 2, 0)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("outcomes.csv", "session_id,success,source,detail\nsession-1,true,human,looked fine\n"),
        ("outcomes.jsonl", '{"session_id": "session-1", "success": true, "detail": "looked fine"}\n'),
    ],
)
def test_an_outcome_file_says_how_a_session_ended_even_when_it_comes_later(
    paths: DataPaths, name: str, content: str
) -> None:
    write_lines(paths.inbox / "s" / "deep" / "session.jsonl", claude_session())
    run(paths)
    write(paths.inbox / "s" / name, content)

    (report,) = run(paths)

    assert report.outcomes == {"success": 1}
    assert rows(paths, "SELECT status, outcome_source, outcome_detail FROM traces") == [
        ("success", "human", "looked fine")
    ]


def test_the_most_specific_row_and_the_nearest_file_win(paths: DataPaths) -> None:
    lines = [chat("a", trial=0), chat("b", trial=1, task_id="task-a"), chat("c")]
    write_lines(paths.inbox / "s" / "near" / "a.jsonl", lines)
    write(paths.inbox / "s" / "outcomes.csv", "task_id,reward\ntask-c,0\ntask-a,0\n")
    rows_near = [
        {"task_id": "task-a", "reward": 0.5},
        {"task_id": "task-a", "trial": 1, "outcome": "success"},
    ]
    write_lines(paths.inbox / "s" / "near" / "outcomes.jsonl", rows_near)

    run(paths)

    assert rows(paths, "SELECT task_id, trial, status FROM traces ORDER BY ALL") == [
        ("task-a", "0", "partial"),
        ("task-a", "1", "success"),
        ("task-c", None, "failure"),
    ]


def test_a_row_of_an_outcome_file_that_says_nothing_is_quarantined_and_the_rest_is_used(
    paths: DataPaths,
) -> None:
    land(paths, "s/a.jsonl", "a")
    write(paths.inbox / "s" / "outcomes.jsonl", '{"task_id": "task-a", "reward": 0}\n{"oops": 1}\nbroken\n')

    (report,) = run(paths)

    assert report.outcomes == {"failure": 1}
    assert [uri for uri, _ in report.reasons] == ["inbox/s/outcomes.jsonl#L3", "inbox/s/outcomes.jsonl#L2"]


def test_links_out_of_the_inbox_and_to_nothing_are_refused(paths: DataPaths, tmp_path: Path) -> None:
    land(paths, "s/a.jsonl", "a")
    secret = write_lines(tmp_path / "secret.jsonl", [chat("secret")])
    (paths.inbox / "s" / "out.jsonl").symlink_to(secret)
    (paths.inbox / "s" / "dangling.jsonl").symlink_to(tmp_path / "nowhere")

    (report,) = run(paths)

    assert report.traces == 1
    assert {Path(uri).name: reason for uri, reason in report.reasons} == {
        "out.jsonl": "a symbolic link that leads outside the inbox: copy the file into the inbox instead",
        "dangling.jsonl": "a symbolic link to nothing (its target does not exist)",
    }


def test_a_file_removed_after_planning_is_reported(paths: DataPaths) -> None:
    path = land(paths, "s/a.jsonl", "a")
    settings = Settings(data=paths.root)
    batches = plan_batches(paths, settings)
    path.unlink()

    (report,) = ingest_batches(Store(paths), paths, settings, batches).values()

    assert "the file is gone" in report.reasons[0][1]


def test_the_pure_part_makes_frames_and_writes_nothing(paths: DataPaths) -> None:
    land(paths, "s/a.jsonl", "ab")
    settings = Settings(data=paths.root)
    (batch,) = plan_batches(paths, settings)

    content = read_batch(OpenFiles(paths, settings), batch)

    assert content.frames["traces"].height == 2
    assert content.frames["steps"].height == 8
    assert json.loads(content.frames["steps"]["body"][0])["message"] == "You are careful."
    assert not paths.database.exists()


def test_a_trace_that_is_nested_too_deep_to_be_written_is_quarantined_alone(paths: DataPaths) -> None:
    nested: Any = "end"
    for _ in range(400):
        nested = {"in": nested}
    deep = chat("deep")
    deep["messages"][2]["tool_calls"][0]["function"]["arguments"] = nested
    write_lines(paths.inbox / "s" / "a.jsonl", [chat("a"), deep, chat("b")])

    (report,) = run(paths)

    assert (report.traces, report.quarantined, report.formats) == (2, 1, {"openai_chat": 2})
    ((uri, reason),) = report.reasons
    assert uri == "inbox/s/a.jsonl#L2"
    assert "cannot be written as JSON" in reason
    assert rows(paths, "SELECT task_id FROM traces ORDER BY 1") == [("task-a",), ("task-b",)]
    assert rows(paths, "SELECT count(*) FROM quarantine") == [(1,)]


def test_progress_adds_up_to_the_records(paths: DataPaths) -> None:
    land(paths, "s/a.jsonl", "abcdefgh" * 10)
    settings = Settings(data=paths.root, batch_traces=33)
    calls: list[int] = []

    batches: list[Batch] = plan_batches(paths, settings)
    ingest_batches(Store(paths), paths, settings, batches, calls.append)

    assert sum(calls) == 80


def everything_read(paths: DataPaths, **keys: Any) -> tuple[list[IngestReport], list[tuple[Any, ...]]]:
    reports = run(paths, **keys)
    tables = ("traces", "steps", "quarantine", "redactions", "held", "batch_stages")
    return reports, [rows(paths, f"SELECT * FROM {table} ORDER BY ALL") for table in tables]


def land_in_several_files(root: Path, salt: bytes) -> DataPaths:
    paths = DataPaths(root)
    write_lines(paths.inbox / "s" / "a.jsonl", [*(chat(letter) for letter in "abcde"), "broken", chat("f")])
    land(paths, "s/deep/b.jsonl", "abghij", answer="mail me at someone@example.org")
    (paths.inbox / "s" / "outcomes.csv").write_text("task_id,success\ntask-a,0\nnonsense,\n")
    paths.salt.write_bytes(salt)
    return paths


@pytest.mark.slow
def test_several_processes_read_what_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "BYTES_PER_PROCESS", 1)
    salt = bytes(range(32))
    alone, together = (land_in_several_files(tmp_path / name, salt) for name in ("alone", "together"))

    one = everything_read(alone, batch_traces=2, workers=1)
    many = everything_read(together, batch_traces=2, workers=3)

    assert many == one
    assert sum(report.traces for report in one[0]) == 12
    assert sum(report.quarantined for report in one[0]) == 2  # the line and the row of the outcome file


@pytest.mark.slow
def test_what_a_process_fails_on_is_read_by_the_one_that_asked(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    land(paths, "s/a.jsonl", "abcdefgh")
    monkeypatch.setattr(ingest, "BYTES_PER_PROCESS", 1)
    # A program that cannot even import what it needs.
    (tmp_path / "polars.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    calls: list[int] = []

    settings = Settings(data=paths.root, batch_traces=2, workers=2)
    reports = ingest_batches(Store(paths), paths, settings, plan_batches(paths, settings), calls.append)

    assert [report.traces for report in reports.values()] == [2, 2, 2, 2]
    assert sum(calls) == 8


def test_a_landing_is_shared_by_as_many_processes_as_are_worth_starting(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = land(paths, "s/a.jsonl", "abcdefghijkl")
    batches = plan_batches(paths, Settings(data=paths.root, batch_traces=2))
    monkeypatch.setattr(ingest, "BYTES_PER_PROCESS", file.stat().st_size // 3)

    assert shares_of(batches, 1) == [batches]
    assert shares_of(batches, 2) == [batches[:3], batches[3:]]
    assert shares_of(batches, 8) == [batches[:2], batches[2:4], batches[4:]]
