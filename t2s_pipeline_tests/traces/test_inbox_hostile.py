"""What lies in an inbox and is no file to be read: it is told of, and everything beside it is read."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from t2s_pipeline.errors import StoreError
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.batch_content import IngestReport
from t2s_pipeline.traces.inbox import all_batches, plan_batches
from t2s_pipeline.traces.ingest import ingest_batches
from t2s_pipeline_tests.traces.samples import chat, write, write_lines


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    """A data root with one good trace in it."""
    paths = DataPaths(tmp_path / "data")
    write_lines(paths.inbox / "s" / "good.jsonl", [chat("good")])
    return paths


def run(paths: DataPaths) -> list[IngestReport]:
    """Plans and ingests what is new."""
    settings = Settings(data=paths.root)
    planned = plan_batches(paths, settings)
    return list(ingest_batches(Store(paths), paths, settings, planned).values())


def reasons(report: IngestReport) -> dict[str, str]:
    return {Path(uri).name: reason for uri, reason in report.reasons}


@pytest.mark.timeout(60)
def test_a_pipe_and_a_socket_are_never_opened(paths: DataPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(paths.inbox / "s" / "pipe.jsonl")
    (paths.inbox / "s" / "twin.jsonl").symlink_to(paths.inbox / "s" / "pipe.jsonl")
    monkeypatch.chdir(paths.inbox / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jsonl")

    (report,) = run(paths)

    assert report.traces == 1
    assert reasons(report) == dict.fromkeys(
        ("pipe.jsonl", "twin.jsonl", "socket.jsonl"), "not a regular file"
    )
    assert run(paths) == []


@pytest.mark.timeout(60)
def test_a_pipe_among_the_files_of_one_session_is_never_opened(paths: DataPaths) -> None:
    event = {"kind": "MessageEvent", "source": "user", "timestamp": "2026-01-01T00:00:00"}
    write(paths.inbox / "s" / "event-00001-a.json", {**event, "llm_message": {"content": "hello"}})
    os.mkfifo(paths.inbox / "s" / "event-00002-b.json")

    (report,) = run(paths)

    assert report.traces == 2
    assert reasons(report) == {"event-00002-b.json": "not a regular file"}


def test_a_name_that_is_no_text_is_told_of_with_its_bytes_escaped(paths: DataPaths) -> None:
    raw = os.fsencode(paths.inbox)
    folder, file = raw + b"/t\xff", raw + b"/s/bad\xfe.jsonl"
    Path(os.fsdecode(folder)).mkdir()
    for name in (folder + b"/a.jsonl", file):
        Path(os.fsdecode(name)).write_bytes(b"{}\n")
    Path(os.fsdecode(folder + b"/outcomes.csv")).write_bytes(b"task_id,success\ntask,true\n")

    reports = run(paths)

    reason = "its name, or that of a folder around it, is not UTF-8: rename it"
    assert sum(report.traces for report in reports) == 1
    assert sorted(uri for report in reports for uri, _ in report.reasons) == [
        r"inbox/s/bad\udcfe.jsonl",
        r"inbox/t\udcff/a.jsonl",
    ]
    assert {told for report in reports for _, told in report.reasons} == {reason}
    assert run(paths) == []


def test_a_file_that_was_renamed_to_text_is_read(paths: DataPaths) -> None:
    bad = Path(os.fsdecode(os.fsencode(paths.inbox) + b"/s/bad\xfe.jsonl"))
    write_lines(bad, [chat("late")])
    run(paths)

    bad.rename(paths.inbox / "s" / "better.jsonl")

    assert [report.traces for report in run(paths)] == [1]


def test_a_folder_that_cannot_be_looked_into_is_told_of(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(paths.inbox / "s" / "closed" / "a.jsonl", [chat("inside")])
    allowed = os.access

    def refuse(path: Any, mode: int) -> bool:
        return not str(path).endswith("closed") and allowed(path, mode)

    with monkeypatch.context() as patched:
        patched.setattr(os, "access", refuse)
        (report,) = run(paths)
        again = run(paths)
    (opened,) = run(paths)

    assert reasons(report) == {"closed": "this user may not look into the folder"}
    assert again == []
    assert opened.traces == 1


def test_a_folder_that_was_closed_or_removed_takes_no_outcomes_back(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(paths.inbox / "s" / "outcomes.csv", "task_id,success\ntask-good,false\n")
    run(paths)

    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda path, _: Path(path).name != "s")
        patched.setattr(Path, "is_file", _refused_below_s)
        closed = run(paths)
    (paths.inbox / "s").rename(paths.root / "elsewhere")

    assert [report.traces for report in closed] == [0]
    assert run(paths) == []
    assert Store(paths).query("SELECT status FROM traces").rows() == [("failure",)]


def _refused_below_s(path: Path) -> bool:
    if path.parent.name == "s":
        raise PermissionError(13, "Permission denied", str(path))
    return path.exists() and not path.is_dir()


def test_an_outcome_file_that_is_a_link_is_told_of_and_not_read(paths: DataPaths, tmp_path: Path) -> None:
    outside = write(tmp_path / "private.csv", "task_id,success,detail\ntask-good,false,private words\n")
    (paths.inbox / "s" / "outcomes.csv").symlink_to(outside)

    (report,) = run(paths)

    assert reasons(report) == {"outcomes.csv#L1": "a symbolic link: copy the file into the inbox instead"}
    assert "private words" not in str(Store(paths).query("SELECT * FROM traces").rows())


TOKEN = "ghp_" + "R0CsTy4Qwb8DwkNhFdnXsiVpzz63FfkCzJr4"


def test_a_reason_and_the_detail_of_an_outcome_tell_no_secret(paths: DataPaths) -> None:
    write_lines(paths.inbox / "s" / "twice.jsonl", [chat("a", id=TOKEN), chat("b", id=TOKEN)])
    write_lines(paths.inbox / "s" / "strange.jsonl", [{TOKEN: 1, "messages": "none"}])
    write(paths.inbox / "s" / "outcomes.csv", f"task_id,success,detail\ntask-good,true,with {TOKEN}\n")

    (report,) = run(paths)

    told = reasons(report)
    stored = Store(paths).query("SELECT outcome_detail FROM traces ORDER BY ALL NULLS LAST").to_series()
    assert told["twice.jsonl#L2"].startswith("the id '<SECRET:")
    assert told["strange.jsonl"] == "not a known trace format (its keys: <SECRET:github-pat:1>, messages)"
    assert TOKEN not in str(told)
    assert stored[0] == "with <SECRET:github-pat:1>"


def test_a_whole_prompt_as_the_name_of_a_task_is_shortened_and_stays_its_own(paths: DataPaths) -> None:
    prompts = [f"{'Solve the puzzle. ' * 1_000}{number}" for number in range(2)]
    write_lines(
        paths.inbox / "s" / "long.jsonl",
        [
            chat(name, task_id=prompt, agent=prompt, reward=None)
            for name, prompt in zip("ab", prompts, strict=True)
        ],
    )
    write_lines(paths.inbox / "s" / "outcomes.jsonl", [{"task_id": prompts[1], "success": False}])

    run(paths)

    found = Store(paths).query(
        "SELECT task_id, agent, status FROM traces WHERE uri LIKE '%long%' ORDER BY uri"
    )
    assert found["task_id"].n_unique() == found["agent"].n_unique() == 2
    assert max(map(len, (*found["task_id"], *found["agent"]))) < 300
    assert found["status"].to_list() == ["unknown", "failure"]


def test_a_line_separator_inside_a_string_ends_no_line_of_an_outcome_file(paths: DataPaths) -> None:
    row = '{"task_id": "task-good", "success": false, "detail": "one\u2028two\x0cthree"}\r\n'
    write(paths.inbox / "s" / "outcomes.jsonl", row)

    (report,) = run(paths)

    assert report.reasons == []
    assert report.outcomes == {"failure": 1}


@pytest.mark.parametrize(
    "table",
    [
        "task_id;success\ntask-good;false\n",
        "Task_ID, Success\ntask-good, FALSE\n",
        "\ufefftask_id\tsuccess\r\ntask-good\tfalse\r\n",
        '"task_id","success"\n"task-good","0"\n',
    ],
)
def test_an_outcome_file_is_read_as_a_spreadsheet_wrote_it(paths: DataPaths, table: str) -> None:
    write(paths.inbox / "s" / "outcomes.csv", table)

    (report,) = run(paths)

    assert (report.outcomes, report.reasons) == ({"failure": 1}, [])


@pytest.mark.parametrize("table", ["task-good,false\ntask-bad,true\n", "name,result\na,b\nc,d\n"])
def test_an_outcome_file_whose_first_line_names_no_columns_is_told_of_once(
    paths: DataPaths, table: str
) -> None:
    write(paths.inbox / "s" / "outcomes.csv", table)

    (report,) = run(paths)

    assert list(reasons(report)) == ["outcomes.csv#L1"]
    assert reasons(report)["outcomes.csv#L1"].startswith("the first line has to name the columns")
    assert report.outcomes == {"success": 1}


def test_a_damaged_manifest_is_named_and_its_files_are_planned_anew_without_it(paths: DataPaths) -> None:
    run(paths)
    (manifest,) = paths.batches.glob("s.*.json")
    manifest.write_bytes(b'{"key": "s.00001.0000", "ski')

    with pytest.raises(StoreError, match=r"s\.00001\.0000\.json is damaged.*Delete it"):
        all_batches(paths)
    manifest.unlink()

    assert [(report.traces, report.duplicates) for report in run(paths)] == [(1, 0)]
